//! AVX2, FMA and F16C.

use super::products::Strip;
use super::{EXP2, Vector, products};
use crate::bytes::F32s;
use crate::kernels::{Finish, Matrix, OwnMatrix, Rows, Start, portable};
use core::arch::x86_64::*;

/// Numbers in a vector.
const LANES: usize = 8;

/// See [`Kernel::product`](crate::kernels::Kernel::product).
pub(in super::super) fn product(x: &[f32], w: Matrix<'_>, start: Start<'_>, finish: Finish, out: Rows<'_>) {
    // SAFETY: the processor has AVX2 and FMA (see the module).
    unsafe { products::product::<__m256>(x, w, start, finish, out) };
}

/// See [`Kernel::own_product`](crate::kernels::Kernel::own_product).
pub(in super::super) fn own_product(
    x: &[f32],
    own: OwnMatrix<'_>,
    panel: &mut [f32],
    start: Start<'_>,
    finish: Finish,
    out: Rows<'_>,
) {
    // SAFETY: the processor has AVX2 and FMA (see the module).
    unsafe { products::own_product::<__m256>(x, own, panel, start, finish, out) };
}

impl Vector for __m256 {
    const LANES: usize = LANES;
    type Mask = __m256i;
    type Narrow = __m256;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: as of the caller, here and below.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn all(number: f32) -> Self {
        unsafe { _mm256_set1_ps(number) }
    }

    #[inline(always)]
    unsafe fn mask(count: usize) -> __m256i {
        unsafe { tail_mask(count) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_some(from: *const f32, mask: __m256i) -> Self {
        unsafe { _mm256_maskload_ps(from, mask) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, mask: __m256i) {
        unsafe { _mm256_maskstore_ps(to, mask, self) }
    }

    #[inline(always)]
    unsafe fn plus_product(self, x: Self, y: Self) -> Self {
        unsafe { _mm256_fmadd_ps(x, y, self) }
    }

    #[inline(always)]
    unsafe fn sigmoid(self) -> Self {
        unsafe { sigmoid_of(self) }
    }

    /// Two vectors, the last strip of three where their number is odd. Wider strips of fewer rows were measured slower:
    /// they read more of a panel for each product. A single row takes wide strips.
    fn strip_width(left: usize, rows: usize) -> usize {
        match (rows, left) {
            (1, _) => left.min(12),
            (_, 3) => 3,
            _ => left.min(2),
        }
    }

    /// At least eight sums keep the multipliers busy (two a cycle, four cycles each), and twelve, with two weights and
    /// one input, are all that sixteen registers hold.
    fn block_height(vectors: usize) -> usize {
        match vectors {
            1 => 8,
            2 => 6,
            3 => 3,
            _ => 1,
        }
    }

    #[inline(always)]
    unsafe fn tile<const SIGMOID: bool, const OWN: bool>(strip: &Strip<Self>, height: usize, vectors: usize) {
        super::tile_by_shape!(
            tile::<SIGMOID, OWN>(strip, height, vectors);
            (1, 1) (2, 1) (3, 1) (4, 1) (5, 1) (6, 1) (7, 1) (8, 1)
            (1, 2) (2, 2) (3, 2) (4, 2) (5, 2) (6, 2)
            (1, 3) (2, 3) (3, 3)
            (1, 4) (1, 5) (1, 6) (1, 7) (1, 8) (1, 9) (1, 10) (1, 11) (1, 12)
        );
    }
}

/// A function of its own, or the compiler spills the sums of one height for the sake of another.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const R: usize, const V: usize, const SIGMOID: bool, const OWN: bool>(strip: &Strip<__m256>) {
    // SAFETY: as of the caller.
    unsafe { strip.tile_of::<R, V, SIGMOID, OWN>() };
}

/// The first `count` lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn tail_mask(count: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
}

/// See [`Kernel::dots`](crate::kernels::Kernel::dots).
pub(in super::super) fn dots(x: &[f32], w: F32s<'_>, out: &mut [f32]) {
    // SAFETY: the processor has AVX2 and FMA (see the module).
    unsafe { dots_avx2(x, w, out) };
}

#[target_feature(enable = "avx2,fma")]
fn dots_avx2(x: &[f32], w: F32s<'_>, out: &mut [f32]) {
    let inputs = w.0.len() / 4;
    let (vectors, tail) = (inputs / LANES, inputs % LANES);
    let mask = tail_mask(tail);
    let weights = w.0.as_ptr().cast::<f32>();
    for (x, out) in x.chunks_exact(inputs.max(1)).zip(out) {
        let mut sum = _mm256_setzero_ps();
        // SAFETY: `x` and `w` hold `vectors * LANES + tail` numbers each.
        unsafe {
            for v in 0..vectors {
                let x = _mm256_loadu_ps(x.as_ptr().add(v * LANES));
                sum = _mm256_fmadd_ps(x, _mm256_loadu_ps(weights.add(v * LANES)), sum);
            }
            if tail > 0 {
                let x = _mm256_maskload_ps(x.as_ptr().add(vectors * LANES), mask);
                sum = _mm256_fmadd_ps(x, _mm256_maskload_ps(weights.add(vectors * LANES), mask), sum);
            }
        }
        let lanes = to_array(sum);
        let [a, b, c, d, e, f, g, h] = lanes;
        *out += ((a + e) + (b + f)) + ((c + g) + (d + h));
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn to_array(vector: __m256) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    // SAFETY: eight numbers of room.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), vector) };
    lanes
}

/// `1 / (1 + exp(-x))`; not-a-number counts as a large argument of its sign.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn sigmoid_of(x: __m256) -> __m256 {
    _mm256_div_ps(_mm256_set1_ps(1.0), one_plus_exp_of_minus(x))
}

/// `1 + 2^n 2^r` with `n + r = -x log2(e)`, `|r| <= 1/2`, and a polynomial of degree 5 for `2^r` (largest relative error
/// 1.1e-7 without its roundings). Arguments are clamped to [-87, 87], as integers: the float instructions for it wait for
/// the units that multiply.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn one_plus_exp_of_minus(x: __m256) -> __m256 {
    let constant = |number: f32| _mm256_set1_ps(number);
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
    let round = constant(12_582_912.0);
    let minus_log2_e = constant(-core::f32::consts::LOG2_E);
    let bits = |number: f32| _mm256_set1_epi32(number.to_bits().cast_signed());
    // Signed, negative numbers are less than every positive one; unsigned, greater, and the greater the larger.
    let x = _mm256_min_epi32(_mm256_castps_si256(x), bits(87.0));
    let x = _mm256_castsi256_ps(_mm256_min_epu32(x, bits(-87.0)));
    let shifted = _mm256_fmadd_ps(x, minus_log2_e, round);
    let n = _mm256_sub_ps(shifted, round);
    let r = _mm256_fmsub_ps(x, minus_log2_e, n);
    let [highest, rest @ ..] = EXP2;
    let mut power = constant(highest);
    for coefficient in rest {
        power = _mm256_fmadd_ps(power, r, constant(coefficient));
    }
    let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(shifted));
    let power = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(power), exponent));
    _mm256_add_ps(constant(1.0), power)
}

