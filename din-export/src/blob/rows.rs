//! Packs the rows of embedding tables, and says how much that loses.
//!
//! | form | a number | scale of a row |
//! |---|---|---|
//! | f32 | itself | none |
//! | f16 | nearest half, ties to even | none |
//! | int8 | -127..127 times the scale | a 127th of the largest magnitude |
//! | int4 | -8..7 times the scale | searched: least squared error |
//!
//! A row whose magnitudes are all the same, zeros among them, comes back exactly: the scale is that magnitude divided by
//! a power of two.

use super::embedding::{Embedding, Embeddings};
use super::half::{from_half, half};
use crate::weights::ModelWeights;
use rayon::prelude::*;
use serde::Serialize;

/// A number that its form cannot hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "table `{table}`, row {row}: {value} is beyond f16, whose largest number is 65504; store the table as f32 or int8"
)]
pub struct Overflow {
    /// Of the table.
    pub table: String,
    /// Index of the row.
    pub row: usize,
    /// The number.
    pub value: f32,
}

/// How far packed rows are from the trained ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RowError {
    /// The largest magnitude of a difference.
    pub max: f64,
    /// Root of the mean squared difference.
    pub rms: f64,
}

/// Packed rows: integers (or the bits of floats) and what a step is worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackedRows {
    /// `[rows, row_len]` bytes.
    pub values: Vec<u8>,
    /// `[rows]`, or empty.
    pub scales: Vec<f32>,
    /// `[rows, dim]`: what the bytes and scales stand for.
    pub stands_for: Vec<f32>,
}

impl PackedRows {
    /// Against what was packed.
    #[must_use]
    pub fn error(&self, values: &[f32]) -> RowError {
        let differences =
            || values.iter().zip(&self.stands_for).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
        let squares: f64 = differences().map(|difference| difference * difference).sum();
        let rms = (squares / values.len().max(1) as f64).sqrt();
        RowError { max: differences().fold(0.0, f64::max), rms }
    }
}

/// Packs the rows of a table: `values: [rows, dim]`.
///
/// # Errors
/// [`Overflow`] for f16 alone.
pub fn pack(table: &str, values: &[f32], dim: usize, embedding: Embedding) -> Result<PackedRows, Overflow> {
    match embedding {
        Embedding::F32 => {
            Ok(PackedRows { values: little_endian(values), scales: Vec::new(), stands_for: values.to_vec() })
        }
        Embedding::F16 => {
            let bits = values.iter().enumerate().map(|(index, &value)| {
                half(value).ok_or_else(|| Overflow { table: table.to_owned(), row: index / dim, value })
            });
            let bits = bits.collect::<Result<Vec<u16>, _>>()?;
            Ok(PackedRows {
                values: bits.iter().flat_map(|bits| bits.to_le_bytes()).collect(),
                scales: Vec::new(),
                stands_for: bits.iter().map(|bits| from_half(*bits)).collect(),
            })
        }
        Embedding::Int8 => Ok(scaled(values, dim, int8_scale, 127)),
        Embedding::Int4 => {
            let mut packed = scaled(values, dim, int4_scale, 7);
            packed.values = nibbles(&packed.values, dim);
            Ok(packed)
        }
    }
}

/// Packs every table of a model, each in its form.
///
/// # Errors
/// [`Overflow`] for f16 alone.
pub fn pack_tables(weights: &ModelWeights, embeddings: &Embeddings) -> Result<Vec<PackedRows>, Overflow> {
    let tables = weights.schema.tables.iter().zip(&weights.tables);
    tables.map(|(spec, values)| pack(&spec.name, values, spec.dim, embeddings.of(&spec.name))).collect()
}

/// Numbers as the blob holds them.
#[must_use]
pub fn little_endian(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The signed numbers that the bytes of rows hold, `[rows, dim]`; of int8 and int4 alone.
#[must_use]
pub fn quantized(packed: &PackedRows, dim: usize, embedding: Embedding) -> Vec<i8> {
    match embedding {
        Embedding::Int4 => packed
            .values
            .chunks_exact(dim.div_ceil(2).max(1))
            .flat_map(|row| {
                row.iter()
                    .flat_map(|byte| [(byte << 4).cast_signed() >> 4, byte.cast_signed() >> 4])
                    .take(dim)
            })
            .collect(),
        _ => packed.values.iter().map(|byte| byte.cast_signed()).collect(),
    }
}

/// Each row rounded with a scale of its own to `-largest..=largest` (int4: one more below).
fn scaled(values: &[f32], dim: usize, scale: impl Fn(&[f32]) -> f32 + Sync, largest: i8) -> PackedRows {
    let row = |row: &[f32]| {
        let scale = same_magnitude(row, largest).unwrap_or_else(|| scale(row));
        (row.iter().map(|value| round(*value, scale, largest)).collect::<Vec<i8>>(), scale)
    };
    let rows: Vec<(Vec<i8>, f32)> = values.par_chunks_exact(dim.max(1)).map(row).collect();
    let mut packed = PackedRows::default();
    for (numbers, scale) in rows {
        packed.values.extend(numbers.iter().map(|number| number.cast_unsigned()));
        packed.stands_for.extend(numbers.iter().map(|number| f32::from(*number) * scale));
        packed.scales.push(scale);
    }
    packed
}

/// To nearest, ties away from zero. int4's range is one longer below, as two's complement has it; int8's is not, so that
/// the widest product of the integer path stays symmetric.
fn round(value: f32, scale: f32, largest: i8) -> i8 {
    let lowest = if largest == 7 { -8.0 } else { -f32::from(largest) };
    (value / scale).round().clamp(lowest, f32::from(largest)) as i8
}

fn magnitude(row: &[f32]) -> f32 {
    row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()))
}

