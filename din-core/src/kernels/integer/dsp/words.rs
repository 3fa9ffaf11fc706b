//! Words from one place to another, four by two instructions: the compiler's own loop takes four times as many.
#![allow(unsafe_code)] // assembly, and what it reads by address

#[cfg(din_dsp)]
use core::arch::naked_asm;

/// `to = from`, fours of words, at least one of them.
///
/// # Safety
/// Both addresses are multiples of four bytes, and those of as many words.
#[cfg(din_dsp)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn copy(from: *const i32, to: *mut i32, fours: usize) {
    naked_asm!(
        super::processor!(),
        "push {{r4-r6, lr}}",
        "2:",
        "ldm r0!, {{r3, r4, r5, r6}}",
        "stm r1!, {{r3, r4, r5, r6}}",
        "subs r2, r2, #1",
        "bne 2b",
        "pop {{r4-r6, pc}}",
    )
}

/// See `copy`.
///
/// # Safety
/// As `copy`.
#[cfg(not(din_dsp))]
pub(super) unsafe fn copy(from: *const i32, to: *mut i32, fours: usize) {
    // SAFETY: the caller vouches for every address.
    unsafe { core::ptr::copy_nonoverlapping(from, to, 4 * fours) };
}
