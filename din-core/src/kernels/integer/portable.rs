//! Plain Rust: what every other kernel is tested against.

#[cfg(din_plain)]
use super::Parameters;
use super::{Finish, Own, Part, Product, Scale, Weights};
#[cfg(din_plain)]
use crate::bytes::{array_of, u32_at};
use crate::bytes::{range, u16_at};
use crate::chunks;
#[cfg(all(din_thumb, not(din_choice)))]
use crate::fixed::Halves;
#[cfg(din_choice)]
use crate::fixed::clamped_of_half;
use crate::fixed::{clamped_of_f32_bits, rshift, sat16, sigmoid};

/// Place of inputs d, d+1, d+2, d+3 in the four bytes of a quad.
#[cfg(din_panels)]
const PLACES: [usize; 4] = [0, 2, 1, 3];

/// Columns computed together, their sums in registers. One where this is what another kernel leaves to it: the least code.
const COLUMNS: usize = if cfg!(din_choice) { 8 } else { 1 };

/// See [`IntegerKernel::start`](super::IntegerKernel::start).
pub(super) fn start(from: &[u8], t: &mut [i32]) {
    for (t, number) in t.iter_mut().zip(from.as_chunks::<4>().0) {
        *t = i32::from_le_bytes(*number);
    }
}

/// See [`IntegerKernel::product`](super::IntegerKernel::product).
pub(super) fn product(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
    for (x, out) in chunks::exact(x, product.inputs).zip(chunks::up_to_mut(out, stride)) {
        let out = out.get_mut(..product.columns).unwrap_or_default();
        let mut first = 0_usize;
        let (tiles, rest) = out.as_chunks_mut::<COLUMNS>();
        for tile in tiles {
            product_tile(product, x, first, tile);
            first = first.wrapping_add(COLUMNS);
        }
        for out in rest {
            product_tile(product, x, first, core::array::from_mut(out));
            first = first.wrapping_add(1);
        }
    }
}

#[inline]
fn product_tile<const C: usize>(product: &Product<'_>, x: &[i16], first: usize, out: &mut [i16; C]) {
    for (out, t) in out.iter_mut().zip(totals::<C>(product, x, first)) {
        *out = finished(product.finish, t);
    }
}

/// `start + rshift(x W, s1) m` for columns `first ..`.
#[inline]
fn totals<const C: usize>(product: &Product<'_>, x: &[i16], first: usize) -> [i32; C] {
    let Product { weights, columns, shift, multipliers, start, .. } = *product;
    let sums = match weights {
        Weights::Quads(weights) => quad_sums::<C>(weights, columns, x, first),
        #[cfg(din_panels)]
        Weights::Panel(panel) => panel_sums::<C>(panel, columns, x, first),
    };
    let mut t = [0; C];
    for (t, start) in t.iter_mut().zip(start.get(first..).unwrap_or_default()) {
        *t = *start;
    }
    add_scaled(&sums, shift, multipliers.get(first.wrapping_mul(2)..).unwrap_or_default(), &mut t);
    t
}

/// `sat16(t >> s2)`, and what follows.
#[inline]
pub(crate) fn finished(finish: Finish, t: i32) -> i16 {
    let z = sat16(t.wrapping_shr(finish.shift.into()));
    if finish.sigmoid { sigmoid(z) } else { z }
}

/// `x W` for columns `first ..`, weights in quads.
#[cfg_attr(din_choice, inline)]
#[cfg_attr(not(din_choice), inline(never))]
fn quad_sums<const C: usize>(weights: &[u8], columns: usize, x: &[i16], first: usize) -> [i32; C] {
    let mut sums = [0_i32; C];
    let from = weights.get(first.wrapping_mul(4)..).unwrap_or_default();
    for (weights, x) in chunks::up_to(from, columns.wrapping_mul(4)).zip(chunks::up_to(x, 4)) {
        let [x0, x1, x2, x3] = filled(x);
        for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<4>().0) {
            let [w0, w2, w1, w3] = weights.map(|byte| i32::from(byte.cast_signed()));
            let even = x0.wrapping_mul(w0).wrapping_add(x2.wrapping_mul(w2));
            let odd = x1.wrapping_mul(w1).wrapping_add(x3.wrapping_mul(w3));
            *sum = sum.wrapping_add(even).wrapping_add(odd);
        }
    }
    sums
}

