//! Cortex-M0, M0+, M3 and the others without the DSP extension: one product to an instruction, 16-bit loads that extend
//! the sign. Every function checks the lengths that its addresses rely on, and that words of weights are where the cores
//! load words from: at multiples of four.
//!
//! A query's own matrix is made one column at a time and multiplied with four rows at once. Weights of one byte come four to
//! a word, four columns at a time.
//!
//! The three loops that most of a candidate's time is spent in, `column`, `combine` and `quads`, are in the instructions of
//! Armv6-M: sums are kept in the high registers, which can be added to and little else, so that the eight low ones hold
//! what is loaded. Compilers do not. Beside each is what it does in plain Rust: that is what runs in the tests of any
//! machine, and the assembly in those on an emulated 32-bit Arm (`tests/tests/devices.rs`).
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked
#![allow(clippy::indexing_slicing)] // within what was checked, and constant indices

mod column;
mod combine;
mod quads;

use super::extents::OwnRows;
use super::{Own, Parameters, Part, Product, Weights, finished, portable};
use crate::bytes::range;
use crate::chunks;
use crate::fixed::{SEGMENTS, rshift, sat16, sigmoid};
use crate::kernels::copy;
use column::Column;
use combine::Combine;
use quads::Quads;

/// Whether the cores load words from there.
fn is_aligned<N>(from: *const N) -> bool {
    from.cast::<u32>().is_aligned()
}

/// The number with this index.
#[inline(always)]
unsafe fn i16_at(from: *const u8, index: usize) -> i32 {
    // SAFETY: the caller vouches for it, and sections begin at multiples of 16 from an address that is one of four.
    unsafe { from.cast::<i16>().add(index).read() }.into()
}

/// `t + rshift(sum, s1) m`
#[inline(always)]
fn scaled(t: i32, sum: i32, shift: u8, m: i32) -> i32 {
    t.wrapping_add(rshift(sum, shift).wrapping_mul(m))
}

/// See [`IntegerKernel::product`](super::IntegerKernel::product).
#[inline(never)]
pub(super) fn product(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
    let held = product.rows(x, out, stride).filter(|_| product.columns >= 4 && product.inputs > 0);
    let (Weights::Quads(weights), Some(rows)) = (product.weights, held) else {
        return portable::product(product, x, out, stride);
    };
    if !is_aligned(weights.as_ptr()) || !is_aligned(product.multipliers.as_ptr()) {
        return portable::product(product, x, out, stride);
    }
    for (x, out) in chunks::exact(x, product.inputs).take(rows).zip(chunks::up_to_mut(out, stride)) {
        let mut first = 0;
        while first < product.columns {
            // The last four begin with those that are done, where the columns are not a multiple of four.
            first = first.min(product.columns - 4);
            let sums = four_columns(weights, product.columns, first, x);
            for (c, sum) in (first..).zip(sums) {
                // SAFETY: `Product::rows` checked the multipliers.
                let m = unsafe { i16_at(product.multipliers.as_ptr(), c) };
                if let (Some(out), Some(start)) = (out.get_mut(c), product.start.get(c)) {
                    *out = finished(product.finish, scaled(*start, sum, product.shift, m));
                }
            }
            first += 4;
        }
    }
}

/// `x W` for columns `first .. first + 4` of as many weights as the caller checked.
fn four_columns(weights: &[u8], columns: usize, first: usize, x: &[i16]) -> [i32; 4] {
    let (whole, rest) = x.as_chunks::<4>();
    let weights = weights.as_ptr().wrapping_add(4 * first);
    let stride = 4 * columns;
    let mut quads = Quads { x: x.as_ptr(), weights, stride, quads: whole.len(), sums: [0; 4] };
    // SAFETY: the caller checked the weights.
    unsafe {
        if !whole.is_empty() {
            quads::run(&mut quads);
        }
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            quads.x = last.as_ptr();
            quads.weights = weights.add(whole.len() * stride);
            quads.quads = 1;
            quads::run(&mut quads);
        }
    }
    quads.sums
}

/// See [`IntegerKernel::add`](super::IntegerKernel::add).
#[inline(never)]
pub(super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    let fits = is_aligned(part.weight.as_ptr()) && is_aligned(part.multipliers.as_ptr());
    let fours = if part.rows(x, t).is_some() && fits { part.outputs / 4 } else { 0 };
    for (x, t) in chunks::exact(x, part.inputs).zip(chunks::exact_mut(t, part.outputs)) {
        for (t, first) in t.as_chunks_mut::<4>().0.iter_mut().zip((0..).step_by(4)).take(fours) {
            let sums = four_columns(part.weight, part.outputs, first, x);
            for ((t, sum), c) in t.iter_mut().zip(sums).zip(first..) {
                // SAFETY: `Part::rows` checked the multipliers.
                *t = scaled(*t, sum, part.shift, unsafe { i16_at(part.multipliers.as_ptr(), c) });
            }
        }
        portable::add_row(part, x, 4 * fours, t);
    }
}

