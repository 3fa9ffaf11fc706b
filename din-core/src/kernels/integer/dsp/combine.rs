//! Three columns of a query's own matrix, in the order in which [`strip`](super::strip) reads them.
//!
//! Four inputs of three columns take 45 instructions. Weights of one byte are masked where they lie, in the high bytes
//! of two halves, so that a product's high half is the shifted one. Written in assembly for the same reason as `strip`.
#![allow(unsafe_code)] // assembly, and what it reads by address

use super::instructions::{qadd16, smlabb, smlatt, sxtb16, sxtb16_of_rotated, word};
use super::strip::COLUMNS;
use super::{pair_of, some};
use crate::kernels::integer::Part;
#[cfg(din_dsp)]
use core::arch::naked_asm;

/// What [`run`] combines. The assembly loads it all at once.
#[repr(C)]
pub(super) struct Combine {
    /// i16, two inputs of three columns, at a multiple of four bytes
    pub base: *const u8,
    /// i8, four inputs of three columns, at a multiple of four bytes
    pub weights: *const u8,
    /// `[2 quads, 3, 2]`, at a multiple of four bytes
    pub panel: *mut i16,
    /// Bytes from two inputs of the base to the next, and from four of the weights; in the high half the fours of inputs
    /// after the first.
    pub stride: u32,
    /// `[4 quads]`
    pub query: *const i16,
    /// [`HALF`]
    pub half: i32,
    /// [`MASK`]
    pub mask: u32,
}

/// The rounding constant.
pub(super) const HALF: i32 = 1 << 15;

/// Of a word of weights, those of the second and fourth byte.
pub(super) const MASK: u32 = 0xff00_ff00;

/// `panel = sat16(base + rshift(W8 q, 8))`.
///
/// # Safety
/// Every address is that of as many numbers as the fields say.
#[cfg(din_dsp)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn run(combine: &Combine) {
    naked_asm!(
        super::processor!(),
        // What is added to two inputs of a column, from the masked weights.
        ".macro din_combine weights",
        "smlabb lr, \\weights, r7, r5",
        "smlatt \\weights, \\weights, r7, r5",
        "pkhtb \\weights, \\weights, lr, asr #16",
        ".endm",
        ".macro din_even weights, offset, to",
        "and \\to, r6, \\weights, lsl #8",
        "din_combine \\to",
        "ldr lr, [r0, #\\offset]",
        "qadd16 \\to, lr, \\to",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldm r0, {{r0-r6}}",
        "2:",
        "ldm r1, {{r8, r9, r10}}",
        "uxtah r1, r1, r3",
        "ldr r7, [r4], #4",
        "din_even r8, 0, r11",
        "str r11, [r2], #4",
        "din_even r9, 4, r11",
        "din_even r10, 8, r12",
        "stm r2!, {{r11, r12}}",
        "uxtah r0, r0, r3",
        "ldr r7, [r4], #4",
        "and r8, r6, r8",
        "and r9, r6, r9",
        "and r10, r6, r10",
        "din_combine r8",
        "din_combine r9",
        "din_combine r10",
        "ldm r0, {{r11, r12, lr}}",
        "qadd16 r8, r11, r8",
        "qadd16 r9, r12, r9",
        "qadd16 r10, lr, r10",
        "stm r2!, {{r8, r9, r10}}",
        "uxtah r0, r0, r3",
        "subs r3, r3, #0x10000",
        "bhs 2b",
        "pop {{r4-r11, pc}}",
        ".purgem din_combine",
        ".purgem din_even",
    )
}

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_dsp))]
pub(super) unsafe fn run(combine: &Combine) {
    let stride = (combine.stride & 0xffff) as usize;
    for pair in 0..2 * (combine.stride as usize / 0x10000 + 1) {
        for column in 0..COLUMNS {
            let word = |from: *const u8, row: usize| {
                // SAFETY: the caller vouches for every address.
                unsafe { from.add(row * stride + 4 * column).cast::<u32>().read_unaligned() }
            };
            let quad = word(combine.weights, pair / 2);
            let weights = if pair % 2 == 0 { sxtb16(quad) } else { sxtb16_of_rotated(quad) };
            // SAFETY: as above.
            unsafe {
                let query = combine.query.add(2 * pair).cast::<u32>().read_unaligned();
                let combined = combined(word(combine.base, pair), weights, query);
                let to = combine.panel.add(2 * (pair * COLUMNS + column));
                to.cast::<u32>().write_unaligned(combined);
            }
        }
    }
}

/// Three columns of a query's own matrix after its whole quads, as a strip reads them.
#[inline(never)]
pub(super) unsafe fn rest(part: &Part<'_>, query: &[i16], first: usize, panel: *mut i16) {
    // Two inputs of a column are four bytes, as are four weights of one byte.
    let stride = 4 * part.outputs;
    let (quads, rest) = query.as_chunks::<4>();
    let done = 2 * quads.len();
    // SAFETY: the caller vouches for the columns.
    unsafe {
        let base = part.base.as_ptr().add(4 * first);
        let weights = part.weight.as_ptr().wrapping_add(4 * first);
        let rest = some(rest.as_ptr(), rest.len());
        for index in done..part.inputs.div_ceil(2) {
            for c in 0..COLUMNS {
                let mut combined = pair_of(base.add(index * stride + 4 * c).cast());
                // A query of as many inputs as rows of weights ends in a quad that is partly zero.
                if 2 * index < query.len() {
                    let quad = pair_of(weights.add(quads.len() * stride + 4 * c).cast());
                    let [even, odd] = [sxtb16(quad), sxtb16_of_rotated(quad)];
                    let (weights, query) = if index == done { (even, rest[0]) } else { (odd, rest[1]) };
                    combined = self::combined(combined, weights, query);
                }
                panel.cast::<u32>().add(index * COLUMNS + c).write(combined);
            }
        }
    }
}

/// `sat16(base + rshift(w q, 8))` of two inputs.
#[inline(always)]
fn combined(base: u32, weights: u32, query: u32) -> u32 {
    let (first, second) = (smlabb(weights, query, 128), smlatt(weights, query, 128));
    qadd16(base, word(first >> 8, second >> 8))
}
