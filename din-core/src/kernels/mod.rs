//! Small dense products and activations in f32: one contract, several implementations, chosen here and nowhere else.
//!
//! | kernel | where | chosen |
//! |---|---|---|
//! | portable | everywhere | where nothing below is |
//! | AVX2 + FMA | x86-64 | at run time with the feature `std`, else if compiled for it |
//!
//! The contract: an output is one sum in the order of the inputs, whatever the number of rows and columns that are
//! computed together. So with any one kernel a score has the same bits alone and within a slate. Kernels differ from
//! each other by rounding alone: one that multiplies and adds in one step rounds once where the portable one rounds
//! twice.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::bytes::F32s;

/// An implementation of the dense products and activations of the f32 path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
    /// Plain Rust.
    #[default]
    Portable,
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Detected),
}

/// Proof that the processor has what a kernel needs: only [`Kernel::best`] and [`Kernel::all`] make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detected(());

impl Kernel {
    /// The fastest that this processor has; without the feature `std`, that it was compiled for.
    #[must_use]
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if has_avx2() {
            return Self::Avx2(Detected(()));
        }
        Self::Portable
    }

    /// Every kernel that this processor has, the portable one first.
    pub fn all() -> impl Iterator<Item = Self> {
        let best = Self::best();
        core::iter::once(Self::Portable).chain((best != Self::Portable).then_some(best))
    }

    /// What it is called in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
        }
    }

    /// `out = finish(start + x w)`: `[N, D] x [D, H] -> [N, H]`.
    pub(crate) fn product(self, x: &[f32], w: Matrix<'_>, start: Start<'_>, finish: Finish, out: Rows<'_>) {
        match self {
            Self::Portable => portable::product(x, w, start, finish, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86_64::product(x, w, start, finish, out),
        }
    }

    /// `out[n] += sum_d x[n, d] w[d]`: `[N, D] x [D, 1] -> [N]`. Sums of its own order.
    pub(crate) fn dots(self, x: &[f32], w: F32s<'_>, out: &mut [f32]) {
        match self {
            Self::Portable => portable::dots(x, w, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86_64::dots(x, w, out),
        }
    }

    /// The query's own matrix, some columns of it: `panel[d] = key[d] + query[d] product[d]` for the paired inputs,
    /// `key[d]` for the rest; `[D, columns]`, its rows `panel.stride` numbers apart.
    pub(crate) fn combine(self, query: &[f32], key: Matrix<'_>, product: Matrix<'_>, panel: Rows<'_>) {
        match self {
            Self::Portable => portable::combine(query, key, product, panel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86_64::combine(query, key, product, panel),
        }
    }

    /// `s (alpha + (1 - alpha) sigmoid(a s + b))`, one `a`, `b`, `alpha` for each of the units of a row.
    pub(crate) fn dice(self, row: &mut [f32], a: F32s<'_>, b: F32s<'_>, alpha: F32s<'_>) {
        match self {
            Self::Portable => portable::dice(row, a, b, alpha),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86_64::dice(row, a, b, alpha),
        }
    }
}

#[cfg(all(target_arch = "x86_64", feature = "std"))]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[cfg(all(target_arch = "x86_64", not(feature = "std")))]
const fn has_avx2() -> bool {
    cfg!(all(target_feature = "avx2", target_feature = "fma"))
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

/// Some columns of a matrix: rows of `columns` numbers that begin `stride` numbers apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    /// From the first row's first column on.
    pub numbers: F32s<'a>,
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
}

impl<'a> Matrix<'a> {
    /// All columns of `[rows, columns]`.
    pub const fn whole(numbers: F32s<'a>, rows: usize, columns: usize) -> Self {
        Self { numbers, rows, columns, stride: columns }
    }

    /// Columns `start .. start + columns`.
    pub fn columns(self, start: usize, columns: usize) -> Self {
        let len = self.numbers.0.len() / 4;
        Self { numbers: self.numbers.range(start, len.saturating_sub(start)), columns, ..self }
    }

    /// The columns of one row.
    pub fn row(self, index: usize) -> F32s<'a> {
        self.numbers.range(index.wrapping_mul(self.stride), self.columns)
    }

    /// Bytes that the rows span; what a kernel that reads by address relies on.
    const fn span(self) -> usize {
        match self.rows.checked_sub(1) {
            Some(before) => before.saturating_mul(self.stride).saturating_add(self.columns).saturating_mul(4),
            None => 0,
        }
    }

    const fn is_whole(self) -> bool {
        self.columns <= self.stride && self.span() <= self.numbers.0.len()
    }
}

/// Some columns of a matrix in memory, to be written.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// From the first row's first column on.
    pub numbers: &'a mut [f32],
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// All columns of `[rows, columns]`.
    pub const fn whole(numbers: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self { numbers, rows, columns, stride: columns }
    }

    const fn is_whole(&self) -> bool {
        let span = match self.rows.checked_sub(1) {
            Some(before) => before.saturating_mul(self.stride).saturating_add(self.columns),
            None => 0,
        };
        self.columns <= self.stride && span <= self.numbers.len()
    }
}

/// Numbers in memory as the kernels read weights.
#[allow(unsafe_code)] // the only view of numbers as bytes
pub(crate) fn as_weights(numbers: &[f32]) -> F32s<'_> {
    const { assert!(cfg!(target_endian = "little"), "weights are little-endian, in flash and in memory") };
    // SAFETY: the same memory, every byte of it initialised, for the same lifetime; any address suits a byte.
    F32s(unsafe { core::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) })
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
