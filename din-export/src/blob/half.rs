//! f32 to IEEE half precision.

/// The nearest half, ties to even; `None` where it would be infinite, from 65520 on, or where the number is not finite.
///
/// Below 2^-14 halves are subnormal: steps of 2^-24.
#[must_use]
pub fn half(value: f32) -> Option<u16> {
    let sign = ((value.to_bits() >> 16) & 0x8000) as u16;
    let magnitude = f64::from(value.abs());
    if !magnitude.is_finite() {
        return None;
    }
    // The step of halves near the number: f64 holds every quotient exactly, so one rounding happens.
    let exponent = if magnitude < 2.0_f64.powi(-14) { -14 } else { magnitude.log2().floor() as i32 };
    let steps = (magnitude * 2.0_f64.powi(10 - exponent)).round_ties_even() as i64;
    // A carry out of the mantissa lands in the exponent, as it should.
    let bits = i64::from(exponent + 14) * 1024 + steps;
    let bits = u16::try_from(bits).ok()?;
    (bits < 0x7c00).then_some(sign | bits)
}

/// What a half stands for.
#[must_use]
pub fn from_half(half: u16) -> f32 {
    let (exponent, mantissa) = (i32::from(half >> 10) & 31, f32::from(half & 1023));
    let magnitude = match exponent {
        0 => mantissa * 2.0_f32.powi(-24),
        31 => f32::INFINITY,
        _ => (1024.0 + mantissa) * 2.0_f32.powi(exponent - 25),
    };
    if half & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back() {
        for bits in (0..0x7c00_u16).chain(0x8000..0xfc00) {
            assert_eq!(half(from_half(bits)), Some(bits), "{bits:#06x}");
        }
    }

    #[test]
    fn midpoints_go_to_the_even_half_and_others_to_the_nearest() {
        for bits in 0..0x7bff_u16 {
            let (low, high) = (from_half(bits), from_half(bits + 1));
            let middle = (low + high) / 2.0;
            assert_eq!(half(middle), Some(bits + (bits & 1)), "{bits:#06x}");
            assert_eq!(half(middle.next_up()), Some(bits + 1), "{bits:#06x}");
            assert_eq!(half(middle.next_down()), Some(bits), "{bits:#06x}");
        }
    }

    #[test]
    fn what_would_be_infinite_is_refused() {
        assert_eq!(half(65504.0), Some(0x7bff));
        assert_eq!(half(65519.9), Some(0x7bff));
        assert_eq!(half(-65520.0), None);
        assert_eq!(half(f32::NAN), None);
        assert_eq!(half(1e-9), Some(0));
    }
}
