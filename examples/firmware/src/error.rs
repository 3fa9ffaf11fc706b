//! Why a firmware of these stops.

use din_core::{LoadError, ScoreError};

/// What din-core refused.
#[derive(defmt::Format)]
pub enum Error {
    /// The blob.
    Load(LoadError),
    /// A request.
    Score(ScoreError),
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
