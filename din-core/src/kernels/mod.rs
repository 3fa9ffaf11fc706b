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
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
mod operands;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::bytes::F32s;
#[cfg(any(din_choice, not(din_fpu)))]
use crate::math::sigmoid;

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

/// Proofs that the processor has what a kernel needs, one for each set of features: only `best` and `all` of [`Kernel`] and
/// [`IntegerKernel`](crate::IntegerKernel) make them.
///
/// ```compile_fail
/// # use din_core::Kernel;
/// if let Kernel::Avx2(proof) = Kernel::best() {
///     let _ = Kernel::Avx512(proof); // the one does not prove the other
/// }
/// ```
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasAvx2(());

/// See [`HasAvx2`].
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasAvx512(());

/// See [`HasAvx2`].
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasVnni(());

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
            #[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
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

/// Whether the processor has every one of some features: at run time with `std`, else whether it was compiled for them.
#[cfg(target_arch = "x86_64")]
macro_rules! has_features {
    ($($feature:tt),+) => {{
        #[cfg(feature = "std")]
        { true $(&& std::arch::is_x86_feature_detected!($feature))+ }
        #[cfg(not(feature = "std"))]
        { cfg!(all($(target_feature = $feature),+)) }
    }};
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx2() -> Option<HasAvx2> {
    has_features!("avx2", "fma", "f16c").then_some(HasAvx2(()))
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512() -> Option<HasAvx512> {
    let has_all = has_features!("avx512f", "avx512bw", "avx512dq", "avx512vl");
    has_avx2().filter(|_| has_all).map(|_| HasAvx512(()))
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn has_vnni() -> Option<HasVnni> {
    let has_it = has_features!("avx512vnni");
    has_avx512().filter(|_| has_it).map(|_| HasVnni(()))
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

/// Some columns of a query's own matrix: row `d` is `key[d] + query[d] product[d]` for the paired inputs, `key[d]` for the
/// rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnMatrix<'a> {
    /// `[P]`
    pub query: &'a [f32],
    /// `[D, columns]`
    pub key: Matrix<'a>,
    /// `[P, columns]`
    pub product: Matrix<'a>,
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

/// The same memory as twice as many numbers of 16 bits.
#[allow(unsafe_code)] // the only view of wide numbers as narrow ones
pub(crate) const fn as_shorts(numbers: &mut [i32]) -> &mut [i16] {
    let len = numbers.len().wrapping_mul(2);
    // SAFETY: the same memory, for the same lifetime; any bits are an i16, and what suits an i32 suits an i16.
    unsafe { core::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), len) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..n).map(next).collect()
    }

    const ROWS: [usize; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 24, 50];
    const INPUTS: [usize; 5] = [1, 2, 7, 32, 129];
    const OUTPUTS: [usize; 18] = [1, 3, 7, 8, 9, 12, 16, 17, 24, 25, 31, 36, 40, 45, 63, 80, 100, 128];

    fn for_each_shape(mut then: impl FnMut(Kernel, usize, usize, usize)) {
        for kernel in Kernel::all() {
            // Every number of rows, or a block that no kernel wrote could go unseen.
            for rows in 0..=50 {
                let inputs = if ROWS.contains(&rows) { &INPUTS[..] } else { &[7] };
                for inputs in inputs {
                    OUTPUTS.iter().for_each(|outputs| then(kernel, rows, *inputs, *outputs));
                }
            }
        }
    }

    /// In f64, and how far f32 may be from it: every step rounds once.
    fn expected(x: &[f32], w: &[f32], outputs: usize, column: usize, start: f32) -> (f64, f64) {
        let products = x.iter().zip(w.chunks(outputs)).map(|(x, w)| f64::from(*x) * f64::from(w[column]));
        let magnitude = products.clone().map(f64::abs).sum::<f64>() + f64::from(start.abs());
        (products.sum::<f64>() + f64::from(start), magnitude * 6e-8 * (x.len() + 2) as f64)
    }

    #[test]
    fn every_kernel_multiplies_every_shape_and_writes_nothing_beside_it() {
        for_each_shape(|kernel, rows, inputs, outputs| {
            let (x, w, bias) = (numbers(rows * inputs, 1), numbers(inputs * outputs, 2), numbers(outputs, 3));
            let stride = outputs + 5;
            for from_row in [false, true] {
                let before = numbers(rows * stride, 4);
                let mut out = before.clone();
                let start = if from_row { Start::Row(as_weights(&bias)) } else { Start::Output };
                let to = Rows { numbers: &mut out, rows, columns: outputs, stride };
                kernel.product(&x, Matrix::whole(as_weights(&w), inputs, outputs), start, Finish::Sum, to);
                let rows_of =
                    |numbers: &[f32]| numbers.chunks(stride).map(<[f32]>::to_vec).collect::<Vec<_>>();
                for ((x, out), before) in x.chunks(inputs).zip(rows_of(&out)).zip(rows_of(&before)) {
                    assert_eq!(
                        out[outputs..],
                        before[outputs..],
                        "{kernel:?} wrote beside [{rows}, {outputs}]"
                    );
                    for (column, found) in out[..outputs].iter().enumerate() {
                        let start = if from_row { bias[column] } else { before[column] };
                        let (truth, bound) = expected(x, &w, outputs, column, start);
                        let error = (f64::from(*found) - truth).abs();
                        assert!(
                            error <= bound,
                            "{kernel:?} [{rows}, {inputs}] x [{inputs}, {outputs}]: {error:e}"
                        );
                    }
                }
            }
        });
    }

    /// A unit none of whose fields the candidate has reads no query.
    #[test]
    fn without_inputs_a_product_is_what_it_starts_from() {
        for kernel in Kernel::all() {
            let bias = numbers(20, 1);
            let mut out = [f32::NAN; 40];
            let w = Matrix::whole(F32s(&[]), 0, 20);
            let to = Rows::whole(&mut out, 2, 20);
            kernel.product(&[], w, Start::Row(as_weights(&bias)), Finish::Sum, to);
            assert!(out.chunks(20).all(|row| row == bias), "{kernel:?}");
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_among_others() {
        for_each_shape(|kernel, rows, inputs, outputs| {
            let (x, w, bias) = (numbers(rows * inputs, 5), numbers(inputs * outputs, 6), numbers(outputs, 7));
            let run = |x: &[f32], rows: usize| {
                let mut out = std::vec![f32::NAN; rows * outputs];
                let (w, start) =
                    (Matrix::whole(as_weights(&w), inputs, outputs), Start::Row(as_weights(&bias)));
                kernel.product(x, w, start, Finish::Sigmoid, Rows::whole(&mut out, rows, outputs));
                out
            };
            let together = run(&x, rows);
            for (x, together) in x.chunks(inputs).zip(together.chunks(outputs)) {
                assert_eq!(run(x, 1), together, "{kernel:?} [{rows}, {inputs}] x [{inputs}, {outputs}]");
            }
        });
    }

    #[test]
    fn every_kernel_multiplies_with_a_querys_own_matrix() {
        for_each_shape(|kernel, rows, inputs, outputs| {
            for paired in [0, inputs / 2, inputs] {
                let wide = outputs + 3;
                let (key, product) = (numbers(inputs * wide, 1), numbers(paired * wide, 2));
                let (query, x, bias) = (numbers(paired, 3), numbers(rows * inputs, 4), numbers(outputs, 5));
                let view = |w, rows| Matrix::whole(as_weights(w), rows, wide).columns(2, outputs);
                let own =
                    OwnMatrix { query: &query, key: view(&key, inputs), product: view(&product, paired) };
                let (mut panel, mut out) =
                    (std::vec![f32::NAN; inputs * outputs], std::vec![f32::NAN; rows * outputs]);
                let start = Start::Row(as_weights(&bias));
                let to = Rows::whole(&mut out, rows, outputs);
                kernel.own_product(&x, own, &mut panel, start, Finish::Sum, to);
                // Rows that are not there make no matrix.
                for (d, row) in panel.chunks(outputs).enumerate().filter(|_| rows > 0) {
                    for (column, found) in row.iter().enumerate() {
                        let at = d * wide + column + 2;
                        let part = if d < paired { query[d] * product[at] } else { 0.0 };
                        assert!(
                            (found - (key[at] + part)).abs() < 3e-7,
                            "{kernel:?} {found} row {d} column {column}"
                        );
                    }
                }
                let mut again = std::vec![f32::NAN; rows * outputs];
                let matrix = Matrix::whole(as_weights(&panel), inputs, outputs);
                kernel.product(&x, matrix, start, Finish::Sum, Rows::whole(&mut again, rows, outputs));
                assert_eq!(out, again, "{kernel:?} [{rows}, {inputs}] x [{inputs}, {outputs}]");
            }
        });
    }

    #[test]
    fn every_kernel_sums_products_of_two_vectors() {
        for_each_shape(|kernel, rows, inputs, _| {
            let (x, w) = (numbers(rows * inputs, 1), numbers(inputs, 2));
            let mut out = std::vec![0.5; rows];
            kernel.dots(&x, as_weights(&w), &mut out);
            for (x, found) in x.chunks(inputs).zip(&out) {
                let (truth, bound) = expected(x, &w, 1, 0, 0.5);
                assert!((f64::from(*found) - truth).abs() <= bound, "{kernel:?} {inputs}");
            }
        });
    }

    /// A product with one weight of 1 hands the sigmoid any number.
    fn sigmoids(kernel: Kernel, x: &[f32]) -> Vec<f32> {
        let mut out = x.to_vec();
        let w = Matrix::whole(as_weights(&[0.0; 16]), 1, 16);
        let rows = x.len() / 16;
        kernel.product(
            &std::vec![0.0; rows],
            w,
            Start::Output,
            Finish::Sigmoid,
            Rows::whole(&mut out, rows, 16),
        );
        out
    }

    #[test]
    fn sigmoids_of_every_kernel_stay_within_their_error_bound() {
        const STEPS: usize = 4_000_000;
        let x: Vec<f32> = (0..STEPS).map(|i| (i as f64 / STEPS as f64 * 200.0 - 100.0) as f32).collect();
        for kernel in Kernel::all() {
            let found = sigmoids(kernel, &x);
            let errors = x
                .iter()
                .zip(&found)
                .map(|(x, found)| (f64::from(*found) - 1.0 / (1.0 + libm::exp(-f64::from(*x)))).abs());
            let worst = errors.fold(0.0, f64::max);
            std::println!("sigmoid, {}: largest absolute error {worst:.2e} over [-100, 100]", kernel.name());
            assert!(worst < 2.0e-7, "{kernel:?}: {worst:e}");
        }
    }

    #[test]
    fn sigmoids_of_extremes_are_numbers_and_leave_their_neighbours_alone() {
        for kernel in Kernel::all() {
            for extreme in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN] {
                let mut x = [0.25; 16];
                x[8] = extreme;
                let found = sigmoids(kernel, &x);
                assert!((0.0..=1.0).contains(&found[8]), "{kernel:?} {extreme}");
                assert!((found[0] - 0.562_176_5).abs() < 2e-7, "{kernel:?} {extreme}: {}", found[0]);
            }
        }
    }

    #[test]
    fn every_kernel_widens_every_finite_half() {
        let halves: Vec<u16> = (0..=u16::MAX).filter(|half| half >> 10 & 31 != 31).collect();
        let row: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        for kernel in Kernel::all() {
            for len in [halves.len(), 9, 7, 0] {
                let mut out = std::vec![0.0; len];
                kernel.widen(&row[..2 * len], &mut out);
                for (half, found) in halves.iter().zip(out) {
                    let (sign, exponent, mantissa) = (half >> 15, half >> 10 & 31, f64::from(half & 1023));
                    let magnitude = match exponent {
                        0 => mantissa * 2.0_f64.powi(-24),
                        _ => (1024.0 + mantissa) * 2.0_f64.powi(i32::from(exponent) - 25),
                    };
                    let expected = if sign == 1 { -magnitude } else { magnitude };
                    assert_eq!(f64::from(found).to_bits(), expected.to_bits(), "{kernel:?} {half:#x}");
                }
            }
        }
    }

    #[test]
    fn every_kernel_s_dice_is_its_formula() {
        for kernel in Kernel::all() {
            for len in OUTPUTS {
                let [s, a, b, alpha] = [1, 2, 3, 4].map(|seed| numbers(len, seed));
                let mut row = s.clone();
                kernel.dice(&mut row, as_weights(&a), as_weights(&b), as_weights(&alpha));
                for i in 0..len {
                    let [s, a, b, alpha] = [s[i], a[i], b[i], alpha[i]].map(f64::from);
                    let p = 1.0 / (1.0 + libm::exp(-(a * s + b)));
                    let truth = s * (alpha + (1.0 - alpha) * p);
                    assert!((f64::from(row[i]) - truth).abs() < 5e-7, "{kernel:?} {len}");
                }
            }
        }
    }
}
