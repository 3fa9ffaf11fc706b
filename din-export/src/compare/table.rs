//! Means and standard errors over the seeds, and differences to the base seed by seed.

use super::run::{Measured, Run, RunResult};
use crate::markdown;
use crate::metrics::{Figure, Metrics, mean};
use serde::Serialize;
use std::fmt;

/// A difference to the base, each seed to the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Mean and standard error.
    #[serde(flatten)]
    pub figure: Figure,
    /// Seeds in which it is positive.
    pub wins: usize,
}

/// One variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// For people.
    pub variant: String,
    /// The runs whose numbers left their range, by seed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failure>,
    /// None if a run failed: a mean over fewer seeds is not to be held against the others.
    #[serde(flatten)]
    pub figures: Option<Figures>,
}

/// A run whose numbers left their range.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// Of the run.
    pub seed: u64,
    /// Where, and what to change.
    pub problem: String,
}

/// Means of a variant over the seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The mean of the chosen epochs.
    pub best_epoch: f64,
    /// Validation AUC, which nothing but epochs was chosen by here; none where the validation samples trained too.
    pub valid_auc: Option<Figure>,
    /// Mean of validation AUC and UAUC.
    pub valid_auc_and_uauc: Option<Figure>,
    /// Test log loss.
    pub log_loss: Figure,
    /// Test AUC.
    pub auc: Figure,
    /// Test GAUC, weighted by impressions.
    pub gauc: Figure,
    /// Test UAUC, the plain mean over users.
    pub uauc: Figure,
    /// Against the base; none if a run of the base failed.
    #[serde(flatten)]
    pub over_base: Option<OverBase>,
}

/// A variant against the base.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OverBase {
    /// AUC above the base's.
    pub auc_over_base: Difference,
    /// GAUC above the base's.
    pub gauc_over_base: Difference,
    /// `(AUC - 0.5) / (AUC of the base - 0.5) - 1`.
    pub relative_improvement: f64,
}

/// The table of a comparison; displays as Markdown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// Training, validation and test samples.
    pub samples: [usize; 3],
    /// Of each variant.
    pub seeds: usize,
    /// What the others are held against.
    pub base: String,
    /// In the order of the job.
    pub rows: Vec<Row>,
}

/// Not a number where the split does not have it.
fn auc(metrics: &Metrics) -> f64 {
    metrics.auc.unwrap_or(f64::NAN)
}

fn gauc(metrics: &Metrics) -> f64 {
    metrics.gauc.map_or(f64::NAN, |gauc| gauc.weighted)
}

fn uauc(metrics: &Metrics) -> f64 {
    metrics.gauc.map_or(f64::NAN, |gauc| gauc.unweighted)
}

impl Table {
    /// Of runs by variant and seed; the same seeds of each variant.
    #[must_use]
    pub fn new(samples: [usize; 3], base: &str, runs: &[Run]) -> Self {
        let variants: Vec<&[Run]> = runs.chunk_by(|a, b| a.variant == b.variant).collect();
        let own = variants.iter().find(|runs| runs[0].variant == base).and_then(|runs| measured(runs));
        let rows = variants.iter().map(|runs| row(runs, own.as_deref())).collect();
        let seeds = variants.first().map_or(0, |runs| runs.len());
        Self { samples, seeds, base: base.to_owned(), rows }
    }

    /// Names of the variants of which a run failed.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| !row.failed.is_empty()).map(|row| row.variant.as_str())
    }
}

/// What was measured of a variant's runs, if none of them failed.
pub(super) fn measured(runs: &[Run]) -> Option<Vec<&Measured>> {
    runs.iter().map(Run::measured).collect()
}

fn row(runs: &[Run], base: Option<&[&Measured]>) -> Row {
    let failure = |run: &Run| match &run.result {
        RunResult::Failed { problem } => Some(Failure { seed: run.seed, problem: problem.clone() }),
        RunResult::Measured(_) => None,
    };
    Row {
        variant: runs[0].variant.clone(),
        failed: runs.iter().filter_map(failure).collect(),
        figures: measured(runs).map(|runs| figures(&runs, base)),
    }
}

