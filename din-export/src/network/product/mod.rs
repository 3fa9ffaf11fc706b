//! The matrix product.
//!
//! The right factor goes by panels of 16 columns, the output by tiles that registers hold. A general library's product copies both
//! factors and decides anew at each call how to cut them up, which costs more than it gives for matrices of a few kilobytes.

mod tiles;

use rayon::prelude::*;

use super::real::Real;

/// A matrix read in place: row-major, or the transpose of one.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T: Real> Matrix<'a, T> {
    /// `[rows, columns]`, row-major, without gaps.
    ///
    /// # Panics
    /// If `values` is not `rows * columns` long.
    #[must_use]
    pub fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(Some(values.len()), rows.checked_mul(columns), "a [{rows}, {columns}] matrix");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// `[columns, rows]`, without moving a number.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Columns of a panel; the last one is [`NARROW`] if no more are left.
const WIDE: usize = 16;
const NARROW: usize = 8;

/// The right factor of a product, `[K, N]`: panels of 16 columns one after another, each `[K, 16]` row-major. A last panel of at
/// most 8 columns is `[K, 8]`; columns beyond N are zero.
#[derive(Clone, Debug, Default)]
pub struct Panels<T> {
    values: Vec<T>,
    rows: usize,
    columns: usize,
}

impl<T: Real> Panels<T> {
    /// Packs a matrix.
    #[must_use]
    pub fn of(matrix: Matrix<'_, T>) -> Self {
        let mut panels = Self::default();
        panels.pack(matrix);
        panels
    }

    /// As [`Self::of`], into memory that is reused.
    pub fn pack(&mut self, matrix: Matrix<'_, T>) {
        let Matrix { values, rows, columns, row_stride, column_stride } = matrix;
        self.reshape(rows, columns);
        for (first, panel, width) in self.panels_mut() {
            let valid = width.min(columns - first);
            let start = first * column_stride;
            for (row, packed) in panel.chunks_exact_mut(width).enumerate() {
                let from = &values[start + row * row_stride..];
                if column_stride == 1 {
                    // Of a known length, since this is done for every number of a step, and a call for 16 of them takes longer.
                    match (packed.first_chunk_mut::<WIDE>(), from.first_chunk::<WIDE>()) {
                        (Some(packed), Some(from)) if valid == WIDE => *packed = *from,
                        _ => packed[..valid].copy_from_slice(&from[..valid]),
                    }
                } else {
                    for (packed, value) in packed.iter_mut().zip(from.iter().step_by(column_stride)) {
                        *packed = *value;
                    }
                }
                packed[valid..].fill(T::zero());
            }
        }
    }

    /// Makes it `[rows, columns]` without a promise of what it holds.
    pub fn reshape(&mut self, rows: usize, columns: usize) {
        self.values.resize(rows * columns.next_multiple_of(NARROW), T::zero());
        (self.rows, self.columns) = (rows, columns);
    }

    /// The panels: the first column, `[K, width]`, the width.
    pub fn panels(&self) -> impl Iterator<Item = (usize, &[T], usize)> {
        let (rows, columns) = (self.rows, self.columns);
        // Columns of the panels before, and hence where a panel begins.
        (0..columns).step_by(WIDE).map(move |first| {
            let width = panel_width(columns - first);
            (first, &self.values[first * rows..(first + width) * rows], width)
        })
    }

    /// As [`Self::panels`], to be written.
    pub fn panels_mut(&mut self) -> impl Iterator<Item = (usize, &mut [T], usize)> {
        let (rows, columns) = (self.rows, self.columns);
        self.values
            .chunks_mut((rows * WIDE).max(1))
            .enumerate()
            .map(move |(index, panel)| (index * WIDE, panel, panel_width(columns - index * WIDE)))
    }
}

/// The right factor of a product, `[K, N]`: packed, or in place.
#[derive(Clone, Copy, Debug)]
pub struct Right<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    packed: bool,
}

impl<'a, T: Real> Right<'a, T> {
    /// A row-major matrix: where it lies if its width is a multiple of 8, else packed into `scratch`.
    ///
    /// To pack what is used once takes a tenth of the product's time.
    pub fn of(matrix: Matrix<'a, T>, scratch: &'a mut Panels<T>) -> Self {
        let Matrix { values, rows, columns, column_stride, .. } = matrix;
        if column_stride == 1 && columns.is_multiple_of(NARROW) {
            return Self { values, rows, columns, packed: false };
        }
        scratch.pack(matrix);
        (&*scratch).into()
    }

    /// The panel whose first column is `first`, `[K, width]`: from where it begins, and the numbers from row to row.
    #[inline(always)]
    fn panel(self, first: usize, width: usize) -> (&'a [T], usize) {
        if self.packed {
            (&self.values[first * self.rows..][..width * self.rows], width)
        } else {
            (self.values.get(first..).unwrap_or_default(), self.columns)
        }
    }
}

impl<'a, T> From<&'a Panels<T>> for Right<'a, T> {
    fn from(panels: &'a Panels<T>) -> Self {
        let Panels { values, rows, columns } = panels;
        Self { values, rows: *rows, columns: *columns, packed: true }
    }
}

fn panel_width(columns_left: usize) -> usize {
    if columns_left <= NARROW { NARROW } else { WIDE }
}

/// What the numbers of the output are before the product is added to them.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a, T> {
    /// 0.
    Zero,
    /// This row, `[N]`, in each row: a bias.
    Row(&'a [T]),
    /// What the output holds.
    Output,
}

