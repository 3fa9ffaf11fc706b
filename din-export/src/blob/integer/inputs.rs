//! What an integer input is worth: embedding rows and numeric fields.

use crate::blob::embedding::Embedding;
use crate::blob::rows::PackedRows;
use crate::schema::{Field, Schema};
use din_core::Normaliser;
use din_core::manifest::FixedRecord;

use super::IntegerError;

/// An embedding table: `x = clamp(rshift(q m_row, shift), -limit, limit)`, or a float rounded to `2^-fraction`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegerTable {
    /// An input of 1 is worth `2^-fraction`.
    pub fraction: i8,
    /// Of the products; 0 for rows of floats.
    pub shift: u8,
    /// The largest magnitude of an input.
    pub limit: u16,
    /// `[rows]`; empty for rows of floats.
    pub multipliers: Vec<u16>,
}

/// A numeric field: `x = clamp(((t - mean) multiplier) >> shift, -limit, limit)` of a raw number `t` in Q16.16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedField {
    /// Q16.16.
    pub mean: i32,
    /// Of the difference.
    pub multiplier: i32,
    /// Of the product.
    pub shift: u8,
    /// The largest magnitude of an input.
    pub limit: u16,
    /// An input of 1 is worth `2^-fraction`.
    pub fraction: i8,
}

impl FixedField {
    /// As the blob holds it.
    #[must_use]
    pub const fn record(self) -> FixedRecord {
        let Self { mean, multiplier, shift, limit, fraction } = self;
        FixedRecord { mean, multiplier, shift, limit, fraction }
    }
}

/// The largest magnitude that integer inputs of a kind may have: 12 bits, or less where a sequence that has them is so
/// long that the sum over its behaviours, weights of as many bits each, would leave 32 bits.
#[must_use]
pub fn reach(schema: &Schema, is_of_kind: impl Fn(&Field) -> bool) -> f64 {
    let sequences = schema.sequences.iter();
    let longest = sequences.filter(|sequence| sequence.fields.iter().any(|field| is_of_kind(&field.field)));
    let longest = longest.map(|sequence| sequence.capacity).max().unwrap_or(1);
    (2.0_f64.powi(31) / longest as f64).sqrt().floor().min(4095.0)
}

/// The largest power of two by which `largest` stays within `reach`.
fn fraction(largest: f64, reach: f64) -> i32 {
    if largest > 0.0 { ((reach / largest).log2().floor() as i32).clamp(-30, 40) } else { 12 }
}

/// Chooses fraction, shift and multipliers of a table.
#[must_use]
pub fn table(packed: &PackedRows, dim: usize, reach: f64) -> IntegerTable {
    let largest =
        packed.stands_for.iter().fold(0.0_f64, |largest, value| largest.max(f64::from(value.abs())));
    let fraction = fraction(largest, reach);
    let unit = 2.0_f64.powi(fraction);
    let mut table = IntegerTable { fraction: fraction as i8, shift: 0, limit: 1, multipliers: Vec::new() };
    if matches!(packed.embedding, Embedding::F32 | Embedding::F16) {
        table.limit = limit((largest * unit).round(), reach);
        return table;
    }
    // Scales of rows that are all zero mean nothing, and could be the largest.
    let rows = packed.stands_for.chunks_exact(dim.max(1)).zip(&packed.scales);
    let scales: Vec<f64> = rows
        .map(
            |(row, scale)| if row.iter().all(|value| *value == 0.0) { 0.0 } else { f64::from(*scale) * unit },
        )
        .collect();
    let widest = scales.iter().copied().fold(0.0, f64::max);
    while table.shift < 20 && widest * 2.0_f64.powi(i32::from(table.shift) + 1) < 65_535.0 {
        table.shift += 1;
    }
    let steps = 2.0_f64.powi(i32::from(table.shift));
    table.multipliers =
        scales.iter().map(|scale| (scale * steps).round().clamp(1.0, 65_535.0) as u16).collect();
    // The multiplier's own rounding may carry the largest number over.
    table.limit = limit((largest * unit).round() + 1.0, reach);
    table
}

fn limit(largest: f64, reach: f64) -> u16 {
    largest.clamp(1.0, reach.max(1.0)) as u16
}

/// Chooses the fixed-point form of a normaliser; `seen` are the largest raw number and the largest input that
/// calibration met. Inputs beyond twice the largest one are clamped.
///
/// # Errors
/// [`IntegerError::Raw`]
pub fn fixed(
    name: &str,
    normaliser: &Normaliser,
    seen: (f64, f64),
    reach: f64,
) -> Result<FixedField, IntegerError> {
    let (mean, scale) = (f64::from(normaliser.mean), f64::from(normaliser.scale));
    let found = mean.abs().max(seen.0);
    if found >= 32_768.0 {
        return Err(IntegerError::Raw { field: name.to_owned(), found });
    }
    let largest = f64::from(normaliser.limit).min(if seen.1 > 0.0 { 2.0 * seen.1 } else { 4.0 });
    let fraction = fraction(largest, reach).clamp(-8, 30);
    // t is Q16.16: x = (t - mean) 2^-16 scale 2^fraction
    let ratio = scale * 2.0_f64.powi(fraction - 16);
    let mut shift = 0_u8;
    while shift < 62 && (ratio * 2.0_f64.powi(i32::from(shift) + 1)).abs() < 2.0_f64.powi(30) {
        shift += 1;
    }
    let multiplier = (ratio * 2.0_f64.powi(i32::from(shift))).round();
    Ok(FixedField {
        mean: (mean * 65536.0).round() as i32,
        multiplier: multiplier as i32,
        shift,
        limit: limit((largest * 2.0_f64.powi(fraction)).round(), reach),
        fraction: fraction as i8,
    })
}
