//! Why training cannot start, or cannot go on.

use super::checkpoint::CheckpointError;
use super::diagnosis::Diagnosis;
use super::memory::{Bytes, MemoryNeed};
use crate::data::DataError;
use crate::network::NetworkError;

/// Why training cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The schema and the configuration describe no network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Tables and optimiser do not fit.
    #[error(
        "the run needs {need}, but {} are available; raise `min_count` or lower `dim` of the largest tables, or take an \
         optimiser that keeps less, or train regardless with --over-memory",
        Bytes(*available)
    )]
    Memory {
        /// What it needs.
        need: MemoryNeed,
        /// Bytes that the system can give.
        available: u64,
    },
    /// The samples cannot be read any longer.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run cannot be saved or resumed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A setting outside its range.
    #[error("`{key}` is {found}: it must be {expected}")]
    Setting {
        /// As the job file has it, within the table `training`.
        key: &'static str,
        /// Its value.
        found: f64,
        /// What would do.
        expected: &'static str,
    },
    /// Nothing to train on, or to choose the epoch on.
    #[error("the {split} split has no samples")]
    EmptySplit {
        /// `train` or `valid`.
        split: &'static str,
    },
    /// The metric that chooses the epoch does not exist on this split.
    #[error(
        "the valid split has no {metric}, because {reason}: set `select_on = \"log_loss\"`, or change the split"
    )]
    NoSelectionMetric {
        /// AUC, GAUC or UAUC.
        metric: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// The loss left the range of f32, or exceeds `max_loss`.
    #[error("epoch {epoch}, step {step}: the loss is {loss}{}; {hint}", found_at(diagnosis.as_ref()))]
    Diverged {
        /// From 1.
        epoch: usize,
        /// Within the epoch, from 1.
        step: usize,
        /// What it is.
        loss: f64,
        /// Where the numbers went wrong.
        diagnosis: Option<Diagnosis>,
        /// What to change.
        hint: String,
    },
    /// A weight left the range of f32.
    #[error(
        "after epoch {epoch} a validation score is not a number; lower `optimizer.learning_rate` or set `optimizer.clip_norm`"
    )]
    NonFiniteScore {
        /// From 1.
        epoch: usize,
    },
}

impl TrainingError {
    /// Whether the settings explain it: the numbers left their range.
    #[must_use]
    pub fn left_range(&self) -> bool {
        matches!(
            self,
            Self::Diverged { .. }
                | Self::NonFiniteScore { .. }
                | Self::Checkpoint(CheckpointError::NotFinite { .. })
        )
    }
}

fn found_at(diagnosis: Option<&Diagnosis>) -> String {
    diagnosis.map_or_else(String::new, |diagnosis| format!("; {diagnosis}"))
}
