//! The activation unit and attention pooling.

use crate::kernels::{ROWS, accumulate_product, add_scaled, copy, multiply};
use crate::layer::forward;
use crate::manifest::Pooling;
use crate::math::exp;
use crate::model::{Model, Sequence};

/// Working memory of one call.
pub(crate) struct Memory<'s> {
    /// `[H]`: the query's part of the unit's first layer
    pub query_part: &'s mut [f32],
    /// `[P]`
    pub query: &'s mut [f32],
    /// `[D]`
    pub pooled: &'s mut [f32],
    /// `[ROWS, widest]`
    pub hidden: &'s mut [f32],
    /// `[ROWS, widest]`
    pub spare: &'s mut [f32],
    /// `[ROWS, P]`
    pub product: &'s mut [f32],
}

/// A history, prepared.
pub(crate) struct History<'s> {
    /// `[T, D]`
    pub keys: &'s [f32],
    /// `[T, H]`: their part of the unit's first layer
    pub key_parts: &'s [f32],
    pub length: usize,
}

/// Weighs each behaviour against the query and sums: `pooled = sum_t weight_t key_t`.
///
/// The first layer, exactly folded: `W [q, k, q-k, q*k] + b = (Wq + Wd) q + b + (Wk - Wd) k + Wp (q*k)`; the first part
/// is computed here once, the second once a user, the third for each pair.
///
/// # Source
/// Zhou et al., KDD 2018, section 4.3, equation 3: no softmax unless the model asks for it.
pub(crate) fn attend(
    model: &Model<'_>,
    sequence: &Sequence<'_>,
    history: &History<'_>,
    memory: &mut Memory<'_>,
    weights: &mut [f32],
) {
    let first = model.layer(sequence.first_layer);
    let (width, paired, outputs) = (sequence.key_width, sequence.paired_width, first.outputs);
    let query = memory.query.get(..paired).unwrap_or_default();
    let query_part = memory.query_part.get_mut(..outputs).unwrap_or_default();
    first.fill_with_bias(query_part);
    first.accumulate(query, 0, paired, query_part);

    let product_weight = first.weight_rows(paired.wrapping_add(width), paired);
    let weights = weights.get_mut(..history.length).unwrap_or_default();
    let keys = history.keys.chunks(width.wrapping_mul(ROWS).max(1));
    let parts = history.key_parts.chunks(outputs.wrapping_mul(ROWS).max(1));
    for ((keys, parts), weights) in keys.zip(parts).zip(weights.chunks_mut(ROWS)) {
        let rows = weights.len();
        let hidden = memory.hidden.get_mut(..rows.wrapping_mul(outputs)).unwrap_or_default();
        copy(parts.iter().copied(), hidden);
        for hidden in hidden.chunks_exact_mut(outputs.max(1)) {
            add_scaled(1.0, query_part, hidden);
        }
        let product = memory.product.get_mut(..rows.wrapping_mul(paired)).unwrap_or_default();
        for (product, key) in product.chunks_exact_mut(paired.max(1)).zip(keys.chunks_exact(width.max(1))) {
            multiply(query, key, product);
        }
        // [ROWS, P] x [P, H] -> [ROWS, H]
        accumulate_product(product, paired, product_weight, outputs, hidden);
        first.activate(hidden);
        let rest = model.layer_range(sequence.first_layer.wrapping_add(1), sequence.layers.saturating_sub(1));
        let scores = forward(rest, memory.hidden, memory.spare, rows);
        copy(scores.iter().copied(), weights);
    }
    if sequence.pooling == Pooling::SoftmaxAttention {
        softmax(1.0 / libm::sqrtf(width as f32), weights);
    }
    let pooled = memory.pooled.get_mut(..width).unwrap_or_default();
    pooled.fill(0.0);
    for (weight, key) in weights.iter().zip(history.keys.chunks_exact(width.max(1))) {
        add_scaled(*weight, key, pooled);
    }
}

/// `softmax(scale weights)`, in place.
fn softmax(scale: f32, weights: &mut [f32]) {
    let largest = weights.iter().fold(f32::NEG_INFINITY, |largest, weight| largest.max(*weight));
    let mut sum = 0.0;
    for weight in weights.iter_mut() {
        *weight = exp(scale * (*weight - largest));
        sum += *weight;
    }
    weights.iter_mut().for_each(|weight| *weight /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_sums_to_one_and_survives_large_scores() {
        let mut weights = [1e30, 1e30, -1e30];
        softmax(0.1, &mut weights);
        assert_eq!(weights[..2], [0.5, 0.5]);
        assert!(weights[2] < 1e-30);
        softmax(1.0, &mut []);
    }
}
