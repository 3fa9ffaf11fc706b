//! Products with columns in the lanes, by strips of them, or of one output with inputs in the lanes.

use super::activation::sigmoids;
use super::strip::{Columns, End, Strip, TILE, strips};
use super::{LANES, some};
use crate::kernels::integer::{Part, Product, Weights, portable};
use core::arch::aarch64::*;

/// See [`IntegerKernel::product`](crate::kernels::integer::IntegerKernel::product).
pub(in super::super) fn product(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
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

/// See [`IntegerKernel::add`](crate::kernels::integer::IntegerKernel::add).
pub(in super::super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
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

/// See [`IntegerKernel::dots`](crate::kernels::integer::IntegerKernel::dots).
pub(in super::super) fn dots(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
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
