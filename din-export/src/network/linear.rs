//! The affine part of a dense layer.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::blocks::{column_sums, for_each_block};
use super::parameter::Parameter;
use super::product::{Matrix, Output, multiply};
use super::real::Real;

/// `y = weight x + bias`.
#[derive(Clone, Debug)]
pub struct Linear<T> {
    /// Width I of x.
    pub inputs: usize,
    /// Width O of y.
    pub outputs: usize,
    /// `[O, I]`.
    pub weight: Parameter<T>,
    /// `[O]`.
    pub bias: Parameter<T>,
}

impl<T: Real> Linear<T> {
    /// Weights uniform in `+-sqrt(6 / (inputs + outputs))` (Glorot and Bengio 2010, equation 16), biases zero.
    #[must_use]
    pub fn glorot(inputs: usize, outputs: usize, rng: &mut ChaCha8Rng) -> Self {
        let limit = (6.0 / (inputs + outputs) as f64).sqrt();
        let weight = (0..inputs * outputs).map(|_| T::from_f64(rng.random_range(-limit..limit))).collect();
        Self::new(inputs, outputs, weight, vec![T::zero(); outputs])
    }

    /// From `weight: [outputs, inputs]` and `bias: [outputs]`.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize, weight: Vec<T>, bias: Vec<T>) -> Self {
        Self { inputs, outputs, weight: Parameter::weights(weight), bias: Parameter::undecayed(bias) }
    }

    /// `x: [n, I]` to `y: [n, O]`.
    pub fn forward(&self, x: &[T], y: &mut [T]) {
        let bias = &self.bias.values;
        for_each_block(y, self.outputs, |_, block| {
            for row in block.chunks_exact_mut(bias.len()) {
                row.copy_from_slice(bias);
            }
        });
        let n = y.len() / self.outputs;
        let weight = Matrix::new(&self.weight.values, self.outputs, self.inputs);
        // [n, I] x [I, O] -> [n, O]
        multiply(y, Matrix::new(x, n, self.inputs), weight.transposed(), Output::Add);
    }

    /// From `x` and `dL/dy: [n, O]` to the gradients of the parameters and, where wanted, `dL/dx: [n, I]`.
    pub fn backward(&mut self, x: &[T], y_gradient: &[T], x_gradient: Option<&mut [T]>) {
        let n = y_gradient.len() / self.outputs;
        let y_gradient = Matrix::new(y_gradient, n, self.outputs);
        // [O, n] x [n, I] -> [O, I]
        let x = Matrix::new(x, n, self.inputs);
        multiply(&mut self.weight.gradient, y_gradient.transposed(), x, Output::Overwrite);
        if let Some(x_gradient) = x_gradient {
            let weight = Matrix::new(&self.weight.values, self.outputs, self.inputs);
            // [n, O] x [O, I] -> [n, I]
            multiply(x_gradient, y_gradient, weight, Output::Overwrite);
        }
        self.bias.gradient = column_sums(y_gradient.values(), self.outputs);
    }
}
