//! AVX-512 (F, BW, DQ, VL), with AVX2, FMA and F16C.

use super::products::Strip;
use super::{EXP2, Vector, products};
use crate::kernels::{Finish, Matrix, OwnMatrix, Rows, Start};
use core::arch::x86_64::*;

/// Numbers in a vector.
const LANES: usize = 16;

/// See [`Kernel::product`](crate::kernels::Kernel::product).
pub(in super::super) fn product(x: &[f32], w: Matrix<'_>, start: Start<'_>, finish: Finish, out: Rows<'_>) {
    // SAFETY: the processor has AVX-512 (see the module).
    unsafe { products::product::<__m512>(x, w, start, finish, out) };
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
    // SAFETY: the processor has AVX-512 (see the module).
    unsafe { products::own_product::<__m512>(x, own, panel, start, finish, out) };
}

impl Vector for __m512 {
    const LANES: usize = LANES;
    type Mask = __mmask16;
    type Narrow = __m256;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: as of the caller, here and below.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn all(number: f32) -> Self {
        unsafe { _mm512_set1_ps(number) }
    }

    #[inline(always)]
    unsafe fn mask(count: usize) -> __mmask16 {
        ((1_u32 << count) - 1) as u16
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_some(from: *const f32, mask: __mmask16) -> Self {
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, mask: __mmask16) {
        unsafe { _mm512_mask_storeu_ps(to, mask, self) }
    }

    #[inline(always)]
    unsafe fn plus_product(self, x: Self, y: Self) -> Self {
        unsafe { _mm512_fmadd_ps(x, y, self) }
    }

    #[inline(always)]
    unsafe fn sigmoid(self) -> Self {
        unsafe { sigmoid_of(self) }
    }

    /// Two vectors, or three where they would leave one over.
    fn strip_width(left: usize, rows: usize) -> usize {
        match (rows, left) {
            (1 | 2, _) => left.min(8),
            (_, 3) => 3,
            _ => left.min(2),
        }
    }

    /// At most 24 sums: with three weights and what the compiler wants for inputs, 32 registers hold them.
    fn block_height(vectors: usize) -> usize {
        match vectors {
            1 => 16,
            2 => 12,
            3 => 8,
            _ => 2,
        }
    }

    #[inline(always)]
    unsafe fn tile<const SIGMOID: bool, const OWN: bool>(strip: &Strip<Self>, height: usize, vectors: usize) {
        super::tile_by_shape!(
            tile::<SIGMOID, OWN>(strip, height, vectors);
            (1, 1) (2, 1) (3, 1) (4, 1) (5, 1) (6, 1) (7, 1) (8, 1)
            (9, 1) (10, 1) (11, 1) (12, 1) (13, 1) (14, 1) (15, 1) (16, 1)
            (1, 2) (2, 2) (3, 2) (4, 2) (5, 2) (6, 2) (7, 2) (8, 2) (9, 2) (10, 2) (11, 2) (12, 2)
            (1, 3) (2, 3) (3, 3) (4, 3) (5, 3) (6, 3) (7, 3) (8, 3)
            (1, 4) (2, 4) (1, 5) (2, 5) (1, 6) (2, 6) (1, 7) (2, 7) (1, 8) (2, 8)
        );
    }
}

/// A function of its own, or the compiler spills the sums of one height for the sake of another.
#[inline(never)]
#[target_feature(enable = "avx512f")]
unsafe fn tile<const R: usize, const V: usize, const SIGMOID: bool, const OWN: bool>(strip: &Strip<__m512>) {
    // SAFETY: as of the caller.
    unsafe { strip.tile_of::<R, V, SIGMOID, OWN>() };
}

/// `1 / (1 + exp(-x))` with `exp(-x) = 2^n 2^r`, `n + r = -x log2(e)`, `|r| <= 1/2`, a polynomial of degree 5 for `2^r`
/// (largest relative error 1.1e-7 without its roundings), and a reciprocal of 14 bits with one step of Newton's method:
/// the division would wait longer than the whole rest takes.
#[inline]
#[target_feature(enable = "avx512f")]
fn sigmoid_of(x: __m512) -> __m512 {
    let constant = |number: f32| _mm512_set1_ps(number);
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
    let round = constant(12_582_912.0);
    let minus_log2_e = constant(-core::f32::consts::LOG2_E);
    let bits = |number: f32| _mm512_set1_epi32(number.to_bits().cast_signed());
    // Signed, negative numbers are less than every positive one; unsigned, greater, and the greater the larger.
    let x = _mm512_min_epi32(_mm512_castps_si512(x), bits(87.0));
    let x = _mm512_castsi512_ps(_mm512_min_epu32(x, bits(-87.0)));
    let shifted = _mm512_fmadd_ps(x, minus_log2_e, round);
    let n = _mm512_sub_ps(shifted, round);
    let r = _mm512_fmsub_ps(x, minus_log2_e, n);
    let [highest, rest @ ..] = EXP2;
    let mut power = constant(highest);
    for coefficient in rest {
        power = _mm512_fmadd_ps(power, r, constant(coefficient));
    }
    let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted));
    let power = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(power), exponent));
    let y = _mm512_add_ps(constant(1.0), power);
    let guess = _mm512_rcp14_ps(y);
    let rest = _mm512_fnmadd_ps(y, guess, constant(1.0));
    _mm512_fmadd_ps(guess, rest, guess)
}
