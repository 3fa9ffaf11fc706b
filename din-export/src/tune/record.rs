//! What is written down of each trial.

use crate::metrics::Metrics;
use serde::{Deserialize, Serialize};

/// How a trial stands on a rung: a line of `trials.jsonl`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Record {
    /// Which trial.
    pub trial: usize,
    /// What its training began from.
    pub seed: u64,
    /// From 0; the last one is the end of the training.
    pub rung: usize,
    /// What came of it.
    pub result: TrialResult,
}

/// What came of a trial so far.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialResult {
    /// It trained.
    Reached {
        /// Epochs that were trained.
        epochs: usize,
        /// The best of them.
        best_epoch: usize,
        /// What it is chosen by; the larger, the better.
        figure: f64,
        /// Of the validation split, after the best epoch.
        valid: Metrics,
        /// Whether more epochs would not be trained: it is out of patience, or of epochs.
        finished: bool,
    },
    /// Its numbers left their range.
    Failed(String),
}

impl Record {
    /// None if it failed.
    #[must_use]
    pub fn figure(&self) -> Option<f64> {
        match self.result {
            TrialResult::Reached { figure, .. } => Some(figure),
            TrialResult::Failed(_) => None,
        }
    }
}