/// `x W` for columns `first ..` of a panel.
#[cfg(din_panels)]
#[inline]
fn panel_sums<const C: usize>(panel: &[i16], columns: usize, x: &[i16], first: usize) -> [i32; C] {
    let mut sums = [0_i32; C];
    let from = panel.get(first.wrapping_mul(2)..).unwrap_or_default();
    for (weights, x) in chunks::up_to(from, columns.wrapping_mul(2)).zip(chunks::up_to(x, 2)) {
        let [x0, x1] = filled(x);
        for (sum, [w0, w1]) in sums.iter_mut().zip(weights.as_chunks::<2>().0) {
            let products = x0.wrapping_mul(i32::from(*w0)).wrapping_add(x1.wrapping_mul(i32::from(*w1)));
            *sum = sum.wrapping_add(products);
        }
    }
    sums
}

/// `t += rshift(sums, s1) m`.
#[inline]
fn add_scaled<const C: usize>(sums: &[i32; C], shift: u8, multipliers: &[u8], t: &mut [i32; C]) {
    for ((t, sum), m) in t.iter_mut().zip(sums).zip(multipliers.as_chunks::<2>().0) {
        *t = t.wrapping_add(rshift(*sum, shift).wrapping_mul(i16::from_le_bytes(*m).into()));
    }
}

/// The first numbers, zeros where there are fewer.
fn filled<const N: usize>(x: &[i16]) -> [i32; N] {
    let mut all = [0; N];
    for (all, x) in all.iter_mut().zip(x) {
        *all = i32::from(*x);
    }
    all
}

/// See [`IntegerKernel::add`](super::IntegerKernel::add).
#[cfg(din_choice)]
pub(super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    for (x, t) in chunks::exact(x, part.inputs).zip(chunks::exact_mut(t, part.outputs)) {
        add_row(part, x, 0, t);
    }
}

/// Of one row, columns `first ..`.
pub(super) fn add_row(part: &Part<'_>, x: &[i16], mut first: usize, t: &mut [i32]) {
    let (tiles, rest) = t.get_mut(first..).unwrap_or_default().as_chunks_mut::<COLUMNS>();
    for tile in tiles {
        add_tile(part, x, first, tile);
        first = first.wrapping_add(COLUMNS);
    }
    for t in rest {
        add_tile(part, x, first, core::array::from_mut(t));
        first = first.wrapping_add(1);
    }
}

#[inline]
fn add_tile<const C: usize>(part: &Part<'_>, x: &[i16], first: usize, t: &mut [i32; C]) {
    let sums = quad_sums::<C>(part.weight, part.outputs, x, first);
    let multipliers = part.multipliers.get(first.wrapping_mul(2)..).unwrap_or_default();
    add_scaled(&sums, part.shift, multipliers, t);
}

/// See [`IntegerKernel::dots`](super::IntegerKernel::dots).
pub(super) fn dots(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
    for (x, sum) in chunks::exact(x, part.inputs).zip(sums) {
        let [dot] = quad_sums::<1>(part.weight, 1, x, 0);
        *sum = dot;
    }
}

/// See [`IntegerKernel::own_product`](super::IntegerKernel::own_product).
pub(super) fn own_product(own: &Own<'_>, x: &[i16], panel: &mut [i16], out: &mut [i16]) {
    own_columns(own, x, panel, &mut |row, o, z| {
        if let Some(out) = out.get_mut(row.wrapping_mul(own.part.outputs).wrapping_add(o)) {
            *out = z;
        }
    });
}

/// See [`IntegerKernel::own_dots`](super::IntegerKernel::own_dots).
pub(super) fn own_dots(own: &Own<'_>, last: &Part<'_>, x: &[i16], panel: &mut [i16], sums: &mut [i32]) {
    sums.fill(0);
    own_columns(own, x, panel, &mut |row, o, z| {
        if let Some(sum) = sums.get_mut(row) {
            *sum = sum.wrapping_add(i32::from(last.weight_at(o, 0)).wrapping_mul(z.into()));
        }
    });
}

