//! How a model is trained, as a job file states it.

use super::interval::Interval;
use serde::{Deserialize, Serialize};

/// Which rule turns gradients into steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// w -= rate * gradient.
    Sgd,
    /// Steps shrink with the root of the summed squares.
    Adagrad,
    /// Moments with bias correction; embedding rows are stepped when touched only.
    Adam,
}

/// The optimiser and its schedule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The rule.
    pub kind: OptimizerKind,
    /// Step size at the start; positive.
    pub learning_rate: f64,
    /// The rate is multiplied by `decay_rate` every so many steps; 0 never.
    pub decay_steps: u64,
    /// In (0, 1].
    pub decay_rate: f64,
    /// Adam's first-moment decay.
    pub beta1: f64,
    /// Adam's second-moment decay.
    pub beta2: f64,
    /// Added to the root in Adam and Adagrad.
    pub epsilon: f64,
    /// Adagrad's accumulator at the start.
    pub initial_accumulator: f64,
    /// The gradient's largest global norm; 0 does not clip.
    pub clip_norm: f64,
    /// Decoupled decay of the dense layers' weights (not biases), each step: w -= rate * decay * w.
    pub dense_decay: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adam,
            learning_rate: 1e-3,
            decay_steps: 0,
            decay_rate: 1.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            initial_accumulator: 0.1,
            clip_norm: 0.0,
            dense_decay: 0.0,
        }
    }
}

/// How embedding rows are kept small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegularizationKind {
    /// Not at all.
    #[default]
    None,
    /// A row seen in the batch decays by lambda, once a batch.
    L2,
    /// A row j seen in the batch decays by lambda / `n_j`, once a batch (equations 4 to 7 of the paper).
    MiniBatchAware,
}

/// The regulariser of the embedding rows.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegularizationConfig {
    /// Which.
    pub kind: RegularizationKind,
    /// Its strength, multiplied by the learning rate; 0.01 in the paper.
    pub lambda: f64,
}

impl Default for RegularizationConfig {
    fn default() -> Self {
        Self { kind: RegularizationKind::None, lambda: 0.01 }
    }
}

/// What early stopping looks at, on the validation split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionMetric {
    /// Highest AUC.
    #[default]
    Auc,
    /// Highest impression-weighted GAUC.
    Gauc,
    /// Highest UAUC: AUC within users, their plain mean.
    Uauc,
    /// Highest mean of AUC and UAUC, for rankings that are judged by both.
    AucAndUauc,
    /// Lowest log loss.
    LogLoss,
}

impl SelectionMetric {
    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auc => "AUC",
            Self::Gauc => "GAUC",
            Self::Uauc => "UAUC",
            Self::AucAndUauc => "mean of AUC and UAUC",
            Self::LogLoss => "log loss",
        }
    }

    /// A figure as people write it, of one for which larger is better.
    #[must_use]
    pub fn shown(self, figure: f64) -> f64 {
        match self {
            Self::LogLoss => -figure,
            _ => figure,
        }
    }
}

/// When a run is saved, so that it can be resumed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// `"1000steps"`, `"90s"`, `"5min"` (the default), `"2h"` or `"never"`. A run that is told to stop, or that finds a better
    /// epoch, is saved in between unless this is `"never"`.
    pub every: Interval,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every: Interval::Seconds(300) }
    }
}

/// Everything about a training run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Of initial weights, shuffling and dropout.
    pub seed: u64,
    /// The most passes over the training split; with `train_on_valid` exactly so many.
    pub epochs: usize,
    /// Samples in a step.
    pub batch_size: usize,
    /// Epochs without a better validation metric before stopping; 0 never stops early.
    pub patience: usize,
    /// What "better" means.
    pub select_on: SelectionMetric,
    /// Whether the validation samples train too: for the model that ships, with settings and epochs that another run chose.
    /// All epochs are run and the last one is kept, since nothing can be chosen on samples that train.
    #[serde(skip_serializing_if = "std::ops::Not::not")] // so that the hashes of older runs stand
    pub train_on_valid: bool,
    /// Probability that a hidden unit of the head is dropped; in [0, 1).
    pub dropout: f64,
    /// Standard deviation of new embedding rows.
    pub embedding_init: f64,
    /// Share of the old value that Dice's and batch norm's moving statistics keep each step.
    pub moving_average: f64,
    /// Steps.
    pub optimizer: OptimizerConfig,
    /// Embedding rows.
    pub regularization: RegularizationConfig,
    /// Saving.
    pub checkpoint: CheckpointConfig,
    /// How often a line goes to `metrics.jsonl` and a point to TensorBoard: as `checkpoint.every`, by default `"100steps"`.
    pub log_every: Interval,
    /// A batch's mean loss above this ends the run: it explodes. ln 2 = 0.69 is that of a model that knows nothing; 0 ends it
    /// for what is not a number alone.
    pub max_loss: f64,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            epochs: 10,
            batch_size: 256,
            patience: 2,
            select_on: SelectionMetric::Auc,
            train_on_valid: false,
            dropout: 0.0,
            embedding_init: 0.05,
            moving_average: 0.99,
            optimizer: OptimizerConfig::default(),
            regularization: RegularizationConfig::default(),
            checkpoint: CheckpointConfig::default(),
            log_every: Interval::Steps(100),
            max_loss: 100.0,
        }
    }
}

impl TrainingConfig {
    /// What of it decides the samples and their splits, all else as by default.
    #[must_use]
    pub fn deciding_samples(&self) -> Self {
        Self { train_on_valid: self.train_on_valid, ..Self::default() }
    }
}
