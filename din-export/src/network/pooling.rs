//! How the behaviours of a history become one interest vector.

use rayon::prelude::*;

use super::blocks::{add_scaled, dot, for_each_block, resize};
use super::real::Real;
use super::segments::{Pairs, Segments};
use super::unit::{ActivationUnit, UnitBuffers};
use crate::weights::AttentionNormalisation;

/// Samples that one task handles at least, where work goes sample by sample.
const SAMPLES_PER_TASK: usize = 16;

/// The pooling of one sequence: `v = sum over the history of weight * k`, zero for an empty history.
#[derive(Clone, Debug)]
pub struct Pooling<T> {
    /// D: width of k, of q and of v.
    pub width: usize,
    /// Where the weights come from.
    pub weighting: Weighting<T>,
}

/// Where the weight of each behaviour comes from.
#[derive(Clone, Debug)]
pub enum Weighting<T> {
    /// 1.
    Sum,
    /// 1 / length of the history.
    Mean,
    /// The activation unit's opinion on candidate and behaviour.
    Attention {
        /// Computes it.
        unit: Box<ActivationUnit<T>>,
        /// What is done to it.
        normalisation: AttentionNormalisation,
    },
}

/// Reused between steps.
#[derive(Clone, Debug, Default)]
pub struct PoolingBuffers<T> {
    /// The factor of each behaviour: `[P]`.
    weights: Vec<T>,
    unit: UnitBuffers<T>,
}

impl<T: Real> Pooling<T> {
    /// Numbers in a row of the keys' matrix: D for k, and where a unit reads it, D more for `q * k`.
    #[must_use]
    pub fn key_stride(&self) -> usize {
        match self.weighting {
            Weighting::Sum | Weighting::Mean => self.width,
            Weighting::Attention { .. } => 2 * self.width,
        }
    }

    /// From `keys: [P, stride]`, k in the first D columns (the others are written here), and `query: [B, D]` to
    /// `pooled: [B, D]`.
    pub fn forward_train(
        &mut self,
        keys: &mut [T],
        query: &[T],
        segments: &Segments,
        moving_average: f64,
        pooled: &mut [T],
        buffers: &mut PoolingBuffers<T>,
    ) {
        if let Weighting::Attention { unit, .. } = &mut self.weighting {
            write_products(keys, query, segments, self.width);
            unit.forward_train(Pairs { keys, query, segments }, moving_average, &mut buffers.unit);
        }
        self.pool(keys, segments, pooled, buffers);
    }

    /// As [`Self::forward_train`] under the moving statistics, changing nothing.
    pub fn forward_eval(
        &self,
        keys: &mut [T],
        query: &[T],
        segments: &Segments,
        pooled: &mut [T],
        buffers: &mut PoolingBuffers<T>,
    ) {
        if let Weighting::Attention { unit, .. } = &self.weighting {
            write_products(keys, query, segments, self.width);
            unit.forward_eval(Pairs { keys, query, segments }, &mut buffers.unit);
        }
        self.pool(keys, segments, pooled, buffers);
    }

    /// The weights, and the weighted sum.
    fn pool(&self, keys: &[T], segments: &Segments, pooled: &mut [T], buffers: &mut PoolingBuffers<T>) {
        let (d, stride) = (self.width, self.key_stride());
        let weights = &mut buffers.weights;
        resize(weights, segments.rows());
        match &self.weighting {
            Weighting::Sum => weights.fill(T::one()),
            Weighting::Mean => {
                for own in segments.split_mut(weights, 1) {
                    own.fill(T::from_f64(1.0 / own.len() as f64));
                }
            }
            Weighting::Attention { normalisation, .. } => {
                weights.copy_from_slice(buffers.unit.scores());
                if *normalisation == AttentionNormalisation::Softmax {
                    let scale = T::from_f64(1.0 / (d as f64).sqrt());
                    for own in segments.split_mut(weights, 1) {
                        softmax(own, scale);
                    }
                }
            }
        }
        pooled.par_chunks_mut(d).with_min_len(SAMPLES_PER_TASK).enumerate().for_each(|(sample, sum)| {
            sum.fill(T::zero());
            let range = segments.range(sample);
            let keys = keys[range.start * stride..range.end * stride].chunks_exact(stride);
            for (key, &weight) in keys.zip(&weights[range]) {
                add_scaled(sum, weight, &key[..d]);
            }
        });
    }

    /// From `pooled_gradient: [B, D]` to that of k, in the first D columns of `keys_gradient: [P, stride]`, to that of the
    /// query (added to) and to those of the unit's parameters.
    pub fn backward(
        &mut self,
        pairs: Pairs<'_, T>,
        pooled_gradient: &[T],
        keys_gradient: &mut [T],
        query_gradient: &mut [T],
        buffers: &mut PoolingBuffers<T>,
    ) {
        let PoolingBuffers { weights, unit: unit_buffers } = buffers;
        match &mut self.weighting {
            Weighting::Attention { unit, normalisation } => {
                let score_gradient = unit_buffers.score_gradient_mut();
                backward_weights(pairs, pooled_gradient, weights, *normalisation, score_gradient);
                unit.backward(pairs, keys_gradient, query_gradient, unit_buffers);
                backward_products(pairs, pooled_gradient, weights, keys_gradient, query_gradient);
            }
            Weighting::Sum | Weighting::Mean => {
                let d = self.width;
                for_each_block(keys_gradient, d, |first, block| {
                    let rows = pairs.segments.samples()[first..].iter().zip(&weights[first..]);
                    for (gradient, (&sample, &weight)) in block.chunks_exact_mut(d).zip(rows) {
                        let v_gradient = &pooled_gradient[sample as usize * d..][..d];
                        for (gradient, &v_gradient) in gradient.iter_mut().zip(v_gradient) {
                            *gradient = weight * v_gradient;
                        }
                    }
                });
            }
        }
    }
}

