//! Fixed-point arithmetic of the integer path: one rounding rule, and the few curved functions.

mod curves;

#[cfg(any(test, din_dsp))]
pub(crate) use curves::HALF;
#[cfg(any(test, din_dsp, din_thumb))]
pub(crate) use curves::SEGMENTS;
#[cfg(din_panels)]
pub(crate) use curves::SIGMOID;
pub use curves::{exp_of_minus, log1p, score, sigmoid};

/// `x / 2^n`, rounded half up, for n up to 30. The caller sees to it that `x + 2^(n-1)` is an i32.
#[inline]
pub(crate) const fn rshift(x: i32, n: u8) -> i32 {
    x.wrapping_add((1_i32.wrapping_shl(n as u32)) >> 1).wrapping_shr(n as u32)
}

/// Clamped to 16 bits.
#[inline]
pub(crate) const fn sat16(x: i32) -> i16 {
    if x > i16::MAX as i32 {
        i16::MAX
    } else if x < i16::MIN as i32 {
        i16::MIN
    } else {
        x as i16
    }
}

/// `x / 2^n`, rounded half up, for n up to 62. The caller sees to it that `x + 2^(n-1)` is an i64.
#[inline]
pub(crate) const fn rshift64(x: i64, n: u8) -> i64 {
    x.wrapping_add((1_i64.wrapping_shl(n as u32)) >> 1).wrapping_shr(n as u32)
}

/// The f32 with these bits, rounded half up to a multiple of `2^-fraction`; saturates, at infinity and not-a-number too.
pub(crate) fn of_f32_bits(bits: u32, fraction: i8) -> i32 {
    let exponent = (bits >> 23 & 0xff).cast_signed();
    let implicit = if exponent == 0 { 0 } else { 1 << 23 };
    let magnitude = (bits & 0x7f_ffff | implicit).cast_signed();
    let signed = if bits >> 31 == 0 { magnitude } else { magnitude.wrapping_neg() };
    // The number is magnitude 2^(exponent - 150).
    let shift = exponent.max(1).wrapping_sub(150).wrapping_add(fraction.into());
    match shift {
        // Less than half of the step.
        ..-24 => 0,
        -24..=0 => rshift(signed, shift.unsigned_abs() as u8),
        1..=7 => signed.wrapping_shl(shift.unsigned_abs()),
        8.. if magnitude == 0 => 0,
        8.. if signed < 0 => i32::MIN,
        8.. => i32::MAX,
    }
}

/// `clamp(x, -limit, limit)` of the f32 x with these bits, rounded half up to a multiple of `2^-fraction`. No branches, so
/// that a loop over a row becomes vectors where there are some.
#[inline(always)]
pub(crate) fn clamped_of_f32_bits(bits: u32, fraction: i8, limit: u16) -> i16 {
    let exponent = (bits >> 23 & 0xff).cast_signed();
    let magnitude = (bits & 0x7f_ffff).cast_signed() | i32::from(exponent != 0) << 23;
    let shift = exponent.max(1).wrapping_sub(150).wrapping_add(fraction.into());
    // 24 bits: shifted by 7 or more, what has the highest of them is beyond every limit; subnormals, which lack it, are
    // never shifted to the left.
    clamped(magnitude, bits >> 31 != 0, shift, 7, limit)
}

/// [`clamped_of_f32_bits`] of a half.
#[inline(always)]
pub(crate) fn clamped_of_half(half: u16, fraction: i8, limit: u16) -> i16 {
    let exponent = i32::from(half >> 10 & 31);
    let magnitude = i32::from(half & 0x3ff) | i32::from(exponent != 0) << 10;
    let shift = exponent.max(1).wrapping_sub(25).wrapping_add(fraction.into());
    // 11 bits.
    clamped(magnitude, half >> 15 != 0, shift, 20, limit)
}

/// [`clamped_of_half`] of a row's halves, by fewer instructions where that is a shift to the right: of most of them.
#[cfg(any(test, din_dsp, din_thumb))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Halves {
    fraction: i8,
    limit: u16,
    /// The exponent that no shift is needed of.
    pub unshifted: i32,
    /// The exponents of such halves.
    pub first: i32,
    pub count: u32,
}

