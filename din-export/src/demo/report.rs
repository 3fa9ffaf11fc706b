//! The demonstration's tables, and what they say.

use super::Variant;
use super::run::{BlobFigures, Run, SLATE};
use super::slates::Slate;
use crate::blob::Embedding;
use crate::data::dataset::Dataset;
use crate::metrics::{mean, standard_error};
use serde::Serialize;
use std::fmt;

/// Everything that the demonstration found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Training, validation and test samples.
    pub samples: [usize; 3],
    /// Sorted by variant and seed.
    pub runs: Vec<Run>,
    /// Means over the seeds.
    pub rows: Vec<Row>,
    /// What the seeds say.
    pub findings: Vec<Finding>,
    /// Held-out users.
    pub slates: Vec<Slate>,
}

/// One line of the table: means over the seeds.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which model.
    pub variant: Variant,
    /// Which rows.
    pub embedding: Embedding,
    /// Test log loss.
    pub log_loss: f64,
    /// Test AUC.
    pub auc: f64,
    /// Standard error of the AUC over the seeds, if there are several.
    pub auc_error: Option<f64>,
    /// Test GAUC, weighted by impressions.
    pub gauc: f64,
    /// `(AUC - 0.5) / (AUC of the base model - 0.5) - 1`, same rows.
    pub relative_improvement: f64,
    /// Bytes of the blob.
    pub blob_bytes: f64,
    /// Bytes of scratch.
    pub ram_bytes: f64,
    /// Of the fastest seed: the others were disturbed.
    pub microseconds_per_candidate: f64,
}

/// A comparison, seed by seed.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The metric, and what is compared.
    pub what: &'static str,
    /// Mean difference on the test.
    pub difference: f64,
    /// Its standard error over the seeds, if there are several.
    pub error: Option<f64>,
    /// Seeds in which it is positive.
    pub wins: usize,
    /// Seeds.
    pub seeds: usize,
}

impl Report {
    /// Summarises finished runs.
    #[must_use]
    pub fn new(dataset: &Dataset, runs: Vec<Run>, slates: Vec<Slate>) -> Self {
        let samples = [dataset.train.len(), dataset.valid.len(), dataset.test.len()];
        let rows = rows(&runs);
        let findings = findings(&runs);
        Self { samples, runs, rows, findings, slates }
    }
}

fn of(runs: &[Run], variant: Variant) -> impl Iterator<Item = &Run> + Clone {
    runs.iter().filter(move |run| run.variant == variant)
}

fn test_auc(blob: &BlobFigures) -> f64 {
    blob.test.auc.unwrap_or(f64::NAN)
}

fn test_gauc(blob: &BlobFigures) -> f64 {
    blob.test.gauc.map_or(f64::NAN, |gauc| gauc.weighted)
}

fn rows(runs: &[Run]) -> Vec<Row> {
    let mut rows = Vec::new();
    for variant in Variant::ALL {
        for (index, embedding) in [Embedding::F32, Embedding::Int8].into_iter().enumerate() {
            let blobs = of(runs, variant).map(|run| &run.blobs[index]);
            let mean_of =
                |figure: fn(&BlobFigures) -> f64| mean(&blobs.clone().map(figure).collect::<Vec<_>>());
            let base = mean(
                &of(runs, Variant::SumPooling).map(|run| test_auc(&run.blobs[index])).collect::<Vec<_>>(),
            );
            let auc = mean_of(test_auc);
            rows.push(Row {
                variant,
                embedding,
                log_loss: mean_of(|blob| blob.test.log_loss),
                auc,
                auc_error: standard_error(&blobs.clone().map(test_auc).collect::<Vec<_>>()),
                gauc: mean_of(test_gauc),
                relative_improvement: (auc - 0.5) / (base - 0.5) - 1.0,
                blob_bytes: mean_of(|blob| blob.blob_bytes as f64),
                ram_bytes: mean_of(|blob| blob.ram_bytes as f64),
                microseconds_per_candidate: blobs
                    .clone()
                    .map(|blob| blob.microseconds_per_candidate)
                    .fold(f64::INFINITY, f64::min),
            });
        }
    }
    rows
}

