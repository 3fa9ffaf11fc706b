//! The runs of a comparison: what is done is written down, so that the same comparison goes on where it was stopped.

use crate::blob::{self, ExportError, ExportOptions};
use crate::config::training::TrainingConfig;
use crate::data::{self, DataError, dataset::Dataset, load::LoadStep};
use crate::evaluation::{EvaluationError, evaluate};
use crate::job::{Job, JobError};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::output::OwnFolder;
use crate::runs::{self, RunsError, identity};
use crate::side_by_side::{UNPOISONED, side_by_side};
use crate::training::checkpoint::identity::of_dataset;
use crate::training::{self, EpochReport, Event, RunOptions, Source};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

/// Why a comparison ends without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// The job has no variants that can be compared.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The samples cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// There is nothing to measure.
    #[error("the test split has no samples")]
    NoTest,
    /// The runs cannot go on.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// Writing a blob.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Measuring it.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
}

impl From<rayon::ThreadPoolBuildError> for CompareError {
    fn from(error: rayon::ThreadPoolBuildError) -> Self {
        Self::Runs(error.into())
    }
}

/// One of the compared jobs.
#[derive(Clone, Debug)]
pub struct Variant {
    /// For people.
    pub name: String,
    /// The job with its changes.
    pub job: Job,
    /// Index of its data among those of the comparison.
    data: usize,
}

/// What is measured after each epoch, of the network in training: for curves, nothing is chosen on it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct CurvePoint {
    /// Of the training split, under the weights after the epoch.
    pub train: Metrics,
    /// Of the test split.
    pub test: Metrics,
}

/// A finished run: a line of `runs.jsonl`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Run {
    /// Name of the variant.
    pub variant: String,
    /// Which seed.
    pub seed: u64,
    /// What came of it.
    #[serde(flatten)]
    pub result: RunResult,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum RunResult {
    /// It was trained and measured.
    Measured(Box<Measured>),
    /// Its numbers left their range.
    Failed {
        /// Where, and what to change.
        problem: String,
    },
}

/// What was measured of a run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Measured {
    /// The epoch that is best on the validation split; the last, if that trained too.
    pub best_epoch: usize,
    /// All of them.
    pub epochs: Vec<EpochReport>,
    /// Of the validation split, by din-core on the blob.
    pub valid: Metrics,
    /// Whether that split trained too.
    #[serde(default)]
    pub train_on_valid: bool,
    /// Of the test split, by din-core on the blob.
    pub test: Metrics,
    /// After each epoch, if curves were asked for.
    pub curve: Vec<CurvePoint>,
}

impl Run {
    /// None if it failed.
    #[must_use]
    pub fn measured(&self) -> Option<&Measured> {
        match &self.result {
            RunResult::Measured(measured) => Some(measured),
            RunResult::Failed { .. } => None,
        }
    }
}

/// What a comparison needs beside its jobs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// For what is done.
    pub folder: &'a OwnFolder,
    /// Threads, each with a run of its own, so that results do not depend on their number.
    pub threads: usize,
    /// Once true, running trainings end and the comparison stops.
    pub stop: &'a AtomicBool,
}

/// Variants with their data.
#[derive(Debug)]
pub struct Comparison {
    variants: Vec<Variant>,
    seeds: Vec<u64>,
    /// Whether splits are measured after each epoch.
    curves: bool,
    data: Vec<Dataset>,
}

