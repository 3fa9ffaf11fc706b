//! Dense layers in f32, and what follows a layer.

#[cfg(doc)]
use super::NONE;
use super::{Cursor, Record};
use crate::subject::Subject;
use serde::{Deserialize, Serialize};

/// What follows the affine part of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Activation {
    /// Nothing.
    #[default]
    Linear,
    /// `1 / (1 + exp(-s))`.
    Sigmoid,
    /// `max(s, 0)`.
    Relu,
    /// `s` where positive, else `alpha s`; parameters: alpha.
    PRelu,
    /// `s (alpha + (1 - alpha) sigmoid(a s + b))`; parameters: a, b, alpha. Folded from the stored moving statistics:
    /// `a = 1 / sqrt(variance + eps)`, `b = -mean a`.
    Dice,
}

impl Activation {
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 5] = [Self::Linear, Self::Sigmoid, Self::Relu, Self::PRelu, Self::Dice];

    /// Parameters for each unit.
    #[must_use]
    pub const fn parameters(self) -> usize {
        match self {
            Self::Linear | Self::Sigmoid | Self::Relu => 0,
            Self::PRelu => 1,
            Self::Dice => 3,
        }
    }
}

/// A dense layer, its weight stored `[inputs, outputs]`: the outputs of one input side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Rows of the weight. First layer of a unit: `P + D + P` for `Wq + Wd`, `Wk - Wd`, `Wp` (folded).
    #[serde(with = "postcard::fixint::le")]
    pub inputs: u32,
    /// Columns of the weight.
    #[serde(with = "postcard::fixint::le")]
    pub outputs: u32,
    /// What follows.
    pub activation: Activation,
    /// Section of the weight: f32.
    #[serde(with = "postcard::fixint::le")]
    pub weight: u16,
    /// Section of the bias: an f32 for each output.
    #[serde(with = "postcard::fixint::le")]
    pub bias: u16,
    /// Section of the activation's parameters, one run of `outputs` f32 for each, or [`NONE`].
    #[serde(with = "postcard::fixint::le")]
    pub parameters: u16,
}

impl Record for LayerRecord {
    const SIZE: usize = 15;
    const SUBJECT: Subject = Subject::Layer;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            inputs: from.u32(),
            outputs: from.u32(),
            activation: from.choice(Activation::ALL)?,
            weight: from.u16(),
            bias: from.u16(),
            parameters: from.u16(),
        })
    }
}
