//! A dense layer, and a stack of them.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::activation::Activation;
use super::batch_norm::BatchNorm;
use super::blocks::resize;
use super::linear::Linear;
use super::parameter::Parameter;
use super::real::Real;
use crate::config::model::ActivationKind;

/// `activation(batch_norm(weight x + bias))`.
#[derive(Clone, Debug)]
pub struct Layer<T> {
    /// The affine part.
    pub linear: Linear<T>,
    /// Absent in most models.
    pub batch_norm: Option<BatchNorm<T>>,
    /// What follows.
    pub activation: Activation<T>,
}

/// What a layer leaves behind in a forward pass, for the next layer and for the backward pass.
#[derive(Clone, Debug, Default)]
pub struct LayerBuffers<T> {
    /// First the affine part, then, in place, the activations: `[n, outputs]`.
    pub values: Vec<T>,
    /// dL / d of the same.
    pub gradient: Vec<T>,
    /// The standardised affine part, if there is batch normalisation.
    standardised: Vec<T>,
    /// What the activation saved.
    saved: Vec<T>,
    /// `values` after dropout, if any.
    dropped: Vec<T>,
    /// What dropout multiplied them by: 0 or 1 / (1 - probability). Empty without dropout.
    mask: Vec<T>,
}

impl<T: Real> LayerBuffers<T> {
    /// What the next layer reads.
    #[must_use]
    pub fn output(&self) -> &[T] {
        if self.mask.is_empty() { &self.values } else { &self.dropped }
    }
}

/// Hidden units are dropped at random, those that stay grow by `1 / (1 - probability)`.
#[derive(Debug)]
pub struct Dropout<'a> {
    /// In [0, 1).
    pub probability: f64,
    /// Decides.
    pub rng: &'a mut ChaCha8Rng,
}

impl<T: Real> Layer<T> {
    /// A new hidden layer.
    #[must_use]
    pub fn hidden(
        inputs: usize,
        outputs: usize,
        activation: ActivationKind,
        batch_norm: bool,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        Self {
            linear: Linear::glorot(inputs, outputs, rng),
            batch_norm: batch_norm.then(|| BatchNorm::new(outputs)),
            activation: Activation::new(activation, outputs),
        }
    }

    /// A new layer of one linear output.
    #[must_use]
    pub fn output(inputs: usize, rng: &mut ChaCha8Rng) -> Self {
        Self { linear: Linear::glorot(inputs, 1, rng), batch_norm: None, activation: Activation::Linear }
    }

    /// Whether what follows the affine part is elementwise.
    #[must_use]
    pub fn is_elementwise(&self) -> bool {
        self.batch_norm.is_none() && self.activation.is_elementwise()
    }

    /// What follows the affine part, in training: from `buffers.values` in place.
    pub fn activate_train(&mut self, buffers: &mut LayerBuffers<T>, moving_average: f64) {
        let width = self.linear.outputs;
        if let Some(batch_norm) = &mut self.batch_norm {
            batch_norm.forward_train(&mut buffers.values, &mut buffers.standardised, moving_average);
        }
        self.activation.forward_train(&mut buffers.values, width, &mut buffers.saved, moving_average);
    }

    /// What follows the affine part, under the moving statistics.
    pub fn activate_eval(&self, values: &mut [T]) {
        if let Some(batch_norm) = &self.batch_norm {
            batch_norm.forward_eval(values);
        }
        self.activation.forward_eval(values, self.linear.outputs);
    }

    /// `buffers.gradient` from that of the activations to that of the affine part, in place.
    pub fn backward_activation(&mut self, buffers: &mut LayerBuffers<T>) {
        let width = self.linear.outputs;
        self.activation.backward(&buffers.values, &buffers.saved, &mut buffers.gradient, width);
        if let Some(batch_norm) = &mut self.batch_norm {
            batch_norm.backward(&buffers.standardised, &mut buffers.gradient);
        }
    }

