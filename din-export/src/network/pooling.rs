//! How the behaviours of a history become one interest vector.

use rayon::prelude::*;

use super::attention::{Attention, AttentionBuffers, Gather, Queries};
use super::blocks::{add_scaled, for_each_block, resize};
use super::real::Real;
use super::segments::Segments;

/// The pooling of one sequence: `v = sum over the history of factor * k`, zero for an empty history.
#[derive(Clone, Debug)]
pub struct Pooling<T> {
    /// D: width of k, of q and of v.
    pub width: usize,
    /// Where the factors come from.
    pub weighting: Weighting<T>,
}

/// Where the factor of each behaviour comes from.
#[derive(Clone, Debug)]
pub enum Weighting<T> {
    /// 1.
    Sum,
    /// 1 / length of the history.
    Mean,
    /// The activation unit's opinion on candidate and behaviour.
    Attention(Box<Attention<T>>),
}

impl<T: Real> Pooling<T> {
    /// From the queries, `[B, D]`, and the keys that `gather` finds, `[P, D]`, to `pooled: [B, D]`.
    pub fn forward_train(
        &mut self,
        queries: Queries<'_, T>,
        gather: &Gather<'_, T>,
        moving_average: f64,
        pooled: &mut [T],
        buffers: &mut AttentionBuffers<T>,
    ) {
        match &mut self.weighting {
            Weighting::Attention(attention) => {
                attention.forward_train(queries, gather, moving_average, pooled, buffers);
            }
            Weighting::Sum | Weighting::Mean => self.sum(queries.segments, gather, pooled),
        }
    }

    /// As [`Self::forward_train`] under the moving statistics, changing nothing.
    pub fn forward_eval(
        &self,
        queries: Queries<'_, T>,
        gather: &Gather<'_, T>,
        pooled: &mut [T],
        buffers: &mut AttentionBuffers<T>,
    ) {
        match &self.weighting {
            Weighting::Attention(attention) => {
                attention.forward_eval(queries, gather, pooled, buffers);
            }
            Weighting::Sum | Weighting::Mean => self.sum(queries.segments, gather, pooled),
        }
    }

    /// Sum and mean.
    fn sum(&self, segments: &Segments, gather: &Gather<'_, T>, pooled: &mut [T]) {
        let d = self.width;
        let block = segments.samples_per_block();
        pooled.par_chunks_mut(block * d).enumerate().for_each_init(Vec::new, |keys, (index, pooled)| {
            let samples = index * block..index * block + pooled.len() / d;
            let rows = segments.rows_of(samples.clone());
            resize(keys, rows.len() * d);
            gather(rows, keys);
            let mut keys = keys.chunks_exact(d);
            for (sum, sample) in pooled.chunks_exact_mut(d).zip(samples) {
                sum.fill(T::zero());
                let length = segments.range(sample).len();
                let factor = self.factor(length);
                for key in keys.by_ref().take(length) {
                    add_scaled(sum, factor, key);
                }
            }
        });
    }

    /// Of each behaviour of a history of that length, where no unit decides.
    fn factor(&self, length: usize) -> T {
        match self.weighting {
            Weighting::Mean => T::from_f64(1.0 / length as f64),
            Weighting::Sum | Weighting::Attention(_) => T::one(),
        }
    }

    /// From `pooled_gradient: [B, D]` to those of the keys, `[P, D]`, of the queries (added to) and of the unit's parameters.
    pub fn backward(
        &mut self,
        queries: Queries<'_, T>,
        pooled_gradient: &[T],
        keys_gradient: &mut [T],
        query_gradient: &mut [T],
        buffers: &mut AttentionBuffers<T>,
    ) {
        if let Weighting::Attention(attention) = &mut self.weighting {
            attention.backward(queries, pooled_gradient, keys_gradient, query_gradient, buffers);
            return;
        }
        let (d, segments) = (self.width, queries.segments);
        for_each_block(keys_gradient, d, |first, block| {
            for (gradient, &sample) in block.chunks_exact_mut(d).zip(&segments.samples()[first..]) {
                let factor = self.factor(segments.range(sample as usize).len());
                let v_gradient = &pooled_gradient[sample as usize * d..][..d];
                for (gradient, &v_gradient) in gradient.iter_mut().zip(v_gradient) {
                    *gradient = factor * v_gradient;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(weighting: Weighting<f64>) -> Vec<f64> {
        let mut segments = Segments::default();
        segments.fill([(0, 2), (2, 2), (2, 3)].into_iter());
        let gather = |rows: std::ops::Range<usize>, keys: &mut [f64]| {
            keys.copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][2 * rows.start..2 * rows.end]);
        };
        let mut pooled = vec![f64::NAN; 6];
        let pooling = Pooling { width: 2, weighting };
        let queries = Queries { values: &[0.0; 6], segments: &segments };
        pooling.forward_eval(queries, &gather, &mut pooled, &mut AttentionBuffers::default());
        pooled
    }

    #[test]
    fn empty_history_pools_to_zero() {
        assert_eq!(pooled(Weighting::Sum), [4.0, 6.0, 0.0, 0.0, 5.0, 6.0]);
        assert_eq!(pooled(Weighting::Mean), [2.0, 3.0, 0.0, 0.0, 5.0, 6.0]);
    }
}
