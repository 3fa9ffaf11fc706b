//! `PReLU`.

use super::blocks::{for_each_block, for_each_block_pair, resize, sum_over_blocks};
use super::parameter::Parameter;
use super::real::Real;

/// `s` where positive, else `alpha s`, with an alpha for each unit.
///
/// # Source
/// He et al., ICCV 2015; alpha starts at 0.25, as there.
#[derive(Clone, Debug)]
pub struct PRelu<T> {
    /// `[width]`.
    pub alpha: Parameter<T>,
}

impl<T: Real> PRelu<T> {
    /// With the given slopes.
    #[must_use]
    pub fn new(alpha: Vec<T>) -> Self {
        Self { alpha: Parameter::undecayed(alpha) }
    }

    /// Replaces `s: [n, width]` by its activation and keeps s in `saved`.
    pub fn forward_train(&self, values: &mut [T], saved: &mut Vec<T>) {
        let width = self.alpha.values.len();
        resize(saved, values.len());
        for_each_block_pair(values, width, saved, width, |_, values, saved| {
            saved.copy_from_slice(values);
            self.apply(values);
        });
    }

    /// Replaces `s: [n, width]` by its activation.
    pub fn forward_eval(&self, values: &mut [T]) {
        for_each_block(values, self.alpha.values.len(), |_, values| self.apply(values));
    }

    #[inline(always)]
    fn apply(&self, values: &mut [T]) {
        let alpha = &self.alpha.values;
        for row in values.chunks_exact_mut(alpha.len()) {
            for (s, &alpha) in row.iter_mut().zip(alpha) {
                *s *= slope(*s, alpha);
            }
        }
    }

    /// Replaces `g = dL/df: [n, width]` by `dL/ds`; `dL/dalpha = sum(g s)` where s is not positive.
    pub fn backward(&mut self, saved: &[T], gradient: &mut [T]) {
        let alpha = &self.alpha.values;
        let width = alpha.len();
        let sums = sum_over_blocks(gradient.len() / width, width, |rows, sums| {
            let span = rows.start * width..rows.end * width;
            let saved = saved[span.clone()].chunks_exact(width);
            for (g, s) in gradient[span].chunks_exact(width).zip(saved) {
                for ((sum, &g), &s) in sums.iter_mut().zip(g).zip(s) {
                    *sum += if s > T::zero() { T::zero() } else { g * s };
                }
            }
        });
        for_each_block(gradient, width, |first, block| {
            let saved = saved[first * width..].chunks_exact(width);
            for (g, s) in block.chunks_exact_mut(width).zip(saved) {
                for ((g, &s), &alpha) in g.iter_mut().zip(s).zip(alpha) {
                    *g *= slope(s, alpha);
                }
            }
        });
        self.alpha.gradient = sums;
    }
}

#[inline(always)]
fn slope<T: Real>(s: T, alpha: T) -> T {
    if s > T::zero() { T::one() } else { alpha }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_per_unit() {
        let mut values = vec![-2.0, -2.0, 4.0, 4.0];
        PRelu::<f64>::new(vec![0.25, 0.5]).forward_eval(&mut values);
        assert_eq!(values, [-0.5, -1.0, 4.0, 4.0]);
    }
}