/// Hands on each output, a column at a time: the row among those of all candidates, the column, and the output.
fn own_columns(own: &Own<'_>, x: &[i16], panel: &mut [i16], then: &mut dyn FnMut(usize, usize, i16)) {
    let rows = chunks::count(x.len(), own.part.inputs);
    for candidate in 0..chunks::count(own.starts.len(), own.part.outputs) {
        let first = candidate.wrapping_mul(rows);
        for o in 0..own.part.outputs {
            let column = own.column(candidate, o, panel);
            for (row, x) in (first..).zip(chunks::exact(x, own.part.inputs)) {
                then(row, o, finished(own.finish, column.total(x)));
            }
        }
    }
}

/// `start + rshift(x M, s1) m` for each candidate, whose own matrix has one column: `[R, D] x [N, D, 1] -> [N, R]`.
pub(crate) fn own_totals(own: &Own<'_>, x: &[i16], panel: &mut [i16], totals: &mut [i32]) {
    let rows = chunks::count(x.len(), own.part.inputs);
    for (candidate, totals) in chunks::up_to_mut(totals, rows).enumerate() {
        let column = own.column(candidate, 0, panel);
        for (x, total) in chunks::exact(x, own.part.inputs).zip(totals) {
            *total = column.total(x);
        }
    }
}

/// A column of a query's own matrix.
struct Column<'p> {
    /// `[D]`
    weights: &'p [i16],
    shift: u8,
    multiplier: i32,
    start: i32,
}

impl Own<'_> {
    fn column<'p>(&self, candidate: usize, o: usize, panel: &'p mut [i16]) -> Column<'p> {
        let Self { part, queries, starts, .. } = self;
        let paired = queries.len().checked_div(chunks::count(starts.len(), part.outputs)).unwrap_or_default();
        let query = range(queries, candidate.wrapping_mul(paired), paired);
        let weights = panel.get_mut(..part.inputs).unwrap_or_default();
        for (d, weight) in weights.iter_mut().enumerate() {
            let q = query.get(d).copied().unwrap_or_default();
            let product = rshift(i32::from(part.weight_at(d, o)).wrapping_mul(q.into()), 8);
            *weight = sat16(i32::from(part.base_at(d, o)).wrapping_add(product));
        }
        let start = starts.get(candidate.wrapping_mul(part.outputs).wrapping_add(o));
        let multiplier = u16_at(part.multipliers, o.wrapping_mul(2)).cast_signed().into();
        Column { weights, shift: part.shift, multiplier, start: start.copied().unwrap_or_default() }
    }
}

impl Column<'_> {
    /// `start + rshift(x W, s1) m`
    fn total(&self, x: &[i16]) -> i32 {
        let products = x.iter().zip(self.weights).map(|(x, w)| i32::from(*x).wrapping_mul((*w).into()));
        let sum = products.fold(0, i32::wrapping_add);
        self.start.wrapping_add(rshift(sum, self.shift).wrapping_mul(self.multiplier))
    }
}

/// Some columns of each query's own matrix, as a panel: `[N, P] -> [N, ceil(D / 2), columns, 2]`.
#[cfg(din_panels)]
pub(super) fn combine(part: &Part<'_>, queries: &[i16], start: usize, columns: usize, panels: &mut [i16]) {
    let len = part.inputs.div_ceil(2).wrapping_mul(columns).wrapping_mul(2).max(1);
    let paired = queries.len().checked_div(chunks::count(panels.len(), len)).unwrap_or_default();
    for (index, panel) in chunks::exact_mut(panels, len).enumerate() {
        let query = range(queries, index.wrapping_mul(paired), paired);
        combine_one(part, query, start, columns, panel);
    }
}