/// See [`IntegerKernel::dots`](super::IntegerKernel::dots).
#[inline(never)]
pub(super) fn dots(part: &Part<'_>, x: &[i16], panel: &mut [i16], sums: &mut [i32]) {
    let rows = x.len().checked_div(part.inputs).unwrap_or_default().min(sums.len());
    let is_whole = part.outputs == 1 && part.holds_weights(part.inputs);
    let (Some(weights), true) = (panel.get_mut(..part.inputs), is_whole && rows > 0) else {
        return portable::dots(part, x, sums);
    };
    for (d, weight) in weights.iter_mut().enumerate() {
        *weight = part.weight_at(d, 0).into();
    }
    for (row, sums) in (0..).step_by(4).zip(chunks::up_to_mut(&mut sums[..rows], 4)) {
        let x = x.as_ptr().wrapping_add(row * part.inputs);
        // SAFETY: as many rows of `x` as sums, and inputs as weights.
        let four = unsafe { four_rows(x, part.inputs, sums.len(), weights) };
        copy(four, sums);
    }
}

/// `x w` of four rows, or of fewer, the last of them several times.
#[inline(never)]
unsafe fn four_rows(x: *const i16, stride: usize, rows: usize, weights: &[i16]) -> [i32; 4] {
    let mut column = Column {
        x: addresses(x, stride, rows),
        weights: weights.as_ptr(),
        inputs: weights.len(),
        sums: [0; 4],
        out: [core::ptr::null_mut(); 4],
        shift: 0,
        multiplier: 0,
        start: 0,
        finish_shift: 0,
        segments: core::ptr::null(),
        fours: 1,
        x_step: 0,
        out_step: 0,
    };
    // SAFETY: the caller vouches for the rows, and for a weight.
    unsafe { column::run(&mut column) };
    column.sums
}

/// Of four rows, or of fewer, the last of them several times.
#[inline]
fn addresses(x: *const i16, stride: usize, rows: usize) -> [*const i16; 4] {
    core::array::from_fn(|row| x.wrapping_add(row.min(rows.saturating_sub(1)) * stride))
}

/// See [`IntegerKernel::own_product`](super::IntegerKernel::own_product).
pub(super) fn own_product(own: &Own<'_>, x: &[i16], panel: &mut [i16], out: &mut [i16]) {
    match own_rows(own, x, panel).filter(|held| held.of(own.part.outputs) <= out.len()) {
        // SAFETY: room for every output.
        Some(held) => unsafe { own_columns(own, held, None, x, panel, out.as_mut_ptr(), &mut []) },
        None => portable::own_product(own, x, panel, out),
    }
}

/// See [`IntegerKernel::own_dots`](super::IntegerKernel::own_dots).
pub(super) fn own_dots(
    own: &Own<'_>,
    last: &Part<'_>,
    x: &[i16],
    panel: &mut [i16],
    room: &mut [i16],
    sums: &mut [i32],
) {
    let held = own_rows(own, x, panel).filter(|held| held.of(1) == sums.len() && held.rows <= room.len());
    match held {
        // SAFETY: room for an output of every row.
        Some(held) => unsafe { own_columns(own, held, Some(last), x, panel, room.as_mut_ptr(), sums) },
        None => portable::own_dots(own, last, x, panel, sums),
    }
}

/// What columns are computed of; `None` where a slice is too short, or lies where no words are.
fn own_rows(own: &Own<'_>, x: &[i16], panel: &[i16]) -> Option<OwnRows> {
    let part = &own.part;
    let fits = [part.base, part.weight, part.multipliers].into_iter().all(|run| is_aligned(run.as_ptr()));
    own.rows(x, panel, 1).filter(|_| fits && is_aligned(panel.as_ptr()))
}

