//! Why a firmware of these stops.

use din_core::{LoadError, ScoreError};

/// What din-core refused.
#[derive(defmt::Format)]
pub enum Error {
    /// The blob.
    Load(LoadError),
    /// A request.
    Score(ScoreError),
    /// A candidate of a self-test scores something else than on the workstation.
    Differs {
        /// Index of the request.
        case: usize,
        /// Index of its candidate.
        candidate: usize,
    },
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<ScoreError> for Error {
    fn from(error: ScoreError) -> Self {
        Self::Score(error)
    }
}
