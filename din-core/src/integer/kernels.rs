//! Small dense products in integers: plain Rust, what every other kernel is tested against.

use super::layer::Part;
use crate::bytes::u16_at;
use crate::fixed::{rshift, sat16};

/// Place of inputs d, d+1, d+2, d+3 in the four bytes of a quad.
const PLACES: [usize; 4] = [0, 2, 1, 3];

/// Columns computed together, their sums in registers.
const COLUMNS: usize = 8;

/// `t += rshift(x W, s1) m`: `[D] x [D, H] -> [H]`.
pub(crate) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    let mut start = 0_usize;
    let (tiles, rest) = t.as_chunks_mut::<COLUMNS>();
    for tile in tiles {
        add_tile(part, x, start, tile);
        start = start.wrapping_add(COLUMNS);
    }
    for t in rest {
        add_tile(part, x, start, core::array::from_mut(t));
        start = start.wrapping_add(1);
    }
}

#[inline]
fn add_tile<const C: usize>(part: &Part<'_>, x: &[i16], start: usize, t: &mut [i32; C]) {
    let mut sums = [0_i32; C];
    let from = part.weight.get(start.wrapping_mul(4)..).unwrap_or_default();
    for (weights, x) in from.chunks(part.outputs.wrapping_mul(4).max(1)).zip(x.chunks(4)) {
        let [x0, x1, x2, x3] = filled(x);
        for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<4>().0) {
            let [w0, w2, w1, w3] = weights.map(|byte| i32::from(byte.cast_signed()));
            let even = x0.wrapping_mul(w0).wrapping_add(x2.wrapping_mul(w2));
            let odd = x1.wrapping_mul(w1).wrapping_add(x3.wrapping_mul(w3));
            *sum = sum.wrapping_add(even).wrapping_add(odd);
        }
    }
    part.add_scaled(start, &sums, t);
}

/// The first numbers, zeros where there are fewer.
fn filled<const N: usize>(x: &[i16]) -> [i32; N] {
    let mut all = [0; N];
    for (all, x) in all.iter_mut().zip(x) {
        *all = i32::from(*x);
    }
    all
}

/// Columns `start .. start + columns` of the query's own matrix `base + rshift(W8 q, 8)`: `panel: [ceil(D / 2), columns, 2]`.
pub(crate) fn combine(part: &Part<'_>, query: &[i16], start: usize, columns: usize, panel: &mut [i16]) {
    let rows = part.base.chunks(part.outputs.wrapping_mul(4).max(1));
    let rows = rows.zip(panel.chunks_mut(columns.wrapping_mul(2).max(1)));
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

/// `t += rshift(key M, s1) m` for columns `start ..` of the layer, as many as `t` has: `[D] x [D, C] -> [C]`.
pub(crate) fn add_panel(part: &Part<'_>, key: &[i16], panel: &[i16], start: usize, t: &mut [i32]) {
    let columns = t.len();
    let mut first = 0_usize;
    let (tiles, rest) = t.as_chunks_mut::<COLUMNS>();
    for tile in tiles {
        add_panel_tile(part, key, panel, columns, (start, first), tile);
        first = first.wrapping_add(COLUMNS);
    }
    for t in rest {
        add_panel_tile(part, key, panel, columns, (start, first), core::array::from_mut(t));
        first = first.wrapping_add(1);
    }
}

#[inline]
fn add_panel_tile<const C: usize>(
    part: &Part<'_>,
    key: &[i16],
    panel: &[i16],
    columns: usize,
    (start, first): (usize, usize),
    t: &mut [i32; C],
) {
    let mut sums = [0_i32; C];
    let from = panel.get(first.wrapping_mul(2)..).unwrap_or_default();
    for (weights, key) in from.chunks(columns.wrapping_mul(2).max(1)).zip(key.chunks(2)) {
        let [k0, k1] = filled(key);
        for (sum, [w0, w1]) in sums.iter_mut().zip(weights.as_chunks::<2>().0) {
            let products = k0.wrapping_mul(i32::from(*w0)).wrapping_add(k1.wrapping_mul(i32::from(*w1)));
            *sum = sum.wrapping_add(products);
        }
    }
    part.add_scaled(start.wrapping_add(first), &sums, t);
}

/// `sums += weight x`.
pub(crate) fn add_weighted(weight: i32, x: &[i16], sums: &mut [i32]) {
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(*x)));
    }
}

