//! What follows the affine part of a layer.

use super::blocks::for_each_block;
use super::dice::Dice;
use super::parameter::Parameter;
use super::prelu::PRelu;
use super::real::Real;
use crate::config::model::ActivationKind;

/// An activation with its parameters.
#[derive(Clone, Debug)]
pub enum Activation<T> {
    /// Nothing.
    Linear,
    /// Logistic.
    Sigmoid,
    /// `max(s, 0)`.
    Relu,
    /// Learned slopes.
    PRelu(PRelu<T>),
    /// Data-adaptive.
    Dice(Dice<T>),
}

impl<T: Real> Activation<T> {
    /// As a new network has it.
    #[must_use]
    pub fn new(kind: ActivationKind, width: usize) -> Self {
        match kind {
            ActivationKind::Sigmoid => Self::Sigmoid,
            ActivationKind::Relu => Self::Relu,
            ActivationKind::Prelu => Self::PRelu(PRelu::new(vec![T::from_f64(0.25); width])),
            ActivationKind::Dice => Self::Dice(Dice::new(width)),
        }
    }

    /// Replaces `values: [n, width]` by their activations. What [`Self::backward`] needs beyond those goes to `saved`.
    pub fn forward_train(&mut self, values: &mut [T], width: usize, saved: &mut Vec<T>, moving_average: f64) {
        match self {
            Self::Linear | Self::Sigmoid | Self::Relu => self.forward_eval(values, width),
            Self::PRelu(prelu) => prelu.forward_train(values, saved),
            Self::Dice(dice) => dice.forward_train(values, saved, moving_average),
        }
    }

    /// Replaces `values: [n, width]` by their activations, row by row independently.
    pub fn forward_eval(&self, values: &mut [T], width: usize) {
        match self {
            Self::Linear => {}
            Self::Sigmoid => for_each_block(values, width, |_, values| {
                for value in values {
                    *value = value.sigmoid();
                }
            }),
            Self::Relu => for_each_block(values, width, |_, values| {
                for value in values {
                    // Not `max`, which would turn not-a-number into 0.
                    *value = if *value < T::zero() { T::zero() } else { *value };
                }
            }),
            Self::PRelu(prelu) => prelu.forward_eval(values),
            Self::Dice(dice) => dice.forward_eval(values),
        }
    }

    /// Whether it has neither parameters nor statistics: each number of the output depends on one number of the input alone.
    #[must_use]
    pub fn is_elementwise(&self) -> bool {
        matches!(self, Self::Linear | Self::Sigmoid | Self::Relu)
    }

    /// Replaces `dL/df: [n, width]` by `dL/ds`, from the activations f and what the forward pass saved.
    pub fn backward(&mut self, activations: &[T], saved: &[T], gradient: &mut [T], width: usize) {
        match self {
            Self::Linear | Self::Sigmoid | Self::Relu => {
                self.backward_elementwise(activations, gradient, width);
            }
            Self::PRelu(prelu) => prelu.backward(saved, gradient),
            Self::Dice(dice) => dice.backward(saved, gradient),
        }
    }

    /// As [`Self::backward`] for an elementwise activation; any other is left to that.
    pub fn backward_elementwise(&self, activations: &[T], gradient: &mut [T], width: usize) {
        match self {
            Self::Linear | Self::PRelu(_) | Self::Dice(_) => {}
            Self::Sigmoid => for_each_block(gradient, width, |first, gradient| {
                for (g, &f) in gradient.iter_mut().zip(&activations[first * width..]) {
                    *g *= f * (T::one() - f);
                }
            }),
            Self::Relu => for_each_block(gradient, width, |first, gradient| {
                for (g, &f) in gradient.iter_mut().zip(&activations[first * width..]) {
                    *g = if f > T::zero() { *g } else { T::zero() };
                }
            }),
        }
    }

    /// Its learned numbers, if any.
    pub fn parameter_mut(&mut self) -> Option<&mut Parameter<T>> {
        match self {
            Self::Linear | Self::Sigmoid | Self::Relu => None,
            Self::PRelu(prelu) => Some(&mut prelu.alpha),
            Self::Dice(dice) => Some(&mut dice.alpha),
        }
    }
}
