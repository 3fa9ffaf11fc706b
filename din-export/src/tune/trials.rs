//! What is tried.

use crate::job::tune::Searched;
use crate::job::{Job, JobError};
use crate::training::{TrainingError, check_settings};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use toml::Value;

/// One setting of all that is searched.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// From 0, which is the job as it stands.
    pub index: usize,
    /// For each range its value; none for trial 0.
    pub settings: Vec<Value>,
    /// The job with these.
    #[serde(skip)]
    pub job: Job,
}

/// Why the trials of a job cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The ranges, or what was drawn from them together, make no valid job.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A value is outside the range that training takes.
    #[error("{}: `tune.ranges.{key}`: {source}", file.display())]
    Setting {
        /// The job file.
        file: std::path::PathBuf,
        /// The key.
        key: String,
        /// What is wrong with it.
        source: Box<TrainingError>,
    },
}

/// Draws the trials of `[tune]`: the same ones from the same job, each independent of how many there are.
///
/// # Errors
/// Every variant of [`TrialError`], before any data is read.
pub fn draw(job: &Job, searched: &[Searched]) -> Result<Vec<Trial>, TrialError> {
    for entry in searched {
        check_ends(job, entry)?;
    }
    let Some(config) = &job.tune else { return Ok(Vec::new()) };
    (0..config.trials).map(|index| trial(job, searched, config.seed, index)).collect()
}

/// Refuses ranges that reach where training does not go.
fn check_ends(job: &Job, entry: &Searched) -> Result<(), TrialError> {
    for value in entry.extremes() {
        let changed = job.changed(&entry.set(value), &entry.name())?;
        check_settings(&changed.training).map_err(|source| TrialError::Setting {
            file: job.file.clone(),
            key: entry.name(),
            source: Box::new(source),
        })?;
    }
    Ok(())
}

fn trial(job: &Job, searched: &[Searched], seed: u64, index: usize) -> Result<Trial, TrialError> {
    if index == 0 {
        let job = Job { tune: None, compare: None, ..job.clone() };
        return Ok(Trial { index, settings: Vec::new(), job });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64);
    // A position for each range, whatever its kind, so that a trial draws one word for each.
    let settings: Vec<Value> = searched.iter().map(|entry| entry.at(rng.random())).collect();
    let mut changed = job.clone();
    for (entry, value) in searched.iter().zip(&settings) {
        changed = changed.changed(&entry.set(value.clone()), &format!("tune.ranges.{}", entry.name()))?;
    }
    Ok(Trial { index, settings, job: changed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(tune: &str) -> Job {
        crate::job::shipped_with(&format!("[tune]\n{tune}"))
    }

    const RANGES: &str = "[tune.ranges]\n\
        training.optimizer.learning_rate = { log_uniform = [1e-4, 1e-2] }\n\
        training.epochs = { uniform = [1, 4] }\n\
        model.unit.hidden = { choice = [[8], [16, 8]] }\n";

    #[test]
    fn trials_follow_from_the_seed_and_not_from_their_number() {
        let draw = |tune: &str| {
            let job = job(&format!("{tune}\n{RANGES}"));
            let searched = job.searched().unwrap();
            let trials = draw(&job, &searched).unwrap();
            trials.into_iter().map(|trial| trial.settings).collect::<Vec<_>>()
        };
        let few = draw("trials = 5");
        assert_eq!(few, draw("trials = 200")[..5]);
        assert_ne!(few[1..], draw("trials = 5\nseed = 2")[1..]);
        assert!(few[0].is_empty());
    }

    #[test]
    fn draws_fill_their_range_evenly() {
        let job = job(&format!("trials = 1001\n{RANGES}"));
        let searched = job.searched().unwrap();
        let trials = draw(&job, &searched).unwrap();
        let share = |of: &dyn Fn(&Job) -> bool| {
            trials[1..].iter().filter(|trial| of(&trial.job)).count() as f64 / 1000.0
        };
        let rate = |job: &Job| job.training.optimizer.learning_rate;
        let below = share(&|job| rate(job) < 1e-3);
        assert!((below - 0.5).abs() < 0.05, "half of the rates are below the geometric mean: {below}");
        assert!(trials.iter().all(|trial| (1e-4..=1e-2).contains(&rate(&trial.job))));
        let epochs = share(&|job| job.training.epochs == 2);
        assert!((epochs - 1.0 / 4.0).abs() < 0.05, "{epochs}");
        let narrow = share(&|job| job.model.unit.hidden == [8]);
        assert!((narrow - 0.5).abs() < 0.05, "{narrow}");
    }

    #[test]
    fn a_range_beyond_what_training_takes_is_refused_by_file_and_key() {
        let job = job("[tune.ranges]\ntraining.dropout = { uniform = [0.0, 1.5] }\n");
        let error = draw(&job, &job.searched().unwrap()).unwrap_err().to_string();
        assert_eq!(error, "job.toml: `tune.ranges.training.dropout`: `dropout` is 1.5: it must be in [0, 1)");
    }
}
