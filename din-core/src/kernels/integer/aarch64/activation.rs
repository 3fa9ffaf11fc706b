//! The sigmoid of eight numbers at once, its coefficients looked up in registers, and Dice of eight outputs.

use crate::fixed::{self, SIGMOID};
use crate::kernels::integer::{Parameters, portable};
use core::arch::aarch64::*;

/// [`fixed::sigmoid`] of each.
pub(super) fn sigmoids(numbers: &mut [i16]) {
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

/// See [`IntegerKernel::dice`](crate::kernels::integer::IntegerKernel::dice).
pub(in super::super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
    if !parameters.holds_dice(outputs) {
        return portable::dice(parameters, outputs, rows);
    }
    for row in rows.chunks_mut(outputs.max(1)) {
        let (vectors, rest) = row.as_chunks_mut::<8>();
        let first = 8 * vectors.len();
        for (vector, o) in vectors.iter_mut().zip((0..).step_by(8)) {
            // SAFETY: NEON is there (see `aarch64.rs`); `holds_dice`.
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
