//! Plain Rust, without unsafe code: what every other kernel is tested against, and what small cores run.

use super::{Finish, Matrix, OwnMatrix, Rows, Start};
use crate::bytes::F32s;
use crate::chunks;
use crate::fixed::f32_bits_of_half;
use crate::math;

/// See [`Kernel::product`](super::Kernel::product).
pub(super) fn product(x: &[f32], w: Matrix<'_>, start: Start<'_>, finish: Finish, out: Rows<'_>) {
    if !w.is_whole() || !out.is_whole() {
        return;
    }
    let Rows { numbers, rows, stride, columns } = out;
    if let Start::Row(row) = start {
        for out in chunks::up_to_mut(numbers, stride).take(rows) {
            super::copy(row.iter(), out.get_mut(..columns).unwrap_or_default());
        }
    }
    let x = chunks::exact(x, w.rows);
    let out = chunks::up_to_mut(numbers, stride).take(rows);
    if cfg!(din_choice) {
        by_fours(x, w, finish, out);
    } else {
        x.zip(out).for_each(|(x, out)| block([x], w, finish, [out]));
    }
}

/// Four rows share one pass over the weights.
fn by_fours<'n>(
    mut x: impl Iterator<Item = &'n [f32]>,
    w: Matrix<'_>,
    finish: Finish,
    mut out: impl Iterator<Item = &'n mut [f32]>,
) {
    loop {
        let rows: [Option<&[f32]>; 4] = core::array::from_fn(|_| x.next());
        let outs: [Option<&mut [f32]>; 4] = core::array::from_fn(|_| out.next());
        match (rows, outs) {
            ([Some(x0), Some(x1), Some(x2), Some(x3)], [Some(o0), Some(o1), Some(o2), Some(o3)]) => {
                block([x0, x1, x2, x3], w, finish, [o0, o1, o2, o3]);
            }
            (rows, outs) => {
                for (x, out) in rows.into_iter().flatten().zip(outs.into_iter().flatten()) {
                    block([x], w, finish, [out]);
                }
                return;
            }
        }
    }
}

/// Columns computed together; of microcontrollers one, which is the least code.
const COLUMNS: usize = if cfg!(din_choice) { 4 } else { 1 };

fn block<const R: usize>(x: [&[f32]; R], w: Matrix<'_>, finish: Finish, mut out: [&mut [f32]; R]) {
    let mut start: usize = 0;
    while w.columns.saturating_sub(start) >= COLUMNS {
        tile::<R, COLUMNS>(&x, w, start, &mut out);
        start = start.saturating_add(COLUMNS);
    }
    while start < w.columns {
        tile::<R, 1>(&x, w, start, &mut out);
        start = start.saturating_add(1);
    }
    if finish == Finish::Sigmoid {
        for out in out {
            out.iter_mut().take(w.columns).for_each(|s| *s = math::sigmoid(*s));
        }
    }
}

/// Columns `start .. start + C` of `[R, D] x [D, H]`, the sums kept in registers.
#[inline]
fn tile<const R: usize, const C: usize>(
    x: &[&[f32]; R],
    w: Matrix<'_>,
    start: usize,
    out: &mut [&mut [f32]; R],
) {
    let mut sums = [[0.0_f32; C]; R];
    for (sums, out) in sums.iter_mut().zip(out.iter()) {
        for (sum, out) in sums.iter_mut().zip(out.iter().skip(start)) {
            *sum = *out;
        }
    }
    let mut x = x.map(|x| x.iter());
    let from = w.numbers.0.get(start.wrapping_mul(4)..).unwrap_or_default();
    for w in chunks::up_to(from, w.stride.wrapping_mul(4)).take(w.rows) {
        let mut weights = [0.0_f32; C];
        for (weight, w) in weights.iter_mut().zip(F32s(w).iter()) {
            *weight = w;
        }
        for (sums, x) in sums.iter_mut().zip(&mut x) {
            let x = x.next().copied().unwrap_or_default();
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += x * weight;
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.iter_mut()) {
        for (sum, out) in sums.iter().zip(out.iter_mut().skip(start)) {
            *out = *sum;
        }
    }
}

/// See [`Kernel::dots`](super::Kernel::dots).
pub(super) fn dots(x: &[f32], w: F32s<'_>, out: &mut [f32]) {
    let inputs = w.iter().len().max(1);
    for (x, out) in chunks::exact(x, inputs).zip(out) {
        for (x, w) in x.iter().zip(w.iter()) {
            *out += x * w;
        }
    }
}

/// A query's own matrix: `[D, columns]`.
pub(super) fn combine(own: OwnMatrix<'_>, panel: &mut [f32]) {
    let OwnMatrix { query, key, product } = own;
    for (d, out) in chunks::exact_mut(panel, key.columns).take(key.rows).enumerate() {
        super::copy(key.row(d).iter(), out);
        if let Some(query) = query.get(d) {
            for (out, product) in out.iter_mut().zip(product.row(d).iter()) {
                *out += query * product;
            }
        }
    }
}

/// See [`Kernel::widen`](super::Kernel::widen).
pub(super) fn widen(row: &[u8], out: &mut [f32]) {
    for (out, half) in out.iter_mut().zip(row.as_chunks::<2>().0) {
        *out = f32::from_bits(f32_bits_of_half(u16::from_le_bytes(*half)));
    }
}

/// See [`Kernel::dice`](super::Kernel::dice).
#[cfg(any(din_choice, not(din_fpu)))]
pub(super) fn dice(row: &mut [f32], a: F32s<'_>, b: F32s<'_>, alpha: F32s<'_>) {
    for (((s, a), b), alpha) in row.iter_mut().zip(a.iter()).zip(b.iter()).zip(alpha.iter()) {
        *s *= alpha + (1.0 - alpha) * math::sigmoid(a * *s + b);
    }
}
