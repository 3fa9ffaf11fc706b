//! What the writer is free to choose.

use super::embedding::{Embedding, Embeddings};
use crate::request::Request;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The arithmetic between the ids and the score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumericPath {
    /// Floats: for cores with an FPU and for hosts.
    #[default]
    F32,
    /// Integers alone: 8-bit weights, 16-bit activations; the same bits on every machine.
    Integer,
}

impl NumericPath {
    /// Both.
    pub const ALL: [Self; 2] = [Self::F32, Self::Integer];

    /// As jobs and the command line write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Integer => "integer",
        }
    }
}

impl FromStr for NumericPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|path| path.name() == text);
        found.ok_or_else(|| format!("`{text}` is no numeric path; there are f32 and integer"))
    }
}

/// What the writer is free to choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExportOptions {
    /// Floats or integers.
    pub path: NumericPath,
    /// Form of the embedding rows.
    pub embedding: Embeddings,
    /// What the integer path and int8 and int4 rows are calibrated on; none stands for
    /// [`random_requests`](super::calibration::random_requests), the weaker choice.
    pub requests: Vec<Request>,
    /// Of which this blob is a version; 0 takes the hash of the model's name.
    pub model_id: u64,
    /// Only ever raised.
    pub model_version: u64,
}

impl ExportOptions {
    /// Whether anything is rounded to integers, so that requests to calibrate on make the blob better.
    #[must_use]
    pub fn calibrates(&self) -> bool {
        let mut forms = self.embedding.tables.values().chain([&self.embedding.default]);
        self.path == NumericPath::Integer
            || forms.any(|form| matches!(form, Embedding::Int8 | Embedding::Int4))
    }
}