/// See [`Kernel::widen`](crate::kernels::Kernel::widen).
pub(in super::super) fn widen(row: &[u8], out: &mut [f32]) {
    let (halves, rest) = row.as_chunks::<{ 2 * LANES }>();
    let (numbers, rest_numbers) = out.split_at_mut((halves.len() * LANES).min(out.len()));
    for (halves, numbers) in halves.iter().zip(numbers.as_chunks_mut::<LANES>().0) {
        // SAFETY: the processor has F16C (see the module).
        unsafe { widen_eight(halves, numbers) };
    }
    portable::widen(rest, rest_numbers);
}

#[target_feature(enable = "avx2,f16c")]
fn widen_eight(halves: &[u8; 2 * LANES], numbers: &mut [f32; LANES]) {
    // SAFETY: eight numbers each.
    unsafe {
        _mm256_storeu_ps(numbers.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(halves.as_ptr().cast())));
    }
}

/// See [`Kernel::dice`](crate::kernels::Kernel::dice).
pub(in super::super) fn dice(row: &mut [f32], a: F32s<'_>, b: F32s<'_>, alpha: F32s<'_>) {
    let len = row.len().min(a.0.len() / 4).min(b.0.len() / 4).min(alpha.0.len() / 4);
    // SAFETY: the processor has AVX2 and FMA (see the module).
    unsafe { dice_avx2(row.get_mut(..len).unwrap_or_default(), a, b, alpha) };
}

#[target_feature(enable = "avx2,fma")]
fn dice_avx2(row: &mut [f32], a: F32s<'_>, b: F32s<'_>, alpha: F32s<'_>) {
    let [a, b, alpha] = [a, b, alpha].map(|numbers| numbers.0.as_ptr().cast::<f32>());
    let one = _mm256_set1_ps(1.0);
    let slope = |s: __m256, a: __m256, b: __m256, alpha: __m256| {
        let p = sigmoid_of(_mm256_fmadd_ps(a, s, b));
        // s (alpha + (1 - alpha) p)
        _mm256_mul_ps(s, _mm256_fnmadd_ps(alpha, _mm256_sub_ps(p, one), p))
    };
    let whole = row.len() - row.len() % LANES;
    let mask = tail_mask(row.len() - whole);
    let out = row.as_mut_ptr();
    // SAFETY: every run holds as many numbers as `row`, and the mask lets no more through.
    unsafe {
        for start in (0..whole).step_by(LANES) {
            let load = |from: *const f32| _mm256_loadu_ps(from.add(start));
            _mm256_storeu_ps(out.add(start), slope(load(out), load(a), load(b), load(alpha)));
        }
        if whole < row.len() {
            let load = |from: *const f32| _mm256_maskload_ps(from.add(whole), mask);
            _mm256_maskstore_ps(out.add(whole), mask, slope(load(out), load(a), load(b), load(alpha)));
        }
    }
}
