//! Two rows of keys by their weights, four columns at a time: twelve instructions for eight products. Written in assembly
//! for the same reason as [`strip`](super::strip).
#![allow(unsafe_code)] // assembly, and what it reads by address

#[cfg(din_dsp)]
use core::arch::naked_asm;

/// Columns that share what is loaded of the weights.
pub(super) const COLUMNS: usize = 4;

/// What [`run`] sums. The assembly loads the first four at once, and moves `keys`, `fours` and `sums` on.
#[repr(C)]
pub(super) struct Weigh {
    /// Of the next four columns: rows in pairs, as [`arrange`](super::arrange) leaves them, at a multiple of four bytes.
    pub keys: *const i16,
    /// Within 16 bits.
    pub weights: *const i32,
    /// Bytes from a pair of rows to the next.
    pub stride: usize,
    /// Of rows, at least one.
    pub pairs: usize,
    /// Fours of columns left, at least one.
    pub fours: usize,
    /// Of the next four columns.
    pub sums: *mut i32,
}

/// `sums = weights keys`: `[1, 2 pairs] x [2 pairs, 4 fours] -> [1, 4 fours]`.
///
/// # Safety
/// Every address is that of as many numbers as the fields say.
#[cfg(din_dsp)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn run(weigh: &mut Weigh) {
    naked_asm!(
        super::processor!(),
        // Two rows.
        ".macro din_two",
        "ldm r1!, {{r2, r3}}",
        "ldm r0, {{r8, r9, r10, r11}}",
        "add r0, r0, r12",
        "smlabb r4, r2, r8, r4",
        "smlabt r5, r2, r8, r5",
        "smlabb r4, r3, r9, r4",
        "smlabt r5, r3, r9, r5",
        "smlabb r6, r2, r10, r6",
        "smlabt r7, r2, r10, r7",
        "smlabb r6, r3, r11, r6",
        "smlabt r7, r3, r11, r7",
        ".endm",
        "push {{r0, r4-r11, lr}}",
        "2:",
        "mov r4, #0",
        "mov r5, #0",
        "mov r6, #0",
        "mov r7, #0",
        "ldm r0, {{r0, r1, r12, lr}}",
        // Two pairs at a time, the second one first where their number is odd.
        "add lr, lr, #1",
        "lsrs lr, lr, #1",
        "bcc 4f",
        "3:",
        "din_two",
        "4:",
        "din_two",
        "subs lr, lr, #1",
        "bne 3b",
        "ldr r0, [sp]",
        "ldrd r2, r3, [r0, #16]",
        "stm r3!, {{r4, r5, r6, r7}}",
        "ldr r1, [r0]",
        "add r1, r1, #16",
        "str r1, [r0]",
        "subs r2, r2, #1",
        "strd r2, r3, [r0, #16]",
        "bne 2b",
        "pop {{r0, r4-r11, pc}}",
        ".purgem din_two",
    )
}

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_dsp))]
pub(super) unsafe fn run(weigh: &mut Weigh) {
    for column in 0..COLUMNS * weigh.fours {
        let products = (0..2 * weigh.pairs).map(|row| {
            // SAFETY: the caller vouches for every address.
            unsafe {
                let pair = weigh.keys.byte_add(row / 2 * weigh.stride);
                let key = *pair.add(4 * (column / 2) + 2 * (row % 2) + column % 2);
                // Of a weight the instruction takes the lower half.
                i32::from(*weigh.weights.add(row) as i16).wrapping_mul(key.into())
            }
        });
        // SAFETY: as above.
        unsafe { *weigh.sums.add(column) = products.fold(0, i32::wrapping_add) };
    }
}
