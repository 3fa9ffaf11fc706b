//! The curved functions of the integer path, by quadratics over equal segments. `tests/reference/fixed_tables.py` fits
//! the tables: least largest error in each segment.

use super::rshift;

/// `a + u (b + c u)`, `u` in [0, 2^14) for [0, 1): the rows are Q20, small enough that no product leaves 32 bits.
const fn quadratic([a, b, c]: [i32; 3], u: u32) -> i32 {
    let u = u.cast_signed();
    a.wrapping_add(rshift(u.wrapping_mul(b.wrapping_add(rshift(c.wrapping_mul(u), 14))), 14))
}

fn row<const N: usize>(table: &[[i32; 3]; N], segment: u32) -> [i32; 3] {
    table.get(segment as usize).copied().unwrap_or_default()
}

/// `1 / (1 + exp(-z))`: `z` in Q3.12, all of [-8, 8); the result in Q15, 10 to 32757, and
/// `sigmoid(-1 - z) = 32767 - sigmoid(z)`.
///
/// 16 segments of 1/2 for the magnitude, the other half by symmetry. Largest absolute error over all 65536 arguments:
/// 1.1e-4 (3.6 steps of the result), measured by `sigmoid_stays_within_its_error_bound`.
#[must_use]
#[inline]
pub fn sigmoid(z: i16) -> i16 {
    let z = i32::from(z);
    let s = z ^ z >> 31;
    // The magnitude has fifteen bits: four for the segment, eleven for u.
    let [a, b, c, _] = SEGMENTS.get((s >> 11).cast_unsigned() as usize & 15).copied().unwrap_or_default();
    let u = s & 2047;
    let slope = b.wrapping_add(c.wrapping_mul(u)) >> 16;
    let y = a.wrapping_add(slope.wrapping_mul(u));
    // Of y - 16384 what follows from the symmetry is all bits flipped.
    ((y ^ z >> 31) >> 11).wrapping_add(HALF) as i16
}

/// The click probability of a logit in Q16.16: the result in Q16, so `score / 65536`; the largest is 65535 / 65536.
///
/// 64 segments of 1/4 for the magnitude; from 16 on the result is 0 or 65535. Largest absolute error over all
/// arguments: 1.9e-5, measured by `score_stays_within_its_error_bound`.
#[must_use]
pub fn score(logit: i32) -> u16 {
    let magnitude = logit.unsigned_abs();
    let y = if magnitude < 16 << 16 {
        quadratic(row(&SCORE, magnitude >> 14), magnitude & 0x3fff)
    } else {
        1 << 20
    };
    let y = if logit < 0 { (1_i32 << 20).wrapping_sub(y) } else { y };
    u16::try_from(rshift(y, 4)).unwrap_or(u16::MAX)
}

/// `exp(-x 2^-fraction)` in Q15, 0 to 32768: the result is 32768 at 0 and does not rise.
///
/// `2^-n 2^-r`, 8 segments for r in [0, 1). Largest absolute error 2.2e-5 for x up to 65535 and fractions -12 to 24,
/// measured by `exp_stays_within_its_error_bound`.
#[must_use]
pub fn exp_of_minus(x: u16, fraction: i8) -> u32 {
    const LOG2_E: u64 = 24_204_406; // Q24
    if x == 0 {
        return 1 << 15;
    }
    let scaled = u64::from(x).wrapping_mul(LOG2_E);
    // To Q17. Shifted by 63, and at least 2^20 where shifted the other way by more, nothing is left to compute.
    let y = match i32::from(fraction).saturating_add(7) {
        shift @ 1..=62 => (scaled >> (shift.unsigned_abs().wrapping_sub(1))).wrapping_add(1) >> 1,
        63.. => 0,
        shift @ -16..=0 => scaled << shift.unsigned_abs(),
        _ => return 0,
    };
    let n = y >> 17;
    if n > 16 {
        return 0;
    }
    let y = y as u32;
    // At most Q20's 1, and so 32768.
    rshift(quadratic(row(&EXP2, (y >> 14) & 7), y & 0x3fff), (n as u8).wrapping_add(5)).cast_unsigned()
}

