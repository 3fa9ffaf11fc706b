//! Some columns against all rows, in tiles whose sums are in registers.

use super::{LANES, some};
use core::arch::aarch64::*;

/// Rows, and vectors of columns, computed together: sixteen sums, which with weights and inputs fill 28 of 32 registers.
pub(super) const TILE: usize = 4;

/// Some columns.
pub(super) struct Columns {
    pub first: usize,
    /// At most [`TILE`].
    pub vectors: usize,
    /// So many of the first, fewer than a vector has, were among those before.
    pub done: usize,
}

/// Divides at least [`LANES`] columns.
pub(super) fn strips(columns: usize) -> impl Iterator<Item = Columns> {
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
pub(super) enum End {
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
pub(super) struct Strip {
    /// The first column's first group of two or four inputs.
    pub weights: *const u8,
    /// Bytes from a group to the next.
    pub stride: usize,
    pub inputs: usize,
    /// i16, of the first column.
    pub multipliers: *const u8,
    pub shift: u8,
}

impl Strip {
    /// All rows against so many vectors of columns.
    ///
    /// # Safety
    /// The strip's addresses are those of `inputs` rows of as many columns, quads or pairs as `QUADS` says; `x` has `rows` rows of
    /// `inputs`, and what `end` names as many of its columns, `stride` numbers apart.
    pub unsafe fn rows<const QUADS: bool>(
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
