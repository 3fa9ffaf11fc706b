//! How embedding rows are packed.

use din_core::manifest::RowEncoding;
use serde::{Deserialize, Serialize};

/// The form in which embedding rows are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Embedding {
    /// Four bytes a number, exact.
    #[default]
    F32,
    /// One byte a number and a scale for each row.
    Int8,
}

impl Embedding {
    /// Its name in the blob.
    #[must_use]
    pub const fn encoding(self) -> RowEncoding {
        match self {
            Self::F32 => RowEncoding::F32,
            Self::Int8 => RowEncoding::Int8,
        }
    }
}

/// Packed rows: the bytes of the values, and the scales where there are any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackedRows {
    /// `[rows, row_len]` bytes.
    pub values: Vec<u8>,
    /// `[rows]`, or empty.
    pub scales: Vec<f32>,
}

/// Packs the rows of a table: `values: [rows, dim]`.
#[must_use]
pub fn pack(values: &[f32], dim: usize, embedding: Embedding) -> PackedRows {
    match embedding {
        Embedding::F32 => PackedRows { values: little_endian(values), scales: Vec::new() },
        Embedding::Int8 => {
            let mut packed = PackedRows::default();
            for row in values.chunks_exact(dim) {
                let scale = int8_scale(row);
                packed.values.extend(row.iter().map(|value| int8(*value, scale).cast_unsigned()));
                packed.scales.push(scale);
            }
            packed
        }
    }
}

/// Numbers as the blob holds them.
#[must_use]
pub fn little_endian(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The scale that maps a row's largest magnitude to 127. A row of zeros has scale 1: it stays exactly zero, and the
/// scale stays positive, as the loader demands. So does a row so small that the scale would not be a normal number.
fn int8_scale(row: &[f32]) -> f32 {
    let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let scale = largest / 127.0;
    if scale.is_normal() { scale } else { 1.0 }
}

/// To nearest, ties away from zero.
fn int8(value: f32, scale: f32) -> i8 {
    (value / scale).round().clamp(-127.0, 127.0) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_rows_are_exact_and_have_a_positive_scale() {
        let packed = pack(&[0.0, 0.0, 0.0, -2.54], 2, Embedding::Int8);
        assert_eq!(packed.values, [0, 0, 0, 129]);
        assert_eq!(packed.scales[0], 1.0);
        assert!((packed.scales[1] - 0.02).abs() < 1e-9);
    }

    #[test]
    fn the_error_is_at_most_half_a_step() {
        let row: Vec<f32> = (0..64).map(|i| ((i * 37 % 64) as f32 - 20.0) * 0.013).collect();
        let packed = pack(&row, 64, Embedding::Int8);
        for (value, byte) in row.iter().zip(&packed.values) {
            let back = f32::from(byte.cast_signed()) * packed.scales[0];
            assert!((value - back).abs() <= packed.scales[0] * 0.5001, "{value} {back}");
        }
    }
}
