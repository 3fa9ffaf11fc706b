//! The activation unit and attention pooling.

use crate::blocking::Blocking;
use crate::chunks;
use crate::kernels::{Finish, Kernel, Matrix, OwnMatrix, Rows, Start, as_weights, copy, keep_last};
use crate::layer::{Layer, forward};
use crate::manifest::Pooling;
use crate::math::exp;
use crate::model::{Model, Sequence};

/// Working memory of a pass.
pub(crate) struct Memory<'s> {
    /// `[candidates of a pass, behaviours of a block, widest]`
    pub hidden: &'s mut [f32],
    /// As `hidden`, of every second layer.
    pub spare: &'s mut [f32],
    /// `[D, columns of a panel]`
    pub panel: &'s mut [f32],
}

/// What the unit reads.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'s> {
    /// `[T, D]`
    pub keys: &'s [f32],
    /// T
    pub length: usize,
    /// `[N, P]`
    pub queries: &'s [f32],
    /// `[N, H]`: the query's part of the unit's first layer, bias included
    pub query_parts: &'s [f32],
}

/// A sequence's activation unit.
///
/// The first layer, exactly folded: `W [q, k, q-k, q*k] + b = (Wq + Wd) q + b + M k` with the query's own matrix
/// `M = (Wk - Wd) + Wp diag(q)`. The first part comes with the inputs; `M` is made here, some columns at a time, and all
/// behaviours of a block are multiplied with it: a pair costs `D` multiply-accumulates for each output, and neither
/// `q*k` nor a key's part of the layer is ever stored.
///
/// # Source
/// Zhou et al., KDD 2018, section 4.3, equation 3: no softmax unless the model asks for it.
pub(crate) struct Unit<'u, 'm> {
    pub kernel: Kernel,
    pub model: &'m Model<'m>,
    pub sequence: &'u Sequence<'m>,
}

impl Unit<'_, '_> {
    /// Weighs each behaviour against each query, and sums: `pooled = sum_t weight_t key_t`, `[N, D]`. The last
    /// candidate's weights come first in `weights`, `[candidates of a pass, T]`.
    #[inline(never)]
    pub fn attend(
        &self,
        first: &Layer<'_>,
        inputs: &Inputs<'_>,
        memory: &mut Memory<'_>,
        weights: &mut [f32],
        pooled: &mut [f32],
    ) {
        let (width, length) = (self.sequence.key_width, inputs.length);
        let keys = Matrix::whole(as_weights(inputs.keys), length, width);
        let candidates = Blocking::NATIVE.candidates_of_a_pass();
        let parts = chunks::up_to(inputs.query_parts, first.outputs.wrapping_mul(candidates));
        let paired = self.sequence.paired_width.wrapping_mul(candidates);
        for (index, (pooled, query_parts)) in
            chunks::up_to_mut(pooled, width.wrapping_mul(candidates)).zip(parts).enumerate()
        {
            let start = index.wrapping_mul(paired);
            let end = start.wrapping_add(paired).min(inputs.queries.len());
            let queries = inputs.queries.get(start..end).unwrap_or_default();
            let candidates = chunks::count(query_parts.len(), first.outputs);
            let weights = weights.get_mut(..candidates.wrapping_mul(length)).unwrap_or_default();
            self.weigh(first, &Inputs { queries, query_parts, ..*inputs }, memory, weights);
            pooled.fill(0.0);
            // [candidates, T] x [T, D] -> [candidates, D]
            let pooled = Rows::whole(pooled, candidates, width);
            self.kernel.product(weights, keys, Start::Output, Finish::Sum, pooled);
            keep_last(weights, length);
        }
    }

    /// The weights of one pass: `[candidates, T]`.
    #[inline(never)]
    fn weigh(&self, first: &Layer<'_>, inputs: &Inputs<'_>, memory: &mut Memory<'_>, weights: &mut [f32]) {
        let Self { kernel, model, sequence } = *self;
        let (width, length) = (sequence.key_width.max(1), inputs.length);
        let candidates = chunks::count(inputs.query_parts.len(), first.outputs);
        let block = Blocking::NATIVE.behaviours(length);
        let mut done = 0_usize;
        for keys in chunks::up_to(inputs.keys, width.wrapping_mul(block)) {
            let rows = chunks::count(keys.len(), width);
            let len = candidates.wrapping_mul(rows);
            let hidden = memory.hidden.get_mut(..len.wrapping_mul(first.outputs)).unwrap_or_default();
            self.first_layer(first, keys, inputs, memory.panel, hidden);
            first.activate(kernel, first.finish(kernel), hidden);
            let second = sequence.first_layer.saturating_add(1);
            let rest = model.layer_range(second, sequence.layers.saturating_sub(1));
            let results = forward(kernel, rest, memory.hidden, memory.spare, len);
            let to = chunks::up_to_mut(weights, length).filter_map(|weights| weights.get_mut(done..));
            for (weights, results) in to.zip(chunks::up_to(results, rows)) {
                copy(results.iter().copied(), weights);
            }
            done = done.wrapping_add(rows);
        }
        if sequence.pooling == Pooling::SoftmaxAttention {
            for weights in chunks::up_to_mut(weights, length) {
                softmax(1.0 / libm::sqrtf(width as f32), weights);
            }
        }
    }

    /// The sums of the first layer, with the activation as far as a product does it: `hidden: [candidates, rows, H]`.
    fn first_layer(
        &self,
        first: &Layer<'_>,
        keys: &[f32],
        inputs: &Inputs<'_>,
        panel: &mut [f32],
        hidden: &mut [f32],
    ) {
        let Self { kernel, sequence, .. } = *self;
        let (width, paired, outputs) = (sequence.key_width, sequence.paired_width, first.outputs.max(1));
        let rows = chunks::count(keys.len(), width);
        let (key_weight, product_weight) =
            (first.weight_rows(paired, width), first.weight_rows(paired.wrapping_add(width), paired));
        let mut start = 0_usize;
        while start < first.outputs {
            let columns = Blocking::NATIVE.columns(outputs.saturating_sub(start));
            let queries = chunks::up_to(inputs.queries, paired).chain(core::iter::repeat(&[][..]));
            let each = chunks::up_to(inputs.query_parts, outputs).zip(queries);
            let hidden = chunks::up_to_mut(hidden, rows.wrapping_mul(outputs));
            for ((query_part, query), hidden) in each.zip(hidden) {
                let own = OwnMatrix {
                    query,
                    key: key_weight.columns(start, columns),
                    product: product_weight.columns(start, columns),
                };
                // [rows, D] x [D, columns] -> [rows, columns]
                let numbers = hidden.get_mut(start..).unwrap_or_default();
                let part = Start::Row(as_weights(query_part).range(start, columns));
                let strip = Rows { numbers, rows, columns, stride: outputs };
                kernel.own_product(keys, own, panel, part, first.finish(kernel), strip);
            }
            start = start.saturating_add(columns);
        }
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
