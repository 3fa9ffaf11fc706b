//! Dice, the data-adaptive activation.

use super::blocks::{for_each_block, for_each_block_pair, resize, sum_over_blocks};
use super::parameter::Parameter;
use super::real::Real;
use super::statistics::{BatchStatistics, MovingStatistics, inverse_deviation};

/// `f(s) = p s + (1 - p) alpha s`, `p = sigmoid((s - E[s]) / sqrt(Var[s] + epsilon))`, for each unit by itself.
///
/// In training E and Var are those of the mini-batch, and the gradient flows through them; afterwards their moving
/// averages take their place.
///
/// # Source
/// Zhou et al., KDD 2018, equation 3. alpha is learned, one for each unit, and starts at 0.
#[derive(Clone, Debug)]
pub struct Dice<T> {
    /// `[width]`.
    pub alpha: Parameter<T>,
    /// Of s.
    pub moving: MovingStatistics<T>,
    /// Inside the root; 1e-8 in the paper.
    pub epsilon: T,
    /// Of the last forward pass in training.
    batch: BatchStatistics<T>,
}

impl<T: Real> Dice<T> {
    /// The paper's start: alpha 0, epsilon 1e-8.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self::trained(vec![T::zero(); width], MovingStatistics::new(width), T::from_f64(1e-8))
    }

    /// A trained Dice.
    #[must_use]
    pub fn trained(alpha: Vec<T>, moving: MovingStatistics<T>, epsilon: T) -> Self {
        Self { alpha: Parameter::undecayed(alpha), moving, epsilon, batch: BatchStatistics::default() }
    }

    fn width(&self) -> usize {
        self.alpha.values.len()
    }

    /// Replaces `s: [n, width]` by `f(s)`, keeps `[s, p]` of each row in `saved`, and updates the moving statistics.
    pub fn forward_train(&mut self, values: &mut [T], saved: &mut Vec<T>, moving_average: f64) {
        let width = self.width();
        resize(saved, 2 * values.len());
        if values.is_empty() {
            return;
        }
        self.batch = BatchStatistics::of(values, width, self.epsilon);
        self.moving.update(&self.batch, moving_average);
        let (batch, alpha) = (&self.batch, &self.alpha.values);
        for_each_block_pair(values, width, saved, 2 * width, |_, values, saved| {
            for (row, saved) in values.chunks_exact_mut(width).zip(saved.chunks_exact_mut(2 * width)) {
                let (saved_s, saved_p) = saved.split_at_mut(width);
                saved_s.copy_from_slice(row);
                gate(saved_p, row, &batch.mean, &batch.inverse_deviation);
                blend(row, saved_p, alpha);
            }
        });
    }

    /// Replaces `s: [n, width]` by `f(s)` under the moving statistics.
    pub fn forward_eval(&self, values: &mut [T]) {
        let width = self.width();
        let inverse_deviation = inverse_deviation(&self.moving.variance, self.epsilon);
        for_each_block(values, width, |_, values| {
            let mut p = vec![T::zero(); width];
            for row in values.chunks_exact_mut(width) {
                gate(&mut p, row, &self.moving.mean, &inverse_deviation);
                blend(row, &p, &self.alpha.values);
            }
        });
    }

    /// Replaces `g = dL/df: [n, width]` by `dL/ds`.
    ///
    /// With `x = (s - E) r`, `r = 1 / sqrt(Var + epsilon)` and `h = dL/dx = g s (1 - alpha) p (1 - p)`:
    /// `dL/ds = g (alpha + (1 - alpha) p) + r (h - mean(h) - x mean(h x))`, means over the rows;
    /// `dL/dalpha = sum(g (1 - p) s)`.
    pub fn backward(&mut self, saved: &[T], gradient: &mut [T]) {
        let width = self.width();
        let n = gradient.len() / width;
        if n == 0 {
            // No statistics either.
            self.alpha.gradient.fill(T::zero());
            return;
        }
        let (mean, deviation) = (&self.batch.mean[..width], &self.batch.inverse_deviation[..width]);
        let alpha = &self.alpha.values[..width];
        // For each unit the sums of h, of h x and of dL/dalpha.
        let mut sums = sum_over_blocks(n, 3 * width, |rows, sums| {
            let (sum_h, rest) = sums.split_at_mut(width);
            let (sum_hx, sum_alpha) = rest.split_at_mut(width);
            let sum_alpha = &mut sum_alpha[..width];
            let gradient = gradient[rows.start * width..rows.end * width].chunks_exact(width);
            let saved = saved[2 * rows.start * width..2 * rows.end * width].chunks_exact(2 * width);
            for (g, saved) in gradient.zip(saved) {
                let (s, p) = saved.split_at(width);
                let (g, p) = (&g[..width], &p[..width]);
                for j in 0..width {
                    let h = slope(g[j], s[j], p[j], alpha[j]);
                    sum_h[j] += h;
                    sum_hx[j] += h * (s[j] - mean[j]) * deviation[j];
                    sum_alpha[j] += g[j] * (T::one() - p[j]) * s[j];
                }
            }
        });
        self.alpha.gradient.copy_from_slice(&sums[2 * width..]);
        let per_row = T::from_f64(1.0 / n as f64);
        sums.iter_mut().for_each(|sum| *sum *= per_row);
        let (mean_h, mean_hx) = (&sums[..width], &sums[width..2 * width]);
        for_each_block(gradient, width, |first, block| {
            let saved = saved[2 * first * width..].chunks_exact(2 * width);
            for (g, saved) in block.chunks_exact_mut(width).zip(saved) {
                let (s, p) = saved.split_at(width);
                let (g, p) = (&mut g[..width], &p[..width]);
                for j in 0..width {
                    let h = slope(g[j], s[j], p[j], alpha[j]);
                    let x = (s[j] - mean[j]) * deviation[j];
                    let direct = g[j] * (alpha[j] + (T::one() - alpha[j]) * p[j]);
                    g[j] = direct + deviation[j] * (h - mean_h[j] - x * mean_hx[j]);
                }
            }
        });
    }
}

