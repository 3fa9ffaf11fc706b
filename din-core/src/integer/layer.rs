//! A layer of the integer path, read in place.

use super::kernels;
use crate::bytes::{array_of, range, u16_at, u32_at};
use crate::fixed::{rshift, sat16, sigmoid};
use crate::manifest::{Activation, IntegerLayerRecord, PartRecord};
use crate::model::Model;

/// See [`PartRecord`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part<'a> {
    pub inputs: usize,
    pub outputs: usize,
    /// i8 `[ceil(inputs / 4)][outputs][4]`
    pub weight: &'a [u8],
    /// i16 `[ceil(inputs / 2)][outputs][2]`, or empty
    pub base: &'a [u8],
    /// i16 `[outputs]`
    pub multipliers: &'a [u8],
    pub shift: u8,
}

impl<'a> Part<'a> {
    pub fn view(model: &Model<'a>, record: &PartRecord, outputs: u32) -> Self {
        Self {
            inputs: record.inputs as usize,
            outputs: outputs as usize,
            weight: model.section(record.weight),
            base: model.section(record.base),
            multipliers: model.section(record.multipliers),
            shift: record.shift,
        }
    }

    /// W8 of an input and an output; 0 where there is none.
    pub fn weight_at(&self, input: usize, output: usize) -> i8 {
        // Inputs d, d+2, d+1, d+3.
        let place = match input % 4 {
            1 => 2,
            2 => 1,
            same => same,
        };
        let quad = (input / 4).wrapping_mul(self.outputs).wrapping_add(output);
        self.weight.get(quad.wrapping_mul(4).wrapping_add(place)).map_or(0, |byte| byte.cast_signed())
    }

    /// The base of an input and an output; 0 where there is none.
    pub fn base_at(&self, input: usize, output: usize) -> i16 {
        let pair = (input / 2).wrapping_mul(self.outputs).wrapping_add(output);
        u16_at(self.base, pair.wrapping_mul(4).wrapping_add((input % 2).wrapping_mul(2))).cast_signed()
    }

    /// `t += rshift(sums, s1) m` for outputs `start ..`.
    #[inline]
    pub fn add_scaled<const C: usize>(&self, start: usize, sums: &[i32; C], t: &mut [i32; C]) {
        let multipliers = self.multipliers.get(start.wrapping_mul(2)..).unwrap_or_default();
        for ((t, sum), m) in t.iter_mut().zip(sums).zip(multipliers.as_chunks::<2>().0) {
            *t = t.wrapping_add(rshift(*sum, self.shift).wrapping_mul(i16::from_le_bytes(*m).into()));
        }
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

/// The runs of an activation's parameters; empty where it has none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parameters<'a> {
    /// i32
    pub b: &'a [u8],
    /// i16
    pub a: &'a [u8],
    /// i16
    pub alpha: &'a [u8],
    /// u8
    pub e: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// Of a section: b, a, alpha, e, each of them where the activation has it.
    pub fn view(activation: Activation, section: &'a [u8], outputs: usize) -> Self {
        let two = outputs.wrapping_mul(2);
        let four = outputs.wrapping_mul(4);
        match activation {
            Activation::PRelu => Self { alpha: range(section, 0, two), ..Self::default() },
            Activation::Dice => Self {
                b: range(section, 0, four),
                a: range(section, four, two),
                alpha: range(section, four.wrapping_add(two), two),
                e: range(section, four.wrapping_mul(2), outputs),
            },
            Activation::Linear | Activation::Sigmoid | Activation::Relu => Self::default(),
        }
    }

    /// Bytes of the section for each output.
    pub const fn len_of(activation: Activation) -> u64 {
        match activation {
            Activation::PRelu => 2,
            Activation::Dice => 9,
            Activation::Linear | Activation::Sigmoid | Activation::Relu => 0,
        }
    }
}

/// Some layers from index `first` on.
pub(crate) fn layers<'a>(
    model: &'a Model<'a>,
    first: usize,
    count: usize,
) -> impl Iterator<Item = Layer<'a>> + use<'a> {
    let mut part = 0_usize;
    let records = model.manifest().integer_layers.iter().enumerate().map(move |(index, record)| {
        let own = part;
        part = part.wrapping_add(record.parts.into());
        (index, Layer::view(model, &record, own))
    });
    records.filter(move |(index, _)| *index >= first).map(|(_, layer)| layer).take(count)
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
            parameters: Parameters::view(record.activation, model.section(record.parameters), outputs),
            shift: record.shift,
        }
    }

    /// The part with this index; an empty one if there is none.
    pub fn part(&self, index: usize) -> Part<'a> {
        let record = self.model.manifest().parts.get(self.first_part.wrapping_add(index)).unwrap_or_default();
        Part::view(self.model, &record, u32::try_from(self.outputs).unwrap_or_default())
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

    /// `out = activation(sat16(t >> s2))` for outputs `start ..`, as many as `t` has.
    pub fn finish(&self, start: usize, t: &[i32], out: &mut [i16]) {
        let Parameters { b, a, alpha, e } = self.parameters;
        let each = t.iter().zip(out.iter_mut()).zip(start..);
        for ((t, out), o) in each {
            let z = sat16(t.wrapping_shr(self.shift.into()));
            let z32 = i32::from(z);
            let i16_of = |run: &[u8]| i32::from(u16_at(run, o.wrapping_mul(2)).cast_signed());
            *out = match self.activation {
                Activation::Linear => z,
                Activation::Sigmoid => sigmoid(z),
                Activation::Relu => z.max(0),
                Activation::PRelu if z >= 0 => z,
                Activation::PRelu => sat16(rshift(z32.wrapping_mul(i16_of(alpha)), 13)),
                Activation::Dice => {
                    let b = u32_at(b, o.wrapping_mul(4)).cast_signed();
                    let [e] = array_of(range(e, o, 1));
                    let argument = z32.wrapping_mul(i16_of(a)).wrapping_add(b).wrapping_shr(u32::from(e));
                    let p = i32::from(sigmoid(sat16(argument)));
                    let alpha = i16_of(alpha);
                    // Q2.13; |8192 - alpha| < 2^16 / 1.5, so the product stays below 2^31.
                    let g = alpha.wrapping_add(rshift(8192_i32.wrapping_sub(alpha).wrapping_mul(p), 15));
                    sat16(rshift(z32.wrapping_mul(g), 13))
                }
            };
        }
    }
}

/// Runs the layers after the first on rows `[N, H1]` in `x`, already activated; the last layer's results: `[N]`.
pub(crate) fn forward<'b, 'm>(
    layers: impl Iterator<Item = Layer<'m>>,
    mut x: &'b mut [i16],
    mut spare: &'b mut [i16],
    t: &mut [i32],
    results: &mut [i32],
) {
    for layer in layers {
        let part = layer.part(0);
        let t = t.get_mut(..layer.outputs).unwrap_or_default();
        let rows = x.chunks(part.inputs.max(1)).zip(spare.chunks_mut(layer.outputs.max(1)));
        for ((x, out), result) in rows.zip(results.iter_mut()) {
            layer.start(t);
            kernels::add(&part, x, t);
            // Only the last layer has one output that nothing follows; what others leave here is overwritten.
            *result = layer.result(t.first().copied().unwrap_or_default());
            layer.finish(0, t, out);
        }
        core::mem::swap(&mut x, &mut spare);
    }
}
