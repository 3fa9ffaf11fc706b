//! AVX2. Reached through [`IntegerKernel::Avx2`](super::IntegerKernel::Avx2) alone, which only exists where the
//! processor has it; every function checks the lengths that its addresses rely on.
//!
//! The work is `vpmaddwd`: two inputs of a column in one 32-bit lane, eight columns in a vector.
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // intrinsics, and loads by address: a bounds check for each would cost what the kernel gains

use super::extents::Queries;
use super::{Parameters, Part, Product, Scale, Weights, portable};
use crate::fixed::SIGMOID;
use core::arch::x86_64::*;

/// Columns in a vector.
const LANES: usize = 8;

/// Rows computed together: with two vectors of columns twelve sums, which with the weights fill the registers.
const ROWS: usize = 6;

/// See [`IntegerKernel::product`](super::IntegerKernel::product).
pub(super) fn product(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
    let Product { weights, inputs, columns, shift, multipliers, start, finish } = *product;
    let Some(rows) = product.rows(x, out, stride) else {
        return portable::product(product, x, out, stride);
    };
    let quads = matches!(weights, Weights::Quads(_));
    let mut first = 0;
    while first < columns {
        let width = (columns - first).min(2 * LANES);
        // SAFETY: the processor has AVX2 (see the module); `Product::rows` checked every address.
        unsafe {
            let strip = Strip {
                weights: weights.as_ptr().add(first * 4),
                stride: columns * 4,
                inputs,
                tail: (width - 1) % LANES + 1,
                multipliers: widened(&multipliers[first * 2..(first + width) * 2]),
                shift,
            };
            let start = taken(&start[first..first + width]);
            let to = Outputs { start, finish, out: out.as_mut_ptr().add(first), stride, width };
            match (quads, width > LANES) {
                (true, true) => strip.rows::<2, true>(x.as_ptr(), rows, &to),
                (true, false) => strip.rows::<1, true>(x.as_ptr(), rows, &to),
                (false, true) => strip.rows::<2, false>(x.as_ptr(), rows, &to),
                (false, false) => strip.rows::<1, false>(x.as_ptr(), rows, &to),
            }
        }
        first += width;
    }
}

/// The multipliers of up to sixteen columns, zeros after them.
fn widened(multipliers: &[u8]) -> [i32; 2 * LANES] {
    let mut all = [0; 2 * LANES];
    for (all, bytes) in all.iter_mut().zip(multipliers.as_chunks::<2>().0) {
        *all = i16::from_le_bytes(*bytes).into();
    }
    all
}

/// Up to sixteen numbers, zeros after them.
fn taken(numbers: &[i32]) -> [i32; 2 * LANES] {
    let mut all = [0; 2 * LANES];
    for (all, number) in all.iter_mut().zip(numbers) {
        *all = *number;
    }
    all
}

/// Up to sixteen columns of the weights.
#[derive(Clone, Copy)]
struct Strip {
    /// The first column's first group of two or four inputs.
    weights: *const u8,
    /// Bytes from a group to the next.
    stride: usize,
    inputs: usize,
    /// Columns of the last vector, 1 to 8.
    tail: usize,
    multipliers: [i32; 2 * LANES],
    shift: u8,
}

/// What the sums of a strip start from, and where they go.
struct Outputs {
    start: [i32; 2 * LANES],
    finish: super::Finish,
    out: *mut i16,
    stride: usize,
    width: usize,
}

impl Strip {
    #[target_feature(enable = "avx2")]
    unsafe fn rows<const V: usize, const QUADS: bool>(&self, x: *const i16, rows: usize, to: &Outputs) {
        // Blocks of nearly equal height: 50 rows are five blocks of six and four of five, none of two.
        let blocks = rows.div_ceil(ROWS);
        let mut row = 0;
        for block in 0..blocks {
            let height = rows / blocks + usize::from(block < rows % blocks);
            // SAFETY: `row + height <= rows`.
            unsafe {
                let (x, out) = (x.add(row * self.inputs), to.out.add(row * to.stride));
                match height {
                    1 => self.tile::<1, V, QUADS>(x, to, out),
                    2 => self.tile::<2, V, QUADS>(x, to, out),
                    3 => self.tile::<3, V, QUADS>(x, to, out),
                    4 => self.tile::<4, V, QUADS>(x, to, out),
                    5 => self.tile::<5, V, QUADS>(x, to, out),
                    _ => self.tile::<6, V, QUADS>(x, to, out),
                }
            }
            row += height;
        }
    }

