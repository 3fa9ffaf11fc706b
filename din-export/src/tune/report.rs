//! What a search found: a table, and the job file of the best trial.

use super::halving;
use super::record::{Record, TrialResult};
use super::trials::Trial;
use crate::config::training::SelectionMetric;
use crate::job::Job;
use crate::job::tune::Searched;
use crate::markdown;
use crate::metrics::{Figure, Metrics, mean};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use toml::Value;

/// Rows of the table for people; the JSON has all of them.
const SHOWN: usize = 20;

/// Everything that a search found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The job's name.
    pub job: String,
    /// What trials are chosen by, on the validation split.
    pub select_on: SelectionMetric,
    /// The chosen trial.
    pub best: usize,
    /// Epochs that all trials trained together.
    pub epochs: usize,
    /// The best first.
    pub rows: Vec<Row>,
    /// Short names of what is searched, in the order of the rows' settings.
    #[serde(skip)]
    columns: Vec<String>,
    /// The best trial's.
    #[serde(skip)]
    job_of_best: Job,
}

/// One trial.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which; 0 is the job as it stands.
    pub trial: usize,
    /// The values of what is searched.
    pub settings: BTreeMap<String, Value>,
    /// The last rung that it reached, from 1.
    pub rung: usize,
    /// Epochs that were trained, with the first seed.
    pub epochs: usize,
    /// The best of them.
    pub best_epoch: usize,
    /// What it is chosen by, with each seed, the job's first; none if it failed. The larger, the better.
    pub figures: Vec<f64>,
    /// The validation split after the best epoch, with the first seed.
    pub valid: Option<Metrics>,
    /// Why it failed.
    pub problem: Option<String>,
}

impl Row {
    /// Over the seeds.
    fn mean(&self) -> Option<f64> {
        (!self.figures.is_empty()).then(|| mean(&self.figures))
    }
}

impl Report {
    /// Of the records of a search, sorted by trial, seed and rung.
    #[must_use]
    pub(super) fn new(
        job: &Job,
        searched: &[Searched],
        trials: &[Trial],
        records: &[Record],
        best: usize,
    ) -> Self {
        let table = job.to_table();
        let mut rows: Vec<Row> = trials
            .iter()
            .map(|trial| {
                let own: Vec<&Record> = records.iter().filter(|record| record.trial == trial.index).collect();
                let settings = searched.iter().enumerate().map(|(index, entry)| {
                    let drawn = trial.settings.get(index).cloned();
                    (entry.name(), drawn.or_else(|| entry.own_value(&table)).unwrap_or_else(|| "".into()))
                });
                row(trial.index, settings.collect(), &own, job.training.seed)
            })
            .collect();
        // Those with all seeds first, then by how far they came.
        rows.sort_by_key(|row| (Reverse(row.figures.len()), Reverse(row.rung)));
        let same = |a: &Row, b: &Row| (a.figures.len(), a.rung) == (b.figures.len(), b.rung);
        for equals in rows.chunk_by_mut(same) {
            let standings: Vec<_> = equals.iter().map(|row| (row.trial, row.mean())).collect();
            let order = halving::ranked(&standings);
            equals.sort_by_key(|row| order.iter().position(|&trial| trial == row.trial));
        }
        let epochs_of = |trial: usize, seed: u64| {
            let own = records.iter().filter(|record| record.trial == trial && record.seed == seed);
            own.filter_map(|record| match record.result {
                TrialResult::Reached { epochs, .. } => Some(epochs),
                TrialResult::Failed(_) => None,
            })
            .max()
            .unwrap_or(0)
        };
        let columns: BTreeMap<String, String> =
            searched.iter().map(|entry| (entry.name(), entry.short_name())).collect();
        let mut runs: Vec<(usize, u64)> = records.iter().map(|record| (record.trial, record.seed)).collect();
        runs.dedup();
        Self {
            job: job.name.clone(),
            select_on: job.training.select_on,
            best,
            epochs: runs.into_iter().map(|(trial, seed)| epochs_of(trial, seed)).sum(),
            rows,
            columns: columns.into_values().collect(),
            job_of_best: trials[best].job.clone(),
        }
    }

