//! The backward pass.

use std::mem::{swap, take};
use std::ops::Range;

use rayon::prelude::*;

use super::{Attention, AttentionBuffers, Queries, Scratch, UnitGradient, UnitWeights};
use crate::network::blocks::{add, dot, resize, sum_in_order, vectorised};
use crate::network::layer::LayerBuffers;
use crate::network::own_matrix::FoldedGradient;
use crate::network::product::{Matrix, Right, Start, multiply};
use crate::network::real::Real;
use crate::weights::AttentionNormalisation;

/// Some layers, and what tasks read.
struct Run<'a, T> {
    layers: Range<usize>,
    queries: Queries<'a, T>,
    /// `[P, D]`.
    keys: &'a [T],
    /// dL/dv: `[B, D]`.
    pooled_gradient: &'a [T],
    weights: &'a UnitWeights<T>,
    /// Of each layer.
    values: &'a [LayerBuffers<T>],
    /// `[P]`.
    factors: &'a [T],
    /// dL / d affine part of the last layer of the run, `[P, O]`; the unit's last layer starts from `pooled_gradient` instead.
    top: &'a [T],
}

/// The samples of a task, and those parts of the gradients that are its own.
struct Task<'a, T> {
    samples: Range<usize>,
    /// Of the layer below the run, if there is one.
    below: &'a mut [T],
    /// Of the keys, `[rows, D]`.
    keys: &'a mut [T],
    /// Of the query, `[samples, D]`: added to.
    query: &'a mut [T],
    sums: &'a mut UnitGradient<T>,
}

impl<T: Real> Attention<T> {
    /// From `pooled_gradient: [B, D]` to the gradients of the keys, `[P, D]`, of the query, `[B, D]` (added to) and of the unit's
    /// parameters.
    pub fn backward(
        &mut self,
        queries: Queries<'_, T>,
        pooled_gradient: &[T],
        keys_gradient: &mut [T],
        query_gradient: &mut [T],
        buffers: &mut AttentionBuffers<T>,
    ) {
        let (d, segments) = (self.unit.width, queries.segments);
        let block = segments.samples_per_block();
        buffers.gradients.resize_with(segments.blocks().count(), UnitGradient::default);
        for sums in &mut buffers.gradients {
            sums.rest.resize_with(self.unit.layers.len() - 1, Vec::new);
        }
        for layers in self.unit.runs().into_iter().rev() {
            let (start, last) = (layers.start, layers.end - 1);
            if !self.unit.layers[last].is_elementwise() {
                self.unit.layers[last].backward_activation(&mut buffers.layers[last]);
            }
            let top = take(&mut buffers.layers[last].gradient);
            let mut below = Vec::new();
            let mut below_width = 0;
            if start > 0 {
                below = take(&mut buffers.layers[start - 1].gradient);
                below_width = self.unit.layers[start].linear.inputs;
                resize(&mut below, segments.rows() * below_width);
            }
            let AttentionBuffers { weights, keys, layers: values, factors, gradients, scratch, .. } =
                &mut *buffers;
            let run = Run { layers, queries, keys, pooled_gradient, weights, values, factors, top: &top };
            let mut below_parts = segments.split_rows_mut(&mut below, below_width);
            let mut keys_parts = segments.split_rows_mut(keys_gradient, d);
            let query_parts = query_gradient.chunks_mut(block * d);
            let tasks =
                segments.blocks().zip(query_parts).zip(gradients).map(|((samples, query), sums)| Task {
                    samples,
                    below: below_parts.next().unwrap_or_default(),
                    keys: keys_parts.next().unwrap_or_default(),
                    query,
                    sums,
                });
            let tasks: Vec<_> = tasks.collect();
            drop((below_parts, keys_parts));
            tasks.into_par_iter().for_each(|mut task| {
                scratch.with(|scratch| self.task_backward(&run, &mut task, scratch));
            });
            buffers.layers[last].gradient = top;
            if start > 0 {
                buffers.layers[start - 1].gradient = below;
            }
        }
        self.sum_gradients(&buffers.gradients);
    }

