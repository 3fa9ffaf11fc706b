//! One row against weights of one byte, four columns at a time: the layers of the head, of which there is one row a candidate.
//!
//! Two words of inputs serve four columns, and each word of weights becomes two pairs: 19 instructions for sixteen
//! products. Weights and inputs come four and two words at a time, which needs them at a multiple of four. Written in
//! assembly for the same reason as [`strip`](super::strip).
#![allow(unsafe_code)] // assembly, and what it reads by address

use super::{is_aligned, some};
use crate::chunks;
use crate::kernels::integer::{Part, portable};
#[cfg(din_dsp)]
use core::arch::naked_asm;
#[cfg(din_dsp)]
use core::mem::offset_of;

/// Columns that share what is loaded of the row.
const COLUMNS: usize = 4;

/// Fewer inputs than these are not multiplied here.
const LEAST_INPUTS: usize = 8;

/// What [`run`] multiplies. The assembly loads all from `weights` up to `half` at once, then pairs of neighbours, and moves
/// `weights`, `multipliers` and `t` on.
#[repr(C)]
struct Row {
    /// Fours of columns left, at least one.
    fours: usize,
    /// Of the next four columns, at a multiple of four bytes.
    weights: *const u8,
    /// At a multiple of four bytes.
    x: *const i16,
    /// Bytes from a quad to the column's next; in the high half the pairs of whole quads after the first pair.
    stride: u32,
    /// The rounding constant of s1: what the four sums start from.
    half: [i32; 4],
    /// s1
    shift: u32,
    /// Quads that follow after those in pairs: a whole one, [`WHOLE`], the one in `rest`, [`REST`], both or none.
    more: u32,
    /// Inputs after whole quads, and zeros.
    rest: [u32; 2],
    /// i16, of the next four columns.
    multipliers: *const u8,
    /// Of the next four columns.
    t: *mut i32,
}

/// See [`Row::more`].
const WHOLE: u32 = 1;

/// See [`Row::more`].
const REST: u32 = 2;

/// See [`IntegerKernel::add`](crate::kernels::integer::IntegerKernel::add).
#[inline(never)]
pub(in super::super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    let is_whole =
        part.rows(x, t).is_some() && is_aligned(part.weight.as_ptr()) && part.inputs >= LEAST_INPUTS;
    let most = if is_whole { part.outputs / COLUMNS } else { 0 };
    let (half, quads, rest) = (1_i32.wrapping_shl(part.shift.into()) >> 1, part.inputs / 4, part.inputs % 4);
    for (x, t) in chunks::exact(x, part.inputs).zip(chunks::exact_mut(t, part.outputs)) {
        // Later rows of an odd number of inputs may lie between words.
        let fours = if is_aligned(x.as_ptr()) { most } else { 0 };
        if fours > 0 {
            let mut row = Row {
                fours,
                weights: part.weight.as_ptr(),
                x: x.as_ptr(),
                stride: (4 * part.outputs + ((quads / 2 - 1) << 16)) as u32,
                half: [half, half, half, half],
                shift: part.shift.into(),
                more: if quads % 2 == 1 { WHOLE } else { 0 },
                rest: [0; 2],
                multipliers: part.multipliers.as_ptr(),
                t: t.as_mut_ptr(),
            };
            // SAFETY: `Part::rows` checked every address.
            unsafe {
                if rest > 0 {
                    row.more |= REST;
                    row.rest = some(x.as_ptr().add(4 * quads), rest);
                }
                run(&mut row);
            }
        }
        if fours * COLUMNS < part.outputs {
            portable::add_row(part, x, fours * COLUMNS, t);
        }
    }
}

