//! Statistics of a mini-batch, and their moving averages: what Dice and batch normalisation share.

use super::blocks::sum_over_blocks;
use super::real::Real;

/// Mean and inverse deviation of each unit over the rows of one mini-batch.
///
/// A batch holds real rows only: behaviours are stored one after another without padding, so there is nothing to mask.
#[derive(Clone, Debug, Default)]
pub struct BatchStatistics<T> {
    /// `E[s]`, one for each unit.
    pub mean: Vec<T>,
    /// `Var[s] = E[(s - E[s])^2]`: biased, as the paper's batch statistics are.
    pub variance: Vec<T>,
    /// `1 / sqrt(Var[s] + epsilon)`.
    pub inverse_deviation: Vec<T>,
}

impl<T: Real> BatchStatistics<T> {
    /// Of `values: [n, width]`, `n > 0`, in two passes: the mean first, then squares about it.
    #[must_use]
    pub fn of(values: &[T], width: usize, epsilon: T) -> Self {
        let n = values.len() / width;
        let per_row = T::from_f64(1.0 / n as f64);
        let mut mean = super::blocks::column_sums(values, width);
        mean.iter_mut().for_each(|sum| *sum *= per_row);
        let mut variance = sum_over_blocks(n, width, |rows, sums| {
            for row in values[rows.start * width..rows.end * width].chunks_exact(width) {
                for ((sum, &value), &mean) in sums.iter_mut().zip(row).zip(&mean) {
                    let centred = value - mean;
                    *sum += centred * centred;
                }
            }
        });
        variance.iter_mut().for_each(|sum| *sum *= per_row);
        let inverse_deviation = inverse_deviation(&variance, epsilon);
        Self { mean, variance, inverse_deviation }
    }
}

/// `1 / sqrt(variance + epsilon)`.
pub fn inverse_deviation<T: Real>(variance: &[T], epsilon: T) -> Vec<T> {
    variance.iter().map(|&variance| (variance + epsilon).sqrt().recip()).collect()
}

/// Moving averages of the batch statistics: what a trained model standardises with.
#[derive(Clone, Debug)]
pub struct MovingStatistics<T> {
    /// One for each unit.
    pub mean: Vec<T>,
    /// One for each unit; biased.
    pub variance: Vec<T>,
    /// Mini-batches seen.
    pub(super) updates: u64,
}

impl<T: Real> MovingStatistics<T> {
    /// Before the first mini-batch: mean 0, variance 1.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self { mean: vec![T::zero(); width], variance: vec![T::one(); width], updates: 0 }
    }

    /// Those of a trained model, to be continued.
    #[must_use]
    pub fn trained(mean: Vec<T>, variance: Vec<T>) -> Self {
        Self { mean, variance, updates: u64::from(u32::MAX) }
    }

    /// `moving = keep * moving + (1 - keep) * batch` with `keep = min(moving_average, t / (t + 1))` at the t-th update,
    /// counted from 0: at first a plain average of what was seen, so that the arbitrary start leaves no trace.
    pub fn update(&mut self, batch: &BatchStatistics<T>, moving_average: f64) {
        let t = self.updates as f64;
        self.updates += 1;
        let keep = T::from_f64(moving_average.min(t / (t + 1.0)));
        let fold = |moving: &mut [T], batch: &[T]| {
            for (moving, &batch) in moving.iter_mut().zip(batch) {
                *moving = keep * *moving + (T::one() - keep) * batch;
            }
        };
        fold(&mut self.mean, &batch.mean);
        fold(&mut self.variance, &batch.variance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_statistics_start_from_the_first_batch_and_then_forget() {
        let mut moving = MovingStatistics::<f64>::new(1);
        moving.update(&BatchStatistics::of(&[1.0, 3.0], 1, 0.0), 0.75);
        assert_eq!((moving.mean[0], moving.variance[0]), (2.0, 1.0));
        for _ in 0..50 {
            moving.update(&BatchStatistics::of(&[8.0, 12.0], 1, 0.0), 0.75);
        }
        assert!((moving.mean[0] - 10.0).abs() < 1e-4 && (moving.variance[0] - 4.0).abs() < 1e-4);
    }

    #[test]
    fn variance_survives_a_mean_much_larger_than_it() {
        let values: Vec<f32> = (0..1000).map(|i| 1000.0 + (i % 2) as f32).collect();
        assert!((BatchStatistics::of(&values, 1, 0.0).variance[0] - 0.25).abs() < 1e-4);
    }
}