/// Where all magnitudes are one: that divided by a power of two. A row of zeros, or one so small that the scale would
/// not be a normal number, has scale 1: it becomes exactly zero, and the scale stays positive, as the loader demands.
fn same_magnitude(row: &[f32], largest: i8) -> Option<f32> {
    let magnitude = magnitude(row);
    if !(magnitude / f32::from(largest)).is_normal() {
        return Some(1.0);
    }
    let power = if largest == 7 { 4.0 } else { 64.0 };
    let scale = magnitude / power;
    let is_one = row.iter().all(|value| value.abs() == magnitude || *value == 0.0);
    // int8: the usual scale, where it happens to come out even.
    let is_exact = largest == 127 && magnitude / 127.0 * 127.0 == magnitude;
    (scale.is_normal() && is_one && !is_exact).then_some(scale)
}

/// The scale that maps a row's largest magnitude to 127.
fn int8_scale(row: &[f32]) -> f32 {
    magnitude(row) / 127.0
}

/// The scale of the least squared error among 61 from one that maps the largest magnitude to 7 times 0.6 (clipping) to
/// 7 times 1.2; each is refined once to the best for the integers that it gives.
fn int4_scale(row: &[f32]) -> f32 {
    let widest = magnitude(row) / 7.0;
    let mut best = (f64::INFINITY, widest);
    for step in 0..=60_u8 {
        let scale = widest * (0.6 + 0.01 * f32::from(step));
        let (mut along, mut square) = (0.0_f64, 0.0_f64);
        for value in row {
            let number = f64::from(round(*value, scale, 7));
            along += number * f64::from(*value);
            square += number * number;
        }
        let refined = if square > 0.0 { (along / square) as f32 } else { scale };
        for scale in [scale, refined].into_iter().filter(|scale| scale.is_normal()) {
            let error: f64 = row
                .iter()
                .map(|value| {
                    (f64::from(*value) - f64::from(round(*value, scale, 7)) * f64::from(scale)).powi(2)
                })
                .sum();
            if error < best.0 {
                best = (error, scale);
            }
        }
    }
    best.1
}

/// Two values a byte, low nibble first; each row starts at a byte.
fn nibbles(values: &[u8], dim: usize) -> Vec<u8> {
    let byte = |pair: &[u8]| (pair[0] & 15) | (pair.get(1).copied().unwrap_or_default() << 4);
    values.chunks_exact(dim.max(1)).flat_map(|row| row.chunks(2).map(byte).collect::<Vec<u8>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Vec<f32> {
        (0..63).map(|i| ((i * 37 % 64) as f32 - 20.0) * 0.013).collect()
    }

    #[test]
    fn zero_rows_are_exact_and_have_a_positive_scale() {
        let packed = pack("t", &[0.0, 0.0, 0.3, -2.54], 2, Embedding::Int8).unwrap();
        assert_eq!(packed.values, [0, 0, 15, 129]);
        assert_eq!(packed.scales[0], 1.0);
        assert!((packed.scales[1] - 0.02).abs() < 1e-9);
    }

    #[test]
    fn rows_of_one_magnitude_are_exact_in_every_integer_form() {
        let values = [0.1, -0.1, 0.1, 7e-3, 7e-3, 0.0, -3.3, -3.3, -3.3];
        for embedding in [Embedding::Int8, Embedding::Int4] {
            let packed = pack("t", &values, 3, embedding).unwrap();
            assert_eq!(packed.stands_for, values, "{embedding:?}");
            assert_eq!(packed.error(&values), RowError::default());
        }
    }

    #[test]
    fn the_error_is_at_most_half_a_step() {
        let row = row();
        let packed = pack("t", &row, 63, Embedding::Int8).unwrap();
        assert!(packed.error(&row).max <= f64::from(packed.scales[0]) * 0.5001);
    }

    #[test]
    fn a_searched_int4_scale_beats_the_largest_magnitude() {
        let row = row();
        let found = pack("t", &row, 63, Embedding::Int4).unwrap().error(&row).rms;
        let plain = PackedRows {
            stands_for: row
                .iter()
                .map(|value| f32::from(round(*value, magnitude(&row) / 7.0, 7)) * magnitude(&row) / 7.0)
                .collect(),
            ..PackedRows::default()
        };
        assert!(found < plain.error(&row).rms * 0.99, "{found} {}", plain.error(&row).rms);
    }

    #[test]
    fn nibbles_are_low_first_and_rows_start_at_bytes() {
        let packed = pack("t", &[1.0, -0.5, 0.25, -1.0, 1.0, 1.0], 3, Embedding::Int4).unwrap();
        assert_eq!(packed.values.len(), 4);
        let numbers = quantized(&packed, 3, Embedding::Int4);
        let back: Vec<f32> =
            numbers.iter().enumerate().map(|(i, n)| f32::from(*n) * packed.scales[i / 3]).collect();
        assert_eq!(back, packed.stands_for);
        assert_eq!(packed.values[2..], [0x4c, 0x04]);
    }

    #[test]
    fn an_overflow_names_table_and_row() {
        let error = pack("item", &[1.0, 2.0, 3.0, 7e4], 2, Embedding::F16).unwrap_err();
        assert!(error.to_string().starts_with("table `item`, row 1: 70000 is beyond f16"), "{error}");
    }
}
