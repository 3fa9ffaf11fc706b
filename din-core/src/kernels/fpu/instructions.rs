//! The loops that are written in assembly: the compiler knows no fused multiply-add without `std`, and its inline assembly
//! no registers of an FPU that has single precision alone. Beside each what it does in plain Rust, that is what runs where the
//! instructions are not there.
#![allow(unsafe_code)] // assembly, and what it reads by address
#![cfg_attr(not(din_fpu), allow(clippy::indexing_slicing))] // of four rows

#[cfg(din_fpu)]
use core::arch::naked_asm;

/// Four rows by four columns. The assembly loads it front to back.
#[repr(C)]
pub(super) struct Tile {
    pub x: [*const f32; 4],
    /// Of the first column.
    pub weights: *const f32,
    /// Bytes from a row of the weights to the next.
    pub stride: usize,
    /// Of inputs.
    pub pairs: usize,
    /// Whether one is left.
    pub odd: usize,
    pub start: [*const f32; 4],
    pub out: [*mut f32; 4],
}

/// `out = start + x w`: `[4, D] x [D, 4] -> [4, 4]`.
///
/// # Safety
/// Every address is that of as many numbers as the tile says, at a multiple of four bytes.
#[cfg(din_fpu)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn tile(tile: &Tile) {
    naked_asm!(
        ".fpu fpv4-sp-d16", // link-time optimisation forgets the features of the target
        ".macro din_row x, s0, s1, s2, s3, w0, w1, w2, w3",
        "vfma.f32 \\s0, \\x, \\w0",
        "vfma.f32 \\s1, \\x, \\w1",
        "vfma.f32 \\s2, \\x, \\w2",
        "vfma.f32 \\s3, \\x, \\w3",
        ".endm",
        "push {{r4-r11, lr}}",
        "vpush {{s16-s31}}",
        "ldm r0!, {{r1-r8}}",
        "ldm r0!, {{r9-r12}}",
        "vldm r9, {{s0-s3}}",
        "vldm r10, {{s4-s7}}",
        "vldm r11, {{s8-s11}}",
        "vldm r12, {{s12-s15}}",
        "cmp r7, #0",
        "beq 3f",
        "2:",
        "vldm r1!, {{s16-s17}}",
        "vldm r2!, {{s18-s19}}",
        "vldm r3!, {{s20-s21}}",
        "vldm r4!, {{s22-s23}}",
        "vldm r5, {{s24-s27}}",
        "add r5, r5, r6",
        "din_row s16, s0, s1, s2, s3, s24, s25, s26, s27",
        "din_row s18, s4, s5, s6, s7, s24, s25, s26, s27",
        "din_row s20, s8, s9, s10, s11, s24, s25, s26, s27",
        "din_row s22, s12, s13, s14, s15, s24, s25, s26, s27",
        "vldm r5, {{s28-s31}}",
        "add r5, r5, r6",
        "din_row s17, s0, s1, s2, s3, s28, s29, s30, s31",
        "din_row s19, s4, s5, s6, s7, s28, s29, s30, s31",
        "din_row s21, s8, s9, s10, s11, s28, s29, s30, s31",
        "din_row s23, s12, s13, s14, s15, s28, s29, s30, s31",
        "subs r7, r7, #1",
        "bne 2b",
        "3:",
        "cmp r8, #0",
        "beq 4f",
        "vldr s16, [r1]",
        "vldr s18, [r2]",
        "vldr s20, [r3]",
        "vldr s22, [r4]",
        "vldm r5, {{s24-s27}}",
        "din_row s16, s0, s1, s2, s3, s24, s25, s26, s27",
        "din_row s18, s4, s5, s6, s7, s24, s25, s26, s27",
        "din_row s20, s8, s9, s10, s11, s24, s25, s26, s27",
        "din_row s22, s12, s13, s14, s15, s24, s25, s26, s27",
        "4:",
        "ldm r0, {{r1-r4}}",
        "vstm r1, {{s0-s3}}",
        "vstm r2, {{s4-s7}}",
        "vstm r3, {{s8-s11}}",
        "vstm r4, {{s12-s15}}",
        "vpop {{s16-s31}}",
        "pop {{r4-r11, pc}}",
        ".purgem din_row",
    )
}

/// One row by eight columns at a time. The assembly loads it front to back.
#[repr(C)]
pub(super) struct Row {
    pub weights: *const f32,
    /// Bytes from a row of the weights to the next.
    pub stride: usize,
    pub start: *const f32,
    pub out: *mut f32,
    /// Eights of columns, at least one.
    pub eights: usize,
    pub x: *const f32,
    /// Whole fours of inputs.
    pub fours: usize,
    /// Inputs after those.
    pub rest: usize,
}

