//! The activation unit: one attention weight for each pair of a candidate q and a behaviour k.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;

use super::layer::Layer;
use super::parameter::Parameter;
use super::real::Real;
use crate::config::model::UnitConfig;

/// An MLP over `[q, k, q-k, q*k]`, `4 D` wide, whose first layer is computed folded (see [`super::own_matrix`]); it is W that is
/// stored and trained.
#[derive(Clone, Debug)]
pub struct ActivationUnit<T> {
    /// D.
    pub(super) width: usize,
    /// The first is `4 D` wide, the last linear with one output; two at least.
    pub layers: Vec<Layer<T>>,
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
    pub fn from_layers(width: usize, layers: Vec<Layer<T>>) -> Self {
        Self { width, layers }
    }

    /// The layers that a task can take its behaviours through in one go, in training. A run ends with the last layer, or with one
    /// whose activation needs all behaviours of the batch: Dice and batch normalisation for their statistics, and `PReLU`, whose
    /// code they share.
    #[must_use]
    pub fn runs(&self) -> Vec<Range<usize>> {
        let ends = |index: &usize| index + 1 == self.layers.len() || !self.layers[*index].is_elementwise();
        let mut start = 0;
        let ends = (0..self.layers.len()).filter(ends);
        ends.map(|last| std::mem::replace(&mut start, last + 1)..last + 1).collect()
    }

    /// Every dense parameter, in a fixed order.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter<T>> {
        self.layers.iter_mut().flat_map(Layer::parameters_mut)
    }
}
