//! Three columns of weights against all rows; of a query's own matrix this is most of what a candidate costs.
//!
//! Two rows by three columns: six sums, three words of weights, two of inputs, two addresses and a count are the fourteen
//! registers that there are, which is why this is written in assembly: a compiler has two fewer and moves sums to memory and
//! back. A pair of inputs takes eight instructions for twelve products, the end of a sum with its sigmoid twelve. All three
//! words of weights come by one load, and those of both rows by another, which needs the panel at a multiple of four, and
//! rows in pairs, as [`arrange`](super::arrange) leaves them.
//!
//! A last layer with one output, as most units have, is computed at once: what the sigmoid gives goes from its register into
//! a row's sum, and is never stored.
//!
//! What it does in plain Rust is [`emulated`], that is what runs where the instructions are not there.
#![allow(unsafe_code)] // assembly, and what it reads by address

use crate::fixed::SEGMENTS;
use crate::kernels::integer::Finish;
#[cfg(din_dsp)]
use core::arch::naked_asm;
#[cfg(din_dsp)]
use core::mem::offset_of;

/// Columns of a strip.
pub(super) const COLUMNS: usize = 3;

/// Fewer inputs than these are not multiplied here.
const LEAST_INPUTS: usize = 8;

/// What [`run`] multiplies, and what becomes of the sums. The assembly loads all before `x` at once and all from there to
/// `half`, and moves `x` and `out` on.
#[repr(C)]
pub(super) struct Strip {
    /// s1
    shift: u32,
    /// s2 and what follows: [`PLAIN`] or [`STORED`], or neither.
    pub finish: u32,
    /// What each column's sums start from, and m: the assembly fills it.
    columns: [[i32; 2]; COLUMNS],
    /// The next two rows, or one.
    x: *const i16,
    /// `[ceil(D / 2), 3, 2]`, at a multiple of four bytes.
    panel: *const i16,
    /// Twice the whole eights of inputs, less one where others follow.
    eights: usize,
    /// The rounding constant of s1: what the six sums start from.
    half: [i32; 6],
    /// Inputs after whole eights.
    rest: usize,
    /// Of a single row, without a second: its pairs of inputs.
    pairs: usize,
    segments: *const [i32; 4],
    /// The next row of the output, or its sum in the last layer, an i32.
    out: *mut i16,
    /// Bytes from a row of the output to the next; 0 for a single one.
    out_stride: usize,
    /// `[3]`, of a last layer with one output that follows at once, which takes what the sigmoid gives less
    /// [`HALF`](crate::fixed::HALF): its sums grow where `out` is, and the outputs of this layer are nowhere stored.
    pub last: *const i32,
    /// Where `out` is after the last row.
    end: *mut i16,
    /// m: i16 `[3]`
    pub multipliers: *const u8,
    /// `[3]`
    pub starts: *const i32,
}

/// No sigmoid follows: the output is stored.
const PLAIN: u32 = 1 << 31;

/// The output is stored, not summed.
pub(super) const STORED: u32 = 1 << 30;

/// Whether strips go over a matrix: its last three columns begin with those that are done, if they are not a multiple of
/// three.
pub(super) const fn fits(inputs: usize, columns: usize) -> bool {
    inputs >= LEAST_INPUTS && columns >= COLUMNS
}

impl Strip {
    /// The first columns, without rows, of outputs that are stored.
    #[inline(always)]
    pub fn of(
        inputs: usize,
        shift: u8,
        finish: Finish,
        panel: *const i16,
        m: *const u8,
        starts: *const i32,
    ) -> Self {
        let plain = if finish.sigmoid { 0 } else { PLAIN };
        let (half, rest) = (1_i32.wrapping_shl(shift.into()) >> 1, inputs % 8);
        Self {
            shift: shift.into(),
            finish: u32::from(finish.shift) | STORED | plain,
            columns: [[half; 2]; COLUMNS], // nothing yet
            x: panel,
            panel,
            eights: inputs / 8 * 2 - usize::from(rest > 0),
            half: [half, half, half, half, half, half],
            rest,
            pairs: 0,
            segments: SEGMENTS.as_ptr(),
            out: panel.cast_mut(),
            out_stride: 0,
            end: panel.cast_mut(),
            last: starts,
            multipliers: m,
            starts,
        }
    }

