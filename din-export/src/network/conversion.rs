//! Between a network that trains and the weights that are exported.

use super::activation::Activation;
use super::attention::Attention;
use super::batch_norm::BatchNorm;
use super::dice::Dice;
use super::embedding::Embedding;
use super::error::NetworkError;
use super::inputs::Layout;
use super::layer::{Layer, Mlp};
use super::linear::Linear;
use super::model::{ItemBias, Network};
use super::parameter::Parameter;
use super::pooling::{Pooling, Weighting};
use super::prelu::PRelu;
use super::real::Real;
use super::statistics::MovingStatistics;
use super::unit::ActivationUnit;
use crate::weights::{self, ModelWeights, PoolingWeights};

impl<T: Real> Network<T> {
    /// The network as it would score now, in f32, nothing folded.
    #[must_use]
    pub fn to_weights(&self) -> ModelWeights {
        let (pooling, head) = self.dense_weights();
        ModelWeights {
            name: self.name.clone(),
            schema: self.schema.clone(),
            tables: self.tables.iter().map(|table| to_f32(&table.values)).collect(),
            pooling,
            product: self.layout.product,
            head,
            item_bias: self
                .item_bias
                .as_ref()
                .map(|bias| weights::ItemBias { field: bias.field, values: to_f32(&bias.values.values) }),
        }
    }

    /// The small part of [`Self::to_weights`]: the pooling of each sequence, and the layers of the head.
    #[must_use]
    pub fn dense_weights(&self) -> (Vec<PoolingWeights>, Vec<weights::Layer>) {
        let pooling = self.pooling.iter().map(|pooling| match &pooling.weighting {
            Weighting::Sum => PoolingWeights::Sum,
            Weighting::Mean => PoolingWeights::Mean,
            Weighting::Attention(attention) => {
                let layers = attention.unit.layers.iter().map(export_layer).collect();
                PoolingWeights::Attention { layers, normalisation: attention.normalisation }
            }
        });
        (pooling.collect(), self.head.layers.iter().map(export_layer).collect())
    }

    /// The network of trained weights, to be scored with or to be trained further.
    ///
    /// # Errors
    /// If the weights do not fit the schema or each other, or hold a Dice with a learned scale or shift.
    pub fn from_weights(weights: &ModelWeights) -> Result<Self, NetworkError> {
        weights.check()?;
        let schema = weights.schema.clone();
        let layout = Layout::new(&schema, weights.product)?;
        let tables = schema.tables.iter().zip(&weights.tables);
        let tables = tables.map(|(spec, values)| Embedding::new(from_f32(values), spec.dim)).collect();
        let mut pooling = Vec::new();
        for (sequence, weights) in schema.sequences.iter().zip(&weights.pooling) {
            let width = schema.key_width(sequence);
            let weighting = match weights {
                PoolingWeights::Sum => Weighting::Sum,
                PoolingWeights::Mean => Weighting::Mean,
                PoolingWeights::Attention { layers, normalisation } => {
                    if layers.len() < 2 {
                        return Err(NetworkError::NoHiddenUnitLayer);
                    }
                    let part = format!("the activation unit of `{}`", sequence.name);
                    let unit = ActivationUnit::from_layers(width, import_layers(&part, layers)?);
                    Weighting::Attention(Box::new(Attention { unit, normalisation: *normalisation }))
                }
            };
            pooling.push(Pooling { width, weighting });
        }
        let head = Mlp { layers: import_layers("the head", &weights.head)? };
        let item_bias = weights
            .item_bias
            .as_ref()
            .map(|bias| ItemBias { field: bias.field, values: Embedding::new(from_f32(&bias.values), 1) });
        Ok(Self { name: weights.name.clone(), schema, layout, tables, pooling, head, item_bias })
    }
}

fn to_f32<T: Real>(values: &[T]) -> Vec<f32> {
    values.iter().map(|value| value.as_f64() as f32).collect()
}

fn from_f32<T: Real>(values: &[f32]) -> Vec<T> {
    values.iter().map(|&value| T::from_f64(f64::from(value))).collect()
}

fn export_layer<T: Real>(layer: &Layer<T>) -> weights::Layer {
    let values = |parameter: &Parameter<T>| to_f32(&parameter.values);
    let activation = match &layer.activation {
        Activation::Linear => weights::Activation::Linear,
        Activation::Sigmoid => weights::Activation::Sigmoid,
        Activation::Relu => weights::Activation::Relu,
        Activation::PRelu(prelu) => weights::Activation::PRelu { alpha: values(&prelu.alpha) },
        Activation::Dice(dice) => weights::Activation::Dice {
            alpha: values(&dice.alpha),
            mean: to_f32(&dice.moving.mean),
            variance: to_f32(&dice.moving.variance),
            gamma: vec![1.0; layer.linear.outputs],
            beta: vec![0.0; layer.linear.outputs],
            epsilon: dice.epsilon.as_f64() as f32,
        },
    };
    weights::Layer {
        inputs: layer.linear.inputs,
        outputs: layer.linear.outputs,
        weight: values(&layer.linear.weight),
        bias: values(&layer.linear.bias),
        batch_norm: layer.batch_norm.as_ref().map(|norm| weights::BatchNorm {
            mean: to_f32(&norm.moving.mean),
            variance: to_f32(&norm.moving.variance),
            gamma: values(&norm.gamma),
            beta: values(&norm.beta),
            epsilon: norm.epsilon.as_f64() as f32,
        }),
        activation,
    }
}

fn import_layers<T: Real>(part: &str, layers: &[weights::Layer]) -> Result<Vec<Layer<T>>, NetworkError> {
    match layers.last() {
        Some(last) if last.activation == weights::Activation::Linear => {}
        _ => return Err(NetworkError::OutputLayer { part: part.to_owned() }),
    }
    let import = |(index, layer)| import_layer(layer).ok_or_else(|| affine_dice(part, index));
    layers.iter().enumerate().map(import).collect()
}

fn affine_dice(part: &str, index: usize) -> NetworkError {
    NetworkError::AffineDice { part: format!("layer {index} of {part}") }
}

/// `None` if it has a Dice with a learned scale or shift.
fn import_layer<T: Real>(layer: &weights::Layer) -> Option<Layer<T>> {
    let moving =
        |mean: &[f32], variance: &[f32]| MovingStatistics::trained(from_f32(mean), from_f32(variance));
    let epsilon_of = |epsilon: f32| T::from_f64(f64::from(epsilon));
    let batch_norm = layer.batch_norm.as_ref().map(|norm| {
        let moving = moving(&norm.mean, &norm.variance);
        BatchNorm::trained(from_f32(&norm.gamma), from_f32(&norm.beta), moving, epsilon_of(norm.epsilon))
    });
    let activation = match &layer.activation {
        weights::Activation::Linear => Activation::Linear,
        weights::Activation::Sigmoid => Activation::Sigmoid,
        weights::Activation::Relu => Activation::Relu,
        weights::Activation::PRelu { alpha } => Activation::PRelu(PRelu::new(from_f32(alpha))),
        weights::Activation::Dice { alpha, mean, variance, gamma, beta, epsilon } => {
            if gamma.iter().any(|&gamma| gamma != 1.0) || beta.iter().any(|&beta| beta != 0.0) {
                return None;
            }
            Activation::Dice(Dice::trained(from_f32(alpha), moving(mean, variance), epsilon_of(*epsilon)))
        }
    };
    let (weight, bias) = (from_f32(&layer.weight), from_f32(&layer.bias));
    Some(Layer { linear: Linear::new(layer.inputs, layer.outputs, weight, bias), batch_norm, activation })
}
