//! The trials of one rung, side by side.

use super::halving::{Standing, beaten};
use super::record::{Record, TrialResult};
use super::search::{Event, Listener, Place, Search, TuneError};
use super::trials::Trial;
use crate::config::training::TrainingConfig;
use crate::ledger::Ledger;
use crate::runs::{self, RunsError};
use crate::side_by_side::{UNPOISONED, side_by_side};
use crate::training::checkpoint::Folder;
use crate::training::{self, RunOptions, selection_figure};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What is done, shared by the workers.
pub(super) struct Book {
    pub(super) ledger: Ledger,
    pub(super) records: Vec<Record>,
}

/// Trials on one rung.
pub(super) struct Heat<'a> {
    pub(super) search: &'a Search<'a>,
    pub(super) place: Place<'a>,
    pub(super) listen: Listener<'a>,
    pub(super) book: &'a Mutex<Book>,
    pub(super) rung: usize,
    pub(super) epochs: Option<usize>,
    pub(super) entrants: usize,
}

impl Heat<'_> {
    /// Trials with their seeds.
    pub(super) fn run(&self, runs: Vec<(usize, u64)>) -> Result<Vec<Standing>, TuneError> {
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
            let trial = &self.search.trials()[trial];
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
            _ => self.train(&self.search.trials()[trial], seed)?,
        };
        let record = Record { trial, seed, rung: self.rung, result };
        {
            let mut book = self.book.lock().expect(UNPOISONED);
            book.ledger.add(&record).map_err(RunsError::from)?;
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
            checkpoints: Some(checkpoints(self.place.folder.path(), trial.index, seed)),
            resume: true,
            stop: Some(self.place.stop),
            ..RunOptions::default()
        };
        let name = format!("trial {}", trial.index);
        let outcome = runs::train(&name, job, self.place.source, &config, &options, &mut |event| {
            if let training::Event::Epoch { report, .. } = event {
                (self.listen)(Event::Epoch { trial, report });
            }
        });
        let trained = match outcome? {
            Ok(trained) => trained,
            Err(problem) => return Ok(TrialResult::Failed(problem)),
        };
        let valid = trained.epochs[trained.best_epoch - 1].valid;
        let figure = selection_figure(job.training.select_on, &valid)
            .map_err(|source| RunsError::Training { run: name, source: Box::new(source) })?;
        let epochs = trained.epochs.len();
        let finished = epochs < limit || limit == job.training.epochs;
        Ok(TrialResult::Reached { epochs, best_epoch: trained.best_epoch, figure, valid, finished })
    }

    /// Removes checkpoints that nothing will continue, so that a search holds those of the trials that can still go on.
    fn make_room(&self, record: &Record) -> Result<(), TuneError> {
        let folder = self.place.folder.path();
        if self.epochs.is_none() {
            return Ok(Folder::new(&checkpoints(folder, record.trial, record.seed)).clear()?);
        }
        let standings: Vec<Standing> = {
            let book = self.book.lock().expect(UNPOISONED);
            let own = book.records.iter().filter(|own| own.rung == self.rung && own.seed == record.seed);
            own.map(|record| (record.trial, record.figure())).collect()
        };
        let beaten = beaten(&standings, self.entrants, self.search.keep());
        beaten.into_iter().try_for_each(|trial| clear(folder, trial))
    }
}

fn trial_folder(folder: &Path, trial: usize) -> PathBuf {
    folder.join("trials").join(format!("{trial:04}"))
}

fn checkpoints(folder: &Path, trial: usize, seed: u64) -> PathBuf {
    trial_folder(folder, trial).join(format!("seed-{seed}"))
}

/// Removes what all trials have saved.
pub(super) fn clear_all(folder: &Path) -> Result<(), TuneError> {
    Ok(Folder::new(&folder.join("trials")).clear()?)
}

/// Removes what a trial has saved.
pub(super) fn clear(folder: &Path, trial: usize) -> Result<(), TuneError> {
    Ok(Folder::new(&trial_folder(folder, trial)).clear()?)
}
