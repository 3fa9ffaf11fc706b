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

/// A tensor that cannot be part of a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WeightsError {
    /// Another length than the rest of the model implies.
    #[error("{what} has {found} numbers, expected {expected}")]
    Length {
        /// Which tensor.
        what: String,
        /// Its length.
        found: usize,
        /// The length it must have.
        expected: usize,
    },
    /// A number that is infinite or not a number, or a negative variance.
    #[error("number {index} of {what} is {found}, expected a finite number, not negative for a variance")]
    Number {
        /// Which tensor.
        what: String,
        /// Which of its numbers.
        index: usize,
        /// The number.
        found: f32,
    },
}

impl ModelWeights {
    /// Checks every length against the schema and the neighbouring layers, and that every number can be used.
    ///
    /// # Errors
    /// The first tensor, or width, that does not fit.
    pub fn check(&self) -> Result<(), WeightsError> {
        let schema = &self.schema;
        equal("tables".to_owned(), self.tables.len(), schema.tables.len())?;
        for (spec, values) in schema.tables.iter().zip(&self.tables) {
            equal(format!("table `{}`", spec.name), values.len(), spec.vocabulary.rows() * spec.dim)?;
            finite(&format!("table `{}`", spec.name), values)?;
        }
        equal("poolings".to_owned(), self.pooling.len(), schema.sequences.len())?;
        let groups = [&schema.profile, &schema.context, &schema.candidate];
        let mut head_inputs: usize = groups.into_iter().map(|fields| schema.total_width(fields)).sum();
        for (sequence, pooling) in schema.sequences.iter().zip(&self.pooling) {
            let width = schema.key_width(sequence);
            head_inputs += width + if self.product { schema.paired_width(sequence) } else { 0 };
            for behaviour in &sequence.fields {
                if let Some(pair) = behaviour.pair {
                    let candidate = schema.candidate.get(pair).map_or(0, |field| schema.width(field));
                    let what = format!("field `{}` of sequence `{}`", behaviour.field.name, sequence.name);
                    equal(what, schema.width(&behaviour.field), candidate)?;
                }
            }
            if let PoolingWeights::Attention { layers, .. } = pooling {
                check_layers(&format!("unit of sequence `{}`", sequence.name), layers, 4 * width)?;
            }
        }
        check_layers("head", &self.head, head_inputs)?;
        if let Some(bias) = &self.item_bias {
            let rows = match schema.candidate.get(bias.field).map(|field| &field.kind) {
                Some(crate::schema::FieldKind::Categorical { table }) => {
                    schema.tables[*table].vocabulary.rows()
                }
                _ => 0,
            };
            equal("item bias".to_owned(), bias.values.len(), rows)?;
            finite("the item bias", &bias.values)?;
        }
        Ok(())
    }
}

fn equal(what: String, found: usize, expected: usize) -> Result<(), WeightsError> {
    if found == expected { Ok(()) } else { Err(WeightsError::Length { what, found, expected }) }
}

fn finite(what: &str, numbers: &[f32]) -> Result<(), WeightsError> {
    usable(what, numbers, f32::is_finite)
}

fn not_negative(what: &str, numbers: &[f32]) -> Result<(), WeightsError> {
    usable(what, numbers, |number| number >= 0.0)
}

fn usable(what: &str, numbers: &[f32], test: impl Fn(f32) -> bool) -> Result<(), WeightsError> {
    match numbers.iter().position(|number| !test(*number)) {
        Some(index) => Err(WeightsError::Number { what: what.to_owned(), index, found: numbers[index] }),
        None => Ok(()),
    }
}

fn check_layers(of: &str, layers: &[Layer], inputs: usize) -> Result<(), WeightsError> {
    let mut inputs = inputs;
    for (index, layer) in layers.iter().enumerate() {
        let what = |part: &str| format!("{part} of layer {index} of the {of}");
        equal(what("input"), layer.inputs, inputs)?;
        equal(what("weight"), layer.weight.len(), layer.inputs * layer.outputs)?;
        equal(what("bias"), layer.bias.len(), layer.outputs)?;
        finite(&what("weight"), &layer.weight)?;
        finite(&what("bias"), &layer.bias)?;
        if let Some(norm) = &layer.batch_norm {
            for part in [&norm.mean, &norm.variance, &norm.gamma, &norm.beta] {
                equal(what("batch norm"), part.len(), layer.outputs)?;
                finite(&what("batch norm"), part)?;
            }
            not_negative(&what("batch norm's variance"), &norm.variance)?;
        }
        match &layer.activation {
            Activation::PRelu { alpha } => {
                equal(what("alpha"), alpha.len(), layer.outputs)?;
                finite(&what("alpha"), alpha)?;
            }
            Activation::Dice { alpha, mean, variance, gamma, beta, .. } => {
                for part in [alpha, mean, variance, gamma, beta] {
                    equal(what("Dice"), part.len(), layer.outputs)?;
                    finite(&what("Dice"), part)?;
                }
                not_negative(&what("Dice's variance"), variance)?;
            }
            Activation::Linear | Activation::Sigmoid | Activation::Relu => {}
        }
        inputs = layer.outputs;
    }
    equal(format!("output of the {of}"), inputs, 1)
}