    /// A function of its own, or the compiler spills the sums of one height for the sake of another.
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    unsafe fn tile<const R: usize, const V: usize, const QUADS: bool>(
        &self,
        x: *const i16,
        to: &Outputs,
        out: *mut i16,
    ) {
        // SAFETY: the caller vouches for `R` rows of `x` and `out`, and for the columns of the strip.
        unsafe {
            let sums = self.sums::<R, V, QUADS>(x);
            let shift = _mm_cvtsi32_si128(i32::from(to.finish.shift));
            for (r, sums) in sums.into_iter().enumerate() {
                let mut z = [_mm256_setzero_si256(); 2];
                for (v, (z, t)) in z.iter_mut().zip(self.scaled(sums)).enumerate() {
                    let start = _mm256_loadu_si256(to.start.as_ptr().add(v * LANES).cast());
                    *z = _mm256_sra_epi32(_mm256_add_epi32(start, t), shift);
                }
                // Four columns of each vector by turns, put right.
                let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(z[0], z[1]));
                let packed = if to.finish.sigmoid { sigmoid(packed) } else { packed };
                let out = out.add(r * to.stride);
                if to.width == 2 * LANES {
                    _mm256_storeu_si256(out.cast(), packed);
                } else if to.width == LANES {
                    _mm_storeu_si128(out.cast(), _mm256_castsi256_si128(packed));
                } else {
                    let mut numbers = [0_i16; 2 * LANES];
                    _mm256_storeu_si256(numbers.as_mut_ptr().cast(), packed);
                    core::ptr::copy_nonoverlapping(numbers.as_ptr(), out, to.width);
                }
            }
        }
    }

    /// `rshift(sums, s1) m`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn scaled<const V: usize>(&self, mut sums: [__m256i; V]) -> [__m256i; V] {
        let half = _mm256_set1_epi32((1_i32 << self.shift) >> 1);
        let shift = _mm_cvtsi32_si128(i32::from(self.shift));
        for (v, sum) in sums.iter_mut().enumerate() {
            // SAFETY: two vectors of multipliers, and at most as many of sums.
            let m = unsafe { _mm256_loadu_si256(self.multipliers.as_ptr().add(v * LANES).cast()) };
            *sum = _mm256_mullo_epi32(_mm256_sra_epi32(_mm256_add_epi32(*sum, half), shift), m);
        }
        sums
    }

    /// `[R, D] x [D, 8 V] -> [R, 8 V]`, sums in registers. The loops over `R` and `V` unroll.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn sums<const R: usize, const V: usize, const QUADS: bool>(
        &self,
        x: *const i16,
    ) -> [[__m256i; V]; R] {
        let mask = tail_mask(self.tail);
        let whole = self.tail == LANES;
        let load = |from: *const u8, v: usize| {
            // SAFETY: the caller vouches for the columns of the strip.
            unsafe {
                let from = from.add(v * 4 * LANES);
                if v + 1 < V || whole {
                    _mm256_loadu_si256(from.cast())
                } else {
                    _mm256_maskload_epi32(from.cast(), mask)
                }
            }
        };
        let mut sums = [[_mm256_setzero_si256(); V]; R];
        let mut weights = self.weights;
        let row = |r: usize| x.wrapping_add(r * self.inputs);
        if QUADS {
            for quad in 0..self.inputs / 4 {
                // SAFETY: four inputs from `4 quad` on.
                unsafe {
                    multiply(&mut sums, |v| evens(load(weights, v)), |r| pair(row(r).add(4 * quad)));
                    multiply(&mut sums, |v| odds(load(weights, v)), |r| pair(row(r).add(4 * quad + 2)));
                }
                weights = weights.wrapping_add(self.stride);
            }
            let rest = self.inputs % 4;
            if rest > 0 {
                // SAFETY: `rest` inputs from the last quad on.
                unsafe {
                    let x = x.add(self.inputs - rest);
                    let (low, high) = (rest.min(2), rest.saturating_sub(2));
                    multiply(&mut sums, |v| evens(load(weights, v)), |r| some(x.add(r * self.inputs), low));
                    multiply(
                        &mut sums,
                        |v| odds(load(weights, v)),
                        |r| some(x.add(r * self.inputs + low), high),
                    );
                }
            }
        } else {
            for index in 0..self.inputs / 2 {
                // SAFETY: two inputs from `2 index` on.
                unsafe { multiply(&mut sums, |v| load(weights, v), |r| pair(row(r).add(2 * index))) };
                weights = weights.wrapping_add(self.stride);
            }
            if self.inputs % 2 == 1 {
                // SAFETY: one input, the last.
                unsafe {
                    let x = x.add(self.inputs - 1);
                    multiply(&mut sums, |v| load(weights, v), |r| some(x.add(r * self.inputs), 1));
                }
            }
        }
        sums
    }
}

