//! Four rows at a time against a column of weights, and what becomes of the sums: most of what a candidate costs. Sums are
//! in the high registers: see [`thumb`](super).
#![allow(unsafe_code)] // assembly, and what it reads by address

#[cfg(din_thumb)]
use core::arch::naked_asm;
#[cfg(din_thumb)]
use core::mem::offset_of;

/// Four rows and a column of weights, and what becomes of their sums; and fours of rows after those. The assembly loads it
/// front to back, and moves `x` and `out` on.
#[repr(C)]
pub(super) struct Column {
    pub x: [*const i16; 4],
    pub weights: *const i16,
    /// At least one.
    pub inputs: usize,
    pub sums: [i32; 4],
    /// Of each row; null where the sums are what is wanted.
    pub out: [*mut i16; 4],
    /// s1
    pub shift: u32,
    /// m
    pub multiplier: i32,
    pub start: i32,
    /// s2
    pub finish_shift: u32,
    /// Null where no sigmoid follows.
    pub segments: *const [i32; 4],
    /// Fours of rows, at least one; no more where the sums are what is wanted.
    pub fours: usize,
    /// Bytes from a row of four to the one of the next four.
    pub x_step: usize,
    /// As `x_step`.
    pub out_step: usize,
}

/// `sums += x w`: `[4, D] x [D, 1] -> [4, 1]`, or where that goes `out = finish(sat16((start + (sums >> s1) m) >> s2))`.
/// Thirteen instructions for four products, 31 for the end of a sum with its sigmoid.
///
/// # Safety
/// Every address is that of `inputs` numbers.
#[cfg(din_thumb)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn run(column: &mut Column) {
    naked_asm!(
        // One input, r5 bytes from the first.
        ".macro din_input",
        "ldrsh r6, [r4, r5]",
        "ldrsh r7, [r0, r5]",
        "muls r7, r6, r7",
        "add r8, r8, r7",
        "ldrsh r7, [r1, r5]",
        "muls r7, r6, r7",
        "add r9, r9, r7",
        "ldrsh r7, [r2, r5]",
        "muls r7, r6, r7",
        "add r10, r10, r7",
        "ldrsh r7, [r3, r5]",
        "muls r7, r6, r7",
        "add r11, r11, r7",
        ".endm",
        // What is left of a sum, in r4.
        ".macro din_scale sum",
        "mov r4, \\sum",
        "ldr r5, [r0, #{shift}]",
        "asrs r4, r4, r5",
        "ldr r5, [r0, #{multiplier}]",
        "muls r4, r5, r4",
        "ldr r5, [r0, #{start}]",
        "adds r4, r4, r5",
        "ldr r5, [r0, #{finish_shift}]",
        "asrs r4, r4, r5",
        "sxth r5, r4",
        "cmp r5, r4",
        "beq 11f",
        "asrs r4, r4, #31",
        "movs r5, #1",
        "lsls r5, r5, #15",
        "subs r5, r5, #1",
        "eors r4, r4, r5",
        "11:",
        ".endm",
        ".macro din_store sum, to",
        "din_scale \\sum",
        "ldr r1, [r0, #{out} + \\to]",
        "strh r4, [r1]",
        ".endm",
        // See `fixed::sigmoid`.
        ".macro din_sigmoid sum, to",
        "din_scale \\sum",
        "asrs r6, r4, #31",
        "eors r4, r4, r6",
        "lsrs r5, r4, #11",
        "lsls r5, r5, #4",
        "ldr r1, [r0, #{segments}]",
        "adds r5, r5, r1",
        "lsls r4, r4, #21",
        "lsrs r4, r4, #21",
        "ldm r5!, {{r1-r3, r7}}",
        "muls r3, r4, r3",
        "adds r3, r3, r2",
        "asrs r3, r3, #16",
        "muls r3, r4, r3",
        "adds r3, r3, r1",
        "eors r3, r3, r6",
        "adds r3, r3, r7",
        "lsrs r3, r3, #11",
        "ldr r1, [r0, #{out} + \\to]",
        "strh r3, [r1]",
        ".endm",
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r0, r4-r7}}",
        "10:",
        "adds r0, r0, #{sums}",
        "ldm r0!, {{r1-r4}}",
        "mov r8, r1",
        "mov r9, r2",
        "mov r10, r3",
        "mov r11, r4",
        "ldr r0, [sp]",
        "adds r0, r0, #4",
        "ldm r0!, {{r1-r5}}",
        "ldr r0, [sp]",
        "ldr r0, [r0]",
        "subs r5, r5, #1",
        "lsls r5, r5, #1",
        // From the last input to the first: singly until their number is a multiple of four.
        "2:",
        "lsls r6, r5, #29",
        "lsrs r6, r6, #29",
        "cmp r6, #6",
        "beq 3f",
        "din_input",
        "subs r5, r5, #2",
        "bpl 2b",
        "b 4f",
        "3:",
        "din_input",
        "subs r5, r5, #2",
        "din_input",
        "subs r5, r5, #2",
        "din_input",
        "subs r5, r5, #2",
        "din_input",
        "subs r5, r5, #2",
        "bpl 3b",
        "4:",
        "ldr r0, [sp]",
        "ldr r1, [r0, #{out}]",
        // Farther than a conditional branch goes.
        "cmp r1, #0",
        "bne 5f",
        "b 8f",
        "5:",
        "ldr r2, [r0, #{segments}]",
        "cmp r2, #0",
        "bne 7f",
        "b 6f",
        "7:",
        "din_sigmoid r8, 0",
        "din_sigmoid r9, 4",
        "din_sigmoid r10, 8",
        "din_sigmoid r11, 12",
        "b 9f",
        "6:",
        "din_store r8, 0",
        "din_store r9, 4",
        "din_store r10, 8",
        "din_store r11, 12",
        "b 9f",
        "8:",
        "adds r0, r0, #{sums}",
        "mov r1, r8",
        "mov r2, r9",
        "mov r3, r10",
        "mov r4, r11",
        "stm r0!, {{r1-r4}}",
        "9:",
        // The next four rows.
        "ldr r0, [sp]",
        "ldr r5, [r0, #{fours}]",
        "subs r5, r5, #1",
        "beq 12f",
        "str r5, [r0, #{fours}]",
        "ldr r5, [r0, #{x_step}]",
        "ldr r6, [r0, #{out_step}]",
        "ldm r0!, {{r1-r4}}",
        "adds r1, r1, r5",
        "adds r2, r2, r5",
        "adds r3, r3, r5",
        "adds r4, r4, r5",
        "subs r0, r0, #16",
        "stm r0!, {{r1-r4}}",
        "adds r0, r0, #{out} - 16",
        "ldm r0!, {{r1-r4}}",
        "adds r1, r1, r6",
        "adds r2, r2, r6",
        "adds r3, r3, r6",
        "adds r4, r4, r6",
        "subs r0, r0, #16",
        "stm r0!, {{r1-r4}}",
        "ldr r0, [sp]",
        "b 10b",
        "12:",
        "pop {{r0, r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
        ".purgem din_input",
        ".purgem din_scale",
        ".purgem din_sigmoid",
        ".purgem din_store",
        sums = const offset_of!(Column, sums),
        out = const offset_of!(Column, out),
        shift = const offset_of!(Column, shift),
        multiplier = const offset_of!(Column, multiplier),
        start = const offset_of!(Column, start),
        finish_shift = const offset_of!(Column, finish_shift),
        segments = const offset_of!(Column, segments),
        fours = const offset_of!(Column, fours),
        x_step = const offset_of!(Column, x_step),
        out_step = const offset_of!(Column, out_step),
    )
}

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_thumb))]
pub(super) unsafe fn run(column: &mut Column) {
    use crate::kernels::integer::{Finish, finished};
    let finish_shift = u8::try_from(column.finish_shift).unwrap_or_default();
    let finish = Finish { shift: finish_shift, sigmoid: !column.segments.is_null() };
    for four in 0..column.fours {
        for ((x, sum), out) in column.x.into_iter().zip(&mut column.sums).zip(column.out) {
            let held = *sum;
            // SAFETY: the caller vouches for every address.
            unsafe {
                let x = x.byte_add(four * column.x_step);
                for d in 0..column.inputs {
                    *sum =
                        sum.wrapping_add(i32::from(*x.add(d)).wrapping_mul((*column.weights.add(d)).into()));
                }
                if !out.is_null() {
                    let scaled = sum.wrapping_shr(column.shift).wrapping_mul(column.multiplier);
                    *out.byte_add(four * column.out_step) =
                        finished(finish, column.start.wrapping_add(scaled));
                    *sum = held;
                }
            }
        }
    }
}
