//! The matrix product. With `vectorised` in [`super::blocks`] the only unsafe code of din-export.

use gemm::Parallelism;

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
        assert_eq!(values.len(), rows * columns, "a [{rows}, {columns}] matrix");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The numbers, as they lie.
    #[must_use]
    pub fn values(self) -> &'a [T] {
        self.values
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

/// What a product does to the numbers that its output holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// `out = a b`.
    Overwrite,
    /// `out = out + a b`.
    Add,
}

/// `out = a b` or `out += a b`: `[m, k] x [k, n] -> [m, n]`, row-major.
///
/// With more than one thread in the current rayon pool the work is split over rows and columns of the output, never over
/// k, so that the sums do not depend on who computes them.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply<T: Real>(out: &mut [T], a: Matrix<'_, T>, b: Matrix<'_, T>, into: Output) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!(k, b.rows, "[{m}, {k}] x [{}, {n}]", b.rows);
    assert_eq!(out.len(), m * n, "the output of [{m}, {k}] x [{k}, {n}]");
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if into == Output::Overwrite {
            out.fill(T::zero());
        }
        return;
    }
    let parallelism = match rayon::current_num_threads() {
        1 => Parallelism::None,
        threads => Parallelism::Rayon(threads),
    };
    // SAFETY: `out` holds m * n numbers and is borrowed exclusively, so it overlaps neither input; `Matrix` is only made
    // from a slice of exactly rows * columns numbers, with strides that stay inside it, transposed or not; and
    // m * k and k * n are those of the shapes asserted above. gemm reads the old output only if told to.
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            into == Output::Add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_sums_for_every_layout_and_degenerate_shape() {
        for (m, k, n) in
            [(1, 1, 1), (3, 5, 7), (17, 33, 9), (5, 1, 4), (4, 6, 1), (1, 6, 5), (3, 0, 2), (0, 3, 2)]
        {
            let a: Vec<f64> = (0..m * k).map(|i| (i as f64 * 0.7).sin()).collect();
            let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 1.3).cos()).collect();
            let transpose = |values: &[f64], rows: usize, columns: usize| -> Vec<f64> {
                (0..columns * rows).map(|i| values[(i % rows) * columns + i / rows]).collect()
            };
            let expected: Vec<f64> = (0..m * n)
                .map(|i| 2.0 + (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]).sum::<f64>())
                .collect();
            let (a_t, b_t) = (transpose(&a, m, k), transpose(&b, k, n));
            let a_views = [Matrix::new(&a, m, k), Matrix::new(&a_t, k, m).transposed()];
            let b_views = [Matrix::new(&b, k, n), Matrix::new(&b_t, n, k).transposed()];
            for a_view in a_views {
                for b_view in b_views {
                    let mut out = vec![2.0; m * n];
                    multiply(&mut out, a_view, b_view, Output::Add);
                    let close = |x: &[f64], shift: f64| {
                        x.iter().zip(&expected).all(|(x, y)| (x + shift - y).abs() < 1e-12)
                    };
                    assert!(close(&out, 0.0), "{m} {k} {n}");
                    multiply(&mut out, a_view, b_view, Output::Overwrite);
                    assert!(close(&out, 2.0), "{m} {k} {n}");
                }
            }
        }
    }
}