/// `out = start + a b`: `[M, K] x [K, N] -> [M, N]`, row-major.
///
/// Each number is its start with the K products added one after another: it does not depend on how the output is cut up.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply<'b, T: Real>(
    out: &mut [T],
    a: Matrix<'_, T>,
    b: impl Into<Right<'b, T>>,
    start: Start<'_, T>,
) {
    let b = b.into();
    check_output(out, &a, &b);
    if let Start::Row(row) = start {
        assert_eq!(row.len(), b.columns, "a row of the output");
    }
    if a.rows > 0 {
        tiles::multiply(out, a, b, start);
    }
}

/// That the shapes fit: what the product does without further checks relies on it.
fn check_output<T>(out: &[T], a: &Matrix<'_, T>, b: &Right<'_, T>) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!(k, b.rows, "[{m}, {k}] x [{}, {n}]", b.rows);
    assert_eq!(Some(out.len()), m.checked_mul(n), "the output of [{m}, {k}] x [{k}, {n}]");
}

/// As [`multiply`], the rows of the output shared among the threads.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply_in_parallel<'b, T: Real>(
    out: &mut [T],
    a: Matrix<'_, T>,
    b: impl Into<Right<'b, T>>,
    start: Start<'_, T>,
) {
    /// Rows of a task: what is worth handing over.
    const ROWS: usize = 24;
    let b = b.into();
    check_output(out, &a, &b);
    out.par_chunks_mut(ROWS * b.columns.max(1)).enumerate().for_each(|(index, out)| {
        let (first, rows) = (index * ROWS, out.len() / b.columns);
        let from = a.values.get(first * a.row_stride..).unwrap_or_default();
        multiply(out, Matrix { values: from, rows, ..a }, b, start);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn products_agree_with_sums_for_every_layout_and_degenerate_shape() {
        for (m, k, n) in [
            (1, 1, 1),
            (3, 5, 7),
            (17, 33, 9),
            (5, 1, 40),
            (4, 6, 1),
            (1, 6, 25),
            (13, 7, 24),
            (27, 5, 48),
            (21, 9, 80),
            (12, 3, 36),
            (31, 6, 44),
            (19, 5, 28),
            (30, 0, 2),
            (3, 0, 2),
            (0, 3, 2),
        ] {
            let a: Vec<f64> = (0..m * k).map(|i| (i as f64 * 0.7).sin()).collect();
            let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 1.3).cos()).collect();
            let transpose = |values: &[f64], rows: usize, columns: usize| -> Vec<f64> {
                (0..columns * rows).map(|i| values[(i % rows) * columns + i / rows]).collect()
            };
            let expected: Vec<f64> = (0..m * n)
                .map(|i| (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]).sum::<f64>())
                .collect();
            let (a_t, b_t) = (transpose(&a, m, k), transpose(&b, k, n));
            let row: Vec<f64> = (0..n).map(|j| j as f64).collect();
            let mut scratch = Panels::default();
            let mut b_panels = Panels::of(Matrix::new(&[9.0; 60], 3, 20));
            for a_view in [Matrix::new(&a, m, k), Matrix::new(&a_t, k, m).transposed()] {
                for b_view in [Matrix::new(&b, k, n), Matrix::new(&b_t, n, k).transposed()] {
                    b_panels.pack(b_view);
                    let check = |start: Start<'_, f64>, shift: &dyn Fn(usize) -> f64| {
                        let mut out = vec![2.0; m * n];
                        multiply(&mut out, a_view, &b_panels, start);
                        let far = |(i, x): (usize, &f64)| (x - shift(i) - expected[i]).abs() > 1e-12;
                        assert!(!out.iter().enumerate().any(far), "{m} {k} {n} {start:?}");
                        let mut parallel = vec![2.0; m * n];
                        multiply_in_parallel(&mut parallel, a_view, &b_panels, start);
                        assert_eq!(out, parallel);
                    };
                    let mut in_place = vec![2.0; m * n];
                    let right = Right::of(b_view, &mut scratch);
                    multiply(&mut in_place, a_view, right, Start::Zero);
                    assert!(
                        in_place.iter().zip(&expected).all(|(x, y)| (x - y).abs() < 1e-12),
                        "{m} {k} {n}"
                    );
                    check(Start::Zero, &|_| 0.0);
                    check(Start::Output, &|_| 2.0);
                    check(Start::Row(&row), &|i| row[i % n]);
                }
            }
        }
    }

    #[test]
    fn outputs_of_another_shape_are_refused() {
        let (a, b) = ([1.0_f32; 50], Panels::of(Matrix::new(&[1.0; 10], 10, 1)));
        let a = Matrix::new(&a, 5, 10);
        for length in [4, 6, 24] {
            let out = || vec![0.0; length];
            let alone = catch_unwind(|| multiply(&mut out(), a, &b, Start::Zero));
            let parallel = catch_unwind(|| multiply_in_parallel(&mut out(), a, &b, Start::Zero));
            assert!(alone.is_err() && parallel.is_err(), "{length}");
        }
    }

    #[test]
    fn a_number_does_not_depend_on_how_the_output_is_cut_up() {
        let (m, k, n) = (29, 50, 24);
        let a: Vec<f32> = (0..m * k).map(|i| (i as f32 * 0.7).sin()).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i as f32 * 1.3).cos()).collect();
        let b = Panels::of(Matrix::new(&b, k, n));
        let mut whole = vec![0.0; m * n];
        multiply(&mut whole, Matrix::new(&a, m, k), &b, Start::Zero);
        for row in 0..m {
            let mut alone = vec![0.0; n];
            multiply(&mut alone, Matrix::new(&a[row * k..(row + 1) * k], 1, k), &b, Start::Zero);
            assert_eq!(alone, whole[row * n..(row + 1) * n]);
        }
    }
}
