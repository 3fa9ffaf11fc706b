//! NEON, which 64-bit Arm processors have but for targets without floating point. Every function checks the lengths that
//! its addresses rely on.
//!
//! The work is `smlal`: one input of four columns in the 32-bit lanes of a vector. Columns that do not fill a vector are
//! computed by one that ends at the last of them and begins among those that are done already.
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

use super::extents::Queries;
use super::{Parameters, Part, Product, Scale, Weights, portable};
use crate::fixed::{self, SIGMOID};
use core::arch::aarch64::*;

/// Columns in a vector of sums.
const LANES: usize = 4;

/// Rows, and vectors of columns, computed together: sixteen sums, which with weights and inputs fill 28 of 32 registers.
const TILE: usize = 4;

/// See [`IntegerKernel::product`](super::IntegerKernel::product).
pub(super) fn product(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
    let Product { weights, inputs, columns, shift, multipliers, start, finish } = *product;
    let Some(rows) = product.rows(x, out, stride).filter(|_| columns >= LANES) else {
        return portable::product(product, x, out, stride);
    };
    for Columns { first, vectors, .. } in strips(columns) {
        // SAFETY: `Product::rows` checked every address.
        unsafe {
            let strip = Strip {
                weights: weights.as_ptr().add(4 * first),
                stride: 4 * columns,
                inputs,
                multipliers: multipliers.as_ptr().add(2 * first),
                shift,
            };
            let (start, out) = (start.as_ptr().add(first), out.as_mut_ptr().add(first));
            let end = End::Finish { start, shift: finish.shift, out };
            match weights {
                Weights::Quads(_) => strip.rows::<true>(vectors, x.as_ptr(), rows, end, stride),
                Weights::Panel(_) => strip.rows::<false>(vectors, x.as_ptr(), rows, end, stride),
            }
        }
    }
    if finish.sigmoid {
        for row in out.chunks_mut(stride).take(rows) {
            sigmoids(&mut row[..columns]);
        }
    }
}

/// Some columns.
struct Columns {
    first: usize,
    /// At most [`TILE`].
    vectors: usize,
    /// So many of the first, fewer than a vector has, were among those before.
    done: usize,
}

/// Divides at least [`LANES`] columns.
fn strips(columns: usize) -> impl Iterator<Item = Columns> {
    let mut next = 0;
    core::iter::from_fn(move || {
        let vectors = (columns - next).div_ceil(LANES).min(TILE).min(columns / LANES);
        let first = next.min(columns - vectors * LANES);
        let done = next - first;
        next = first + vectors * LANES;
        (vectors > 0).then_some(Columns { first, vectors, done })
    })
}

/// What becomes of the sums of a strip.
#[derive(Clone, Copy)]
enum End {
    /// `out = sat16((start + rshift(sum, s1) m) >> shift)`
    Finish { start: *const i32, shift: u8, out: *mut i16 },
    /// `t += rshift(sum, s1) m`, but for the first `done` columns.
    Add { t: *mut i32, done: usize },
}

impl End {
    /// So many numbers later.
    unsafe fn later(self, numbers: usize) -> Self {
        // SAFETY: the caller vouches for them.
        unsafe {
            match self {
                Self::Finish { start, shift, out } => Self::Finish { start, shift, out: out.add(numbers) },
                Self::Add { t, done } => Self::Add { t: t.add(numbers), done },
            }
        }
    }
}

/// Some vectors of columns of the weights.
#[derive(Clone, Copy)]
struct Strip {
    /// The first column's first group of two or four inputs.
    weights: *const u8,
    /// Bytes from a group to the next.
    stride: usize,
    inputs: usize,
    /// i16, of the first column.
    multipliers: *const u8,
    shift: u8,
}

