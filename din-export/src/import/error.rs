//! Every way in which an import is refused.

use crate::job::error::JobError;
use crate::job::nearest::Suggestion;
use crate::weights::WeightsError;
use std::path::PathBuf;

/// Why a model cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be read.
    #[error("{}: cannot read: {source}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The description is not TOML, or has a key that there is not; named as in a job file.
    #[error(transparent)]
    Toml(#[from] JobError),
    /// The description contradicts itself.
    #[error("{}: {message}", file.display())]
    Description {
        /// The description.
        file: PathBuf,
        /// What was found and what was expected.
        message: String,
    },
    /// The weights are no safetensors file.
    #[error("{}: not a safetensors file: {message}", file.display())]
    Weights {
        /// The weights.
        file: PathBuf,
        /// What the reader said.
        message: String,
    },
    /// A name that is not there.
    #[error("{}: {what} `{name}` does not exist{suggestion}", file.display())]
    Unknown {
        /// Where it was looked for.
        file: PathBuf,
        /// Tensor, table or field.
        what: &'static str,
        /// The name.
        name: String,
        /// What could be written instead.
        suggestion: Suggestion,
    },
    /// A tensor that cannot be used.
    #[error("{}: tensor `{tensor}` is {found}, expected {expected}", file.display())]
    Tensor {
        /// The weights.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its type or shape.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// The parts do not fit each other.
    #[error("{}: {source}", file.display())]
    Shape {
        /// The description.
        file: PathBuf,
        /// Which part.
        source: WeightsError,
    },
}
