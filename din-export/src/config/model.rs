//! The shape of a model, as a job file states it.

use crate::weights::AttentionNormalisation;
use serde::{Deserialize, Serialize};

/// How histories become interest vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolingKind {
    /// An activation unit weighs each behaviour against the candidate: DIN.
    #[default]
    Attention,
    /// Sum: the base model of the paper.
    Sum,
    /// Mean.
    Mean,
    /// Histories are ignored: the no-history baseline. The exported model has no sequences.
    None,
}

/// What follows a hidden layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivationKind {
    /// Data-adaptive activation (equation 3 of the paper).
    Dice,
    /// Learned slope for negative inputs, one for each unit.
    Prelu,
    /// max(s, 0).
    Relu,
    /// Logistic.
    Sigmoid,
}

/// The activation unit.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnitConfig {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// What follows them.
    pub activation: ActivationKind,
    /// What is done to the attention weights.
    pub normalisation: AttentionNormalisation,
}

impl Default for UnitConfig {
    fn default() -> Self {
        Self {
            hidden: vec![80, 40],
            activation: ActivationKind::Sigmoid,
            normalisation: AttentionNormalisation::None,
        }
    }
}

/// The head.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadConfig {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// What follows them.
    pub activation: ActivationKind,
    /// Batch normalisation before each hidden activation; folded at export.
    pub batch_norm: bool,
    /// Whether it also reads `pooled * candidate`.
    pub product: bool,
    /// The candidate field whose rows each get a bias of the logit.
    pub item_bias: Option<String>,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self {
            hidden: vec![80, 40],
            activation: ActivationKind::Dice,
            batch_norm: false,
            product: false,
            item_bias: None,
        }
    }
}

/// The whole model.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// How histories are pooled.
    pub pooling: PoolingKind,
    /// The activation unit of each sequence.
    pub unit: UnitConfig,
    /// The head.
    pub head: HeadConfig,
}
