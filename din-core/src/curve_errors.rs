//! The largest errors of exponential, sigmoid and logarithm in every form, over every argument:
//!
//! ```text
//! cargo test --release -p din-core --features std curve_errors -- --ignored --nocapture
//! ```
//!
//! prints the table on the crate's front page (some minutes; without `--ignored`, one f32 in thousands).

use crate::fixed;
use crate::kernels::{Finish, Kernel, Matrix, Rows, Start, as_weights};
use crate::math;
use std::string::String;
use std::vec::Vec;
use std::{format, println, thread, vec};

/// One line of the table.
struct Curve {
    name: String,
    arguments: &'static str,
    /// Numbers of arguments; which these are is up to `error`.
    count: u64,
    /// What no error may exceed.
    bound: f64,
    /// Pairs of result and truth for the arguments `first, first + step, ...`, as many as there is room for.
    fill: Fill,
    relative: bool,
}

type Fill = fn(Kernel, &[u64], &mut [(f64, f64)]);

/// Computed together.
const BLOCK: usize = 4096;

/// The f32 number `index` of those from `-limit` to `limit`, in two runs: from 0 up and from -0 down.
fn number(index: u64, limit: f32) -> f32 {
    let each = u64::from(limit.to_bits()) + 1;
    let (sign, magnitude) = ((index / each) as u32, (index % each) as u32);
    f32::from_bits(sign << 31 | magnitude)
}

fn numbers_up_to(limit: f32) -> u64 {
    2 * (u64::from(limit.to_bits()) + 1)
}

fn real_sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// A product with one weight of 0 hands the sigmoid any number.
fn fill_sigmoid(kernel: Kernel, indices: &[u64], out: &mut [(f64, f64)]) {
    const COLUMNS: usize = 16;
    let mut sums: Vec<f32> = indices.iter().map(|index| number(*index, 100.0)).collect();
    sums.resize(indices.len().next_multiple_of(COLUMNS), 0.0);
    let (x, rows) = (vec![0.0; sums.len() / COLUMNS], sums.len() / COLUMNS);
    let weights = [0.0; COLUMNS];
    let matrix = Matrix::whole(as_weights(&weights), 1, COLUMNS);
    kernel.product(&x, matrix, Start::Output, Finish::Sigmoid, Rows::whole(&mut sums, rows, COLUMNS));
    for ((out, index), found) in out.iter_mut().zip(indices).zip(sums) {
        *out = (found.into(), real_sigmoid(number(*index, 100.0).into()));
    }
}

fn fill_each(indices: &[u64], out: &mut [(f64, f64)], pair: impl Fn(u64) -> (f64, f64)) {
    out.iter_mut().zip(indices).for_each(|(out, index)| *out = pair(*index));
}

fn fill_exp(_: Kernel, indices: &[u64], out: &mut [(f64, f64)]) {
    fill_each(indices, out, |index| {
        let x = number(index, 87.0);
        (math::exp(x).into(), libm::exp(x.into()))
    });
}

fn fill_fixed_sigmoid(_: Kernel, indices: &[u64], out: &mut [(f64, f64)]) {
    fill_each(indices, out, |index| {
        let z = index as u16 as i16;
        (f64::from(fixed::sigmoid(z)) / 32768.0, real_sigmoid(f64::from(z) / 4096.0))
    });
}

/// From 16 on the result is that of 16.
const LARGEST_LOGIT: i32 = 17 << 16;

fn fill_fixed_score(_: Kernel, indices: &[u64], out: &mut [(f64, f64)]) {
    fill_each(indices, out, |index| {
        let logit = index as i32 - LARGEST_LOGIT;
        (f64::from(fixed::score(logit)) / 65536.0, real_sigmoid(f64::from(logit) / 65536.0))
    });
}

fn fill_fixed_exp(_: Kernel, indices: &[u64], out: &mut [(f64, f64)]) {
    fill_each(indices, out, |index| {
        let (x, fraction) = (index as u16, (index >> 16) as i8 - 12);
        let real = f64::from(x) * libm::exp2(-f64::from(fraction));
        (f64::from(fixed::exp_of_minus(x, fraction)) / 32768.0, libm::exp(-real))
    });
}

