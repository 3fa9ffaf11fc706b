//! The DSP extension of Cortex-M4, M7 and M33: two 16-bit products to an instruction. Every function checks the lengths
//! that its addresses rely on.
//!
//! The work is `smlad`: two inputs of one column. Weights of one byte become pairs by `sxtb16`, which is why quads are
//! stored in the order d, d + 2, d + 1, d + 3. A query's own matrix is made three columns at a time, in the order in which
//! [`strip`] reads it, and multiplied at once with all rows.
//!
//! The same code runs with emulated instructions in the tests of any machine, and with the real ones on an emulated 32-bit
//! Arm (`tests/tests/devices.rs`).
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains

/// Link-time optimisation forgets the features of the target: on Armv8-M, where the extension is an option, the assembler
/// must be told of a processor that has it.
#[cfg(din_armv8m)]
macro_rules! processor {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(all(target_arch = "arm", not(din_armv8m)))]
macro_rules! processor {
    () => {
        ""
    };
}
#[cfg(target_arch = "arm")]
use processor;

mod combine;
mod instructions;
mod row;
mod strip;

use super::extents::OwnRows;
use super::{Own, Parameters, Part, Product, Weights, finished, portable};
use crate::bytes::range;
use crate::chunks;
use crate::fixed::{SEGMENTS, rshift, sat16, sigmoid};
use combine::Combine;
use instructions::{asr, qadd16, smlabb, smlabt, smlad, smlatt, sxtb16, sxtb16_of_rotated, unrelated, word};
use row::Row;
use strip::Strip;

/// See [`IntegerKernel::product`](super::IntegerKernel::product).
#[inline(never)]
pub(super) fn product(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
    let quads = match product.weights {
        Weights::Quads(quads) if product.columns >= 2 => quads,
        _ => return portable::product(product, x, out, stride),
    };
    let Some(rows) = product.rows(x, out, stride) else {
        return portable::product(product, x, out, stride);
    };
    let mut first = 0;
    while first < product.columns {
        // The last two columns, of an odd number, begin with one that is done.
        first = first.min(product.columns - 2);
        let quads = Quads::of(quads, product.inputs, product.columns, first);
        for row in (0..rows).step_by(2) {
            // As does the last row alone.
            let second = if row + 1 < rows { 1 } else { 0 };
            // SAFETY: `Product::rows` checked every address.
            unsafe {
                let x = x.as_ptr().add(row * product.inputs);
                let half = 1_i32.wrapping_shl(product.shift.into()) >> 1;
                let sums = quads.sums::<2, 2>([x, x.add(second * product.inputs)], half);
                let out = out.as_mut_ptr().add(row * stride + first);
                for (sums, out) in sums.into_iter().zip([out, out.add(second * stride)]) {
                    for (c, sum) in sums.into_iter().enumerate() {
                        let m = i32::from(i16_at(product.multipliers.as_ptr(), first + c));
                        let scaled = sum.wrapping_shr(product.shift.into()).wrapping_mul(m);
                        let t = (*product.start.as_ptr().add(first + c)).wrapping_add(scaled);
                        *out.add(c) = finished(product.finish, t);
                    }
                }
            }
        }
        first += 2;
    }
}

/// The number with this index.
#[inline(always)]
unsafe fn i16_at(from: *const u8, index: usize) -> i16 {
    // SAFETY: the caller vouches for it.
    i16::from_le_bytes(unsafe { *from.cast::<[u8; 2]>().add(index) })
}

/// Some columns of weights in quads.
#[derive(Clone, Copy)]
struct Quads {
    /// The first column's first quad.
    weights: *const u8,
    /// Bytes from a quad to the column's next.
    stride: usize,
    inputs: usize,
}

impl Quads {
    /// From column `first` of `columns` on.
    fn of(weights: &[u8], inputs: usize, columns: usize, first: usize) -> Self {
        Self { weights: weights.as_ptr().wrapping_add(4 * first), stride: 4 * columns, inputs }
    }

