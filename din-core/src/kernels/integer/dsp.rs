//! The DSP extension of Cortex-M4, M7 and M33: two 16-bit products to an instruction. Every function checks the lengths
//! that its addresses rely on.
//!
//! The work is `smlad`: two inputs of one column. Weights of one byte become pairs by `sxtb16`, which is why quads are
//! stored in the order d, d + 2, d + 1, d + 3. A query's own matrix is made three columns at a time, in the order in which
//! [`strip`] reads it, and multiplied at once with all rows; other weights are widened to the same order, or read as they
//! are for a single row ([`row`]). What is left over, and what does not fit, goes to the portable kernel.
//!
//! The same code runs with emulated instructions in the tests of any machine, and with the real ones on an emulated 32-bit
//! Arm (`tests/tests/devices.rs`).
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

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
use super::{Finish, Own, Parameters, Part, Product, Weights, portable};
use crate::bytes::range;
use crate::chunks;
use crate::fixed::{SEGMENTS, rshift, sat16, sigmoid};
use combine::Combine;
use instructions::{asr, qadd16, smlabb, smlabt, smlad, smlatt, sxtb16, sxtb16_of_rotated, word};
use row::Row;
use strip::Strip;

/// See [`IntegerKernel::product`](super::IntegerKernel::product).
#[inline(never)]
pub(super) fn product(product: &Product<'_>, x: &[i16], panel: &mut [i16], out: &mut [i16], stride: usize) {
    let Product { inputs, columns, .. } = *product;
    let fits = fits(inputs, columns) && panel.len() >= strip::COLUMNS * inputs.next_multiple_of(2);
    let held = product.rows(x, out, stride).filter(|rows| fits && *rows > 0 && is_aligned(panel.as_ptr()));
    let (Weights::Quads(weights), Some(rows)) = (product.weights, held) else {
        return portable::product(product, x, out, stride);
    };
    let mut first = 0;
    while first < columns {
        first = first.min(columns - strip::COLUMNS);
        // SAFETY: `Product::rows` checked every address but the panel's, which was checked here.
        unsafe {
            widen(weights.as_ptr().add(4 * first), 4 * columns, inputs, strip::COLUMNS, panel);
            let mut strip = Strip::of(inputs, product.shift, product.finish, panel.as_ptr());
            strip.multipliers = product.multipliers.as_ptr().add(2 * first);
            strip.start = product.start.as_ptr().add(first);
            strip.all_rows(x.as_ptr(), inputs, out.as_mut_ptr().add(first), stride, rows);
        }
        first += strip::COLUMNS;
    }
}

/// Whether strips go over a matrix: its last three columns begin with those that are done, if they are not a multiple of
/// three.
const fn fits(inputs: usize, columns: usize) -> bool {
    inputs >= 8 && columns >= strip::COLUMNS
}

impl Strip {
    /// Without columns and rows.
    fn of(inputs: usize, shift: u8, finish: Finish, panel: *const i16) -> Self {
        Self {
            x: core::ptr::null(),
            x_stride: 0,
            panel,
            eights: inputs / 8,
            half: [1_i32.wrapping_shl(shift.into()) >> 1; 6],
            rest: inputs % 8,
            multipliers: core::ptr::null(),
            start: core::ptr::null(),
            finish_shift: finish.shift.into(),
            segments: if finish.sigmoid { SEGMENTS.as_ptr() } else { core::ptr::null() },
            out: core::ptr::null_mut(),
            out_stride: 0,
            shift: shift.into(),
            twos: 0,
            last: core::ptr::null(),
        }
    }

    /// All rows against the strip's columns: two at a time, of an odd number the last one alone. Where a last layer follows,
    /// `out` is the rows' sums.
    #[inline(never)]
    unsafe fn all_rows(&mut self, x: *const i16, inputs: usize, out: *mut i16, stride: usize, rows: usize) {
        (self.x, self.out, self.twos) = (x, out, rows / 2);
        [self.x_stride, self.out_stride] = [2 * inputs, 2 * stride];
        // SAFETY: the caller vouches for every address.
        unsafe {
            if self.twos > 0 {
                strip::run(self);
            }
            if rows % 2 == 1 {
                (self.x, self.twos) = (x.add((rows - 1) * inputs), 1);
                [self.x_stride, self.out_stride] = [0; 2];
                if self.last.is_null() {
                    self.out = out.add((rows - 1) * stride);
                    return strip::run(self);
                }
                let sum = out.cast::<i32>().add(rows - 1);
                let mut both = [*sum; 2];
                self.out = both.as_mut_ptr().cast();
                strip::run(self);
                [*sum, _] = both;
            }
        }
    }
}

/// Some columns of weights of one byte, two inputs to a word, the words of a pair of inputs side by side.
#[inline(never)]
unsafe fn widen(weights: *const u8, stride: usize, inputs: usize, columns: usize, panel: &mut [i16]) {
    let mut to = panel.as_mut_ptr().cast::<u32>();
    for pair in 0..inputs.div_ceil(2) {
        for c in 0..columns {
            // SAFETY: the caller vouches for the quads, and for the panel.
            unsafe {
                let quad = pair_of(weights.add(pair / 2 * stride + 4 * c).cast());
                to.write(if pair % 2 == 0 { sxtb16(quad) } else { sxtb16_of_rotated(quad) });
                to = to.add(1);
            }
        }
    }
}