impl Strip {
    unsafe fn rows<const QUADS: bool>(
        &self,
        vectors: usize,
        x: *const i16,
        rows: usize,
        end: End,
        stride: usize,
    ) {
        // Blocks of nearly equal height: 50 rows are eleven blocks of four and two of three, none of two.
        let blocks = rows.div_ceil(TILE);
        let mut row = 0;
        for block in 0..blocks {
            let height = rows / blocks + usize::from(block < rows % blocks);
            // SAFETY: `row + height <= rows`.
            unsafe {
                let (x, end) = (x.add(row * self.inputs), end.later(row * stride));
                match (height, vectors) {
                    (1, 1) => self.tile::<1, 1, QUADS>(x, end, stride),
                    (2, 1) => self.tile::<2, 1, QUADS>(x, end, stride),
                    (3, 1) => self.tile::<3, 1, QUADS>(x, end, stride),
                    (4, 1) => self.tile::<4, 1, QUADS>(x, end, stride),
                    (1, 2) => self.tile::<1, 2, QUADS>(x, end, stride),
                    (2, 2) => self.tile::<2, 2, QUADS>(x, end, stride),
                    (3, 2) => self.tile::<3, 2, QUADS>(x, end, stride),
                    (4, 2) => self.tile::<4, 2, QUADS>(x, end, stride),
                    (1, 3) => self.tile::<1, 3, QUADS>(x, end, stride),
                    (2, 3) => self.tile::<2, 3, QUADS>(x, end, stride),
                    (3, 3) => self.tile::<3, 3, QUADS>(x, end, stride),
                    (4, 3) => self.tile::<4, 3, QUADS>(x, end, stride),
                    (1, 4) => self.tile::<1, 4, QUADS>(x, end, stride),
                    (2, 4) => self.tile::<2, 4, QUADS>(x, end, stride),
                    (3, 4) => self.tile::<3, 4, QUADS>(x, end, stride),
                    _ => self.tile::<4, 4, QUADS>(x, end, stride),
                }
            }
            row += height;
        }
    }

    /// A function of its own, or the compiler spills the sums of one height for the sake of another.
    #[inline(never)]
    unsafe fn tile<const R: usize, const V: usize, const QUADS: bool>(
        &self,
        x: *const i16,
        end: End,
        stride: usize,
    ) {
        // SAFETY: the caller vouches for `R` rows of `x` and of what is written, and for `V` vectors of columns.
        unsafe {
            let sums = self.sums::<R, V, QUADS>(x);
            let shift = vdupq_n_s32(-i32::from(self.shift));
            let mut m = [vdupq_n_s32(0); V];
            for (v, m) in m.iter_mut().enumerate() {
                *m = vmovl_s16(vld1_s16(self.multipliers.add(2 * v * LANES).cast()));
            }
            match end {
                End::Finish { start, shift: second, out } => {
                    let second = vdupq_n_s32(-i32::from(second));
                    for (r, sums) in sums.iter().enumerate() {
                        for (v, sum) in sums.iter().enumerate() {
                            let start = vld1q_s32(start.add(v * LANES));
                            let t = vmlaq_s32(start, vrshlq_s32(*sum, shift), m[v]);
                            vst1_s16(out.add(r * stride + v * LANES), vqmovn_s32(vshlq_s32(t, second)));
                        }
                    }
                }
                End::Add { t, done } => {
                    let lanes = vld1q_s32([0, 1, 2, 3].as_ptr());
                    m[0] = vbicq_s32(m[0], vreinterpretq_s32_u32(vcltq_s32(lanes, vdupq_n_s32(done as i32))));
                    for (r, sums) in sums.iter().enumerate() {
                        for (v, sum) in sums.iter().enumerate() {
                            let to = t.add(r * stride + v * LANES);
                            vst1q_s32(to, vmlaq_s32(vld1q_s32(to), vrshlq_s32(*sum, shift), m[v]));
                        }
                    }
                }
            }
        }
    }

