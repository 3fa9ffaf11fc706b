//! AVX-512 with VNNI: `vpdpwssd`.

use super::products::{Outputs, Strip};
use super::{Vector, attention, by_height, products};
use crate::fixed::SIGMOID;
use crate::kernels::integer::{Part, Product};
use core::arch::x86_64::*;

/// Columns in a vector.
const LANES: usize = 16;

/// See [`IntegerKernel::product`](crate::kernels::integer::IntegerKernel::product).
pub(in super::super) fn product(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn compiled(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
        // SAFETY: compiled with the instructions.
        unsafe { products::product::<__m512i>(product, x, out, stride) }
    }
    // SAFETY: the processor has them (see the module).
    unsafe { compiled(product, x, out, stride) }
}

/// See [`IntegerKernel::add`](crate::kernels::integer::IntegerKernel::add).
pub(in super::super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn compiled(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
        // SAFETY: compiled with the instructions.
        unsafe { products::add::<__m512i>(part, x, t) }
    }
    // SAFETY: the processor has them (see the module).
    unsafe { compiled(part, x, t) }
}

/// Some columns of each query's own matrix, as a panel: `[N, P] -> [N, ceil(D / 2), columns, 2]`.
pub(in super::super) fn combine(
    part: &Part<'_>,
    queries: &[i16],
    start: usize,
    columns: usize,
    panels: &mut [i16],
) {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn compiled(part: &Part<'_>, queries: &[i16], start: usize, columns: usize, panels: &mut [i16]) {
        // SAFETY: compiled with the instructions.
        unsafe { attention::combine::<__m512i>(part, queries, start, columns, panels) }
    }
    // SAFETY: the processor has them (see the module).
    unsafe { compiled(part, queries, start, columns, panels) }
}

/// See [`IntegerKernel::weighted_sum`](crate::kernels::integer::IntegerKernel::weighted_sum).
pub(in super::super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn compiled(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
        // SAFETY: compiled with the instructions.
        unsafe { attention::weighted_sum::<__m512i>(weights, keys, sums) }
    }
    // SAFETY: the processor has them (see the module).
    unsafe { compiled(weights, keys, sums) }
}

impl Vector for __m512i {
    const LANES: usize = LANES;
    const HEIGHTS: [usize; 2] = [16, 12];
    type Mask = __mmask16;
    type Narrow = __m256i;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: as of the caller, here and below.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn all(number: i32) -> Self {
        unsafe { _mm512_set1_epi32(number) }
    }

    #[inline(always)]
    unsafe fn mask(count: usize) -> __mmask16 {
        ((1_u32 << count) - 1) as u16
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        unsafe { _mm512_loadu_epi32(from) }
    }

