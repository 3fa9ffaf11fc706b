//! Embedding tables and their vocabularies, read in place.

use crate::bytes::{F32s, array_of, range, u64_at};
use crate::kernels::copy;
use crate::manifest::{RowEncoding, VocabularyKind};
use crate::value::Value;

/// One embedding table of a loaded model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Table<'a> {
    pub(crate) name: &'a str,
    pub(crate) rows: u32,
    pub(crate) dim: usize,
    pub(crate) encoding: RowEncoding,
    pub(crate) values: &'a [u8],
    pub(crate) scales: F32s<'a>,
    pub(crate) vocabulary: VocabularyKind,
    pub(crate) first_id: u64,
    pub(crate) first_row: u8,
    pub(crate) keys: &'a [u8],
}

impl<'a> Table<'a> {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Rows, row 0 included.
    #[must_use]
    pub const fn rows(&self) -> u32 {
        self.rows
    }

    /// Numbers in a row.
    #[must_use]
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// How rows are stored.
    #[must_use]
    pub const fn encoding(&self) -> RowEncoding {
        self.encoding
    }

    /// How raw ids become rows.
    #[must_use]
    pub const fn vocabulary(&self) -> VocabularyKind {
        self.vocabulary
    }

    /// Bytes of rows and scales.
    #[must_use]
    pub const fn values_len(&self) -> usize {
        self.values.len().saturating_add(self.scales.0.len())
    }

    /// Bytes of the vocabulary's keys.
    #[must_use]
    pub const fn keys_len(&self) -> usize {
        self.keys.len()
    }

    /// The row of a raw id (or text hash); 0, the row of unknown ids, if the vocabulary does not hold it.
    ///
    /// Constant time for dense vocabularies, else a binary search of the keys.
    #[must_use]
    pub fn row(&self, id: u64) -> u32 {
        match self.vocabulary {
            VocabularyKind::Dense => {
                let row =
                    id.checked_sub(self.first_id).map(|index| index.saturating_add(self.first_row.into()));
                row.and_then(|row| u32::try_from(row).ok()).filter(|row| *row < self.rows).unwrap_or(0)
            }
            VocabularyKind::Keys | VocabularyKind::HashedText => self.search(id),
        }
    }

    /// `keys[i]` has row `i + 1`.
    fn search(&self, id: u64) -> u32 {
        let (mut low, mut high) = (0_usize, self.keys.len() / 8);
        while low < high {
            let middle = low.midpoint(high);
            let key = u64_at(self.keys, middle.wrapping_mul(8));
            if key == id {
                return u32::try_from(middle).map_or(0, |index| index.saturating_add(1));
            }
            if key < id {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        0
    }

    /// The row of a value; `None` for a number.
    #[must_use]
    pub fn row_of(&self, value: Value) -> Option<u32> {
        match value {
            Value::Missing => Some(0),
            Value::Id(id) => Some(self.row(id)),
            Value::Number(_) => None,
        }
    }

    /// Writes a row, dequantised: `out: [dim]`. A row that the table does not have leaves `out` as it is.
    pub fn read(&self, row: u32, out: &mut [f32]) {
        let len = self.encoding.row_len(self.dim);
        let bytes = range(self.values, (row as usize).wrapping_mul(len), len);
        match self.encoding {
            RowEncoding::F32 => copy(F32s(bytes).iter(), out),
            RowEncoding::Int8 => {
                let scale = self.scales.get(row as usize).unwrap_or_default();
                copy(bytes.iter().map(|byte| scale * f32::from(i8::from_le_bytes(array_of(&[*byte])))), out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_ids_outside_the_range_are_row_0() {
        let table = Table { rows: 5, first_id: 10, first_row: 1, ..Table::default() };
        assert_eq!([9, 10, 13, 14, u64::MAX].map(|id| table.row(id)), [0, 1, 4, 0, 0]);
    }

    #[test]
    fn every_key_is_found_and_no_other() {
        let keys: [u64; 7] = [0, 3, 9, 1 << 40, (1 << 40) + 1, u64::MAX - 1, u64::MAX];
        let bytes: [u8; 56] = core::array::from_fn(|i| keys[i / 8].to_le_bytes()[i % 8]);
        for len in 0..=keys.len() {
            let table =
                Table { vocabulary: VocabularyKind::Keys, keys: &bytes[..len * 8], ..Table::default() };
            for (index, key) in keys.into_iter().enumerate() {
                let expected = if index < len { index as u32 + 1 } else { 0 };
                assert_eq!(table.row(key), expected, "key {key} of {len}");
            }
            assert_eq!([1, 4, 1 << 39].map(|id| table.row(id)), [0; 3]);
        }
    }

    #[test]
    fn int8_rows_are_scaled_by_their_own_scale() {
        let scales: [u8; 8] = core::array::from_fn(|i| [0.5_f32, 2.0][i / 4].to_le_bytes()[i % 4]);
        let values = [1_i8, -127, 3, -1].map(|value| value as u8);
        let table = Table {
            rows: 2,
            dim: 2,
            encoding: RowEncoding::Int8,
            values: &values,
            scales: F32s(&scales),
            ..Table::default()
        };
        let mut out = [0.0; 2];
        table.read(0, &mut out);
        assert_eq!(out, [0.5, -63.5]);
        table.read(1, &mut out);
        assert_eq!(out, [6.0, -2.0]);
    }
}