    /// All rows against the strip's columns: two at a time, of an odd number the last one alone. Where a last layer follows,
    /// `out` is the rows' sums.
    ///
    /// # Safety
    /// The strip's panel, multipliers and starts (and last weights) are those of three columns of `inputs`; `x` has as many rows
    /// of `inputs`, `out` as many outputs of three columns, `stride` bytes apart (or sums).
    #[inline(always)]
    pub unsafe fn all_rows(
        &mut self,
        x: *const i16,
        inputs: usize,
        out: *mut i16,
        stride: usize,
        rows: usize,
    ) {
        let twos = rows & !1;
        let last = out.wrapping_byte_add(twos * stride);
        (self.x, self.out, self.end, self.out_stride) = (x, out, last, stride);
        // SAFETY: the caller vouches for every address.
        unsafe {
            if twos > 0 {
                run(self);
            }
            if twos < rows {
                self.last_row(x.add(twos * inputs), inputs, last);
            }
        }
    }

    /// Of an odd number.
    #[inline(never)]
    unsafe fn last_row(&mut self, x: *const i16, inputs: usize, out: *mut i16) {
        (self.pairs, self.x, self.out, self.end, self.out_stride) = (inputs / 2, x, out, out, 0);
        // SAFETY: the caller vouches for every address.
        unsafe {
            if self.finish & STORED != 0 {
                run(self);
            } else {
                let sum = out.cast::<i32>();
                let mut both = [*sum; 2];
                self.out = both.as_mut_ptr().cast();
                (self.end, self.out_stride) = (self.out.add(4), 4);
                run(self);
                [*sum, _] = both;
            }
        }
        self.pairs = 0;
    }
}

