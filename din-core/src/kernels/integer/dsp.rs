//! The DSP extension of Cortex-M4, M7 and M33: two 16-bit products to an instruction. Every function checks the lengths
//! that its addresses rely on.
//!
//! The work is `smlad`: two inputs of one column. Weights of one byte become pairs by `sxtb16`, which is why quads are
//! stored in the order d, d + 2, d + 1, d + 3. Two rows by two columns share what is loaded: four sums, four words of inputs
//! and weights and five addresses are the thirteen registers that there are, and a pair of inputs takes eleven
//! instructions for its eight products. Two by four columns would load less, but took 28 to 36 for sixteen products: the
//! compiler, which keeps one register for frames, moves sums to memory and back.
//!
//! The same code runs with emulated instructions in the tests of any machine, and with the real ones on an emulated 32-bit
//! Arm (`tests/tests/devices.rs`).
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains

mod instructions;

use super::extents::Queries;
use super::{Finish, Parameters, Part, Product, Weights, portable};
use crate::bytes::range;
use crate::fixed::{SIGMOID, rshift, sat16};
use instructions::{halves, qadd16, smlabb, smlad, smlatt, sxtb16, sxtb16_of_rotated, unrelated, word};

/// See [`IntegerKernel::product`](super::IntegerKernel::product).
pub(super) fn product(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
    let Some(rows) = product.rows(x, out, stride) else {
        return portable::product(product, x, out, stride);
    };
    let mut first = 0;
    while first < product.columns {
        let strip = Strip::of(product, first);
        // SAFETY: `Product::rows` checked every address.
        first += unsafe {
            let end = End { start: product.start.as_ptr().add(first), finish: product.finish, stride };
            let (x, out) = (x.as_ptr(), out.as_mut_ptr().add(first));
            match (product.weights, product.columns - first) {
                (Weights::Panel(_), 1) => strip.finish::<1, false>(&end, x, rows, out),
                (Weights::Panel(_), _) => strip.finish::<2, false>(&end, x, rows, out),
                (Weights::Quads(_), 1) => strip.finish::<1, true>(&end, x, rows, out),
                (Weights::Quads(_), _) => strip.finish::<2, true>(&end, x, rows, out),
            }
        };
    }
}

/// Some columns of the weights.
struct Strip {
    /// The first column's first group of two or four inputs.
    weights: *const u8,
    /// Bytes from a group to the next.
    stride: usize,
    inputs: usize,
    /// i16, of the first column.
    multipliers: *const [u8; 2],
    shift: u8,
}

/// What becomes of the sums of a strip.
struct End {
    /// Of the first column.
    start: *const i32,
    finish: Finish,
    /// Numbers from a row of the output to the next.
    stride: usize,
}

impl Strip {
    /// From column `first` on.
    fn of(product: &Product<'_>, first: usize) -> Self {
        Self {
            weights: product.weights.as_ptr().wrapping_add(4 * first),
            stride: 4 * product.columns,
            inputs: product.inputs,
            multipliers: product.multipliers.as_ptr().cast::<[u8; 2]>().wrapping_add(first),
            shift: product.shift,
        }
    }

    /// `C` columns of the product; gives `C`.
    unsafe fn finish<const C: usize, const QUADS: bool>(
        &self,
        end: &End,
        mut x: *const i16,
        rows: usize,
        mut out: *mut i16,
    ) -> usize {
        // SAFETY: the caller vouches for `rows` rows of `x` and `out`, and for `C` columns.
        unsafe {
            for _ in 0..rows / 2 {
                self.finish_rows::<2, C, QUADS>(end, x, out);
                x = x.add(2 * self.inputs);
                out = out.add(2 * end.stride);
            }
            if rows % 2 == 1 {
                self.finish_rows::<1, C, QUADS>(end, x, out);
            }
        }
        C
    }

    #[inline]
    unsafe fn finish_rows<const R: usize, const C: usize, const QUADS: bool>(
        &self,
        end: &End,
        x: *const i16,
        out: *mut i16,
    ) {
        // SAFETY: the caller vouches for `R` rows of `x` and `out`, and for `C` columns.
        unsafe {
            let sums = if QUADS { self.quad_sums::<R, C>(x) } else { self.pair_sums::<R, C>(x) };
            for c in 0..C {
                let m = i32::from(i16::from_le_bytes(*self.multipliers.add(c)));
                let start = *end.start.add(c);
                for (r, sums) in sums.iter().enumerate() {
                    let t = start.wrapping_add(sums[c].wrapping_shr(self.shift.into()).wrapping_mul(m));
                    let z = sat16(t.wrapping_shr(end.finish.shift.into()));
                    *out.add(r * end.stride + c) = if end.finish.sigmoid { sigmoid(z) } else { z };
                }
            }
        }
    }