/// `sign(t) ln(1 + |t|)`, argument and result in Q16.16.
///
/// 16 segments for the mantissa. Largest absolute error 1.4e-5 (0.9 steps) over all arguments, measured by
/// `log1p_stays_within_its_error_bound`.
#[must_use]
pub fn log1p(t: i32) -> i32 {
    const LN_2: i32 = 11_629_080; // Q24
    // At most 2^31 + 2^16.
    let shifted = t.unsigned_abs().wrapping_add(1 << 16);
    let zeros = shifted.leading_zeros();
    // The highest bit is bit 16 to 31.
    let exponent = 15_u32.wrapping_sub(zeros).cast_signed();
    let mantissa = shifted.wrapping_shl(zeros);
    let ln = quadratic(row(&LN, (mantissa >> 27) & 15), (mantissa >> 13) & 0x3fff);
    let magnitude = rshift(ln.wrapping_add(rshift(exponent.wrapping_mul(LN_2), 4)), 4);
    if t < 0 { magnitude.wrapping_neg() } else { magnitude }
}

/// Q15, `u` in Q15.
pub(crate) const SIGMOID: [[i32; 3]; 16] = [
    [16_382, 4141, -123],
    [20_396, 3877, -316],
    [23_955, 3229, -394],
    [26_791, 2433, -363],
    [28_863, 1703, -285],
    [30_283, 1132, -202],
    [31_214, 728, -135],
    [31_808, 456, -86],
    [32_178, 287, -58],
    [32_408, 174, -34],
    [32_548, 108, -22],
    [32_635, 60, -8],
    [32_687, 40, -9],
    [32_718, 24, -4],
    [32_738, 15, -4],
    [32_749, 9, -1],
];

/// A half in Q15.
pub(crate) const HALF: i32 = 1 << 14;

/// Of each segment of [`SIGMOID`] `2^11 (a - HALF) + 2^10`, `2^16 b + 2^15`, `2^5 c` and `2^11 HALF`. With u in eleven bits
/// `rshift` by 15 is one by 11, and the rounding constants of both shifts are in there; the slope is the high half of what
/// is computed first, where instructions that multiply halves find it.
pub(crate) static SEGMENTS: [[i32; 4]; 16] = {
    let mut segments = [[0; 4]; 16];
    let mut index = 0;
    while index < 16 {
        #[allow(clippy::indexing_slicing)] // in a constant
        let ([a, b, c], segment) = (SIGMOID[index], &mut segments[index]);
        *segment = [((a - HALF) << 11) + (1 << 10), (b << 16) + (1 << 15), c << 5, HALF << 11];
        index += 1;
    }
    segments
};

/// sigmoid on [0, 16).
const SCORE: [[i32; 3]; 64] = [
    [524_278, 65_725, -508],
    [589_476, 64_691, -1462],
    [652_689, 61_735, -2246],
    [712_166, 57_202, -2794],
    [766_569, 51_576, -3085],
    [815_058, 45_373, -3143],
    [857_291, 39_063, -3019],
    [893_340, 33_011, -2771],
    [923_586, 27_461, -2456],
    [948_598, 22_548, -2117],
    [969_036, 18_317, -1786],
    [985_574, 14_750, -1480],
    [998_849, 11_795, -1211],
    [1_009_438, 9379, -980],
    [1_017_842, 7425, -786],
    [1_024_484, 5858, -627],
    [1_029_717, 4608, -497],
    [1_033_830, 3617, -393],
    [1_037_056, 2834, -309],
    [1_039_582, 2218, -243],
    [1_041_559, 1734, -191],
    [1_043_103, 1354, -149],
    [1_044_308, 1057, -117],
    [1_045_249, 825, -91],
    [1_045_983, 643, -71],
    [1_046_556, 501, -56],
    [1_047_002, 391, -43],
    [1_047_350, 305, -34],
    [1_047_621, 237, -26],
    [1_047_832, 185, -21],
    [1_047_996, 144, -16],
    [1_048_125, 112, -12],
    [1_048_224, 87, -10],
    [1_048_302, 68, -8],
    [1_048_363, 53, -6],
    [1_048_410, 41, -5],
    [1_048_447, 32, -4],
    [1_048_475, 25, -3],
    [1_048_498, 20, -2],
    [1_048_515, 15, -2],
    [1_048_528, 12, -1],
    [1_048_539, 9, -1],
    [1_048_547, 7, -1],
    [1_048_554, 6, -1],
    [1_048_558, 4, 0],
    [1_048_562, 3, 0],
    [1_048_565, 3, 0],
    [1_048_568, 2, 0],
    [1_048_570, 2, 0],
    [1_048_571, 1, 0],
    [1_048_572, 1, 0],
    [1_048_573, 1, 0],
    [1_048_574, 1, 0],
    [1_048_574, 0, 0],
    [1_048_575, 0, 0],
    [1_048_575, 0, 0],
    [1_048_575, 0, 0],
    [1_048_575, 0, 0],
    [1_048_575, 0, 0],
    [1_048_576, 0, 0],
    [1_048_576, 0, 0],
    [1_048_576, 0, 0],
    [1_048_576, 0, 0],
    [1_048_576, 0, 0],
];