/// `p = sigmoid((s - mean) inverse_deviation)`.
#[inline(always)]
fn gate<T: Real>(p: &mut [T], s: &[T], mean: &[T], inverse_deviation: &[T]) {
    for (((p, &s), &mean), &scale) in p.iter_mut().zip(s).zip(mean).zip(inverse_deviation) {
        *p = ((s - mean) * scale).sigmoid();
    }
}

/// `s` becomes `p s + (1 - p) alpha s`.
#[inline(always)]
fn blend<T: Real>(s: &mut [T], p: &[T], alpha: &[T]) {
    for ((s, &p), &alpha) in s.iter_mut().zip(p).zip(alpha) {
        *s *= p + (T::one() - p) * alpha;
    }
}

/// `dL/dx` for the standardised x.
#[inline(always)]
fn slope<T: Real>(g: T, s: T, p: T, alpha: T) -> T {
    g * s * (T::one() - alpha) * p * (T::one() - p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_is_per_unit() {
        let moving = MovingStatistics::trained(vec![0.0; 2], vec![1.0; 2]);
        let dice = Dice::<f64>::trained(vec![0.0, 1.0], moving, 1e-8);
        let mut values = vec![-2.0, -2.0];
        dice.forward_eval(&mut values);
        assert!((values[0] + 2.0 * (-2.0_f64).sigmoid()).abs() < 1e-8);
        assert_eq!(values[1], -2.0, "alpha 1 is the identity");
    }

    #[test]
    fn a_unit_is_standardised_over_rows_and_not_over_units() {
        let mut dice = Dice::<f64>::new(2);
        // The second unit is the first one, shifted and scaled: p must be the same.
        let mut values = vec![1.0, 110.0, 2.0, 120.0, 6.0, 160.0];
        let mut saved = Vec::new();
        dice.forward_train(&mut values, &mut saved, 0.9);
        for row in saved.chunks_exact(4) {
            assert!((row[2] - row[3]).abs() < 1e-8, "{row:?}");
        }
    }
}
