//! The activation unit and attention pooling, in integers.

use super::layer::{Layer, Layers};
use crate::blocking::Blocking;
use crate::chunks;
use crate::fixed::exp_of_minus;
use crate::kernels::integer::{IntegerKernel, Own, Part, narrow};
use crate::kernels::{copy, keep_last};
use crate::manifest::Pooling;
use crate::model::Sequence;

/// Working memory of a pass.
pub(crate) struct Memory<'s> {
    /// `[candidates of a pass, behaviours of a block, widest]`; where the layers [are fused](are_fused), for what
    /// `own_dots` wants
    pub hidden: &'s mut [i16],
    /// As `hidden`, of every second layer.
    pub spare: &'s mut [i16],
    /// `[candidates of a pass, columns of a panel, D]`, D made even
    pub panels: &'s mut [i16],
    /// `[outputs of a layer]`, or `[D]`
    pub sums: &'s mut [i32],
    /// `[candidates of a pass, behaviours of a block]`, of passes of several candidates
    pub results: &'s mut [i32],
}

/// What the unit reads.
pub(crate) struct Inputs<'s> {
    /// T
    pub length: usize,
    /// `[N, P]`
    pub queries: &'s [i16],
    /// `[N, H]`: addend and query part of the unit's first layer
    pub query_parts: &'s [i32],
}

/// A sequence's activation unit.
pub(crate) struct Unit<'u, 'm> {
    pub kernel: IntegerKernel,
    pub sequence: &'u Sequence<'m>,
}

impl Unit<'_, '_> {
    /// Weighs each behaviour against each query, and sums: `pooled = sat16(rshift(sum_t weight_t key_t, pooled_shift))`,
    /// `[N, D]`; keys are `[T, D]`, arranged. The last candidate's weights come first in `weights`,
    /// `[candidates of a pass, T]`.
    #[inline(never)]
    pub fn attend(
        &self,
        (first, pair): (&Layer<'_>, &Part<'_>),
        keys: &mut [i16],
        inputs: &Inputs<'_>,
        memory: &mut Memory<'_>,
        weights: &mut [i32],
        pooled: &mut [i16],
    ) {
        let (width, length) = (self.sequence.key_width, inputs.length);
        let candidates = Blocking::NATIVE.candidates_of_a_pass();
        let parts = chunks::up_to(inputs.query_parts, first.outputs().wrapping_mul(candidates));
        let passes = chunks::up_to_mut(pooled, width.wrapping_mul(candidates)).zip(parts);
        let paired = self.sequence.paired_width.wrapping_mul(candidates);
        for (index, (pooled, query_parts)) in passes.enumerate() {
            let start = index.wrapping_mul(paired);
            let end = start.wrapping_add(paired).min(inputs.queries.len());
            let queries = inputs.queries.get(start..end).unwrap_or_default();
            let candidates = chunks::count(query_parts.len(), first.outputs());
            let weights = weights.get_mut(..candidates.wrapping_mul(length)).unwrap_or_default();
            self.weigh((first, pair), keys, &Inputs { queries, query_parts, length }, memory, weights);
            for (candidate, pooled) in chunks::up_to_mut(pooled, width).enumerate() {
                let start = candidate.wrapping_mul(length);
                let weights = weights.get(start..start.wrapping_add(length)).unwrap_or_default();
                let sums = memory.sums.get_mut(..width).unwrap_or_default();
                self.kernel.weighted_sum(weights, keys, sums);
                narrow(sums, self.sequence.fixed.pooled_shift, pooled);
            }
            keep_last(weights, length);
        }
    }

