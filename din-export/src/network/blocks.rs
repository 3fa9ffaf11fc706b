//! Work on matrices by blocks of rows: in parallel, and with the same sums whatever the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::real::Real;

/// Rows in a block. Fixed, so that sums over rows are added in the same order on any number of threads.
pub const BLOCK_ROWS: usize = 128;

/// Calls `work(first_row, block)` for each block of rows of `values: [n, width]`.
pub fn for_each_block<T: Real>(values: &mut [T], width: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    values
        .par_chunks_mut(BLOCK_ROWS * width)
        .enumerate()
        .for_each(|(block, values)| vectorised(|| work(block * BLOCK_ROWS, values)));
}

/// As [`for_each_block`] for two matrices with the same rows, `a: [n, a_width]` and `b: [n, b_width]`.
pub fn for_each_block_pair<T: Real>(
    a: &mut [T],
    a_width: usize,
    b: &mut [T],
    b_width: usize,
    work: impl Fn(usize, &mut [T], &mut [T]) + Sync,
) {
    a.par_chunks_mut(BLOCK_ROWS * a_width)
        .zip(b.par_chunks_mut(BLOCK_ROWS * b_width))
        .enumerate()
        .for_each(|(block, (a, b))| vectorised(|| work(block * BLOCK_ROWS, a, b)));
}

/// Adds up what `work(rows, sums)` puts into its block's `sums: [width]`, block by block in order.
pub fn sum_over_blocks<T: Real>(
    rows: usize,
    width: usize,
    work: impl Fn(Range<usize>, &mut [T]) + Sync,
) -> Vec<T> {
    let partial: Vec<Vec<T>> = (0..rows.div_ceil(BLOCK_ROWS))
        .into_par_iter()
        .map(|block| {
            let mut sums = vec![T::zero(); width];
            let first = block * BLOCK_ROWS;
            vectorised(|| work(first..rows.min(first + BLOCK_ROWS), &mut sums));
            sums
        })
        .collect();
    let mut total = vec![T::zero(); width];
    for sums in &partial {
        add(&mut total, sums);
    }
    total
}

/// The sum of vectors of one length, added one after another.
pub fn sum_in_order<T: Real>(vectors: &[&[T]]) -> Vec<T> {
    const LENGTH: usize = 4096;
    let mut total = vec![T::zero(); vectors.first().map_or(0, |vector| vector.len())];
    total.par_chunks_mut(LENGTH).enumerate().for_each(|(index, sums)| {
        vectorised(|| {
            for vector in vectors {
                add(sums, &vector[index * LENGTH..]);
            }
        });
    });
    total
}

/// Sums of the columns of `values: [n, width]`.
pub fn column_sums<T: Real>(values: &[T], width: usize) -> Vec<T> {
    sum_over_blocks(values.len() / width, width, |rows, sums| {
        for row in values[rows.start * width..rows.end * width].chunks_exact(width) {
            add(sums, row);
        }
    })
}

/// `sums += values`.
#[inline(always)]
pub fn add<T: Real>(sums: &mut [T], values: &[T]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// `sums += factor * values`.
#[inline(always)]
pub fn add_scaled<T: Real>(sums: &mut [T], factor: T, values: &[T]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

/// The inner product of two vectors of one length, in 16 interleaved sums so that it becomes vector code.
#[inline(always)]
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::zero(); 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let tail: T = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(&x, &y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    lanes.into_iter().sum::<T>() + tail
}

/// Makes a reused buffer `length` long; its old contents are of no use to anyone.
pub fn resize<T: Real>(buffer: &mut Vec<T>, length: usize) {
    buffer.resize(length, T::zero());
}

/// How many rows ahead of its use a row of a table is asked for.
pub const ROWS_AHEAD: usize = 8;

/// Asks the processor to bring a slice into cache, and does not wait: rows of large tables are mostly found in main memory, and one
/// that is asked for [`ROWS_AHEAD`] rows early is there when its turn comes. On processors without such an instruction (as far as Rust
/// knows one) nothing.
#[inline(always)]
pub fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(64 / size_of::<T>()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch of any address is harmless, and this one is of a slice.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Whether the processor has AVX-512 F, VL, DQ and BW, as every one since Skylake-X that has any of it, and FMA.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("fma")
}

/// Runs `work` compiled for AVX-512 or AVX2 where the processor has it: loops then handle sixteen or eight f32 at once instead of
/// four.
///
/// The same numbers come out each way: Rust does not fuse a product and a sum unless told to.
#[inline(always)]
pub fn vectorised(work: impl FnOnce()) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
        fn with_avx512(work: impl FnOnce()) {
            work();
        }
        #[target_feature(enable = "avx2")]
        fn with_avx2(work: impl FnOnce()) {
            work();
        }
        if has_avx512() {
            // SAFETY: the line above has made sure of what `with_avx512` asks for.
            #[allow(unsafe_code)]
            unsafe {
                with_avx512(work);
            }
            return;
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the line above has made sure of what `with_avx2` asks for.
            #[allow(unsafe_code)]
            unsafe {
                with_avx2(work);
            }
            return;
        }
    }
    work();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_sums_do_not_depend_on_the_number_of_threads() {
        let values: Vec<f32> = (0..3 * 1000).map(|i| (i as f32 * 0.37).sin()).collect();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| column_sums(&values, 3))
        };
        assert_eq!(with(1), with(3));
        let naive: f64 = values.iter().step_by(3).map(|&x| f64::from(x)).sum();
        assert!((f64::from(with(1)[0]) - naive).abs() < 1e-3);
    }

    #[test]
    fn wider_vectors_give_the_same_bits() {
        let input: Vec<f32> = (0..1003).map(|i| (i as f32 * 0.37).sin() * 9.0).collect();
        let run = |through: fn(&mut dyn FnMut())| {
            let (mut out, mut product) = (input.clone(), 0.0);
            through(&mut || {
                out.iter_mut().for_each(|x| *x = x.sigmoid());
                product = dot(&out, &input);
            });
            (out, product)
        };
        assert_eq!(run(|work| work()), run(|work| vectorised(work)));
    }

    #[test]
    fn dot_covers_the_remainder() {
        let a: Vec<f64> = (0..19).map(f64::from).collect();
        assert_eq!(dot(&a, &a), a.iter().map(|x| x * x).sum::<f64>());
    }
}