/// `out = sat16(rshift(sums, shift))`.
pub(crate) fn narrow(sums: &[i32], shift: u8, out: &mut [i16]) {
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = sat16(rshift(*sum, shift));
    }
}

/// `out = sat16(rshift(x y, shift))`.
pub(crate) fn multiply(x: &[i16], y: &[i16], shift: u8, out: &mut [i16]) {
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = sat16(rshift(i32::from(*x).wrapping_mul(i32::from(*y)), shift));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Random bytes, the same each time.
    fn random(len: usize, seed: u32) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    fn numbers(len: usize, seed: u32) -> Vec<i16> {
        random(len * 2, seed).chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]]) >> 4).collect()
    }

    /// `(addend + rshift(sum, s1) m)` in 64 bits.
    fn plain(part: &Part<'_>, weight: impl Fn(usize) -> i64, x: &[i16], o: usize) -> i32 {
        let sum: i64 = x.iter().enumerate().map(|(d, x)| i64::from(*x) * weight(d)).sum();
        let m = i16::from_le_bytes([part.multipliers[o * 2], part.multipliers[o * 2 + 1]]);
        i32::try_from(((sum + (1 << part.shift >> 1)) >> part.shift) * i64::from(m) + 5).unwrap()
    }

    #[test]
    fn a_dense_part_equals_its_definition_for_every_remainder() {
        for (inputs, outputs) in [(0, 3), (1, 1), (4, 8), (5, 9), (7, 17), (18, 1), (33, 24)] {
            let weight = random(usize::div_ceil(inputs, 4) * 4 * outputs, 1);
            let multipliers: Vec<u8> = (0..outputs as i16).flat_map(|o| (o * 7 - 3).to_le_bytes()).collect();
            let part =
                Part { inputs, outputs, weight: &weight, base: &[], multipliers: &multipliers, shift: 5 };
            let x = numbers(inputs, 2);
            let mut t = std::vec![5; outputs];
            add(&part, &x, &mut t);
            let expected = (0..outputs).map(|o| plain(&part, |d| part.weight_at(d, o).into(), &x, o));
            assert!(t.iter().copied().eq(expected), "{inputs} {outputs}");
        }
    }

    #[test]
    fn a_pair_part_equals_its_definition_whatever_the_panel() {
        for (inputs, paired, outputs) in [(1, 1, 1), (2, 0, 4), (5, 3, 9), (16, 16, 20), (19, 12, 36)] {
            let weight = random(usize::div_ceil(paired, 4) * 4 * outputs, 3);
            let base: Vec<u8> = numbers(usize::div_ceil(inputs, 2) * 2 * outputs, 4)
                .into_iter()
                .flat_map(i16::to_le_bytes)
                .collect();
            let multipliers: Vec<u8> = (0..outputs as i16).flat_map(|o| (2 - o).to_le_bytes()).collect();
            let part =
                Part { inputs, outputs, weight: &weight, base: &base, multipliers: &multipliers, shift: 9 };
            let (key, query) = (numbers(inputs, 5), numbers(paired, 6));
            let effective = |d: usize, o: usize| {
                let product =
                    query.get(d).map_or(0, |q| (i64::from(part.weight_at(d, o)) * i64::from(*q) + 128) >> 8);
                i64::from(part.base_at(d, o)) + product
            };
            for columns in [1, 4, 8, 20, outputs] {
                let mut start = 0;
                while start < outputs {
                    let columns = columns.min(outputs - start);
                    let mut panel = std::vec![99; usize::next_multiple_of(inputs, 2) * columns];
                    combine(&part, &query, start, columns, &mut panel);
                    let mut t = std::vec![5; columns];
                    add_panel(&part, &key, &panel, start, &mut t);
                    let expected =
                        (start..start + columns).map(|o| plain(&part, |d| effective(d, o), &key, o));
                    assert!(t.iter().copied().eq(expected), "{inputs} {paired} {outputs} {columns} {start}");
                    start += columns;
                }
            }
        }
    }
}
