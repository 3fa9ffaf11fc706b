//! What attention needs besides products: queries' own matrices, and weighted sums of keys.

use super::{LANES, some};
use crate::kernels::integer::extents::Queries;
use crate::kernels::integer::{Part, portable};
use core::arch::aarch64::*;

/// Some columns of each query's own matrix, as a panel: `[N, P] -> [N, ceil(D / 2), columns, 2]`.
pub(in super::super) fn combine(
    part: &Part<'_>,
    queries: &[i16],
    start: usize,
    columns: usize,
    panels: &mut [i16],
) {
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

/// See [`IntegerKernel::weighted_sum`](crate::kernels::integer::IntegerKernel::weighted_sum).
pub(in super::super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
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
