//! The affine part of a dense layer.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::blocks::column_sums;
use super::parameter::Parameter;
use super::product::{Matrix, Panels, Right, Start, multiply_in_parallel};
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
        let n = y.len() / self.outputs;
        // [n, I] x [I, O] -> [n, O]
        let weight = Panels::of(self.weight_matrix().transposed());
        multiply_in_parallel(y, Matrix::new(x, n, self.inputs), &weight, Start::Row(&self.bias.values));
    }

    /// From `x` and `dL/dy: [n, O]` to the gradients of the parameters and of x, `[n, I]`.
    pub fn backward(&mut self, x: &[T], y_gradient: &[T], x_gradient: &mut [T]) {
        let n = y_gradient.len() / self.outputs;
        let mut scratch = Panels::default();
        let x = Right::of(Matrix::new(x, n, self.inputs), &mut scratch);
        let weight = Panels::of(self.weight_matrix());
        self.bias.gradient = column_sums(y_gradient, self.outputs);
        let y_gradient = Matrix::new(y_gradient, n, self.outputs);
        // [O, n] x [n, I] -> [O, I]
        multiply_in_parallel(&mut self.weight.gradient, y_gradient.transposed(), x, Start::Zero);
        // [n, O] x [O, I] -> [n, I]
        multiply_in_parallel(x_gradient, y_gradient, &weight, Start::Zero);
    }

    /// `[O, I]`.
    #[must_use]
    pub fn weight_matrix(&self) -> Matrix<'_, T> {
        Matrix::new(&self.weight.values, self.outputs, self.inputs)
    }
}