fn findings(runs: &[Run]) -> Vec<Finding> {
    use Variant::{Din, DinRegularized, NoHistory, SumPooling};
    let auc = |run: &Run| test_auc(&run.blobs[0]);
    let gauc = |run: &Run| test_gauc(&run.blobs[0]);
    let best_test_epoch = |run: &Run| run.test_auc_by_epoch.iter().copied().fold(f64::NAN, f64::max);
    let compare = |what, better, worse, figure: &dyn Fn(&Run) -> f64, against: &dyn Fn(&Run) -> f64| {
        let pairs = of(runs, better).zip(of(runs, worse));
        let differences: Vec<f64> = pairs.map(|(better, worse)| figure(better) - against(worse)).collect();
        Finding {
            what,
            difference: mean(&differences),
            error: standard_error(&differences),
            wins: differences.iter().filter(|difference| **difference > 0.0).count(),
            seeds: differences.len(),
        }
    };
    vec![
        compare("AUC, history over none: sum pooling - no history", SumPooling, NoHistory, &auc, &auc),
        compare("AUC, attention over sum pooling: DIN - sum pooling", Din, SumPooling, &auc, &auc),
        compare("GAUC, attention over sum pooling: DIN - sum pooling", Din, SumPooling, &gauc, &gauc),
        compare(
            "AUC, regularised DIN with Dice - DIN, each as chosen on validation",
            DinRegularized,
            Din,
            &auc,
            &auc,
        ),
        compare(
            "AUC, regularised DIN with Dice, as chosen on validation - DIN at its best epoch on the test itself",
            DinRegularized,
            Din,
            &auc,
            &best_test_epoch,
        ),
    ]
}

/// As wide without as with.
fn error_text(error: Option<f64>) -> String {
    error.map_or_else(|| " ".repeat(10), |error| format!(" +- {error:.4}"))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, valid, test] = self.samples;
        let seeds = self.findings.first().map_or(0, |finding| finding.seeds);
        writeln!(
            f,
            "{train} training, {valid} validation and {test} test impressions; means over {seeds} seeds."
        )?;
        writeln!(
            f,
            "Epochs are chosen on validation. The table is of the test, scored by din-core on the blob.\n"
        )?;
        writeln!(
            f,
            "{:<28} {:>4} {:>8} {:>16} {:>7} {:>9} {:>10} {:>9} {:>12}",
            "model", "rows", "log loss", "AUC", "GAUC", "RelaImpr", "blob bytes", "RAM bytes", "us/candidate"
        )?;
        for row in &self.rows {
            let embedding = row.embedding.name();
            writeln!(
                f,
                "{:<28} {embedding:>4} {:>8.4} {:>7.4}{} {:>7.4} {:>+7.2} % {:>10.0} {:>9.0} {:>12.2}",
                row.variant.name(),
                row.log_loss,
                row.auc,
                error_text(row.auc_error),
                row.gauc,
                100.0 * row.relative_improvement,
                row.blob_bytes,
                row.ram_bytes,
                row.microseconds_per_candidate
            )?;
        }
        writeln!(
            f,
            "GAUC: AUC within each user, weighted by impressions. RelaImpr: against sum pooling, same rows."
        )?;
        writeln!(
            f,
            "us/candidate: slates of {SLATE}, the user's set-up included, one thread, portable kernels.\n"
        )?;

        writeln!(
            f,
            "Test AUC by epoch, of the network in training (for looking at; nothing is chosen on it)"
        )?;
        let epochs = self.runs.iter().map(|run| run.test_auc_by_epoch.len()).max().unwrap_or(0);
        write!(f, "{:<28}", "epoch")?;
        (1..=epochs).try_for_each(|epoch| write!(f, " {epoch:>7}"))?;
        writeln!(f)?;
        for variant in Variant::ALL {
            write!(f, "{:<28}", variant.name())?;
            for epoch in 0..epochs {
                let figures: Vec<f64> =
                    of(&self.runs, variant).map(|run| run.test_auc_by_epoch[epoch]).collect();
                write!(f, " {:>7.4}", mean(&figures))?;
            }
            writeln!(f)?;
        }

        writeln!(f, "\nWhat the seeds say (difference on the test, standard error, seeds that agree)")?;
        for Finding { what, difference, error, wins, seeds } in &self.findings {
            writeln!(f, "  {difference:>+7.4}{}  {wins} of {seeds}  {what}", error_text(*error))?;
        }
        writeln!(f, "\nHeld-out users: what each was shown next, best first, and what the model looked at")?;
        for slate in &self.slates {
            writeln!(f, "{}", slate.text())?;
        }
        Ok(())
    }
}
