//! Small dense products and activations in f32: one contract, several implementations, chosen here and nowhere else.
//!
//! | kernel | where | chosen |
//! |---|---|---|
//! | portable | everywhere | where nothing below is |
//! | AVX2 + FMA + F16C | x86-64 | at run time with the feature `std`, else if compiled for it |
//! | AVX-512 (F, BW, DQ, VL) | x86-64 | likewise, before AVX2 |
//! | NEON | 64-bit Arm | always, but for targets without floating point |
//! | FPU | Cortex-M4F, M7, M33 with floating point | if compiled for it: see `build.rs` |
//!
//! The contract: an output is one sum in the order of the inputs, whatever the number of rows and columns that are
//! computed together. So with any one kernel a score has the same bits alone and within a slate. Kernels differ from
//! each other by rounding alone: one that multiplies and adds in one step rounds once where the portable one rounds
//! twice.

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod aarch64;
#[cfg(any(test, din_fpu))]
mod fpu;
pub(crate) mod integer;
mod matrix;
#[cfg(din_panels)]
mod operands;
mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::bytes::F32s;
#[cfg(any(din_choice, not(din_fpu)))]
use crate::math::sigmoid;
pub(crate) use matrix::{Matrix, OwnMatrix, Rows, as_shorts, as_weights};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::features::{HasAvx2, HasAvx512, HasVnni, has_avx2, has_avx512, has_vnni};

/// An implementation of the dense products and activations of the f32 path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
    /// Plain Rust; Cortex-M with an FPU has its own alone.
    #[cfg(any(din_choice, not(din_fpu)))]
    #[default]
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2(HasAvx2),
    /// x86-64 with AVX-512 (F, BW, DQ, VL) and what [`Self::Avx2`] needs.
    #[cfg(target_arch = "x86_64")]
    Avx512(HasAvx512),
    /// 64-bit Arm with NEON.
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    Neon,
    /// Cortex-M with an FPU of its own fused multiply-add. In tests of other machines that is emulated.
    #[cfg(any(test, din_fpu))]
    #[cfg_attr(not(din_choice), default)]
    Fpu,
}

impl Kernel {
    /// The fastest that this processor has; without the feature `std`, that it was compiled for.
    #[must_use]
    pub fn best() -> Self {
        Self::all().last().unwrap_or_default()
    }

    /// Every kernel that this processor has, the portable one first, the fastest last. Firmware of Cortex-M has one.
    pub fn all() -> impl Iterator<Item = Self> {
        let all = core::iter::empty();
        #[cfg(any(din_choice, not(din_fpu)))]
        let all = all.chain([Self::Portable]);
        #[cfg(any(test, din_fpu))] // emulated in tests of other machines
        let all = all.chain([Self::Fpu]);
        #[cfg(target_arch = "x86_64")]
        let all = all.chain(has_avx2().map(Self::Avx2));
        #[cfg(target_arch = "x86_64")]
        let all = all.chain(has_avx512().map(Self::Avx512));
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        let all = all.chain([Self::Neon]);
        all
    }