/// `sums += weights x` for two inputs of each row.
#[inline]
#[target_feature(enable = "avx2")]
fn multiply<const R: usize, const V: usize>(
    sums: &mut [[__m256i; V]; R],
    weights: impl Fn(usize) -> __m256i,
    input: impl Fn(usize) -> __m256i,
) {
    let mut held = [_mm256_setzero_si256(); V];
    for (v, held) in held.iter_mut().enumerate() {
        *held = weights(v);
    }
    for (r, sums) in sums.iter_mut().enumerate() {
        let x = input(r);
        for (sum, weights) in sums.iter_mut().zip(held) {
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(x, weights));
        }
    }
}

/// Two numbers, in every lane.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn pair(x: *const i16) -> __m256i {
    // SAFETY: the caller vouches for two numbers.
    _mm256_set1_epi32(unsafe { x.cast::<i32>().read_unaligned() })
}

/// Up to two numbers and zeros, in every lane.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn some(x: *const i16, count: usize) -> __m256i {
    let mut two = [0_i16; 2];
    // SAFETY: the caller vouches for `count` numbers.
    unsafe { core::ptr::copy_nonoverlapping(x, two.as_mut_ptr(), count.min(2)) };
    _mm256_set1_epi32(i32::from(two[1]) << 16 | i32::from(two[0]) & 0xffff)
}

/// Inputs d and d + 1 of quads, widened.
#[inline]
#[target_feature(enable = "avx2")]
fn evens(quads: __m256i) -> __m256i {
    _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(quads))
}

/// Inputs d + 2 and d + 3 of quads, widened.
#[inline]
#[target_feature(enable = "avx2")]
fn odds(quads: __m256i) -> __m256i {
    _mm256_srai_epi16::<8>(quads)
}

/// The first `count` lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn tail_mask(count: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
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

/// See [`IntegerKernel::add`](super::IntegerKernel::add).
pub(super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    let columns = part.outputs;
    let Some(rows) = part.rows(x, t) else {
        return portable::add(part, x, t);
    };
    for first in (0..columns).step_by(2 * LANES) {
        let width = (columns - first).min(2 * LANES);
        let strip = Strip {
            weights: part.weight.as_ptr().wrapping_add(first * 4),
            stride: columns * 4,
            inputs: part.inputs,
            tail: (width - 1) % LANES + 1,
            multipliers: widened(&part.multipliers[first * 2..(first + width) * 2]),
            shift: part.shift,
        };
        // SAFETY: the processor has AVX2 (see the module); `Part::rows` checked every address.
        unsafe {
            let t = t.as_mut_ptr().add(first);
            if width > LANES {
                strip.add_rows::<2>(x.as_ptr(), rows, t, columns);
            } else {
                strip.add_rows::<1>(x.as_ptr(), rows, t, columns);
            }
        }
    }
}

