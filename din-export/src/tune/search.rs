//! The search itself: every trial up to a rung, those that are left to the next one.

use super::halving::{Standing, beaten, survivors};
use super::report::Report;
use super::trials::{self, Trial, TrialError};
use crate::config::training::TrainingConfig;
use crate::job::tune::Searched;
use crate::job::{Job, JobError, TuneConfig};
use crate::ledger::{Ledger, LedgerError};
use crate::metrics::{Metrics, mean};
use crate::side_by_side::side_by_side;
use crate::training::checkpoint::Folder;
use crate::training::memory::MemoryNeed;
use crate::training::{
    self, CheckpointError, EpochReport, Outcome, RunOptions, Source, TrainingError, selection_figure,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

/// Why a search ends without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuneError {
    /// The job has no ranges that can be searched.
    #[error(transparent)]
    Job(#[from] JobError),
    /// As `Job`.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// What is done cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A trial cannot be saved or cleared away.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A trial cannot be trained, for a reason that its settings do not explain.
    #[error("trial {trial}: {source}")]
    Training {
        /// Which.
        trial: usize,
        /// Why.
        source: Box<TrainingError>,
    },
    /// No trial got through.
    #[error("every trial failed; {trial}, the first: {problem}")]
    AllFailed {
        /// Which.
        trial: usize,
        /// Why.
        problem: String,
    },
    /// Threads cannot be made.
    #[error(transparent)]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// It was told to stop. What is done is written down.
    #[error("stopped")]
    Stopped,
}

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

/// What a search tells on its way, from any thread.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Trials begin a rung.
    Rung {
        /// From 0.
        rung: usize,
        /// How many.
        trials: usize,
        /// The epochs that they train; none to the end of each.
        epochs: Option<usize>,
    },
    /// A trial has trained an epoch.
    Epoch {
        /// Which.
        trial: &'a Trial,
        /// Its figures.
        report: &'a EpochReport,
    },
    /// A trial reached a rung.
    Reached {
        /// Which.
        trial: &'a Trial,
        /// How it stands.
        record: &'a Record,
        /// Trials on this rung that are done.
        done: usize,
        /// Trials on this rung.
        total: usize,
        /// Whether this was known from before.
        known: bool,
    },
}

/// What hears them.
pub type Listener<'a> = &'a (dyn Fn(Event<'_>) + Sync);

/// A search that can be run, and run again.
#[derive(Debug)]
pub struct Search<'a> {
    job: &'a Job,
    config: &'a TuneConfig,
    searched: Vec<Searched>,
    trials: Vec<Trial>,
    threads: usize,
}

/// What a run of a search needs beside the job.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// What all trials train on.
    pub source: Source<'a>,
    /// For what is done, and for checkpoints.
    pub folder: &'a Path,
    /// Once true, running trials are saved and the search stops.
    pub stop: &'a AtomicBool,
}

/// What is done, shared by the workers.
struct Book {
    ledger: Ledger,
    records: Vec<Record>,
}

impl<'a> Search<'a> {
    /// Of the job's `[tune]`, on so many threads.
    ///
    /// # Errors
    /// If there is none, or ranges or trials are unusable: before any data are read.
    pub fn new(job: &'a Job, threads: usize) -> Result<Self, TuneError> {
        let searched = job.searched()?;
        let trials = trials::draw(job, &searched)?;
        let config = job.tune.as_ref().expect("a job with ranges has [tune]");
        Ok(Self { job, config, searched, trials, threads: threads.max(1) })
    }

    /// The job as it stands first, then what was drawn.
    #[must_use]
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// What is searched.
    #[must_use]
    pub fn searched(&self) -> &[Searched] {
        &self.searched
    }

    /// How many trials run side by side, and on how many threads each.
    #[must_use]
    pub fn workers(&self) -> (usize, usize) {
        let workers = self.config.side_by_side.unwrap_or(self.threads).min(self.trials.len());
        (workers, (self.threads / workers).max(1))
    }

    /// That of the largest trials that may run side by side.
    #[must_use]
    pub fn memory_need(&self, source: Source<'_>) -> MemoryNeed {
        let of = |trial: &Trial| {
            let schema = source.schema().with_dims(&dims(&trial.job));
            MemoryNeed::of(&schema, &trial.job.model, &trial.job.training)
        };
        let most = self.trials.iter().map(of).max_by_key(MemoryNeed::total).unwrap_or_default();
        let workers = self.workers().0 as u64;
        MemoryNeed {
            tables: workers * most.tables,
            optimizer: workers * most.optimizer,
            rows: workers * most.rows,
        }
    }

    /// Epochs of each rung; the last is the end of each trial.
    fn rungs(&self) -> Vec<Option<usize>> {
        let longest = self.trials.iter().map(|trial| trial.job.training.epochs).max().unwrap_or(0);
        let rungs = self.config.rungs.iter().filter(|&&epochs| epochs < longest);
        rungs.map(|&epochs| Some(epochs)).chain([None]).collect()
    }

