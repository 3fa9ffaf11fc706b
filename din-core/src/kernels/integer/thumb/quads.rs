//! One row against four columns of weights of one byte: the layers of the head, of which there is one row a candidate. Sums
//! are in the high registers: see [`thumb`](super).
#![allow(unsafe_code)] // assembly, and what it reads by address

#[cfg(din_thumb)]
use core::arch::naked_asm;

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
pub(super) unsafe extern "C" fn run(quads: &mut Quads) {
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

/// See `run`.
///
/// # Safety
/// As `run`.
#[cfg(not(din_thumb))]
pub(super) unsafe fn run(quads: &mut Quads) {
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
