//! Small dense products, portable. Every output is one sum in the order of the inputs, however the work is blocked, so
//! that a score depends neither on its neighbours nor on the machine.

use crate::bytes::F32s;

/// Rows that share one pass over the weights.
pub(crate) const ROWS: usize = 4;

/// `out += x w`: `[N, D] x [D, H] -> [N, H]`.
pub(crate) fn accumulate_product(x: &[f32], inputs: usize, w: F32s<'_>, outputs: usize, out: &mut [f32]) {
    let block_in = inputs.wrapping_mul(ROWS).max(1);
    let block_out = outputs.wrapping_mul(ROWS).max(1);
    for (x, out) in x.chunks(block_in).zip(out.chunks_mut(block_out)) {
        if x.len() == block_in && out.len() == block_out {
            block::<ROWS>(x, inputs, w, outputs, out);
        } else {
            for (x, out) in x.chunks_exact(inputs.max(1)).zip(out.chunks_exact_mut(outputs.max(1))) {
                block::<1>(x, inputs, w, outputs, out);
            }
        }
    }
}

fn block<const R: usize>(x: &[f32], inputs: usize, w: F32s<'_>, outputs: usize, out: &mut [f32]) {
    let mut start: usize = 0;
    while outputs.saturating_sub(start) >= 8 {
        tile::<R, 8>(x, inputs, w, outputs, start, out);
        start = start.saturating_add(8);
    }
    while outputs.saturating_sub(start) >= 4 {
        tile::<R, 4>(x, inputs, w, outputs, start, out);
        start = start.saturating_add(4);
    }
    while start < outputs {
        tile::<R, 1>(x, inputs, w, outputs, start, out);
        start = start.saturating_add(1);
    }
}

/// Columns `start .. start + C` of `[R, D] x [D, H]`, the sums kept in registers.
#[inline]
fn tile<const R: usize, const C: usize>(
    x: &[f32],
    inputs: usize,
    w: F32s<'_>,
    outputs: usize,
    start: usize,
    out: &mut [f32],
) {
    let mut sums = [[0.0_f32; C]; R];
    for (sums, out) in sums.iter_mut().zip(out.chunks_exact(outputs.max(1))) {
        for (sum, out) in sums.iter_mut().zip(out.iter().skip(start)) {
            *sum = *out;
        }
    }
    let mut rows = x.chunks_exact(inputs.max(1));
    let mut x: [_; R] = core::array::from_fn(|_| rows.next().unwrap_or_default().iter());
    for w in w.rows(outputs) {
        let mut weights = [0.0_f32; C];
        for (weight, w) in weights.iter_mut().zip(w.range(start, C).iter()) {
            *weight = w;
        }
        for (sums, x) in sums.iter_mut().zip(&mut x) {
            let x = x.next().copied().unwrap_or_default();
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += x * weight;
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_exact_mut(outputs.max(1))) {
        for (sum, out) in sums.iter().zip(out.iter_mut().skip(start)) {
            *out = *sum;
        }
    }
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
pub(crate) fn copy(x: impl IntoIterator<Item = f32>, out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..n).map(next).collect()
    }

    #[test]
    fn every_shape_gives_the_bits_of_the_plain_loop() {
        for n in [1, 2, 3, 4, 5, 9] {
            for inputs in [1, 2, 7, 32] {
                for outputs in [1, 3, 4, 5, 8, 13, 36] {
                    let (x, w) = (numbers(n * inputs, 1), numbers(inputs * outputs, 2));
                    let bytes: Vec<u8> = w.iter().flat_map(|w| w.to_le_bytes()).collect();
                    let mut out = numbers(n * outputs, 3);
                    let mut expected = out.clone();
                    for row in 0..n {
                        for column in 0..outputs {
                            for i in 0..inputs {
                                expected[row * outputs + column] +=
                                    x[row * inputs + i] * w[i * outputs + column];
                            }
                        }
                    }
                    accumulate_product(&x, inputs, F32s(&bytes), outputs, &mut out);
                    assert_eq!(out, expected, "[{n}, {inputs}] x [{inputs}, {outputs}]");
                }
            }
        }
    }
}