/// `out = start + x w`: `[1, D] x [D, 8 eights] -> [1, 8 eights]`.
///
/// # Safety
/// Every address is that of as many numbers as the row says, at a multiple of four bytes.
#[cfg(din_fpu)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn row(row: &Row) {
    naked_asm!(
        ".fpu fpv4-sp-d16", // link-time optimisation forgets the features of the target
        ".macro din_input x",
        "vldm r7, {{s8-s15}}",
        "add r7, r7, r2",
        "vfma.f32 s0, \\x, s8",
        "vfma.f32 s1, \\x, s9",
        "vfma.f32 s2, \\x, s10",
        "vfma.f32 s3, \\x, s11",
        "vfma.f32 s4, \\x, s12",
        "vfma.f32 s5, \\x, s13",
        "vfma.f32 s6, \\x, s14",
        "vfma.f32 s7, \\x, s15",
        ".endm",
        "push {{r4-r11, lr}}",
        "vpush {{s16-s19}}",
        "ldm r0!, {{r1-r5}}",
        "2:",
        "ldm r0, {{r6, r8, r9}}",
        "mov r7, r1",
        "vldm r3!, {{s0-s7}}",
        "cmp r8, #0",
        "beq 4f",
        "3:",
        "vldm r6!, {{s16-s19}}",
        "din_input s16",
        "din_input s17",
        "din_input s18",
        "din_input s19",
        "subs r8, r8, #1",
        "bne 3b",
        "4:",
        "subs r9, r9, #1",
        "blt 5f",
        "vldm r6!, {{s16}}",
        "din_input s16",
        "b 4b",
        "5:",
        "vstm r4!, {{s0-s7}}",
        "add r1, r1, #32",
        "subs r5, r5, #1",
        "bne 2b",
        "vpop {{s16-s19}}",
        "pop {{r4-r11, pc}}",
        ".purgem din_input",
    )
}

/// `sum + x w`: `[1, D] x [D, 1]`, the weights `stride` bytes apart.
///
/// # Safety
/// There are so many inputs and weights, at multiples of four bytes.
#[cfg(din_fpu)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn dot(
    x: *const f32,
    weights: *const f32,
    stride: usize,
    inputs: usize,
    sum: f32,
) -> f32 {
    naked_asm!(
        ".fpu fpv4-sp-d16", // link-time optimisation forgets the features of the target
        "subs r3, r3, #4",
        "blt 3f",
        "2:",
        "vldm r0!, {{s1-s4}}",
        "vldr s5, [r1]",
        "add r1, r1, r2",
        "vldr s6, [r1]",
        "add r1, r1, r2",
        "vldr s7, [r1]",
        "add r1, r1, r2",
        "vldr s8, [r1]",
        "add r1, r1, r2",
        "vfma.f32 s0, s1, s5",
        "vfma.f32 s0, s2, s6",
        "vfma.f32 s0, s3, s7",
        "vfma.f32 s0, s4, s8",
        "subs r3, r3, #4",
        "bge 2b",
        "3:",
        "adds r3, r3, #4",
        "beq 5f",
        "4:",
        "vldm r0!, {{s1}}",
        "vldr s5, [r1]",
        "add r1, r1, r2",
        "vfma.f32 s0, s1, s5",
        "subs r3, r3, #1",
        "bne 4b",
        "5:",
        "bx lr",
    )
}

/// What [`sigmoids`] computes with. The assembly loads it at once.
#[repr(C)]
pub(super) struct Constants {
    /// Leaves the nearest integer in the low bits of the mantissa when it is added.
    pub round: f32,
    pub minus_log2_e: f32,
    /// ln 2 in two parts, the first with few bits.
    pub ln_2: [f32; 2],
    /// Of `exp(-r)`, highest power first.
    pub polynomial: [f32; 4],
    pub one: f32,
    /// The largest magnitude.
    pub limit: f32,
}

