//! Small dense products and activations in integers: one contract, several implementations, chosen here and nowhere else.
//!
//! | kernel | where | chosen |
//! |---|---|---|
//! | portable | everywhere | where nothing below is |
//! | AVX2 | x86-64 | at run time with the feature `std`, else if compiled for it |
//! | AVX-512 (F, BW, DQ, VL) with VNNI | x86-64 | likewise, before AVX2 |
//! | NEON | 64-bit Arm | always, but for targets without floating point |
//! | Thumb | Cortex-M0, M0+, M3, and M23 and M33 without the extension | if compiled for it: see `build.rs` |
//! | DSP | Cortex-M4, M7; M33 and others of Armv8-M with the extension | if compiled for it: see `build.rs` |
//!
//! The dot-product instructions of 64-bit Arm (`sdot`) multiply bytes: 16-bit activations, and a query's own matrix in
//! 16 bits, leave them no work. VNNI has one for pairs of 16 bits.
//!
//! The contract: the same bits from every kernel. Sums cannot leave 32 bits, as the loader checked, so their order is
//! free; everything else is defined step by step. Parameters shorter than their rows are none of a loaded model; what
//! becomes of such rows is not defined.

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod aarch64;
#[cfg(any(test, din_dsp))]
mod dsp;
#[cfg(any(test, din_panels, din_dsp, din_thumb))]
mod extents;
mod operands;
mod portable;
#[cfg(any(test, din_thumb))]
mod thumb;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(any(test, din_dsp))]
use crate::chunks;
use crate::fixed::{rshift, sat16};
#[cfg(din_plain)]
use crate::kernels::copy;
#[cfg(target_arch = "x86_64")]
use crate::kernels::{HasAvx2, HasVnni, has_avx2, has_vnni};
pub(crate) use operands::{Finish, Own, Parameters, Part, Product, Scale, Weights};
/// A finished sum.
pub(crate) use portable::finished;

/// The most columns of weights that a scalar kernel widens, or combines, at once.
pub(crate) const SCALAR_COLUMNS: usize = 3;

/// An implementation of the dense products and activations of the integer path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IntegerKernel {
    /// Plain Rust; Cortex-M has its own alone.
    #[cfg(din_choice)]
    #[default]
    Portable,
    /// x86-64 with AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2(HasAvx2),
    /// x86-64 with AVX-512 (F, BW, DQ, VL, VNNI).
    #[cfg(target_arch = "x86_64")]
    Avx512(HasVnni),
    /// 64-bit Arm with NEON.
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    Neon,
    /// Cortex-M with the DSP extension. In tests of other machines its instructions are emulated.
    #[cfg(any(test, din_dsp))]
    #[cfg_attr(not(din_choice), default)]
    Dsp,
    /// Other Cortex-M. In tests of other machines its loops are emulated.
    #[cfg(any(test, din_thumb))]
    #[cfg_attr(not(din_choice), default)]
    Thumb,
}

impl IntegerKernel {
    /// The fastest that this processor has; without the feature `std`, that it was compiled for.
    #[must_use]
    pub fn best() -> Self {
        Self::all().last().unwrap_or_default()
    }

    /// Every kernel that this processor has, the portable one first, the fastest last. Firmware of Cortex-M has one.
    pub fn all() -> impl Iterator<Item = Self> {
        let all = core::iter::empty();
        #[cfg(din_choice)]
        let all = all.chain([Self::Portable]);
        // Emulated in tests of other machines.
        #[cfg(any(test, din_thumb))]
        let all = all.chain([Self::Thumb]);
        #[cfg(any(test, din_dsp))]
        let all = all.chain([Self::Dsp]);
        #[cfg(target_arch = "x86_64")]
        let all = all.chain(has_avx2().map(Self::Avx2));
        #[cfg(target_arch = "x86_64")]
        let all = all.chain(has_vnni().map(Self::Avx512));
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        let all = all.chain([Self::Neon]);
        all
    }

