//! Embedding tables, with a gradient that holds touched rows only.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::blocks::{BLOCK_ROWS, add};
use super::real::Real;

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

/// The gradient of the rows that a batch touched; every other row's is zero.
///
/// The map from row to slot is allocated once. Clearing it costs what was touched, not what the vocabulary holds.
#[derive(Clone, Debug)]
pub struct SparseGradient<T> {
    dim: usize,
    /// For each row of the table its slot, or `FREE`.
    slots: Vec<u32>,
    /// For each slot its row: in the order of first touch, each row once.
    rows: Vec<u32>,
    /// `[slots, dim]`.
    values: Vec<T>,
}

const FREE: u32 = u32::MAX;

impl<T: Real> SparseGradient<T> {
    fn new(rows: usize, dim: usize) -> Self {
        Self { dim, slots: vec![FREE; rows], rows: Vec::new(), values: Vec::new() }
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        for &row in &self.rows {
            self.slots[row as usize] = FREE;
        }
        self.rows.clear();
        self.values.clear();
    }

    /// Adds to the gradient of a row, which counts as touched from now on.
    pub fn add(&mut self, row: u32, gradient: &[T]) {
        let slot = &mut self.slots[row as usize];
        if *slot == FREE {
            *slot = self.rows.len() as u32;
            self.rows.push(row);
            self.values.extend_from_slice(gradient);
        } else {
            let start = *slot as usize * self.dim;
            add(&mut self.values[start..start + self.dim], gradient);
        }
    }

    /// The touched rows, each once.
    #[must_use]
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Their gradients, `[rows().len(), dim]`.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }
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
            for (out, &at) in block.chunks_exact_mut(stride).zip(at) {
                out[column..column + self.dim].copy_from_slice(self.row(rows[at as usize]));
            }
        });
    }

    /// The transpose of [`Self::gather`]: adds `gradient[i * stride + column ..]` to the gradient of row `rows[at[i]]`.
    ///
    /// Serial, so that sums do not depend on the number of threads.
    pub fn scatter(&mut self, rows: &[u32], at: &[u32], gradient: &[T], stride: usize, column: usize) {
        for (gradient, &at) in gradient.chunks_exact(stride).zip(at) {
            self.gradient.add(rows[at as usize], &gradient[column..column + self.dim]);
        }
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
    fn a_gradient_holds_each_touched_row_once_and_forgets_all_of_them() {
        let mut table = Embedding::<f64>::new(vec![0.0; 10], 2);
        for _ in 0..2 {
            table.gradient.clear();
            // Entries 1, 0, 1 of the column [4, 2]: rows 2, 4, 2.
            table.scatter(&[4, 2], &[1, 0, 1], &[9.0, 1.0, 2.0, 9.0, 3.0, 4.0, 9.0, 5.0, 6.0], 3, 1);
            assert_eq!(table.gradient.rows(), [2, 4]);
            assert_eq!(table.gradient.values(), [6.0, 8.0, 3.0, 4.0]);
        }
    }

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
