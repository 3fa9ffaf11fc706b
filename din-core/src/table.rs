//! Embedding tables and their vocabularies, read in place.

use crate::bytes::{F32s, range, u16_at, u64_at};
use crate::kernels::integer::{IntegerKernel, Scale};
use crate::kernels::{Kernel, copy, prefetch};
use crate::manifest::{Name, RowEncoding, VocabularyKind, text};
use crate::value::Value;

/// One embedding table of a loaded model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Table<'a> {
    pub(crate) names: &'a str,
    pub(crate) name: Name,
    pub(crate) rows: u32,
    pub(crate) dim: usize,
    pub(crate) encoding: RowEncoding,
    pub(crate) values: &'a [u8],
    /// f32, of integer blobs u16
    pub(crate) scales: &'a [u8],
    pub(crate) vocabulary: VocabularyKind,
    pub(crate) first_id: u64,
    pub(crate) first_row: u8,
    pub(crate) keys: &'a [u8],
    /// Of integer blobs.
    pub(crate) fixed: Option<Fixed>,
}

/// How a table's rows become inputs of the integer path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed {
    /// An input of 1 is worth `2^-fraction`.
    pub fraction: i8,
    /// Of the products of stored numbers and multiplier.
    pub shift: u8,
    /// The largest magnitude of an input.
    pub limit: u16,
}

impl<'a> Table<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(self.names, self.name)
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
        self.values.len().saturating_add(self.scales.len())
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

    /// The raw id (or text hash) whose row this is; `None` for the row of unknown ids, and for one that the table does not
    /// have.
    #[must_use]
    pub fn id(&self, row: u32) -> Option<u64> {
        if row >= self.rows {
            return None;
        }
        match self.vocabulary {
            VocabularyKind::Dense => {
                let index = row.checked_sub(self.first_row.into())?;
                self.first_id.checked_add(index.into())
            }
            VocabularyKind::Keys | VocabularyKind::HashedText => {
                Some(u64_at(self.keys, (row.checked_sub(1)? as usize).wrapping_mul(8)))
            }
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
            Value::Number(_) | Value::Fixed(_) => None,
        }
    }

    /// Bytes of a row; none for a row that the table does not have.
    fn bytes_of(&self, row: u32) -> &'a [u8] {
        let len = self.encoding.row_len(self.dim);
        range(self.values, (row as usize).wrapping_mul(len), len)
    }

    /// Asks memory for a row and its scale.
    pub(crate) fn prefetch(&self, row: u32) {
        prefetch(self.bytes_of(row));
        if self.encoding.is_scaled() {
            let len = if self.fixed.is_some() { 2 } else { 4 };
            prefetch(range(self.scales, (row as usize).wrapping_mul(len), len));
        }
    }

    /// Writes a row, dequantised: `out: [dim]`. A row that the table does not have leaves `out` as it is.
    pub fn read(&self, row: u32, out: &mut [f32]) {
        self.read_by(Kernel::default(), row, out);
    }

    pub(crate) fn read_by(&self, kernel: Kernel, row: u32, out: &mut [f32]) {
        let bytes = self.bytes_of(row);
        let scale = |row: u32| match self.fixed {
            None => F32s(self.scales).get(row as usize).unwrap_or_default(),
            Some(fixed) => {
                let exponent = i32::from(fixed.shift).saturating_add(fixed.fraction.into());
                libm::ldexpf(self.multiplier(row).into(), exponent.saturating_neg())
            }
        };
        match self.encoding {
            RowEncoding::F32 => copy(F32s(bytes).iter(), out),
            RowEncoding::F16 => kernel.widen(bytes, out),
            RowEncoding::Int8 => {
                let scale = scale(row);
                copy(bytes.iter().map(|byte| scale * f32::from(byte.cast_signed())), out);
            }
            RowEncoding::Int4 => {
                let scale = scale(row);
                copy(nibbles(bytes).map(|q| scale * f32::from(q)), out);
            }
        }
    }

    /// Of a row of an integer blob.
    fn multiplier(&self, row: u32) -> u16 {
        u16_at(self.scales, (row as usize).wrapping_mul(2))
    }

    /// Writes a row as inputs of the integer path: `out: [dim]`, worth `2^-fraction` each. A row that the table does not
    /// have, and a table of an f32 blob, leave `out` as it is.
    ///
    /// Stored integers q: `clamp(rshift(q multiplier, shift), -limit, limit)`; floats: rounded half up to the nearest
    /// `2^-fraction`, then clamped. No float arithmetic in either.
    pub fn read_fixed(&self, row: u32, out: &mut [i16]) {
        self.read_fixed_by(IntegerKernel::default(), row, out);
    }

    pub(crate) fn read_fixed_by(&self, kernel: IntegerKernel, row: u32, out: &mut [i16]) {
        let Some(Fixed { fraction, shift, limit }) = self.fixed else { return };
        let bytes = self.bytes_of(row);
        let scale = Scale { multiplier: self.multiplier(row), shift, limit };
        match self.encoding {
            RowEncoding::F32 => kernel.round_floats(bytes, fraction, limit, out),
            RowEncoding::F16 => kernel.round_halves(bytes, fraction, limit, out),
            RowEncoding::Int8 => kernel.scale(&scale, bytes, out),
            RowEncoding::Int4 => copy(nibbles(bytes).map(|q| scale.of(q)), out),
        }
    }
}

