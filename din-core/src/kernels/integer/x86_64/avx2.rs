//! AVX2: `vpmaddwd` and an addition.

use super::products::{Outputs, Strip};
use super::{Vector, attention, by_height, products};
use crate::fixed::SIGMOID;
use crate::kernels::integer::{Parameters, Part, Product, Scale, portable};
use core::arch::x86_64::*;

/// Columns in a vector.
const LANES: usize = 8;

/// See [`IntegerKernel::product`](crate::kernels::integer::IntegerKernel::product).
pub(in super::super) fn product(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
    #[target_feature(enable = "avx2")]
    fn compiled(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
        // SAFETY: compiled with the instructions.
        unsafe { products::product::<__m256i>(product, x, out, stride) }
    }
    // SAFETY: the processor has AVX2 (see the module).
    unsafe { compiled(product, x, out, stride) }
}

/// See [`IntegerKernel::add`](crate::kernels::integer::IntegerKernel::add).
pub(in super::super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    #[target_feature(enable = "avx2")]
    fn compiled(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
        // SAFETY: compiled with the instructions.
        unsafe { products::add::<__m256i>(part, x, t) }
    }
    // SAFETY: the processor has AVX2 (see the module).
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
    #[target_feature(enable = "avx2")]
    fn compiled(part: &Part<'_>, queries: &[i16], start: usize, columns: usize, panels: &mut [i16]) {
        // SAFETY: compiled with the instructions.
        unsafe { attention::combine::<__m256i>(part, queries, start, columns, panels) }
    }
    // SAFETY: the processor has AVX2 (see the module).
    unsafe { compiled(part, queries, start, columns, panels) }
}

/// See [`IntegerKernel::weighted_sum`](crate::kernels::integer::IntegerKernel::weighted_sum).
pub(in super::super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    #[target_feature(enable = "avx2")]
    fn compiled(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
        // SAFETY: compiled with the instructions.
        unsafe { attention::weighted_sum::<__m256i>(weights, keys, sums) }
    }
    // SAFETY: the processor has AVX2 (see the module).
    unsafe { compiled(weights, keys, sums) }
}

impl Vector for __m256i {
    const LANES: usize = LANES;
    /// With two vectors of columns twelve sums, which with the weights fill the registers.
    const HEIGHTS: [usize; 2] = [6, 6];
    type Mask = __m256i;
    type Narrow = __m256i;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: as of the caller, here and below.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn all(number: i32) -> Self {
        unsafe { _mm256_set1_epi32(number) }
    }