    /// `[R, D] x [D, C] -> [R, C]` of a panel, and the rounding constant of s1.
    #[inline(always)] // as a call it would take the sums through memory
    unsafe fn pair_sums<const R: usize, const C: usize>(&self, x: *const i16) -> [[i32; C]; R] {
        let mut sums = [[1_i32.wrapping_shl(self.shift.into()) >> 1; C]; R];
        let mut weights = self.weights;
        // SAFETY: the caller vouches for `R` rows and `C` columns.
        unsafe {
            let mut rows = self.rows::<R>(x);
            let end = rows[0].add(self.inputs / 2 * 2);
            while rows[0] < end {
                let held = rows.map(|row| pair(row));
                for c in 0..C {
                    let w = pair(weights.add(4 * c).cast());
                    for (sums, x) in sums.iter_mut().zip(held) {
                        sums[c] = smlad(x, w, sums[c]);
                    }
                }
                rows = rows.map(|row| row.add(2));
                weights = weights.add(self.stride);
            }
            if self.inputs % 2 == 1 {
                for c in 0..C {
                    let [w, _] = halves(pair(weights.add(4 * c).cast()));
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        sums[c] = sums[c].wrapping_add(w.wrapping_mul((*row).into()));
                    }
                }
            }
        }
        sums
    }

    /// `[R, D] x [D, C] -> [R, C]` of quads, and the rounding constant of s1.
    #[inline(always)] // as a call it would take the sums through memory
    unsafe fn quad_sums<const R: usize, const C: usize>(&self, x: *const i16) -> [[i32; C]; R] {
        let mut sums = [[1_i32.wrapping_shl(self.shift.into()) >> 1; C]; R];
        let mut weights = self.weights;
        // SAFETY: the caller vouches for `R` rows and `C` columns.
        unsafe {
            let mut rows = self.rows::<R>(x);
            let end = rows[0].add(self.inputs / 4 * 4);
            while rows[0] < end {
                multiply(&mut sums, weights, rows.map(|row| [pair(row), pair(row.add(2))]));
                rows = rows.map(|row| row.add(4));
                weights = weights.add(self.stride);
            }
            let rest = self.inputs % 4;
            if rest > 0 {
                multiply(&mut sums, weights, rows.map(|row| some(row, rest)));
            }
        }
        sums
    }

    /// The addresses of `R` rows.
    #[inline(always)]
    unsafe fn rows<const R: usize>(&self, x: *const i16) -> [*const i16; R] {
        let mut rows = [x; R];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = unrelated(x.wrapping_add(r * self.inputs));
        }
        rows
    }
}

/// `sums += weights x` for four inputs.
#[inline(always)]
unsafe fn multiply<const R: usize, const C: usize>(
    sums: &mut [[i32; C]; R],
    weights: *const u8,
    x: [[u32; 2]; R],
) {
    for c in 0..C {
        // SAFETY: the caller vouches for the quads of `C` columns.
        let quad = unsafe { pair(weights.add(4 * c).cast()) };
        let (first, second) = (sxtb16(quad), sxtb16_of_rotated(quad));
        for (sums, x) in sums.iter_mut().zip(x) {
            sums[c] = smlad(x[1], second, smlad(x[0], first, sums[c]));
        }
    }
}

/// Two numbers, wherever they lie: the cores load words from any address.
#[inline(always)]
unsafe fn pair(from: *const i16) -> u32 {
    // SAFETY: the caller vouches for two numbers.
    unsafe { from.cast::<u32>().read_unaligned() }
}

/// The first `count` of four numbers, and zeros.
#[inline(never)]
unsafe fn some(from: *const i16, count: usize) -> [u32; 2] {
    // SAFETY: the caller vouches for `count` numbers.
    let number = |d: usize| if d < count { i32::from(unsafe { *from.add(d) }) } else { 0 };
    [word(number(0), number(1)), word(number(2), number(3))]
}

/// Of each segment `2^11 a + 2^10`, `2^11 b + 2^10` and `c`: the rounding constants of two shifts by 11.
const SEGMENTS: [[i32; 4]; 16] = {
    let mut segments = [[0; 4]; 16];
    let mut index = 0;
    while index < 16 {
        let [a, b, c] = SIGMOID[index];
        segments[index] = [(a << 11) + (1 << 10), (b << 11) + (1 << 10), c, 0];
        index += 1;
    }
    segments
};

