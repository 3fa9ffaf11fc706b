//! One row against weights of one byte, four columns at a time: the layers of the head, of which there is one row a candidate.
//!
//! Two words of inputs serve four columns, and each word of weights becomes two pairs: 22 instructions for sixteen
//! products. All four words of weights come by one load, which needs them at a multiple of four. Written in assembly for the
//! same reason as [`strip`](super::strip).
#![allow(unsafe_code)] // assembly, and what it reads by address

#[cfg(din_dsp)]
use core::arch::naked_asm;
#[cfg(din_dsp)]
use core::mem::offset_of;

/// Columns that share what is loaded of the row.
pub(super) const COLUMNS: usize = 4;

/// What [`run`] multiplies. The assembly loads the first five at once, and moves `weights`, `multipliers` and `t` on.
#[repr(C)]
pub(super) struct Row {
    pub x: *const i16,
    /// Of the next four columns, at a multiple of four bytes.
    pub weights: *const u8,
    /// Bytes from a quad to the column's next.
    pub stride: usize,
    /// Whole quads.
    pub quads: usize,
    /// The rounding constant of s1.
    pub half: i32,
    /// Whether inputs follow after those,
    pub has_rest: u32,
    /// and which, as two pairs.
    pub rest: [u32; 2],
    /// i16, of the next four columns.
    pub multipliers: *const u8,
    /// Of the next four columns.
    pub t: *mut i32,
    /// s1
    pub shift: u32,
    /// Fours of columns left, at least one.
    pub fours: usize,
}

/// `t += rshift(x W, s1) m`: `[1, D] x [D, 4 fours] -> [1, 4 fours]`.
///
/// # Safety
/// Every address is that of as many numbers as the row says.
#[cfg(din_dsp)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn run(row: &mut Row) {
    naked_asm!(
        super::processor!(),
        // The first and third of four inputs, in r8, and the others.
        ".macro din_even sum, weights",
        "sxtb16 r9, \\weights",
        "smlad \\sum, r8, r9, \\sum",
        ".endm",
        ".macro din_odd sum, weights",
        "sxtb16 r9, \\weights, ror #8",
        "smlad \\sum, r8, r9, \\sum",
        ".endm",
        ".macro din_quads x",
        "ldm r1, {{r10, r11, r12, lr}}",
        "ldr r8, [\\x], #4",
        "din_even r4, r10",
        "din_even r5, r11",
        "din_even r6, r12",
        "din_even r7, lr",
        "ldr r8, [\\x], #4",
        "din_odd r4, r10",
        "din_odd r5, r11",
        "din_odd r6, r12",
        "din_odd r7, lr",
        ".endm",
        ".macro din_scale sum, column",
        "ldrsh r3, [r0, #2 * \\column]",
        "ldr r8, [r1, #4 * \\column]",
        "asr \\sum, \\sum, r2",
        "mla r8, \\sum, r3, r8",
        "str r8, [r1, #4 * \\column]",
        ".endm",
        "push {{r0, r4-r11, lr}}",
        "2:",
        "ldr r3, [sp]",
        "ldm r3, {{r0, r1, r2, r3, r4}}",
        "mov r5, r4",
        "mov r6, r4",
        "mov r7, r4",
        // An odd quad, then two at a time.
        "tst r3, #1",
        "beq 3f",
        "din_quads r0",
        "add r1, r1, r2",
        "3:",
        "lsrs r3, r3, #1",
        "beq 4f",
        "6:",
        "din_quads r0",
        "add r1, r1, r2",
        "din_quads r0",
        "add r1, r1, r2",
        "subs r3, r3, #1",
        "bne 6b",
        "4:",
        "ldr r0, [sp]",
        "ldr r3, [r0, #{has_rest}]",
        "cmp r3, #0",
        "beq 5f",
        "add r0, r0, #{rest}",
        "din_quads r0",
        "5:",
        "ldr r12, [sp]",
        "ldrd r0, r1, [r12, #{multipliers}]",
        "ldr r2, [r12, #{shift}]",
        "din_scale r4, 0",
        "din_scale r5, 1",
        "din_scale r6, 2",
        "din_scale r7, 3",
        "add r0, r0, #8",
        "add r1, r1, #16",
        "strd r0, r1, [r12, #{multipliers}]",
        "ldr r0, [r12, #{weights}]",
        "add r0, r0, #16",
        "str r0, [r12, #{weights}]",
        "ldr r0, [r12, #{fours}]",
        "subs r0, r0, #1",
        "str r0, [r12, #{fours}]",
        "bne 2b",
        "pop {{r0, r4-r11, pc}}",
        ".purgem din_even",
        ".purgem din_odd",
        ".purgem din_quads",
        ".purgem din_scale",
        weights = const offset_of!(Row, weights),
        has_rest = const offset_of!(Row, has_rest),
        rest = const offset_of!(Row, rest),
        multipliers = const offset_of!(Row, multipliers),
        shift = const offset_of!(Row, shift),
        fours = const offset_of!(Row, fours),
    )
}

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_dsp))]
pub(super) unsafe fn run(row: &mut Row) {
    use super::instructions::{smlad, sxtb16, sxtb16_of_rotated};
    for column in 0..COLUMNS * row.fours {
        // SAFETY: the caller vouches for every address.
        unsafe {
            let mut sum = row.half;
            for quad in 0..row.quads + row.has_rest as usize {
                let weights = row.weights.add(quad * row.stride + 4 * column).cast::<u32>().read_unaligned();
                let x = row.x.wrapping_add(4 * quad).cast::<[u32; 2]>();
                let [first, second] = if quad < row.quads { x.read_unaligned() } else { row.rest };
                sum = smlad(first, sxtb16(weights), sum);
                sum = smlad(second, sxtb16_of_rotated(weights), sum);
            }
            let m = i16::from_le_bytes(*row.multipliers.cast::<[u8; 2]>().add(column));
            let t = row.t.add(column);
            *t = (*t).wrapping_add(sum.wrapping_shr(row.shift).wrapping_mul(m.into()));
        }
    }
}