/// Both halves of each byte, the low one first, in two's complement.
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = i8> + '_ {
    let extended = |nibble: u8| (nibble << 4).cast_signed() >> 4;
    bytes.iter().flat_map(move |byte| [extended(*byte), extended(*byte >> 4)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_ids_outside_the_range_are_row_0() {
        let table = Table { rows: 5, first_id: 10, first_row: 1, ..Table::default() };
        assert_eq!([9, 10, 13, 14, u64::MAX].map(|id| table.row(id)), [0, 1, 4, 0, 0]);
        assert_eq!([0, 1, 4, 5].map(|row| table.id(row)), [None, Some(10), Some(13), None]);
        let table = Table { first_row: 0, ..table };
        assert_eq!([0, 4].map(|row| table.id(row)), [Some(10), Some(14)]);
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
            let table = Table { rows: len as u32 + 1, ..table };
            assert_eq!(table.id(0), None);
            assert!((0..len).all(|index| table.id(index as u32 + 1) == Some(keys[index])));
            assert_eq!(table.id(len as u32 + 1), None);
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
            scales: &scales,
            ..Table::default()
        };
        let mut out = [0.0; 2];
        table.read(0, &mut out);
        assert_eq!(out, [0.5, -63.5]);
        table.read(1, &mut out);
        assert_eq!(out, [6.0, -2.0]);
    }

    #[test]
    fn int4_rows_start_at_bytes_and_keep_their_sign() {
        let multipliers = [2_u16, 3].map(u16::to_le_bytes);
        let table = Table {
            rows: 2,
            dim: 3,
            encoding: RowEncoding::Int4,
            values: &[0x8f, 0x07, 0x21, 0x08],
            scales: multipliers.as_flattened(),
            fixed: Some(Fixed { fraction: 3, shift: 1, limit: 11 }),
            ..Table::default()
        };
        let mut out = [0_i16; 3];
        table.read_fixed(0, &mut out);
        assert_eq!(out, [-1, -8, 7]);
        table.read_fixed(1, &mut out);
        // 1.5 and 3 half up; -12 is clamped
        assert_eq!(out, [2, 3, -11]);
        let mut real = [0.0; 3];
        table.read(1, &mut real);
        assert_eq!(real, [3.0 / 16.0, 6.0 / 16.0, -24.0 / 16.0]);
    }

    #[test]
    fn float_rows_round_half_up_to_the_fraction() {
        let values = [0.3_f32, -0.125, 0.125, 1e9].map(f32::to_le_bytes);
        let halves = [0x3400_u16, 0xb400, 0x0001, 0x7bff].map(u16::to_le_bytes);
        let fixed = Some(Fixed { fraction: 2, shift: 0, limit: 4095 });
        let table = Table { rows: 1, dim: 4, values: values.as_flattened(), fixed, ..Table::default() };
        let mut out = [0_i16; 4];
        table.read_fixed(0, &mut out);
        assert_eq!(out, [1, 0, 1, 4095]);
        let table = Table { values: halves.as_flattened(), encoding: RowEncoding::F16, ..table };
        table.read_fixed(0, &mut out);
        assert_eq!(out, [1, -1, 0, 4095]);
        let mut real = [0.0; 4];
        table.read(0, &mut real);
        assert_eq!(real, [0.25, -0.25, 2.0_f32.powi(-24), 65504.0]);
    }
}
