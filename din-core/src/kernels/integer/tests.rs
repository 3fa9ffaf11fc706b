mod short_slices;

use super::*;
use crate::fixed::sigmoid;
use std::vec;
use std::vec::Vec;

/// Random bytes, the same each time; one in eight an extreme.
fn bytes(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 29 == 0 { [0x7f, 0x80, 0x81, 0][(state >> 8) as usize % 4] } else { (state >> 16) as u8 }
    };
    (0..len).map(|_| next()).collect()
}

/// Within `limit`, both ends included now and then.
fn numbers(len: usize, seed: u32, limit: i16) -> Vec<i16> {
    let number = |b: &[u8]| i16::from_le_bytes([b[0], b[1]]).clamp(-limit, limit);
    bytes(len * 2, seed).chunks(2).map(number).collect()
}

fn as_bytes(numbers: &[i16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Room for as many columns as are widened.
fn panel(inputs: usize) -> Vec<i16> {
    vec![9; 3 * inputs.next_multiple_of(2)]
}

/// `start + rshift(sum, s1) m` in 64 bits.
fn total_of(part: &Part<'_>, weight: impl Fn(usize) -> i64, x: &[i16], o: usize, start: i32) -> i32 {
    let sum: i64 = x.iter().enumerate().map(|(d, x)| i64::from(*x) * weight(d)).sum();
    let m = i16::from_le_bytes([part.multipliers[o * 2], part.multipliers[o * 2 + 1]]);
    let t = ((sum + (1 << part.shift >> 1)) >> part.shift) * i64::from(m) + i64::from(start);
    i32::try_from(t).unwrap()
}

const SHAPES: [(usize, usize); 12] = [
    (1, 1),
    (2, 3),
    (4, 8),
    (5, 9),
    (7, 17),
    (18, 1),
    (33, 24),
    (40, 36),
    (128, 40),
    (6, 33),
    (3, 64),
    (9, 80),
];
/// Every height of a block of rows, and several blocks.
const ROWS: core::ops::RangeInclusive<usize> = 0..=26;

#[test]
fn every_kernel_multiplies_by_quads_as_defined() {
    for ((inputs, outputs), rows) in SHAPES.into_iter().flat_map(|s| ROWS.map(move |rows| (s, rows))) {
        let weight = bytes(inputs.div_ceil(4) * 4 * outputs, 1);
        let multipliers = as_bytes(&numbers(outputs, 2, 2000));
        let part = Part { inputs, outputs, weight: &weight, base: &[], multipliers: &multipliers, shift: 9 };
        let (x, stride) = (numbers(rows * inputs, 3, 4096), outputs + 3);
        let start: Vec<i32> = (0..outputs as i32).map(|o| o * 1000 - 9999).collect();
        let at = |x: &[i16], o: usize| total_of(&part, |d| part.weight_at(d, o).into(), x, o, start[o]);
        for (kernel, sigmoid) in IntegerKernel::all().flat_map(|kernel| [(kernel, false), (kernel, true)]) {
            let finish = Finish { shift: 3, sigmoid };
            let weights = Weights::Quads(&weight);
            let (multipliers, start) = (&multipliers[..], &start[..]);
            let product = Product { weights, inputs, columns: outputs, shift: 9, multipliers, start, finish };
            let mut out = vec![7; rows * stride];
            kernel.product(&product, &mut x.clone(), &mut panel(inputs), &mut out, stride);
            for (x, out) in x.chunks(inputs).zip(out.chunks(stride)) {
                let expected = (0..outputs).map(|o| finished(finish, at(x, o)));
                assert!(out[..outputs].iter().copied().eq(expected), "{kernel:?} {rows} {inputs} {outputs}");
                assert_eq!(out[outputs..], [7; 3], "{kernel:?} wrote beside [{rows}, {outputs}]");
            }
            let mut t = start.repeat(rows);
            kernel.add(&part, &x, &mut t);
            for (x, t) in x.chunks(inputs).zip(t.chunks(outputs)) {
                let expected = (0..outputs).map(|o| at(x, o));
                assert!(t.iter().copied().eq(expected), "{kernel:?} {rows} {inputs} {outputs}");
            }
        }
    }
}

#[test]
fn every_kernel_copies_as_far_as_both_go() {
    for (len, room) in [(0, 3), (3, 3), (4, 9), (9, 4), (36, 36), (42, 40)] {
        let numbers: Vec<i32> = (1..=len).map(|number| number * 0x0101_0203).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).chain([0]).collect();
        let mut expected = vec![7; room];
        copy(numbers.iter().copied(), &mut expected);
        for kernel in IntegerKernel::all() {
            let [mut copied, mut aligned, mut shifted] = [(); 3].map(|()| vec![7; room]);
            kernel.copy(&numbers, &mut copied);
            kernel.start(&bytes[..numbers.len() * 4], &mut aligned);
            let mut moved = bytes.clone();
            moved.rotate_right(1);
            kernel.start(&moved[1..], &mut shifted);
            assert_eq!([&copied, &aligned, &shifted], [&expected; 3], "{kernel:?} {len} {room}");
        }
    }
}

#[test]
fn every_kernel_sums_one_output_as_defined() {
    for (inputs, rows) in SHAPES.into_iter().flat_map(|(inputs, _)| ROWS.map(move |rows| (inputs, rows))) {
        let weight = bytes(inputs.div_ceil(4) * 4, 1);
        let part = Part { inputs, outputs: 1, weight: &weight, ..Part::default() };
        let x = numbers(rows * inputs, 2, i16::MAX);
        for kernel in IntegerKernel::all() {
            let mut sums = vec![0; rows];
            kernel.dots(&part, &x, &mut panel(inputs), &mut sums);
            for (x, sum) in x.chunks(inputs).zip(sums) {
                let expected: i64 =
                    (0..inputs).map(|d| i64::from(x[d]) * i64::from(part.weight_at(d, 0))).sum();
                assert_eq!(i64::from(sum), expected, "{kernel:?} {rows} {inputs}");
            }
        }
    }
}

#[test]
fn every_kernel_multiplies_by_the_querys_own_matrix_as_defined() {
    for ((inputs, paired, outputs), rows) in
        [(1, 1, 1), (2, 0, 4), (5, 3, 9), (16, 16, 20), (19, 12, 36), (32, 32, 3), (128, 128, 40)]
            .into_iter()
            .flat_map(|shape| [1, 4, 7].map(|rows| (shape, rows)))
    {
        let weight = bytes(usize::div_ceil(paired, 4) * 4 * outputs, 3);
        let base = as_bytes(&numbers(usize::next_multiple_of(inputs, 2) * outputs, 4, 1000));
        let multipliers = as_bytes(&numbers(outputs, 5, 900));
        let part =
            Part { inputs, outputs, weight: &weight, base: &base, multipliers: &multipliers, shift: 10 };
        let (queries, keys) = (numbers(3 * paired, 7, 4096), numbers(rows * inputs, 6, 4096));
        let starts: Vec<i32> = (0..3 * outputs as i32).map(|o| o * 1000 - 9999).collect();
        let effective = |query: usize, d: usize, o: usize| {
            let q = if d < paired { i64::from(queries[query * paired + d]) } else { 0 };
            i64::from(part.base_at(d, o)) + ((i64::from(part.weight_at(d, o)) * q + 128) >> 8)
        };
        let total = |query: usize, row: usize, o: usize| {
            let key = &keys[row * inputs..][..inputs];
            total_of(&part, |d| effective(query, d, o), key, o, starts[query * outputs + o])
        };
        for (kernel, sigmoid) in IntegerKernel::all().flat_map(|kernel| [(kernel, false), (kernel, true)]) {
            let finish = Finish { shift: 2, sigmoid };
            let own = Own { part, queries: &queries, starts: &starts, finish };
            let mut panels = vec![99; 3 * usize::next_multiple_of(inputs, 2) * outputs.max(3)];
            let mut out = vec![7; 3 * rows * outputs];
            let mut keys = keys.clone();
            kernel.arrange(&mut keys, inputs, &mut panels);
            let arranged = keys.clone();
            kernel.own_product(&own, &mut keys, &mut panels, &mut out);
            assert_eq!(keys, arranged, "{kernel:?} {inputs} {rows}");
            let last = bytes(outputs.div_ceil(4) * 4, 8);
            let last = Part { inputs: outputs, outputs: 1, weight: &last, ..Part::default() };
            if kernel.has_own_dots() {
                let [mut sums, mut expected] = [(); 2].map(|()| vec![7; 3 * rows]);
                kernel.dots(&last, &out, &mut panel(outputs), &mut expected);
                let mut room = vec![7; 2 * outputs.next_multiple_of(4)];
                kernel.own_dots(&own, &last, &mut keys, &mut panels, &mut room, &mut sums);
                assert_eq!(sums, expected, "{kernel:?} {inputs} {paired} {outputs} {rows}");
                assert_eq!(keys, arranged, "{kernel:?} {inputs} {rows}");
            }
            for (index, found) in out.into_iter().enumerate() {
                let (query, row, o) = (index / outputs / rows, index / outputs % rows, index % outputs);
                let expected = finished(finish, total(query, row, o));
                assert_eq!(found, expected, "{kernel:?} {inputs} {paired} {outputs}: {query} {row} {o}");
            }
            if outputs == 1 {
                let mut totals = vec![7; 3 * rows];
                kernel.own_totals(&own, &mut keys, &mut panels, &mut totals);
                assert_eq!(keys, arranged, "{kernel:?} {inputs} {rows}");
                let expected = (0..3 * rows).map(|index| total(index / rows, index % rows, 0));
                assert!(totals.into_iter().eq(expected), "{inputs} {paired}");
            }
        }
    }
}

/// One input of 1 and weights of 0 hand the sigmoid what the sums start from.
#[test]
fn every_kernel_has_the_one_sigmoid() {
    let start: Vec<i32> = (i32::from(i16::MIN) - 9..=i32::from(i16::MAX) + 9).collect();
    let columns = start.len();
    let (weights, multipliers) = (vec![0; columns * 4], vec![0; columns * 2]);
    for kernel in IntegerKernel::all() {
        let finish = Finish { shift: 0, sigmoid: true };
        let weights = Weights::Quads(&weights);
        let product = Product {
            weights,
            inputs: 1,
            columns,
            shift: 0,
            multipliers: &multipliers,
            start: &start,
            finish,
        };
        let mut out = vec![0; columns];
        kernel.product(&product, &mut [1], &mut panel(1), &mut out, columns);
        assert!(out.into_iter().eq(start.iter().map(|t| sigmoid(sat16(*t)))), "{kernel:?}");
    }
}

#[test]
fn every_kernel_weighs_keys_as_defined() {
    for (width, rows) in
        [1, 7, 8, 63, 64, 65, 128, 200].into_iter().flat_map(|w| [0, 1, 3, 50].map(|r| (w, r)))
    {
        let keys = numbers(width * rows, 1, 4096);
        let weights: Vec<i32> = numbers(rows, 2, 10_000).into_iter().map(i32::from).collect();
        // What a softmax gives where one behaviour has it all: no number of 16 bits.
        let all_of_one = (0..rows).map(|row| if row + 2 == rows { 32_768 } else { 0 }).collect();
        for (kernel, weights) in IntegerKernel::all().flat_map(|k| [&weights, &all_of_one].map(|w| (k, w))) {
            let mut sums = vec![9; width];
            let mut arranged = keys.clone();
            kernel.arrange(&mut arranged, width, &mut vec![9; width]);
            kernel.weighted_sum(weights, &arranged, &mut sums);
            for (d, sum) in sums.into_iter().enumerate() {
                let each = keys.chunks(width).zip(weights).map(|(key, weight)| i32::from(key[d]) * weight);
                assert_eq!(sum, each.sum::<i32>(), "{kernel:?} {width} {rows}");
            }
        }
    }
}

#[test]
fn every_kernel_has_the_one_dice() {
    for outputs in [1, 7, 8, 9, 40, 83] {
        let (a, alpha) = (as_bytes(&numbers(outputs, 1, i16::MAX)), as_bytes(&numbers(outputs, 2, i16::MAX)));
        let b: Vec<u8> =
            numbers(outputs, 3, i16::MAX).iter().flat_map(|b| (i32::from(*b) << 14).to_le_bytes()).collect();
        let e: Vec<u8> = bytes(outputs, 4).into_iter().map(|e| e % 31).collect();
        let parameters = Parameters { a: &a, b: &b, alpha: &alpha, e: &e };
        let z = numbers(outputs * 5, 5, i16::MAX);
        let mut expected = z.clone();
        portable::dice(&parameters, outputs, &mut expected);
        for kernel in IntegerKernel::all() {
            let mut found = z.clone();
            kernel.dice(&parameters, outputs, &mut found);
            assert_eq!(found, expected, "{kernel:?} {outputs}");
            let t: Vec<i32> = z.iter().map(|z| (i32::from(*z) << 5) + 17).collect();
            let mut of_sums = vec![7; t.len()];
            kernel.dice_of(&parameters, outputs, 5, &t, &mut of_sums);
            assert_eq!(of_sums, expected, "{kernel:?} {outputs}");
        }
    }
}

#[test]
fn every_kernel_scales_rows_as_defined() {
    for (len, shift) in [0, 1, 7, 8, 9, 64, 100].into_iter().flat_map(|len| [0, 1, 9, 15].map(|s| (len, s))) {
        let row = bytes(len, 1);
        for (multiplier, limit) in [(0, 4096), (1, 1), (700, 4096), (u16::MAX, 32_767), (u16::MAX, 100)] {
            let scale = Scale { multiplier, shift, limit };
            for kernel in IntegerKernel::all() {
                let mut out = vec![7; len + 1];
                kernel.scale(&scale, &row, &mut out);
                for (out, q) in out.iter().zip(&row) {
                    let product = i64::from(q.cast_signed()) * i64::from(multiplier);
                    let scaled = (product + (1 << shift >> 1)) >> shift;
                    let expected = scaled.clamp(-i64::from(limit), limit.into());
                    assert_eq!(i64::from(*out), expected, "{kernel:?} {q} {scale:?}");
                }
                assert_eq!(out[len], 7);
            }
        }
    }
}

/// Beyond what the loader lets through: sums that are clamped. Keys with one input of 1 show the matrix.
#[test]
fn every_kernel_clamps_the_querys_own_matrix_alike() {
    for (inputs, paired, outputs) in [(4, 4, 10), (9, 7, 5), (16, 13, 23), (6, 2, 40)] {
        let weight = bytes(usize::div_ceil(paired, 4) * 4 * outputs, 1);
        let base = as_bytes(&numbers(usize::next_multiple_of(inputs, 2) * outputs, 2, i16::MAX));
        let query: Vec<i16> = numbers(paired, 3, i16::MAX).iter().map(|q| q.wrapping_mul(2) | 1).collect();
        let multipliers = as_bytes(&vec![1; outputs]);
        let part =
            Part { inputs, outputs, weight: &weight, base: &base, multipliers: &multipliers, shift: 0 };
        let starts = vec![0; outputs];
        let own = Own { part, queries: &query, starts: &starts, finish: Finish { shift: 0, sigmoid: false } };
        let keys: Vec<i16> = (0..inputs * inputs).map(|i| i16::from(i / inputs == i % inputs)).collect();
        let matrix = |kernel: IntegerKernel| {
            let mut panel = vec![99; usize::next_multiple_of(inputs, 2) * outputs];
            let mut out = vec![99; inputs * outputs];
            let mut keys = keys.clone();
            kernel.arrange(&mut keys, inputs, &mut panel);
            kernel.own_product(&own, &mut keys, &mut panel, &mut out);
            out
        };
        let expected = matrix(IntegerKernel::Portable);
        assert!(expected.contains(&i16::MAX) || expected.contains(&i16::MIN), "{inputs} {outputs}");
        IntegerKernel::all()
            .for_each(|kernel| assert_eq!(matrix(kernel), expected, "{kernel:?} {inputs} {outputs}"));
    }
}

#[test]
fn every_kernel_rounds_floats_and_halves_alike() {
    for len in [1, 7, 8, 33, 64] {
        let floats = (0..len as i32).flat_map(|i| ((i - 9) as f32 * 0.37).powi(3).to_le_bytes());
        let floats: Vec<u8> = floats.collect();
        let halves: Vec<u8> =
            (0..len as u32).flat_map(|i| ((i * 977) as u16 & 0xfbff).to_le_bytes()).collect();
        for (fraction, limit) in [(12, 32_767), (4, 4095), (-3, 100), (30, 32_767)] {
            let run = |kernel: IntegerKernel| {
                let (mut a, mut b) = (vec![7; len], vec![7; len]);
                kernel.round_floats(&floats, fraction, limit, &mut a);
                kernel.round_halves(&halves, fraction, limit, &mut b);
                (a, b)
            };
            let expected = run(IntegerKernel::Portable);
            assert!(expected.0.iter().chain(&expected.1).all(|x| x.unsigned_abs() <= limit));
            for kernel in IntegerKernel::all() {
                assert_eq!(run(kernel), expected, "{kernel:?} {len} {fraction} {limit}");
            }
        }
    }
}