/// `2^-r` on [0, 1).
const EXP2: [[i32; 3]; 8] = [
    [1_048_573, -90_791, 3770],
    [961_545, -83_255, 3457],
    [881_741, -76_345, 3170],
    [808_560, -70_009, 2907],
    [741_453, -64_199, 2666],
    [679_915, -58_870, 2444],
    [623_485, -53_984, 2242],
    [571_738, -49_504, 2055],
];

/// `ln(1 + r)` on [0, 1).
const LN: [[i32; 3]; 16] = [
    [2, 65_492, -1927],
    [63_572, 61_644, -1713],
    [123_506, 58_223, -1533],
    [180_200, 55_161, -1379],
    [233_984, 52_406, -1248],
    [285_144, 49_912, -1135],
    [333_924, 47_645, -1036],
    [380_535, 45_575, -950],
    [425_162, 43_677, -874],
    [467_967, 41_931, -806],
    [509_092, 40_319, -747],
    [548_666, 38_827, -693],
    [586_800, 37_441, -646],
    [623_596, 36_150, -603],
    [659_144, 34_946, -564],
    [693_527, 33_819, -528],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn real_sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + libm::exp(-x))
    }

    fn worst(errors: impl Iterator<Item = f64>) -> f64 {
        errors.fold(0.0, |worst, error| worst.max(error.abs()))
    }

    #[test]
    fn sigmoid_stays_within_its_error_bound() {
        let all = i16::MIN..=i16::MAX;
        let error = |z: i16| f64::from(sigmoid(z)) / 32768.0 - real_sigmoid(f64::from(z) / 4096.0);
        let worst = worst(all.clone().map(error));
        assert!(worst < 1.1e-4, "{worst:e}");
        assert!(all.clone().all(|z| i32::from(sigmoid(!z)) == 32767 - i32::from(sigmoid(z))));
        assert_eq!([i16::MIN, i16::MAX].map(sigmoid), [10, 32757]);
    }

    #[test]
    fn score_stays_within_its_error_bound() {
        let near = (-20 << 16..20 << 16).step_by(3).chain([i32::MIN, i32::MAX, 0, -1]);
        let worst = worst(
            near.map(|logit| f64::from(score(logit)) / 65536.0 - real_sigmoid(f64::from(logit) / 65536.0)),
        );
        assert!(worst < 1.9e-5, "{worst:e}");
        assert_eq!([i32::MIN, -20 << 16, 20 << 16, i32::MAX].map(score), [0, 0, 65535, 65535]);
    }

    #[test]
    fn exp_stays_within_its_error_bound() {
        let mut largest = 0.0_f64;
        for fraction in -12..=24_i8 {
            let unit = 2.0_f64.powi(-i32::from(fraction));
            let error =
                |x: u16| f64::from(exp_of_minus(x, fraction)) / 32768.0 - libm::exp(-f64::from(x) * unit);
            largest = largest.max(worst((0..=u16::MAX).map(error)));
            assert!((1..=u16::MAX).all(|x| exp_of_minus(x, fraction) <= exp_of_minus(x - 1, fraction)));
        }
        assert!(largest < 2.2e-5, "{largest:e}");
        assert_eq!(
            [-128, -24, -23, 57, 127].map(|fraction| exp_of_minus(1, fraction)),
            [0, 0, 0, 32768, 32768]
        );
    }

    #[test]
    fn log1p_stays_within_its_error_bound() {
        let all = (i32::MIN..=i32::MAX).step_by(1009).chain(-200_000..200_000).chain([i32::MAX]);
        let worst = worst(all.map(|t| {
            let x = f64::from(t) / 65536.0;
            f64::from(log1p(t)) / 65536.0 - libm::copysign(libm::log1p(x.abs()), x)
        }));
        assert!(worst < 1.4e-5, "{worst:e}");
        assert_eq!(log1p(0), 0);
    }
}
