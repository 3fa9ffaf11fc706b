//! The FPU of Cortex-M4F, M7 and M33: one fused multiply-add to an instruction, and thirty-two registers for sums.
//!
//! Four rows by four columns share what is loaded: sixteen sums, two inputs of each row and eight weights are the
//! thirty-two. One row takes eight columns at a time. Every function checks the lengths that its addresses rely on, and that
//! the weights are where the FPU loads from: at multiples of four bytes.
//!
//! Each sum is one chain of fused steps in the order of the inputs, wherever it is computed: rounded once where the portable
//! kernel rounds twice. The same code runs in the tests of any machine, with the fused multiply-add of `std` instead of
//! assembly, and with the assembly on an emulated 32-bit Arm (`tests/tests/devices.rs`).
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

mod instructions;

use super::{Finish, Matrix, OwnMatrix, Rows, Start, portable};
use crate::bytes::F32s;
use crate::chunks;
use instructions::{Constants, Row, Tile};

/// The numbers, if the FPU can load them.
fn aligned(numbers: F32s<'_>) -> Option<*const f32> {
    let from = numbers.0.as_ptr().cast::<f32>();
    from.is_aligned().then_some(from)
}

/// See [`Kernel::product`](super::Kernel::product).
#[inline(never)]
pub(super) fn product(x: &[f32], w: Matrix<'_>, start: Start<'_>, finish: Finish, out: Rows<'_>) {
    let rows = x.len().checked_div(w.rows).unwrap_or(out.rows).min(out.rows);
    let from = match start {
        Start::Output => Some((out.numbers.as_ptr(), out.stride)),
        Start::Row(row) if row.0.len() / 4 >= w.columns => aligned(row).map(|row| (row, 0)),
        Start::Row(_) => None,
    };
    let is_whole = w.is_whole() && out.is_whole() && out.columns == w.columns;
    let (Some(weights), Some((start_from, start_stride)), true) = (aligned(w.numbers), from, is_whole) else {
        return portable::product(x, w, start, finish, out);
    };
    let to = out.numbers.as_mut_ptr();
    let strip =
        Product { x: x.as_ptr(), w, weights, start: start_from, start_stride, out: to, stride: out.stride };
    // SAFETY: all of it is whole, and so are as many rows of `x`.
    unsafe {
        let done = if rows == 1 { strip.row() } else { strip.tiles(rows) };
        strip.rest(rows, done);
        if finish == Finish::Sigmoid {
            for row in 0..rows {
                sigmoids(core::slice::from_raw_parts_mut(to.add(row * out.stride), w.columns));
            }
        }
    }
}

/// The addresses of a product.
struct Product<'a> {
    x: *const f32,
    w: Matrix<'a>,
    weights: *const f32,
    start: *const f32,
    /// Numbers from a row's start to the next.
    start_stride: usize,
    out: *mut f32,
    /// Numbers from a row of the output to the next.
    stride: usize,
}

impl Product<'_> {
    /// Fours of columns, of four rows at a time; gives the columns that are done.
    unsafe fn tiles(&self, rows: usize) -> usize {
        let Matrix { rows: inputs, columns, stride, .. } = self.w;
        let fours = columns / 4 * 4;
        for first in (0..rows).step_by(4) {
            // Of fewer than four rows the last is computed several times.
            let row: [usize; 4] = core::array::from_fn(|r| (first + r).min(rows - 1));
            // SAFETY: the caller vouches for the rows.
            let mut tile = unsafe {
                Tile {
                    x: row.map(|row| self.x.add(row * inputs)),
                    weights: self.weights,
                    stride: 4 * stride,
                    pairs: inputs / 2,
                    odd: inputs % 2,
                    start: row.map(|row| self.start.add(row * self.start_stride)),
                    out: row.map(|row| self.out.add(row * self.stride)),
                }
            };
            for _ in (0..fours).step_by(4) {
                // SAFETY: as above, for the columns.
                unsafe { instructions::tile(&tile) };
                tile.weights = tile.weights.wrapping_add(4);
                tile.start = tile.start.map(|start| start.wrapping_add(4));
                tile.out = tile.out.map(|out| out.wrapping_add(4));
            }
        }
        fours
    }

    /// Eights of columns of one row; gives the columns that are done.
    unsafe fn row(&self) -> usize {
        let Matrix { rows: inputs, columns, stride, .. } = self.w;
        let eights = columns / 8;
        if eights > 0 {
            let (x, weights, start, out) = (self.x, self.weights, self.start, self.out);
            let (fours, rest) = (inputs / 4, inputs % 4);
            // SAFETY: the caller vouches for the row and the columns.
            unsafe {
                instructions::row(&Row { weights, stride: 4 * stride, start, out, eights, x, fours, rest });
            }
        }
        8 * eights
    }

    /// Columns from `done` on, one by one.
    unsafe fn rest(&self, rows: usize, done: usize) {
        let Matrix { rows: inputs, columns, stride, .. } = self.w;
        for (row, column) in (0..rows).flat_map(|row| (done..columns).map(move |column| (row, column))) {
            // SAFETY: the caller vouches for the rows and the columns.
            unsafe {
                let sum = *self.start.add(row * self.start_stride + column);
                let (x, weights) = (self.x.add(row * inputs), self.weights.add(column));
                *self.out.add(row * self.stride + column) =
                    instructions::dot(x, weights, 4 * stride, inputs, sum);
            }
        }
    }
}

