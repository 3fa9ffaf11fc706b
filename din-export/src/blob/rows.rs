//! Packs the rows of embedding tables, and says how much that loses.
//!
//! | form | a number | scale of a row |
//! |---|---|---|
//! | f32 | itself | none |
//! | f16 | nearest half, ties to even | none |
//! | int8 | -127..127 times the scale | searched: least effect on scores |
//! | int4 | -8..7 times the scale | searched: least effect on scores |
//!
//! How integers and scales are chosen: [`rounding`](super::rounding). A row whose magnitudes are all the same, zeros among
//! them, comes back exactly: the scale is that magnitude divided by a power of two.

use super::embedding::Embedding;
use super::half::{from_half, half};
use super::rounding::{INT4, INT8, Levels, RoundedRow, Rounding};
use super::sensitivity::RowMoments;
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
    /// Their form.
    pub embedding: Embedding,
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

/// Packs the rows of a table: `values: [rows, dim]`. `moments` say what errors of int8 and int4 rows do to scores; without
/// them each number's error counts the same.
///
/// # Errors
/// [`Overflow`] for f16 alone.
pub fn pack(
    table: &str,
    values: &[f32],
    dim: usize,
    embedding: Embedding,
    moments: Option<&RowMoments>,
) -> Result<PackedRows, Overflow> {
    match embedding {
        Embedding::F32 => Ok(PackedRows {
            embedding,
            values: little_endian(values),
            scales: Vec::new(),
            stands_for: values.to_vec(),
        }),
        Embedding::F16 => {
            let bits = values.iter().enumerate().map(|(index, &value)| {
                half(value).ok_or_else(|| Overflow { table: table.to_owned(), row: index / dim, value })
            });
            let bits = bits.collect::<Result<Vec<u16>, _>>()?;
            Ok(PackedRows {
                embedding,
                values: bits.iter().flat_map(|bits| bits.to_le_bytes()).collect(),
                scales: Vec::new(),
                stands_for: bits.iter().map(|bits| from_half(*bits)).collect(),
            })
        }
        Embedding::Int8 => Ok(scaled(values, dim, embedding, INT8, moments)),
        Embedding::Int4 => {
            let mut packed = scaled(values, dim, embedding, INT4, moments);
            packed.values = nibbles(&packed.values, dim);
            Ok(packed)
        }
    }
}