    #[inline(always)]
    unsafe fn load_some(from: *const i32, mask: __mmask16) -> Self {
        unsafe { _mm512_maskz_loadu_epi32(mask, from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        unsafe { _mm512_storeu_epi32(to, self) }
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut i32, mask: __mmask16) {
        unsafe { _mm512_mask_storeu_epi32(to, mask, self) }
    }

    #[inline(always)]
    unsafe fn widened(from: *const i16) -> Self {
        unsafe { _mm512_cvtepi16_epi32(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        unsafe { _mm512_add_epi32(self, other) }
    }

    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        unsafe { _mm512_mullo_epi32(self, other) }
    }

    #[inline(always)]
    unsafe fn shifted_right(self, count: u8) -> Self {
        unsafe { _mm512_sra_epi32(self, _mm_cvtsi32_si128(count.into())) }
    }

    #[inline(always)]
    unsafe fn plus_products(self, x: Self, w: Self, every: __mmask16) -> Self {
        unsafe { _mm512_mask_dpwssd_epi32(self, every, x, w) }
    }

    #[inline(always)]
    unsafe fn evens(self) -> Self {
        unsafe { _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(self)) }
    }

    #[inline(always)]
    unsafe fn odds(self) -> Self {
        unsafe { _mm512_srai_epi16::<8>(self) }
    }

    #[inline(always)]
    unsafe fn raised(self, second: bool) -> Self {
        unsafe {
            let high = if second {
                _mm512_and_si512(self, _mm512_set1_epi16(0xff00_u16.cast_signed()))
            } else {
                _mm512_slli_epi16::<8>(self)
            };
            _mm512_srai_epi16::<1>(high)
        }
    }

    #[inline(always)]
    unsafe fn combined(self, raised: Self, query: Self) -> Self {
        unsafe { _mm512_adds_epi16(self, _mm512_mulhrs_epi16(raised, query)) }
    }

    #[inline(always)]
    unsafe fn finish<const V: usize>(z: [Self; V], is_sigmoid: bool, out: *mut i16, width: usize) {
        unsafe {
            if V == 1 {
                let z = _mm512_cvtsepi32_epi16(z[0]);
                let z = if is_sigmoid { sigmoid_of_half(z) } else { z };
                if width == LANES {
                    _mm256_storeu_si256(out.cast(), z);
                } else {
                    _mm256_mask_storeu_epi16(out, Self::mask(width), z);
                }
            } else {
                // Four columns of each vector by turns, put right.
                let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
                let z = _mm512_permutexvar_epi64(order, _mm512_packs_epi32(z[0], z[1]));
                let z = if is_sigmoid { sigmoid(z) } else { z };
                if width == 2 * LANES {
                    _mm512_storeu_epi16(out, z);
                } else {
                    _mm512_mask_storeu_epi16(out, ((1_u64 << width) - 1) as u32, z);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn product<const V: usize, const QUADS: bool>(
        strip: &Strip<Self>,
        height: usize,
        x: *const i16,
        to: &Outputs,
        out: *mut i16,
    ) {
        by_height!(height; tile::<_, V, QUADS>(strip, x, to, out); 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
    }

    #[inline(always)]
    unsafe fn add<const R: usize, const V: usize>(strip: &Strip<Self>, x: *const i16, t: *mut i32) {
        unsafe { add_tile::<R, V>(strip, x, t) }
    }
}

/// A function of its own, or the compiler spills the sums of one height for the sake of another.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile<const R: usize, const V: usize, const QUADS: bool>(
    strip: &Strip<__m512i>,
    x: *const i16,
    to: &Outputs,
    out: *mut i16,
) {
    // SAFETY: as of the caller.
    unsafe { strip.product::<R, V, QUADS>(x, to, out) };
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn add_tile<const R: usize, const V: usize>(strip: &Strip<__m512i>, x: *const i16, t: *mut i32) {
    // SAFETY: as of the caller.
    unsafe { strip.add::<R, V>(x, t) };
}

/// The coefficients of the sigmoid's sixteen segments, twice.
static TABLES: [[i16; 32]; 3] = {
    let mut tables = [[0; 32]; 3];
    let mut entry = 0;
    while entry < 96 {
        let (coefficient, segment) = (entry / 32, entry % 16);
        let number = SIGMOID[segment][coefficient];
        assert!(number >= i16::MIN as i32 && number <= i16::MAX as i32, "coefficients are 16-bit");
        tables[coefficient][entry % 32] = number as i16;
        entry += 1;
    }
    tables
};

/// See [`fixed::sigmoid`](crate::fixed::sigmoid): the same steps in 16 bits. `vpmulhrsw` is `rshift(x y, 15)`, `vpermw` looks
/// a segment up.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sigmoid(z: __m512i) -> __m512i {
    let sign = _mm512_srai_epi16::<15>(z);
    let s = _mm512_xor_si512(z, sign);
    let segment = _mm512_srli_epi16::<11>(s);
    let look_up = |table: &[i16; 32]| {
        // SAFETY: 32 numbers.
        _mm512_permutexvar_epi16(segment, unsafe { _mm512_loadu_epi16(table.as_ptr()) })
    };
    let (a, b, c) = (look_up(&TABLES[0]), look_up(&TABLES[1]), look_up(&TABLES[2]));
    let u = _mm512_slli_epi16::<4>(_mm512_and_si512(s, _mm512_set1_epi16(2047)));
    let slope = _mm512_add_epi16(b, _mm512_mulhrs_epi16(c, u));
    let y = _mm512_add_epi16(a, _mm512_mulhrs_epi16(u, slope));
    // y ^ (sign & 0x7fff)
    _mm512_ternarylogic_epi64::<0x78>(y, sign, _mm512_set1_epi16(0x7fff))
}

/// [`sigmoid`] of sixteen numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn sigmoid_of_half(z: __m256i) -> __m256i {
    let sign = _mm256_srai_epi16::<15>(z);
    let s = _mm256_xor_si256(z, sign);
    let segment = _mm256_srli_epi16::<11>(s);
    let look_up = |table: &[i16; 32]| {
        // SAFETY: sixteen numbers, and as many behind them.
        _mm256_permutexvar_epi16(segment, unsafe { _mm256_loadu_epi16(table.as_ptr()) })
    };
    let (a, b, c) = (look_up(&TABLES[0]), look_up(&TABLES[1]), look_up(&TABLES[2]));
    let u = _mm256_slli_epi16::<4>(_mm256_and_si256(s, _mm256_set1_epi16(2047)));
    let slope = _mm256_add_epi16(b, _mm256_mulhrs_epi16(c, u));
    let y = _mm256_add_epi16(a, _mm256_mulhrs_epi16(u, slope));
    _mm256_ternarylogic_epi64::<0x78>(y, sign, _mm256_set1_epi16(0x7fff))
}
