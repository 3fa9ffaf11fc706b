//! The forward pass.

use std::ops::Range;

use rayon::prelude::*;

use super::{Attention, AttentionBuffers, Gather, Queries, Scratch, UnitWeights};
use crate::network::blocks::{add_scaled, resize, vectorised};
use crate::network::product::{Matrix, Start, multiply};
use crate::network::real::Real;
use crate::weights::AttentionNormalisation;

/// The layers that a pass takes behaviours through, and how.
struct Run<'a, T> {
    layers: Range<usize>,
    /// Whether Dice and batch normalisation use their moving statistics: else they are not the run's business.
    moving: bool,
    queries: Queries<'a, T>,
    gather: &'a Gather<'a, T>,
    weights: &'a UnitWeights<T>,
}

/// The samples and rows of a task, and those parts of the buffers that are its own.
struct Task<'a, T> {
    samples: Range<usize>,
    keys: &'a mut [T],
    /// Of each layer.
    values: Vec<&'a mut [T]>,
    query_part: &'a mut [T],
    factors: &'a mut [T],
    pooled: &'a mut [T],
}

impl<T: Real> Attention<T> {
    /// From the queries and the keys that `gather` finds to `pooled: [B, D]`.
    pub fn forward_train(
        &mut self,
        queries: Queries<'_, T>,
        gather: &Gather<'_, T>,
        moving_average: f64,
        pooled: &mut [T],
        buffers: &mut AttentionBuffers<T>,
    ) {
        buffers.start(&self.unit, queries.segments);
        for layers in self.unit.runs() {
            let last = layers.end - 1;
            self.run(queries, gather, (layers, false), pooled, buffers);
            let layer = &mut self.unit.layers[last];
            if !layer.is_elementwise() {
                layer.activate_train(&mut buffers.layers[last], moving_average);
            }
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
        buffers.start(&self.unit, queries.segments);
        self.run(queries, gather, (0..self.unit.layers.len(), true), pooled, buffers);
    }

    /// Takes all samples through some layers, task by task.
    fn run(
        &self,
        queries: Queries<'_, T>,
        gather: &Gather<'_, T>,
        (layers, moving): (Range<usize>, bool),
        pooled: &mut [T],
        buffers: &mut AttentionBuffers<T>,
    ) {
        let (d, segments) = (self.unit.width, queries.segments);
        let h = self.unit.layers[0].linear.outputs;
        let AttentionBuffers { weights, keys, layers: values, query_part, factors, scratch, .. } = buffers;
        resize(query_part, segments.count() * h);
        let run = Run { layers, moving, queries, gather, weights };
        let mut keys = segments.split_rows_mut(keys, d);
        let widths = self.unit.layers.iter().map(|layer| layer.linear.outputs);
        let values = values.iter_mut().zip(widths);
        let mut values: Vec<_> =
            values.map(|(buffers, width)| segments.split_rows_mut(&mut buffers.values, width)).collect();
        let mut query_part = query_part.chunks_mut(segments.samples_per_block() * h);
        let mut factors = segments.split_rows_mut(factors, 1);
        let mut pooled = pooled.chunks_mut(segments.samples_per_block() * d);
        let tasks = segments.blocks().map(|samples| Task {
            samples,
            keys: keys.next().unwrap_or_default(),
            values: values.iter_mut().map(|parts| parts.next().unwrap_or_default()).collect(),
            query_part: query_part.next().unwrap_or_default(),
            factors: factors.next().unwrap_or_default(),
            pooled: pooled.next().unwrap_or_default(),
        });
        let tasks: Vec<_> = tasks.collect();
        tasks
            .into_par_iter()
            .for_each(|mut task| scratch.with(|scratch| self.task(&run, &mut task, scratch)));
    }

    fn task(&self, run: &Run<'_, T>, task: &mut Task<'_, T>, scratch: &mut Scratch<T>) {
        let d = self.unit.width;
        let Queries { segments, .. } = run.queries;
        if run.layers.start == 0 {
            let bias = &self.unit.layers[0].linear.bias.values;
            let queries = run.queries.of(task.samples.clone(), d);
            run.weights.first.query_part(queries, bias, task.query_part);
        }
        for group in segments.groups(task.samples.clone()) {
            if run.layers.start == 0 {
                let own = task.own_rows(&run.queries, group.clone());
                (run.gather)(segments.rows_of(group.clone()), &mut task.keys[own.start * d..own.end * d]);
            }
            for index in run.layers.clone() {
                if index == 0 {
                    self.first_layer(run, task, group.clone(), scratch);
                } else {
                    self.layer(run, task, group.clone(), index);
                }
            }
            if run.layers.end == self.unit.layers.len() {
                self.pool(run, task, group);
            }
        }
    }

    /// `Z = K M^T + q (Wq + Wd)^T + b` for each sample of a group.
    fn first_layer(
        &self,
        run: &Run<'_, T>,
        task: &mut Task<'_, T>,
        group: Range<usize>,
        scratch: &mut Scratch<T>,
    ) {
        let (d, layer) = (self.unit.width, &self.unit.layers[0]);
        let h = layer.linear.outputs;
        for sample in group.clone() {
            let rows = task.own_rows(&run.queries, sample..sample + 1);
            if rows.is_empty() {
                continue;
            }
            run.weights.first.own_transposed(run.queries.of(sample..sample + 1, d), &mut scratch.own);
            let keys = Matrix::new(&task.keys[rows.start * d..rows.end * d], rows.len(), d);
            let start = &task.query_part[(sample - task.samples.start) * h..][..h];
            // [T, D] x [D, H] -> [T, H]
            multiply(
                &mut task.values[0][rows.start * h..rows.end * h],
                keys,
                &scratch.own,
                Start::Row(start),
            );
        }
        self.activate(run, task, group, 0);
    }

    /// `Z = A W^T + b` for a group, A the activations of the layer below.
    fn layer(&self, run: &Run<'_, T>, task: &mut Task<'_, T>, group: Range<usize>, index: usize) {
        let linear = &self.unit.layers[index].linear;
        let (inputs, outputs) = (linear.inputs, linear.outputs);
        let rows = task.own_rows(&run.queries, group.clone());
        let (below, own) = task.values.split_at_mut(index);
        let input =
            Matrix::new(&below[index - 1][rows.start * inputs..rows.end * inputs], rows.len(), inputs);
        let out = &mut own[0][rows.start * outputs..rows.end * outputs];
        // [rows, I] x [I, O] -> [rows, O]
        multiply(out, input, &run.weights.rest[index - 1].0, Start::Row(&linear.bias.values));
        self.activate(run, task, group, index);
    }

    /// A layer's activation for a group, unless it is done for the whole batch after the run.
    fn activate(&self, run: &Run<'_, T>, task: &mut Task<'_, T>, group: Range<usize>, index: usize) {
        let layer = &self.unit.layers[index];
        if run.moving || layer.is_elementwise() {
            let rows = task.own_rows(&run.queries, group);
            let width = layer.linear.outputs;
            layer.activate_eval(&mut task.values[index][rows.start * width..rows.end * width]);
        }
    }

    /// The factors, and the weighted sums of the keys.
    fn pool(&self, run: &Run<'_, T>, task: &mut Task<'_, T>, group: Range<usize>) {
        let d = self.unit.width;
        let Some(scores) = task.values.last() else { return };
        for sample in group {
            let rows = task.own_rows(&run.queries, sample..sample + 1);
            let factors = &mut task.factors[rows.clone()];
            factors.copy_from_slice(&scores[rows.clone()]);
            if self.normalisation == AttentionNormalisation::Softmax {
                softmax(factors, T::from_f64(1.0 / (d as f64).sqrt()));
            }
            let sum = &mut task.pooled[(sample - task.samples.start) * d..][..d];
            sum.fill(T::zero());
            let keys = task.keys[rows.start * d..rows.end * d].chunks_exact(d);
            vectorised(|| {
                for (&factor, key) in factors.iter().zip(keys) {
                    add_scaled(sum, factor, key);
                }
            });
        }
    }
}

impl<T> Task<'_, T> {
    /// The rows of some samples, counted from the task's first.
    fn own_rows(&self, queries: &Queries<'_, T>, samples: Range<usize>) -> Range<usize> {
        let rows = queries.segments.rows_of(samples);
        let first = queries.segments.rows_of(self.samples.clone()).start;
        rows.start - first..rows.end - first
    }
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

#[cfg(test)]
mod tests {
    use super::softmax;

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
