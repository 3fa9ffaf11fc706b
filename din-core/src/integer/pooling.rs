//! The activation unit and attention pooling, in integers.

use super::kernels::{IntegerKernel, Product, Weights, narrow, total};
use super::layer::{forward, layers};
use crate::bytes::range;
use crate::fixed::exp_of_minus;
use crate::manifest::{Pooling, SequenceRecord};
use crate::model::{Model, Sequence};
use crate::sizes::Blocking;

/// Working memory of one candidate's pooling.
pub(crate) struct Memory<'s> {
    /// `[behaviours of a block, widest]`
    pub hidden: &'s mut [i16],
    /// `[behaviours of a block, widest]`
    pub spare: &'s mut [i16],
    /// `[ceil(D / 2), columns of a panel, 2]`
    pub panel: &'s mut [i16],
    /// `[outputs of a layer]`, or `[D]`
    pub sums: &'s mut [i32],
}

/// What the unit reads.
pub(crate) struct Inputs<'s> {
    /// `[T, D]`
    pub keys: &'s [i16],
    /// `[P]`
    pub query: &'s [i16],
    /// `[H]`: addend and query part of the unit's first layer
    pub query_part: &'s [i32],
}

/// A sequence's activation unit.
pub(crate) struct Unit<'u, 'm> {
    pub kernel: IntegerKernel,
    pub model: &'m Model<'m>,
    pub sequence: &'u Sequence<'m>,
    pub record: &'u SequenceRecord,
}

impl Unit<'_, '_> {
    /// Weighs each behaviour against the query: `weights: [T]`, and sums:
    /// `pooled = sat16(rshift(sum_t weight_t key_t, pooled_shift))`, `[D]`.
    pub fn attend(
        &self,
        inputs: &Inputs<'_>,
        memory: &mut Memory<'_>,
        weights: &mut [i32],
        pooled: &mut [i16],
    ) {
        let Self { kernel, model, sequence, record } = *self;
        let width = sequence.key_width;
        let Some(first) = layers(model, sequence.first_layer, 1).next() else { return };
        let part = first.part(1);
        let is_last = sequence.layers == 1;
        let block = Blocking::NATIVE.behaviours(weights.len());
        let blocks = inputs.keys.chunks(width.wrapping_mul(block).max(1)).zip(weights.chunks_mut(block));
        for (keys, weights) in blocks {
            let rows = weights.len();
            let hidden = memory.hidden.get_mut(..rows.wrapping_mul(first.outputs)).unwrap_or_default();
            let mut start = 0_usize;
            while start < first.outputs {
                let columns = Blocking::NATIVE.columns(first.outputs.saturating_sub(start));
                let len = width.next_multiple_of(2).wrapping_mul(columns);
                let panel = memory.panel.get_mut(..len).unwrap_or_default();
                kernel.combine(&part, inputs.query, start, columns, panel);
                let product = Product {
                    weights: Weights::Panel(panel),
                    inputs: width,
                    columns,
                    shift: part.shift,
                    multipliers: range(part.multipliers, start.wrapping_mul(2), columns.wrapping_mul(2)),
                    start: inputs.query_part.get(start..start.wrapping_add(columns)).unwrap_or_default(),
                    finish: first.finish(),
                };
                if is_last {
                    for (key, weight) in keys.chunks(width.max(1)).zip(weights.iter_mut()) {
                        *weight = first.result(total(&product, key));
                    }
                } else {
                    // [rows, D] x [D, columns] -> [rows, columns]
                    kernel.product(
                        &product,
                        keys,
                        hidden.get_mut(start..).unwrap_or_default(),
                        first.outputs,
                    );
                }
                start = start.wrapping_add(columns);
            }
            if !is_last {
                first.activate(kernel, hidden);
                let rest =
                    layers(model, sequence.first_layer.wrapping_add(1), sequence.layers.wrapping_sub(1));
                forward(kernel, rest, hidden, memory.spare, memory.sums, weights);
            }
        }
        let limit = i32::from(record.weight_limit);
        weights.iter_mut().for_each(|weight| *weight = (*weight).clamp(limit.wrapping_neg(), limit));
        if sequence.pooling == Pooling::SoftmaxAttention {
            softmax(record.weight_fraction, weights);
        }
        let sums = memory.sums.get_mut(..width).unwrap_or_default();
        kernel.weighted_sum(weights, inputs.keys, sums);
        narrow(sums, record.pooled_shift, pooled);
    }
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
