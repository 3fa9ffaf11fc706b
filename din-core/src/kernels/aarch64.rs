//! NEON, which 64-bit Arm processors have but for targets without floating point. Every function checks the lengths that
//! its addresses rely on.
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

use super::operands::Operands;
use super::{Finish, Matrix, OwnMatrix, Rows, Start};
use crate::bytes::F32s;
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

/// `1 / (1 + exp(-x))` of `len` numbers, in place.
unsafe fn sigmoids(numbers: *mut f32, len: usize) {
    let whole = len - len % (2 * LANES);
    // SAFETY: the caller vouches for `len` numbers.
    unsafe {
        for start in (0..whole).step_by(2 * LANES) {
            sigmoids_of_pair(numbers.add(start), [LANES; 2]);
        }
        if whole < len {
            sigmoids_of_pair(numbers.add(whole), pair_of(len - whole));
        }
    }
}

#[inline]
unsafe fn sigmoids_of_pair(numbers: *mut f32, counts: [usize; 2]) {
    // SAFETY: the caller vouches for so many numbers.
    unsafe {
        let pair = sigmoid_pair(load_pair(numbers, counts));
        store_pair(numbers, pair, counts);
    }
}

/// `1 / (1 + exp(-x))`; not-a-number counts as a large negative argument, as in the portable sigmoid. Two vectors for
/// one division, which costs as much as the rest of a sigmoid: `1/a = b (1/(a b))`. What comes out of one vector depends,
/// in its last bits, on the other: the two are always the same columns of one row.
#[inline]
#[target_feature(enable = "neon")]
fn sigmoid_pair([x, y]: [float32x4_t; 2]) -> [float32x4_t; 2] {
    let (a, b) = (one_plus_exp_of_minus(x), one_plus_exp_of_minus(y));
    let inverse = vdivq_f32(vdupq_n_f32(1.0), vmulq_f32(a, b));
    [vmulq_f32(inverse, b), vmulq_f32(inverse, a)]
}

/// `1 + 2^n 2^r` with `n + r = -x log2(e)`, `|r| <= 1/2`, and a polynomial of degree 5 for `2^r` (largest relative error
/// 1.1e-7 without its roundings). Arguments are clamped to [-43, 43], so that the product of two results is finite.
#[inline]
#[target_feature(enable = "neon")]
fn one_plus_exp_of_minus(x: float32x4_t) -> float32x4_t {
    let constant = |number: f32| vdupq_n_f32(number);
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
    let round = constant(12_582_912.0);
    let minus_log2_e = constant(-core::f32::consts::LOG2_E);
    // Not-a-number is not greater than the bound, and becomes it: `vmaxq_f32` would hand it through.
    let x = vbslq_f32(vcgtq_f32(x, constant(-43.0)), x, constant(-43.0));
    let x = vminq_f32(x, constant(43.0));
    let shifted = vfmaq_f32(round, x, minus_log2_e);
    let minus_n = vsubq_f32(round, shifted);
    let r = vfmaq_f32(minus_n, x, minus_log2_e);
    let mut power = constant(1.340_043_2e-3);
    for coefficient in [9.676_037e-3, 5.550_327e-2, 2.402_210_7e-1, 6.931_472e-1, 1.0] {
        power = vfmaq_f32(constant(coefficient), power, r);
    }
    let exponent = vshlq_n_s32::<23>(vreinterpretq_s32_f32(shifted));
    let power = vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(power), exponent));
    vaddq_f32(constant(1.0), power)
}

/// See [`Kernel::dice`](super::Kernel::dice).
pub(super) fn dice(row: &mut [f32], a: F32s<'_>, b: F32s<'_>, alpha: F32s<'_>) {
    let len = row.len().min(a.0.len() / 4).min(b.0.len() / 4).min(alpha.0.len() / 4);
    let [a, b, alpha] = [a, b, alpha].map(|numbers| numbers.0.as_ptr().cast::<f32>());
    let out = row.as_mut_ptr();
    let whole = len - len % (2 * LANES);
    // SAFETY: every run holds `len` numbers.
    unsafe {
        let dice_at = |start: usize, counts| {
            dice_of_pair(out.add(start), a.add(start), b.add(start), alpha.add(start), counts);
        };
        for start in (0..whole).step_by(2 * LANES) {
            dice_at(start, [LANES; 2]);
        }
        if whole < len {
            dice_at(whole, pair_of(len - whole));
        }
    }
}

#[inline]
unsafe fn dice_of_pair(s: *mut f32, a: *const f32, b: *const f32, alpha: *const f32, counts: [usize; 2]) {
    // SAFETY: the caller vouches for so many numbers in each run.
    unsafe {
        let out = s;
        let (s, a) = (load_pair(s, counts), load_pair(a, counts));
        let (b, alpha) = (load_pair(b, counts), load_pair(alpha, counts));
        let p = sigmoid_pair([vfmaq_f32(b[0], a[0], s[0]), vfmaq_f32(b[1], a[1], s[1])]);
        // s (alpha + (1 - alpha) p)
        let of = |v: usize| vmulq_f32(s[v], vfmsq_f32(p[v], alpha[v], vsubq_f32(p[v], vdupq_n_f32(1.0))));
        store_pair(out, [of(0), of(1)], counts);
    }
}