/// `out = finish(sat16((start + rshift(x W, s1) m) >> s2))`: `[2 N, D] x [D, 3] -> [2 N, 3]`.
///
/// # Safety
/// Every address is that of as many numbers as the strip says.
#[cfg(din_dsp)]
#[unsafe(naked)]
unsafe extern "C" fn run(strip: &mut Strip) {
    naked_asm!(
        super::processor!(),
        // Two inputs of both rows.
        ".macro din_pair",
        "ldm r2!, {{r4, r5, r6}}",
        "ldm r0!, {{r1, r7}}",
        "smlad r8, r1, r4, r8",
        "smlad r9, r1, r5, r9",
        "smlad r10, r1, r6, r10",
        "smlad r11, r7, r4, r11",
        "smlad r12, r7, r5, r12",
        "smlad lr, r7, r6, lr",
        ".endm",
        // A column's two sums.
        ".macro din_scale start, m, first, second",
        "asr \\first, \\first, r0",
        "asr \\second, \\second, r0",
        "mla \\first, \\first, \\m, \\start",
        "mla \\second, \\second, \\m, \\start",
        "asr \\first, \\first, r1",
        "asr \\second, \\second, r1",
        "ssat \\first, #16, \\first",
        "ssat \\second, #16, \\second",
        ".endm",
        // See `fixed::sigmoid`; the result less a half is in the high half.
        ".macro din_sigmoid z",
        "eor r3, \\z, \\z, asr #31",
        "lsr r0, r3, #11",
        "add r0, r4, r0, lsl #4",
        "ubfx r3, r3, #0, #11",
        "ldm r0, {{r0, r1, r2}}",
        "mla r1, r2, r3, r1",
        "smlatb r0, r1, r3, r0",
        "eor \\z, \\z, r0, lsl #5",
        ".endm",
        ".macro din_whole z",
        "asr \\z, \\z, #16",
        "add \\z, \\z, #{HALF}",
        ".endm",
        "push {{r4-r11, lr}}",
        "add r7, r0, #{x}",
        "sub sp, sp, #4",
        "str r7, [sp]",
        "ldr r0, [r7, #{multipliers} - {x}]",
        "ldr r1, [r7, #{starts} - {x}]",
        "ldm r1, {{r2, r4, r6}}",
        "ldrsh r3, [r0]",
        "ldrsh r5, [r0, #2]",
        "ldrsh r8, [r0, #4]",
        "stmdb r7, {{r2, r3, r4, r5, r6, r8}}",
        "ldr r6, [r7, #{pairs} - {x}]",
        "cmp r6, #0",
        "bne 10f",
        // Two rows.
        "2:",
        "ldm r7, {{r0, r2, r3, r8, r9, r10, r11, r12, lr}}",
        "3:",
        "din_pair",
        "din_pair",
        "din_pair",
        "din_pair",
        "subs r3, r3, #2",
        "bgt 3b",
        "beq 4f",
        // Inputs after the eights, in pairs, then one.
        "ldr r7, [sp]",
        "ldr r3, [r7, #{rest} - {x}]",
        "5:",
        "subs r3, r3, #2",
        "blt 6f",
        "din_pair",
        "b 5b",
        "6:",
        "adds r3, r3, #1",
        "bne 4f",
        "ldm r2!, {{r4, r5, r6}}",
        "ldrh r1, [r0], #2",
        "ldrh r7, [r0], #2",
        "smlad r8, r1, r4, r8",
        "smlad r9, r1, r5, r9",
        "smlad r10, r1, r6, r10",
        "smlad r11, r7, r4, r11",
        "smlad r12, r7, r5, r12",
        "smlad lr, r7, r6, lr",
        "4:",
        "ldr r7, [sp]",
        "str r0, [r7]",
        "ldmdb r7, {{r0, r1, r2, r3, r4, r5, r6, r7}}",
        "din_scale r2, r3, r8, r11",
        "din_scale r4, r5, r9, r12",
        "din_scale r6, r7, r10, lr",
        "ldr r7, [sp]",
        "ldrd r4, r5, [r7, #{segments} - {x}]",
        // PLAIN is the carry and STORED the sign: nothing below changes the flags.
        "lsls r0, r1, #1",
        "bcs 8f",
        "din_sigmoid r8",
        "din_sigmoid r9",
        "din_sigmoid r10",
        "din_sigmoid r11",
        "din_sigmoid r12",
        "din_sigmoid lr",
        "bmi 7f",
        // The sums of both rows in the last layer.
        "ldrd r0, r1, [r7, #{last} - {x}]",
        "ldm r0, {{r0, r4, r6}}",
        "ldrd r2, r3, [r5]",
        "smlatb r2, r8, r0, r2",
        "smlatb r3, r11, r0, r3",
        "smlatb r2, r9, r4, r2",
        "smlatb r3, r12, r4, r3",
        "smlatb r2, r10, r6, r2",
        "smlatb r3, lr, r6, r3",
        "strd r2, r3, [r5], #8",
        "9:",
        "str r5, [r7, #{out} - {x}]",
        "cmp r5, r1",
        "bne 2b",
        "add sp, sp, #4",
        "pop {{r4-r11, pc}}",
        "7:",
        "din_whole r8",
        "din_whole r9",
        "din_whole r10",
        "din_whole r11",
        "din_whole r12",
        "din_whole lr",
        "8:",
        "ldr r0, [r7, #{out_stride} - {x}]",
        "ldr r1, [r7, #{end} - {x}]",
        "strh r8, [r5]",
        "strh r9, [r5, #2]",
        "strh r10, [r5, #4]",
        "add r5, r5, r0",
        "strh r11, [r5]",
        "strh r12, [r5, #2]",
        "strh lr, [r5, #4]",
        "add r5, r5, r0",
        "b 9b",
        // A single row: its sums are those of the second too.
        "10:",
        "ldm r7, {{r0, r2, r3, r8, r9, r10}}",
        "ldr r3, [r7, #{rest} - {x}]",
        "11:",
        "ldm r2!, {{r4, r5, r7}}",
        "ldr r1, [r0], #4",
        "smlad r8, r1, r4, r8",
        "smlad r9, r1, r5, r9",
        "smlad r10, r1, r7, r10",
        "subs r6, r6, #1",
        "bne 11b",
        "tst r3, #1",
        "beq 12f",
        "ldm r2!, {{r4, r5, r6}}",
        "ldrh r1, [r0]",
        "smlad r8, r1, r4, r8",
        "smlad r9, r1, r5, r9",
        "smlad r10, r1, r6, r10",
        "12:",
        "mov r11, r8",
        "mov r12, r9",
        "mov lr, r10",
        "b 4b",
        ".purgem din_pair",
        ".purgem din_scale",
        ".purgem din_sigmoid",
        ".purgem din_whole",
        x = const offset_of!(Strip, x),
        rest = const offset_of!(Strip, rest),
        pairs = const offset_of!(Strip, pairs),
        segments = const offset_of!(Strip, segments),
        out = const offset_of!(Strip, out),
        out_stride = const offset_of!(Strip, out_stride),
        end = const offset_of!(Strip, end),
        last = const offset_of!(Strip, last),
        multipliers = const offset_of!(Strip, multipliers),
        starts = const offset_of!(Strip, starts),
        HALF = const crate::fixed::HALF,
    )
}

