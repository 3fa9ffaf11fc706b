//! The activation unit: one attention weight for each pair of a candidate q and a behaviour k.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::blocks::{add, for_each_block, resize};
use super::layer::{Layer, LayerBuffers, Mlp, MlpBuffers};
use super::parameter::Parameter;
use super::product::{Matrix, Output, multiply};
use super::real::Real;
use super::segments::Pairs;
use crate::config::model::UnitConfig;

/// An MLP over `[q, k, q-k, q*k]`, `4 D` wide, whose first layer is computed folded.
///
/// Its weight is `W = [Wq, Wk, Wd, Wp]: [H, 4 D]`, and it is W that is stored and trained. Since
/// `W [q, k, q-k, q*k] = (Wq + Wd) q + (Wk - Wd) k + Wp (q*k)`, exactly, the part of q is computed once a sample instead of
/// once a behaviour, and what remains is half as wide: half of the arithmetic of the first layer, forward and backward.
#[derive(Clone, Debug)]
pub struct ActivationUnit<T> {
    /// D.
    width: usize,
    /// `4 D` wide.
    pub first: Layer<T>,
    /// At least the output layer, linear and one wide.
    pub rest: Mlp<T>,
}

/// Reused between steps.
#[derive(Clone, Debug, Default)]
pub struct UnitBuffers<T> {
    /// `[Wk - Wd, Wp]: [H, 2 D]`.
    pair_weight: Vec<T>,
    /// `Wq + Wd: [H, D]`.
    query_weight: Vec<T>,
    /// `q (Wq + Wd)^T + b: [B, H]`.
    query_part: Vec<T>,
    /// dL / d `query_part`.
    query_part_gradient: Vec<T>,
    /// dL / d `pair_weight`.
    pair_weight_gradient: Vec<T>,
    /// dL / d `query_weight`.
    query_weight_gradient: Vec<T>,
    first: LayerBuffers<T>,
    rest: MlpBuffers<T>,
}

impl<T: Real> UnitBuffers<T> {
    /// The unit's outputs: `[P]`.
    #[must_use]
    pub fn scores(&self) -> &[T] {
        self.rest.layers.last().map_or(&[], |layer| &layer.values)
    }

    /// Where the caller puts dL / d scores between the forward and the backward pass: `[P]`.
    pub fn score_gradient_mut(&mut self) -> &mut Vec<T> {
        let last = self.rest.layers.len() - 1;
        &mut self.rest.layers[last].gradient
    }
}

impl<T: Real> ActivationUnit<T> {
    /// A new unit for keys of D numbers; at least one hidden layer is needed.
    #[must_use]
    pub fn new(width: usize, config: &UnitConfig, rng: &mut ChaCha8Rng) -> Self {
        let mut layers = Vec::new();
        let mut inputs = 4 * width;
        for &outputs in &config.hidden {
            layers.push(Layer::hidden(inputs, outputs, config.activation, false, rng));
            inputs = outputs;
        }
        layers.push(Layer::output(inputs, rng));
        Self::from_layers(width, layers)
    }

    /// From layers of which the first is `4 width` wide and the last linear with one output; two at least.
    #[must_use]
    pub fn from_layers(width: usize, mut layers: Vec<Layer<T>>) -> Self {
        let first = layers.remove(0);
        Self { width, first, rest: Mlp { layers } }
    }

    /// The first layer, up to its activation: `Z = [K, Q*K] [Wk - Wd, Wp]^T + (Q (Wq + Wd)^T + b)[segment]`.
    fn forward_first(&self, pairs: Pairs<'_, T>, buffers: &mut UnitBuffers<T>) {
        let Pairs { keys, query, segments } = pairs;
        let (d, h) = (self.width, self.first.linear.outputs);
        self.fold(buffers);
        let samples = query.len() / d;
        resize(&mut buffers.query_part, samples * h);
        for row in buffers.query_part.chunks_exact_mut(h) {
            row.copy_from_slice(&self.first.linear.bias.values);
        }
        let query_weight = Matrix::new(&buffers.query_weight, h, d);
        // [B, D] x [D, H] -> [B, H]
        multiply(
            &mut buffers.query_part,
            Matrix::new(query, samples, d),
            query_weight.transposed(),
            Output::Add,
        );
        resize(&mut buffers.first.values, segments.rows() * h);
        let query_part = &buffers.query_part;
        for_each_block(&mut buffers.first.values, h, |first, block| {
            for (row, &sample) in block.chunks_exact_mut(h).zip(&segments.samples()[first..]) {
                row.copy_from_slice(&query_part[sample as usize * h..][..h]);
            }
        });
        let pair_weight = Matrix::new(&buffers.pair_weight, h, 2 * d);
        // [P, 2 D] x [2 D, H] -> [P, H]
        let keys = Matrix::new(keys, segments.rows(), 2 * d);
        multiply(&mut buffers.first.values, keys, pair_weight.transposed(), Output::Add);
    }

