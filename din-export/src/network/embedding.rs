//! Embedding tables, with a gradient that holds touched rows only.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::blocks::{BLOCK_ROWS, ROWS_AHEAD, prefetch, vectorised};
use super::real::Real;
use super::sparse_gradient::SparseGradient;

/// `[rows, dim]`, row-major, and the gradient of the rows that the last batch touched.
#[derive(Clone, Debug)]
pub struct Embedding<T> {
    /// Numbers in a row.
    pub dim: usize,
    /// `[rows, dim]`.
    pub values: Vec<T>,
    /// Of the last backward pass.
    pub gradient: SparseGradient<T>,
}

impl<T: Real> Embedding<T> {
    /// From `values: [rows, dim]`.
    #[must_use]
    pub fn new(values: Vec<T>, dim: usize) -> Self {
        Self { dim, gradient: SparseGradient::new(values.len() / dim, dim), values }
    }

    /// Normal numbers of the given deviation; row 0 zero if it stands for unknown ids.
    #[must_use]
    pub fn normal(rows: usize, dim: usize, deviation: f64, zero_first: bool, rng: &mut ChaCha8Rng) -> Self {
        let mut values: Vec<T> = Vec::with_capacity(rows * dim + 1);
        while values.len() < rows * dim {
            values.extend(normal_pair(rng).map(|z| T::from_f64(deviation * z)));
        }
        values.truncate(rows * dim);
        if zero_first {
            values[..dim].fill(T::zero());
        }
        Self::new(values, dim)
    }

    /// One row.
    #[must_use]
    pub fn row(&self, row: u32) -> &[T] {
        &self.values[row as usize * self.dim..][..self.dim]
    }

    /// Copies row `rows[at[i]]` to `out[i * stride + column ..]` for each i.
    pub fn gather(&self, rows: &[u32], at: &[u32], out: &mut [T], stride: usize, column: usize) {
        out.par_chunks_mut(BLOCK_ROWS * stride).zip(at.par_chunks(BLOCK_ROWS)).for_each(|(block, at)| {
            vectorised(|| {
                let mut ahead = at.iter().skip(ROWS_AHEAD);
                for (out, &own) in block.chunks_exact_mut(stride).zip(at) {
                    if let Some(&ahead) = ahead.next() {
                        prefetch(self.row(rows[ahead as usize]));
                    }
                    copy_row(self.row(rows[own as usize]), &mut out[column..column + self.dim]);
                }
            });
        });
    }
}

/// Copies without a call, which for a short row takes longer than the copy.
#[inline(always)]
fn copy_row<T: Real>(from: &[T], to: &mut [T]) {
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<16>(), to.as_chunks_mut::<16>());
    for (from, to) in from.iter().zip(to) {
        *to = *from;
    }
    for (&from, to) in from_rest.iter().zip(to_rest) {
        *to = from;
    }
}

/// Two independent standard normal numbers (Box and Muller 1958).
fn normal_pair(rng: &mut ChaCha8Rng) -> [f64; 2] {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
    [radius * cos, radius * sin]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn initial_rows_are_normal_and_the_unknown_row_is_zero() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let table = Embedding::<f64>::normal(10_001, 3, 0.5, true, &mut rng);
        assert_eq!(table.row(0), [0.0; 3]);
        let n = (table.values.len() - 3) as f64;
        let mean = table.values.iter().sum::<f64>() / n;
        let variance = table.values.iter().map(|x| x * x).sum::<f64>() / n;
        assert!(mean.abs() < 0.02 && (variance - 0.25).abs() < 0.01, "{mean} {variance}");
    }
}
