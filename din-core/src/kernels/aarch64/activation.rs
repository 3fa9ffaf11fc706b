//! Sigmoids, two vectors for one division, and Dice.

use super::{LANES, load_pair, pair_of, store_pair};
use crate::bytes::F32s;
use core::arch::aarch64::*;

/// `1 / (1 + exp(-x))` of `len` numbers, in place.
///
/// # Safety
/// There are so many numbers.
pub(super) unsafe fn sigmoids(numbers: *mut f32, len: usize) {
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

/// See [`Kernel::dice`](crate::kernels::Kernel::dice).
pub(in super::super) fn dice(row: &mut [f32], a: F32s<'_>, b: F32s<'_>, alpha: F32s<'_>) {
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
