//! Three columns of a query's own matrix against all rows: most of what a candidate costs.
//!
//! Two rows by three columns: six sums, three words of weights, one of inputs, three addresses and a count are the fourteen
//! registers that there are, which is why this is written in assembly: a compiler has two fewer and moves sums to memory and
//! back. A pair of inputs takes nine instructions for twelve products, the end of a sum with its sigmoid fourteen. All three
//! words of weights come by one load, which needs the panel at a multiple of four.
//!
//! A last layer with one output, as most units have, is computed at once: what the sigmoid gives goes from its register into
//! a row's sum, and is never stored.
//!
//! What it does in plain Rust is [`emulated`], that is what runs where the instructions are not there.
#![allow(unsafe_code)] // assembly, and what it reads by address

#[cfg(din_dsp)]
use core::arch::naked_asm;
#[cfg(din_dsp)]
use core::mem::offset_of;

/// Columns of a strip.
pub(super) const COLUMNS: usize = 3;

/// What [`run`] multiplies, and what becomes of the sums. The assembly loads all up to `half` at once, then pairs of
/// neighbours, and moves `x` and `out` on.
#[repr(C)]
pub(super) struct Strip {
    /// The next row.
    pub x: *const i16,
    /// Bytes from a row to the next; 0 for a row without a second, which is then computed twice.
    pub x_stride: usize,
    /// `[ceil(D / 2), 3, 2]`, at a multiple of four bytes.
    pub panel: *const i16,
    /// Whole eights of inputs, at least one.
    pub eights: usize,
    /// The rounding constant of s1: what the six sums start from.
    pub half: [i32; 6],
    /// Inputs after those.
    pub rest: usize,
    /// m: i16 `[3]`
    pub multipliers: *const u8,
    /// `[3]`
    pub start: *const i32,
    /// s2
    pub finish_shift: u32,
    /// Null where no sigmoid follows.
    pub segments: *const [i32; 4],
    /// The next row of the output, or its sum in the last layer, an i32.
    pub out: *mut i16,
    /// Bytes from a row of the output to the next; 0 as `x_stride`.
    pub out_stride: usize,
    /// s1
    pub shift: u32,
    /// Twos of rows left, at least one.
    pub twos: usize,
    /// `[3]`, of a last layer with one output that follows at once: its sums grow where `out` is, and the outputs of this
    /// one are nowhere stored. Null where there is none.
    pub last: *const i32,
}