#[cfg(any(test, din_dsp, din_thumb))]
impl Halves {
    /// Rounded to a multiple of `2^-fraction`.
    pub fn new(fraction: i8, limit: u16) -> Self {
        // Of an exponent e the shift is by 25 - fraction - e: at least 0, below 32, and so much that eleven bits, rounded up,
        // are within the limit.
        let unshifted = 25_i32.wrapping_sub(fraction.into());
        let bits = 16_i32.wrapping_sub(limit.leading_zeros().cast_signed());
        let last = unshifted.wrapping_sub(12_i32.wrapping_sub(bits).max(0));
        let first = unshifted.wrapping_sub(31).max(1);
        let count = last.wrapping_sub(first).wrapping_add(1).max(0).cast_unsigned();
        Self { fraction, limit, unshifted, first, count }
    }

    /// Of a finite half.
    #[cfg(any(test, din_thumb))]
    #[inline(always)]
    pub fn round(&self, half: u16) -> i16 {
        let exponent = i32::from(half >> 10 & 31);
        if exponent.wrapping_sub(self.first).cast_unsigned() >= self.count {
            return self.clamped(half);
        }
        let (twice, sign) = (i32::from(half & 0x3ff) << 1 | 1 << 11, i32::from(half.cast_signed()) >> 15);
        let signed = (twice ^ sign).wrapping_sub(sign);
        let right = self.unshifted.wrapping_sub(exponent).cast_unsigned();
        (signed.wrapping_shr(right).wrapping_add(1) >> 1) as i16
    }

    /// Of a half that needs more than a shift to the right.
    #[cfg_attr(din_thumb, inline(never))] // apart, for the registers of the others
    pub fn clamped(&self, half: u16) -> i16 {
        clamped_of_half(half, self.fraction, self.limit)
    }
}

/// `clamp(magnitude 2^shift, limit)` with its sign; shifts to the left by `most`, or more, leave every limit behind.
#[cfg_attr(din_choice, inline(always))] // where there may be vectors
fn clamped(magnitude: i32, is_negative: bool, shift: i32, most: i32, limit: u16) -> i16 {
    let sign = i32::from(is_negative).wrapping_neg();
    let signed = (magnitude ^ sign).wrapping_sub(sign);
    // From 25 on less than half of the step is left.
    let right = shift.wrapping_neg().clamp(0, 31).cast_unsigned();
    let half = 1_i32.wrapping_shl(right).cast_unsigned() >> 1;
    let rounded = signed.wrapping_add(half.cast_signed()).wrapping_shr(right);
    let limit = i32::from(limit);
    let scaled = rounded.wrapping_shl(shift.clamp(0, most).cast_unsigned());
    // At most 32767, so that the narrowing loses nothing.
    scaled.clamp(limit.wrapping_neg(), limit) as i16
}

/// Whether a number is neither infinite nor not-a-number, without an instruction of floating point.
pub(crate) const fn is_finite(number: f32) -> bool {
    number.to_bits() & 0x7f80_0000 != 0x7f80_0000
}

