//! The activation unit and attention pooling.

use crate::kernels::{Finish, Kernel, Matrix, Rows, Start, as_weights, copy};
use crate::layer::forward;
use crate::manifest::Pooling;
use crate::math::exp;
use crate::model::{Model, Sequence};
use crate::sizes::Blocking;

/// Working memory of one candidate's pooling.
pub(crate) struct Memory<'s> {
    /// `[behaviours of a block, widest]`
    pub hidden: &'s mut [f32],
    /// `[behaviours of a block, widest]`
    pub spare: &'s mut [f32],
    /// `[D, columns of a panel]`
    pub panel: &'s mut [f32],
}

/// What the unit reads.
pub(crate) struct Inputs<'s> {
    /// `[T, D]`
    pub keys: &'s [f32],
    /// `[P]`
    pub query: &'s [f32],
    /// `[H]`: the query's part of the unit's first layer, bias included
    pub query_part: &'s [f32],
}

/// Weighs each behaviour against the query: `weights: [T]`, and sums: `pooled = sum_t weight_t key_t`, `[D]`.
///
/// The first layer, exactly folded: `W [q, k, q-k, q*k] + b = (Wq + Wd) q + b + M k` with the query's own matrix
/// `M = (Wk - Wd) + Wp diag(q)`. The first part comes with the inputs; `M` is made here, some columns at a time, and all
/// behaviours of a block are multiplied with it: a pair costs `D` multiply-accumulates for each output, and neither
/// `q*k` nor a key's part of the layer is ever stored.
///
/// # Source
/// Zhou et al., KDD 2018, section 4.3, equation 3: no softmax unless the model asks for it.
pub(crate) fn attend(
    kernel: Kernel,
    model: &Model<'_>,
    sequence: &Sequence<'_>,
    inputs: &Inputs<'_>,
    memory: &mut Memory<'_>,
    weights: &mut [f32],
    pooled: &mut [f32],
) {
    let first = model.layer(sequence.first_layer);
    let (width, paired, outputs) = (sequence.key_width, sequence.paired_width, first.outputs);
    let block = Blocking::NATIVE.behaviours(weights.len());
    for (keys, weights) in inputs.keys.chunks(width.wrapping_mul(block).max(1)).zip(weights.chunks_mut(block))
    {
        let rows = weights.len();
        let hidden = memory.hidden.get_mut(..rows.wrapping_mul(outputs)).unwrap_or_default();
        let (key_weight, product_weight) =
            (first.weight_rows(paired, width), first.weight_rows(paired.wrapping_add(width), paired));
        let mut start = 0_usize;
        while start < outputs {
            let columns = Blocking::NATIVE.columns(outputs.saturating_sub(start));
            let panel = memory.panel.get_mut(..width.wrapping_mul(columns)).unwrap_or_default();
            kernel.combine(
                inputs.query,
                key_weight.columns(start, columns),
                product_weight.columns(start, columns),
                Rows::whole(panel, width, columns),
            );
            // [rows, D] x [D, columns] -> [rows, columns]
            let panel = Matrix::whole(as_weights(panel), width, columns);
            let strip = hidden.get_mut(start..).unwrap_or_default();
            let part = Start::Row(as_weights(inputs.query_part).range(start, columns));
            kernel.product(
                keys,
                panel,
                part,
                first.finish(),
                Rows { numbers: strip, rows, columns, stride: outputs },
            );
            start = start.saturating_add(columns);
        }
        first.activate(kernel, first.finish(), hidden);
        let rest = model.layer_range(sequence.first_layer.wrapping_add(1), sequence.layers.saturating_sub(1));
        let scores = forward(kernel, rest, memory.hidden, memory.spare, rows);
        copy(scores.iter().copied(), weights);
    }
    if sequence.pooling == Pooling::SoftmaxAttention {
        softmax(1.0 / libm::sqrtf(width as f32), weights);
    }
    pooled.fill(0.0);
    // [1, T] x [T, D] -> [1, D]
    let keys = Matrix::whole(as_weights(inputs.keys), weights.len(), width);
    kernel.product(weights, keys, Start::Output, Finish::Sum, Rows::whole(pooled, 1, width));
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
