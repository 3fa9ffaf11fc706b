//! The product, tile by tile of the output, compiled for what the processor can do.
//!
//! A tile stays in registers while both factors stream by: with AVX2 6 rows and one panel, 12 fused multiply-adds for 2 loads and 6
//! broadcasts; with AVX-512 12 rows and two panels, 24 for 2 and 12, or 8 rows and three panels. The products of a training step
//! taken by themselves run at 80 to 98 % of the peak of an AVX2 core, at 70 to 92 % of one with AVX-512.
//!
//! With `vectorised` and `prefetch` in `network::blocks`, and what measures the peak in `bench::peak`, the only unsafe code of
//! din-export.

use super::{Matrix, NARROW, Real, Right, Start, WIDE, panel_width};
#[cfg(target_arch = "x86_64")]
use crate::network::blocks::has_avx512;

/// Whether the target fuses a product and a sum without being asked to: 64-bit Arm does.
const TARGET_FUSES: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// See [`super::multiply`], which checks the shapes.
pub fn multiply<T: Real>(out: &mut [T], a: Matrix<'_, T>, b: Right<'_, T>, start: Start<'_, T>) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
        fn with_avx512<T: Real>(out: &mut [T], a: Matrix<'_, T>, b: Right<'_, T>, start: Start<'_, T>) {
            by_columns::<T, true, true>(out, a, b, start);
        }
        #[target_feature(enable = "avx2,fma")]
        fn with_avx2<T: Real>(out: &mut [T], a: Matrix<'_, T>, b: Right<'_, T>, start: Start<'_, T>) {
            by_columns::<T, true, false>(out, a, b, start);
        }
        if has_avx512() {
            // SAFETY: the line above has made sure of what `with_avx512` asks for.
            #[allow(unsafe_code)]
            unsafe {
                with_avx512(out, a, b, start);
            }
            return;
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            // SAFETY: the line above has made sure of what `with_avx2` asks for.
            #[allow(unsafe_code)]
            unsafe {
                with_avx2(out, a, b, start);
            }
            return;
        }
    }
    by_columns::<T, TARGET_FUSES, false>(out, a, b, start);
}

/// Where a product with some panels goes.
struct Target<'a, T> {
    out: &'a mut [T],
    /// N of the output.
    columns: usize,
    /// The panels' first.
    column: usize,
    start: Start<'a, T>,
}

/// Panels side by side, as many as a tile takes. `LARGE` has the 32 registers of AVX-512, of 16 numbers each: of 41 to 48 columns that
/// are left it takes three panels, of 25 to 40 and of more than 48 two.
#[inline(always)]
fn by_columns<T: Real, const FUSED: bool, const LARGE: bool>(
    out: &mut [T],
    a: Matrix<'_, T>,
    b: Right<'_, T>,
    start: Start<'_, T>,
) {
    let columns = b.columns;
    let mut column = 0;
    while column < columns {
        let left = columns - column;
        let target = &mut Target { out, columns, column, start };
        column += if panel_width(left) == NARROW {
            by_rows::<T, FUSED, LARGE, 1, NARROW>(target, a, b);
            NARROW
        } else if LARGE && left > 2 * WIDE + NARROW && left <= 3 * WIDE {
            by_rows::<T, FUSED, LARGE, 3, WIDE>(target, a, b);
            3 * WIDE
        } else if LARGE && left > WIDE + NARROW {
            by_rows::<T, FUSED, LARGE, 2, WIDE>(target, a, b);
            2 * WIDE
        } else {
            by_rows::<T, FUSED, LARGE, 1, WIDE>(target, a, b);
            WIDE
        };
    }
}

/// Rows of the output, as many as a tile takes: at most 24 registers of sums with AVX-512, 12 else.
#[inline(always)]
fn by_rows<T: Real, const FUSED: bool, const LARGE: bool, const P: usize, const C: usize>(
    target: &mut Target<'_, T>,
    a: Matrix<'_, T>,
    b: Right<'_, T>,
) {
    let panels = std::array::from_fn(|panel| b.panel(target.column + panel * C, C));
    let mut row = 0;
    if LARGE {
        while P < 3 && row + 12 <= a.rows {
            tile::<T, FUSED, 12, P, C>(target, a, row, panels);
            row += 12;
        }
        while row + 8 <= a.rows {
            tile::<T, FUSED, 8, P, C>(target, a, row, panels);
            row += 8;
        }
    }
    while row + 6 <= a.rows {
        tile::<T, FUSED, 6, P, C>(target, a, row, panels);
        row += 6;
    }
    if row + 4 <= a.rows {
        tile::<T, FUSED, 4, P, C>(target, a, row, panels);
        row += 4;
    }
    if row + 2 <= a.rows {
        tile::<T, FUSED, 2, P, C>(target, a, row, panels);
        row += 2;
    }
    if row < a.rows {
        tile::<T, FUSED, 1, P, C>(target, a, row, panels);
    }
}