/// 2^32 arguments take long, and it shares no factor with that number.
const LOG1P_STEP: u64 = 61;

fn fill_fixed_log1p(_: Kernel, indices: &[u64], out: &mut [(f64, f64)]) {
    fill_each(indices, out, |index| {
        let t = (index * LOG1P_STEP) as u32 as i32;
        let x = f64::from(t) / 65536.0;
        (f64::from(fixed::log1p(t)) / 65536.0, libm::copysign(libm::log1p(x.abs()), x))
    });
}

fn curves() -> Vec<(Kernel, Curve)> {
    let curve = |name: &str, arguments, count, bound, relative, fill: Fill| Curve {
        name: String::from(name),
        arguments,
        count,
        bound,
        fill,
        relative,
    };
    let mut curves = Vec::new();
    for kernel in Kernel::all() {
        let name = format!("sigmoid in f32, {}", kernel.name());
        let count = numbers_up_to(100.0);
        curves.push((kernel, curve(&name, "every f32 in [-100, 100]", count, 2e-7, false, fill_sigmoid)));
    }
    let any = |curve| (Kernel::Portable, curve);
    let exp = curve("exp in f32", "every f32 in [-87, 87]", numbers_up_to(87.0), 2.5e-7, true, fill_exp);
    curves.push(any(exp));
    let name = "`fixed::sigmoid`, Q3.12 to Q15";
    curves.push(any(curve(name, "every i16", 1 << 16, 1.1e-4, false, fill_fixed_sigmoid)));
    let name = "`fixed::score`, Q16.16 to Q16";
    let count = 2 * LARGEST_LOGIT as u64;
    curves.push(any(curve(name, "every i32 in [-17, 17)", count, 1.9e-5, false, fill_fixed_score)));
    let name = "`fixed::exp_of_minus` to Q15";
    let count = 37 << 16;
    curves.push(any(curve(name, "every u16, fractions -12 to 24", count, 2.2e-5, false, fill_fixed_exp)));
    let name = "`fixed::log1p`, Q16.16";
    let count = (1 << 32) / LOG1P_STEP;
    curves.push(any(curve(name, "every 61st i32", count, 1.4e-5, false, fill_fixed_log1p)));
    curves
}

/// The largest error among the arguments `0, step, 2 step, ...`
fn largest_error(kernel: Kernel, curve: &Curve, step: u64) -> f64 {
    let threads = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let share = curve.count.div_ceil(step).div_ceil(threads);
    let worst = |first: u64| {
        let mut worst = 0.0_f64;
        let mut pairs = vec![(0.0, 0.0); BLOCK];
        let end = (first + share).min(curve.count.div_ceil(step));
        for start in (first..end).step_by(BLOCK) {
            let indices: Vec<u64> =
                (start..end.min(start + BLOCK as u64)).map(|place| place * step).collect();
            (curve.fill)(kernel, &indices, &mut pairs);
            let pairs = pairs.iter().take(indices.len());
            worst = pairs.fold(worst, |worst, (found, truth)| {
                worst.max(if curve.relative { found / truth - 1.0 } else { found - truth }.abs())
            });
        }
        worst
    };
    thread::scope(|scope| {
        let shares: Vec<_> = (0..threads).map(|index| scope.spawn(move || worst(index * share))).collect();
        shares.into_iter().map(|share| share.join().unwrap()).fold(0.0, f64::max)
    })
}

fn table(step: u64) {
    println!("| curve | arguments | largest error |\n|---|---|---|");
    for (kernel, curve) in curves() {
        // All arguments where there are few.
        let step = if curve.count < 1 << 27 { 1 } else { step };
        let error = largest_error(kernel, &curve, step);
        let kind = if curve.relative { "relative" } else { "absolute" };
        println!("| {} | {} | {error:.2e} {kind} |", curve.name, curve.arguments);
        assert!(error > 0.0 && error <= curve.bound, "{}: {error:e} above {:e}", curve.name, curve.bound);
    }
}

#[test]
fn curves_stay_within_their_bounds() {
    table(4099);
}

#[test]
#[ignore = "some minutes: every argument"]
fn curves_stay_within_their_bounds_for_every_argument() {
    table(1);
}
