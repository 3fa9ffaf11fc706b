//! Batch normalisation, between a layer's affine part and its activation.

use super::blocks::{for_each_block, for_each_block_pair, resize, sum_over_blocks};
use super::parameter::Parameter;
use super::real::Real;
use super::statistics::{BatchStatistics, MovingStatistics, inverse_deviation};

/// `y = gamma x + beta`, `x = (s - E[s]) / sqrt(Var[s] + epsilon)`, for each unit by itself.
///
/// # Source
/// Ioffe and Szegedy, ICML 2015; the variance kept for inference is the biased one.
#[derive(Clone, Debug)]
pub struct BatchNorm<T> {
    /// `[width]`, starts at 1.
    pub gamma: Parameter<T>,
    /// `[width]`, starts at 0.
    pub beta: Parameter<T>,
    /// Of s.
    pub moving: MovingStatistics<T>,
    /// Inside the root; 1e-5 in a new network.
    pub epsilon: T,
    /// Of the last forward pass in training.
    batch: BatchStatistics<T>,
}

impl<T: Real> BatchNorm<T> {
    /// The identity, up to standardisation.
    #[must_use]
    pub fn new(width: usize) -> Self {
        let (gamma, beta) = (vec![T::one(); width], vec![T::zero(); width]);
        Self::trained(gamma, beta, MovingStatistics::new(width), T::from_f64(1e-5))
    }

    /// A trained one.
    #[must_use]
    pub fn trained(gamma: Vec<T>, beta: Vec<T>, moving: MovingStatistics<T>, epsilon: T) -> Self {
        Self {
            gamma: Parameter::undecayed(gamma),
            beta: Parameter::undecayed(beta),
            moving,
            epsilon,
            batch: BatchStatistics::default(),
        }
    }

    /// Replaces `s: [n, width]` by y, keeps x in `standardised`, and updates the moving statistics.
    pub fn forward_train(&mut self, values: &mut [T], standardised: &mut Vec<T>, moving_average: f64) {
        let width = self.gamma.values.len();
        resize(standardised, values.len());
        if values.is_empty() {
            return;
        }
        self.batch = BatchStatistics::of(values, width, self.epsilon);
        self.moving.update(&self.batch, moving_average);
        let (mean, deviation) = (&self.batch.mean, &self.batch.inverse_deviation);
        let (gamma, beta) = (&self.gamma.values, &self.beta.values);
        for_each_block_pair(values, width, standardised, width, |_, values, standardised| {
            for (row, x) in values.chunks_exact_mut(width).zip(standardised.chunks_exact_mut(width)) {
                for j in 0..width {
                    x[j] = (row[j] - mean[j]) * deviation[j];
                    row[j] = gamma[j] * x[j] + beta[j];
                }
            }
        });
    }

    /// Replaces `s: [n, width]` by y under the moving statistics.
    pub fn forward_eval(&self, values: &mut [T]) {
        let width = self.gamma.values.len();
        let mean = &self.moving.mean;
        let deviation = inverse_deviation(&self.moving.variance, self.epsilon);
        let (gamma, beta) = (&self.gamma.values, &self.beta.values);
        for_each_block(values, width, |_, values| {
            for row in values.chunks_exact_mut(width) {
                for j in 0..width {
                    row[j] = gamma[j] * ((row[j] - mean[j]) * deviation[j]) + beta[j];
                }
            }
        });
    }

    /// Replaces `g = dL/dy: [n, width]` by `dL/ds = gamma r (g - mean(g) - x mean(g x))`, means over the rows,
    /// `r = 1 / sqrt(Var + epsilon)`.
    pub fn backward(&mut self, standardised: &[T], gradient: &mut [T]) {
        let width = self.gamma.values.len();
        let n = gradient.len() / width;
        let sums = sum_over_blocks(n, 2 * width, |rows, sums| {
            let (sum_g, sum_gx) = sums.split_at_mut(width);
            let span = rows.start * width..rows.end * width;
            let standardised = standardised[span.clone()].chunks_exact(width);
            for (g, x) in gradient[span].chunks_exact(width).zip(standardised) {
                for j in 0..width {
                    sum_g[j] += g[j];
                    sum_gx[j] += g[j] * x[j];
                }
            }
        });
        let (sum_g, sum_gx) = sums.split_at(width);
        self.beta.gradient.copy_from_slice(sum_g);
        self.gamma.gradient.copy_from_slice(sum_gx);
        let per_row = T::from_f64(1.0 / n.max(1) as f64);
        let (gamma, deviation) = (&self.gamma.values, &self.batch.inverse_deviation);
        for_each_block(gradient, width, |first, block| {
            let standardised = standardised[first * width..].chunks_exact(width);
            for (g, x) in block.chunks_exact_mut(width).zip(standardised) {
                for j in 0..width {
                    let centred = g[j] - (sum_g[j] + x[j] * sum_gx[j]) * per_row;
                    g[j] = gamma[j] * deviation[j] * centred;
                }
            }
        });
    }
}