#[cfg(not(din_dsp))]
use emulated as run;

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_dsp))]
unsafe fn emulated(strip: &mut Strip) {
    use crate::kernels::integer::finished;
    let inputs = strip.eights.div_ceil(2) * 8 + strip.rest;
    let finish = Finish { shift: strip.finish as u8, sigmoid: strip.finish & PLAIN == 0 };
    let mut row = 0;
    loop {
        for column in 0..COLUMNS {
            // SAFETY: the caller vouches for every address.
            unsafe {
                // The rows of a pair lie side by side, two inputs of one and two of the other.
                let x = |d: usize| match (strip.pairs != 0, d + 1 == inputs && d.is_multiple_of(2)) {
                    (true, _) => *strip.x.add(d),
                    (false, true) => *strip.x.add(row / 2 * 2 * inputs + 2 * d + row % 2),
                    (false, false) => {
                        *strip.x.add(row / 2 * 2 * inputs + 4 * (d / 2) + 2 * (row % 2) + d % 2)
                    }
                };
                let weight = |d: usize| *strip.panel.add((d / 2 * COLUMNS + column) * 2 + d % 2);
                let products = (0..inputs).map(|d| i32::from(x(d)).wrapping_mul(weight(d).into()));
                let sum = products.fold(strip.half[0], i32::wrapping_add);
                let m = i16::from_le_bytes(*strip.multipliers.cast::<[u8; 2]>().add(column));
                let scaled = sum.wrapping_shr(strip.shift).wrapping_mul(m.into());
                let z = finished(finish, (*strip.starts.add(column)).wrapping_add(scaled));
                if strip.finish & STORED != 0 {
                    *strip.out.add(column) = z;
                } else {
                    let sum = strip.out.cast::<i32>();
                    let product = (*strip.last.add(column)).wrapping_mul(i32::from(z) - crate::fixed::HALF);
                    *sum = (*sum).wrapping_add(product);
                }
            }
        }
        strip.out = strip.out.wrapping_byte_add(strip.out_stride);
        row += 1;
        if row % 2 == 0 && strip.out == strip.end {
            return;
        }
    }
}
