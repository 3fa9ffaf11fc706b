//! NEON, which 64-bit Arm processors have but for targets without floating point. Every function checks the lengths that
//! its addresses rely on.
//!
//! The work is `smlal`: one input of four columns in the 32-bit lanes of a vector. Columns that do not fill a vector are
//! computed by one that ends at the last of them and begins among those that are done already.
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

mod activation;
mod attention;
mod product;
mod strip;

use super::{Scale, portable};
pub(super) use activation::dice;
pub(super) use attention::{combine, weighted_sum};
use core::arch::aarch64::*;
pub(super) use product::{add, dots, product};

/// Columns in a vector of sums.
const LANES: usize = 4;

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
