//! The TOML that says which tensor is which part.

use crate::job::export::ExportConfig;
use crate::weights::AttentionNormalisation;
use din_core::Normaliser;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The TOML. `examples/edge-profile/import.toml` is a commented one.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    pub name: String,
    /// The safetensors file, relative to the description.
    pub weights: PathBuf,
    pub tables: BTreeMap<String, TableParts>,
    #[serde(default)]
    pub profile: Vec<FieldParts>,
    #[serde(default)]
    pub context: Vec<FieldParts>,
    pub candidate: Vec<FieldParts>,
    #[serde(default, rename = "sequence")]
    pub sequences: Vec<SequenceParts>,
    pub head: HeadParts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_bias: Option<ItemBiasParts>,
    /// How blobs of the model are written, unless the command line says otherwise.
    #[serde(default)]
    pub export: ExportConfig,
}

/// A tensor `[rows, dim]`, and what its rows stand for: dense ids, or the ids of another tensor.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableParts {
    pub tensor: String,
    /// The smallest id of a dense vocabulary.
    #[serde(default)]
    pub first_id: u64,
    /// Its row: 1 if row 0 stands for unknown ids, 0 if it is an id like any other.
    #[serde(default)]
    pub first_row: u8,
    /// A U64 or I64 tensor of the ids of rows 1, 2, ..., strictly ascending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// Whether the keys are hashes of strings.
    #[serde(default)]
    pub hashed_text: bool,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldParts {
    pub name: String,
    /// Of a categorical field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Of a numeric field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numeric: Option<Normaliser>,
    /// Of a behaviour's field: the candidate field it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SequenceParts {
    pub name: String,
    pub capacity: usize,
    /// Paired fields first.
    pub fields: Vec<FieldParts>,
    pub pooling: PoolingParts,
    #[serde(default)]
    pub normalisation: AttentionNormalisation,
    #[serde(default, rename = "layer")]
    pub layers: Vec<LayerParts>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PoolingParts {
    Sum,
    Mean,
    Attention,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadParts {
    #[serde(default)]
    pub product: bool,
    #[serde(rename = "layer")]
    pub layers: Vec<LayerParts>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerParts {
    pub weight: String,
    pub bias: String,
    /// The weight is `[inputs, outputs]`, as Keras stores it.
    #[serde(default)]
    pub transposed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_norm: Option<NormParts>,
    #[serde(default)]
    pub activation: ActivationParts,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NormParts {
    pub mean: String,
    pub variance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta: Option<String>,
    pub epsilon: f32,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum ActivationParts {
    #[default]
    Linear,
    Sigmoid,
    Relu,
    Prelu {
        alpha: String,
    },
    Dice {
        alpha: String,
        mean: String,
        variance: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        gamma: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        beta: Option<String>,
        epsilon: f32,
    },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemBiasParts {
    pub field: String,
    pub tensor: String,
}