    /// The row of the chosen trial.
    #[must_use]
    pub fn best_row(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.trial == self.best)
    }

    /// A job file that trains the best trial, whose data files are in `data`.
    ///
    /// # Panics
    /// Never: a job is made of what TOML has.
    #[must_use]
    pub fn job_file(&self, data: &Path) -> String {
        let mut job = self.job_of_best.clone();
        job.data.directory = Some(data.to_string_lossy().into_owned());
        let figure = self.best_row().and_then(|row| row.figures.first().copied()).unwrap_or(f64::NAN);
        format!(
            "# Trial {} of `din-export tune`: validation {} {:.6} with seed {}. Every key is here, also those at their defaults.\n{}",
            self.best,
            self.select_on.name(),
            self.select_on.shown(figure),
            job.training.seed,
            toml::to_string(&job.to_table()).expect("a job is made of tables, lists, texts and numbers")
        )
    }
}

fn row(trial: usize, settings: BTreeMap<String, Value>, records: &[&Record], first_seed: u64) -> Row {
    let mut row = Row {
        trial,
        settings,
        rung: 0,
        epochs: 0,
        best_epoch: 0,
        figures: Vec::new(),
        valid: None,
        problem: None,
    };
    for record in records {
        match &record.result {
            TrialResult::Failed(problem) => {
                row.problem = Some(problem.clone());
                row.rung = row.rung.max(record.rung + 1);
                row.figures.clear();
            }
            // A setting that failed with one seed has no figure of others.
            TrialResult::Reached { .. } if row.problem.is_some() => {}
            TrialResult::Reached { figure, .. } if record.seed != first_seed => row.figures.push(*figure),
            TrialResult::Reached { epochs, best_epoch, figure, valid, .. } => {
                (row.rung, row.epochs, row.best_epoch) = (record.rung + 1, *epochs, *best_epoch);
                row.figures = vec![*figure];
                row.valid = Some(*valid);
            }
        }
    }
    row
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.select_on;
        writeln!(
            f,
            "{} trials, {} epochs together; chosen by validation {}.\n",
            self.rows.len(),
            self.epochs,
            metric.name()
        )?;
        write!(f, "| trial | epochs | best | seeds | {} | AUC | GAUC | UAUC | log loss |", metric.name())?;
        self.columns.iter().try_for_each(|name| write!(f, " {} |", markdown::cell(name)))?;
        write!(f, "\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        self.columns.iter().try_for_each(|_| write!(f, "---|"))?;
        writeln!(f)?;
        for row in self.rows.iter().take(SHOWN) {
            write!(f, "| {} | {} | {} | {} |", row.trial, row.epochs, row.best_epoch, row.figures.len())?;
            match row.mean() {
                Some(mean) => {
                    let figure = Figure { mean: metric.shown(mean), ..Figure::of(&row.figures) };
                    write!(f, " {figure} |")?;
                }
                None => write!(f, " failed |")?,
            }
            let figure =
                |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.4}"));
            let gauc = row.valid.and_then(|valid| valid.gauc);
            let figures = [
                row.valid.and_then(|valid| valid.auc),
                gauc.map(|gauc| gauc.weighted),
                gauc.map(|gauc| gauc.unweighted),
                row.valid.map(|valid| valid.log_loss),
            ];
            figures.into_iter().try_for_each(|value| write!(f, " {} |", figure(value)))?;
            row.settings
                .values()
                .try_for_each(|value| write!(f, " {} |", markdown::cell(&value.to_string())))?;
            writeln!(f)?;
        }
        if self.rows.len() > SHOWN {
            writeln!(f, "\n{} more in tune.json.", self.rows.len() - SHOWN)?;
        }
        Ok(())
    }
}
