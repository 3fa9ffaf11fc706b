//! One variant, one seed: trained, exported, measured.

use super::Variant;
use crate::blob::{self, Embedding, ExportError, ExportOptions};
use crate::data::dataset::Dataset;
use crate::evaluation::{EvaluationError, RawSamples, evaluate};
use crate::job::Job;
use crate::metrics::Metrics;
use crate::request::Request;
use crate::scoring::Scorer;
use crate::training::{self, EpochReport, Event, TrainingError, train};
use crate::weights::ModelWeights;
use din_core::{Blocking, Model};
use serde::Serialize;
use std::time::Instant;

/// Why the demonstration stops.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Training.
    #[error("{variant}, seed {seed}: {source}", variant = variant.name())]
    Training {
        /// Of the run.
        variant: Variant,
        /// Of the run.
        seed: u64,
        /// Why.
        source: TrainingError,
    },
    /// Writing the blob.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Measuring it.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A thread pool cannot be made.
    #[error(transparent)]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// Nobody to rank for.
    #[error("the test split has no user with both clicks and non-clicks and a history")]
    NoUsers,
}

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Seeds of each variant: 1, 2, ...
    pub seeds: u64,
    /// Passes over the training split.
    pub epochs: usize,
}

/// What a blob is worth and what it costs.
#[derive(Clone, Debug, Serialize)]
pub struct BlobFigures {
    /// Form of the embedding rows.
    pub embedding: Embedding,
    /// Of the test split, by din-core.
    pub test: Metrics,
    /// Bytes of the blob.
    pub blob_bytes: usize,
    /// Bytes of scratch that a ranker needs.
    pub ram_bytes: usize,
    /// Time of a candidate, in slates of [`SLATE`], the user's set-up shared among them; one thread.
    pub microseconds_per_candidate: f64,
}

/// A finished run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Which model.
    pub variant: Variant,
    /// Which seed.
    pub seed: u64,
    /// On the validation split; chooses the epoch.
    pub epochs: Vec<EpochReport>,
    /// The chosen epoch.
    pub best_epoch: usize,
    /// Test AUC after each epoch, of the network in training: for the curve alone.
    pub test_auc_by_epoch: Vec<f64>,
    /// With f32 rows, then int8 rows.
    pub blobs: Vec<BlobFigures>,
    /// Of the chosen epoch.
    #[serde(skip)]
    pub weights: ModelWeights,
}

/// Candidates of a timed slate.
pub const SLATE: usize = 50;

/// Trains and measures, in the thread pool that it is called in.
///
/// # Errors
/// Any variant of [`DemoError`] but `NoUsers`.
pub fn run(
    job: &Job,
    dataset: &Dataset,
    variant: Variant,
    seed: u64,
    scale: Scale,
    on_progress: &(dyn Fn(&str) + Sync),
) -> Result<Run, DemoError> {
    let start = Instant::now();
    let run = train_and_measure(&variant.job(job), dataset, variant, seed, scale)?;
    on_progress(&format!(
        "{}, seed {seed}: {} epochs, best on validation {}, test AUC {:.4} ({:.0} s)",
        variant.name(),
        run.epochs.len(),
        run.best_epoch,
        run.blobs[0].test.auc.unwrap_or(f64::NAN),
        start.elapsed().as_secs_f64()
    ));
    Ok(run)
}

fn train_and_measure(
    job: &Job,
    dataset: &Dataset,
    variant: Variant,
    seed: u64,
    scale: Scale,
) -> Result<Run, DemoError> {
    let mut config = job.training.clone();
    config.seed = seed;
    config.epochs = scale.epochs;
    // Every variant runs every epoch, so that none has more chances than another.
    config.patience = 0;
    let mut curve = Vec::new();
    let trained = train(dataset, &job.model, &config, &mut |event| {
        if let Event::Epoch { network, .. } = event {
            let test = training::evaluate(network, &dataset.samples, &dataset.test);
            curve.push(test.auc.unwrap_or(f64::NAN));
        }
    })
    .map_err(|source| DemoError::Training { variant, seed, source })?;
    let mut weights = trained.weights;
    weights.name.clone_from(&job.name);
    let blobs = [Embedding::F32, Embedding::Int8]
        .into_iter()
        .map(|embedding| figures(job, dataset, &weights, embedding))
        .collect::<Result<_, _>>()?;
    Ok(Run {
        variant,
        seed,
        epochs: trained.epochs,
        best_epoch: trained.best_epoch,
        test_auc_by_epoch: curve,
        blobs,
        weights,
    })
}

fn figures(
    job: &Job,
    dataset: &Dataset,
    weights: &ModelWeights,
    embedding: Embedding,
) -> Result<BlobFigures, DemoError> {
    let bytes = export(job, weights, embedding)?;
    let evaluation = evaluate(&bytes, dataset, &dataset.test)?;
    let model = Model::from_bytes(&bytes).map_err(EvaluationError::from)?;
    Ok(BlobFigures {
        embedding,
        test: evaluation.metrics,
        blob_bytes: bytes.len(),
        ram_bytes: model.scratch_len_for(Blocking::SMALL) * 4,
        microseconds_per_candidate: time_slates(&model, dataset)?,
    })
}

/// The blob of a run.
///
/// # Errors
/// As [`blob::write`].
pub fn export(job: &Job, weights: &ModelWeights, embedding: Embedding) -> Result<Vec<u8>, ExportError> {
    blob::write(
        weights,
        &ExportOptions {
            embedding: embedding.into(),
            model_version: job.export.version,
            ..ExportOptions::default()
        },
    )
}

/// Ranks slates of test candidates for test users; the median slate, so that a disturbance of the machine does not count.
fn time_slates(model: &Model<'_>, dataset: &Dataset) -> Result<f64, DemoError> {
    const SLATES: usize = 101;
    let view = RawSamples::new(model, dataset)?;
    let mut scorer = Scorer::new(model);
    let test = &dataset.test;
    let candidates: Vec<_> =
        (0..SLATE).map(|index| view.candidate(test[index * test.len() / SLATE])).collect();
    let mut seconds = Vec::new();
    for slate in 0..SLATES {
        let sample = test[slate * test.len() / SLATES];
        let request = Request { candidates: candidates.clone(), ..view.request(sample) };
        let start = Instant::now();
        scorer.scores(&request).map_err(|source| EvaluationError::Score { sample, source })?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[SLATES / 2] * 1e6 / SLATE as f64)
}
