//! A layer of the integer path, read in place.

use crate::bytes::{range, u16_at};
use crate::chunks;
use crate::fixed::{rshift, sat16};
use crate::kernels::integer::{Finish, IntegerKernel, Parameters, Part, Product, Weights, finished};
use crate::manifest::{Activation, IntegerLayerRecord, PartRecord};
use crate::model::Model;

/// A part as its record says.
pub(crate) fn part<'a>(model: &Model<'a>, record: &PartRecord, outputs: u32) -> Part<'a> {
    Part {
        inputs: record.inputs as usize,
        outputs: outputs as usize,
        weight: model.section(record.weight),
        base: model.section(record.base),
        multipliers: model.section(record.multipliers),
        shift: record.shift,
    }
}

/// See [`IntegerLayerRecord`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer<'a> {
    model: &'a Model<'a>,
    /// Of [`Manifest::parts`](crate::manifest::Manifest::parts).
    first_part: usize,
    part_count: usize,
    pub outputs: usize,
    activation: Activation,
    addend: &'a [u8],
    parameters: Parameters<'a>,
    shift: u8,
}

/// The activation's parameters of a section: b, a, alpha, e, each of them where the activation has it.
pub(crate) fn parameters(activation: Activation, section: &[u8], outputs: usize) -> Parameters<'_> {
    let two = outputs.wrapping_mul(2);
    let four = outputs.wrapping_mul(4);
    match activation {
        Activation::PRelu => Parameters { alpha: range(section, 0, two), ..Parameters::default() },
        Activation::Dice => Parameters {
            b: range(section, 0, four),
            a: range(section, four, two),
            alpha: range(section, four.wrapping_add(two), two),
            e: range(section, four.wrapping_mul(2), outputs),
        },
        Activation::Linear | Activation::Sigmoid | Activation::Relu => Parameters::default(),
    }
}

/// Bytes of such a section for each output.
pub(crate) const fn parameters_len(activation: Activation) -> u64 {
    match activation {
        Activation::PRelu => 2,
        Activation::Dice => 9,
        Activation::Linear | Activation::Sigmoid | Activation::Relu => 0,
    }
}

/// Some layers from index `first` on.
pub(crate) fn layers<'a>(
    model: &'a Model<'a>,
    first: usize,
    count: usize,
) -> impl Iterator<Item = Layer<'a>> + use<'a> {
    let records = model.manifest().integer_layers;
    let parts = |record: IntegerLayerRecord| usize::from(record.parts);
    let mut part = records.iter().take(first).fold(0_usize, |sum, record| sum.wrapping_add(parts(record)));
    (first..first.saturating_add(count)).map_while(move |index| {
        let record = records.get(index)?;
        let own = part;
        part = part.wrapping_add(parts(record));
        Some(Layer::view(model, &record, own))
    })
}

impl<'a> Layer<'a> {
    fn view(model: &'a Model<'a>, record: &IntegerLayerRecord, first_part: usize) -> Self {
        let outputs = record.outputs as usize;
        Self {
            model,
            first_part,
            part_count: record.parts.into(),
            outputs,
            activation: record.activation,
            addend: model.section(record.addend),
            parameters: parameters(record.activation, model.section(record.parameters), outputs),
            shift: record.shift,
        }
    }

    /// The part with this index; an empty one if there is none.
    pub fn part(&self, index: usize) -> Part<'a> {
        let record = self.model.manifest().parts.get(self.first_part.wrapping_add(index)).unwrap_or_default();
        part(self.model, &record, u32::try_from(self.outputs).unwrap_or_default())
    }

    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        (0..self.part_count).map(|index| self.part(index))
    }

    /// `t = addend`, `[H]`.
    pub fn start(&self, t: &mut [i32]) {
        for (t, addend) in t.iter_mut().zip(self.addend.as_chunks::<4>().0) {
            *t = i32::from_le_bytes(*addend);
        }
    }

    /// A last layer's result.
    pub const fn result(&self, t: i32) -> i32 {
        t >> self.shift
    }

    /// What becomes of a sum; [`activate`](Self::activate) does the rest.
    pub fn finish(&self) -> Finish {
        Finish { shift: self.shift, sigmoid: self.activation == Activation::Sigmoid }
    }

    /// `out = activation(sat16(t >> s2))`: `[H]`.
    pub fn settle(&self, kernel: IntegerKernel, t: &[i32], out: &mut [i16]) {
        for (out, t) in out.iter_mut().zip(t) {
            *out = finished(self.finish(), *t);
        }
        self.activate(kernel, out);
    }

    /// The activation of finished rows `[N, H]`, in place.
    pub fn activate(&self, kernel: IntegerKernel, rows: &mut [i16]) {
        match self.activation {
            Activation::Linear | Activation::Sigmoid => {}
            Activation::Relu => rows.iter_mut().for_each(|z| *z = (*z).max(0)),
            Activation::PRelu => {
                for row in chunks::up_to_mut(rows, self.outputs) {
                    let alphas = self.parameters.alpha.as_chunks::<2>().0;
                    for (z, alpha) in row.iter_mut().zip(alphas).filter(|(z, _)| **z < 0) {
                        let alpha = i32::from(i16::from_le_bytes(*alpha));
                        *z = sat16(rshift(i32::from(*z).wrapping_mul(alpha), 13));
                    }
                }
            }
            Activation::Dice => kernel.dice(&self.parameters, self.outputs, rows),
        }
    }
}

/// Runs the layers after the first on rows `[N, H1]` in `x`, already activated; the last layer's results: `[N]`.
pub(crate) fn forward<'b, 'm>(
    kernel: IntegerKernel,
    layers: impl Iterator<Item = Layer<'m>>,
    mut x: &'b mut [i16],
    mut spare: &'b mut [i16],
    start: &mut [i32],
    results: &mut [i32],
) {
    let rows = results.len();
    let mut layers = layers.peekable();
    while let Some(layer) = layers.next() {
        let part = layer.part(0);
        let inputs = x.get(..rows.wrapping_mul(part.inputs)).unwrap_or_default();
        let start = start.get_mut(..layer.outputs).unwrap_or_default();
        layer.start(start);
        if layers.peek().is_none() {
            kernel.dots(&part, inputs, results);
            let (addend, m) =
                (start.first().copied().unwrap_or_default(), u16_at(part.multipliers, 0).cast_signed());
            for result in results.iter_mut() {
                let scaled = rshift(*result, part.shift).wrapping_mul(m.into());
                *result = layer.result(addend.wrapping_add(scaled));
            }
            return;
        }
        let outputs = spare.get_mut(..rows.wrapping_mul(layer.outputs)).unwrap_or_default();
        if rows == 1 {
            kernel.add(&part, inputs, start);
            layer.settle(kernel, start, outputs);
            core::mem::swap(&mut x, &mut spare);
            continue;
        }
        let product = Product {
            weights: Weights::Quads(part.weight),
            inputs: part.inputs,
            columns: layer.outputs,
            shift: part.shift,
            multipliers: part.multipliers,
            start,
            finish: layer.finish(),
        };
        kernel.product(&product, inputs, outputs, layer.outputs);
        layer.activate(kernel, outputs);
        core::mem::swap(&mut x, &mut spare);
    }
}
