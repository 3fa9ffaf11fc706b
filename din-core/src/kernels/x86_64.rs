//! AVX2, FMA and F16C. Reached through [`Kernel::Avx2`](super::Kernel::Avx2) alone, which only exists where the processor
//! has all three; every function checks the lengths that its addresses rely on.
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // intrinsics, and loads by address: a bounds check for each would cost what the kernel gains

use super::operands::Operands;
use super::{Finish, Matrix, OwnMatrix, Rows, Start, as_weights, portable};
use crate::bytes::F32s;
use core::arch::x86_64::*;
use core::ops::Range;

/// Numbers in a vector.
const LANES: usize = 8;

/// See [`Kernel::product`](super::Kernel::product).
pub(super) fn product(x: &[f32], w: Matrix<'_>, start: Start<'_>, finish: Finish, out: Rows<'_>) {
    let Some((operands, rows)) = Operands::of(x, w, start, out) else { return };
    let weights = Weights { numbers: w.numbers.0.as_ptr().cast(), stride: w.stride, own: Own::default() };
    // SAFETY: the processor has AVX2 and FMA (see the module); `Operands::of` checked every address.
    unsafe { all_rows::<false>(weights, [w.rows, w.columns], operands, rows, finish) };
}

/// See [`Kernel::own_product`](super::Kernel::own_product).
pub(super) fn own_product(
    x: &[f32],
    own: OwnMatrix<'_>,
    panel: &mut [f32],
    start: Start<'_>,
    finish: Finish,
    out: Rows<'_>,
) {
    let OwnMatrix { query, key, product } = own;
    let matrix = Matrix::whole(as_weights(panel), key.rows, key.columns);
    let Some((operands, rows)) = Operands::of(x, matrix, start, out) else { return };
    if !own.fits(panel) {
        return;
    }
    let panel = panel.as_mut_ptr();
    let own = Own {
        panel,
        query: query.as_ptr(),
        paired: product.rows,
        key: key.numbers.0.as_ptr().cast(),
        key_stride: key.stride,
        product: product.numbers.0.as_ptr().cast(),
        product_stride: product.stride,
    };
    let weights = Weights { numbers: panel, stride: key.columns, own };
    // SAFETY: the processor has AVX2 and FMA (see the module); `Operands::of` and `OwnMatrix::fits` checked every address.
    unsafe { all_rows::<true>(weights, [key.rows, key.columns], operands, rows, finish) };
}

/// Where weights are; those of a query's own matrix are written by the rows that are multiplied first.
#[derive(Clone, Copy)]
struct Weights {
    numbers: *const f32,
    stride: usize,
    own: Own,
}

/// What a query's own matrix is made of, and where it is written.
#[derive(Clone, Copy)]
struct Own {
    panel: *mut f32,
    query: *const f32,
    /// P
    paired: usize,
    key: *const f32,
    key_stride: usize,
    product: *const f32,
    product_stride: usize,
}

impl Default for Own {
    fn default() -> Self {
        let none = core::ptr::null();
        let panel = core::ptr::null_mut();
        Self { panel, query: none, paired: 0, key: none, key_stride: 0, product: none, product_stride: 0 }
    }
}