/// See [`fixed::sigmoid`](crate::fixed::sigmoid): with u in eleven bits instead of fifteen the same numbers in fewer steps.
#[inline(always)]
fn sigmoid(z: i16) -> i16 {
    let z = i32::from(z);
    let s = z ^ z >> 31;
    // SAFETY: the magnitude has fifteen bits, so that four are left.
    let [a, b, c, _] = unsafe { *SEGMENTS.get_unchecked((s >> 11) as usize) };
    let u = s & 2047;
    let slope = b.wrapping_add(c.wrapping_mul(u)) >> 11;
    let y = a.wrapping_add(slope.wrapping_mul(u));
    // In fifteen bits what follows from the symmetry, 32767 - y, is y with all bits flipped.
    ((y ^ z >> 31) >> 11 & 0x7fff) as i16
}

/// See [`IntegerKernel::add`](super::IntegerKernel::add).
pub(super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    if part.rows(x, t).is_none() {
        return portable::add(part, x, t);
    }
    for (x, t) in x.chunks_exact(part.inputs.max(1)).zip(t.chunks_exact_mut(part.outputs.max(1))) {
        let strip = |first| Strip {
            weights: part.weight.as_ptr().wrapping_add(4 * first),
            stride: 4 * part.outputs,
            inputs: part.inputs,
            multipliers: part.multipliers.as_ptr().cast::<[u8; 2]>().wrapping_add(first),
            shift: part.shift,
        };
        let (fours, rest) = t.as_chunks_mut::<4>();
        let done = 4 * fours.len();
        for (t, first) in fours.iter_mut().zip((0..).step_by(4)) {
            // SAFETY: `Part::rows` checked every address.
            unsafe { strip(first).add(x, t) };
        }
        for (t, first) in rest.iter_mut().zip(done..) {
            // SAFETY: as above.
            unsafe { strip(first).add(x, core::array::from_mut(t)) };
        }
    }
}

impl Strip {
    /// `t += rshift(x W, s1) m` for `C` columns.
    #[inline(never)]
    unsafe fn add<const C: usize>(&self, x: &[i16], t: &mut [i32; C]) {
        // SAFETY: the caller vouches for `C` columns.
        unsafe {
            let [sums] = self.quad_sums::<1, C>(x.as_ptr());
            for (c, (t, sum)) in t.iter_mut().zip(sums).enumerate() {
                let m = i32::from(i16::from_le_bytes(*self.multipliers.add(c)));
                *t = t.wrapping_add(sum.wrapping_shr(self.shift.into()).wrapping_mul(m));
            }
        }
    }
}

/// See [`IntegerKernel::dots`](super::IntegerKernel::dots).
pub(super) fn dots(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
    let rows = x.len().checked_div(part.inputs).unwrap_or_default().min(sums.len());
    if part.outputs != 1 || !part.holds_weights(part.inputs) {
        return portable::dots(part, x, sums);
    }
    let weights = part.weight.as_ptr();
    // Without a rounding constant.
    let strip = Strip { weights, stride: 4, inputs: part.inputs, multipliers: core::ptr::null(), shift: 0 };
    let mut x = x.as_ptr();
    let (pairs, rest) = sums[..rows].as_chunks_mut::<2>();
    // SAFETY: as many rows of `x` as sums, and weights for every input.
    unsafe {
        for sums in pairs {
            *sums = strip.quad_sums::<2, 1>(x).map(|[sum]| sum);
            x = x.add(2 * part.inputs);
        }
        for sum in rest {
            [[*sum]] = strip.quad_sums::<1, 1>(x);
        }
    }
}

/// See [`IntegerKernel::combine`](super::IntegerKernel::combine).
pub(super) fn combine(part: &Part<'_>, queries: &[i16], start: usize, columns: usize, panels: &mut [i16]) {
    let Some(Queries { count, paired, len }) = part.queries(queries, start, columns, panels) else {
        return portable::combine(part, queries, start, columns, panels);
    };
    for (query, panel) in panels.chunks_exact_mut(len.max(1)).take(count).enumerate() {
        let query = range(queries, query.wrapping_mul(paired), paired);
        // SAFETY: `Part::queries` checked every address.
        unsafe { combine_one(part, query, start, columns, panel) };
    }
}

unsafe fn combine_one(part: &Part<'_>, query: &[i16], start: usize, columns: usize, panel: &mut [i16]) {
    // Two inputs of a column are four bytes, as are four weights of one byte.
    let row = 4 * part.outputs;
    let (quads, rest) = query.as_chunks::<4>();
    let done = 2 * quads.len();
    // SAFETY: the caller vouches for the columns.
    unsafe {
        let mut base = part.base.as_ptr().add(4 * start);
        let mut weights = part.weight.as_ptr().wrapping_add(4 * start);
        let mut to = panel.as_mut_ptr();
        for quad in quads {
            combine_row::<false>(base, weights, pair(quad.as_ptr()), columns, to);
            combine_row::<true>(
                base.add(row),
                weights,
                pair(quad.as_ptr().add(2)),
                columns,
                to.add(2 * columns),
            );
            (base, weights, to) = (base.add(2 * row), weights.wrapping_add(row), to.add(4 * columns));
        }
        let [first, second] = some(rest.as_ptr(), rest.len());
        for index in done..part.inputs.div_ceil(2) {
            match (index - done, rest.len()) {
                (0, 1..) => combine_row::<false>(base, weights, first, columns, to),
                (1, 3..) => combine_row::<true>(base, weights, second, columns, to),
                _ => core::ptr::copy_nonoverlapping(base, to.cast(), 4 * columns),
            }
            (base, to) = (base.wrapping_add(row), to.wrapping_add(2 * columns));
        }
    }
}

