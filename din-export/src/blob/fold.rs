//! Exact rewritings of a trained layer into what the device computes.

use crate::schema::{Schema, SequenceSpec};
use crate::weights::{Activation, BatchNorm, Layer};
use din_core::manifest;

/// A layer as the blob holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedLayer {
    /// Rows of the weight.
    pub inputs: usize,
    /// Columns of the weight.
    pub outputs: usize,
    /// `[inputs, outputs]`.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
    /// What follows.
    pub activation: manifest::Activation,
    /// One run of `[outputs]` for each parameter of the activation.
    pub parameters: Vec<f32>,
}

/// Folds batch norm and Dice and transposes the weight.
///
/// `bn(W x + b) = g W x + g (b - mean) + beta` with `g = gamma / sqrt(variance + epsilon)`; Dice likewise to
/// `sigmoid(a s + b)`. Computed in f64, rounded once.
#[must_use]
pub fn layer(layer: &Layer) -> FoldedLayer {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let (scale, shift) = match &layer.batch_norm {
        Some(norm) => batch_norm(norm),
        None => (vec![1.0; outputs], vec![0.0; outputs]),
    };
    let weight = (0..inputs)
        .flat_map(|i| (0..outputs).map(move |o| (i, o)))
        .map(|(i, o)| (f64::from(layer.weight[o * inputs + i]) * scale[o]) as f32)
        .collect();
    let bias = (0..outputs).map(|o| (f64::from(layer.bias[o]) * scale[o] + shift[o]) as f32).collect();
    let (activation, parameters) = activation(&layer.activation);
    FoldedLayer { inputs, outputs, weight, bias, activation, parameters }
}

/// `g` and `beta - g mean`.
fn batch_norm(norm: &BatchNorm) -> (Vec<f64>, Vec<f64>) {
    affine(&norm.mean, &norm.variance, &norm.gamma, &norm.beta, norm.epsilon)
}

fn affine(mean: &[f32], variance: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32) -> (Vec<f64>, Vec<f64>) {
    let scale: Vec<f64> = variance
        .iter()
        .zip(gamma)
        .map(|(variance, gamma)| f64::from(*gamma) / (f64::from(*variance) + f64::from(epsilon)).sqrt())
        .collect();
    let shift =
        scale.iter().zip(mean).zip(beta).map(|((g, mean), beta)| f64::from(*beta) - g * f64::from(*mean));
    let shift = shift.collect();
    (scale, shift)
}

fn activation(activation: &Activation) -> (manifest::Activation, Vec<f32>) {
    match activation {
        Activation::Linear => (manifest::Activation::Linear, Vec::new()),
        Activation::Sigmoid => (manifest::Activation::Sigmoid, Vec::new()),
        Activation::Relu => (manifest::Activation::Relu, Vec::new()),
        Activation::PRelu { alpha } => (manifest::Activation::PRelu, alpha.clone()),
        Activation::Dice { alpha, mean, variance, gamma, beta, epsilon } => {
            let (a, b) = affine(mean, variance, gamma, beta, *epsilon);
            let folded = a.into_iter().chain(b).map(|number| number as f32);
            (manifest::Activation::Dice, folded.chain(alpha.iter().copied()).collect())
        }
    }
}

/// Folds the first layer of an activation unit: `W [q, k, q-k, q*k] = (Wq + Wd) q + (Wk - Wd) k + Wp (q*k)`.
///
/// The result reads `[q (P), k (D), q*k (P)]`: the columns of an unpaired part, where q is zero, are left out.
#[must_use]
pub fn unit_first_layer(schema: &Schema, sequence: &SequenceSpec, layer: &Layer) -> FoldedLayer {
    let width = schema.key_width(sequence);
    let paired = schema.paired_width(sequence);
    let outputs = layer.outputs;
    let unfolded = self::layer(layer);
    // Part `block` (q, k, q-k, q*k) of the weight for input `i` and output `o`.
    let at = |block: usize, i: usize, o: usize| f64::from(unfolded.weight[(block * width + i) * outputs + o]);
    let rows = |len: usize| (0..len).flat_map(|i| (0..outputs).map(move |o| (i, o)));
    let query = rows(paired).map(|(i, o)| (at(0, i, o) + at(2, i, o)) as f32);
    let key = rows(width).map(|(i, o)| (at(1, i, o) - at(2, i, o)) as f32);
    let product = rows(paired).map(|(i, o)| at(3, i, o) as f32);
    let weight = query.chain(key).chain(product).collect();
    FoldedLayer { inputs: 2 * paired + width, weight, ..unfolded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_norm_and_dice_fold_to_the_same_function() {
        let source = Layer {
            inputs: 2,
            outputs: 1,
            weight: vec![0.5, -2.0],
            bias: vec![0.25],
            batch_norm: Some(BatchNorm {
                mean: vec![0.1],
                variance: vec![4.0],
                gamma: vec![3.0],
                beta: vec![-0.5],
                epsilon: 0.0,
            }),
            activation: Activation::Dice {
                alpha: vec![0.3],
                mean: vec![0.2],
                variance: vec![0.25],
                gamma: vec![1.0],
                beta: vec![0.0],
                epsilon: 0.0,
            },
        };
        let folded = layer(&source);
        // 3 (0.5 x0 - 2 x1 + 0.25 - 0.1) / 2 - 0.5 at x = (1, 1)
        let expected = 1.5 * (0.5 - 2.0 + 0.15) - 0.5;
        let found = folded.weight[0] + folded.weight[1] + folded.bias[0];
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        assert_eq!(folded.parameters, [2.0, -0.4, 0.3]);
    }
}
