//! A column of a query's own matrix.
#![allow(unsafe_code)] // assembly, and what it reads by address

#[cfg(din_thumb)]
use core::arch::naked_asm;

/// A column of a query's own matrix. The assembly loads it front to back.
#[repr(C)]
pub(super) struct Combine {
    /// i16, two inputs of the column
    pub base: *const u8,
    /// i8, four inputs of the column
    pub weights: *const u8,
    pub to: *mut i16,
    pub query: *const i16,
    /// Bytes from two inputs of the base to the next, and from four of the weights.
    pub stride: usize,
    /// Fours of inputs, at least one.
    pub quads: usize,
}

/// `to = sat16(base + rshift(W8 q, 8))`: `[4 quads]`. Sixty-two instructions for four weights.
///
/// # Safety
/// Every address is that of as many numbers as the fields say, at a multiple of four bytes.
#[cfg(din_thumb)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn run(combine: &Combine) {
    naked_asm!(
        // Two inputs: the weights' products with r5's halves in r6 and r5.
        ".macro din_base to",
        "adds r6, r6, #128",
        "asrs r6, r6, #8",
        "adds r5, r5, #128",
        "asrs r5, r5, #8",
        "ldr r7, [r0]",
        "add r0, r0, r8",
        "sxth r4, r7",
        "adds r6, r6, r4",
        "asrs r7, r7, #16",
        "adds r5, r5, r7",
        "sxth r4, r6",
        "cmp r4, r6",
        "beq 11f",
        "asrs r6, r6, #31",
        "movs r4, #1",
        "lsls r4, r4, #15",
        "subs r4, r4, #1",
        "eors r6, r6, r4",
        "11:",
        "sxth r4, r5",
        "cmp r4, r5",
        "beq 12f",
        "asrs r5, r5, #31",
        "movs r4, #1",
        "lsls r4, r4, #15",
        "subs r4, r4, #1",
        "eors r5, r5, r4",
        "12:",
        "strh r6, [r2, #\\to]",
        "strh r5, [r2, #\\to + 2]",
        ".endm",
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "push {{r4, r5}}",
        "ldm r0!, {{r1-r6}}",
        "mov r8, r5",
        "mov r9, r6",
        "mov r0, r1",
        "mov r1, r2",
        "mov r2, r3",
        "mov r3, r4",
        "2:",
        "ldr r4, [r1]",
        "mov r12, r4",
        "ldr r5, [r3]",
        "sxth r6, r5",
        "sxtb r7, r4",
        "muls r6, r7, r6",
        "asrs r5, r5, #16",
        "lsls r7, r4, #8",
        "asrs r7, r7, #24",
        "muls r5, r7, r5",
        "din_base 0",
        "mov r4, r12",
        "ldr r5, [r3, #4]",
        "sxth r6, r5",
        "lsls r7, r4, #16",
        "asrs r7, r7, #24",
        "muls r6, r7, r6",
        "asrs r5, r5, #16",
        "asrs r7, r4, #24",
        "muls r5, r7, r5",
        "din_base 4",
        "add r1, r1, r8",
        "adds r2, r2, #8",
        "adds r3, r3, #8",
        "mov r7, r9",
        "subs r7, r7, #1",
        "mov r9, r7",
        "bne 2b",
        "pop {{r4, r5}}",
        "mov r8, r4",
        "mov r9, r5",
        "pop {{r4-r7, pc}}",
        ".purgem din_base",
    )
}

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_thumb))]
pub(super) unsafe fn run(combine: &Combine) {
    use crate::fixed::{rshift, sat16};
    for (d, place) in (0..4 * combine.quads).zip([0, 2, 1, 3].into_iter().cycle()) {
        // SAFETY: the caller vouches for every address.
        unsafe {
            let base = *combine.base.add(d / 2 * combine.stride).cast::<i16>().add(d % 2);
            let weight = *combine.weights.add(d / 4 * combine.stride + place).cast::<i8>();
            let product = rshift(i32::from(weight).wrapping_mul((*combine.query.add(d)).into()), 8);
            *combine.to.add(d) = sat16(i32::from(base).wrapping_add(product));
        }
    }
}
