//! Epochs, early stopping, the best epoch's weights; saved on the way and resumed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::checkpoint::{BestEpoch, CheckpointError, Folder, Identity, RunState};
use super::diagnosis::diagnose;
use super::error::TrainingError;
use super::regularization::RowDecay;
use super::report::{EpochReport, Event, Outcome, Trained};
use super::source::{Batches, Source};
use super::trainer::Trainer;
use crate::config::interval::Interval;
use crate::config::model::ModelConfig;
use crate::config::training::{RegularizationKind, SelectionMetric, TrainingConfig};
use crate::data::dataset::Dataset;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::weights::ModelWeights;

/// Of a run that may take long. The default neither saves nor stops.
#[derive(Clone, Debug, Default)]
pub struct RunOptions<'a> {
    /// Where checkpoints go, every `training.checkpoint.every`; nothing is saved without.
    pub checkpoints: Option<PathBuf>,
    /// Whether to go on from the newest checkpoint; without one, the run starts at the beginning. Not set, a folder that
    /// holds a run is refused.
    pub resume: bool,
    /// Once true, the run is saved and stops after the step.
    pub stop: Option<&'a AtomicBool>,
    /// Width of each table's rows, where it is not that of the data's schema: runs of many widths share one dataset.
    pub dims: Option<&'a [usize]>,
}

/// Trains a new network and returns the weights of the epoch that is best on the validation split, or of the last one where that
/// trains too.
///
/// The test split is not looked at. On one machine, the same dataset and configuration give the same weights, on any number
/// of threads.
///
/// # Errors
/// If the configuration is unusable, a split is empty or cannot be measured, or a number leaves the range of f32.
pub fn train(
    dataset: &Dataset,
    model: &ModelConfig,
    config: &TrainingConfig,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Trained, TrainingError> {
    match run(Source::Memory(dataset), model, config, &RunOptions::default(), on_event)? {
        Outcome::Finished(trained) => Ok(*trained),
        Outcome::Stopped { .. } => unreachable!("nobody can stop a run without a flag"),
    }
}

/// As [`train`], for a run that is saved, stopped and resumed. However often it is, the weights are the same.
///
/// With checkpoints the best epoch's weights wait on disk, not in memory.
///
/// # Errors
/// As [`train`], and if the run cannot be saved or resumed.
pub fn run(
    source: Source<'_>,
    model: &ModelConfig,
    config: &TrainingConfig,
    options: &RunOptions<'_>,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Outcome, TrainingError> {
    source.check()?;
    let mut run = Run::new(source, model, config, options, on_event)?;
    run.resume()?;
    while run.state.epoch <= config.epochs && !run.is_out_of_patience() {
        if !run.steps()? {
            return run.stop();
        }
        run.finish_epoch()?;
        if run.is_told_to_stop() && run.state.epoch <= config.epochs && !run.is_out_of_patience() {
            return run.stop();
        }
    }
    run.finish()
}

struct Run<'a, 'e> {
    source: Source<'a>,
    config: &'a TrainingConfig,
    options: &'a RunOptions<'a>,
    on_event: &'a mut (dyn FnMut(Event<'_>) + 'e),
    trainer: Trainer,
    batches: Batches<'a>,
    state: RunState,
    /// Where checkpoints go, if the run is saved.
    folder: Option<Folder>,
    /// Of the best epoch, where it is not on disk.
    best: Option<ModelWeights>,
    /// When the run was saved last, or began.
    saved_at: Instant,
    steps_since_saved: u64,
}

