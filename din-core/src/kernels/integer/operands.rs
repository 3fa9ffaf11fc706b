//! What the kernels compute with: runs of a model in place, the query's side of them, and what becomes of a sum.

#[cfg(din_panels)]
use crate::blocking::Blocking;
#[cfg(din_panels)]
use crate::bytes::range;
use crate::bytes::u16_at;
#[cfg(din_panels)]
use crate::chunks;
use crate::fixed::{rshift, sat16};

/// How a row of a table becomes inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub multiplier: u16,
    pub shift: u8,
    pub limit: u16,
}

impl Scale {
    /// Of a stored number.
    pub fn of(self, q: i8) -> i16 {
        self.clamped(self.unclamped(q))
    }

    /// `rshift(q multiplier, shift)`
    #[inline(always)]
    pub fn unclamped(self, q: i8) -> i32 {
        // |q| <= 128, the multiplier below 2^16: the product stays below 2^23.
        rshift(i32::from(q).wrapping_mul(self.multiplier.into()), self.shift)
    }

    /// Whether nothing is clamped of any stored number.
    pub fn is_within(self) -> bool {
        rshift(i32::from(self.multiplier) << 7, self.shift) <= self.limit.into()
    }

    /// Of what was scaled.
    pub fn clamped(self, x: i32) -> i16 {
        let limit = i32::from(self.limit);
        // At most 32767, so that the narrowing loses nothing.
        sat16(x.clamp(limit.saturating_neg(), limit))
    }
}

/// See [`PartRecord`](crate::manifest::PartRecord).
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

impl Part<'_> {
    /// W8 of an input and an output; 0 where there is none.
    pub fn weight_at(&self, input: usize, output: usize) -> i8 {
        // Inputs d, d+2, d+1, d+3: the lowest two bits in the other order.
        let place = (input & 1) << 1 | (input >> 1 & 1);
        let quad = (input / 4).wrapping_mul(self.outputs).wrapping_add(output);
        self.weight.get(quad.wrapping_mul(4).wrapping_add(place)).map_or(0, |byte| byte.cast_signed())
    }

    /// The base of an input and an output; 0 where there is none.
    pub fn base_at(&self, input: usize, output: usize) -> i16 {
        let pair = (input / 2).wrapping_mul(self.outputs).wrapping_add(output);
        u16_at(self.base, pair.wrapping_mul(4).wrapping_add((input % 2).wrapping_mul(2))).cast_signed()
    }
}

/// What an [`own_product`](super::IntegerKernel::own_product) multiplies with, and what becomes of the sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own<'a> {
    pub part: Part<'a>,
    /// `[N, P]`
    pub queries: &'a [i16],
    /// `[N, H]`
    pub starts: &'a [i32],
    pub finish: Finish,
}

#[cfg(din_panels)]
impl Own<'_> {
    /// As many columns at a time as [`Blocking`] says, those of all candidates in one pass over the weights, and each
    /// panel multiplied while it is in the cache.
    pub(super) fn in_strips(
        &self,
        x: &[i16],
        panels: &mut [i16],
        out: &mut [i16],
        combine: impl Fn(&Part<'_>, &[i16], usize, usize, &mut [i16]),
        product: impl Fn(&Product<'_>, &[i16], &mut [i16], usize),
    ) {
        let Self { part, queries, starts, finish } = self;
        let (inputs, outputs) = (part.inputs, part.outputs.max(1));
        let (candidates, rows) = (chunks::count(starts.len(), outputs), chunks::count(x.len(), inputs));
        let mut start = 0_usize;
        while start < part.outputs {
            let columns = Blocking::NATIVE.columns(outputs.saturating_sub(start));
            let len = inputs.next_multiple_of(2).wrapping_mul(columns);
            let panels = panels.get_mut(..candidates.wrapping_mul(len)).unwrap_or_default();
            combine(part, queries, start, columns, panels);
            let each = chunks::up_to(panels, len).zip(chunks::up_to(starts, outputs));
            for ((panel, starts), out) in each.zip(chunks::up_to_mut(out, rows.wrapping_mul(outputs))) {
                let own = Product {
                    weights: Weights::Panel(panel),
                    inputs,
                    columns,
                    shift: part.shift,
                    multipliers: range(part.multipliers, start.wrapping_mul(2), columns.wrapping_mul(2)),
                    start: range(starts, start, columns),
                    finish: *finish,
                };
                // [R, D] x [D, columns] -> [R, columns]
                product(&own, x, out.get_mut(start..).unwrap_or_default(), outputs);
            }
            start = start.wrapping_add(columns);
        }
    }
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

/// What a [`product`](super::IntegerKernel::product) multiplies with, and what becomes of the sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product<'a> {
    pub weights: Weights<'a>,
    /// D
    pub inputs: usize,
    /// C
    pub columns: usize,
    /// s1
    pub shift: u8,
    /// m: i16 `[C]`
    pub multipliers: &'a [u8],
    /// `[C]`
    pub start: &'a [i32],
    pub finish: Finish,
}

/// Weights, column after column within two or four inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weights<'a> {
    /// i8 `[ceil(D / 4), C, 4]`, inputs d, d+2, d+1, d+3.
    Quads(&'a [u8]),
    /// `[ceil(D / 2), C, 2]`
    #[cfg(din_panels)]
    Panel(&'a [i16]),
}

/// What becomes of a finished sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finish {
    /// s2
    pub shift: u8,
    /// Whether a sigmoid follows at once.
    pub sigmoid: bool,
}