/// Two inputs of `columns` columns, the first or the `SECOND` two of their quads.
#[inline(always)]
unsafe fn combine_row<const SECOND: bool>(
    base: *const u8,
    quads: *const u8,
    query: u32,
    columns: usize,
    to: *mut i16,
) {
    // SAFETY: the caller vouches for the columns.
    unsafe {
        let (mut base, mut quads) = (unrelated(base.cast::<i16>()), unrelated(quads.cast::<i16>()));
        let mut to = to.cast::<u32>();
        let end = base.add(2 * columns);
        while base < end {
            let quad = pair(quads);
            let weights = if SECOND { sxtb16_of_rotated(quad) } else { sxtb16(quad) };
            to.write_unaligned(combined(pair(base), weights, query));
            (base, quads, to) = (base.add(2), quads.add(2), to.add(1));
        }
    }
}

/// `sat16(base + rshift(w q, 8))` of two inputs.
#[inline(always)]
fn combined(base: u32, weights: u32, query: u32) -> u32 {
    let (first, second) = (smlabb(weights, query, 128), smlatt(weights, query, 128));
    qadd16(base, word(first >> 8, second >> 8))
}

/// See [`IntegerKernel::weighted_sum`](super::IntegerKernel::weighted_sum).
pub(super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    let width = sums.len();
    let rows = keys.len().checked_div(width).unwrap_or_default().min(weights.len());
    let (strips, rest) = sums.as_chunks_mut::<4>();
    let done = 4 * strips.len();
    // SAFETY: as many rows of `width` numbers as weights.
    unsafe {
        for (sums, first) in strips.iter_mut().zip((0..).step_by(4)) {
            *sums = weighted_strip(&weights[..rows], keys.as_ptr().add(first), width);
        }
        for (sum, first) in rest.iter_mut().zip(done..) {
            let mut key = keys.as_ptr().wrapping_add(first);
            *sum = 0;
            for weight in &weights[..rows] {
                *sum = sum.wrapping_add(weight.wrapping_mul((*key).into()));
                key = key.wrapping_add(width);
            }
        }
    }
}

/// Four columns of the sums.
unsafe fn weighted_strip(weights: &[i32], mut keys: *const i16, width: usize) -> [i32; 4] {
    let mut sums = [0_i32; 4];
    for weight in weights {
        // SAFETY: the caller vouches for as many rows as weights, and for the columns.
        let [[a, b], [c, d]] = unsafe { [halves(pair(keys)), halves(pair(keys.add(2)))] };
        for (sum, x) in sums.iter_mut().zip([a, b, c, d]) {
            *sum = sum.wrapping_add(weight.wrapping_mul(x));
        }
        keys = keys.wrapping_add(width);
    }
    sums
}

/// See [`IntegerKernel::dice`](super::IntegerKernel::dice).
pub(super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
    if !parameters.holds_dice(outputs) {
        return portable::dice(parameters, outputs, rows);
    }
    for row in rows.chunks_mut(outputs.max(1)) {
        for (o, z) in row.iter_mut().enumerate() {
            // SAFETY: `holds_dice`.
            *z = unsafe {
                dice_of(
                    (*z).into(),
                    *parameters.a.as_ptr().cast::<[u8; 2]>().add(o),
                    *parameters.b.as_ptr().cast::<[u8; 4]>().add(o),
                    *parameters.alpha.as_ptr().cast::<[u8; 2]>().add(o),
                    *parameters.e.as_ptr().add(o),
                )
            };
        }
    }
}

#[inline(always)]
fn dice_of(s: i32, a: [u8; 2], b: [u8; 4], alpha: [u8; 2], e: u8) -> i16 {
    let [a, alpha] = [a, alpha].map(|bytes| i32::from(i16::from_le_bytes(bytes)));
    let argument = s.wrapping_mul(a).wrapping_add(i32::from_le_bytes(b)).wrapping_shr(e.into());
    let p = i32::from(sigmoid(sat16(argument)));
    let g = alpha.wrapping_add(rshift(8192_i32.wrapping_sub(alpha).wrapping_mul(p), 15));
    sat16(rshift(s.wrapping_mul(g), 13))
}