    /// `half + x W`: `[R, D] x [D, C] -> [R, C]`.
    #[inline(always)] // as a call it would take the sums through memory
    unsafe fn sums<const R: usize, const C: usize>(self, rows: [*const i16; R], half: i32) -> [[i32; C]; R] {
        let mut sums = [[half; C]; R];
        let mut weights = self.weights;
        // SAFETY: the caller vouches for `R` rows and `C` columns.
        unsafe {
            let mut rows = rows.map(unrelated);
            for _ in 0..self.inputs / 4 {
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

/// See [`IntegerKernel::add`](super::IntegerKernel::add).
#[inline(never)]
pub(super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    if part.rows(x, t).is_none() {
        return portable::add(part, x, t);
    }
    let fours = if is_aligned(part.weight.as_ptr()) { part.outputs / row::COLUMNS } else { 0 };
    for (x, t) in chunks::exact(x, part.inputs).zip(chunks::exact_mut(t, part.outputs)) {
        let (quads, rest) = x.as_chunks::<4>();
        let half = 1_i32.wrapping_shl(part.shift.into()) >> 1;
        // SAFETY: `Part::rows` checked every address.
        unsafe {
            if fours > 0 {
                row::run(&mut Row {
                    x: x.as_ptr(),
                    weights: part.weight.as_ptr(),
                    stride: 4 * part.outputs,
                    quads: quads.len(),
                    half,
                    has_rest: (!rest.is_empty()).into(),
                    rest: some(rest.as_ptr(), rest.len()),
                    multipliers: part.multipliers.as_ptr(),
                    t: t.as_mut_ptr(),
                    shift: part.shift.into(),
                    fours,
                });
            }
            let done = fours * row::COLUMNS;
            for (t, o) in t.iter_mut().skip(done).zip(done..part.outputs) {
                let quads = Quads::of(part.weight, part.inputs, part.outputs, o);
                let [[sum]] = quads.sums([x.as_ptr()], half);
                let m = i32::from(i16_at(part.multipliers.as_ptr(), o));
                *t = t.wrapping_add(sum.wrapping_shr(part.shift.into()).wrapping_mul(m));
            }
        }
    }
}

/// See [`IntegerKernel::dots`](super::IntegerKernel::dots).
#[inline(never)]
pub(super) fn dots(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
    let rows = x.len().checked_div(part.inputs).unwrap_or_default().min(sums.len());
    if part.outputs != 1 || !part.holds_weights(part.inputs) {
        return portable::dots(part, x, sums);
    }
    let quads = Quads::of(part.weight, part.inputs, 1, 0);
    for row in (0..rows).step_by(2) {
        let second = row + usize::from(row + 1 < rows);
        // SAFETY: as many rows of `x` as sums, and weights for every input.
        unsafe {
            let x = [row, second].map(|row| x.as_ptr().add(row * part.inputs));
            let [[first], [other]] = quads.sums::<2, 1>(x, 0);
            *sums.as_mut_ptr().add(row) = first;
            *sums.as_mut_ptr().add(second) = other;
        }
    }
}

/// See [`IntegerKernel::own_product`](super::IntegerKernel::own_product).
#[inline(never)]
pub(super) fn own_product(own: &Own<'_>, x: &[i16], panels: &mut [i16], out: &mut [i16]) {
    let part = &own.part;
    let held = own.rows(x, panels, out, strip::COLUMNS).filter(|_| {
        let fits = part.inputs >= 8 && part.outputs >= strip::COLUMNS;
        fits && is_aligned(panels.as_ptr()) && is_aligned(part.weight.as_ptr())
    });
    let Some(OwnRows { candidates, paired, rows }) = held else {
        return portable::own_product(own, x, panels, out);
    };
    let (inputs, outputs) = (part.inputs, part.outputs);
    let mut strip = Strip {
        x: x.as_ptr(),
        x_stride: 0,
        panel: panels.as_ptr(),
        eights: inputs / 8,
        half: [1_i32.wrapping_shl(part.shift.into()) >> 1; 6],
        rest: inputs % 8,
        multipliers: part.multipliers.as_ptr(),
        start: own.starts.as_ptr(),
        finish_shift: own.finish.shift.into(),
        segments: if own.finish.sigmoid { SEGMENTS.as_ptr() } else { core::ptr::null() },
        out: out.as_mut_ptr(),
        out_stride: 0,
        shift: part.shift.into(),
        twos: 0,
    };
    for candidate in 0..candidates {
        let query = range(own.queries, candidate.wrapping_mul(paired), paired);
        let mut first = 0;
        while first < outputs {
            // The last three columns begin with those that are done, if they are not a multiple of three.
            first = first.min(outputs - strip::COLUMNS);
            // SAFETY: `Own::rows` checked every address.
            unsafe {
                combine(part, query, first, panels.as_mut_ptr());
                strip.x = x.as_ptr();
                strip.multipliers = part.multipliers.as_ptr().add(2 * first);
                strip.start = own.starts.as_ptr().add(candidate * outputs + first);
                strip.out = out.as_mut_ptr().add(candidate * rows * outputs + first);
                strip.twos = rows / 2;
                [strip.x_stride, strip.out_stride] = [2 * inputs, 2 * outputs];
                if strip.twos > 0 {
                    strip::run(&mut strip);
                }
                if rows % 2 == 1 {
                    strip.x = x.as_ptr().add((rows - 1) * inputs);
                    strip.out = out.as_mut_ptr().add((candidate * rows + rows - 1) * outputs + first);
                    strip.twos = 1;
                    [strip.x_stride, strip.out_stride] = [0; 2];
                    strip::run(&mut strip);
                }
            }
            first += strip::COLUMNS;
        }
    }
}

/// Whether several words are read from there by one instruction: where they are not at a multiple of four, that is a fault.
fn is_aligned<N>(from: *const N) -> bool {
    from.cast::<u32>().is_aligned()
}

/// Three columns of a query's own matrix, as a strip reads them.
unsafe fn combine(part: &Part<'_>, query: &[i16], first: usize, panel: *mut i16) {
    // Two inputs of a column are four bytes, as are four weights of one byte.
    let stride = 4 * part.outputs;
    let (quads, rest) = query.as_chunks::<4>();
    let done = 2 * quads.len();
    // SAFETY: the caller vouches for the columns.
    unsafe {
        let base = part.base.as_ptr().add(4 * first);
        let weights = part.weight.as_ptr().wrapping_add(4 * first);
        if !quads.is_empty() {
            let (quads, query) = (quads.len(), query.as_ptr());
            combine::run(&Combine { base, weights, panel, stride, quads, query, half: 128 });
        }
        let rest = some(rest.as_ptr(), rest.len());
        for index in done..part.inputs.div_ceil(2) {
            for c in 0..strip::COLUMNS {
                let mut combined = pair(base.add(index * stride + 4 * c).cast());
                // A query of as many inputs as rows of weights ends in a quad that is partly zero.
                if 2 * index < query.len() {
                    let quad = pair(weights.add(quads.len() * stride + 4 * c).cast());
                    let [even, odd] = [sxtb16(quad), sxtb16_of_rotated(quad)];
                    let (weights, query) = if index == done { (even, rest[0]) } else { (odd, rest[1]) };
                    combined = self::combined(combined, weights, query);
                }
                panel.cast::<u32>().add(index * strip::COLUMNS + c).write(combined);
            }
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
#[inline(never)]
pub(super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    let width = sums.len();
    let rows = keys.len().checked_div(width).unwrap_or_default().min(weights.len());
    // A softmax gives 32768 where one behaviour has it all.
    let are_short = weights.iter().all(|weight| i16::try_from(*weight).is_ok());
    if !width.is_multiple_of(4) || !are_short {
        return portable::weighted_sum(weights, keys, sums);
    }
    for (strip, first) in sums.as_chunks_mut::<4>().0.iter_mut().zip((0..).step_by(4)) {
        let mut held = [0_i32; 4];
        let mut keys = keys.as_ptr().wrapping_add(first);
        for weight in &weights[..rows] {
            let weight = weight.cast_unsigned();
            // SAFETY: as many rows of `width` numbers as weights.
            let [low, high] = unsafe { [pair(keys), pair(keys.add(2))] };
            held[0] = smlabb(weight, low, held[0]);
            held[1] = smlabt(weight, low, held[1]);
            held[2] = smlabb(weight, high, held[2]);
            held[3] = smlabt(weight, high, held[3]);
            keys = keys.wrapping_add(width);
        }
        *strip = held;
    }
}

/// See [`IntegerKernel::dice`](super::IntegerKernel::dice).
#[inline(never)]
pub(super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
    if !parameters.holds_dice(outputs) {
        return portable::dice(parameters, outputs, rows);
    }
    for row in chunks::up_to_mut(rows, outputs) {
        let Parameters { a, b, alpha, e } = *parameters;
        let (mut a, mut b, mut alpha, mut e) = (a.as_ptr(), b.as_ptr(), alpha.as_ptr(), e.as_ptr());
        for z in row {
            // SAFETY: `holds_dice`.
            unsafe {
                let s = i32::from(*z);
                let sum = s.wrapping_mul(i16_at(a, 0).into()).wrapping_add(i32_at(b));
                let p = i32::from(sigmoid(sat16(asr(sum, *e))));
                let still = i32::from(i16_at(alpha, 0));
                let g = still.wrapping_add(rshift(8192_i32.wrapping_sub(still).wrapping_mul(p), 15));
                *z = sat16(rshift(s.wrapping_mul(g), 13));
                (a, b, alpha, e) = (a.add(2), b.add(4), alpha.add(2), e.add(1));
            }
        }
    }
}

/// The number there.
#[inline(always)]
unsafe fn i32_at(from: *const u8) -> i32 {
    // SAFETY: the caller vouches for it.
    i32::from_le_bytes(unsafe { *from.cast::<[u8; 4]>() })
}