/// `t += rshift(x W, s1) m`: `[1, D] x [D, 4 fours] -> [1, 4 fours]`.
///
/// # Safety
/// Every address is that of as many numbers as the row says.
#[cfg(din_dsp)]
#[unsafe(naked)]
unsafe extern "C" fn run(row: &mut Row) {
    naked_asm!(
        super::processor!(),
        // The first and second of four inputs, in r3, and the others, in r8.
        ".macro din_even sum, weights",
        "sxtb16 r9, \\weights",
        "smlad \\sum, r3, r9, \\sum",
        ".endm",
        ".macro din_odd sum, weights",
        "sxtb16 r9, \\weights, ror #8",
        "smlad \\sum, r8, r9, \\sum",
        ".endm",
        ".macro din_quads x",
        "ldm r0, {{r10, r11, r12, lr}}",
        "ldm \\x!, {{r3, r8}}",
        "uxtah r0, r0, r2",
        "din_even r4, r10",
        "din_even r5, r11",
        "din_even r6, r12",
        "din_even r7, lr",
        "din_odd r4, r10",
        "din_odd r5, r11",
        "din_odd r6, r12",
        "din_odd r7, lr",
        ".endm",
        ".macro din_scale sum, t",
        "ldrsh r3, [r0], #2",
        "asr \\sum, \\sum, r2",
        "mla \\sum, \\sum, r3, \\t",
        ".endm",
        "add r0, r0, #{weights}",
        "push {{r0, r4-r11, lr}}",
        "mov r8, r0",
        "2:",
        "ldm r8, {{r0, r1, r2, r4, r5, r6, r7}}",
        // Two quads at a time, counted in the stride's high half.
        "3:",
        "din_quads r1",
        "din_quads r1",
        "subs r2, r2, #0x10000",
        "bhs 3b",
        "ldr r8, [sp]",
        "ldrd r2, r3, [r8, #{shift} - {weights}]",
        "cmp r3, #0",
        "bne 5f",
        "4:",
        "ldrd r0, r1, [r8, #{multipliers} - {weights}]",
        "ldm r1, {{r9, r10, r11, r12}}",
        "din_scale r4, r9",
        "din_scale r5, r10",
        "din_scale r6, r11",
        "din_scale r7, r12",
        "stm r1!, {{r4, r5, r6, r7}}",
        "strd r0, r1, [r8, #{multipliers} - {weights}]",
        "ldrd r0, r1, [r8, #-{weights}]",
        "add r1, r1, #16",
        "subs r0, r0, #1",
        "strd r0, r1, [r8, #-{weights}]",
        "bne 2b",
        "pop {{r0, r4-r11, pc}}",
        // The quads that follow: a whole one, in two words after those before, then the rest, in the row's.
        "5:",
        "ldr r2, [r8, #{stride} - {weights}]",
        "tst r3, #{WHOLE}",
        "beq 6f",
        "din_quads r1",
        "6:",
        "ldr r3, [sp]",
        "ldr r8, [r3, #{more} - {weights}]",
        "tst r8, #{REST}",
        "beq 7f",
        "add r1, r3, #{rest} - {weights}",
        "din_quads r1",
        "7:",
        "ldr r8, [sp]",
        "ldr r2, [r8, #{shift} - {weights}]",
        "b 4b",
        ".purgem din_even",
        ".purgem din_odd",
        ".purgem din_quads",
        ".purgem din_scale",
        weights = const offset_of!(Row, weights),
        stride = const offset_of!(Row, stride),
        shift = const offset_of!(Row, shift),
        more = const offset_of!(Row, more),
        rest = const offset_of!(Row, rest),
        multipliers = const offset_of!(Row, multipliers),
        WHOLE = const WHOLE,
        REST = const REST,
    )
}

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_dsp))]
unsafe fn run(row: &mut Row) {
    use super::instructions::{smlad, sxtb16, sxtb16_of_rotated};
    let whole = 2 * (row.stride as usize / 0x10000 + 1) + usize::from(row.more & WHOLE != 0);
    let stride = row.stride as usize % 0x10000;
    for column in 0..COLUMNS * row.fours {
        // SAFETY: the caller vouches for every address.
        unsafe {
            let mut sum = row.half[0];
            for quad in 0..whole + usize::from(row.more & REST != 0) {
                let weights = row.weights.add(quad * stride + 4 * column).cast::<u32>().read_unaligned();
                let x = row.x.wrapping_add(4 * quad).cast::<[u32; 2]>();
                let [first, second] = if quad < whole { x.read_unaligned() } else { row.rest };
                sum = smlad(first, sxtb16(weights), sum);
                sum = smlad(second, sxtb16_of_rotated(weights), sum);
            }
            let m = i16::from_le_bytes(*row.multipliers.cast::<[u8; 2]>().add(column));
            let t = row.t.add(column);
            *t = (*t).wrapping_add(sum.wrapping_shr(row.shift).wrapping_mul(m.into()));
        }
    }
}