#[cfg(din_panels)]
fn combine_one(part: &Part<'_>, query: &[i16], start: usize, columns: usize, panel: &mut [i16]) {
    let rows = chunks::up_to(part.base, part.outputs.wrapping_mul(4));
    let rows = rows.zip(chunks::up_to_mut(panel, columns.wrapping_mul(2)));
    for (pair, (base, row)) in rows.enumerate() {
        let base = base.get(start.wrapping_mul(4)..).unwrap_or_default();
        for (numbers, base) in row.as_chunks_mut::<2>().0.iter_mut().zip(base.as_chunks::<4>().0) {
            *numbers = [u16_at(base, 0).cast_signed(), u16_at(base, 2).cast_signed()];
        }
        for half in 0..2_usize {
            let d = pair.wrapping_mul(2).wrapping_add(half);
            let Some(q) = query.get(d).map(|q| i32::from(*q)) else { continue };
            let quad = (d / 4).wrapping_mul(part.outputs).wrapping_add(start).wrapping_mul(4);
            let place = PLACES.get(d % 4).copied().unwrap_or_default();
            let weights = part.weight.get(quad.wrapping_add(place)..).unwrap_or_default();
            let numbers = row.iter_mut().skip(half).step_by(2);
            for (number, weight) in numbers.zip(weights.iter().step_by(4)) {
                let product = rshift(i32::from(weight.cast_signed()).wrapping_mul(q), 8);
                // Within 16 bits, as the loader checked.
                *number = sat16(i32::from(*number).wrapping_add(product));
            }
        }
    }
}

/// See [`IntegerKernel::weighted_sum`](super::IntegerKernel::weighted_sum).
#[cfg(din_choice)]
pub(super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    sums.fill(0);
    for (key, weight) in chunks::exact(keys, sums.len()).zip(weights) {
        for (sum, x) in sums.iter_mut().zip(key) {
            *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(*x)));
        }
    }
}

/// See [`IntegerKernel::scale`](super::IntegerKernel::scale).
pub(super) fn scale(scale: &Scale, row: &[u8], out: &mut [i16]) {
    if scale.is_within() {
        for (out, q) in out.iter_mut().zip(row) {
            *out = scale.unclamped(q.cast_signed()) as i16;
        }
    } else {
        for (out, q) in out.iter_mut().zip(row) {
            *out = scale.of(q.cast_signed());
        }
    }
}

/// See [`IntegerKernel::round_floats`](super::IntegerKernel::round_floats).
#[inline(always)]
pub(super) fn round_floats(row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
    for (out, bits) in out.iter_mut().zip(row.as_chunks::<4>().0) {
        *out = clamped_of_f32_bits(u32::from_le_bytes(*bits), fraction, limit);
    }
}

/// See [`IntegerKernel::round_halves`](super::IntegerKernel::round_halves).
#[cfg(din_choice)]
#[inline(always)]
pub(super) fn round_halves(row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
    for (out, half) in out.iter_mut().zip(row.as_chunks::<2>().0) {
        *out = clamped_of_half(u16::from_le_bytes(*half), fraction, limit);
    }
}

/// Where there are no vectors that a loop without branches becomes.
#[cfg(all(din_thumb, not(din_choice)))]
#[inline(never)]
pub(super) fn round_halves(row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
    let halves = Halves::new(fraction, limit);
    for (out, half) in out.iter_mut().zip(row.as_chunks::<2>().0) {
        *out = halves.round(u16::from_le_bytes(*half));
    }
}

/// See [`IntegerKernel::dice`](super::IntegerKernel::dice).
#[cfg(din_plain)]
pub(super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
    for row in chunks::up_to_mut(rows, outputs) {
        dice_from(parameters, 0, row);
    }
}

/// Dice of outputs `first ..`.
#[cfg(din_plain)]
pub(super) fn dice_from(parameters: &Parameters<'_>, first: usize, row: &mut [i16]) {
    let Parameters { b, a, alpha, e } = *parameters;
    for (z, o) in row.iter_mut().zip(first..) {
        let i16_of = |run: &[u8]| i32::from(u16_at(run, o.wrapping_mul(2)).cast_signed());
        let s = i32::from(*z);
        let b = u32_at(b, o.wrapping_mul(4)).cast_signed();
        let [e] = array_of(range(e, o, 1));
        let argument = s.wrapping_mul(i16_of(a)).wrapping_add(b).wrapping_shr(e.into());
        let p = i32::from(sigmoid(sat16(argument)));
        let alpha = i16_of(alpha);
        // Q2.13; |8192 - alpha| < 2^16 / 1.5, so the product stays below 2^31.
        let g = alpha.wrapping_add(rshift(8192_i32.wrapping_sub(alpha).wrapping_mul(p), 15));
        *z = sat16(rshift(s.wrapping_mul(g), 13));
    }
}
