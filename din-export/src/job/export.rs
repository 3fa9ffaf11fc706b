//! `[export]`: what the blob holds besides the model.

use crate::blob::Embedding;
use serde::{Deserialize, Serialize};

/// `[export]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportConfig {
    /// How embedding rows are stored.
    pub embedding: Embedding,
    /// The model's version, which a device compares with the one that it has: raise it for every release.
    pub version: u64,
}

impl Default for ExportConfig {
    fn default() -> Self {
        Self { embedding: Embedding::F32, version: 1 }
    }
}