/// R rows and P times C columns of the output.
#[inline(always)]
fn tile<T: Real, const FUSED: bool, const R: usize, const P: usize, const C: usize>(
    target: &mut Target<'_, T>,
    a: Matrix<'_, T>,
    first: usize,
    panels: [(&[T], usize); P],
) {
    let (columns, column) = (target.columns, target.column);
    let mut start = [[[T::zero(); C]; P]; R];
    for (row, start) in start.iter_mut().enumerate() {
        for (panel, start) in start.iter_mut().enumerate() {
            let column = column + panel * C;
            let valid = C.min(columns - column);
            match target.start {
                Start::Zero => {}
                Start::Row(values) => copy::<T, C>(&values[column..], start, valid),
                Start::Output => copy::<T, C>(&target.out[(first + row) * columns + column..], start, valid),
            }
        }
    }
    let sums = accumulate::<T, FUSED, R, P, C>(start, a, first, panels);
    for (row, sums) in sums.iter().enumerate() {
        for (panel, sums) in sums.iter().enumerate() {
            let column = column + panel * C;
            let valid = C.min(columns - column);
            copy::<T, C>(sums, &mut target.out[(first + row) * columns + column..], valid);
        }
    }
}

/// `sums + a[first .. first + R] panels`: `[R, K] x [K, P C] -> [R, P C]`.
///
/// The sums come and go by value, and are counted through by index: with a reference to them, or iterators over them, the compiler
/// leaves them in memory, which is ten times slower. Indices are not checked within the loops: for `a` that would take more
/// instructions than the arithmetic, for the panels 2 % of a training step.
#[inline(always)]
#[allow(clippy::needless_range_loop)]
fn accumulate<T: Real, const FUSED: bool, const R: usize, const P: usize, const C: usize>(
    start: [[[T; C]; P]; R],
    a: Matrix<'_, T>,
    first: usize,
    panels: [(&[T], usize); P],
) -> [[[T; C]; P]; R] {
    assert!(first + R <= a.rows);
    let reaches = |(panel, stride): &(&[T], usize)| (a.columns - 1) * stride + C <= panel.len();
    assert!(a.columns == 0 || panels.iter().all(reaches));
    let mut sums = start;
    let mut from = first * a.row_stride;
    for inner in 0..a.columns {
        // SAFETY: the last row of each panel ends inside of it, as just asserted.
        #[allow(unsafe_code)]
        let b = panels.map(|(panel, stride)| unsafe {
            *panel.get_unchecked(inner * stride..).as_ptr().cast::<[T; C]>()
        });
        for row in 0..R {
            // SAFETY: the first assertion and the loops keep row and column inside of `a`, and whoever makes a `Matrix`
            // takes care that its strides keep such an index inside of its values.
            #[allow(unsafe_code)]
            let a = unsafe { *a.values.get_unchecked(from + row * a.row_stride) };
            for panel in 0..P {
                for column in 0..C {
                    let sum = sums[row][panel][column];
                    let b = b[panel][column];
                    sums[row][panel][column] = if FUSED { a.mul_add(b, sum) } else { sum + a * b };
                }
            }
        }
        from += a.column_stride;
    }
    sums
}

/// The first `valid` numbers; a whole row of a tile, the usual case, without a loop.
#[inline(always)]
fn copy<T: Real, const C: usize>(from: &[T], to: &mut [T], valid: usize) {
    match (from.first_chunk::<C>(), to.first_chunk_mut::<C>()) {
        (Some(from), Some(to)) if valid == C => *to = *from,
        _ => to[..valid].copy_from_slice(&from[..valid]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Panels;
    use super::*;

    /// So that a processor without AVX-512 tests those tiles too, and a model does not depend on whether it was trained with AVX-512
    /// or with AVX2.
    #[test]
    fn large_tiles_give_the_bits_of_small_ones() {
        for (m, k, n) in [
            (100, 37, 80),
            (23, 20, 128),
            (15, 11, 40),
            (12, 9, 48),
            (31, 6, 44),
            (19, 5, 28),
            (9, 8, 23),
            (1, 5, 33),
        ] {
            let numbers = |count: usize| (0..count).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
            let (a, b, row) = (numbers(m * k), numbers(k * n), numbers(n));
            let a = Matrix::new(&a, m, k);
            let (mut scratch, panels) = (Panels::default(), Panels::of(Matrix::new(&b, k, n)));
            let in_place = Right::of(Matrix::new(&b, k, n), &mut scratch);
            for right in [Right::from(&panels), in_place] {
                let [mut small, mut large] = [numbers(m * n), numbers(m * n)];
                for start in [Start::Output, Start::Row(&row)] {
                    by_columns::<f32, false, false>(&mut small, a, right, start);
                    by_columns::<f32, false, true>(&mut large, a, right, start);
                    assert_eq!(small, large, "[{m}, {k}] x [{k}, {n}], {start:?}");
                }
            }
        }
    }
}