/// The bits of the f32 with the value of a half; exact.
pub(crate) const fn f32_bits_of_half(half: u16) -> u32 {
    let sign = (half as u32 & 0x8000) << 16;
    let (exponent, mantissa) = (half as u32 >> 10 & 31, half as u32 & 0x3ff);
    let magnitude = match (exponent, mantissa) {
        (0, 0) => 0,
        (0, _) => {
            // Subnormal, mantissa 2^-24: its highest bit becomes the implicit one.
            let highest = 31_u32.wrapping_sub(mantissa.leading_zeros());
            let rest = mantissa << 23_u32.wrapping_sub(highest) & 0x7f_ffff;
            (highest.wrapping_add(127 - 24) << 23) | rest
        }
        (31, _) => 0xff << 23 | mantissa << 13,
        _ => (exponent.wrapping_add(127 - 15) << 23) | mantissa << 13,
    };
    sign | magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_half_up_on_both_sides_of_zero() {
        assert_eq!([3, 2, 1, 0, -1, -2, -3].map(|x| rshift(x, 1)), [2, 1, 1, 0, 0, -1, -1]);
        assert_eq!([rshift(-7, 0), rshift(1 << 29, 30), rshift(-(1 << 29) - 1, 30)], [-7, 1, -1]);
        assert_eq!([sat16(40_000), sat16(-40_000), sat16(-3)], [32_767, -32_768, -3]);
    }

    #[test]
    fn clamped_floats_and_halves_are_the_rounded_ones_within_the_limit() {
        let mut bits = 1_u32;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(0x9e37_79b1).wrapping_add(0x85eb_ca6b);
            for fraction in [-128, -40, -8, 0, 3, 11, 16, 40, 127] {
                for limit in [32_767_u16, 4096, 1] {
                    let within = |x: i32| x.clamp(-i32::from(limit), limit.into()) as i16;
                    if f32::from_bits(bits).is_finite() {
                        let expected = within(of_f32_bits(bits, fraction));
                        assert_eq!(
                            clamped_of_f32_bits(bits, fraction, limit),
                            expected,
                            "{bits:#x} {fraction}"
                        );
                    }
                    let half = (bits >> 16) as u16;
                    if half >> 10 & 31 != 31 {
                        let expected = within(of_f32_bits(f32_bits_of_half(half), fraction));
                        assert_eq!(clamped_of_half(half, fraction, limit), expected, "{half:#x} {fraction}");
                    }
                }
            }
        }
    }

    #[test]
    fn finite_is_what_the_standard_library_says() {
        let exponents =
            (0..=0xff_u32).flat_map(|exponent| [0, 1, 0x7f_ffff].map(|rest| exponent << 23 | rest));
        for bits in exponents.flat_map(|bits| [bits, bits | 1 << 31]) {
            let number = f32::from_bits(bits);
            assert_eq!(is_finite(number), number.is_finite(), "{bits:#x}");
        }
    }

    #[test]
    fn every_finite_half_has_the_f32_of_its_value() {
        for half in 0..=u16::MAX {
            let (exponent, mantissa) = (i32::from(half >> 10 & 31), f64::from(half & 0x3ff));
            if exponent == 31 {
                assert!(!f32::from_bits(f32_bits_of_half(half)).is_finite());
                continue;
            }
            let magnitude = match exponent {
                0 => mantissa * 2.0_f64.powi(-24),
                _ => (1024.0 + mantissa) * 2.0_f64.powi(exponent - 25),
            };
            let value = if half & 0x8000 == 0 { magnitude } else { -magnitude };
            assert_eq!(f32_bits_of_half(half), (value as f32).to_bits(), "{half:#06x}");
        }
    }

    #[test]
    fn every_half_rounds_alike_by_fewer_instructions() {
        for (fraction, limit) in [-128, -20, -7, -6, 0, 4, 9, 12, 14, 15, 24, 25, 40, 127]
            .into_iter()
            .flat_map(|fraction| [1, 15, 16, 2047, 2048, 4095, 32_767].map(|limit| (fraction, limit)))
        {
            let halves = Halves::new(fraction, limit);
            for half in (0..=u16::MAX).filter(|half| half >> 10 & 31 != 31) {
                let expected = clamped_of_half(half, fraction, limit);
                assert_eq!(halves.round(half), expected, "{half:#x} {fraction} {limit}");
            }
        }
    }

    #[test]
    fn floats_become_the_nearest_step_half_up() {
        let mut bits = 1_u32;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(0x9e37_79b1).wrapping_add(0x85eb_ca6b);
            let value = f64::from(f32::from_bits(bits));
            for fraction in [-40, -8, 0, 3, 16, 40] {
                let expected = (value * 2.0_f64.powi(fraction.into()) + 0.5).floor();
                if value.is_finite() {
                    assert_eq!(of_f32_bits(bits, fraction), expected as i32, "{value:e} {fraction}");
                }
            }
        }
        assert_eq!(of_f32_bits(0, 127), 0);
        assert_eq!(of_f32_bits((-0.0_f32).to_bits(), 127), 0);
        assert_eq!(of_f32_bits(0.5_f32.to_bits(), 0), 1);
        assert_eq!(of_f32_bits((-0.5_f32).to_bits(), 0), 0);
    }
}