    /// The weights of one pass: `[candidates, T]`.
    #[inline(never)]
    fn weigh(
        &self,
        (first, pair): (&Layer<'_>, &Part<'_>),
        keys: &mut [i16],
        inputs: &Inputs<'_>,
        memory: &mut Memory<'_>,
        weights: &mut [i32],
    ) {
        let Self { kernel, sequence } = *self;
        let (width, length) = (sequence.key_width.max(1), inputs.length);
        let candidates = chunks::count(inputs.query_parts.len(), first.outputs());
        let index = sequence.first_layer.wrapping_add(1);
        let rest = Layers { first: first.next(index), index, count: sequence.layers.saturating_sub(1) };
        let last = (kernel.has_own_dots() && are_fused(sequence, first)).then(|| rest.first.part(0));
        let block = Blocking::NATIVE.behaviours(length);
        let limit = i32::from(sequence.fixed.weight_limit);
        let mut done = 0_usize;
        for keys in chunks::up_to_mut(keys, width.wrapping_mul(block)) {
            let rows = chunks::count(keys.len(), width);
            let len = candidates.wrapping_mul(rows);
            let results = if candidates == 1 {
                weights.get_mut(done..done.wrapping_add(rows)).unwrap_or_default()
            } else {
                memory.results.get_mut(..len).unwrap_or_default()
            };
            let own = Own {
                part: *pair,
                queries: inputs.queries,
                starts: inputs.query_parts,
                finish: first.finish(),
            };
            // [rows, D] x [D, H] -> [rows, H] of each candidate
            if sequence.layers == 1 {
                kernel.own_totals(&own, keys, memory.panels, results);
                results.iter_mut().for_each(|result| *result = first.result(*result));
                clamp(limit, results);
            } else if let Some(last) = &last {
                kernel.own_dots(&own, last, keys, memory.panels, memory.hidden, results);
                rest.first.results(last, limit, results);
            } else {
                let hidden = memory.hidden.get_mut(..len.wrapping_mul(first.outputs())).unwrap_or_default();
                kernel.own_product(&own, keys, memory.panels, hidden);
                first.activate(kernel, hidden);
                rest.forward(kernel, hidden, memory.spare, memory.panels, memory.sums, results);
                clamp(limit, results);
            }
            if candidates > 1 {
                let to = chunks::up_to_mut(weights, length).filter_map(|weights| weights.get_mut(done..));
                for (weights, results) in to.zip(chunks::up_to(memory.results, rows)) {
                    copy(results.iter().copied(), weights);
                }
            }
            done = done.wrapping_add(rows);
        }
        if sequence.pooling == Pooling::SoftmaxAttention {
            for weights in chunks::up_to_mut(weights, length) {
                softmax(sequence.fixed.weight_fraction, weights);
            }
        }
    }
}

/// To `-limit ..= limit`.
fn clamp(limit: i32, results: &mut [i32]) {
    results.iter_mut().for_each(|result| *result = (*result).min(limit).max(limit.wrapping_neg()));
}

/// Whether a kernel that [can](IntegerKernel::has_own_dots) computes both layers of a unit at once.
pub(crate) fn are_fused(sequence: &Sequence<'_>, first: &Layer<'_>) -> bool {
    sequence.layers == 2 && first.finish().sigmoid
}

/// `softmax(weights 2^-fraction)` in Q15, in place; weights are 16-bit, and at most 32768 of them.
fn softmax(fraction: i8, weights: &mut [i32]) {
    let largest = weights.iter().copied().max().unwrap_or_default();
    // At most 2^15 powers of at most 2^15.
    let mut sum = 0_u32;
    for weight in weights.iter_mut() {
        let below = u16::try_from(largest.wrapping_sub(*weight)).unwrap_or(u16::MAX);
        let power = exp_of_minus(below, fraction);
        sum = sum.wrapping_add(power);
        *weight = power.cast_signed();
    }
    let half = sum / 2;
    for weight in weights {
        let power = weight.cast_unsigned() << 15;
        *weight = (power.wrapping_add(half).checked_div(sum)).unwrap_or_default().cast_signed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_sums_to_one_and_survives_extremes() {
        let mut weights = [32_767, 32_767, -32_767];
        softmax(8, &mut weights);
        assert_eq!(weights, [16_384, 16_384, 0]);
        let mut one = [-5];
        softmax(0, &mut one);
        assert_eq!(one, [32_768]);
        softmax(3, &mut []);
        let mut many = [7; 32_768];
        softmax(3, &mut many);
        assert!(many.iter().all(|weight| *weight == 1));
    }
}
