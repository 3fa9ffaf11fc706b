//! Limits and shifts of attention pooling.

use super::HEADROOM;
use super::dense::{Input, WIDEST};
use crate::blob::calibration::SequenceRange;
use crate::weights::{AttentionNormalisation, PoolingWeights};

/// What a sequence's record says of its integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shifts {
    /// The largest magnitude of an attention weight (of the softmax's argument); 0 for sum and mean.
    pub weight_limit: u16,
    /// A weight (an argument) of 1 is worth `2^-weight_fraction`.
    pub weight_fraction: i8,
    /// Of the sum of weighted keys.
    pub pooled_shift: u8,
    /// Of the product with the candidate.
    pub product_shift: u8,
}

/// The largest power of two by which `largest` stays within `reach`.
fn fraction(largest: f64, reach: f64) -> i32 {
    if largest > 0.0 { ((reach / largest).log2().floor() as i32).clamp(-12, 24) } else { 12 }
}

/// The least shift that brings sums, each up to `real` of `2^-fraction`, into 16 bits with room to spare.
fn shift(sums: impl Iterator<Item = (f64, i32)>) -> u8 {
    let widest = sums.map(|(real, fraction)| real * HEADROOM * 2.0_f64.powi(fraction)).fold(0.0, f64::max);
    let mut shift = 0_u8;
    while shift < 24 && widest > 32_767.0 * 2.0_f64.powi(shift.into()) {
        shift += 1;
    }
    shift
}

/// Chooses them: the finest by which every sum over a full history stays below 2^31.
#[must_use]
pub fn shifts(
    pooling: &PoolingWeights,
    capacity: usize,
    keys: &[Input],
    query: &[Input],
    range: &SequenceRange,
) -> Shifts {
    let mut shifts = Shifts::default();
    let widest_key = keys.iter().map(|key| key.limit).max().unwrap_or(1).max(1);
    match pooling {
        PoolingWeights::Sum | PoolingWeights::Mean => {}
        PoolingWeights::Attention { normalisation, .. } => {
            let reach = match normalisation {
                // Room for the rounding constant of `pooled_shift`.
                AttentionNormalisation::None => {
                    let sum = (1_i64 << 31) - (1 << 25);
                    (sum / (widest_key * capacity.max(1) as i64)).clamp(1, 32_767)
                }
                AttentionNormalisation::Softmax => 32_767,
            };
            shifts.weight_limit = reach as u16;
            shifts.weight_fraction = fraction(HEADROOM * range.weight, reach as f64) as i8;
        }
    }
    if !matches!(pooling, PoolingWeights::Mean) {
        let unshifted = shifts.pooled_inputs(pooling, keys);
        shifts.pooled_shift = shift(range.pooled.iter().zip(&unshifted).map(|(real, i)| (*real, i.fraction)));
    }
    let unshifted = shifts.product_inputs(pooling, keys, query);
    shifts.product_shift = shift(range.product.iter().zip(&unshifted).map(|(real, i)| (*real, i.fraction)));
    shifts
}

impl Shifts {
    /// The components of the interest vector, as inputs of the head.
    #[must_use]
    pub fn pooled_inputs(&self, pooling: &PoolingWeights, keys: &[Input]) -> Vec<Input> {
        let weight = match pooling {
            PoolingWeights::Attention { normalisation: AttentionNormalisation::Softmax, .. } => 15,
            PoolingWeights::Attention { .. } => self.weight_fraction.into(),
            PoolingWeights::Sum | PoolingWeights::Mean => 0,
        };
        let fraction = |key: &Input| key.fraction + weight - i32::from(self.pooled_shift);
        keys.iter().map(|key| Input { fraction: fraction(key), limit: WIDEST }).collect()
    }

    /// Its products with the candidate, as inputs of the head.
    #[must_use]
    pub fn product_inputs(&self, pooling: &PoolingWeights, keys: &[Input], query: &[Input]) -> Vec<Input> {
        let pooled = self.pooled_inputs(pooling, keys);
        let fraction =
            |pooled: &Input, q: &Input| pooled.fraction + q.fraction - i32::from(self.product_shift);
        let inputs = pooled.iter().zip(query);
        inputs.map(|(pooled, q)| Input { fraction: fraction(pooled, q), limit: WIDEST }).collect()
    }
}