/// Both `own_product` and `own_dots`, a column at a time. A last layer has a column's outputs written into `out`, one after
/// the other, and its sums into `sums`.
///
/// # Safety
/// `out` is that of all outputs that are held, or of a column's.
#[inline(never)]
unsafe fn own_columns(
    own: &Own<'_>,
    held: OwnRows,
    last: Option<&Part<'_>>,
    x: &[i16],
    panel: &mut [i16],
    out: *mut i16,
    sums: &mut [i32],
) {
    let part = &own.part;
    let OwnRows { candidates, paired, rows } = held;
    let (inputs, outputs) = (part.inputs, part.outputs);
    // Numbers from a row of a column's outputs to the next.
    let stride = if last.is_some() { 1 } else { outputs };
    let weights = panel.get_mut(..inputs).unwrap_or_default();
    let half = 1_i32.wrapping_shl(part.shift.into()) >> 1;
    let mut column = Column {
        x: [x.as_ptr(); 4],
        weights: weights.as_ptr(),
        inputs,
        sums: [half; 4],
        out: [core::ptr::null_mut(); 4],
        shift: part.shift.into(),
        multiplier: 0,
        start: 0,
        finish_shift: own.finish.shift.into(),
        segments: if own.finish.sigmoid { SEGMENTS.as_ptr() } else { core::ptr::null() },
        fours: 0,
        x_step: 8 * inputs,
        out_step: 8 * stride,
    };
    sums.fill(0);
    for candidate in 0..candidates {
        let query = range(own.queries, candidate.wrapping_mul(paired), paired);
        for o in 0..outputs {
            combine(part, query, o, weights);
            column.weights = weights.as_ptr();
            // SAFETY: `Own::rows` checked the multipliers.
            column.multiplier = unsafe { i16_at(part.multipliers.as_ptr(), o) };
            column.start = own.starts.get(candidate * outputs + o).copied().unwrap_or_default();
            let to = if last.is_some() { out } else { out.wrapping_add(candidate * rows * outputs + o) };
            // Whole fours of rows, then the others.
            let rest = rows % 4;
            for (row, fours, each) in [(0, rows / 4, 4), (rows - rest, usize::from(rest > 0), rest)] {
                if fours > 0 {
                    column.fours = fours;
                    column.x = addresses(x.as_ptr().wrapping_add(row * inputs), inputs, each);
                    column.out =
                        addresses(to.wrapping_add(row * stride), stride, each).map(<*const i16>::cast_mut);
                    // SAFETY: `Own::rows` checked every address but those of `out`, for which the caller vouches.
                    unsafe { column::run(&mut column) };
                }
            }
            if let Some(last) = last {
                let weight = i32::from(last.weight_at(o, 0));
                let sums = sums.get_mut(candidate * rows..).unwrap_or_default();
                for (row, sum) in sums.iter_mut().take(rows).enumerate() {
                    // SAFETY: an output of every row.
                    let z = unsafe { *out.add(row) };
                    *sum = sum.wrapping_add(weight.wrapping_mul(z.into()));
                }
            }
        }
    }
}

/// A column of a query's own matrix, of a part that is whole.
#[inline(never)]
fn combine(part: &Part<'_>, query: &[i16], o: usize, column: &mut [i16]) {
    let quads = if is_aligned(query.as_ptr()) { query.len() / 4 } else { 0 };
    if quads > 0 {
        // Two inputs of the base are as many bytes as four weights.
        let (base, weights) = (part.base.as_ptr(), part.weight.as_ptr());
        // SAFETY: the part has that many inputs, as does the column.
        unsafe {
            combine::run(&Combine {
                base: base.add(4 * o),
                weights: weights.add(4 * o),
                to: column.as_mut_ptr(),
                query: query.as_ptr(),
                stride: 4 * part.outputs,
                quads,
            });
        }
    }
    for (d, to) in column.iter_mut().enumerate().skip(4 * quads) {
        let q = query.get(d).copied().unwrap_or_default();
        let product = rshift(i32::from(part.weight_at(d, o)).wrapping_mul(q.into()), 8);
        *to = sat16(i32::from(part.base_at(d, o)).wrapping_add(product));
    }
}

/// See [`IntegerKernel::weighted_sum`](super::IntegerKernel::weighted_sum).
#[inline(never)]
pub(super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    let width = sums.len();
    let rows = keys.len().checked_div(width).unwrap_or_default().min(weights.len());
    for (first, sum) in sums.iter_mut().enumerate() {
        let mut key = keys.as_ptr().wrapping_add(first);
        let mut held = 0_i32;
        for weight in &weights[..rows] {
            // SAFETY: as many rows of `width` numbers as weights.
            held = held.wrapping_add(weight.wrapping_mul(unsafe { *key }.into()));
            key = key.wrapping_add(width);
        }
        *sum = held;
    }
}

/// See [`IntegerKernel::dice`](super::IntegerKernel::dice).
#[inline(never)]
pub(super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
    let Parameters { b, a, alpha, e } = *parameters;
    let fits = is_aligned(b.as_ptr()) && a.as_ptr().addr() % 2 == 0 && alpha.as_ptr().addr() % 2 == 0;
    if !parameters.holds_dice(outputs) || !fits {
        return portable::dice(parameters, outputs, rows); // a blob that lies where no words are
    }
    for row in chunks::up_to_mut(rows, outputs) {
        for (o, z) in row.iter_mut().enumerate() {
            // SAFETY: `holds_dice`.
            let (a, alpha, b, e) = unsafe {
                let b = b.as_ptr().cast::<i32>().add(o).read();
                (i16_at(a.as_ptr(), o), i16_at(alpha.as_ptr(), o), b, *e.get_unchecked(o))
            };
            let s = i32::from(*z);
            let argument = s.wrapping_mul(a).wrapping_add(b).wrapping_shr(e.into());
            let p = i32::from(sigmoid(sat16(argument)));
            let g = alpha.wrapping_add(rshift(8192_i32.wrapping_sub(alpha).wrapping_mul(p), 15));
            *z = sat16(rshift(s.wrapping_mul(g), 13));
        }
    }
}