/// `dL/da_j = (dL/dv) k_j`, and through the softmax if there is one: the gradient of the unit's scores, `[P]`.
fn backward_weights<T: Real>(
    pairs: Pairs<'_, T>,
    pooled_gradient: &[T],
    weights: &[T],
    normalisation: AttentionNormalisation,
    score_gradient: &mut Vec<T>,
) {
    let Pairs { keys, query, segments } = pairs;
    let d = query.len() / segments.count();
    let scale = T::from_f64(1.0 / (d as f64).sqrt());
    resize(score_gradient, segments.rows());
    let tasks = segments.split_mut(score_gradient, 1).into_par_iter().with_min_len(SAMPLES_PER_TASK);
    tasks.enumerate().for_each(|(sample, gradient)| {
        let range = segments.range(sample);
        let v_gradient = &pooled_gradient[sample * d..][..d];
        let keys = keys[range.start * 2 * d..range.end * 2 * d].chunks_exact(2 * d);
        for (gradient, key) in gradient.iter_mut().zip(keys) {
            *gradient = dot(v_gradient, &key[..d]);
        }
        if normalisation == AttentionNormalisation::Softmax {
            softmax_backward(gradient, &weights[range], scale);
        }
    });
}

/// Completes the gradients of k, `dk_j += q * dp_j + a_j dv`, and of q, `dq += k_j * dp_j`, where `dp_j` is that of the product
/// `q * k_j`, as the unit left it behind that of `k_j`.
fn backward_products<T: Real>(
    pairs: Pairs<'_, T>,
    pooled_gradient: &[T],
    weights: &[T],
    keys_gradient: &mut [T],
    query_gradient: &mut [T],
) {
    let Pairs { keys, query, segments } = pairs;
    let d = query.len() / segments.count();
    let tasks =
        segments.split_mut(keys_gradient, 2 * d).into_par_iter().zip(query_gradient.par_chunks_mut(d));
    tasks.with_min_len(SAMPLES_PER_TASK).enumerate().for_each(|(sample, (keys_gradient, q_gradient))| {
        let range = segments.range(sample);
        let v_gradient = &pooled_gradient[sample * d..][..d];
        let q = &query[sample * d..][..d];
        let keys = keys[range.start * 2 * d..range.end * 2 * d].chunks_exact(2 * d);
        let rows = keys_gradient.chunks_exact_mut(2 * d).zip(keys).zip(&weights[range]);
        for ((gradient, key), &weight) in rows {
            let (k_gradient, product_gradient) = gradient.split_at_mut(d);
            let k = &key[..d];
            for j in 0..d {
                k_gradient[j] += q[j] * product_gradient[j] + weight * v_gradient[j];
                q_gradient[j] += k[j] * product_gradient[j];
            }
        }
    });
}

/// Writes `q * k` behind k in each row of `keys: [P, 2 D]`.
fn write_products<T: Real>(keys: &mut [T], query: &[T], segments: &Segments, d: usize) {
    for_each_block(keys, 2 * d, |first, block| {
        for (row, &sample) in block.chunks_exact_mut(2 * d).zip(&segments.samples()[first..]) {
            let (k, product) = row.split_at_mut(d);
            let q = &query[sample as usize * d..][..d];
            for ((product, &k), &q) in product.iter_mut().zip(&*k).zip(q) {
                *product = q * k;
            }
        }
    });
}

/// `x_j` becomes `exp(scale x_j) / sum of exp(scale x_i)`.
fn softmax<T: Real>(x: &mut [T], scale: T) {
    // Shifted by the largest, so that nothing overflows; not-a-number must spread to all, which `max` would prevent.
    let largest = x.iter().fold(T::neg_infinity(), |a, &b| if a > b { a } else { b });
    let mut sum = T::zero();
    for value in &mut *x {
        *value = ((*value - largest) * scale).exp();
        sum += *value;
    }
    x.iter_mut().for_each(|value| *value /= sum);
}

/// From `g = dL/da`, a the softmax's output, to `dL/dx_j = scale a_j (g_j - sum of a_i g_i)`.
fn softmax_backward<T: Real>(g: &mut [T], a: &[T], scale: T) {
    let mean = dot(a, g);
    for (g, &a) in g.iter_mut().zip(a) {
        *g = scale * a * (*g - mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(weighting: Weighting<f64>) -> Vec<f64> {
        let mut segments = Segments::default();
        segments.fill([(0, 2), (2, 2), (2, 3)].into_iter());
        let mut keys = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut pooled = vec![f64::NAN; 6];
        let pooling = Pooling { width: 2, weighting };
        pooling.forward_eval(&mut keys, &[0.0; 6], &segments, &mut pooled, &mut PoolingBuffers::default());
        pooled
    }

    #[test]
    fn empty_history_pools_to_zero() {
        assert_eq!(pooled(Weighting::Sum), [4.0, 6.0, 0.0, 0.0, 5.0, 6.0]);
        assert_eq!(pooled(Weighting::Mean), [2.0, 3.0, 0.0, 0.0, 5.0, 6.0]);
    }

    #[test]
    fn softmax_survives_large_scores_and_spreads_what_is_not_a_number() {
        let mut x = [1e4_f32, 1e4, -1e4];
        softmax(&mut x, 1.0);
        assert_eq!(x, [0.5, 0.5, 0.0]);
        let mut x = [0.0_f32, f32::NAN];
        softmax(&mut x, 1.0);
        assert!(x.iter().all(|x| x.is_nan()));
    }
}
