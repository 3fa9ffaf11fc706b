//! Dense parameters: numbers that every step changes.

use super::real::Real;

/// A dense parameter and the gradient that the last backward pass left.
#[derive(Clone, Debug)]
pub struct Parameter<T> {
    /// Row-major if it is a matrix.
    pub values: Vec<T>,
    /// dL / d values; overwritten by each backward pass.
    pub gradient: Vec<T>,
    /// Whether dense decay applies: true for the weights of dense layers alone.
    pub decays: bool,
}

impl<T: Real> Parameter<T> {
    /// A layer's weights, subject to decay.
    #[must_use]
    pub fn weights(values: Vec<T>) -> Self {
        Self { gradient: vec![T::zero(); values.len()], values, decays: true }
    }

    /// Anything else: biases, slopes, scales.
    #[must_use]
    pub fn undecayed(values: Vec<T>) -> Self {
        Self { decays: false, ..Self::weights(values) }
    }
}
