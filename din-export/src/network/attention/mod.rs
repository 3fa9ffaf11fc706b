//! Attention pooling: `v = sum over the history of a(q, k_j) k_j`, a the activation unit, with a softmax over its scores as an
//! option.
//!
//! Both passes go by tasks, a few samples each, and within a task by groups of samples that fit a core's cache: a group's keys are
//! looked up, taken through the first layer, the others, the normalisation and the sum before the next group begins. Sums over
//! samples (the weights' gradients) are made task by task, and tasks depend on the batch alone: the same numbers come out on any
//! number of threads.

mod backward;
mod forward;

use std::ops::Range;

use super::blocks::resize;
use super::layer::LayerBuffers;
use super::own_matrix::{FoldedGradient, FoldedWeight};
use super::product::Panels;
use super::real::Real;
use super::scratch::ScratchPool;
use super::segments::Segments;
use super::unit::ActivationUnit;
use crate::weights::AttentionNormalisation;

/// An activation unit, and what is done to its scores.
#[derive(Clone, Debug)]
pub struct Attention<T> {
    /// Scores a behaviour against the candidate.
    pub unit: ActivationUnit<T>,
    /// From the scores of a history to its weights.
    pub normalisation: AttentionNormalisation,
}

/// Writes the keys of some rows of the batch, `[rows, D]`.
pub type Gather<'a, T> = dyn Fn(Range<usize>, &mut [T]) + Sync + 'a;

/// What a batch's histories are held against.
#[derive(Clone, Copy, Debug)]
pub struct Queries<'a, T> {
    /// `[B, D]`.
    pub values: &'a [T],
    /// Which keys belong to which query.
    pub segments: &'a Segments,
}

impl<'a, T> Queries<'a, T> {
    /// Those of some samples, D wide.
    fn of(&self, samples: Range<usize>, width: usize) -> &'a [T] {
        &self.values[samples.start * width..samples.end * width]
    }
}

/// Reused between steps.
#[derive(Clone, Debug, Default)]
pub struct AttentionBuffers<T> {
    weights: UnitWeights<T>,
    /// `[P, D]`; the backward pass reads them too, since to look them up again takes longer.
    keys: Vec<T>,
    /// Activations of each layer, `[P, outputs]`. Gradients are kept where a run begins or ends, else they never leave a task.
    layers: Vec<LayerBuffers<T>>,
    /// `q (Wq + Wd)^T + b: [B, H]`.
    query_part: Vec<T>,
    /// The factor of each behaviour: `[P]`.
    factors: Vec<T>,
    /// The sums of each task.
    gradients: Vec<UnitGradient<T>>,
    scratch: ScratchPool<Scratch<T>>,
}

/// The unit's weights, arranged for a step.
#[derive(Clone, Debug, Default)]
struct UnitWeights<T> {
    first: FoldedWeight<T>,
    /// Of each layer after the first: `[I, O]` for the forward pass, `[O, I]` for the backward one.
    rest: Vec<(Panels<T>, Panels<T>)>,
}

/// The gradient of the unit's affine parts, summed over the samples of a task.
#[derive(Clone, Debug, Default)]
struct UnitGradient<T> {
    first: FoldedGradient<T>,
    /// Of each layer after the first: of the weight, `[O, I]`, then of the bias.
    rest: Vec<Vec<T>>,
}

/// A task's own.
#[derive(Debug, Default)]
struct Scratch<T> {
    /// M of a query, one way or the other.
    own: Panels<T>,
    /// dL/dM: `[H, D]`.
    own_gradient: Vec<T>,
    /// The right factor of a weight's gradient, where that cannot be used in place.
    input: Panels<T>,
    /// dL / d of a layer, for a group: `[rows, O]`.
    gradient: Vec<T>,
    /// The same of the layer below.
    below: Vec<T>,
    /// dL / d query part, for a task: `[samples, H]`.
    query_part: Vec<T>,
}

impl<T: Real> AttentionBuffers<T> {
    /// Arranges the unit's weights for a step, and makes room for it.
    fn start(&mut self, unit: &ActivationUnit<T>, segments: &Segments) {
        let (first, rest) = (&unit.layers[0], &unit.layers[1..]);
        self.weights.first.fold(&first.linear.weight.values, unit.width);
        self.weights.rest.resize_with(rest.len(), Default::default);
        for ((forward, backward), layer) in self.weights.rest.iter_mut().zip(rest) {
            forward.pack(layer.linear.weight_matrix().transposed());
            backward.pack(layer.linear.weight_matrix());
        }
        self.layers.resize_with(unit.layers.len(), LayerBuffers::default);
        for (buffers, layer) in self.layers.iter_mut().zip(&unit.layers) {
            resize(&mut buffers.values, segments.rows() * layer.linear.outputs);
        }
        resize(&mut self.keys, segments.rows() * unit.width);
        resize(&mut self.factors, segments.rows());
    }
}