    fn task_backward(&self, run: &Run<'_, T>, task: &mut Task<'_, T>, scratch: &mut Scratch<T>) {
        let (d, h) = (self.unit.width, self.unit.layers[0].linear.outputs);
        let segments = run.queries.segments;
        resize(&mut scratch.query_part, task.samples.len() * h);
        task.sums.clear(self, run.layers.clone());
        for group in segments.groups(task.samples.clone()) {
            self.start_group(run, group.clone(), scratch);
            for index in run.layers.clone().rev() {
                let layer = &self.unit.layers[index];
                let rows = segments.rows_of(group.clone());
                let width = layer.linear.outputs;
                if layer.is_elementwise() {
                    let values = &run.values[index].values[rows.start * width..rows.end * width];
                    layer.activation.backward_elementwise(values, &mut scratch.gradient, width);
                }
                if index > 0 {
                    self.layer_backward(run, task, rows, index, scratch);
                } else {
                    self.first_layer_backward(run, task, group.clone(), scratch);
                }
            }
        }
        if run.layers.start == 0 {
            let queries = run.queries.of(task.samples.clone(), d);
            run.weights.first.add_query_gradient(&scratch.query_part, task.query);
            let Scratch { query_part, input, .. } = scratch;
            task.sums.first.add_query(queries, query_part, &run.weights.first, input);
        }
    }

    /// Puts the gradient of the run's last layer, for a group, into the scratch memory.
    ///
    /// That of the scores is `dL/da_j = (dL/dv) k_j`, taken through the softmax if there is one.
    fn start_group(&self, run: &Run<'_, T>, group: Range<usize>, scratch: &mut Scratch<T>) {
        let (d, segments) = (self.unit.width, run.queries.segments);
        let rows = segments.rows_of(group.clone());
        let width = self.unit.layers[run.layers.end - 1].linear.outputs;
        scratch.gradient.clear();
        if run.layers.end < self.unit.layers.len() {
            scratch.gradient.extend_from_slice(&run.top[rows.start * width..rows.end * width]);
            return;
        }
        resize(&mut scratch.gradient, rows.len());
        let mut keys = run.keys[rows.start * d..rows.end * d].chunks_exact(d);
        for sample in group {
            let own = segments.range(sample);
            let v_gradient = &run.pooled_gradient[sample * d..][..d];
            let gradient = &mut scratch.gradient[own.start - rows.start..own.end - rows.start];
            vectorised(|| {
                for (gradient, key) in gradient.iter_mut().zip(&mut keys) {
                    *gradient = dot(v_gradient, key);
                }
            });
            if self.normalisation == AttentionNormalisation::Softmax {
                softmax_backward(gradient, &run.factors[own], T::from_f64(1.0 / (d as f64).sqrt()));
            }
        }
    }

    /// From the gradient of a layer's affine part, for a group's rows, to that of its parameters and of the activations below.
    fn layer_backward(
        &self,
        run: &Run<'_, T>,
        task: &mut Task<'_, T>,
        rows: Range<usize>,
        index: usize,
        scratch: &mut Scratch<T>,
    ) {
        let linear = &self.unit.layers[index].linear;
        let (inputs, outputs) = (linear.inputs, linear.outputs);
        let Scratch { gradient, below, input, .. } = scratch;
        let values = &run.values[index - 1].values[rows.start * inputs..rows.end * inputs];
        let values = Right::of(Matrix::new(values, rows.len(), inputs), input);
        let (weight_sums, bias_sums) = task.sums.rest[index - 1].split_at_mut(outputs * inputs);
        vectorised(|| {
            for row in gradient.chunks_exact(outputs) {
                add(bias_sums, row);
            }
        });
        let z_gradient = Matrix::new(gradient, rows.len(), outputs);
        // [O, rows] x [rows, I] -> [O, I]
        multiply(weight_sums, z_gradient.transposed(), values, Start::Output);
        let weight = &run.weights.rest[index - 1].1;
        // [rows, O] x [O, I] -> [rows, I]
        if index == run.layers.start {
            let first = run.queries.segments.rows_of(task.samples.clone()).start;
            let own = (rows.start - first) * inputs..(rows.end - first) * inputs;
            multiply(&mut task.below[own], z_gradient, weight, Start::Zero);
        } else {
            resize(below, rows.len() * inputs);
            multiply(below, z_gradient, weight, Start::Zero);
            swap(gradient, below);
        }
    }