    /// Runs what is not done yet. However often it is stopped or killed and run again, the report is the same.
    ///
    /// # Errors
    /// Every variant of [`TuneError`]. `Ledger` also if the folder holds a search of another job or other data.
    pub fn run(&self, place: Place<'_>, listen: Listener<'_>) -> Result<Report, TuneError> {
        let owner = Owner { search: self.identity(), data: place.source.identity() };
        let (ledger, records) = Ledger::open(&place.folder.join("trials.jsonl"), &owner)?;
        let book = Mutex::new(Book { ledger, records });
        let rungs = self.rungs();
        let mut alive: Vec<usize> = (0..self.trials.len()).collect();
        let first_seed = self.job.training.seed;
        for (rung, &epochs) in rungs.iter().enumerate() {
            listen(Event::Rung { rung, trials: alive.len(), epochs });
            let heat = Heat { search: self, place, listen, book: &book, rung, epochs, entrants: alive.len() };
            let runs = alive.iter().map(|&trial| (trial, first_seed)).collect();
            let standings = heat.run(runs)?;
            let going_on = survivors(&standings, self.config.keep);
            if going_on.is_empty() {
                return Err(self.all_failed(&book));
            }
            if epochs.is_some() {
                alive.retain(|trial| !going_on.contains(trial));
                alive.iter().try_for_each(|&trial| clear(place.folder, trial))?;
            }
            alive = going_on;
        }
        let last = rungs.len() - 1;
        if self.config.seeds > 1 {
            let seeds = first_seed + 1..first_seed + self.config.seeds;
            let runs: Vec<(usize, u64)> =
                alive.iter().flat_map(|&trial| seeds.clone().map(move |seed| (trial, seed))).collect();
            listen(Event::Rung { rung: rungs.len(), trials: runs.len(), epochs: None });
            let heat = Heat {
                search: self,
                place,
                listen,
                book: &book,
                rung: last,
                epochs: None,
                entrants: runs.len(),
            };
            heat.run(runs)?;
        }
        // Whatever order they were finished in.
        let mut records = book.into_inner().expect(UNPOISONED).records;
        records.sort_by_key(|record| (record.trial, record.seed, record.rung));
        let figures = |trial: usize| -> Vec<f64> {
            let of = records.iter().filter(|record| record.trial == trial && record.rung == last);
            of.filter_map(Record::figure).collect()
        };
        // A setting that fails with one of the seeds is none to recommend.
        let whole = |trial: usize| figures(trial).len() as u64 == self.config.seeds;
        let standings: Vec<Standing> =
            alive.iter().map(|&trial| (trial, whole(trial).then(|| mean(&figures(trial))))).collect();
        let Some(&best) = survivors(&standings, f64::MIN_POSITIVE).first() else {
            return Err(TuneError::AllFailed {
                trial: alive[0],
                problem: "with one of its seeds; none is left".to_owned(),
            });
        };
        Ok(Report::new(self.job, &self.searched, &self.trials, &records, best))
    }

    fn all_failed(&self, book: &Mutex<Book>) -> TuneError {
        let book = book.lock().expect(UNPOISONED);
        let first = book.records.iter().find_map(|record| match &record.result {
            TrialResult::Failed(problem) => Some((record.trial, problem.clone())),
            TrialResult::Reached { .. } => None,
        });
        let (trial, problem) = first.unwrap_or_default();
        TuneError::AllFailed { trial, problem }
    }

    /// Of all that decides the outcome; how trials share threads and how often they are saved does not.
    fn identity(&self) -> String {
        let mut job = self.job.clone();
        job.compare = None;
        job.data.directory = None;
        job.training.checkpoint = TrainingConfig::default().checkpoint;
        job.training.log_every = TrainingConfig::default().log_every;
        if let Some(tune) = &mut job.tune {
            tune.side_by_side = None;
        }
        serde_json::to_string(&job).expect("a job encodes as JSON")
    }
}

/// Whose a ledger is.
#[derive(Serialize)]
struct Owner {
    search: String,
    data: u64,
}

/// Trials on one rung.
struct Heat<'a> {
    search: &'a Search<'a>,
    place: Place<'a>,
    listen: Listener<'a>,
    book: &'a Mutex<Book>,
    rung: usize,
    epochs: Option<usize>,
    entrants: usize,
}

