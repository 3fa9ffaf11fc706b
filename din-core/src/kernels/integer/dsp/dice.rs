//! Dice of a row: the function of the head's hidden layers, of which there are many outputs and one row a candidate.
//!
//! Thirty instructions an output, from its sum on. Written in assembly for the same reason as [`strip`](super::strip).
#![allow(unsafe_code)] // assembly, and what it reads by address

use crate::chunks;
use crate::fixed::SEGMENTS;
use crate::kernels::integer::Parameters;
#[cfg(din_dsp)]
use core::arch::naked_asm;

/// What [`run`] computes. The assembly loads it all at once.
#[repr(C)]
struct Dice {
    /// In place.
    row: *mut i16,
    /// i16
    a: *const u8,
    /// i32
    b: *const u8,
    /// i16
    alpha: *const u8,
    /// u8
    e: *const u8,
    segments: *const [i32; 4],
    /// How many after the first, shifted by eight; below that s2.
    outputs: usize,
    /// The sums of the row, if not null: what is in the row is nothing then.
    t: *const i32,
}

/// See [`IntegerKernel::dice`](crate::kernels::integer::IntegerKernel::dice).
#[inline(never)]
pub(in super::super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
    for row in chunks::up_to_mut(rows, outputs) {
        dice_of(parameters, 0, &[], row);
    }
}

/// See [`IntegerKernel::dice_of`](crate::kernels::integer::IntegerKernel::dice_of); in place where there is no `t`.
#[inline(never)]
pub(in super::super) fn dice_of(parameters: &Parameters<'_>, shift: u8, t: &[i32], row: &mut [i16]) {
    let outputs = row.len();
    let is_long = t.len() >= outputs;
    if outputs == 0 || !parameters.holds_dice(outputs) || !is_long && !t.is_empty() {
        return; // the loader sees to it that there are
    }
    let Parameters { a, b, alpha, e } = *parameters;
    let dice = Dice {
        row: row.as_mut_ptr(),
        a: a.as_ptr(),
        b: b.as_ptr(),
        alpha: alpha.as_ptr(),
        e: e.as_ptr(),
        segments: SEGMENTS.as_ptr(),
        outputs: (outputs - 1) << 8 | usize::from(shift),
        t: if is_long { t.as_ptr() } else { core::ptr::null() },
    };
    // SAFETY: as many numbers as outputs, as was checked.
    unsafe { run(&dice) };
}

/// Dice as [`portable::dice`](crate::kernels::integer::portable::dice) defines it, of the row or of `sat16(t >> s2)`.
///
/// # Safety
/// Every address is that of as many numbers as there are outputs.
#[cfg(din_dsp)]
#[unsafe(naked)]
unsafe extern "C" fn run(dice: &Dice) {
    naked_asm!(
        super::processor!(),
        // Of s in r8.
        ".macro din_dice",
        // sat16((s a + b) >> e)
        "ldrsh r9, [r1], #2",
        "ldr r10, [r2], #4",
        "ldrb r11, [r4], #1",
        "smlabb r9, r9, r8, r10",
        "asr r9, r9, r11",
        "ssat r9, #16, r9",
        // The sigmoid as in strip.rs, less a half, in r9.
        "eor r10, r9, r9, asr #31",
        "lsr r11, r10, #11",
        "add r11, r5, r11, lsl #4",
        "ubfx r10, r10, #0, #11",
        "ldm r11, {{r11, r12, lr}}",
        "mla r12, lr, r10, r12",
        "smlatb r11, r12, r10, r11",
        "eor r9, r11, r9, asr #31",
        "asr r9, r9, #11",
        // g = alpha + rshift((8192 - alpha) p, 15): the half and the rounding constant are both 2^14.
        "ldrsh r10, [r3], #2",
        "rsb r11, r10, #8192",
        "mul r9, r11, r9",
        "add r11, r11, #1",
        "add r11, r9, r11, lsl #14",
        "add r10, r10, r11, asr #15",
        // sat16(rshift(s g, 13))
        "mul r10, r10, r8",
        "add r10, r10, #4096",
        "ssat r10, #16, r10, asr #13",
        "strh r10, [r0], #2",
        "subs r6, r6, #0x100",
        ".endm",
        "push {{r4-r11, lr}}",
        "ldm r0, {{r0-r7}}",
        "cmp r7, #0",
        "beq 3f",
        "2:",
        "ldr r8, [r7], #4",
        "asr r8, r8, r6",
        "ssat r8, #16, r8",
        "din_dice",
        "bhs 2b",
        "pop {{r4-r11, pc}}",
        "3:",
        "ldrsh r8, [r0]",
        "din_dice",
        "bhs 3b",
        "pop {{r4-r11, pc}}",
        ".purgem din_dice",
    )
}

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_dsp))]
unsafe fn run(dice: &Dice) {
    use core::slice::from_raw_parts;
    let outputs = (dice.outputs >> 8) + 1;
    // SAFETY: the caller vouches for every address.
    unsafe {
        let [b, a, alpha] = [(dice.b, 4), (dice.a, 2), (dice.alpha, 2)]
            .map(|(from, size): (*const u8, usize)| from_raw_parts(from, size * outputs));
        let parameters = Parameters { b, a, alpha, e: from_raw_parts(dice.e, outputs) };
        let row = core::slice::from_raw_parts_mut(dice.row, outputs);
        if !dice.t.is_null() {
            for (z, t) in row.iter_mut().zip(from_raw_parts(dice.t, outputs)) {
                *z = crate::fixed::sat16(t >> (dice.outputs & 0xff));
            }
        }
        crate::kernels::integer::portable::dice(&parameters, outputs, row);
    }
}
