//! Rows of halves as inputs: fifteen instructions a number that is not clamped. Written in assembly, which keeps the implicit
//! bit in the register that a number's other bits are inserted into.
#![allow(unsafe_code)] // assembly, and what it reads by address

use crate::fixed::Halves;
#[cfg(din_dsp)]
use core::arch::naked_asm;

/// What [`run`] rounds by, see [`Halves`], and how many. The assembly loads it all at once.
#[repr(C)]
struct Round {
    first: i32,
    count: u32,
    unshifted: i32,
    /// The implicit bit, twice.
    twice: u32,
    /// Numbers left, at least one.
    left: usize,
}

/// See [`IntegerKernel::round_halves`](crate::kernels::integer::IntegerKernel::round_halves).
#[inline(never)]
pub(in super::super) fn round_halves(row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
    let halves = Halves::new(fraction, limit);
    let row = row.as_chunks::<2>().0;
    let len = row.len().min(out.len());
    let (mut from, mut to) = (row.as_ptr(), out.as_mut_ptr());
    let Halves { first, count, unshifted, .. } = halves;
    let mut round = Round { first, count, unshifted, twice: 1 << 11, left: len };
    while round.left > 0 {
        // SAFETY: as many halves, and numbers, are left.
        unsafe {
            run(&mut round, from.cast(), to);
            let done = len - round.left;
            (from, to) = (row.as_ptr().add(done), out.as_mut_ptr().add(done));
            if round.left > 0 {
                to.write(halves.clamped(u16::from_le_bytes(*from)));
                (from, to) = (from.add(1), to.add(1));
                round.left -= 1;
            }
        }
    }
}

/// Rounds until a number needs a clamp, or none is left.
///
/// # Safety
/// Both addresses are those of as many numbers as are left.
#[cfg(din_dsp)]
#[unsafe(naked)]
unsafe extern "C" fn run(round: &mut Round, from: *const u16, to: *mut i16) {
    naked_asm!(
        super::processor!(),
        "push {{r0, r4-r9, lr}}",
        "ldm r0, {{r3, r4, r5, r6, r7}}",
        "2:",
        "ldrsh r8, [r1], #2",
        "ubfx r9, r8, #10, #5",
        "sub r0, r9, r3",
        "cmp r0, r4",
        "bhs 3f",
        "bfi r6, r8, #1, #10",
        "eor r0, r6, r8, asr #15",
        "sub r0, r0, r8, asr #15",
        "sub r9, r5, r9",
        "asr r0, r0, r9",
        "add r0, r0, #1",
        "asr r0, r0, #1",
        "strh r0, [r2], #2",
        "subs r7, r7, #1",
        "bne 2b",
        "3:",
        "ldr r0, [sp]",
        "str r7, [r0, #16]",
        "pop {{r0, r4-r9, pc}}",
    )
}

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_dsp))]
unsafe fn run(round: &mut Round, mut from: *const u16, mut to: *mut i16) {
    while round.left > 0 {
        // SAFETY: the caller vouches for every address.
        unsafe {
            let half = from.read_unaligned();
            let exponent = i32::from(half >> 10 & 31);
            if (exponent - round.first).cast_unsigned() >= round.count {
                return;
            }
            let (twice, sign) = (
                (u32::from(half & 0x3ff) << 1 | round.twice).cast_signed(),
                i32::from(half.cast_signed() >> 15),
            );
            let shifted = ((twice ^ sign) - sign) >> (round.unshifted - exponent);
            to.write(((shifted + 1) >> 1) as i16);
            (from, to) = (from.add(1), to.add(1));
        }
        round.left -= 1;
    }
}