    /// What it is called in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(din_choice)]
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => "neon",
            #[cfg(any(test, din_dsp))]
            Self::Dsp => "dsp",
            #[cfg(any(test, din_thumb))]
            Self::Thumb => "thumb",
        }
    }

    /// `out = finish(sat16((start + rshift(x W, s1) m) >> s2))`: `[N, D] x [D, C] -> [N, C]`, rows of `out` `stride`
    /// numbers apart. `panel` is room for some columns. Some kernels leave `x` in another order.
    #[cfg_attr(not(any(din_dsp, test)), allow(unused_variables))] // the panel is for kernels that widen weights
    pub(crate) fn product(
        self,
        product: &Product<'_>,
        x: &mut [i16],
        panel: &mut [i16],
        out: &mut [i16],
        stride: usize,
    ) {
        match self {
            #[cfg(din_choice)]
            Self::Portable => portable::product(product, x, out, stride),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86_64::avx2::product(product, x, out, stride),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => x86_64::avx512::product(product, x, out, stride),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::product(product, x, out, stride),
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::product(product, x, panel, out, stride),
            #[cfg(any(test, din_thumb))]
            Self::Thumb => thumb::product(product, x, out, stride),
        }
    }

    /// `t = from`, little-endian: `[H]`.
    pub(crate) fn start(self, from: &[u8], t: &mut [i32]) {
        match self {
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::start(from, t),
            #[cfg(din_plain)]
            _ => portable::start(from, t),
        }
    }

    /// `to = from`: `[H]`.
    pub(crate) fn copy(self, from: &[i32], to: &mut [i32]) {
        match self {
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::copy_all(from, to),
            #[cfg(din_plain)]
            _ => copy(from.iter().copied(), to),
        }
    }

    /// `t += rshift(x W, s1) m`: `[N, D] x [D, H] -> [N, H]`.
    pub(crate) fn add(self, part: &Part<'_>, x: &[i16], t: &mut [i32]) {
        match self {
            #[cfg(din_choice)]
            Self::Portable => portable::add(part, x, t),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86_64::avx2::add(part, x, t),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => x86_64::avx512::add(part, x, t),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::add(part, x, t),
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::add(part, x, t),
            #[cfg(any(test, din_thumb))]
            Self::Thumb => thumb::add(part, x, t),
        }
    }

    /// The sums of a part with one output: `[N, D] x [D, 1] -> [N]`. `panel` is room for the weights.
    #[cfg_attr(not(any(din_thumb, test)), allow(unused_variables))] // the panel is for kernels that widen weights
    pub(crate) fn dots(self, part: &Part<'_>, x: &[i16], panel: &mut [i16], sums: &mut [i32]) {
        match self {
            #[cfg(din_choice)]
            Self::Portable => portable::dots(part, x, sums),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => x86_64::avx2::dots(part, x, sums),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::dots(part, x, sums),
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::dots(part, x, sums),
            #[cfg(any(test, din_thumb))]
            Self::Thumb => thumb::dots(part, x, panel, sums),
        }
    }

    /// Puts rows `[N, width]` in the order in which this kernel multiplies them: a user's keys, which all candidates share. An
    /// even number of rows from the first on is arranged by itself. `room` is for a row.
    #[cfg_attr(not(any(din_dsp, test)), allow(unused_variables))]
    pub(crate) fn arrange(self, rows: &mut [i16], width: usize, room: &mut [i16]) {
        match self {
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::arrange(rows, width, room),
            #[cfg(din_plain)]
            _ => {}
        }
    }

    /// For each candidate `out = finish(sat16((start + rshift(x M, s1) m) >> s2))` with its query's own matrix
    /// `M = sat16(base + rshift(W8 q, 8))`: `[R, D] x [N, D, H] -> [N, R, H]`. The matrices are made in `panels`, some
    /// columns at a time: room for [`Blocking::NATIVE`](crate::blocking::Blocking::NATIVE)'s. The rows were
    /// [arranged](Self::arrange), and are after it.
    pub(crate) fn own_product(self, own: &Own<'_>, x: &mut [i16], panels: &mut [i16], out: &mut [i16]) {
        match self {
            #[cfg(din_choice)]
            Self::Portable => portable::own_product(own, x, panels, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => own.in_strips(x, panels, out, x86_64::avx2::combine, x86_64::avx2::product),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => {
                own.in_strips(x, panels, out, x86_64::avx512::combine, x86_64::avx512::product);
            }
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => own.in_strips(x, panels, out, aarch64::combine, aarch64::product),
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::own_product(own, x, panels, out),
            #[cfg(any(test, din_thumb))]
            Self::Thumb => thumb::own_product(own, x, panels, out),
        }
    }

    /// `start + rshift(x M, s1) m` of a unit that is one layer with one output: `[R, D] x [N, D, 1] -> [N, R]`. Rows as in
    /// [`own_product`](Self::own_product).
    pub(crate) fn own_totals(self, own: &Own<'_>, x: &mut [i16], panels: &mut [i16], totals: &mut [i32]) {
        match self {
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::own_totals(own, x, panels, totals),
            #[cfg(din_plain)]
            _ => portable::own_totals(own, x, panels, totals),
        }
    }

    /// Whether there is an [`own_dots`](Self::own_dots): for scalar kernels, which then need no memory for what is between
    /// the two layers. 32-bit machines have no other, and their scratch memory is sized for it.
    pub(crate) const fn has_own_dots(self) -> bool {
        match self {
            #[cfg(din_choice)]
            Self::Portable => true,
            #[cfg(any(test, din_dsp))]
            Self::Dsp => true,
            #[cfg(any(test, din_thumb))]
            Self::Thumb => true,
            #[cfg(din_panels)]
            _ => false,
        }
    }

    /// [`own_product`](Self::own_product), and at once the sums of a last layer with one output, whose inputs are kept
    /// nowhere: `[N, R, H] x [H, 1] -> [N, R]`. `room` is for the last layer's weights as numbers of 32 bits, H filled to
    /// fours, or for R numbers.
    #[cfg_attr(not(any(din_dsp, din_thumb, test)), allow(unused_variables))] // the room is for kernels of their own
    pub(crate) fn own_dots(
        self,
        own: &Own<'_>,
        last: &Part<'_>,
        x: &mut [i16],
        panels: &mut [i16],
        room: &mut [i16],
        sums: &mut [i32],
    ) {
        match self {
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::own_dots(own, last, x, panels, room, sums),
            #[cfg(any(test, din_thumb))]
            Self::Thumb => thumb::own_dots(own, last, x, panels, room, sums),
            #[cfg(din_choice)]
            _ => portable::own_dots(own, last, x, panels, sums),
        }
    }

    /// `sums = weights keys`: `[1, T] x [T, D] -> [1, D]`. The keys were [arranged](Self::arrange).
    pub(crate) fn weighted_sum(self, weights: &[i32], keys: &[i16], sums: &mut [i32]) {
        match self {
            #[cfg(din_choice)]
            Self::Portable => portable::weighted_sum(weights, keys, sums),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86_64::avx2::weighted_sum(weights, keys, sums),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => x86_64::avx512::weighted_sum(weights, keys, sums),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::weighted_sum(weights, keys, sums),
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::weighted_sum(weights, keys, sums),
            #[cfg(any(test, din_thumb))]
            Self::Thumb => thumb::weighted_sum(weights, keys, sums),
        }
    }

    /// `out = clamp(rshift(q multiplier, shift), -limit, limit)`: a row of a table, i8 `[D] -> [D]`.
    pub(crate) fn scale(self, scale: &Scale, row: &[u8], out: &mut [i16]) {
        match self {
            #[cfg(din_choice)]
            Self::Portable => portable::scale(scale, row, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => x86_64::avx2::scale(scale, row, out),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::scale(scale, row, out),
            #[cfg(any(test, din_dsp))]
            Self::Dsp => portable::scale(scale, row, out), // one product a number, no pairs
            #[cfg(any(test, din_thumb))]
            Self::Thumb => portable::scale(scale, row, out),
        }
    }

    /// A row of finite f32 numbers as inputs, rounded half up to a multiple of `2^-fraction`: `[D] -> [D]`.
    pub(crate) fn round_floats(self, row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => x86_64::avx2::round_floats(row, fraction, limit, out),
            _ => portable::round_floats(row, fraction, limit, out),
        }
    }

    /// [`round_floats`](Self::round_floats) of finite halves.
    pub(crate) fn round_halves(self, row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => x86_64::avx2::round_halves(row, fraction, limit, out),
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::round_halves(row, fraction, limit, out),
            #[cfg(din_plain)]
            _ => portable::round_halves(row, fraction, limit, out),
        }
    }

    /// Dice of `sat16(t >> shift)`, of each row of `[N, H]`.
    pub(crate) fn dice_of(
        self,
        parameters: &Parameters<'_>,
        outputs: usize,
        shift: u8,
        t: &[i32],
        out: &mut [i16],
    ) {
        match self {
            #[cfg(any(test, din_dsp))]
            Self::Dsp => {
                for (t, out) in chunks::exact(t, outputs).zip(chunks::exact_mut(out, outputs)) {
                    dsp::dice_of(parameters, shift, t, out);
                }
            }
            #[cfg(din_plain)]
            _ => {
                shifted(t, shift, out);
                self.dice(parameters, outputs, out);
            }
        }
    }

    /// Dice of each row of `[N, H]`, in place.
    pub(crate) fn dice(self, parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
        match self {
            #[cfg(din_choice)]
            Self::Portable => portable::dice(parameters, outputs, rows),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => x86_64::avx2::dice(parameters, outputs, rows),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Self::Neon => aarch64::dice(parameters, outputs, rows),
            #[cfg(any(test, din_dsp))]
            Self::Dsp => dsp::dice(parameters, outputs, rows),
            #[cfg(any(test, din_thumb))]
            Self::Thumb => thumb::dice(parameters, outputs, rows),
        }
    }
}

/// `sums += x`.
pub(crate) fn sum(x: &[i16], sums: &mut [i32]) {
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = sum.wrapping_add((*x).into());
    }
}

/// `out = sat16(rshift(sums, shift))`.
pub(crate) fn narrow(sums: &[i32], shift: u8, out: &mut [i16]) {
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = sat16(rshift(*sum, shift));
    }
}

/// `out = sat16(t >> shift)`, of sums that hold the rounding constant.
pub(crate) fn shifted(t: &[i32], shift: u8, out: &mut [i16]) {
    for (out, t) in out.iter_mut().zip(t) {
        *out = sat16(t.wrapping_shr(shift.into()));
    }
}

/// `out = sat16(rshift(x y, shift))`.
pub(crate) fn multiply(x: &[i16], y: &[i16], shift: u8, out: &mut [i16]) {
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = sat16(rshift(i32::from(*x).wrapping_mul(i32::from(*y)), shift));
    }
}

#[cfg(test)]
mod tests;
