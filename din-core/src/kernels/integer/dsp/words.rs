//! Words from one place to another, four by two instructions: the compiler's own loop takes four times as many.
#![allow(unsafe_code)] // assembly, and what it reads by address

use super::is_aligned;
use crate::kernels::integer::portable;
#[cfg(din_dsp)]
use core::arch::naked_asm;

/// See [`IntegerKernel::start`](crate::kernels::integer::IntegerKernel::start).
#[inline(never)]
pub(in super::super) fn start(from: &[u8], t: &mut [i32]) {
    if is_aligned(from.as_ptr()) {
        // SAFETY: as many numbers, where such may be, and any bits are an i32.
        return copy_all(unsafe { core::slice::from_raw_parts(from.as_ptr().cast(), from.len() / 4) }, t);
    }
    portable::start(from, t);
}

/// See [`IntegerKernel::copy`](crate::kernels::integer::IntegerKernel::copy).
#[inline(never)]
pub(in super::super) fn copy_all(from: &[i32], to: &mut [i32]) {
    let len = from.len().min(to.len());
    let count = len / 4;
    if count > 0 {
        // SAFETY: as many words in both.
        unsafe { copy(from.as_ptr(), to.as_mut_ptr(), count) };
    }
    for index in 4 * count..len {
        // SAFETY: below the length of both.
        unsafe { *to.get_unchecked_mut(index) = *from.get_unchecked(index) };
    }
}

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
