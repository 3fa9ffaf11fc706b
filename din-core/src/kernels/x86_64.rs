//! AVX2, FMA and F16C. Reached through [`Kernel::Avx2`](super::Kernel::Avx2) alone, which only exists where the processor
//! has all three; every function checks the lengths that its addresses rely on.
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // intrinsics, and loads by address: a bounds check for each would cost what the kernel gains

use super::operands::{Operands, queries_of};
use super::{Finish, Matrix, Rows, Start, portable};
use crate::bytes::F32s;
use core::arch::x86_64::*;

/// Numbers in a vector.
const LANES: usize = 8;

/// See [`Kernel::product`](super::Kernel::product).
pub(super) fn product(x: &[f32], w: Matrix<'_>, start: Start<'_>, finish: Finish, out: Rows<'_>) {
    let Some((operands, rows)) = Operands::of(x, w, start, out) else { return };
    // SAFETY: the processor has AVX2 and FMA (see the module); `Operands::of` checked every address.
    unsafe {
        match finish {
            Finish::Sum => product_rows::<false>(operands, rows, w),
            Finish::Sigmoid => product_rows::<true>(operands, rows, w),
        }
    }
}

/// Splits the columns into strips of two vectors, the last of three where their number is odd, and the rows into blocks
/// of nearly equal height, so that the sums fill the registers: at least eight of them keep the multipliers busy (two a
/// cycle, four cycles each), and twelve, with two weights and one input, are all that sixteen registers hold. Wider
/// strips of fewer rows were measured slower: they read more of a panel for each product. A single row takes wide strips.
#[target_feature(enable = "avx2,fma")]
unsafe fn product_rows<const SIGMOID: bool>(operands: Operands, rows: usize, w: Matrix<'_>) {
    let vectors = w.columns.div_ceil(LANES);
    let widest = if rows == 1 { 12 } else { 2 };
    let mut first = 0;
    while first < vectors {
        let left = vectors - first;
        let width = if left == 3 && rows > 1 { 3 } else { left.min(widest) };
        // SAFETY: `first * LANES` is less than `w.columns`.
        unsafe {
            let tail = (w.columns - first * LANES).min(width * LANES) - (width - 1) * LANES;
            let strip_w = w.numbers.0.as_ptr().cast::<f32>().add(first * LANES);
            let at = Operands {
                start: operands.start.add(first * LANES),
                out: operands.out.add(first * LANES),
                ..operands
            };
            let view = Strip { w: strip_w, stride: w.stride, inputs: w.rows, tail, at };
            view.run::<SIGMOID>(width, rows);
        }
        first += width;
    }
}

/// Some vectors of columns, for all rows.
#[derive(Clone, Copy)]
struct Strip {
    w: *const f32,
    stride: usize,
    inputs: usize,
    /// Columns of the last vector, 1 to 8.
    tail: usize,
    at: Operands,
}

impl Strip {
    #[target_feature(enable = "avx2,fma")]
    unsafe fn run<const SIGMOID: bool>(self, vectors: usize, rows: usize) {
        let most = match vectors {
            1 => 8,
            2 => 6,
            3 => 3,
            _ => 1,
        };
        // Blocks of nearly equal height: 50 rows by six are five of six and four of five, none of two.
        let blocks = rows.div_ceil(most);
        let (height, taller) = (rows / blocks, rows % blocks);
        let mut row = 0;
        for block in 0..blocks {
            let height = height + usize::from(block < taller);
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
                    (1, 1) => view.tile::<1, 1, SIGMOID>(),
                    (2, 1) => view.tile::<2, 1, SIGMOID>(),
                    (3, 1) => view.tile::<3, 1, SIGMOID>(),
                    (4, 1) => view.tile::<4, 1, SIGMOID>(),
                    (5, 1) => view.tile::<5, 1, SIGMOID>(),
                    (6, 1) => view.tile::<6, 1, SIGMOID>(),
                    (7, 1) => view.tile::<7, 1, SIGMOID>(),
                    (8, 1) => view.tile::<8, 1, SIGMOID>(),
                    (1, 2) => view.tile::<1, 2, SIGMOID>(),
                    (2, 2) => view.tile::<2, 2, SIGMOID>(),
                    (3, 2) => view.tile::<3, 2, SIGMOID>(),
                    (4, 2) => view.tile::<4, 2, SIGMOID>(),
                    (5, 2) => view.tile::<5, 2, SIGMOID>(),
                    (6, 2) => view.tile::<6, 2, SIGMOID>(),
                    (1, 3) => view.tile::<1, 3, SIGMOID>(),
                    (2, 3) => view.tile::<2, 3, SIGMOID>(),
                    (3, 3) => view.tile::<3, 3, SIGMOID>(),
                    (1, 4) => view.tile::<1, 4, SIGMOID>(),
                    (1, 5) => view.tile::<1, 5, SIGMOID>(),
                    (1, 6) => view.tile::<1, 6, SIGMOID>(),
                    (1, 7) => view.tile::<1, 7, SIGMOID>(),
                    (1, 8) => view.tile::<1, 8, SIGMOID>(),
                    (1, 9) => view.tile::<1, 9, SIGMOID>(),
                    (1, 10) => view.tile::<1, 10, SIGMOID>(),
                    (1, 11) => view.tile::<1, 11, SIGMOID>(),
                    _ => view.tile::<1, 12, SIGMOID>(),
                }
            }
            row += height;
        }
    }

    /// `[R, D] x [D, 8 V] -> [R, 8 V]`, sums in registers. The loops over `R` and `V` unroll.
    ///
    /// A function of its own, or the compiler spills the sums of one height for the sake of another.
    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile<const R: usize, const V: usize, const SIGMOID: bool>(self) {
        let mask = tail_mask(self.tail);
        // SAFETY: the caller vouches for `R` rows of `x` and `out`, `V` vectors of columns, the last `tail` wide.
        unsafe {
            let whole = self.tail == LANES;
            let mut sums = [[_mm256_setzero_ps(); V]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    let from = self.at.start.add(r * self.at.start_stride + v * LANES);
                    *sum = if v + 1 < V || whole {
                        _mm256_loadu_ps(from)
                    } else {
                        _mm256_maskload_ps(from, mask)
                    };
                }
            }
            let mut w = self.w;
            for d in 0..self.inputs {
                let input = |r: usize| _mm256_set1_ps(*self.at.x.add(r * self.inputs + d));
                let weight = |v: usize| {
                    let from = w.add(v * LANES);
                    if v + 1 < V || whole { _mm256_loadu_ps(from) } else { _mm256_maskload_ps(from, mask) }
                };
                let mut weights = [_mm256_setzero_ps(); V];
                for (v, to) in weights.iter_mut().enumerate() {
                    *to = weight(v);
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = input(r);
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = _mm256_fmadd_ps(x, weight, *sum);
                    }
                }
                w = w.wrapping_add(self.stride);
            }
            for (r, mut sums) in sums.into_iter().enumerate() {
                if SIGMOID {
                    sums.iter_mut().for_each(|sum| *sum = sigmoid_of(*sum));
                }
                for (v, sum) in sums.into_iter().enumerate() {
                    let to = self.at.out.add(r * self.at.out_stride + v * LANES);
                    if v + 1 < V || whole {
                        _mm256_storeu_ps(to, sum);
                    } else {
                        _mm256_maskstore_ps(to, mask, sum);
                    }
                }
            }
        }
    }
}