    /// `[R, D] x [D, 4 V] -> [R, 4 V]`, sums in registers. The loops over `R` and `V` unroll.
    #[inline]
    unsafe fn sums<const R: usize, const V: usize, const QUADS: bool>(
        &self,
        x: *const i16,
    ) -> [[int32x4_t; V]; R] {
        // SAFETY: as of `tile`.
        unsafe {
            let mut sums = [[vdupq_n_s32(0); V]; R];
            let mut held = [vdup_n_s16(0); R];
            let mut weights = self.weights;
            let whole = self.inputs / 4 * 4;
            for d in (0..whole).step_by(4) {
                for (r, held) in held.iter_mut().enumerate() {
                    *held = vld1_s16(x.add(r * self.inputs + d));
                }
                self.four::<R, V, QUADS>(&mut sums, weights, &held, 4);
                weights = weights.wrapping_add(if QUADS { self.stride } else { 2 * self.stride });
            }
            let rest = self.inputs - whole;
            if rest > 0 {
                for (r, held) in held.iter_mut().enumerate() {
                    *held = some(x.add(r * self.inputs + whole), rest);
                }
                self.four::<R, V, QUADS>(&mut sums, weights, &held, rest);
            }
            sums
        }
    }

    /// `sums += weights x` for four inputs of each row, of which `count` are there.
    #[inline(always)] // as a call it would take the sums through memory
    unsafe fn four<const R: usize, const V: usize, const QUADS: bool>(
        &self,
        sums: &mut [[int32x4_t; V]; R],
        weights: *const u8,
        x: &[int16x4_t; R],
        count: usize,
    ) {
        // SAFETY: the caller vouches for the weights of a group of four inputs, or of one or two groups of two.
        unsafe {
            let load = |weights: *const u8, order: [u8; 16]| {
                let order = vld1q_u8(order.as_ptr());
                let mut held = [vdupq_n_s8(0); V];
                for (v, held) in held.iter_mut().enumerate() {
                    *held = vqtbl1q_s8(vld1q_s8(weights.add(4 * v * LANES).cast()), order);
                }
                held
            };
            // Of four columns: inputs d and d + 1 of each; then d + 2 and d + 3.
            let (first, second) = if QUADS {
                // From d, d + 2, d + 1, d + 3 of each column.
                let quads = load(weights, [0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15]);
                (quads.map(|quad| vmovl_s8(vget_low_s8(quad))), quads.map(|quad| vmovl_high_s8(quad)))
            } else {
                // From d, d + 1 of each column.
                let order = [0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15];
                let none = [vdupq_n_s16(0); V];
                let second = if count > 2 {
                    load(weights.add(self.stride), order).map(|pair| vreinterpretq_s16_s8(pair))
                } else {
                    none
                };
                (load(weights, order).map(|pair| vreinterpretq_s16_s8(pair)), second)
            };
            multiply::<0, R, V>(sums, first.map(|pair| vget_low_s16(pair)), x);
            multiply::<1, R, V>(sums, first.map(|pair| vget_high_s16(pair)), x);
            multiply::<2, R, V>(sums, second.map(|pair| vget_low_s16(pair)), x);
            multiply::<3, R, V>(sums, second.map(|pair| vget_high_s16(pair)), x);
        }
    }
}

/// `sums += weights x` for input `D` of four inputs of each row.
#[inline]
#[target_feature(enable = "neon")]
fn multiply<const D: i32, const R: usize, const V: usize>(
    sums: &mut [[int32x4_t; V]; R],
    weights: [int16x4_t; V],
    x: &[int16x4_t; R],
) {
    for (sums, x) in sums.iter_mut().zip(x) {
        for (sum, weights) in sums.iter_mut().zip(weights) {
            *sum = kept(vmlal_lane_s16::<D>(*sum, weights, *x));
        }
    }
}