impl Heat<'_> {
    /// Trials with their seeds.
    fn run(&self, runs: Vec<(usize, u64)>) -> Result<Vec<Standing>, TuneError> {
        let (workers, threads) = self.search.workers();
        let done = Mutex::new(0);
        side_by_side(runs, workers, threads, |(trial, seed)| {
            let known = self.known(trial, seed, self.rung);
            let is_known = known.is_some();
            let record = match known {
                Some(record) => record,
                None => self.reach(trial, seed)?,
            };
            let mut done = done.lock().expect(UNPOISONED);
            *done += 1;
            let trial = &self.search.trials[trial];
            let (done, total) = (*done, self.entrants);
            (self.listen)(Event::Reached { trial, record: &record, done, total, known: is_known });
            Ok((trial.index, record.figure()))
        })
    }

    fn known(&self, trial: usize, seed: u64, rung: usize) -> Option<Record> {
        let book = self.book.lock().expect(UNPOISONED);
        let is_it = |record: &&Record| (record.trial, record.seed, record.rung) == (trial, seed, rung);
        book.records.iter().find(is_it).cloned()
    }

    /// Trains a trial to this rung and writes down how it stands.
    fn reach(&self, trial: usize, seed: u64) -> Result<Record, TuneError> {
        let before = self.rung.checked_sub(1).and_then(|rung| self.known(trial, seed, rung));
        let result = match before {
            // It would train no further epoch.
            Some(Record { result: result @ TrialResult::Reached { finished: true, .. }, .. }) => result,
            _ => self.train(&self.search.trials[trial], seed)?,
        };
        let record = Record { trial, seed, rung: self.rung, result };
        {
            let mut book = self.book.lock().expect(UNPOISONED);
            book.ledger.add(&record)?;
            book.records.push(record.clone());
        }
        self.make_room(&record)?;
        Ok(record)
    }

    fn train(&self, trial: &Trial, seed: u64) -> Result<TrialResult, TuneError> {
        let job = &trial.job;
        let limit = self.epochs.unwrap_or(usize::MAX).min(job.training.epochs);
        let config = TrainingConfig { seed, epochs: limit, ..job.training.clone() };
        let options = RunOptions {
            checkpoints: Some(checkpoints(self.place.folder, trial.index, seed)),
            resume: true,
            stop: Some(self.place.stop),
            dims: Some(&dims(job)),
        };
        let outcome = training::run(self.place.source, &job.model, &config, &options, &mut |event| {
            if let training::Event::Epoch { report, .. } = event {
                (self.listen)(Event::Epoch { trial, report });
            }
        });
        let refused = |source| TuneError::Training { trial: trial.index, source: Box::new(source) };
        let trained = match outcome {
            Ok(Outcome::Finished(trained)) => trained,
            Ok(Outcome::Stopped { .. }) => return Err(TuneError::Stopped),
            Err(error) if left_its_range(&error) => return Ok(TrialResult::Failed(error.to_string())),
            Err(source) => return Err(refused(source)),
        };
        let valid = trained.epochs[trained.best_epoch - 1].valid;
        let figure = selection_figure(job.training.select_on, &valid).map_err(refused)?;
        let epochs = trained.epochs.len();
        let finished = epochs < limit || limit == job.training.epochs;
        Ok(TrialResult::Reached { epochs, best_epoch: trained.best_epoch, figure, valid, finished })
    }

    /// Removes checkpoints that nothing will continue, so that a search holds those of the trials that can still go on.
    fn make_room(&self, record: &Record) -> Result<(), TuneError> {
        let folder = self.place.folder;
        if self.epochs.is_none() {
            return Ok(Folder::new(&checkpoints(folder, record.trial, record.seed)).clear()?);
        }
        let standings: Vec<Standing> = {
            let book = self.book.lock().expect(UNPOISONED);
            let own = book.records.iter().filter(|own| own.rung == self.rung && own.seed == record.seed);
            own.map(|record| (record.trial, record.figure())).collect()
        };
        let beaten = beaten(&standings, self.entrants, self.search.config.keep);
        beaten.into_iter().try_for_each(|trial| clear(folder, trial))
    }
}

/// Whether the settings explain an error, which ends the trial and not the search.
fn left_its_range(error: &TrainingError) -> bool {
    matches!(
        error,
        TrainingError::Diverged { .. }
            | TrainingError::NonFiniteScore { .. }
            | TrainingError::Checkpoint(CheckpointError::NotFinite { .. })
    )
}

const UNPOISONED: &str = "no thread panics while it holds the lock";

/// Width of each table's rows, in the order of the schema's tables, which is that of their names.
fn dims(job: &Job) -> Vec<usize> {
    job.tables.values().map(|table| table.dim).collect()
}

fn trial_folder(folder: &Path, trial: usize) -> PathBuf {
    folder.join("trials").join(format!("{trial:04}"))
}

fn checkpoints(folder: &Path, trial: usize, seed: u64) -> PathBuf {
    trial_folder(folder, trial).join(format!("seed-{seed}"))
}

/// Removes what a trial has saved.
fn clear(folder: &Path, trial: usize) -> Result<(), TuneError> {
    Ok(Folder::new(&trial_folder(folder, trial)).clear()?)
}