    /// From keys `[K, Q[segment] * K]: [P, 2 D]` and queries `[B, D]` to the scores, left in the buffers.
    pub fn forward_train(&mut self, pairs: Pairs<'_, T>, moving_average: f64, buffers: &mut UnitBuffers<T>) {
        self.forward_first(pairs, buffers);
        self.first.activate_train(&mut buffers.first, moving_average);
        let UnitBuffers { first, rest, .. } = buffers;
        self.rest.forward_train(&first.values, pairs.segments.rows(), moving_average, None, rest);
    }

    /// As [`Self::forward_train`] under the moving statistics, changing nothing.
    pub fn forward_eval(&self, pairs: Pairs<'_, T>, buffers: &mut UnitBuffers<T>) {
        self.forward_first(pairs, buffers);
        self.first.activate_eval(&mut buffers.first.values);
        let UnitBuffers { first, rest, .. } = buffers;
        self.rest.forward_eval(&first.values, pairs.segments.rows(), rest);
    }

    /// From the buffers' score gradient to the gradients of all parameters, of the keys (overwritten) and of the query
    /// (added to, its direct part alone: what flows through `Q * K` is the caller's).
    pub fn backward(
        &mut self,
        pairs: Pairs<'_, T>,
        keys_gradient: &mut [T],
        query_gradient: &mut [T],
        buffers: &mut UnitBuffers<T>,
    ) {
        let (d, h) = (self.width, self.first.linear.outputs);
        let Pairs { keys, query, segments } = pairs;
        let (rows, samples) = (segments.rows(), query.len() / d);
        resize(&mut buffers.first.gradient, rows * h);
        self.rest.backward(&buffers.first.values, &mut buffers.first.gradient, &mut buffers.rest);
        self.first.backward_activation(&mut buffers.first);

        let z_gradient = &buffers.first.gradient;
        resize(&mut buffers.query_part_gradient, samples * h);
        buffers.query_part_gradient.par_chunks_mut(h).with_min_len(16).enumerate().for_each(
            |(sample, sum)| {
                sum.fill(T::zero());
                let range = segments.range(sample);
                for row in z_gradient[range.start * h..range.end * h].chunks_exact(h) {
                    add(sum, row);
                }
            },
        );

        let z_gradient = Matrix::new(z_gradient, rows, h);
        resize(&mut buffers.pair_weight_gradient, h * 2 * d);
        // [H, P] x [P, 2 D] -> [H, 2 D]
        let keys = Matrix::new(keys, rows, 2 * d);
        multiply(&mut buffers.pair_weight_gradient, z_gradient.transposed(), keys, Output::Overwrite);
        // [P, H] x [H, 2 D] -> [P, 2 D]
        multiply(keys_gradient, z_gradient, Matrix::new(&buffers.pair_weight, h, 2 * d), Output::Overwrite);

        let query_part_gradient = Matrix::new(&buffers.query_part_gradient, samples, h);
        resize(&mut buffers.query_weight_gradient, h * d);
        // [H, B] x [B, D] -> [H, D]
        let query = Matrix::new(query, samples, d);
        multiply(
            &mut buffers.query_weight_gradient,
            query_part_gradient.transposed(),
            query,
            Output::Overwrite,
        );
        // [B, H] x [H, D] -> [B, D]
        multiply(query_gradient, query_part_gradient, Matrix::new(&buffers.query_weight, h, d), Output::Add);
        let bias_gradient = &mut self.first.linear.bias.gradient;
        bias_gradient.fill(T::zero());
        for row in buffers.query_part_gradient.chunks_exact(h) {
            add(bias_gradient, row);
        }
        self.unfold_gradient(buffers);
    }

    /// `W` to `[Wk - Wd, Wp]` and `Wq + Wd`.
    fn fold(&self, buffers: &mut UnitBuffers<T>) {
        let (d, h) = (self.width, self.first.linear.outputs);
        resize(&mut buffers.pair_weight, h * 2 * d);
        resize(&mut buffers.query_weight, h * d);
        let folded =
            buffers.pair_weight.chunks_exact_mut(2 * d).zip(buffers.query_weight.chunks_exact_mut(d));
        for (w, (pair, query)) in self.first.linear.weight.values.chunks_exact(4 * d).zip(folded) {
            for j in 0..d {
                let (wq, wk, wd, wp) = (w[j], w[d + j], w[2 * d + j], w[3 * d + j]);
                query[j] = wq + wd;
                pair[j] = wk - wd;
                pair[d + j] = wp;
            }
        }
    }

    /// The gradients of `Wk - Wd`, `Wp` and `Wq + Wd` to that of W: `dWd` is the query part's less the key part's.
    fn unfold_gradient(&mut self, buffers: &UnitBuffers<T>) {
        let d = self.width;
        let folded = buffers
            .pair_weight_gradient
            .chunks_exact(2 * d)
            .zip(buffers.query_weight_gradient.chunks_exact(d));
        for (w, (pair, query)) in self.first.linear.weight.gradient.chunks_exact_mut(4 * d).zip(folded) {
            for j in 0..d {
                w[j] = query[j];
                w[d + j] = pair[j];
                w[2 * d + j] = query[j] - pair[j];
                w[3 * d + j] = pair[d + j];
            }
        }
    }

    /// Every dense parameter, in a fixed order.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter<T>> {
        self.first.parameters_mut().chain(self.rest.parameters_mut())
    }
}
