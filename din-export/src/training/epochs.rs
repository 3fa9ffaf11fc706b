//! Epochs, early stopping, and the best epoch's weights.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::error::TrainingError;
use super::evaluation::evaluate;
use super::trainer::{SHUFFLE_STREAM, Trainer};
use crate::config::model::ModelConfig;
use crate::config::training::{SelectionMetric, TrainingConfig};
use crate::data::dataset::Dataset;
use crate::metrics::Metrics;
use crate::network::{Batch, Network};
use crate::weights::ModelWeights;

/// What [`train`] tells its caller.
#[derive(Debug)]
pub enum Event<'a> {
    /// After each step.
    Step {
        /// From 1.
        epoch: usize,
        /// Within the epoch, from 1.
        step: usize,
        /// Of an epoch.
        steps: usize,
        /// The batch's mean loss before the step.
        loss: f64,
    },
    /// After each epoch.
    Epoch {
        /// Its figures.
        report: &'a EpochReport,
        /// As it is now: for curves on other splits, which nothing may be chosen on.
        network: &'a Network<f32>,
    },
}

/// The figures of one epoch.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct EpochReport {
    /// From 1.
    pub epoch: usize,
    /// The mean over the epoch's samples of the loss at the time of their step.
    pub train_loss: f64,
    /// On the validation split, after the epoch.
    pub valid: Metrics,
    /// Whether it is the best so far.
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

/// Trains a new network and returns the weights of the epoch that is best on the validation split.
///
/// An epoch is cut into batches that differ by one sample at most, none larger than `batch_size`, so that no small rest
/// distorts the batch statistics. The test split is not looked at. On one machine, the same dataset, configuration and number of threads of
/// the current rayon pool give the same weights.
///
/// # Errors
/// If the configuration is unusable, a split is empty or cannot be measured, or a number leaves the range of f32.
pub fn train(
    dataset: &Dataset,
    model: &ModelConfig,
    config: &TrainingConfig,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Trained, TrainingError> {
    for (split, indices) in [("train", &dataset.train), ("valid", &dataset.valid)] {
        if indices.is_empty() {
            return Err(TrainingError::EmptySplit { split });
        }
    }
    let samples = &dataset.samples;
    let mut trainer = Trainer::new(dataset, model, config)?;
    let mut order = dataset.train.clone();
    let mut shuffle_rng = ChaCha8Rng::seed_from_u64(config.seed);
    shuffle_rng.set_stream(SHUFFLE_STREAM);
    let steps = order.len().div_ceil(config.batch_size);
    let mut best: Option<(f64, usize, ModelWeights)> = None;
    let mut epochs = Vec::new();
    for epoch in 1..=config.epochs {
        order.shuffle(&mut shuffle_rng);
        let mut total_loss = 0.0;
        for step in 1..=steps {
            let indices = &order[(step - 1) * order.len() / steps..step * order.len() / steps];
            let loss = trainer.step(Batch { samples, indices });
            if !loss.is_finite() {
                return Err(TrainingError::NonFiniteLoss { epoch, step, loss });
            }
            total_loss += loss * indices.len() as f64;
            on_event(Event::Step { epoch, step, steps, loss });
        }
        let valid = evaluate(trainer.network(), samples, &dataset.valid);
        if !valid.log_loss.is_finite() {
            return Err(TrainingError::NonFiniteScore { epoch });
        }
        let figure = selection_figure(config.select_on, &valid)?;
        let is_best = best.as_ref().is_none_or(|(best, ..)| figure > *best);
        if is_best {
            best = Some((figure, epoch, trainer.network().to_weights()));
        }
        let train_loss = total_loss / order.len() as f64;
        epochs.push(EpochReport { epoch, train_loss, valid, best: is_best });
        on_event(Event::Epoch { report: &epochs[epoch - 1], network: trainer.network() });
        let best_epoch = best.as_ref().map_or(epoch, |best| best.1);
        if config.patience > 0 && epoch - best_epoch >= config.patience {
            break;
        }
    }
    match best {
        Some((_, best_epoch, weights)) => Ok(Trained { weights, best_epoch, epochs }),
        None => Err(TrainingError::Setting { key: "epochs", found: 0.0, expected: "at least 1" }),
    }
}

/// The larger, the better.
fn selection_figure(metric: SelectionMetric, valid: &Metrics) -> Result<f64, TrainingError> {
    let missing = |metric, reason| TrainingError::NoSelectionMetric { metric, reason };
    match metric {
        SelectionMetric::Auc => valid.auc.ok_or(missing("AUC", "all its labels are the same")),
        SelectionMetric::Gauc => valid
            .gauc
            .map(|gauc| gauc.weighted)
            .ok_or(missing("GAUC", "all labels of each of its users are the same")),
        SelectionMetric::LogLoss => Ok(-valid.log_loss),
    }
}
