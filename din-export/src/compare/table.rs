//! Means and standard errors over the seeds, and differences to the base seed by seed.

use super::run::Run;
use crate::metrics::{Metrics, mean, standard_error};
use serde::Serialize;
use std::fmt;

/// A mean over the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Over the seeds.
    pub mean: f64,
    /// Standard error of it.
    pub error: f64,
}

impl Figure {
    fn of(figures: &[f64]) -> Self {
        Self { mean: mean(figures), error: standard_error(figures) }
    }
}

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
    /// The mean of the chosen epochs.
    pub best_epoch: f64,
    /// Validation AUC, which nothing but epochs was chosen by here.
    pub valid_auc: Figure,
    /// Mean of validation AUC and UAUC.
    pub valid_auc_and_uauc: Figure,
    /// Test log loss.
    pub log_loss: Figure,
    /// Test AUC.
    pub auc: Figure,
    /// Test GAUC, weighted by impressions.
    pub gauc: Figure,
    /// Test UAUC, the plain mean over users.
    pub uauc: Figure,
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
        let own = variants.iter().find(|runs| runs[0].variant == base).copied().unwrap_or_default();
        let rows = variants.iter().map(|runs| row(runs, own)).collect();
        let seeds = variants.first().map_or(0, |runs| runs.len());
        Self { samples, seeds, base: base.to_owned(), rows }
    }
}

fn row(runs: &[Run], base: &[Run]) -> Row {
    let values = |of: &dyn Fn(&Run) -> f64| runs.iter().map(of).collect::<Vec<f64>>();
    let figure = |of: &dyn Fn(&Run) -> f64| Figure::of(&values(of));
    let over = |of: fn(&Metrics) -> f64| {
        let pairs = runs.iter().zip(base);
        let differences: Vec<f64> = pairs.map(|(run, base)| of(&run.test) - of(&base.test)).collect();
        let wins = differences.iter().filter(|&&difference| difference > 0.0).count();
        Difference { figure: Figure::of(&differences), wins }
    };
    let own = figure(&|run| auc(&run.test));
    let base_auc = mean(&base.iter().map(|run| auc(&run.test)).collect::<Vec<_>>());
    Row {
        variant: runs[0].variant.clone(),
        best_epoch: mean(&values(&|run| run.best_epoch as f64)),
        valid_auc: figure(&|run| auc(&run.valid)),
        valid_auc_and_uauc: figure(&|run| f64::midpoint(auc(&run.valid), uauc(&run.valid))),
        log_loss: figure(&|run| run.test.log_loss),
        auc: own,
        gauc: figure(&|run| gauc(&run.test)),
        uauc: figure(&|run| uauc(&run.test)),
        auc_over_base: over(auc),
        gauc_over_base: over(gauc),
        relative_improvement: (own.mean - 0.5) / (base_auc - 0.5) - 1.0,
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} ({:.4})", self.mean, self.error)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, valid, test] = self.samples;
        let seeds = self.seeds;
        writeln!(
            f,
            "{train} training, {valid} validation, {test} test samples; means over {seeds} seeds (standard error).\n"
        )?;
        writeln!(
            f,
            "| model | epoch | valid AUC | log loss | AUC | GAUC | UAUC | RelaImpr | GAUC over {} | seeds above |",
            self.base
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for row in &self.rows {
            let Difference { figure, wins } = row.gauc_over_base;
            let over = if row.variant == self.base {
                "| |".to_owned()
            } else {
                format!("{:+.4} ({:.4}) | {wins} of {seeds} |", figure.mean, figure.error)
            };
            writeln!(
                f,
                "| {} | {:.1} | {} | {:.4} | {} | {} | {} | {:+.2} % | {over}",
                row.variant,
                row.best_epoch,
                row.valid_auc,
                row.log_loss.mean,
                row.auc,
                row.gauc,
                row.uauc,
                100.0 * row.relative_improvement
            )?;
        }
        Ok(())
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
        Run {
            variant: variant.into(),
            seed,
            best_epoch: 2,
            epochs: Vec::new(),
            valid,
            test,
            curve: Vec::new(),
        }
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
        let din = &table.rows[0];
        assert!((din.auc.mean - 0.755).abs() < 1e-12 && (din.auc.error - 0.005).abs() < 1e-12);
        assert!((din.gauc_over_base.figure.mean - 0.015).abs() < 1e-12);
        assert!((din.gauc_over_base.figure.error - 0.025).abs() < 1e-12);
        assert_eq!((din.gauc_over_base.wins, din.auc_over_base.wins), (1, 2));
        assert!((din.relative_improvement - (0.255 / 0.21 - 1.0)).abs() < 1e-12);
        assert_eq!(table.rows[1].gauc_over_base.figure, Figure { mean: 0.0, error: 0.0 });
        let text = table.to_string();
        assert!(
            text.contains("| DIN | 2.0 | 0.9000 (0.0000) | 0.6000 | 0.7550 (0.0050) | 0.6300 (0.0100) |"),
            "{text}"
        );
        assert!(text.contains("| +0.0150 (0.0250) | 1 of 2 |"), "{text}");
    }
}