    /// As [`Self::layer_backward`] for the first layer, sample by sample: to the keys and the query. To what flows back through the
    /// first layer comes what flows through the sum: `dk_j = M^T dz_j + a_j dv`.
    fn first_layer_backward(
        &self,
        run: &Run<'_, T>,
        task: &mut Task<'_, T>,
        group: Range<usize>,
        scratch: &mut Scratch<T>,
    ) {
        let (d, h) = (self.unit.width, self.unit.layers[0].linear.outputs);
        let segments = run.queries.segments;
        let Scratch { own, own_gradient, input, gradient, query_part, .. } = scratch;
        resize(own_gradient, h * d);
        let (group_start, task_start) =
            (segments.rows_of(group.clone()).start, segments.rows_of(task.samples.clone()).start);
        for sample in group {
            let rows = segments.range(sample);
            let local = sample - task.samples.start;
            let gradient = &gradient[(rows.start - group_start) * h..(rows.end - group_start) * h];
            let query_part = &mut query_part[local * h..][..h];
            query_part.fill(T::zero());
            if rows.is_empty() {
                continue;
            }
            let keys_gradient = &mut task.keys[(rows.start - task_start) * d..(rows.end - task_start) * d];
            let v_gradient = &run.pooled_gradient[sample * d..][..d];
            vectorised(|| {
                for row in gradient.chunks_exact(h) {
                    add(query_part, row);
                }
                for (row, &factor) in keys_gradient.chunks_exact_mut(d).zip(&run.factors[rows.clone()]) {
                    for (gradient, &v_gradient) in row.iter_mut().zip(v_gradient) {
                        *gradient = factor * v_gradient;
                    }
                }
            });
            let query = run.queries.of(sample..sample + 1, d);
            let z_gradient = Matrix::new(gradient, rows.len(), h);
            let keys = Matrix::new(&run.keys[rows.start * d..rows.end * d], rows.len(), d);
            let keys = Right::of(keys, input);
            // [H, T] x [T, D] -> [H, D]
            multiply(own_gradient, z_gradient.transposed(), keys, Start::Zero);
            task.sums.first.add_own(
                own_gradient,
                query,
                &mut task.query[local * d..][..d],
                &run.weights.first,
            );
            run.weights.first.own(query, own);
            // [T, H] x [H, D] -> [T, D]
            multiply(keys_gradient, z_gradient, &*own, Start::Output);
        }
    }

    /// The tasks' sums, added up in order.
    fn sum_gradients(&mut self, gradients: &[UnitGradient<T>]) {
        let Some((first, rest)) = self.unit.layers.split_first_mut() else { return };
        let folded = sum_in_order(&gradients.iter().map(|task| task.first.values()).collect::<Vec<_>>());
        let linear = &mut first.linear;
        FoldedGradient::unfold(
            &folded,
            self.unit.width,
            &mut linear.weight.gradient,
            &mut linear.bias.gradient,
        );
        for (index, layer) in rest.iter_mut().enumerate() {
            let sums = sum_in_order(&gradients.iter().map(|task| &task.rest[index][..]).collect::<Vec<_>>());
            let (weight, bias) = sums.split_at(layer.linear.weight.gradient.len());
            layer.linear.weight.gradient.copy_from_slice(weight);
            layer.linear.bias.gradient.copy_from_slice(bias);
        }
    }
}

impl<T: Real> UnitGradient<T> {
    /// Zero, for the layers of a run.
    fn clear(&mut self, attention: &Attention<T>, run: Range<usize>) {
        let unit = &attention.unit;
        for index in run {
            let linear = &unit.layers[index].linear;
            if index == 0 {
                self.first.clear(unit.width, linear.outputs);
            } else {
                let sums = &mut self.rest[index - 1];
                sums.clear();
                sums.resize(linear.outputs * (linear.inputs + 1), T::zero());
            }
        }
    }
}

/// From `g = dL/da`, a the softmax's output, to `dL/dx_j = scale a_j (g_j - sum of a_i g_i)`.
fn softmax_backward<T: Real>(g: &mut [T], a: &[T], scale: T) {
    let mean = dot(a, g);
    for (g, &a) in g.iter_mut().zip(a) {
        *g = scale * a * (*g - mean);
    }
}