impl Weights {
    /// So many columns later.
    fn columns(self, first: usize) -> Self {
        let own = Own {
            panel: self.own.panel.wrapping_add(first),
            key: self.own.key.wrapping_add(first),
            product: self.own.product.wrapping_add(first),
            ..self.own
        };
        Self { numbers: self.numbers.wrapping_add(first), own, ..self }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn all_rows<const OWN: bool>(
    weights: Weights,
    [inputs, columns]: [usize; 2],
    operands: Operands,
    rows: usize,
    finish: Finish,
) {
    // SAFETY: as of the caller.
    unsafe {
        match finish {
            Finish::Sum => strips::<false, OWN>(weights, inputs, columns, operands, rows),
            Finish::Sigmoid => strips::<true, OWN>(weights, inputs, columns, operands, rows),
        }
    }
}

/// Splits the columns into strips of two vectors, the last of three where their number is odd, and the rows into blocks
/// of nearly equal height, so that the sums fill the registers: at least eight of them keep the multipliers busy (two a
/// cycle, four cycles each), and twelve, with two weights and one input, are all that sixteen registers hold. Wider
/// strips of fewer rows were measured slower: they read more of a panel for each product. A single row takes wide strips.
#[target_feature(enable = "avx2,fma")]
unsafe fn strips<const SIGMOID: bool, const OWN: bool>(
    weights: Weights,
    inputs: usize,
    columns: usize,
    operands: Operands,
    rows: usize,
) {
    let vectors = columns.div_ceil(LANES);
    let widest = if rows == 1 { 12 } else { 2 };
    let mut first = 0;
    while first < vectors {
        let left = vectors - first;
        let width = if left == 3 && rows > 1 { 3 } else { left.min(widest) };
        // SAFETY: `first * LANES` is less than `columns`.
        unsafe {
            let tail = (columns - first * LANES).min(width * LANES) - (width - 1) * LANES;
            let at = Operands {
                start: operands.start.add(first * LANES),
                out: operands.out.add(first * LANES),
                ..operands
            };
            let strip = Strip { weights: weights.columns(first * LANES), inputs, tail, at };
            strip.run::<SIGMOID, OWN>(width, rows);
        }
        first += width;
    }
}

/// Some vectors of columns, for all rows.
#[derive(Clone, Copy)]
struct Strip {
    weights: Weights,
    inputs: usize,
    /// Columns of the last vector, 1 to 8.
    tail: usize,
    at: Operands,
}

impl Strip {
    #[target_feature(enable = "avx2,fma")]
    unsafe fn run<const SIGMOID: bool, const OWN: bool>(self, vectors: usize, rows: usize) {
        let most = match vectors {
            1 => 8,
            2 => 6,
            3 => 3,
            _ => 1,
        };
        // Blocks of nearly equal height: 50 rows by six are five of six and four of five, none of two.
        let blocks = rows.div_ceil(most);
        let (height, taller) = (rows / blocks.max(1), rows % blocks.max(1));
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
                if OWN && block == 0 {
                    view.block::<SIGMOID, true>(height, vectors);
                } else {
                    view.block::<SIGMOID, false>(height, vectors);
                }
            }
            row += height;
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn block<const SIGMOID: bool, const OWN: bool>(self, height: usize, vectors: usize) {
        // SAFETY: as of `tile`.
        unsafe {
            match (height, vectors) {
                (1, 1) => self.tile::<1, 1, SIGMOID, OWN>(),
                (2, 1) => self.tile::<2, 1, SIGMOID, OWN>(),
                (3, 1) => self.tile::<3, 1, SIGMOID, OWN>(),
                (4, 1) => self.tile::<4, 1, SIGMOID, OWN>(),
                (5, 1) => self.tile::<5, 1, SIGMOID, OWN>(),
                (6, 1) => self.tile::<6, 1, SIGMOID, OWN>(),
                (7, 1) => self.tile::<7, 1, SIGMOID, OWN>(),
                (8, 1) => self.tile::<8, 1, SIGMOID, OWN>(),
                (1, 2) => self.tile::<1, 2, SIGMOID, OWN>(),
                (2, 2) => self.tile::<2, 2, SIGMOID, OWN>(),
                (3, 2) => self.tile::<3, 2, SIGMOID, OWN>(),
                (4, 2) => self.tile::<4, 2, SIGMOID, OWN>(),
                (5, 2) => self.tile::<5, 2, SIGMOID, OWN>(),
                (6, 2) => self.tile::<6, 2, SIGMOID, OWN>(),
                (1, 3) => self.tile::<1, 3, SIGMOID, OWN>(),
                (2, 3) => self.tile::<2, 3, SIGMOID, OWN>(),
                (3, 3) => self.tile::<3, 3, SIGMOID, OWN>(),
                (1, 4) => self.tile::<1, 4, SIGMOID, OWN>(),
                (1, 5) => self.tile::<1, 5, SIGMOID, OWN>(),
                (1, 6) => self.tile::<1, 6, SIGMOID, OWN>(),
                (1, 7) => self.tile::<1, 7, SIGMOID, OWN>(),
                (1, 8) => self.tile::<1, 8, SIGMOID, OWN>(),
                (1, 9) => self.tile::<1, 9, SIGMOID, OWN>(),
                (1, 10) => self.tile::<1, 10, SIGMOID, OWN>(),
                (1, 11) => self.tile::<1, 11, SIGMOID, OWN>(),
                _ => self.tile::<1, 12, SIGMOID, OWN>(),
            }
        }
    }

    /// `[R, D] x [D, 8 V] -> [R, 8 V]`, sums in registers. The loops over `R` and `V` unroll.
    ///
    /// `OWN`: the weights are made, and written for the tiles of other rows, between the products; there it costs little
    /// more than the two multiplications that it is.
    ///
    /// A function of its own, or the compiler spills the sums of one height for the sake of another.
    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile<const R: usize, const V: usize, const SIGMOID: bool, const OWN: bool>(self) {
        // SAFETY: the caller vouches for `R` rows of `x` and `out`, `V` vectors of columns, the last `tail` wide.
        unsafe {
            if self.tail == LANES {
                self.tile_of::<R, V, SIGMOID, OWN, true>();
            } else {
                self.tile_of::<R, V, SIGMOID, OWN, false>();
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile_of<
        const R: usize,
        const V: usize,
        const SIGMOID: bool,
        const OWN: bool,
        const WHOLE: bool,
    >(
        self,
    ) {
        let lanes = Lanes { mask: tail_mask(self.tail) };
        // SAFETY: as of `tile`.
        unsafe {
            let mut sums = [[_mm256_setzero_ps(); V]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    let from = self.at.start.add(r * self.at.start_stride + v * LANES);
                    *sum = lanes.load::<WHOLE>(from, v + 1 < V);
                }
            }
            if OWN {
                let paired = self.weights.own.paired;
                self.multiply::<R, V, PAIRED, WHOLE>(&mut sums, lanes, 0..paired);
                self.multiply::<R, V, UNPAIRED, WHOLE>(&mut sums, lanes, paired..self.inputs);
            } else {
                self.multiply::<R, V, READY, WHOLE>(&mut sums, lanes, 0..self.inputs);
            }
            for (r, mut sums) in sums.into_iter().enumerate() {
                if SIGMOID {
                    sums.iter_mut().for_each(|sum| *sum = sigmoid_of(*sum));
                }
                for (v, sum) in sums.into_iter().enumerate() {
                    let to = self.at.out.add(r * self.at.out_stride + v * LANES);
                    lanes.store::<WHOLE>(to, sum, v + 1 < V);
                }
            }
        }
    }

    /// `sums += x weights` of some inputs.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn multiply<const R: usize, const V: usize, const SOURCE: u8, const WHOLE: bool>(
        &self,
        sums: &mut [[__m256; V]; R],
        lanes: Lanes,
        inputs: Range<usize>,
    ) {
        let Weights { numbers, stride, own } = self.weights;
        for d in inputs {
            // SAFETY: as of `tile`.
            unsafe {
                let mut weights = [_mm256_setzero_ps(); V];
                let query = if SOURCE == PAIRED { _mm256_set1_ps(*own.query.add(d)) } else { weights[0] };
                for (v, weights) in weights.iter_mut().enumerate() {
                    let load = |from: *const f32, stride: usize| {
                        lanes.load::<WHOLE>(from.wrapping_add(d * stride + v * LANES), v + 1 < V)
                    };
                    if SOURCE == READY {
                        *weights = load(numbers, stride);
                        continue;
                    }
                    *weights = load(own.key, own.key_stride);
                    if SOURCE == PAIRED {
                        *weights = _mm256_fmadd_ps(query, load(own.product, own.product_stride), *weights);
                    }
                    lanes.store::<WHOLE>(own.panel.add(d * stride + v * LANES), *weights, v + 1 < V);
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(*self.at.x.add(r * self.inputs + d));
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = _mm256_fmadd_ps(x, weight, *sum);
                    }
                }
            }
        }
    }
}

/// Weights are ready to be read.
const READY: u8 = 0;
/// Weights are made of key, query and product.
const PAIRED: u8 = 1;
/// Weights are those of the key.
const UNPAIRED: u8 = 2;

/// The lanes of the last vector of columns.
#[derive(Clone, Copy)]
struct Lanes {
    mask: __m256i,
}

impl Lanes {
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn load<const WHOLE: bool>(self, from: *const f32, is_whole: bool) -> __m256 {
        // SAFETY: the caller vouches for the numbers read.
        unsafe { if WHOLE || is_whole { _mm256_loadu_ps(from) } else { _mm256_maskload_ps(from, self.mask) } }
    }

    /// A masked store costs many times a whole one on AMD's processors: the last columns alone take them.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn store<const WHOLE: bool>(self, to: *mut f32, vector: __m256, is_whole: bool) {
        // SAFETY: the caller vouches for the numbers written.
        unsafe {
            if WHOLE || is_whole {
                _mm256_storeu_ps(to, vector);
            } else {
                _mm256_maskstore_ps(to, self.mask, vector);
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
