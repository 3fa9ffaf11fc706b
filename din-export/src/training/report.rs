//! What training leaves, and tells on the way.

use crate::metrics::Metrics;
use crate::network::Network;
use crate::weights::ModelWeights;
use std::path::{Path, PathBuf};

/// What [`train`](super::train) tells its caller.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// After each step.
    Step {
        /// From 1.
        epoch: usize,
        /// Within the epoch, from 1.
        step: usize,
        /// Of an epoch.
        steps: usize,
        /// Since the run began.
        total_steps: u64,
        /// The batch's mean loss before the step.
        loss: f64,
        /// Samples of the batch.
        samples: usize,
        /// The learning rate of the step.
        rate: f64,
    },
    /// After each epoch.
    Epoch {
        /// Its figures.
        report: &'a EpochReport,
        /// Since the run began.
        total_steps: u64,
        /// As it is now: for curves on other splits, which nothing may be chosen on.
        network: &'a Network<f32>,
    },
    /// A checkpoint was written.
    Saved {
        /// Where.
        file: &'a Path,
    },
    /// A checkpoint is torn; the one before it is used.
    Torn {
        /// Which.
        file: &'a Path,
    },
    /// The run goes on from a checkpoint.
    Resumed {
        /// Which.
        file: &'a Path,
        /// The epoch that it is in, from 1.
        epoch: usize,
        /// Steps of that epoch that are done.
        step: usize,
        /// Since the run began.
        total_steps: u64,
        /// Threads it was made with, if other than now: the weights may differ in rounding from an unbroken run's.
        other_threads: Option<usize>,
    },
}

/// The figures of one epoch.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct EpochReport {
    /// From 1.
    pub epoch: usize,
    /// The mean over the epoch's samples of the loss at the time of their step.
    pub train_loss: f64,
    /// On the validation split, after the epoch.
    pub valid: Metrics,
    /// Whether it is the best so far; always, where validation samples train.
    pub best: bool,
}

/// What training leaves.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Of the best epoch.
    pub weights: ModelWeights,
    /// Which it is, from 1.
    pub best_epoch: usize,
    /// All that were run.
    pub epochs: Vec<EpochReport>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With every epoch that it needed.
    Finished(Box<Trained>),
    /// It was told to stop.
    Stopped {
        /// What it can be resumed from, if it is saved at all.
        checkpoint: Option<PathBuf>,
    },
}
