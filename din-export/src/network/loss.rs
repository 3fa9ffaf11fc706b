//! The loss.

use super::real::Real;

/// Mean over the batch of `-y ln(p) - (1 - y) ln(1 - p)`, `p = sigmoid(z)`, z the logit.
///
/// Computed as `max(z, 0) - z y + ln(1 + exp(-|z|))`, in f64, which neither overflows nor loses digits for any z.
pub fn binary_cross_entropy<T: Real>(logits: &[T], labels: &[f32], indices: &[u32]) -> f64 {
    let losses = logits.iter().zip(indices).map(|(logit, &sample)| {
        let (z, y) = (logit.as_f64(), f64::from(labels[sample as usize]));
        // Not `z.max(0.0)`, which would hide not-a-number.
        let positive = if z < 0.0 { 0.0 } else { z };
        positive - z * y + (-z.abs()).exp().ln_1p()
    });
    losses.sum::<f64>() / indices.len() as f64
}

/// `dL/dz = (sigmoid(z) - y) / B`.
pub fn binary_cross_entropy_gradient<T: Real>(
    logits: &[T],
    labels: &[f32],
    indices: &[u32],
    gradient: &mut Vec<T>,
) {
    let per_sample = T::from_f64(1.0 / indices.len() as f64);
    gradient.clear();
    gradient.extend(logits.iter().zip(indices).map(|(logit, &sample)| {
        let label = T::from_f64(f64::from(labels[sample as usize]));
        (logit.sigmoid() - label) * per_sample
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_finite_for_confident_mistakes_and_shows_what_is_not_a_number() {
        assert_eq!(binary_cross_entropy(&[-1000.0_f32], &[1.0], &[0]), 1000.0);
        assert_eq!(binary_cross_entropy(&[1000.0_f32], &[1.0], &[0]), 0.0);
        assert!((binary_cross_entropy(&[0.0_f64], &[1.0], &[0]) - 2.0_f64.ln()).abs() < 1e-15);
        assert!(binary_cross_entropy(&[f32::NAN], &[1.0], &[0]).is_nan());
    }
}
