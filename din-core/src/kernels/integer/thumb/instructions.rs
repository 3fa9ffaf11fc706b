//! The three loops that most of a candidate's time is spent in, in the instructions of Armv6-M: sums are kept in the high
//! registers, which can be added to and little else, so that the eight low ones hold what is loaded. Compilers do not.
//! Beside each what it does in plain Rust, that is what runs where the instructions are not there.
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
pub(super) unsafe extern "C" fn column(column: &mut Column) {
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
        ".macro din_plain sum, to",
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
        "din_plain r8, 0",
        "din_plain r9, 4",
        "din_plain r10, 8",
        "din_plain r11, 12",
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
        ".purgem din_plain",
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
pub(super) unsafe extern "C" fn combine(combine: &Combine) {
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

/// A row and four columns of weights of one byte. The assembly loads the first five front to back.
#[repr(C)]
pub(super) struct Quads {
    /// In the order of a quad's bytes: d, d + 2, d + 1, d + 3.
    pub x: *const i16,
    /// Of the first column's first quad.
    pub weights: *const u8,
    /// Bytes from a quad to the column's next.
    pub stride: usize,
    /// Of each column, at least one.
    pub quads: usize,
    pub sums: [i32; 4],
}

/// `sums += x W`: `[1, D] x [D, 4] -> [1, 4]`. Sixty instructions for sixteen products.
///
/// # Safety
/// Every address is that of as many numbers as the fields say, the words of weights at multiples of four.
#[cfg(din_thumb)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn quads(quads: &mut Quads) {
    naked_asm!(
        // A column's quad, the inputs in r0 to r3.
        ".macro din_quad sum, offset",
        "ldr r6, [r5, #\\offset]",
        "sxtb r7, r6",
        "muls r7, r0, r7",
        "add \\sum, \\sum, r7",
        "lsls r7, r6, #16",
        "asrs r7, r7, #24",
        "muls r7, r2, r7",
        "add \\sum, \\sum, r7",
        "lsls r7, r6, #8",
        "asrs r7, r7, #24",
        "muls r7, r1, r7",
        "add \\sum, \\sum, r7",
        "asrs r7, r6, #24",
        "muls r7, r3, r7",
        "add \\sum, \\sum, r7",
        ".endm",
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r0, r4-r7}}",
        "ldm r0!, {{r4-r7}}",
        "ldm r0, {{r0-r3}}",
        "mov r8, r0",
        "mov r9, r1",
        "mov r10, r2",
        "mov r11, r3",
        "mov r12, r6",
        "mov lr, r7",
        "2:",
        "movs r0, #0",
        "ldrsh r0, [r4, r0]",
        "movs r1, #2",
        "ldrsh r1, [r4, r1]",
        "movs r2, #4",
        "ldrsh r2, [r4, r2]",
        "movs r3, #6",
        "ldrsh r3, [r4, r3]",
        "adds r4, r4, #8",
        "din_quad r8, 0",
        "din_quad r9, 4",
        "din_quad r10, 8",
        "din_quad r11, 12",
        "add r5, r5, r12",
        "mov r7, lr",
        "subs r7, r7, #1",
        "mov lr, r7",
        "bne 2b",
        "ldr r0, [sp]",
        "adds r0, r0, #16",
        "mov r1, r8",
        "mov r2, r9",
        "mov r3, r10",
        "mov r4, r11",
        "stm r0!, {{r1-r4}}",
        "pop {{r0, r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
        ".purgem din_quad",
    )
}

/// See the assembly.
///
/// # Safety
/// As there.
#[cfg(not(din_thumb))]
pub(super) unsafe fn column(column: &mut Column) {
    use super::super::{Finish, finished};
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

/// See the assembly.
///
/// # Safety
/// As there.
#[cfg(not(din_thumb))]
pub(super) unsafe fn combine(combine: &Combine) {
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

/// See the assembly.
///
/// # Safety
/// As there.
#[cfg(not(din_thumb))]
pub(super) unsafe fn quads(quads: &mut Quads) {
    for (c, sum) in quads.sums.iter_mut().enumerate() {
        for quad in 0..quads.quads {
            for (place, d) in [0, 2, 1, 3].into_iter().enumerate() {
                // SAFETY: the caller vouches for every address.
                let (x, w) = unsafe {
                    let weights = quads.weights.add(quad * quads.stride + 4 * c + place);
                    (*quads.x.add(4 * quad + d), weights.cast::<i8>().read())
                };
                *sum = sum.wrapping_add(i32::from(x).wrapping_mul(w.into()));
            }
        }
    }
}