/// The first `count` lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn tail_mask(count: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
}

/// See [`Kernel::dots`](super::Kernel::dots).
pub(super) fn dots(x: &[f32], w: F32s<'_>, out: &mut [f32]) {
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

/// See [`Kernel::combine`](super::Kernel::combine).
pub(super) fn combine(queries: &[f32], key: Matrix<'_>, product: Matrix<'_>, panels: &mut [f32]) {
    let Some(count) = queries_of(queries, key, product, panels) else { return };
    let (len, paired) = (key.rows * key.columns, product.rows);
    // As many queries in one pass over the weights as there are.
    let mut query = 0;
    while query < count {
        // SAFETY: the processor has AVX2 and FMA (see the module); `queries_of` checked every address.
        unsafe {
            let (queries, panels) =
                (queries.as_ptr().add(query * paired), panels.as_mut_ptr().add(query * len));
            if count - query >= 2 {
                combine_avx2::<2>(queries, key, product, panels);
                query += 2;
            } else {
                combine_avx2::<1>(queries, key, product, panels);
                query += 1;
            }
        }
    }
}

/// Masked stores cost many times a whole one on AMD's processors: the last columns alone take them.
#[target_feature(enable = "avx2,fma")]
unsafe fn combine_avx2<const Q: usize>(
    queries: *const f32,
    key: Matrix<'_>,
    product: Matrix<'_>,
    panels: *mut f32,
) {
    let (keys, products) = (key.numbers.0.as_ptr().cast::<f32>(), product.numbers.0.as_ptr().cast::<f32>());
    let columns = key.columns;
    let whole = columns - columns % LANES;
    let mask = tail_mask(columns - whole);
    let out = |q: usize, d: usize| panels.wrapping_add((q * key.rows + d) * columns);
    // SAFETY: row `d`, as many columns as there are.
    unsafe {
        for d in 0..product.rows {
            let (key, product_row) = (keys.add(d * key.stride), products.add(d * product.stride));
            let mut query = [_mm256_setzero_ps(); Q];
            for (q, query) in query.iter_mut().enumerate() {
                *query = _mm256_set1_ps(*queries.add(q * product.rows + d));
            }
            for column in (0..whole).step_by(LANES) {
                let (product, key) =
                    (_mm256_loadu_ps(product_row.add(column)), _mm256_loadu_ps(key.add(column)));
                for (q, query) in query.iter().enumerate() {
                    _mm256_storeu_ps(out(q, d).add(column), _mm256_fmadd_ps(*query, product, key));
                }
            }
            if whole < columns {
                let (product, key) = (
                    _mm256_maskload_ps(product_row.add(whole), mask),
                    _mm256_maskload_ps(key.add(whole), mask),
                );
                for (q, query) in query.iter().enumerate() {
                    _mm256_maskstore_ps(out(q, d).add(whole), mask, _mm256_fmadd_ps(*query, product, key));
                }
            }
        }
        for d in product.rows..key.rows {
            for q in 0..Q {
                core::ptr::copy_nonoverlapping(keys.add(d * key.stride), out(q, d), columns);
            }
        }
    }
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
    let mut power = constant(1.340_043_2e-3);
    for coefficient in [9.676_037e-3, 5.550_327e-2, 2.402_210_7e-1, 6.931_472e-1, 1.0] {
        power = _mm256_fmadd_ps(power, r, constant(coefficient));
    }
    let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(shifted));
    let power = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(power), exponent));
    _mm256_add_ps(constant(1.0), power)
}

/// See [`Kernel::widen`](super::Kernel::widen).
pub(super) fn widen(row: &[u8], out: &mut [f32]) {
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

/// See [`Kernel::dice`](super::Kernel::dice).
pub(super) fn dice(row: &mut [f32], a: F32s<'_>, b: F32s<'_>, alpha: F32s<'_>) {
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