/// See [`Kernel::dots`](super::Kernel::dots).
pub(super) fn dots(x: &[f32], w: F32s<'_>, out: &mut [f32]) {
    let inputs = w.0.len() / 4;
    let Some(weights) = aligned(w) else { return portable::dots(x, w, out) };
    for (x, out) in chunks::exact(x, inputs).zip(out) {
        // SAFETY: as many weights as inputs.
        *out = unsafe { instructions::dot(x.as_ptr(), weights, 4, inputs, *out) };
    }
}

/// A query's own matrix: `[D, columns]`, each row `key + query product` in one chain of one step.
pub(super) fn combine(own: OwnMatrix<'_>, panel: &mut [f32]) {
    let OwnMatrix { query, key, product } = own;
    let is_whole = key.is_whole()
        && product.is_whole()
        && product.columns == key.columns
        && query.len() <= product.rows.min(key.rows)
        && key.rows.saturating_mul(key.columns) <= panel.len();
    let (Some(keys), Some(products), true) = (aligned(key.numbers), aligned(product.numbers), is_whole)
    else {
        return portable::combine(own, panel);
    };
    let columns = key.columns;
    for (d, out) in chunks::exact_mut(panel, columns).take(key.rows).enumerate() {
        // SAFETY: both matrices are whole.
        unsafe {
            let keys = keys.add(d * key.stride);
            match query.get(d) {
                Some(query) => {
                    let products = products.add(d * product.stride);
                    for (c, out) in out.iter_mut().enumerate() {
                        *out = *keys.add(c) + query * *products.add(c);
                    }
                }
                None => out.copy_from_slice(core::slice::from_raw_parts(keys, columns)),
            }
        }
    }
}

/// See [`Kernel::dice`](super::Kernel::dice).
pub(super) fn dice(row: &mut [f32], a: F32s<'_>, b: F32s<'_>, alpha: F32s<'_>) {
    let mut parameters = a.iter().zip(b.iter()).zip(alpha.iter());
    for chunk in chunks::up_to_mut(row, 16) {
        let mut p = [0.0; 16];
        let arguments = parameters.clone();
        for ((p, s), ((a, b), _)) in p.iter_mut().zip(&*chunk).zip(arguments) {
            *p = a * s + b;
        }
        sigmoids(p.get_mut(..chunk.len()).unwrap_or_default());
        for ((s, p), (_, alpha)) in chunk.iter_mut().zip(p).zip(&mut parameters) {
            *s *= alpha + (1.0 - alpha) * p;
        }
    }
}

/// See [`Kernel::sigmoids`](super::Kernel::sigmoids).
///
/// As [`math::sigmoid`](crate::math::sigmoid) in fused steps, with a polynomial of degree 5 for `exp(-r)`: least largest
/// relative error for `|r| <= ln 2 / 2`, 1.1e-7.
pub(super) fn sigmoids(numbers: &mut [f32]) {
    static CONSTANTS: Constants = Constants {
        round: 12_582_912.0, // 1.5 * 2^23
        minus_log2_e: -core::f32::consts::LOG2_E,
        ln_2: [0.693_359_4, -2.121_944_4e-4],
        polynomial: [-8.312_479e-3, 4.189_055_4e-2, -1.666_711_6e-1, 4.999_923e-1],
        one: 1.0,
        limit: 87.0,
    };
    if !numbers.is_empty() {
        // SAFETY: so many numbers.
        unsafe { instructions::sigmoids(numbers.as_mut_ptr(), numbers.len(), &CONSTANTS) };
    }
}