impl Comparison {
    /// Reads the data of a job's `[compare]`, in memory: once, and once more for each variant that changes them.
    ///
    /// # Errors
    /// If the job has no variants, one of them is no valid job, or its data cannot be read.
    pub fn load(
        job: &Job,
        seeds: Option<u64>,
        curves: bool,
        directory: Option<&Path>,
        progress: &mut dyn FnMut(LoadStep<'_>),
    ) -> Result<Self, CompareError> {
        let (mut variants, mut jobs, mut data) = (Vec::new(), Vec::<Job>::new(), Vec::new());
        for (name, job) in job.variants()? {
            let read = what_is_read(&job);
            let place = match jobs.iter().position(|own| *own == read) {
                Some(place) => place,
                None => {
                    data.push(data::load(&read, directory, progress)?);
                    jobs.push(read);
                    jobs.len() - 1
                }
            };
            variants.push(Variant { name, job, data: place });
        }
        if data.iter().any(|dataset| dataset.test.is_empty()) {
            return Err(CompareError::NoTest);
        }
        let config = job.compare.as_ref().map_or(1, |config| config.seeds);
        let first = job.training.seed;
        Ok(Self {
            variants,
            seeds: (0..seeds.unwrap_or(config)).map(|seed| first.wrapping_add(seed)).collect(),
            curves,
            data,
        })
    }

    /// In the order of the job.
    #[must_use]
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// Training, validation and test samples.
    #[must_use]
    pub fn samples(&self) -> [usize; 3] {
        self.data.first().map_or([0; 3], |data| [data.train.len(), data.valid.len(), data.test.len()])
    }

    /// Trains and measures what is not done yet, and returns every run, by variant and seed. `on_run` hears of each, with how
    /// many are done and how many there are.
    ///
    /// # Errors
    /// The first of any run; numbers that leave their range are none, but fail that run alone.
    pub fn run(
        &self,
        place: Place<'_>,
        on_run: &(dyn Fn(&Run, usize, usize) + Sync),
    ) -> Result<Vec<Run>, CompareError> {
        // Each variant has lines of its own, so that one can be added or changed without training the others again.
        let keys: Vec<String> = self.variants.iter().map(|variant| self.key(variant)).collect();
        let file = place.folder.path().join("runs.jsonl");
        let (ledger, known) =
            Ledger::open::<(String, Run)>(&file, &"din-export compare").map_err(RunsError::from)?;
        let ledger = Mutex::new(ledger);
        let pairs: Vec<(usize, u64)> = self
            .seeds
            .iter()
            .flat_map(|&seed| (0..self.variants.len()).map(move |index| (index, seed)))
            .collect();
        let total = pairs.len();
        let done = Mutex::new(0);
        let mut runs = side_by_side(pairs, place.threads, 1, |(index, seed)| {
            let variant = &self.variants[index];
            let before = known.iter().find(|(key, run)| *key == keys[index] && run.seed == seed);
            let run = match before {
                Some((_, run)) => Run { variant: variant.name.clone(), ..run.clone() },
                None => {
                    let result = self.train_and_measure(variant, seed, place.stop)?;
                    let run = Run { variant: variant.name.clone(), seed, result };
                    let mut ledger = ledger.lock().expect(UNPOISONED);
                    ledger.add(&(&keys[index], &run)).map_err(RunsError::from)?;
                    run
                }
            };
            let mut done = done.lock().expect(UNPOISONED);
            *done += 1;
            on_run(&run, *done, total);
            Ok::<_, CompareError>((index, run))
        })?;
        runs.sort_by_key(|(index, run)| (*index, run.seed));
        Ok(runs.into_iter().map(|(_, run)| run).collect())
    }

    /// Of all that decides a variant's runs, its name excepted.
    fn key(&self, variant: &Variant) -> String {
        let hash = |text: &[u8]| twox_hash::XxHash3_64::oneshot(text);
        let data = &self.data[variant.data];
        let test: Vec<u8> = data.test.iter().flat_map(|row| row.to_le_bytes()).collect();
        let (job, test) = (hash(identity(&variant.job).as_bytes()), hash(&test));
        format!("{job:016x}-{:016x}-{test:016x}-{}", of_dataset(data), self.curves)
    }

    fn train_and_measure(
        &self,
        variant: &Variant,
        seed: u64,
        stop: &AtomicBool,
    ) -> Result<RunResult, CompareError> {
        let (job, data) = (&variant.job, &self.data[variant.data]);
        let config = TrainingConfig { seed, ..job.training.clone() };
        let options = RunOptions { stop: Some(stop), ..RunOptions::default() };
        let mut curve = Vec::new();
        let name = format!("{}, seed {seed}", variant.name);
        let outcome = runs::train(&name, job, Source::Memory(data), &config, &options, &mut |event| {
            if let (Event::Epoch { network, .. }, true) = (event, self.curves) {
                let measure = |indices: &[u32]| training::evaluate(network, &data.samples, indices);
                curve.push(CurvePoint { train: measure(&data.train), test: measure(&data.test) });
            }
        });
        let trained = match outcome? {
            Ok(trained) => trained,
            Err(problem) => return Ok(RunResult::Failed { problem }),
        };
        let bytes = blob::write(&trained.weights, &ExportOptions::default())?;
        Ok(RunResult::Measured(Box::new(Measured {
            best_epoch: trained.best_epoch,
            epochs: trained.epochs,
            valid: evaluate(&bytes, data, &data.valid)?.metrics,
            train_on_valid: config.train_on_valid,
            test: evaluate(&bytes, data, &data.test)?.metrics,
            curve,
        })))
    }
}

/// What of a job decides its data: all but the model, how it is trained, and the widths of tables, which are those of each
/// variant.
fn what_is_read(job: &Job) -> Job {
    let mut job = job.clone();
    job.model = crate::config::model::ModelConfig::default();
    job.training = job.training.deciding_samples();
    job.export = crate::job::ExportConfig::default();
    job.tables.values_mut().for_each(|table| table.dim = 1);
    job
}
