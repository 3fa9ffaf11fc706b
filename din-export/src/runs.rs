//! What a search and a comparison share: how one of many runs is trained, and why their work ends without a result.

use crate::config::training::TrainingConfig;
use crate::job::Job;
use crate::ledger::LedgerError;
use crate::training::{self, Event, Outcome, RunOptions, Source, Trained, TrainingError};

/// Why work of many runs ends without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// What is done cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A run cannot be trained, for a reason that its settings do not explain.
    #[error("{run}: {source}")]
    Training {
        /// Which.
        run: String,
        /// Why.
        source: Box<TrainingError>,
    },
    /// Threads cannot be made.
    #[error(transparent)]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// It was told to stop. What is done is written down.
    #[error("stopped")]
    Stopped,
}

/// Trains `job` on a source that jobs of several widths of tables share: with the settings `config`, those of the job but
/// for its seed and the like. Returns the weights, or why the numbers left their range, which ends this run alone. `run`
/// names it in errors.
///
/// # Errors
/// `Training` and `Stopped`.
pub fn train(
    run: &str,
    job: &Job,
    source: Source<'_>,
    config: &TrainingConfig,
    options: &RunOptions<'_>,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Result<Trained, String>, RunsError> {
    let dims = job.dims();
    let options = RunOptions { dims: Some(&dims), ..options.clone() };
    match training::run(source, &job.model, config, &options, on_event) {
        Ok(Outcome::Finished(trained)) => Ok(Ok(*trained)),
        Ok(Outcome::Stopped { .. }) => Err(RunsError::Stopped),
        Err(error) if error.left_range() => Ok(Err(without_checkpoint(&error.to_string()))),
        Err(source) => Err(RunsError::Training { run: run.to_owned(), source: Box::new(source) }),
    }
}

/// A failed training's message without the checkpoint before it, which depends on when it was stopped, and is removed.
fn without_checkpoint(message: &str) -> String {
    ["; saved before: ", "; the last good checkpoint is "]
        .into_iter()
        .fold(message, |message, mark| message.split(mark).next().unwrap_or_default())
        .to_owned()
}

/// Of all of a job that decides the outcome of its runs: where the data are does not, nor how often a run is saved or
/// logged, nor how trials share threads.
#[must_use]
pub fn identity(job: &Job) -> String {
    let mut job = Job { compare: None, ..job.clone() };
    job.data.directory = None;
    job.training.checkpoint = TrainingConfig::default().checkpoint;
    job.training.log_every = TrainingConfig::default().log_every;
    if let Some(tune) = &mut job.tune {
        tune.side_by_side = None;
    }
    serde_json::to_string(&job).expect("a job encodes as JSON")
}