    /// What it is called in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(any(din_choice, not(din_fpu)))]
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => "neon",
            #[cfg(any(test, din_fpu))]
            Self::Fpu => "fpu",
        }
    }

    /// `out = finish(start + x w)`: `[N, D] x [D, H] -> [N, H]`.
    pub(crate) fn product(self, x: &[f32], w: Matrix<'_>, start: Start<'_>, finish: Finish, out: Rows<'_>) {
        match self {
            #[cfg(any(din_choice, not(din_fpu)))]
            Self::Portable => portable::product(x, w, start, finish, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86_64::avx2::product(x, w, start, finish, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => x86_64::avx512::product(x, w, start, finish, out),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::product(x, w, start, finish, out),
            #[cfg(any(test, din_fpu))]
            Self::Fpu => fpu::product(x, w, start, finish, out),
        }
    }

    /// `out[n] += sum_d x[n, d] w[d]`: `[N, D] x [D, 1] -> [N]`. Sums of its own order.
    pub(crate) fn dots(self, x: &[f32], w: F32s<'_>, out: &mut [f32]) {
        match self {
            #[cfg(any(din_choice, not(din_fpu)))]
            Self::Portable => portable::dots(x, w, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => x86_64::avx2::dots(x, w, out),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::dots(x, w, out),
            #[cfg(any(test, din_fpu))]
            Self::Fpu => fpu::dots(x, w, out),
        }
    }

    /// `out = finish(start + x M)` with a query's own matrix: `[N, D] x [D, columns] -> [N, columns]`. `panel`, room for
    /// `D * columns` numbers, holds the matrix afterwards, if there is a row.
    pub(crate) fn own_product(
        self,
        x: &[f32],
        own: OwnMatrix<'_>,
        panel: &mut [f32],
        start: Start<'_>,
        finish: Finish,
        out: Rows<'_>,
    ) {
        match self {
            #[cfg(any(din_choice, not(din_fpu)))]
            Self::Portable => portable::combine(own, panel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => return x86_64::avx2::own_product(x, own, panel, start, finish, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => return x86_64::avx512::own_product(x, own, panel, start, finish, out),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::combine(own, panel),
            #[cfg(any(test, din_fpu))]
            Self::Fpu => fpu::combine(own, panel),
        }
        let matrix = Matrix::whole(as_weights(panel), own.key.rows, own.key.columns);
        self.product(x, matrix, start, finish, out);
    }

    /// A row of f16 numbers as f32: `[D] -> [D]`; no infinity and no not-a-number among them.
    pub(crate) fn widen(self, row: &[u8], out: &mut [f32]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => x86_64::avx2::widen(row, out),
            _ => portable::widen(row, out),
        }
    }

    /// Whether a product computes sigmoids of sums that are still in registers, and not only after all of them.
    pub(crate) const fn finishes_sums(self) -> bool {
        match self {
            #[cfg(any(din_choice, not(din_fpu)))]
            Self::Portable => false,
            #[cfg(any(test, din_fpu))]
            Self::Fpu => false,
            #[cfg(din_panels)]
            _ => true,
        }
    }

    /// `1 / (1 + exp(-s))` of each number.
    pub(crate) fn sigmoids(self, numbers: &mut [f32]) {
        match self {
            #[cfg(any(test, din_fpu))]
            Self::Fpu => fpu::sigmoids(numbers),
            #[cfg(any(din_choice, not(din_fpu)))]
            _ => numbers.iter_mut().for_each(|s| *s = sigmoid(*s)),
        }
    }

    /// `s (alpha + (1 - alpha) sigmoid(a s + b))`, one `a`, `b`, `alpha` for each of the units of a row.
    pub(crate) fn dice(self, row: &mut [f32], a: F32s<'_>, b: F32s<'_>, alpha: F32s<'_>) {
        match self {
            #[cfg(any(din_choice, not(din_fpu)))]
            Self::Portable => portable::dice(row, a, b, alpha),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => x86_64::avx2::dice(row, a, b, alpha),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::dice(row, a, b, alpha),
            #[cfg(any(test, din_fpu))]
            Self::Fpu => fpu::dice(row, a, b, alpha),
        }
    }
}

/// What the sums of a product start from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    /// What the output holds.
    Output,
    /// The same numbers in every row: `[H]`.
    Row(F32s<'a>),
}

/// What becomes of a finished sum, while it is still in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// Nothing.
    Sum,
    /// `1 / (1 + exp(-s))`.
    Sigmoid,
}

/// Whether [`prefetch`] does anything.
pub(crate) const PREFETCHES: bool = cfg!(target_arch = "x86_64");

/// Asks memory for bytes that are read soon, where the processor can be asked.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    x86_64::prefetch(bytes);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// `out += a x`.
pub(crate) fn add_scaled(a: f32, x: &[f32], out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += a * x;
    }
}

/// `out = x y`, elementwise.
pub(crate) fn multiply(x: &[f32], y: &[f32], out: &mut [f32]) {
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = x * y;
    }
}

/// `out = x`, as far as both go.
pub(crate) fn copy<N>(x: impl IntoIterator<Item = N>, out: &mut [N]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = x;
    }
}

/// Moves the last `len` numbers to the front. That many come before them, or none.
pub(crate) fn keep_last<N: Copy>(numbers: &mut [N], len: usize) {
    let before = numbers.len().saturating_sub(len);
    if let Some((front, last)) = numbers.split_at_mut_checked(before) {
        copy(last.iter().copied(), front);
    }
}
