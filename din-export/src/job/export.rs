//! `[export]`: what the blob holds besides the model.

use crate::blob::{Embedding, Embeddings, ExportOptions, NumericPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[export]`. `train` writes it beside the weights, and `export` starts from it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportConfig {
    /// Arithmetic of the blob: `f32` or `integer`.
    pub path: NumericPath,
    /// How embedding rows are stored: `f32`, `f16`, `int8` or `int4`. With `int8` and `int4` a small table whose rounding
    /// would cost accuracy is stored wider: see [`widening`](crate::blob::widening).
    pub embedding: Embedding,
    /// The model's version, which a device compares with the one that it has: raise it for every release.
    pub version: u64,
    /// `[export.tables]`: the form of a table by its name, kept whatever it costs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, Embedding>,
}

impl Default for ExportConfig {
    fn default() -> Self {
        Self { path: NumericPath::F32, embedding: Embedding::F32, version: 1, tables: BTreeMap::new() }
    }
}

impl ExportConfig {
    /// What is asked for each table.
    #[must_use]
    pub fn embeddings(&self) -> Embeddings {
        Embeddings { tables: self.tables.clone(), ..self.embedding.into() }
    }

    /// What the writer is told; calibration is the caller's to add.
    #[must_use]
    pub fn options(&self) -> ExportOptions {
        ExportOptions {
            path: self.path,
            embedding: self.embeddings(),
            model_version: self.version,
            ..ExportOptions::default()
        }
    }
}