/// Numbers as the blob holds them.
#[must_use]
pub fn little_endian(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The signed numbers that the bytes of rows hold, `[rows, dim]`; of int8 and int4 alone.
#[must_use]
pub fn quantized(packed: &PackedRows, dim: usize) -> Vec<i8> {
    match packed.embedding {
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

/// Each row rounded with a scale of its own.
fn scaled(
    values: &[f32],
    dim: usize,
    embedding: Embedding,
    levels: Levels,
    moments: Option<&RowMoments>,
) -> PackedRows {
    let rounding = Rounding::new(dim, values.len() / dim.max(1), levels, moments);
    let row = |row: &[f32]| match same_magnitude(row, levels.highest) {
        Some(scale) => {
            let integers = row.iter().map(|value| (value / scale).round() as i8).collect();
            RoundedRow { integers, scale }
        }
        None => rounding.round(row),
    };
    let rows: Vec<RoundedRow> = values.par_chunks_exact(dim.max(1)).with_min_len(64).map(row).collect();
    let mut packed = PackedRows { embedding, ..PackedRows::default() };
    for RoundedRow { integers, scale } in rows {
        packed.values.extend(integers.iter().map(|number| number.cast_unsigned()));
        packed.stands_for.extend(integers.iter().map(|number| f32::from(*number) * scale));
        packed.scales.push(scale);
    }
    packed
}

/// Where all magnitudes are one: that divided by a power of two. A row of zeros, or one so small that the scale would
/// not be a normal number, has scale 1: it becomes exactly zero, and the scale stays positive, as the loader demands.
fn same_magnitude(row: &[f32], highest: i8) -> Option<f32> {
    let magnitude = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if !(magnitude / f32::from(highest)).is_normal() {
        return Some(1.0);
    }
    let power = if highest == INT4.highest { 4.0 } else { 64.0 };
    let scale = magnitude / power;
    let is_one = row.iter().all(|value| value.abs() == magnitude || *value == 0.0);
    (scale.is_normal() && is_one).then_some(scale)
}

/// Two values a byte, low nibble first; each row starts at a byte.
fn nibbles(values: &[u8], dim: usize) -> Vec<u8> {
    let byte = |pair: &[u8]| (pair[0] & 15) | (pair.get(1).copied().unwrap_or_default() << 4);
    values.chunks_exact(dim.max(1)).flat_map(|row| row.chunks(2).map(byte).collect::<Vec<u8>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [Embedding; 2] = [Embedding::Int8, Embedding::Int4];

    /// Many small numbers and a few large ones, as trained rows have them.
    fn row() -> Vec<f32> {
        (0..63).map(|i| ((i * 37 % 64) as f32 / 32.0 - 0.9).powi(3)).collect()
    }

    fn packed(values: &[f32], dim: usize, embedding: Embedding) -> PackedRows {
        pack("t", values, dim, embedding, None).unwrap()
    }

    #[test]
    fn zero_rows_are_exact_and_have_a_positive_scale() {
        for embedding in FORMS {
            let packed = packed(&[0.0, 0.0, 0.3, -2.54, 1e-44, 0.0], 2, embedding);
            assert_eq!(packed.stands_for[..2], [0.0, 0.0]);
            assert_eq!(packed.stands_for[4..], [0.0, 0.0]);
            assert_eq!((packed.scales[0], packed.scales[2]), (1.0, 1.0), "{embedding:?}");
        }
    }

    #[test]
    fn rows_of_one_magnitude_are_exact_in_every_integer_form() {
        let values = [0.1, -0.1, 0.1, 7e-3, 7e-3, 0.0, -3.3, -3.3, -3.3];
        for embedding in FORMS {
            let packed = packed(&values, 3, embedding);
            assert_eq!(packed.stands_for, values, "{embedding:?}");
            assert_eq!(packed.error(&values), RowError::default());
        }
    }

    #[test]
    fn without_moments_an_integer_form_is_at_least_as_close_as_the_nearest_of_the_plain_scale() {
        let row = row();
        for (embedding, highest, gain) in [(Embedding::Int8, 127.0, 1.0), (Embedding::Int4, 7.0, 0.97)] {
            let found = packed(&row, 63, embedding).error(&row).rms;
            let scale = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs())) / highest;
            let stands_for = row.iter().map(|value| (value / scale).round() * scale).collect();
            let plain = PackedRows { stands_for, ..PackedRows::default() }.error(&row).rms;
            assert!(found <= plain * gain, "{embedding:?}: {found} {plain}");
        }
    }

    #[test]
    fn nibbles_are_low_first_and_rows_start_at_bytes() {
        let packed = packed(&[1.0, -0.5, 0.25, -1.0, 1.0, 1.0], 3, Embedding::Int4);
        assert_eq!(packed.values.len(), 4);
        let numbers = quantized(&packed, 3);
        let back: Vec<f32> =
            numbers.iter().enumerate().map(|(i, n)| f32::from(*n) * packed.scales[i / 3]).collect();
        assert_eq!(back, packed.stands_for);
        assert_eq!(packed.values[2..], [0x4c, 0x04]);
    }

    #[test]
    fn an_overflow_names_table_and_row() {
        let error = pack("item", &[1.0, 2.0, 3.0, 7e4], 2, Embedding::F16, None).unwrap_err();
        assert!(error.to_string().starts_with("table `item`, row 1: 70000 is beyond f16"), "{error}");
    }
}