/// `out = finish(sat16((start + rshift(x W, s1) m) >> s2))`: `[2 twos, D] x [D, 3] -> [2 twos, 3]`.
///
/// # Safety
/// Every address is that of as many numbers as the strip says.
#[cfg(din_dsp)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn run(strip: &mut Strip) {
    naked_asm!(
        super::processor!(),
        // Two inputs of both rows.
        ".macro din_pair",
        "ldm r2!, {{r4, r5, r6}}",
        "ldr r7, [r0], #4",
        "smlad r8, r7, r4, r8",
        "smlad r9, r7, r5, r9",
        "smlad r10, r7, r6, r10",
        "ldr r7, [r1], #4",
        "smlad r11, r7, r4, r11",
        "smlad r12, r7, r5, r12",
        "smlad lr, r7, r6, lr",
        ".endm",
        // A column's two sums times its multiplier.
        ".macro din_scale column, start, first, second",
        "ldrsh r1, [r0, #2 * \\column]",
        "mla \\first, \\first, r1, \\start",
        "mla \\second, \\second, r1, \\start",
        "asr \\first, \\first, r2",
        "asr \\second, \\second, r2",
        "ssat \\first, #16, \\first",
        "ssat \\second, #16, \\second",
        ".endm",
        // See `sigmoid` in dsp.rs: of z >> 6 the bits that are left in the end are copies of the sign.
        ".macro din_sigmoid z",
        "eor r5, \\z, \\z, asr #31",
        "lsr r0, r5, #11",
        "add r0, r3, r0, lsl #4",
        "ubfx r5, r5, #0, #11",
        "ldm r0, {{r0, r1, r2}}",
        "mla r1, r2, r5, r1",
        "asr r1, r1, #11",
        "mla r0, r1, r5, r0",
        "eor \\z, r0, \\z, lsr #6",
        "lsr \\z, \\z, #11",
        ".endm",
        "push {{r4-r11, lr}}",
        "sub sp, sp, #4",
        "str r0, [sp]",
        // Two rows.
        "2:",
        "ldr r3, [sp]",
        "ldm r3, {{r0, r1, r2, r3, r8, r9, r10, r11, r12, lr}}",
        "add r1, r0, r1",
        "3:",
        "din_pair",
        "din_pair",
        "din_pair",
        "din_pair",
        "subs r3, r3, #1",
        "bne 3b",
        // Inputs after the eights, in pairs, then one.
        "ldr r4, [sp]",
        "ldr r3, [r4, #{rest}]",
        "cmp r3, #0",
        "beq 4f",
        "5:",
        "subs r3, r3, #2",
        "blt 6f",
        "din_pair",
        "b 5b",
        "6:",
        "adds r3, r3, #1",
        "bne 7f",
        "ldm r2!, {{r4, r5, r6}}",
        "ldrh r7, [r0], #2",
        "smlad r8, r7, r4, r8",
        "smlad r9, r7, r5, r9",
        "smlad r10, r7, r6, r10",
        "ldrh r7, [r1], #2",
        "smlad r11, r7, r4, r11",
        "smlad r12, r7, r5, r12",
        "smlad lr, r7, r6, lr",
        "7:",
        "ldr r4, [sp]",
        // The second row's end is the next row's start.
        "4:",
        "str r1, [r4, #{x}]",
        "ldr r0, [r4, #{shift}]",
        "asr r8, r8, r0",
        "asr r9, r9, r0",
        "asr r10, r10, r0",
        "asr r11, r11, r0",
        "asr r12, r12, r0",
        "asr lr, lr, r0",
        "ldrd r0, r1, [r4, #{multipliers}]",
        "ldrd r2, r3, [r4, #{finish_shift}]",
        "ldm r1, {{r5, r6, r7}}",
        "din_scale 0, r5, r8, r11",
        "din_scale 1, r6, r9, r12",
        "din_scale 2, r7, r10, lr",
        "cmp r3, #0",
        "beq 8f",
        "din_sigmoid r8",
        "din_sigmoid r9",
        "din_sigmoid r10",
        "din_sigmoid r11",
        "din_sigmoid r12",
        "din_sigmoid lr",
        "8:",
        "ldrd r0, r1, [r4, #{out}]",
        "ldr r5, [r4, #{last}]",
        "cmp r5, #0",
        "beq 9f",
        // The sums of both rows in the last layer.
        "ldm r5, {{r1, r2, r5}}",
        "ldrd r6, r7, [r0]",
        "mla r6, r8, r1, r6",
        "mla r7, r11, r1, r7",
        "mla r6, r9, r2, r6",
        "mla r7, r12, r2, r7",
        "mla r6, r10, r5, r6",
        "mla r7, lr, r5, r7",
        "strd r6, r7, [r0], #8",
        "b 10f",
        "9:",
        "strh r8, [r0]",
        "strh r9, [r0, #2]",
        "strh r10, [r0, #4]",
        "add r0, r0, r1",
        "strh r11, [r0]",
        "strh r12, [r0, #2]",
        "strh lr, [r0, #4]",
        "add r0, r0, r1",
        "10:",
        "str r0, [r4, #{out}]",
        "ldr r0, [r4, #{twos}]",
        "subs r0, r0, #1",
        "str r0, [r4, #{twos}]",
        "bne 2b",
        "add sp, sp, #4",
        "pop {{r4-r11, pc}}",
        ".purgem din_pair",
        ".purgem din_scale",
        ".purgem din_sigmoid",
        x = const offset_of!(Strip, x),
        rest = const offset_of!(Strip, rest),
        multipliers = const offset_of!(Strip, multipliers),
        finish_shift = const offset_of!(Strip, finish_shift),
        out = const offset_of!(Strip, out),
        last = const offset_of!(Strip, last),
        shift = const offset_of!(Strip, shift),
        twos = const offset_of!(Strip, twos),
    )
}

#[cfg(not(din_dsp))]
pub(super) use emulated as run;

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_dsp))]
pub(super) unsafe fn emulated(strip: &mut Strip) {
    use super::super::{Finish, finished};
    let inputs = 8 * strip.eights + strip.rest;
    let finish = Finish {
        shift: u8::try_from(strip.finish_shift).unwrap_or_default(),
        sigmoid: !strip.segments.is_null(),
    };
    for row in 0..2 * strip.twos {
        for column in 0..COLUMNS {
            // SAFETY: the caller vouches for every address.
            unsafe {
                let x = strip.x.byte_add(row * strip.x_stride);
                let weight = |d: usize| *strip.panel.add((d / 2 * COLUMNS + column) * 2 + d % 2);
                let products = (0..inputs).map(|d| i32::from(*x.add(d)).wrapping_mul(weight(d).into()));
                let sum = products.fold(strip.half[0], i32::wrapping_add);
                let m = i16::from_le_bytes(*strip.multipliers.cast::<[u8; 2]>().add(column));
                let scaled = sum.wrapping_shr(strip.shift).wrapping_mul(m.into());
                let t = (*strip.start.add(column)).wrapping_add(scaled);
                let z = finished(finish, t);
                if strip.last.is_null() {
                    *strip.out.add(row * strip.out_stride / 2 + column) = z;
                } else {
                    let sum = strip.out.cast::<i32>().add(row);
                    *sum = (*sum).wrapping_add((*strip.last.add(column)).wrapping_mul(z.into()));
                }
            }
        }
    }
}
