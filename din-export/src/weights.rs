//! A model as it was trained, in f32, before anything is folded or quantised.
//!
//! The trainer and the importer produce it, the blob writer folds it, the oracle in `tests/` scores with it.

use crate::schema::Schema;

/// What follows a layer's affine part.
#[derive(Clone, Debug, PartialEq)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// `1 / (1 + exp(-s))`.
    Sigmoid,
    /// `max(s, 0)`.
    Relu,
    /// `s` where positive, else `alpha s`.
    PRelu {
        /// One for each unit.
        alpha: Vec<f32>,
    },
    /// `p s + (1 - p) alpha s` with `p = sigmoid(gamma (s - mean) / sqrt(variance + epsilon) + beta)`.
    Dice {
        /// One for each unit.
        alpha: Vec<f32>,
        /// Moving mean of `s`.
        mean: Vec<f32>,
        /// Moving (biased) variance of `s`.
        variance: Vec<f32>,
        /// 1 in the paper; some implementations learn it.
        gamma: Vec<f32>,
        /// 0 in the paper; some implementations learn it.
        beta: Vec<f32>,
        /// Added to the variance, inside the root.
        epsilon: f32,
    },
}

/// Batch normalisation between a layer's affine part and its activation:
/// `gamma (s - mean) / sqrt(variance + epsilon) + beta`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Moving mean.
    pub mean: Vec<f32>,
    /// Moving variance.
    pub variance: Vec<f32>,
    /// Learned scale.
    pub gamma: Vec<f32>,
    /// Learned shift.
    pub beta: Vec<f32>,
    /// Added to the variance, inside the root.
    pub epsilon: f32,
}

/// A dense layer: `activation(batch_norm(weight x + bias))`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Width of the input.
    pub inputs: usize,
    /// Width of the output.
    pub outputs: usize,
    /// `[outputs, inputs]`, row-major.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
    /// Absent in most models.
    pub batch_norm: Option<BatchNorm>,
    /// What follows.
    pub activation: Activation,
}

/// What is done to attention weights before they are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionNormalisation {
    /// Nothing, as in the paper: the intensity of interest is kept.
    #[default]
    None,
    /// `softmax(weight / sqrt(D))` over the behaviours, D the width of the key.
    Softmax,
}

/// How a history becomes an interest vector.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolingWeights {
    /// The sum of the keys.
    Sum,
    /// Their mean; zero when there are none.
    Mean,
    /// The sum of the keys, weighted by the activation unit.
    Attention {
        /// The unit's layers, the last one linear and one wide. The first one's input is `[q, k, q-k, q*k]`, `4 D` wide,
        /// where q is the candidate's fields in the order of the behaviour's and zero where unpaired.
        layers: Vec<Layer>,
        /// Applied to the unit's outputs.
        normalisation: AttentionNormalisation,
    },
}

/// A number for each row of one candidate field's table, added to the logit.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemBias {
    /// Index into [`Schema::candidate`]; a categorical field.
    pub field: usize,
    /// `[rows]` of that field's table.
    pub values: Vec<f32>,
}

/// A whole model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelWeights {
    /// For people.
    pub name: String,
    /// What it reads.
    pub schema: Schema,
    /// `[rows, dim]` for each table.
    pub tables: Vec<Vec<f32>>,
    /// One for each sequence.
    pub pooling: Vec<PoolingWeights>,
    /// Whether the head also reads `pooled * candidate`, over the paired width of each sequence.
    pub product: bool,
    /// Input: `[profile, context, pooled of each sequence, candidate (, product of each sequence)]`; the last layer is
    /// linear and one wide.
    pub head: Vec<Layer>,
    /// Added to the logit.
    pub item_bias: Option<ItemBias>,
}
