//! Means and scales of numbers, from the training split alone.

use crate::job::NumericConfig;
use din_core::Normaliser;

/// The normaliser that gives the transformed numbers a mean of 0 and a standard deviation of 1.
///
/// `scale = 1 / sqrt(mean((t - mean)^2))`, or 1 where all numbers are equal. `numbers` yields each number with how often it
/// counts; missing ones (NaN) are left out.
#[must_use]
pub fn fit(config: NumericConfig, numbers: impl Iterator<Item = (f32, u64)>) -> Normaliser {
    let mut fit = Fit::new(config);
    numbers.for_each(|(number, times)| fit.add(number, times));
    fit.finish()
}

/// As [`fit`], number by number.
#[derive(Clone, Debug)]
pub struct Fit {
    plain: Normaliser,
    limit: f32,
    // Welford's update: stable for timestamps, whose mean is far larger than their deviation.
    count: f64,
    mean: f64,
    squares: f64,
}

impl Fit {
    /// Before the first number.
    #[must_use]
    pub fn new(config: NumericConfig) -> Self {
        let plain = Normaliser { transform: config.transform.into(), mean: 0.0, scale: 1.0, limit: f32::MAX };
        Self { plain, limit: config.limit, count: 0.0, mean: 0.0, squares: 0.0 }
    }

    /// A number that counts so often.
    pub fn add(&mut self, number: f32, times: u64) {
        if number.is_nan() || times == 0 {
            return;
        }
        let value = f64::from(self.plain.apply(number));
        let weight = times as f64;
        self.count += weight;
        let step = value - self.mean;
        self.mean += step * weight / self.count;
        self.squares += weight * step * (value - self.mean);
    }

    /// What fits the numbers so far.
    #[must_use]
    pub fn finish(&self) -> Normaliser {
        let Self { plain, limit, count, mean, squares } = *self;
        let deviation = if count > 0.0 { (squares / count).sqrt() } else { 0.0 };
        // Below f32's resolution a deviation is rounding.
        let constant = deviation <= mean.abs() * f64::from(f32::EPSILON);
        let scale = if constant { 1.0 } else { (1.0 / deviation) as f32 };
        Normaliser { transform: plain.transform, mean: mean as f32, scale, limit }
    }
}

#[cfg(test)]
mod tests {
    use super::fit;
    use crate::job::{NumericConfig, TransformKind};
    use din_core::Normaliser;

    fn fitted(transform: TransformKind, numbers: &[f32]) -> Normaliser {
        fit(NumericConfig { transform, limit: 5.0 }, numbers.iter().map(|&number| (number, 1)))
    }

    #[test]
    fn training_numbers_get_mean_0_and_deviation_1() {
        let normaliser = fitted(TransformKind::Log1p, &[0.0, 10.0, f32::NAN, 200.0, 3.0]);
        let normalised = [0.0, 10.0, 200.0, 3.0].map(|number| normaliser.apply(number));
        let mean = normalised.iter().sum::<f32>() / 4.0;
        let variance = normalised.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / 4.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
    }

    #[test]
    fn a_constant_column_has_scale_1() {
        let normaliser = fitted(TransformKind::Identity, &[0.1, 0.1, 0.1]);
        assert_eq!((normaliser.mean, normaliser.scale), (0.1, 1.0));
    }

    #[test]
    fn a_column_without_numbers_has_mean_0_and_scale_1() {
        let normaliser = fitted(TransformKind::Identity, &[f32::NAN]);
        assert_eq!((normaliser.mean, normaliser.scale), (0.0, 1.0));
    }

    #[test]
    fn a_number_counts_as_often_as_it_says() {
        let config = NumericConfig { transform: TransformKind::Identity, limit: 5.0 };
        let weighted = fit(config, [(1.0, 3), (5.0, 1), (9.0, 0)].into_iter());
        assert_eq!(weighted.mean, 2.0);
    }
}