impl Strip {
    /// `t += rshift(x W, s1) m`, rows of `t` `stride` numbers apart.
    #[target_feature(enable = "avx2")]
    unsafe fn add_rows<const V: usize>(&self, x: *const i16, rows: usize, t: *mut i32, stride: usize) {
        // Heights of 4 and 1 alone: the few rows here are a block of candidates, or a user.
        let mut row = 0;
        while row < rows {
            // SAFETY: as many rows as are left.
            unsafe {
                let (x, t) = (x.add(row * self.inputs), t.add(row * stride));
                if rows - row >= 4 {
                    self.add_tile::<4, V>(x, t, stride);
                    row += 4;
                } else {
                    self.add_tile::<1, V>(x, t, stride);
                    row += 1;
                }
            }
        }
    }

    #[inline(never)]
    #[target_feature(enable = "avx2")]
    unsafe fn add_tile<const R: usize, const V: usize>(&self, x: *const i16, t: *mut i32, stride: usize) {
        let mask = tail_mask(self.tail);
        // SAFETY: the caller vouches for `R` rows of `x` and `t`, and for the columns of the strip.
        unsafe {
            for (r, sums) in self.sums::<R, V, true>(x).into_iter().enumerate() {
                for (v, sum) in self.scaled(sums).into_iter().enumerate() {
                    let t = t.add(r * stride + v * LANES);
                    if v + 1 < V || self.tail == LANES {
                        let sum = _mm256_add_epi32(_mm256_loadu_si256(t.cast()), sum);
                        _mm256_storeu_si256(t.cast(), sum);
                    } else {
                        let sum = _mm256_add_epi32(_mm256_maskload_epi32(t, mask), sum);
                        _mm256_maskstore_epi32(t, mask, sum);
                    }
                }
            }
        }
    }
}

/// See [`IntegerKernel::dots`](super::IntegerKernel::dots).
pub(super) fn dots(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
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

/// Some columns of each query's own matrix, as a panel: `[N, P] -> [N, ceil(D / 2), columns, 2]`.
pub(super) fn combine(part: &Part<'_>, queries: &[i16], start: usize, columns: usize, panels: &mut [i16]) {
    let Some(Queries { count, paired, len }) = part.queries(queries, start, columns, panels) else {
        return portable::combine(part, queries, start, columns, panels);
    };
    // As many queries in one pass over the weights as there are.
    let mut query = 0;
    while query < count {
        // SAFETY: the processor has AVX2 (see the module); `Part::queries` checked every address.
        unsafe {
            let panels = panels.as_mut_ptr().add(query * len).cast();
            let queries = queries.as_ptr().add(query * paired);
            let pass = Combine { part, queries, paired, start, columns, panels, len: len / 2 };
            if count - query >= 2 {
                pass.run::<2>();
                query += 2;
            } else {
                pass.run::<1>();
                query += 1;
            }
        }
    }
}

/// Some columns of the own matrices of `Q` queries.
struct Combine<'a> {
    part: &'a Part<'a>,
    /// `[Q, P]`
    queries: *const i16,
    /// P
    paired: usize,
    start: usize,
    columns: usize,
    /// Two inputs of a column in each number.
    panels: *mut i32,
    /// Of a panel.
    len: usize,
}

