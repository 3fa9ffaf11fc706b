//! NEON, which 64-bit Arm processors have but for targets without floating point. Every function checks the lengths that
//! its addresses rely on.
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

mod activation;

use super::operands::Operands;
use super::{Finish, Matrix, OwnMatrix, Rows, Start};
use crate::bytes::F32s;
pub(super) use activation::dice;
use activation::sigmoids;
use core::arch::aarch64::*;

/// Numbers in a vector.
const LANES: usize = 4;

/// See [`Kernel::product`](super::Kernel::product).
pub(super) fn product(x: &[f32], w: Matrix<'_>, start: Start<'_>, finish: Finish, out: Rows<'_>) {
    let Some((operands, rows)) = Operands::of(x, w, start, out) else { return };
    // SAFETY: `Operands::of` checked every address.
    unsafe {
        product_rows(operands, rows, w);
        if finish == Finish::Sigmoid {
            for row in 0..rows {
                sigmoids(operands.out.add(row * operands.out_stride), w.columns);
            }
        }
    }
}

/// Splits the columns into strips of four vectors and a last one of fewer columns than a vector has, and the rows into
/// blocks of nearly equal height, so that the sums fill the registers: sixteen of them, four weights and four inputs of
/// four rows are 24 of the 32. At least eight keep the multipliers busy (two a cycle, four cycles each), so a narrow
/// strip takes more rows, and a single row wide strips.
unsafe fn product_rows(operands: Operands, rows: usize, w: Matrix<'_>) {
    let whole = w.columns - w.columns % LANES;
    let widest = if rows == 1 { 8 * LANES } else { 4 * LANES };
    let mut first = 0;
    while first < w.columns {
        let columns = if first < whole { (whole - first).min(widest) } else { w.columns - whole };
        // SAFETY: `first + columns <= w.columns`.
        unsafe {
            let at = Operands { start: operands.start.add(first), out: operands.out.add(first), ..operands };
            let numbers = w.numbers.0.as_ptr().cast::<f32>().add(first);
            let strip = Strip { w: numbers, stride: w.stride, inputs: w.rows, columns, at };
            strip.run(rows);
        }
        first += columns;
    }
}

/// Some columns, whole vectors of them or less than one, for all rows.
#[derive(Clone, Copy)]
struct Strip {
    w: *const f32,
    stride: usize,
    inputs: usize,
    columns: usize,
    at: Operands,
}

impl Strip {
    unsafe fn run(self, rows: usize) {
        let vectors = self.columns / LANES;
        let most = match vectors {
            0..=2 => 8,
            3 => 5,
            4 => 4,
            _ => 1,
        };
        let blocks = rows.div_ceil(most);
        let mut row = 0;
        for block in 0..blocks {
            let height = rows / blocks + usize::from(block < rows % blocks);
            // SAFETY: `row + height <= rows`.
            unsafe {
                let at = Operands {
                    x: self.at.x.add(row * self.inputs),
                    start: self.at.start.add(row * self.at.start_stride),
                    out: self.at.out.add(row * self.at.out_stride),
                    ..self.at
                };
                let view = Self { at, ..self };
                match (height, vectors) {
                    (1, 0) => view.tile::<1, 1, true>(),
                    (2, 0) => view.tile::<2, 1, true>(),
                    (3, 0) => view.tile::<3, 1, true>(),
                    (4, 0) => view.tile::<4, 1, true>(),
                    (5, 0) => view.tile::<5, 1, true>(),
                    (6, 0) => view.tile::<6, 1, true>(),
                    (7, 0) => view.tile::<7, 1, true>(),
                    (8, 0) => view.tile::<8, 1, true>(),
                    (1, 1) => view.tile::<1, 1, false>(),
                    (2, 1) => view.tile::<2, 1, false>(),
                    (3, 1) => view.tile::<3, 1, false>(),
                    (4, 1) => view.tile::<4, 1, false>(),
                    (5, 1) => view.tile::<5, 1, false>(),
                    (6, 1) => view.tile::<6, 1, false>(),
                    (7, 1) => view.tile::<7, 1, false>(),
                    (8, 1) => view.tile::<8, 1, false>(),
                    (1, 2) => view.tile::<1, 2, false>(),
                    (2, 2) => view.tile::<2, 2, false>(),
                    (3, 2) => view.tile::<3, 2, false>(),
                    (4, 2) => view.tile::<4, 2, false>(),
                    (5, 2) => view.tile::<5, 2, false>(),
                    (6, 2) => view.tile::<6, 2, false>(),
                    (7, 2) => view.tile::<7, 2, false>(),
                    (8, 2) => view.tile::<8, 2, false>(),
                    (1, 3) => view.tile::<1, 3, false>(),
                    (2, 3) => view.tile::<2, 3, false>(),
                    (3, 3) => view.tile::<3, 3, false>(),
                    (4, 3) => view.tile::<4, 3, false>(),
                    (5, 3) => view.tile::<5, 3, false>(),
                    (1, 4) => view.tile::<1, 4, false>(),
                    (2, 4) => view.tile::<2, 4, false>(),
                    (3, 4) => view.tile::<3, 4, false>(),
                    (4, 4) => view.tile::<4, 4, false>(),
                    (1, 5) => view.tile::<1, 5, false>(),
                    (1, 6) => view.tile::<1, 6, false>(),
                    (1, 7) => view.tile::<1, 7, false>(),
                    _ => view.tile::<1, 8, false>(),
                }
            }
            row += height;
        }
    }