fn figures(runs: &[&Measured], base: Option<&[&Measured]>) -> Figures {
    let values = |of: &dyn Fn(&Measured) -> f64| runs.iter().map(|run| of(run)).collect::<Vec<f64>>();
    let figure = |of: &dyn Fn(&Measured) -> f64| Figure::of(&values(of));
    let unseen = !runs.iter().any(|run| run.train_on_valid);
    let valid_figure = |of: &dyn Fn(&Metrics) -> f64| unseen.then(|| figure(&|run| of(&run.valid)));
    Figures {
        best_epoch: mean(&values(&|run| run.best_epoch as f64)),
        valid_auc: valid_figure(&auc),
        valid_auc_and_uauc: valid_figure(&|valid| f64::midpoint(auc(valid), uauc(valid))),
        log_loss: figure(&|run| run.test.log_loss),
        auc: figure(&|run| auc(&run.test)),
        gauc: figure(&|run| gauc(&run.test)),
        uauc: figure(&|run| uauc(&run.test)),
        over_base: base.map(|base| over_base(runs, base)),
    }
}

fn over_base(runs: &[&Measured], base: &[&Measured]) -> OverBase {
    let over = |of: fn(&Metrics) -> f64| {
        let pairs = runs.iter().zip(base);
        let differences: Vec<f64> = pairs.map(|(run, base)| of(&run.test) - of(&base.test)).collect();
        let wins = differences.iter().filter(|&&difference| difference > 0.0).count();
        Difference { figure: Figure::of(&differences), wins }
    };
    let mean_auc = |runs: &[&Measured]| mean(&runs.iter().map(|run| auc(&run.test)).collect::<Vec<_>>());
    OverBase {
        auc_over_base: over(auc),
        gauc_over_base: over(gauc),
        relative_improvement: (mean_auc(runs) - 0.5) / (mean_auc(base) - 0.5) - 1.0,
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, valid, test] = self.samples;
        let of_seeds = match self.seeds {
            1 => "of 1 seed".to_owned(),
            seeds => format!("means over {seeds} seeds (standard error)"),
        };
        writeln!(f, "{train} training, {valid} validation, {test} test samples; {of_seeds}.\n")?;
        writeln!(
            f,
            "| model | epoch | valid AUC | log loss | AUC | GAUC | UAUC | RelaImpr | GAUC over {} | seeds above |",
            markdown::cell(&self.base)
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        self.rows.iter().try_for_each(|row| self.write_row(f, row))?;
        for row in &self.rows {
            for Failure { seed, problem } in &row.failed {
                writeln!(f, "\n{}, seed {seed}: {problem}", row.variant)?;
            }
        }
        Ok(())
    }
}