    #[inline(always)]
    unsafe fn mask(count: usize) -> Self {
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
        }
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_some(from: *const i32, mask: Self) -> Self {
        unsafe { _mm256_maskload_epi32(from, mask) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        unsafe { _mm256_storeu_si256(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut i32, mask: Self) {
        unsafe { _mm256_maskstore_epi32(to, mask, self) }
    }

    #[inline(always)]
    unsafe fn widened(from: *const i16) -> Self {
        unsafe { _mm256_cvtepi16_epi32(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        unsafe { _mm256_add_epi32(self, other) }
    }

    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        unsafe { _mm256_mullo_epi32(self, other) }
    }

    #[inline(always)]
    unsafe fn shifted_right(self, count: u8) -> Self {
        unsafe { _mm256_sra_epi32(self, _mm_cvtsi32_si128(count.into())) }
    }

    #[inline(always)]
    unsafe fn plus_products(self, x: Self, w: Self, _: Self) -> Self {
        unsafe { _mm256_add_epi32(self, _mm256_madd_epi16(x, w)) }
    }

    #[inline(always)]
    unsafe fn evens(self) -> Self {
        unsafe { _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(self)) }
    }

    #[inline(always)]
    unsafe fn odds(self) -> Self {
        unsafe { _mm256_srai_epi16::<8>(self) }
    }

    #[inline(always)]
    unsafe fn raised(self, second: bool) -> Self {
        unsafe {
            let high = if second {
                _mm256_and_si256(self, _mm256_set1_epi16(0xff00_u16.cast_signed()))
            } else {
                _mm256_slli_epi16::<8>(self)
            };
            _mm256_srai_epi16::<1>(high)
        }
    }

    #[inline(always)]
    unsafe fn combined(self, raised: Self, query: Self) -> Self {
        unsafe { _mm256_adds_epi16(self, _mm256_mulhrs_epi16(raised, query)) }
    }

    #[inline(always)]
    unsafe fn finish<const V: usize>(z: [Self; V], is_sigmoid: bool, out: *mut i16, width: usize) {
        unsafe {
            // Of one vector the second half is not written.
            let second = z[V - 1];
            // Four columns of each vector by turns, put right.
            let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(z[0], second));
            let packed = if is_sigmoid { sigmoid(packed) } else { packed };
            if width == 2 * LANES {
                _mm256_storeu_si256(out.cast(), packed);
            } else if width == LANES {
                _mm_storeu_si128(out.cast(), _mm256_castsi256_si128(packed));
            } else {
                let mut numbers = [0_i16; 2 * LANES];
                _mm256_storeu_si256(numbers.as_mut_ptr().cast(), packed);
                core::ptr::copy_nonoverlapping(numbers.as_ptr(), out, width);
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
        by_height!(height; tile::<_, V, QUADS>(strip, x, to, out); 1 2 3 4 5 6);
    }

    #[inline(always)]
    unsafe fn add<const R: usize, const V: usize>(strip: &Strip<Self>, x: *const i16, t: *mut i32) {
        unsafe { add_tile::<R, V>(strip, x, t) }
    }
}

/// A function of its own, or the compiler spills the sums of one height for the sake of another.
#[inline(never)]
#[target_feature(enable = "avx2")]
unsafe fn tile<const R: usize, const V: usize, const QUADS: bool>(
    strip: &Strip<__m256i>,
    x: *const i16,
    to: &Outputs,
    out: *mut i16,
) {
    // SAFETY: as of the caller.
    unsafe { strip.product::<R, V, QUADS>(x, to, out) };
}

#[inline(never)]
#[target_feature(enable = "avx2")]
unsafe fn add_tile<const R: usize, const V: usize>(strip: &Strip<__m256i>, x: *const i16, t: *mut i32) {
    // SAFETY: as of the caller.
    unsafe { strip.add::<R, V>(x, t) };
}

/// A byte of each coefficient of the sigmoid's sixteen segments.
const fn sigmoid_bytes(coefficient: usize, byte: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    let mut segment = 0;
    while segment < 16 {
        let number = SIGMOID[segment][coefficient];
        assert!(number >= i16::MIN as i32 && number <= i16::MAX as i32, "coefficients are 16-bit");
        bytes[segment] = (number as i16).to_le_bytes()[byte];
        segment += 1;
    }
    bytes
}

/// See [`fixed::sigmoid`](crate::fixed::sigmoid): the same steps in 16 bits. `vpmulhrsw` is `rshift(x y, 15)`.
#[inline]
#[target_feature(enable = "avx2")]
fn sigmoid(z: __m256i) -> __m256i {
    static TABLES: [[[u8; 16]; 2]; 3] = [
        [sigmoid_bytes(0, 0), sigmoid_bytes(0, 1)],
        [sigmoid_bytes(1, 0), sigmoid_bytes(1, 1)],
        [sigmoid_bytes(2, 0), sigmoid_bytes(2, 1)],
    ];
    let sign = _mm256_srai_epi16::<15>(z);
    let s = _mm256_xor_si256(z, sign);
    let segment = _mm256_srli_epi16::<11>(s);
    // A byte with its highest bit set looks up a zero.
    let low = _mm256_or_si256(segment, _mm256_set1_epi16(i16::MIN));
    let high = _mm256_or_si256(_mm256_slli_epi16::<8>(segment), _mm256_set1_epi16(0x80));
    // Not with `map`, which is compiled without AVX2 and then not inlined.
    let mut coefficients = [_mm256_setzero_si256(); 3];
    for (coefficient, [lows, highs]) in coefficients.iter_mut().zip(&TABLES) {
        // SAFETY: sixteen bytes each.
        let [lows, highs] = unsafe {
            [
                _mm256_broadcastsi128_si256(_mm_loadu_si128(lows.as_ptr().cast())),
                _mm256_broadcastsi128_si256(_mm_loadu_si128(highs.as_ptr().cast())),
            ]
        };
        *coefficient = _mm256_or_si256(_mm256_shuffle_epi8(lows, low), _mm256_shuffle_epi8(highs, high));
    }
    let [a, b, c] = coefficients;
    let u = _mm256_slli_epi16::<4>(_mm256_and_si256(s, _mm256_set1_epi16(2047)));
    let slope = _mm256_add_epi16(b, _mm256_mulhrs_epi16(c, u));
    let y = _mm256_add_epi16(a, _mm256_mulhrs_epi16(u, slope));
    _mm256_xor_si256(y, _mm256_srli_epi16::<1>(sign))
}

/// See [`IntegerKernel::dots`](crate::kernels::integer::IntegerKernel::dots).
pub(in super::super) fn dots(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
    if part.outputs != 1 || !part.holds_weights(part.inputs) {
        return portable::dots(part, x, sums);
    }
    // SAFETY: the processor has AVX2 (see the module).
    unsafe { dots_avx2(part, x, sums) };
}

#[target_feature(enable = "avx2")]
fn dots_avx2(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
    // Inputs d, d+2, d+1, d+3 put in order, in each four bytes.
    let order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    let inputs = part.inputs;
    let vectors = inputs / LANES;
    for (x, to) in x.chunks_exact(inputs.max(1)).zip(sums) {
        let mut sum = _mm_setzero_si128();
        for v in 0..vectors {
            // SAFETY: eight weights and eight inputs from `8 v` on.
            let (weights, x) = unsafe {
                (
                    _mm_loadl_epi64(part.weight.as_ptr().add(v * LANES).cast()),
                    _mm_loadu_si128(x.as_ptr().add(v * LANES).cast()),
                )
            };
            let weights = _mm_cvtepi8_epi16(_mm_shuffle_epi8(weights, order));
            sum = _mm_add_epi32(sum, _mm_madd_epi16(weights, x));
        }
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum));
        let rest = (vectors * LANES..inputs)
            .map(|d| i32::from(x[d]).wrapping_mul(part.weight_at(d, 0).into()))
            .fold(_mm_cvtsi128_si32(sum), i32::wrapping_add);
        *to = rest;
    }
}

/// See [`IntegerKernel::scale`](crate::kernels::integer::IntegerKernel::scale).
pub(in super::super) fn scale(scale: &Scale, row: &[u8], out: &mut [i16]) {
    let (vectors, rest) = row.as_chunks::<LANES>();
    let (outputs, rest_outputs) = out.split_at_mut((vectors.len() * LANES).min(out.len()));
    for (q, out) in vectors.iter().zip(outputs.as_chunks_mut::<LANES>().0) {
        // SAFETY: the processor has AVX2 (see the module).
        unsafe { scale_eight(scale, q, out) };
    }
    portable::scale(scale, rest, rest_outputs);
}

#[target_feature(enable = "avx2")]
fn scale_eight(scale: &Scale, q: &[u8; LANES], out: &mut [i16; LANES]) {
    // SAFETY: eight bytes, and eight numbers.
    unsafe {
        let q = _mm256_cvtepi8_epi32(_mm_loadl_epi64(q.as_ptr().cast()));
        let product = _mm256_mullo_epi32(q, _mm256_set1_epi32(scale.multiplier.into()));
        let half = _mm256_set1_epi32((1_i32 << scale.shift) >> 1);
        let shift = _mm_cvtsi32_si128(scale.shift.into());
        let scaled = narrowed(_mm256_sra_epi32(_mm256_add_epi32(product, half), shift));
        // Saturated first: the limit is at most 32767.
        let limit = _mm_set1_epi16(scale.limit.cast_signed());
        let clamped = _mm_max_epi16(_mm_min_epi16(scaled, limit), _mm_sub_epi16(_mm_setzero_si128(), limit));
        _mm_storeu_si128(out.as_mut_ptr().cast(), clamped);
    }
}

/// See [`IntegerKernel::round_floats`](crate::kernels::integer::IntegerKernel::round_floats): the portable loop, which the
/// compiler turns into vectors.
pub(in super::super) fn round_floats(row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
    #[target_feature(enable = "avx2")]
    fn compiled(row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
        portable::round_floats(row, fraction, limit, out);
    }
    // SAFETY: the processor has AVX2 (see the module).
    unsafe { compiled(row, fraction, limit, out) }
}

/// See [`IntegerKernel::round_halves`](crate::kernels::integer::IntegerKernel::round_halves): likewise.
pub(in super::super) fn round_halves(row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
    #[target_feature(enable = "avx2")]
    fn compiled(row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
        portable::round_halves(row, fraction, limit, out);
    }
    // SAFETY: the processor has AVX2 (see the module).
    unsafe { compiled(row, fraction, limit, out) }
}

/// See [`IntegerKernel::dice`](crate::kernels::integer::IntegerKernel::dice).
pub(in super::super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
    if !parameters.holds_dice(outputs) {
        return portable::dice(parameters, outputs, rows);
    }
    for row in rows.chunks_mut(outputs.max(1)) {
        let (vectors, rest) = row.as_chunks_mut::<LANES>();
        let first = vectors.len() * LANES;
        for (vector, o) in vectors.iter_mut().zip((0..).step_by(LANES)) {
            // SAFETY: the processor has AVX2 (see the module); `holds_dice`.
            unsafe { dice_of_eight(parameters, o, vector) };
        }
        portable::dice_from(parameters, first, rest);
    }
}

#[target_feature(enable = "avx2")]
unsafe fn dice_of_eight(parameters: &Parameters<'_>, o: usize, z: &mut [i16; LANES]) {
    // SAFETY: the caller vouches for the parameters of outputs `o .. o + 8`.
    let (s, a, alpha, b, e) = unsafe {
        let shorts = |from: *const u8| _mm256_cvtepi16_epi32(_mm_loadu_si128(from.cast()));
        (
            shorts(z.as_ptr().cast()),
            shorts(parameters.a.as_ptr().add(2 * o)),
            shorts(parameters.alpha.as_ptr().add(2 * o)),
            _mm256_loadu_si256(parameters.b.as_ptr().add(4 * o).cast()),
            _mm256_cvtepu8_epi32(_mm_loadl_epi64(parameters.e.as_ptr().add(o).cast())),
        )
    };
    let argument = _mm256_srav_epi32(_mm256_add_epi32(_mm256_mullo_epi32(s, a), b), e);
    let p =
        _mm256_cvtepi16_epi32(_mm256_castsi256_si128(sigmoid(_mm256_castsi128_si256(narrowed(argument)))));
    let rounded = |x, half| _mm256_add_epi32(x, _mm256_set1_epi32(half));
    let rest = _mm256_sub_epi32(_mm256_set1_epi32(8192), alpha);
    let g = _mm256_srai_epi32::<15>(rounded(_mm256_mullo_epi32(rest, p), 1 << 14));
    let g = _mm256_add_epi32(alpha, g);
    let out = narrowed(_mm256_srai_epi32::<13>(rounded(_mm256_mullo_epi32(s, g), 1 << 12)));
    // SAFETY: eight numbers.
    unsafe { _mm_storeu_si128(z.as_mut_ptr().cast(), out) };
}

/// `sat16` of eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn narrowed(x: __m256i) -> __m128i {
    _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x))
}
