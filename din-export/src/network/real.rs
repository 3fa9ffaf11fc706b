//! The two number types that a network computes in.

use std::fmt::Debug;
use std::iter::Sum;

use num_traits::{Float, NumAssign};

/// f32, which trains, or f64, in which gradients are checked.
pub trait Real: Float + NumAssign + Default + Sum + Debug + Send + Sync + 'static {
    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;

    /// Without loss.
    fn as_f64(self) -> f64;

    /// `1 / (1 + exp(-s))`.
    ///
    /// f32: see [`sigmoid_f32`]; f64: to the precision of `f64::exp`.
    #[must_use]
    fn sigmoid(self) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        sigmoid_f32(self)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + (-self).exp())
    }
}

/// `1 / (1 + exp(-s))` without a branch or a call, so that a loop over it becomes vector code.
///
/// `exp(x) = 2^n exp(r)` with `n = round(x / ln 2)`, `|r| <= ln(2) / 2` and a polynomial of degree 7 for `exp(r)` (the
/// coefficients of Cephes' `expf`). Defined everywhere: beyond +-87 the argument is clamped, not-a-number stays so.
/// Largest absolute error 1.2e-7 over [-100, 100] (test `sigmoid_is_accurate_everywhere`).
#[inline(always)]
#[must_use]
pub fn sigmoid_f32(s: f32) -> f32 {
    const LIMIT: f32 = 87.0;
    /// `1.5 * 2^23`: adding it leaves the nearest integer in the low bits of the significand.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Comparisons in this direction keep not-a-number, which `f32::clamp` would too, but with more instructions.
    let x = -s;
    let x = if x > LIMIT { LIMIT } else { x };
    let x = if x < -LIMIT { -LIMIT } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let polynomial = 1.987_569_1e-4;
    let polynomial = polynomial * r + 1.398_199_9e-3;
    let polynomial = polynomial * r + 8.333_452e-3;
    let polynomial = polynomial * r + 4.166_579_6e-2;
    let polynomial = polynomial * r + 1.666_666_5e-1;
    let polynomial = polynomial * r + 0.5;
    let exp_r = polynomial * r * r + r + 1.0;
    let two_to_n = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    1.0 / (1.0 + exp_r * two_to_n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoid_is_accurate_everywhere() {
        let mut largest = 0.0_f64;
        for step in -1_000_000..=1_000_000 {
            let s = step as f32 * 1e-4;
            let error = (f64::from(sigmoid_f32(s)) - f64::from(s).sigmoid()).abs();
            largest = largest.max(error);
        }
        assert!(largest < 1.2e-7, "{largest:e}");
    }

    #[test]
    fn sigmoid_keeps_what_is_not_a_number_and_bounds_the_rest() {
        assert!(sigmoid_f32(f32::NAN).is_nan());
        assert_eq!(sigmoid_f32(f32::INFINITY), 1.0);
        assert!((0.0..1e-37).contains(&sigmoid_f32(f32::NEG_INFINITY)));
        assert_eq!(sigmoid_f32(0.0), 0.5);
    }
}