    /// `[R, D] x [D, 4 V] -> [R, 4 V]`, sums in registers; `PART`: of one vector the first `columns` alone. The loops over
    /// `R` and `V` unroll.
    ///
    /// A function of its own, or the compiler spills the sums of one height for the sake of another.
    #[inline(never)]
    unsafe fn tile<const R: usize, const V: usize, const PART: bool>(self) {
        let count = if PART { self.columns } else { LANES };
        // SAFETY: the caller vouches for `R` rows of `x` and `out`, and for the columns.
        unsafe {
            let mut sums = [[vdupq_n_f32(0.0); V]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = some(self.at.start.add(r * self.at.start_stride + v * LANES), count);
                }
            }
            // Part of a vector of weights can be read as a whole one where at least three numbers follow in later rows.
            let whole = if PART {
                self.inputs.saturating_sub(3_usize.div_ceil(self.stride.max(1)))
            } else {
                self.inputs
            };
            let weights = |d: usize, count: usize| {
                let mut held = [vdupq_n_f32(0.0); V];
                for (v, held) in held.iter_mut().enumerate() {
                    *held = some(self.w.wrapping_add(d * self.stride + v * LANES), count);
                }
                held
            };
            let row = |r: usize| self.at.x.wrapping_add(r * self.inputs);
            for d in (0..whole / 4 * 4).step_by(4) {
                let mut x = [vdupq_n_f32(0.0); R];
                for (r, x) in x.iter_mut().enumerate() {
                    *x = vld1q_f32(row(r).add(d));
                }
                multiply::<0, R, V>(&mut sums, weights(d, LANES), &x);
                multiply::<1, R, V>(&mut sums, weights(d + 1, LANES), &x);
                multiply::<2, R, V>(&mut sums, weights(d + 2, LANES), &x);
                multiply::<3, R, V>(&mut sums, weights(d + 3, LANES), &x);
            }
            for d in whole / 4 * 4..self.inputs {
                let mut x = [vdupq_n_f32(0.0); R];
                for (r, x) in x.iter_mut().enumerate() {
                    *x = vld1q_dup_f32(row(r).add(d));
                }
                multiply::<0, R, V>(&mut sums, weights(d, if d < whole { LANES } else { count }), &x);
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    store_some(self.at.out.add(r * self.at.out_stride + v * LANES), sum, count);
                }
            }
        }
    }
}

/// `sums += x weights` for input `D` of four inputs of each row.
#[inline]
#[target_feature(enable = "neon")]
fn multiply<const D: i32, const R: usize, const V: usize>(
    sums: &mut [[float32x4_t; V]; R],
    weights: [float32x4_t; V],
    x: &[float32x4_t; R],
) {
    for (sums, x) in sums.iter_mut().zip(x) {
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum = vfmaq_laneq_f32::<D>(*sum, weight, *x);
        }
    }
}

/// The first `count` numbers, at most 4, and zeros.
#[inline]
unsafe fn some(from: *const f32, count: usize) -> float32x4_t {
    // SAFETY: the caller vouches for `count` numbers.
    unsafe { if count == LANES { vld1q_f32(from) } else { part(from, count) } }
}

#[inline(never)]
unsafe fn part(from: *const f32, count: usize) -> float32x4_t {
    let mut numbers = [0.0; LANES];
    for (index, number) in numbers.iter_mut().enumerate().take(count) {
        // SAFETY: as of `some`.
        *number = unsafe { *from.add(index) };
    }
    // SAFETY: four numbers.
    unsafe { vld1q_f32(numbers.as_ptr()) }
}