/// The same sum. The compiler would else add up the products of some inputs first, which takes more registers than there
/// are, and an addition for every few `smlal`.
#[inline]
#[target_feature(enable = "neon")]
fn kept(mut sum: int32x4_t) -> int32x4_t {
    // SAFETY: no instruction at all.
    unsafe {
        core::arch::asm!("/* {0:v} */", inout(vreg) sum, options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

/// The first `count` numbers, at most 4, and zeros.
#[inline(never)]
unsafe fn some(from: *const i16, count: usize) -> int16x4_t {
    let mut numbers = [0; LANES];
    for (index, number) in numbers.iter_mut().enumerate().take(count) {
        // SAFETY: the caller vouches for `count` numbers.
        *number = unsafe { *from.add(index) };
    }
    // SAFETY: four numbers.
    unsafe { vld1_s16(numbers.as_ptr()) }
}

/// [`fixed::sigmoid`] of each.
fn sigmoids(numbers: &mut [i16]) {
    let (vectors, rest) = numbers.as_chunks_mut::<8>();
    for vector in vectors {
        // SAFETY: eight numbers.
        unsafe { vst1q_s16(vector.as_mut_ptr(), sigmoid(vld1q_s16(vector.as_ptr()))) };
    }
    let (halves, rest) = rest.as_chunks_mut::<4>();
    for half in halves {
        // SAFETY: four numbers.
        unsafe {
            let z = vld1_s16(half.as_ptr());
            vst1_s16(half.as_mut_ptr(), vget_low_s16(sigmoid(vcombine_s16(z, z))));
        }
    }
    rest.iter_mut().for_each(|z| *z = fixed::sigmoid(*z));
}

/// A coefficient of the sigmoid's sixteen segments, as bytes.
const fn sigmoid_bytes(coefficient: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut segment = 0;
    while segment < 16 {
        let number = SIGMOID[segment][coefficient];
        assert!(number >= i16::MIN as i32 && number <= i16::MAX as i32, "coefficients are 16-bit");
        [bytes[2 * segment], bytes[2 * segment + 1]] = (number as i16).to_le_bytes();
        segment += 1;
    }
    bytes
}

/// See [`fixed::sigmoid`]: the same steps in 16 bits. `sqrdmulh` is `rshift(x y, 15)`.
#[inline]
#[target_feature(enable = "neon")]
fn sigmoid(z: int16x8_t) -> int16x8_t {
    const TABLES: [[u8; 32]; 3] = [sigmoid_bytes(0), sigmoid_bytes(1), sigmoid_bytes(2)];
    let sign = vshrq_n_s16::<15>(z);
    let s = veorq_s16(z, sign);
    // Bytes 2 n and 2 n + 1 of segment n.
    let segment = vshrq_n_u16::<11>(vreinterpretq_u16_s16(s));
    let bytes = vreinterpretq_u8_u16(vmlaq_u16(vdupq_n_u16(0x100), segment, vdupq_n_u16(0x202)));
    let [a, b, c] = TABLES.map(|table| {
        // SAFETY: 32 bytes.
        let table = unsafe { uint8x16x2_t(vld1q_u8(table.as_ptr()), vld1q_u8(table.as_ptr().add(16))) };
        vreinterpretq_s16_u8(vqtbl2q_u8(table, bytes))
    });
    let u = vshlq_n_s16::<4>(vandq_s16(s, vdupq_n_s16(2047)));
    let slope = vaddq_s16(b, vqrdmulhq_s16(c, u));
    let y = vaddq_s16(a, vqrdmulhq_s16(u, slope));
    veorq_s16(y, vandq_s16(sign, vdupq_n_s16(0x7fff)))
}

/// See [`IntegerKernel::add`](super::IntegerKernel::add).
pub(super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    let columns = part.outputs;
    let Some(rows) = part.rows(x, t).filter(|_| columns >= LANES) else {
        return portable::add(part, x, t);
    };
    for Columns { first, vectors, done } in strips(columns) {
        // SAFETY: `Part::rows` checked every address.
        unsafe {
            let strip = Strip {
                weights: part.weight.as_ptr().add(4 * first),
                stride: 4 * columns,
                inputs: part.inputs,
                multipliers: part.multipliers.as_ptr().add(2 * first),
                shift: part.shift,
            };
            let end = End::Add { t: t.as_mut_ptr().add(first), done };
            strip.rows::<true>(vectors, x.as_ptr(), rows, end, columns);
        }
    }
}

/// See [`IntegerKernel::dots`](super::IntegerKernel::dots).
pub(super) fn dots(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
    let inputs = part.inputs;
    if part.outputs != 1 || !part.holds_weights(inputs) {
        return portable::dots(part, x, sums);
    }
    let rows = x.len().checked_div(inputs).unwrap_or_default().min(sums.len());
    let (blocks, rest) = sums[..rows].as_chunks_mut::<TILE>();
    let mut x = x.as_ptr();
    // SAFETY: as many rows of `x` as sums, and weights for every input.
    unsafe {
        for sums in blocks {
            *sums = dots_of(part.weight, inputs, x);
            x = x.add(TILE * inputs);
        }
        for sum in rest {
            [*sum] = dots_of(part.weight, inputs, x);
            x = x.add(inputs);
        }
    }
}

/// `[R, D] x [D, 1] -> [R]`
unsafe fn dots_of<const R: usize>(weights: &[u8], inputs: usize, x: *const i16) -> [i32; R] {
    // SAFETY: the caller vouches for `R` rows of `inputs` numbers, and for a weight for each of them.
    unsafe {
        let mut sums = [vdupq_n_s32(0); R];
        let whole = inputs / 8 * 8;
        for d in (0..whole).step_by(8) {
            let weights = in_order(vld1_s8(weights.as_ptr().add(d).cast()));
            for (r, sum) in sums.iter_mut().enumerate() {
                let x = vld1q_s16(x.add(r * inputs + d));
                *sum = vmlal_high_s16(vmlal_s16(*sum, vget_low_s16(weights), vget_low_s16(x)), weights, x);
            }
        }
        let rest = inputs - whole;
        if rest > 0 {
            let mut bytes = [0_u8; 8];
            for (byte, weight) in bytes.iter_mut().zip(&weights[whole..]) {
                *byte = *weight;
            }
            let weights = in_order(vreinterpret_s8_u8(vld1_u8(bytes.as_ptr())));
            for (r, sum) in sums.iter_mut().enumerate() {
                let x = x.add(r * inputs + whole);
                *sum = vmlal_s16(*sum, vget_low_s16(weights), some(x, rest));
                if rest > 4 {
                    *sum = vmlal_s16(*sum, vget_high_s16(weights), some(x.add(4), rest - 4));
                }
            }
        }
        sums.map(|sum| vaddvq_s32(sum))
    }
}

/// Inputs d, d + 2, d + 1, d + 3 put in order, in each four bytes, and widened.
#[inline]
#[target_feature(enable = "neon")]
fn in_order(quads: int8x8_t) -> int16x8_t {
    // SAFETY: eight bytes.
    let order = unsafe { vld1_u8([0, 2, 1, 3, 4, 6, 5, 7].as_ptr()) };
    vmovl_s8(vtbl1_s8(quads, vreinterpret_s8_u8(order)))
}

/// Some columns of each query's own matrix, as a panel: `[N, P] -> [N, ceil(D / 2), columns, 2]`.
pub(super) fn combine(part: &Part<'_>, queries: &[i16], start: usize, columns: usize, panels: &mut [i16]) {
    let held = part.queries(queries, start, columns, panels).filter(|_| columns >= LANES);
    let Some(Queries { count, paired, len }) = held else {
        return portable::combine(part, queries, start, columns, panels);
    };
    for query in 0..count {
        let panel = &mut panels[query * len..][..len];
        // SAFETY: `Part::queries` checked every address.
        unsafe { combine_one(part, &queries[query * paired..][..paired], start, columns, panel) };
    }
}

/// At least [`LANES`] columns of a query's own matrix.
unsafe fn combine_one(part: &Part<'_>, query: &[i16], start: usize, columns: usize, panel: &mut [i16]) {
    for index in 0..part.inputs.div_ceil(2) {
        let count = query.len().saturating_sub(2 * index).min(2);
        // SAFETY: the caller vouches for the columns: two inputs of a column are four bytes, as are four weights of one byte.
        unsafe {
            let base = part.base.as_ptr().add(4 * (index * part.outputs + start));
            let to = panel.as_mut_ptr().add(2 * index * columns);
            if count == 0 {
                core::ptr::copy_nonoverlapping(base, to.cast(), 4 * columns);
                continue;
            }
            let quads = part.weight.as_ptr().add(4 * (index / 2 * part.outputs + start));
            let q = vreinterpret_s32_s16(some(query.as_ptr().add(2 * index), count));
            let q = vreinterpretq_s16_s32(vdupq_lane_s32::<0>(q));
            let mut column = 0;
            while column < columns {
                // The last vector ends at the last column.
                let at = column.min(columns - LANES);
                let base = vld1q_s16(base.add(4 * at).cast());
                let quads = vld1q_s16(quads.add(4 * at).cast());
                vst1q_s16(to.add(2 * at), combined(base, quads, q, index % 2 == 1));
                column += LANES;
            }
        }
    }
}

/// `sat16(base + rshift(w q, 8))`, the second or the first two inputs of the quads: `rshift(x y, 15)` with `w 2^7`.
#[inline]
#[target_feature(enable = "neon")]
fn combined(base: int16x8_t, quads: int16x8_t, query: int16x8_t, second: bool) -> int16x8_t {
    let high = if second { vbicq_s16(quads, vdupq_n_s16(0xff)) } else { vshlq_n_s16::<8>(quads) };
    vqaddq_s16(base, vqrdmulhq_s16(vshrq_n_s16::<1>(high), query))
}

/// See [`IntegerKernel::weighted_sum`](super::IntegerKernel::weighted_sum).
pub(super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    let width = sums.len();
    let rows = keys.len().checked_div(width).unwrap_or_default().min(weights.len());
    let mut first = 0;
    while width - first >= 8 {
        // SAFETY: `rows` rows of keys, each with columns `first .. first + 8`, or so many more.
        unsafe {
            let (keys, to) = (keys.as_ptr().wrapping_add(first), sums.as_mut_ptr().add(first));
            if width - first >= 32 {
                weighted_strip::<4>(&weights[..rows], keys, width, to);
                first += 32;
            } else {
                weighted_strip::<1>(&weights[..rows], keys, width, to);
                first += 8;
            }
        }
    }
    let rest = &mut sums[first..];
    rest.fill(0);
    for (key, weight) in keys.chunks_exact(width.max(1)).zip(weights) {
        for (sum, x) in rest.iter_mut().zip(&key[first..]) {
            *sum = sum.wrapping_add(weight.wrapping_mul((*x).into()));
        }
    }
}

/// `8 V` columns of the sums.
unsafe fn weighted_strip<const V: usize>(weights: &[i32], keys: *const i16, width: usize, to: *mut i32) {
    // SAFETY: the caller vouches for as many rows as weights, and for the columns.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); 2]; V];
        for (row, weight) in weights.iter().enumerate() {
            for (v, sums) in sums.iter_mut().enumerate() {
                let key = vld1q_s16(keys.add(row * width + 8 * v));
                sums[0] = vmlaq_n_s32(sums[0], vmovl_s16(vget_low_s16(key)), *weight);
                sums[1] = vmlaq_n_s32(sums[1], vmovl_high_s16(key), *weight);
            }
        }
        for (v, sums) in sums.iter().enumerate() {
            vst1q_s32(to.add(8 * v), sums[0]);
            vst1q_s32(to.add(8 * v + 4), sums[1]);
        }
    }
}

/// See [`IntegerKernel::scale`](super::IntegerKernel::scale).
pub(super) fn scale(scale: &Scale, row: &[u8], out: &mut [i16]) {
    let (vectors, rest) = row.as_chunks::<8>();
    let (outputs, rest_outputs) = out.split_at_mut((8 * vectors.len()).min(out.len()));
    for (q, out) in vectors.iter().zip(outputs.as_chunks_mut::<8>().0) {
        // SAFETY: NEON is there (see the module).
        unsafe { scale_eight(scale, q, out) };
    }
    portable::scale(scale, rest, rest_outputs);
}

#[inline]
#[target_feature(enable = "neon")]
fn scale_eight(scale: &Scale, q: &[u8; 8], out: &mut [i16; 8]) {
    let shift = vdupq_n_s32(-i32::from(scale.shift));
    let scaled = |q| vrshlq_s32(vmulq_n_s32(q, scale.multiplier.into()), shift);
    // Saturated first: the limit is at most 32767.
    let limit = vdupq_n_s16(scale.limit.cast_signed());
    // SAFETY: eight bytes, and eight numbers.
    unsafe {
        let q = vmovl_s8(vld1_s8(q.as_ptr().cast()));
        let low = vqmovn_s32(scaled(vmovl_s16(vget_low_s16(q))));
        let all = vqmovn_high_s32(low, scaled(vmovl_high_s16(q)));
        vst1q_s16(out.as_mut_ptr(), vmaxq_s16(vminq_s16(all, limit), vnegq_s16(limit)));
    }
}

/// See [`IntegerKernel::dice`](super::IntegerKernel::dice).
pub(super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
    if !parameters.holds_dice(outputs) {
        return portable::dice(parameters, outputs, rows);
    }
    for row in rows.chunks_mut(outputs.max(1)) {
        let (vectors, rest) = row.as_chunks_mut::<8>();
        let first = 8 * vectors.len();
        for (vector, o) in vectors.iter_mut().zip((0..).step_by(8)) {
            // SAFETY: NEON is there (see the module); `holds_dice`.
            unsafe { dice_of_eight(parameters, o, vector) };
        }
        portable::dice_from(parameters, first, rest);
    }
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn dice_of_eight(parameters: &Parameters<'_>, o: usize, z: &mut [i16; 8]) {
    // SAFETY: the caller vouches for the parameters of outputs `o .. o + 8`.
    let (s, a, alpha, b, e) = unsafe {
        (
            vld1q_s16(z.as_ptr()),
            vld1q_s16(parameters.a.as_ptr().add(2 * o).cast()),
            vld1q_s16(parameters.alpha.as_ptr().add(2 * o).cast()),
            [0, 4].map(|half| vld1q_s32(parameters.b.as_ptr().add(4 * (o + half)).cast())),
            vreinterpretq_s16_u16(vmovl_u8(vld1_u8(parameters.e.as_ptr().add(o)))),
        )
    };
    let e = vnegq_s16(e);
    let low = vshlq_s32(vmlal_s16(b[0], vget_low_s16(s), vget_low_s16(a)), vmovl_s16(vget_low_s16(e)));
    let high = vshlq_s32(vmlal_high_s16(b[1], s, a), vmovl_high_s16(e));
    let p = sigmoid(vqmovn_high_s32(vqmovn_s32(low), high));
    // 8192 p - alpha p; what leaves 16 bits of its high half comes back when alpha is added.
    let low = vmlsl_s16(vshll_n_s16::<13>(vget_low_s16(p)), vget_low_s16(alpha), vget_low_s16(p));
    let high = vmlsl_high_s16(vshll_high_n_s16::<13>(p), alpha, p);
    let g = vaddq_s16(alpha, vrshrn_high_n_s32::<15>(vrshrn_n_s32::<15>(low), high));
    let low = vqrshrn_n_s32::<13>(vmull_s16(vget_low_s16(s), vget_low_s16(g)));
    let out = vqrshrn_high_n_s32::<13>(low, vmull_high_s16(s, g));
    // SAFETY: eight numbers.
    unsafe { vst1q_s16(z.as_mut_ptr(), out) };
}