impl<'a, 'e> Run<'a, 'e> {
    fn new(
        source: Source<'a>,
        model: &ModelConfig,
        config: &'a TrainingConfig,
        options: &'a RunOptions<'a>,
        on_event: &'a mut (dyn FnMut(Event<'_>) + 'e),
    ) -> Result<Self, TrainingError> {
        let folder = options.checkpoints.as_deref().filter(|_| config.checkpoint.every != Interval::Never);
        // Hashing the data is for those who save alone.
        let data = folder.map_or(0, |_| source.identity());
        let state = RunState {
            identity: Identity::new(model, config, data),
            threads: rayon::current_num_threads(),
            epoch: 1,
            step: 0,
            total_steps: 0,
            total_loss: 0.0,
            samples: 0,
            dropout_position: 0,
            epochs: Vec::new(),
            best: None,
        };
        let network = match options.dims {
            None => Network::new(source.schema(), model, config.embedding_init, config.seed)?,
            Some(dims) => {
                let schema = source.schema().with_dims(dims);
                Network::new(&schema, model, config.embedding_init, config.seed)?
            }
        };
        let counts = match config.regularization.kind {
            RegularizationKind::MiniBatchAware => source.counts(network.schema())?,
            RegularizationKind::None | RegularizationKind::L2 => Vec::new(),
        };
        let decay = RowDecay::counted(&config.regularization, counts);
        Ok(Self {
            source,
            config,
            options,
            on_event,
            trainer: Trainer::with_decay(network, decay, config)?,
            batches: Batches::new(source, config.seed, config.batch_size),
            state,
            folder: folder.map(Folder::new),
            best: None,
            saved_at: Instant::now(),
            steps_since_saved: 0,
        })
    }

    /// Goes to where the newest checkpoint is, if there is one and that is wanted.
    fn resume(&mut self) -> Result<(), TrainingError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        if !self.options.resume {
            return match folder.holds_a_run()? {
                false => Ok(()),
                true => {
                    let folder = self.options.checkpoints.clone().unwrap_or_default();
                    Err(CheckpointError::Unfinished { folder }.into())
                }
            };
        }
        let Some(found) = folder.newest()? else { return Ok(()) };
        found.torn.iter().for_each(|file| (self.on_event)(Event::Torn { file }));
        let file = found.file.clone();
        // Settings first: some of them decide the data.
        if found.state.identity.job != self.state.identity.job {
            return Err(CheckpointError::OtherJob { file }.into());
        }
        if found.state.identity.data != self.state.identity.data {
            return Err(CheckpointError::OtherData { file }.into());
        }
        folder.restore(&found, &mut self.trainer.state_mut())?;
        self.trainer.set_dropout_position(found.state.dropout_position);
        let threads = self.state.threads;
        let other_threads = Some(found.state.threads).filter(|&other| other != threads);
        self.state = RunState { threads, ..found.state };
        let RunState { epoch, step, total_steps, .. } = self.state;
        (self.on_event)(Event::Resumed { file: &file, epoch, step, total_steps, other_threads });
        Ok(())
    }

    /// The rest of an epoch's steps; false if it was told to stop in between.
    fn steps(&mut self) -> Result<bool, TrainingError> {
        let epoch = self.state.epoch;
        self.batches.begin_epoch(epoch, self.state.step)?;
        let steps = self.batches.steps();
        while self.state.step < steps {
            if self.is_told_to_stop() {
                return Ok(false);
            }
            let step = self.state.step + 1;
            self.batches.advance(step)?;
            let batch = self.batches.batch(step);
            let samples = batch.indices.len();
            let rate = self.trainer.rate();
            let loss = self.trainer.step(batch);
            if !loss.is_finite() || self.config.max_loss > 0.0 && loss > self.config.max_loss {
                return Err(self.diverged(step, loss, rate));
            }
            self.state.step = step;
            self.state.total_steps += 1;
            self.state.samples += samples as u64;
            self.state.total_loss += loss * samples as f64;
            let total_steps = self.state.total_steps;
            (self.on_event)(Event::Step { epoch, step, steps, total_steps, loss, samples, rate });
            self.steps_since_saved += 1;
            if self.config.checkpoint.every.is_due(self.steps_since_saved, self.saved_at.elapsed()) {
                self.save()?;
            }
        }
        Ok(true)
    }

    /// Why the loss of a step cannot be gone on with.
    fn diverged(&self, step: usize, loss: f64, rate: f64) -> TrainingError {
        let diagnosis = diagnose(self.trainer.network(), self.batches.batch(step));
        let clip = if self.config.optimizer.clip_norm > 0.0 { "lower" } else { "set" };
        let last = self.folder.as_ref().and_then(|folder| folder.newest().ok().flatten());
        let last = last.map_or_else(String::new, |found| format!("; saved before: {}", found.file.display()));
        let hint = format!(
            "lower `optimizer.learning_rate` (it is {rate:e}) or {clip} `optimizer.clip_norm` ({}){last}",
            self.config.optimizer.clip_norm
        );
        TrainingError::Diverged { epoch: self.state.epoch, step, loss, diagnosis, hint }
    }

    /// Measures, remembers the best, and goes on to the next epoch.
    fn finish_epoch(&mut self) -> Result<(), TrainingError> {
        let epoch = self.state.epoch;
        let valid = self.source.evaluate(self.trainer.network())?;
        if !valid.log_loss.is_finite() {
            return Err(TrainingError::NonFiniteScore { epoch });
        }
        let figure = match self.config.train_on_valid {
            false => selection_figure(self.config.select_on, &valid)?,
            // Nothing to choose on: the later, the better.
            true => epoch as f64,
        };
        let is_best = self.state.best.is_none_or(|best| figure > best.figure);
        let train_loss = self.state.total_loss / self.state.samples as f64;
        self.state.epochs.push(EpochReport { epoch, train_loss, valid, best: is_best });
        self.state.epoch += 1;
        self.state.step = 0;
        (self.state.total_loss, self.state.samples) = (0.0, 0);
        if is_best {
            self.state.best = Some(BestEpoch { epoch, figure });
            match &self.folder {
                None => self.best = Some(self.trainer.network().to_weights()),
                Some(folder) => {
                    folder.save_best(epoch, &mut self.trainer.network_mut().state_mut())?;
                    self.save()?;
                }
            }
        }
        let report = &self.state.epochs[self.state.epochs.len() - 1];
        let total_steps = self.state.total_steps;
        (self.on_event)(Event::Epoch { report, total_steps, network: self.trainer.network() });
        Ok(())
    }

    fn is_told_to_stop(&self) -> bool {
        self.options.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    fn is_out_of_patience(&self) -> bool {
        let since_best = self.state.best.map_or(0, |best| self.state.epoch - 1 - best.epoch);
        self.config.patience > 0 && since_best >= self.config.patience
    }

    /// Saves where the run stands, if it is saved at all.
    fn save(&mut self) -> Result<Option<PathBuf>, TrainingError> {
        let Some(folder) = &self.folder else { return Ok(None) };
        self.state.dropout_position = self.trainer.dropout_position();
        let file = folder.save(&self.state, &mut self.trainer.state_mut())?;
        self.saved_at = Instant::now();
        self.steps_since_saved = 0;
        (self.on_event)(Event::Saved { file: &file });
        Ok(Some(file))
    }

    fn stop(mut self) -> Result<Outcome, TrainingError> {
        Ok(Outcome::Stopped { checkpoint: self.save()? })
    }

    fn finish(mut self) -> Result<Outcome, TrainingError> {
        let Some(BestEpoch { epoch, .. }) = self.state.best else {
            return Err(TrainingError::Setting { key: "epochs", found: 0.0, expected: "at least 1" });
        };
        if self.steps_since_saved > 0 {
            // A run that is killed while its model is written is not trained again.
            self.save()?;
        }
        if let Some(folder) = &self.folder {
            folder.restore_best(epoch, &mut self.trainer.network_mut().state_mut())?;
        }
        let weights = self.best.take().unwrap_or_else(|| self.trainer.into_network().to_weights());
        let trained = Trained { weights, best_epoch: epoch, epochs: self.state.epochs };
        Ok(Outcome::Finished(Box::new(trained)))
    }
}

