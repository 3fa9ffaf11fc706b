//! Every kernel of this processor against sums in f64, and against itself.

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
            let rows_of = |numbers: &[f32]| numbers.chunks(stride).map(<[f32]>::to_vec).collect::<Vec<_>>();
            for ((x, out), before) in x.chunks(inputs).zip(rows_of(&out)).zip(rows_of(&before)) {
                assert_eq!(out[outputs..], before[outputs..], "{kernel:?} wrote beside [{rows}, {outputs}]");
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
            let (w, start) = (Matrix::whole(as_weights(&w), inputs, outputs), Start::Row(as_weights(&bias)));
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
            let own = OwnMatrix { query: &query, key: view(&key, inputs), product: view(&product, paired) };
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
    kernel.product(&std::vec![0.0; rows], w, Start::Output, Finish::Sigmoid, Rows::whole(&mut out, rows, 16));
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