/// Two numbers, wherever they lie: the cores load words from any address.
#[inline(always)]
unsafe fn pair_of(from: *const i16) -> u32 {
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
    let is_whole = part.rows(x, t).is_some()
        && is_aligned(part.weight.as_ptr())
        && part.inputs.max(part.outputs) <= row::LARGEST;
    let most = if is_whole { part.outputs / row::COLUMNS } else { 0 };
    for (x, t) in chunks::exact(x, part.inputs).zip(chunks::exact_mut(t, part.outputs)) {
        // Later rows of an odd number of inputs may lie between words.
        let fours = if is_aligned(x.as_ptr()) { most } else { 0 };
        let (quads, rest) = x.as_chunks::<4>();
        if fours > 0 {
            // SAFETY: `Part::rows` checked every address.
            unsafe {
                row::run(&mut Row {
                    x: x.as_ptr(),
                    weights: part.weight.as_ptr(),
                    stride: 4 * part.outputs,
                    quads: quads.len(),
                    half: [1_i32.wrapping_shl(part.shift.into()) >> 1; 4],
                    has_rest: (!rest.is_empty()).into(),
                    rest: some(rest.as_ptr(), rest.len()),
                    multipliers: part.multipliers.as_ptr(),
                    t: t.as_mut_ptr(),
                    shift: part.shift.into(),
                    fours,
                });
            }
        }
        portable::add_row(part, x, fours * row::COLUMNS, t);
    }
}

/// See [`IntegerKernel::dots`](super::IntegerKernel::dots).
#[inline(never)]
pub(super) fn dots(part: &Part<'_>, x: &[i16], panel: &mut [i16], sums: &mut [i32]) {
    let pairs = part.inputs.div_ceil(2);
    let is_whole = part.outputs == 1 && part.holds_weights(part.inputs);
    if !is_whole || panel.len() < 2 * pairs || !is_aligned(panel.as_ptr()) {
        return portable::dots(part, x, sums);
    }
    // SAFETY: weights for every input, and room for them.
    unsafe { widen(part.weight.as_ptr(), 4, part.inputs, 1, panel) };
    for (x, sum) in chunks::exact(x, part.inputs).zip(sums) {
        let (words, last) = x.as_chunks::<2>();
        let mut weights = panel.as_ptr().cast::<u32>();
        let mut dot = 0;
        for x in words {
            // SAFETY: as many pairs of weights as of inputs.
            unsafe {
                dot = smlad(pair_of(x.as_ptr()), *weights, dot);
                weights = weights.add(1);
            }
        }
        if let [x] = last {
            // SAFETY: the weight of an odd number's last input is there, and a zero.
            dot = smlad(word((*x).into(), 0), unsafe { *weights }, dot);
        }
        *sum = dot;
    }
}

/// See [`IntegerKernel::own_product`](super::IntegerKernel::own_product).
pub(super) fn own_product(own: &Own<'_>, x: &[i16], panels: &mut [i16], out: &mut [i16]) {
    if !own_strips(own, None, x, panels, out, &mut []) {
        portable::own_product(own, x, panels, out);
    }
}

/// See [`IntegerKernel::own_dots`](super::IntegerKernel::own_dots).
pub(super) fn own_dots(
    own: &Own<'_>,
    last: &Part<'_>,
    x: &[i16],
    panels: &mut [i16],
    room: &mut [i16],
    sums: &mut [i32],
) -> bool {
    // A strip that begins with columns that are done would count them twice.
    let is_whole = own.part.outputs.is_multiple_of(strip::COLUMNS)
        && last.inputs == own.part.outputs
        && last.outputs == 1
        && last.holds_weights(last.inputs);
    is_whole && own_strips(own, Some(last), x, panels, room, sums)
}