/// `1 / (1 + exp(-x))` of each number, in place; not-a-number counts as the smallest.
///
/// # Safety
/// There are so many numbers, at least one.
#[cfg(din_fpu)]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn sigmoids(numbers: *mut f32, count: usize, constants: &Constants) {
    naked_asm!(
        ".fpu fpv4-sp-d16", // link-time optimisation forgets the features of the target
        "vpush {{s16-s25}}",
        "vldm r2, {{s16-s25}}",
        "vmov r2, s25",
        "lsl r2, r2, #1",
        "2:",
        "ldr r3, [r0]",
        "lsl r12, r3, #1",
        "cmp r12, r2",
        "bhi 4f",
        "vmov s0, r3",
        "3:",
        // n = round(-x / ln 2), in the low bits of s1
        "vmov.f32 s1, s16",
        "vfma.f32 s1, s0, s17",
        "vsub.f32 s2, s1, s16",
        // r = x + n ln 2
        "vfma.f32 s0, s2, s18",
        "vfma.f32 s0, s2, s19",
        // exp(-r)
        "vmov.f32 s3, s21",
        "vfma.f32 s3, s20, s0",
        "vmov.f32 s4, s22",
        "vfma.f32 s4, s3, s0",
        "vmov.f32 s3, s23",
        "vfma.f32 s3, s4, s0",
        "vmov.f32 s4, s24",
        "vfms.f32 s4, s3, s0",
        "vmov.f32 s3, s24",
        "vfms.f32 s3, s4, s0",
        // times 2^n: added to the exponent
        "vmov r12, s1",
        "vmov r3, s3",
        "add r3, r3, r12, lsl #23",
        "vmov s3, r3",
        "vadd.f32 s3, s3, s24",
        "vdiv.f32 s3, s24, s3",
        "vstm r0!, {{s3}}",
        "subs r1, r1, #1",
        "bne 2b",
        "vpop {{s16-s25}}",
        "bx lr",
        "4:",
        "vmov.f32 s0, s25",
        "cmp r12, #0xff000000",
        "bhi 5f",
        "cmp r3, #0",
        "bge 3b",
        "5:",
        "vneg.f32 s0, s0",
        "b 3b",
    )
}

/// See the assembly.
///
/// # Safety
/// As there.
#[cfg(not(din_fpu))]
pub(super) unsafe fn tile(tile: &Tile) {
    let inputs = 2 * tile.pairs + tile.odd;
    let sum = |r: usize, c: usize| {
        let (x, weights) = (tile.x[r], tile.weights.wrapping_add(c));
        // SAFETY: the caller vouches for every address.
        unsafe { dot(x, weights, tile.stride, inputs, *tile.start[r].add(c)) }
    };
    // All of them before any is written: a row may be there several times, and its start where it is written.
    let sums: [[f32; 4]; 4] = core::array::from_fn(|r| core::array::from_fn(|c| sum(r, c)));
    for (sums, out) in sums.into_iter().zip(tile.out) {
        // SAFETY: as above.
        unsafe { out.cast::<[f32; 4]>().write(sums) };
    }
}

/// See the assembly.
///
/// # Safety
/// As there.
#[cfg(not(din_fpu))]
pub(super) unsafe fn row(row: &Row) {
    for c in 0..8 * row.eights {
        let inputs = 4 * row.fours + row.rest;
        // SAFETY: the caller vouches for every address.
        unsafe { *row.out.add(c) = dot(row.x, row.weights.add(c), row.stride, inputs, *row.start.add(c)) };
    }
}

/// See the assembly.
///
/// # Safety
/// As there.
#[cfg(not(din_fpu))]
pub(super) unsafe fn dot(x: *const f32, weights: *const f32, stride: usize, inputs: usize, sum: f32) -> f32 {
    // SAFETY: the caller vouches for every address.
    (0..inputs).fold(sum, |sum, d| unsafe { (*x.add(d)).mul_add(*weights.byte_add(d * stride), sum) })
}

/// See the assembly.
///
/// # Safety
/// As there.
#[cfg(not(din_fpu))]
pub(super) unsafe fn sigmoids(numbers: *mut f32, count: usize, constants: &Constants) {
    let Constants { round, minus_log2_e, ln_2: [high, low], polynomial: [d, c, b, a], one, limit } =
        *constants;
    // SAFETY: the caller vouches for the numbers.
    for x in unsafe { core::slice::from_raw_parts_mut(numbers, count) } {
        #[allow(clippy::manual_clamp)] // clamp would hand not-a-number through
        let bounded = x.max(-limit).min(limit);
        let shifted = bounded.mul_add(minus_log2_e, round);
        let n = shifted - round;
        let r = n.mul_add(low, n.mul_add(high, bounded));
        let q = d.mul_add(r, c).mul_add(r, b).mul_add(r, a);
        let power = (-(-q).mul_add(r, one)).mul_add(r, one);
        let scaled = f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23));
        *x = one / (scaled + one);
    }
}