impl Table {
    fn write_row(&self, f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
        let (name, seeds) = (markdown::cell(&row.variant), self.seeds);
        let Some(figures) = &row.figures else {
            return writeln!(f, "| {name} | failed with {} of {seeds} | | | | | | | | |", row.failed.len());
        };
        let Figures { best_epoch, valid_auc, log_loss, auc, gauc, uauc, .. } = figures;
        let valid_auc = valid_auc.map_or_else(|| "trained on".to_owned(), |figure| figure.to_string());
        write!(
            f,
            "| {name} | {best_epoch:.1} | {valid_auc} | {:.4} | {auc} | {gauc} | {uauc} |",
            log_loss.mean
        )?;
        match figures.over_base {
            None => writeln!(f, " | | |"),
            Some(over) => {
                write!(f, " {:+.2} % |", 100.0 * over.relative_improvement)?;
                if row.variant == self.base {
                    return writeln!(f, " | |");
                }
                let Difference { figure, wins } = over.gauc_over_base;
                writeln!(f, " {figure:+} | {wins} of {seeds} |")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Calibration, Gauc};

    fn run(variant: &str, seed: u64, auc: f64, gauc: f64) -> Run {
        let test = Metrics {
            samples: 4,
            log_loss: 0.6,
            auc: Some(auc),
            gauc: Some(Gauc { weighted: gauc, unweighted: 0.5, users: 2 }),
            calibration: Calibration { expected_error: 0.0, ratio: None },
        };
        let valid = Metrics { auc: Some(0.9), ..test };
        let (epochs, curve, train_on_valid) = (Vec::new(), Vec::new(), variant.contains("final"));
        let measured = Measured { best_epoch: 2, epochs, valid, train_on_valid, test, curve };
        Run { variant: variant.into(), seed, result: RunResult::Measured(Box::new(measured)) }
    }

    fn failed(variant: &str, seed: u64) -> Run {
        Run { variant: variant.into(), seed, result: RunResult::Failed { problem: "the loss is NaN".into() } }
    }

    #[test]
    fn differences_are_to_the_base_seed_by_seed() {
        let runs = [
            run("DIN", 1, 0.75, 0.64),
            run("DIN", 2, 0.76, 0.62),
            run("base", 1, 0.70, 0.60),
            run("base", 2, 0.72, 0.63),
        ];
        let table = Table::new([8, 4, 4], "base", &runs);
        let near = |figure: Figure, mean: f64, error: f64| {
            (figure.mean - mean).abs() < 1e-12 && (figure.error.unwrap() - error).abs() < 1e-12
        };
        let din = table.rows[0].figures.as_ref().unwrap();
        assert!(near(din.auc, 0.755, 0.005));
        let over = din.over_base.unwrap();
        assert!(near(over.gauc_over_base.figure, 0.015, 0.025));
        assert_eq!((over.gauc_over_base.wins, over.auc_over_base.wins), (1, 2));
        assert!((over.relative_improvement - (0.255 / 0.21 - 1.0)).abs() < 1e-12);
        let base = table.rows[1].figures.as_ref().unwrap();
        assert_eq!(base.over_base.unwrap().gauc_over_base.figure, Figure { mean: 0.0, error: Some(0.0) });
        let text = table.to_string();
        assert!(
            text.contains("| DIN | 2.0 | 0.9000 (0.0000) | 0.6000 | 0.7550 (0.0050) | 0.6300 (0.0100) |"),
            "{text}"
        );
        assert!(text.contains("| +0.0150 (0.0250) | 1 of 2 |"), "{text}");
    }

    #[test]
    fn an_auc_of_samples_that_trained_is_not_shown() {
        let table = Table::new([8, 4, 4], "DIN", &[run("DIN", 1, 0.75, 0.64), run("final", 1, 0.77, 0.66)]);
        let text = table.to_string();
        assert!(text.contains("| final | 2.0 | trained on | 0.6000 | 0.7700 |"), "{text}");
        assert!(text.contains("| DIN | 2.0 | 0.9000 |"), "{text}");
        assert!(table.rows[1].figures.as_ref().unwrap().valid_auc_and_uauc.is_none());
    }

    #[test]
    fn one_seed_has_no_standard_error() {
        let table = Table::new([8, 4, 4], "base", &[run("DIN", 1, 0.75, 0.64), run("base", 1, 0.70, 0.60)]);
        let text = table.to_string();
        assert!(text.contains("4 test samples; of 1 seed.\n"), "{text}");
        let row = "| DIN | 2.0 | 0.9000 | 0.6000 | 0.7500 | 0.6400 | 0.5000 | +25.00 % | +0.0400 | 1 of 1 |";
        assert!(text.contains(row), "{text}");
    }

    #[test]
    fn a_name_with_a_bar_stays_in_its_cell() {
        let table = Table::new([8, 4, 4], "a|b", &[run("a|b", 1, 0.75, 0.64), run("c", 1, 0.70, 0.60)]);
        let text = table.to_string();
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(text.lines().filter(|line| line.starts_with('|')).all(|line| cells(line) == 11), "{text}");
        assert!(text.contains("| a\\|b | 2.0 |") && text.contains("| GAUC over a\\|b |"), "{text}");
    }

    #[test]
    fn a_variant_that_failed_with_a_seed_is_a_row_that_says_so() {
        let runs =
            [run("DIN", 1, 0.75, 0.64), failed("DIN", 2), run("sum", 1, 0.7, 0.6), run("sum", 2, 0.7, 0.6)];
        let table = Table::new([8, 4, 4], "sum", &runs);
        assert_eq!(table.failed().collect::<Vec<_>>(), ["DIN"]);
        assert!(table.rows[0].figures.is_none() && table.rows[1].figures.is_some());
        let text = table.to_string();
        assert!(text.contains("\n| DIN | failed with 1 of 2 | | | | | | | | |\n| sum | 2.0 |"), "{text}");
        assert!(text.ends_with("\nDIN, seed 2: the loss is NaN\n"), "{text}");
        // What the base would have been is not known.
        let text = Table::new([8, 4, 4], "DIN", &runs).to_string();
        assert!(text.contains("| 0.5000 (0.0000) | | | |\n"), "{text}");
    }
}
