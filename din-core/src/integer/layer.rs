//! A layer of the integer path, read in place.

use crate::bytes::{u16_at, u32_at};
use crate::chunks;
use crate::fixed::{rshift, sat16};
use crate::kernels::integer::{Finish, IntegerKernel, Parameters, Part, Product, Weights, finished, shifted};
use crate::manifest::{Activation, IntegerLayerRecord};
use crate::model::Model;

/// See [`IntegerLayerRecord`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer<'m> {
    model: &'m Model<'m>,
    record: IntegerLayerRecord,
    /// Of [`Manifest::parts`](crate::manifest::Manifest::parts).
    first_part: usize,
}

/// Bytes of the activation's parameters for each output.
pub(crate) const fn parameters_len(activation: Activation) -> usize {
    match activation {
        Activation::PRelu => 2,
        Activation::Dice => 9,
        Activation::Linear | Activation::Sigmoid | Activation::Relu => 0,
    }
}

impl<'m> Layer<'m> {
    /// The layer with this index; an empty one if there is none.
    #[inline(never)]
    pub fn new(model: &'m Model<'m>, index: usize) -> Self {
        let record = |index| model.manifest().integer_layers.get(index).unwrap_or_default();
        let first_part = (0..index).fold(0, |sum: usize, index| sum.wrapping_add(record(index).parts.into()));
        Self { model, record: record(index), first_part }
    }

    /// The layer after this one, which has the index given.
    #[inline(never)]
    pub fn next(&self, index: usize) -> Self {
        let record = self.model.manifest().integer_layers.get(index).unwrap_or_default();
        Self { model: self.model, record, first_part: self.first_part.wrapping_add(self.parts()) }
    }

    /// H
    pub const fn outputs(&self) -> usize {
        self.record.outputs as usize
    }

    /// How many parts there are.
    pub const fn parts(&self) -> usize {
        self.record.parts as usize
    }

    /// The part with this index; an empty one if there is none.
    #[inline(never)]
    pub fn part(&self, index: usize) -> Part<'m> {
        let record = self.model.manifest().parts.get(self.first_part.wrapping_add(index)).unwrap_or_default();
        Part {
            inputs: record.inputs as usize,
            outputs: self.outputs(),
            weight: self.model.section(record.weight),
            base: self.model.section(record.base),
            multipliers: self.model.section(record.multipliers),
            shift: record.shift,
        }
    }

    /// b, a, alpha, e of Dice; alpha alone of `PReLU`.
    pub fn parameters(&self) -> Parameters<'m> {
        let (section, outputs) = (self.model.section(self.record.parameters), self.outputs());
        let mut rest = section;
        let mut run = |len: usize| {
            let (run, after) = rest.split_at_checked(outputs.wrapping_mul(len)).unwrap_or_default();
            rest = after;
            run
        };
        if self.record.activation == Activation::PRelu {
            return Parameters { alpha: section, ..Parameters::default() };
        }
        Parameters { b: run(4), a: run(2), alpha: run(2), e: run(1) }
    }

    /// Of an output.
    pub fn addend(&self, output: usize) -> i32 {
        u32_at(self.model.section(self.record.addend), output.wrapping_mul(4)).cast_signed()
    }

    /// `t = addend`, `[H]`.
    pub fn start(&self, kernel: IntegerKernel, t: &mut [i32]) {
        kernel.start(self.model.section(self.record.addend), t);
    }

    /// A last layer's result.
    pub const fn result(&self, t: i32) -> i32 {
        t.wrapping_shr(self.record.shift as u32)
    }

    /// Of a last layer with one part and one output, the results from the sums, clamped to `-limit ..= limit`.
    #[inline(never)]
    pub fn results(&self, part: &Part<'_>, limit: i32, results: &mut [i32]) {
        let (addend, m) = (self.addend(0), u16_at(part.multipliers, 0).cast_signed());
        for result in results {
            let scaled = rshift(*result, part.shift).wrapping_mul(m.into());
            *result = self.result(addend.wrapping_add(scaled)).min(limit).max(limit.wrapping_neg());
        }
    }

    /// What becomes of a sum; [`activate`](Self::activate) does the rest.
    pub fn finish(&self) -> Finish {
        Finish { shift: self.record.shift, sigmoid: self.record.activation == Activation::Sigmoid }
    }

    /// `out = activation(sat16(t >> s2))`: `[N, H]`.
    pub fn settle(&self, kernel: IntegerKernel, t: &[i32], out: &mut [i16]) {
        let finish = self.finish();
        if finish.sigmoid {
            return out.iter_mut().zip(t).for_each(|(out, t)| *out = finished(finish, *t));
        }
        if self.record.activation == Activation::Dice {
            return kernel.dice_of(&self.parameters(), self.outputs(), finish.shift, t, out);
        }
        // Alone, where the compiler does not take the sigmoid out of the loop.
        shifted(t, finish.shift, out);
        self.activate(kernel, out);
    }

    /// The activation of finished rows `[N, H]`, in place.
    pub fn activate(&self, kernel: IntegerKernel, rows: &mut [i16]) {
        match self.record.activation {
            Activation::Linear | Activation::Sigmoid => {}
            Activation::Relu => rows.iter_mut().for_each(|z| *z = (*z).max(0)),
            Activation::PRelu => {
                for row in chunks::exact_mut(rows, self.outputs()) {
                    let alphas = self.parameters().alpha.as_chunks::<2>().0;
                    for (z, alpha) in row.iter_mut().zip(alphas).filter(|(z, _)| **z < 0) {
                        let alpha = i32::from(i16::from_le_bytes(*alpha));
                        *z = sat16(rshift(i32::from(*z).wrapping_mul(alpha), 13));
                    }
                }
            }
            Activation::Dice => kernel.dice(&self.parameters(), self.outputs(), rows),
        }
    }
}

/// Some layers of a model, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Layers<'m> {
    pub first: Layer<'m>,
    /// Of the first.
    pub index: usize,
    pub count: usize,
}

impl Layers<'_> {
    /// Runs them on rows `[N, H1]` in `x`, already activated; the last layer's results: `[N]`.
    #[inline(never)]
    pub fn forward<'b>(
        self,
        kernel: IntegerKernel,
        mut x: &'b mut [i16],
        mut spare: &'b mut [i16],
        panel: &mut [i16],
        start: &mut [i32],
        results: &mut [i32],
    ) {
        let rows = results.len();
        let Self { first: mut layer, mut index, count } = self;
        for left in (0..count).rev() {
            let part = layer.part(0);
            let inputs = x.get_mut(..rows.wrapping_mul(part.inputs)).unwrap_or_default();
            if left == 0 {
                kernel.dots(&part, inputs, panel, results);
                return layer.results(&part, i32::MAX, results); // no sum is beyond: the loader checked
            }
            let columns = layer.outputs();
            let start = start.get_mut(..columns).unwrap_or_default();
            layer.start(kernel, start);
            let outputs = spare.get_mut(..rows.wrapping_mul(columns)).unwrap_or_default();
            if rows == 1 {
                kernel.add(&part, inputs, start);
                layer.settle(kernel, start, outputs);
            } else {
                let product = Product {
                    weights: Weights::Quads(part.weight),
                    inputs: part.inputs,
                    columns,
                    shift: part.shift,
                    multipliers: part.multipliers,
                    start,
                    finish: layer.finish(),
                };
                kernel.product(&product, inputs, panel, outputs, columns);
                layer.activate(kernel, outputs);
            }
            core::mem::swap(&mut x, &mut spare);
            index = index.wrapping_add(1);
            layer = layer.next(index);
        }
    }
}