/// Both of them; whether the slices are as long as they have to be, else nothing is computed. A last layer has its weights
/// written into `out` as numbers of 32 bits, and its sums into `sums`.
#[inline(never)]
fn own_strips(
    own: &Own<'_>,
    last: Option<&Part<'_>>,
    x: &[i16],
    panels: &mut [i16],
    out: &mut [i16],
    sums: &mut [i32],
) -> bool {
    let part = &own.part;
    let (inputs, outputs) = (part.inputs, part.outputs);
    let held = own
        .rows(x, panels, out, strip::COLUMNS)
        .filter(|_| fits(inputs, outputs) && is_aligned(panels.as_ptr()) && is_aligned(part.weight.as_ptr()));
    let Some(OwnRows { candidates, paired, rows }) = held else { return false };
    let mut strip = Strip::of(inputs, part.shift, own.finish, panels.as_ptr());
    let (mut to_out, mut lasts, mut width) = (out.as_mut_ptr(), core::ptr::null::<i32>(), outputs);
    if let Some(last) = last {
        let quads = outputs.div_ceil(4);
        if out.len() < 8 * quads || !is_aligned(out.as_ptr()) || sums.len() != candidates * rows {
            return false;
        }
        let mut to = out.as_mut_ptr().cast::<[i32; 4]>();
        lasts = to.cast_const().cast();
        for [w0, w2, w1, w3] in last.weight.as_chunks::<4>().0.iter().take(quads) {
            // SAFETY: room for as many quads, as was checked.
            unsafe {
                to.write([*w0, *w1, *w2, *w3].map(|byte| byte.cast_signed().into()));
                to = to.add(1);
            }
        }
        sums.fill(0);
        (to_out, width) = (sums.as_mut_ptr().cast(), 2); // an i32 for each row
    }
    for candidate in 0..candidates {
        let query = range(own.queries, candidate.wrapping_mul(paired), paired);
        let starts = own.starts.as_ptr().wrapping_add(candidate * outputs);
        let quads = query.len() / 4;
        let mut combined = Combine {
            base: part.base.as_ptr(),
            weights: part.weight.as_ptr(),
            panel: panels.as_mut_ptr(),
            // Two inputs of a column are four bytes, as are four weights of one byte.
            stride: 4 * outputs,
            quads,
            query: query.as_ptr(),
            half: 128,
        };
        let mut first = 0;
        while first < outputs {
            first = first.min(outputs - strip::COLUMNS);
            // SAFETY: `Own::rows` checked every address.
            unsafe {
                if quads > 0 {
                    combined.base = part.base.as_ptr().add(4 * first);
                    combined.weights = part.weight.as_ptr().add(4 * first);
                    combine::run(&combined);
                }
                if 4 * quads < inputs {
                    combine_rest(part, query, first, combined.panel);
                }
                strip.multipliers = part.multipliers.as_ptr().add(2 * first);
                strip.start = starts.add(first);
                let mut out = to_out.add(candidate * rows * width);
                if lasts.is_null() {
                    out = out.add(first);
                } else {
                    strip.last = lasts.add(first);
                }
                strip.all_rows(x.as_ptr(), inputs, out, outputs, rows);
            }
            first += strip::COLUMNS;
        }
    }
    true
}

/// Whether several words are read from there by one instruction: where they are not at a multiple of four, that is a fault.
fn is_aligned<N>(from: *const N) -> bool {
    from.cast::<u32>().is_aligned()
}

/// Three columns of a query's own matrix after its whole quads, as a strip reads them.
#[inline(never)]
unsafe fn combine_rest(part: &Part<'_>, query: &[i16], first: usize, panel: *mut i16) {
    // Two inputs of a column are four bytes, as are four weights of one byte.
    let stride = 4 * part.outputs;
    let (quads, rest) = query.as_chunks::<4>();
    let done = 2 * quads.len();
    // SAFETY: the caller vouches for the columns.
    unsafe {
        let base = part.base.as_ptr().add(4 * first);
        let weights = part.weight.as_ptr().wrapping_add(4 * first);
        let rest = some(rest.as_ptr(), rest.len());
        for index in done..part.inputs.div_ceil(2) {
            for c in 0..strip::COLUMNS {
                let mut combined = pair_of(base.add(index * stride + 4 * c).cast());
                // A query of as many inputs as rows of weights ends in a quad that is partly zero.
                if 2 * index < query.len() {
                    let quad = pair_of(weights.add(quads.len() * stride + 4 * c).cast());
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
            let [low, high] = unsafe { [pair_of(keys), pair_of(keys.add(2))] };
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
        return; // the loader sees to it that there are
    }
    for row in chunks::up_to_mut(rows, outputs) {
        let Parameters { a, b, alpha, e } = *parameters;
        let (mut a, mut b, mut alpha, mut e) = (a.as_ptr(), b.as_ptr(), alpha.as_ptr(), e.as_ptr());
        for z in row {
            // SAFETY: `holds_dice`.
            unsafe {
                let s = i32::from(*z);
                let sum = s.wrapping_mul(i16_at(a).into()).wrapping_add(i32_at(b));
                let p = i32::from(sigmoid(sat16(asr(sum, *e))));
                let still = i32::from(i16_at(alpha));
                let g = still.wrapping_add(rshift(8192_i32.wrapping_sub(still).wrapping_mul(p), 15));
                *z = sat16(rshift(s.wrapping_mul(g), 13));
                (a, b, alpha, e) = (a.add(2), b.add(4), alpha.add(2), e.add(1));
            }
        }
    }
}

/// The number there.
#[inline(always)]
unsafe fn i16_at(from: *const u8) -> i16 {
    // SAFETY: the caller vouches for it.
    i16::from_le_bytes(unsafe { *from.cast::<[u8; 2]>() })
}

/// The number there.
#[inline(always)]
unsafe fn i32_at(from: *const u8) -> i32 {
    // SAFETY: the caller vouches for it.
    i32::from_le_bytes(unsafe { *from.cast::<[u8; 4]>() })
}
