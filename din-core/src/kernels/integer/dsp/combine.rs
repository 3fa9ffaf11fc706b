//! Three columns of a query's own matrix, in the order in which [`strip`](super::strip) reads them.
//!
//! Two weights at a time: 28 instructions for six of them. Written in assembly for the same reason as `strip`.
#![allow(unsafe_code)] // assembly, and what it reads by address

#[cfg(din_dsp)]
use core::arch::naked_asm;

/// What [`run`] combines. The assembly loads it all at once.
#[repr(C)]
pub(super) struct Combine {
    /// i16, two inputs of three columns
    pub base: *const u8,
    /// i8, four inputs of three columns, at a multiple of four bytes
    pub weights: *const u8,
    /// `[2 quads, 3, 2]`, at a multiple of four bytes
    pub panel: *mut i16,
    /// Bytes from two inputs of the base to the next, and from four of the weights.
    pub stride: usize,
    /// Fours of inputs, at least one.
    pub quads: usize,
    /// `[4 quads]`
    pub query: *const i16,
    /// 128: the rounding constant.
    pub half: i32,
}

/// `panel = sat16(base + rshift(W8 q, 8))`.
///
/// # Safety
/// Every address is that of as many numbers as the fields say.
#[cfg(din_dsp)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn run(combine: &Combine) {
    naked_asm!(
        super::processor!(),
        // Two inputs of a column, the weights in r11.
        ".macro din_combine offset",
        "ldr r12, [r0, #\\offset]",
        "smlabb lr, r11, r7, r6",
        "smlatt r11, r11, r7, r6",
        "asr lr, lr, #8",
        "pkhbt lr, lr, r11, lsl #8",
        "qadd16 lr, r12, lr",
        "str lr, [r2], #4",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldm r0, {{r0-r6}}",
        "2:",
        "ldm r1, {{r8, r9, r10}}",
        "add r1, r1, r3",
        "ldr r7, [r5], #4",
        "sxtb16 r11, r8",
        "din_combine 0",
        "sxtb16 r11, r9",
        "din_combine 4",
        "sxtb16 r11, r10",
        "din_combine 8",
        "add r0, r0, r3",
        "ldr r7, [r5], #4",
        "sxtb16 r11, r8, ror #8",
        "din_combine 0",
        "sxtb16 r11, r9, ror #8",
        "din_combine 4",
        "sxtb16 r11, r10, ror #8",
        "din_combine 8",
        "add r0, r0, r3",
        "subs r4, r4, #1",
        "bne 2b",
        "pop {{r4-r11, pc}}",
        ".purgem din_combine",
    )
}

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_dsp))]
pub(super) unsafe fn run(combine: &Combine) {
    use super::instructions::{sxtb16, sxtb16_of_rotated};
    for pair in 0..2 * combine.quads {
        for column in 0..super::strip::COLUMNS {
            let word = |from: *const u8, row: usize| {
                // SAFETY: the caller vouches for every address.
                unsafe { from.add(row * combine.stride + 4 * column).cast::<u32>().read_unaligned() }
            };
            let quad = word(combine.weights, pair / 2);
            let weights = if pair % 2 == 0 { sxtb16(quad) } else { sxtb16_of_rotated(quad) };
            // SAFETY: as above.
            unsafe {
                let query = combine.query.add(2 * pair).cast::<u32>().read_unaligned();
                let combined = super::combined(word(combine.base, pair), weights, query);
                let to = combine.panel.add(2 * (pair * super::strip::COLUMNS + column));
                to.cast::<u32>().write_unaligned(combined);
            }
        }
    }
}