    /// Every dense parameter, in a fixed order.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter<T>> {
        let Self { linear, batch_norm, activation } = self;
        let normalisation = batch_norm.iter_mut().flat_map(|norm| [&mut norm.gamma, &mut norm.beta]);
        [&mut linear.weight, &mut linear.bias]
            .into_iter()
            .chain(normalisation)
            .chain(activation.parameter_mut())
    }
}

/// Layers, each reading the one before.
#[derive(Clone, Debug)]
pub struct Mlp<T> {
    /// From the input on.
    pub layers: Vec<Layer<T>>,
}

/// The buffers of each layer.
#[derive(Clone, Debug, Default)]
pub struct MlpBuffers<T> {
    /// From the input on.
    pub layers: Vec<LayerBuffers<T>>,
}

impl<T: Real> Mlp<T> {
    /// From `input: [n, inputs]` to the last layer's activations, in the last of the buffers.
    pub fn forward_train(
        &mut self,
        input: &[T],
        n: usize,
        moving_average: f64,
        mut dropout: Option<&mut Dropout<'_>>,
        buffers: &mut MlpBuffers<T>,
    ) {
        let last = self.layers.len() - 1;
        buffers.layers.resize_with(self.layers.len(), LayerBuffers::default);
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let (before, after) = buffers.layers.split_at_mut(index);
            let own = &mut after[0];
            resize(&mut own.values, n * layer.linear.outputs);
            layer.linear.forward(before.last().map_or(input, LayerBuffers::output), &mut own.values);
            layer.activate_train(own, moving_average);
            own.mask.clear();
            if let Some(dropout) = dropout.as_deref_mut().filter(|_| index < last) {
                drop_units(own, dropout);
            }
        }
    }

    /// As [`Self::forward_train`], but under the moving statistics, without dropout, and changing nothing.
    pub fn forward_eval(&self, input: &[T], n: usize, buffers: &mut MlpBuffers<T>) {
        buffers.layers.resize_with(self.layers.len(), LayerBuffers::default);
        for (index, layer) in self.layers.iter().enumerate() {
            let (before, after) = buffers.layers.split_at_mut(index);
            let own = &mut after[0];
            resize(&mut own.values, n * layer.linear.outputs);
            layer.linear.forward(before.last().map_or(input, |own| &own.values), &mut own.values);
            layer.activate_eval(&mut own.values);
        }
    }

    /// From the last buffer's `gradient`, set by the caller, to the gradients of all parameters and of the input.
    pub fn backward(&mut self, input: &[T], input_gradient: &mut [T], buffers: &mut MlpBuffers<T>) {
        for (index, layer) in self.layers.iter_mut().enumerate().rev() {
            let (before, after) = buffers.layers.split_at_mut(index);
            let own = &mut after[0];
            for (gradient, &kept) in own.gradient.iter_mut().zip(&own.mask) {
                *gradient *= kept;
            }
            layer.backward_activation(own);
            match before.last_mut() {
                None => layer.linear.backward(input, &own.gradient, input_gradient),
                Some(below) => {
                    resize(&mut below.gradient, below.values.len());
                    let (output, gradient) = if below.mask.is_empty() {
                        (&below.values, &mut below.gradient)
                    } else {
                        (&below.dropped, &mut below.gradient)
                    };
                    layer.linear.backward(output, &own.gradient, gradient);
                }
            }
        }
    }

    /// Every dense parameter, in a fixed order.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter<T>> {
        self.layers.iter_mut().flat_map(Layer::parameters_mut)
    }
}

fn drop_units<T: Real>(buffers: &mut LayerBuffers<T>, dropout: &mut Dropout<'_>) {
    let kept = T::from_f64(1.0 / (1.0 - dropout.probability));
    let probability = dropout.probability;
    let masks = buffers
        .values
        .iter()
        .map(|_| if dropout.rng.random::<f64>() < probability { T::zero() } else { kept });
    buffers.mask.extend(masks);
    buffers.dropped.clear();
    buffers.dropped.extend(buffers.values.iter().zip(&buffers.mask).map(|(&value, &mask)| value * mask));
}
