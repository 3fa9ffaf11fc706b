//! What a run leaves behind of its course: a line of JSON every so many steps and each epoch, and the same for TensorBoard.
//!
//! | part | what |
//! |---|---|
//! | [`lines`] | `metrics.jsonl` |
//! | [`tensorboard`] | event files |
//!
//! A run that is resumed forgets what was written after its checkpoint, so that nothing appears twice.

pub mod lines;
pub mod tensorboard;

use crate::config::interval::Interval;
use crate::training::Event;
use lines::Lines;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tensorboard::EventFile;

/// A file of the journal cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot write: {source}", file.display())]
pub struct JournalError {
    /// The file.
    pub file: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// The journal of a run: `metrics.jsonl` and the folder `tensorboard` beside it.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    every: Interval,
    /// Opened by the first event, which tells whether the run begins or goes on.
    files: Option<(Lines, EventFile)>,
    since: Since,
}

/// What was done since the last line.
#[derive(Debug)]
struct Since {
    start: Instant,
    steps: u64,
    samples: usize,
    loss: f64,
}

impl Since {
    fn now() -> Self {
        Self { start: Instant::now(), steps: 0, samples: 0, loss: 0.0 }
    }
}

/// A line about some steps.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct StepLine {
    /// From 1.
    pub epoch: usize,
    /// The last of the steps, within the epoch, from 1.
    pub step: usize,
    /// Since the run began.
    pub total_steps: u64,
    /// The mean over the samples since the last line.
    pub loss: f64,
    /// Of the last step.
    pub learning_rate: f64,
    /// Since the last line.
    pub samples_per_second: f64,
}

impl Journal {
    /// In a folder that exists; a line about steps every so often.
    #[must_use]
    pub fn new(folder: &Path, every: Interval) -> Self {
        Self { folder: folder.to_owned(), every, files: None, since: Since::now() }
    }

    /// Writes down what happened.
    ///
    /// # Errors
    /// [`JournalError`], where the disk is full or the folder cannot be written to.
    pub fn record(&mut self, event: &Event<'_>) -> Result<(), JournalError> {
        match *event {
            Event::Resumed { total_steps, .. } => {
                self.files = Some(self.open(Some(total_steps))?);
                self.since = Since::now();
            }
            Event::Step { epoch, step, steps, total_steps, loss, samples, rate } => {
                let since = &mut self.since;
                since.steps += 1;
                since.samples += samples;
                since.loss += loss * samples as f64;
                if step < steps && !self.every.is_due(since.steps, since.start.elapsed()) {
                    return Ok(());
                }
                let line = StepLine {
                    epoch,
                    step,
                    total_steps,
                    loss: since.loss / since.samples as f64,
                    learning_rate: rate,
                    samples_per_second: since.samples as f64 / since.start.elapsed().as_secs_f64(),
                };
                self.since = Since::now();
                let (lines, events) = self.files()?;
                lines.write("steps", &line)?;
                events.scalars(
                    total_steps,
                    &[
                        ("train/loss", line.loss),
                        ("train/learning_rate", rate),
                        ("train/samples_per_second", line.samples_per_second),
                    ],
                )?;
            }
            Event::Epoch { report, total_steps, .. } => {
                #[derive(serde::Serialize)]
                struct EpochLine<'a> {
                    total_steps: u64,
                    #[serde(flatten)]
                    report: &'a crate::training::EpochReport,
                }
                let (lines, events) = self.files()?;
                lines.write("epoch", &EpochLine { total_steps, report })?;
                let valid = &report.valid;
                let mut scalars =
                    vec![("epoch/train_loss", report.train_loss), ("valid/log_loss", valid.log_loss)];
                scalars.extend(valid.auc.map(|auc| ("valid/auc", auc)));
                scalars.extend(valid.gauc.map(|gauc| ("valid/gauc", gauc.weighted)));
                scalars.push(("valid/calibration_error", valid.calibration.expected_error));
                events.scalars(total_steps, &scalars)?;
                self.since = Since::now();
            }
            Event::Saved { .. } | Event::Torn { .. } => {}
        }
        Ok(())
    }

    fn files(&mut self) -> Result<&mut (Lines, EventFile), JournalError> {
        if self.files.is_none() {
            self.files = Some(self.open(None)?);
        }
        Ok(self.files.as_mut().expect("opened above"))
    }

    /// `after`: where the run goes on, if it does not begin.
    fn open(&self, after: Option<u64>) -> Result<(Lines, EventFile), JournalError> {
        let lines = Lines::open(&self.folder.join("metrics.jsonl"), after)?;
        Ok((lines, EventFile::create(&self.folder.join("tensorboard"), after)?))
    }
}