/// What epochs and runs are chosen by: the larger, the better.
///
/// # Errors
/// `NoSelectionMetric`, where the validation split does not have it.
pub fn selection_figure(metric: SelectionMetric, valid: &Metrics) -> Result<f64, TrainingError> {
    let missing = |metric, reason| TrainingError::NoSelectionMetric { metric, reason };
    let auc = || valid.auc.ok_or(missing("AUC", "all its labels are the same"));
    let gauc = |name| valid.gauc.ok_or(missing(name, "all labels of each of its users are the same"));
    match metric {
        SelectionMetric::Auc => auc(),
        SelectionMetric::Gauc => Ok(gauc("GAUC")?.weighted),
        SelectionMetric::Uauc => Ok(gauc("UAUC")?.unweighted),
        SelectionMetric::AucAndUauc => Ok(f64::midpoint(auc()?, gauc("UAUC")?.unweighted)),
        SelectionMetric::LogLoss => Ok(-valid.log_loss),
    }
}

#[cfg(test)]
mod tests {
    use super::selection_figure;
    use crate::config::training::SelectionMetric::{Auc, AucAndUauc, Gauc, LogLoss, Uauc};
    use crate::metrics::{self, Calibration, Metrics};

    #[test]
    fn the_larger_figure_is_the_better_epoch_whatever_the_metric() {
        let valid = Metrics {
            samples: 4,
            log_loss: 0.5,
            auc: Some(0.75),
            gauc: Some(metrics::Gauc { weighted: 0.625, unweighted: 0.25, users: 2 }),
            calibration: Calibration { expected_error: 0.0, ratio: None },
        };
        let figures =
            [Auc, Gauc, Uauc, AucAndUauc, LogLoss].map(|metric| selection_figure(metric, &valid).unwrap());
        assert_eq!(figures, [0.75, 0.625, 0.25, 0.5, -0.5]);
        let one_class = Metrics { auc: None, gauc: None, ..valid };
        let missing =
            [Auc, Gauc, Uauc, AucAndUauc].map(|metric| selection_figure(metric, &one_class).is_err());
        assert_eq!((missing, selection_figure(LogLoss, &one_class).unwrap()), ([true; 4], -0.5));
    }
}