/// The first `count` lanes, at most 4.
#[inline]
unsafe fn store_some(to: *mut f32, vector: float32x4_t, count: usize) {
    // SAFETY: the caller vouches for `count` numbers of room.
    unsafe { if count == LANES { vst1q_f32(to, vector) } else { store_part(to, vector, count) } }
}

#[inline(never)]
unsafe fn store_part(to: *mut f32, vector: float32x4_t, count: usize) {
    let mut lanes = [0.0; LANES];
    // SAFETY: as of `store_some`.
    unsafe {
        vst1q_f32(lanes.as_mut_ptr(), vector);
        core::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count.min(LANES));
    }
}

/// How many of the next eight numbers, of `left`, are in the first and in the second vector.
fn pair_of(left: usize) -> [usize; 2] {
    [left.min(LANES), left.saturating_sub(LANES).min(LANES)]
}

/// So many numbers in two vectors.
#[inline]
unsafe fn load_pair(from: *const f32, counts: [usize; 2]) -> [float32x4_t; 2] {
    // SAFETY: the caller vouches for so many numbers.
    unsafe { [some(from, counts[0]), some(from.wrapping_add(LANES), counts[1])] }
}

/// So many lanes of two vectors.
#[inline]
unsafe fn store_pair(to: *mut f32, pair: [float32x4_t; 2], counts: [usize; 2]) {
    // SAFETY: the caller vouches for so many numbers of room.
    unsafe {
        store_some(to, pair[0], counts[0]);
        store_some(to.wrapping_add(LANES), pair[1], counts[1]);
    }
}

/// See [`Kernel::dots`](super::Kernel::dots).
pub(super) fn dots(x: &[f32], w: F32s<'_>, out: &mut [f32]) {
    let inputs = w.0.len() / 4;
    let weights = w.0.as_ptr().cast::<f32>();
    for (x, out) in x.chunks_exact(inputs.max(1)).zip(out) {
        // SAFETY: `inputs` numbers each.
        *out += unsafe { dot(x.as_ptr(), weights, inputs) };
    }
}

#[inline]
unsafe fn dot(x: *const f32, weights: *const f32, inputs: usize) -> f32 {
    let whole = inputs - inputs % (2 * LANES);
    // SAFETY: the caller vouches for `inputs` numbers of each.
    unsafe {
        // Two sums, so that a product need not wait for the one before it.
        let mut sums = [vdupq_n_f32(0.0); 2];
        let mut add = |start: usize, counts| {
            let (x, weights) = (load_pair(x.add(start), counts), load_pair(weights.add(start), counts));
            sums = [vfmaq_f32(sums[0], x[0], weights[0]), vfmaq_f32(sums[1], x[1], weights[1])];
        };
        for start in (0..whole).step_by(2 * LANES) {
            add(start, [LANES; 2]);
        }
        if whole < inputs {
            add(whole, pair_of(inputs - whole));
        }
        vaddvq_f32(vaddq_f32(sums[0], sums[1]))
    }
}

/// A query's own matrix: `[D, columns]`.
pub(super) fn combine(own: OwnMatrix<'_>, panel: &mut [f32]) {
    if !own.fits(panel) {
        return;
    }
    let OwnMatrix { query, key, product } = own;
    let (keys, products) = (key.numbers.0.as_ptr().cast::<f32>(), product.numbers.0.as_ptr().cast::<f32>());
    let (columns, panel) = (key.columns, panel.as_mut_ptr());
    let (whole, tail) = (columns - columns % LANES, columns % LANES);
    for d in 0..key.rows {
        let (key, out) = (keys.wrapping_add(d * key.stride), panel.wrapping_add(d * columns));
        // SAFETY: row `d`, as many columns as there are: `fits` bounds every address.
        unsafe {
            if d >= product.rows {
                core::ptr::copy_nonoverlapping(key, out, columns);
                continue;
            }
            let product = products.wrapping_add(d * product.stride);
            let query = *query.as_ptr().add(d);
            for column in (0..whole).step_by(LANES) {
                let (key, product) = (vld1q_f32(key.add(column)), vld1q_f32(product.add(column)));
                vst1q_f32(out.add(column), vfmaq_n_f32(key, product, query));
            }
            if tail > 0 {
                let (key, product) = (some(key.add(whole), tail), some(product.add(whole), tail));
                store_some(out.add(whole), vfmaq_n_f32(key, product, query), tail);
            }
        }
    }
}