impl Combine<'_> {
    #[target_feature(enable = "avx2")]
    unsafe fn run<const Q: usize>(&self) {
        let Self { part, paired, start, columns, .. } = *self;
        let (whole, mask) = (columns - columns % LANES, tail_mask(columns % LANES));
        let (base, weights) = (part.base.as_ptr().cast::<i32>(), part.weight.as_ptr().cast::<i32>());
        for index in 0..part.inputs.div_ceil(2) {
            let count = paired.saturating_sub(2 * index).min(2);
            let row = base.wrapping_add(index * part.outputs + start);
            let quads = weights.wrapping_add(index / 2 * part.outputs + start);
            let second = index % 2 == 1;
            // SAFETY: the caller vouches for the columns of every row: two inputs of a column are four bytes, as are
            // four weights of one byte.
            unsafe {
                let mut query = [_mm256_setzero_si256(); Q];
                for (q, query) in query.iter_mut().enumerate() {
                    let at = self.queries.wrapping_add(q * paired + 2 * index);
                    *query = if count == 2 { pair(at) } else { some(at, count) };
                }
                let to = |q: usize, column| self.panels.add(q * self.len + index * columns + column);
                for column in (0..whole).step_by(LANES) {
                    let base = _mm256_loadu_si256(row.add(column).cast());
                    let high = if count == 0 {
                        _mm256_setzero_si256()
                    } else {
                        raised(_mm256_loadu_si256(quads.add(column).cast()), second)
                    };
                    for (q, query) in query.iter().enumerate() {
                        _mm256_storeu_si256(to(q, column).cast(), combined(base, high, *query));
                    }
                }
                if whole < columns {
                    let base = _mm256_maskload_epi32(row.add(whole), mask);
                    let high = if count == 0 {
                        _mm256_setzero_si256()
                    } else {
                        raised(_mm256_maskload_epi32(quads.add(whole), mask), second)
                    };
                    for (q, query) in query.iter().enumerate() {
                        let mut numbers = [0_i32; LANES];
                        _mm256_storeu_si256(numbers.as_mut_ptr().cast(), combined(base, high, *query));
                        core::ptr::copy_nonoverlapping(numbers.as_ptr(), to(q, whole), columns - whole);
                    }
                }
            }
        }
    }
}

/// `w 2^7` of the second or the first two inputs of the quads.
#[inline]
#[target_feature(enable = "avx2")]
fn raised(quads: __m256i, second: bool) -> __m256i {
    let high = if second {
        _mm256_and_si256(quads, _mm256_set1_epi16(0xff00_u16.cast_signed()))
    } else {
        _mm256_slli_epi16::<8>(quads)
    };
    _mm256_srai_epi16::<1>(high)
}

/// `sat16(base + rshift(w q, 8))`, the product as `rshift(x y, 15)` of `w 2^7`.
#[inline]
#[target_feature(enable = "avx2")]
fn combined(base: __m256i, raised: __m256i, query: __m256i) -> __m256i {
    _mm256_adds_epi16(base, _mm256_mulhrs_epi16(raised, query))
}

/// See [`IntegerKernel::weighted_sum`](super::IntegerKernel::weighted_sum).
pub(super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    // SAFETY: the processor has AVX2 (see the module).
    unsafe { weighted_sum_avx2(weights, keys, sums) };
}

#[target_feature(enable = "avx2")]
fn weighted_sum_avx2(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    const STRIP: usize = 8 * LANES;
    let width = sums.len();
    let rows = keys.len().checked_div(width).unwrap_or_default().min(weights.len());
    let strips = width / STRIP;
    for strip in 0..strips {
        let mut held = [_mm256_setzero_si256(); STRIP / LANES];
        for (row, weight) in weights[..rows].iter().enumerate() {
            let weight = _mm256_set1_epi32(*weight);
            for (v, sum) in held.iter_mut().enumerate() {
                // SAFETY: within row `row`, `rows` of which are there.
                let key = unsafe {
                    _mm_loadu_si128(keys.as_ptr().add(row * width + strip * STRIP + v * LANES).cast())
                };
                *sum = _mm256_add_epi32(*sum, _mm256_mullo_epi32(weight, _mm256_cvtepi16_epi32(key)));
            }
        }
        for (v, sum) in held.into_iter().enumerate() {
            // SAFETY: within `sums`, whose strips are counted.
            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().add(strip * STRIP + v * LANES).cast(), sum) };
        }
    }
    let rest = &mut sums[strips * STRIP..];
    rest.fill(0);
    for (key, weight) in keys.chunks_exact(width.max(1)).zip(weights) {
        for (sum, x) in rest.iter_mut().zip(&key[strips * STRIP..]) {
            *sum = sum.wrapping_add(weight.wrapping_mul((*x).into()));
        }
    }
}

/// See [`IntegerKernel::scale`](super::IntegerKernel::scale).
pub(super) fn scale(scale: &Scale, row: &[u8], out: &mut [i16]) {
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

/// See [`IntegerKernel::dice`](super::IntegerKernel::dice).
pub(super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
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
