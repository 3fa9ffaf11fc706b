//! The search itself: every trial up to a rung, those that are left to the next one.

use super::halving::{Standing, survivors};
use super::heat::{Book, Heat, clear, clear_all};
use super::record::{Record, TrialResult};
use super::report::Report;
use super::trials::{self, Trial, TrialError};
use crate::job::tune::Searched;
use crate::job::{Job, JobError, TuneConfig};
use crate::ledger::Ledger;
use crate::metrics::mean;
use crate::output::OwnFolder;
use crate::runs::{RunsError, identity};
use crate::side_by_side::UNPOISONED;
use crate::training::memory::MemoryNeed;
use crate::training::{CheckpointError, EpochReport, Source};
use serde::Serialize;
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
    /// The runs cannot go on.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// A trial cannot be saved or cleared away.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No trial got through.
    #[error("every trial failed; {trial}, the first: {problem}")]
    AllFailed {
        /// Which.
        trial: usize,
        /// Why.
        problem: String,
    },
}

impl From<rayon::ThreadPoolBuildError> for TuneError {
    fn from(error: rayon::ThreadPoolBuildError) -> Self {
        Self::Runs(error.into())
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
    pub folder: &'a OwnFolder,
    /// Once true, running trials are saved and the search stops.
    pub stop: &'a AtomicBool,
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

    /// Share of the trials that goes on from a rung.
    pub(super) fn keep(&self) -> f64 {
        self.config.keep
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
            let schema = source.schema().with_dims(&trial.job.dims());
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
        let owner = Owner { search: identity(self.job), data: place.source.identity() };
        let folder = place.folder.path();
        let file = folder.join("trials.jsonl");
        if !file.exists() {
            // What another search was saving, whose ledger was removed.
            clear_all(folder)?;
        }
        let (ledger, records) = Ledger::open(&file, &owner).map_err(RunsError::from)?;
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
                alive.iter().try_for_each(|&trial| clear(folder, trial))?;
            }
            alive = going_on;
        }
        let last = rungs.len() - 1;
        if self.config.seeds > 1 {
            let seeds = (1..self.config.seeds).map(|seed| first_seed.wrapping_add(seed));
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
        clear_all(folder)?;
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
}

/// Whose a ledger is.
#[derive(Serialize)]
struct Owner {
    search: String,
    data: u64,
}
