//! The data of a job, wherever they are.

use super::progress::Progress;
use din_export::data::cache::{Cache, Split};
use din_export::data::dataset::Dataset;
use din_export::data::load::LoadStep;
use din_export::data::{self, DataError};
use din_export::evaluation::{Evaluation, EvaluationError, evaluate, evaluate_cached};
use din_export::job::Job;
use din_export::request::Request;
use din_export::tradeoff;
use din_export::training::Source;
use din_export::weights::ModelWeights;
use std::path::Path;

/// The samples of a job, in memory or on disk.
pub enum Data {
    Memory(Box<Dataset>),
    Stream(Box<Cache>, usize),
}

impl Data {
    pub fn open(job: &Job, directory: Option<&Path>, progress: &Progress) -> Result<Self, DataError> {
        let mut begin = |step: LoadStep<'_>| progress.begin(&step.to_string());
        match &job.data.stream {
            None => Ok(Self::Memory(Box::new(data::load(job, directory, &mut begin)?))),
            Some(stream) => {
                Ok(Self::Stream(Box::new(Cache::open(job, directory, &mut begin)?), stream.window))
            }
        }
    }

    /// Of the training, validation and test split.
    pub fn samples(&self) -> [u64; 3] {
        match self {
            Self::Memory(data) => [&data.train, &data.valid, &data.test].map(|split| split.len() as u64),
            Self::Stream(cache, _) => {
                [Split::Train, Split::Valid, Split::Test].map(|split| cache.samples(split))
            }
        }
    }

    /// In words.
    pub fn samples_text(&self) -> String {
        let [train, valid, test] = self.samples();
        format!("{train} training, {valid} validation, {test} test samples")
    }

    pub fn source(&self) -> Source<'_> {
        match self {
            Self::Memory(dataset) => Source::Memory(dataset),
            Self::Stream(cache, window) => Source::Stream { cache, window: *window },
        }
    }

    pub fn evaluate(&self, blob: &[u8], split: Split) -> Result<Evaluation, EvaluationError> {
        match self {
            Self::Stream(cache, _) => evaluate_cached(blob, cache, split),
            Self::Memory(dataset) => {
                let indices = match split {
                    Split::Train => &dataset.train,
                    Split::Valid => &dataset.valid,
                    Split::Test => &dataset.test,
                };
                evaluate(blob, dataset, indices)
            }
        }
    }

    /// From the training samples; of a cache, from the first window.
    pub fn calibration_requests(
        &self,
        weights: &ModelWeights,
    ) -> Result<Vec<Request>, Box<dyn std::error::Error + Send + Sync>> {
        let first;
        let dataset = match self {
            Self::Memory(dataset) => dataset,
            Self::Stream(cache, window) => {
                first = cache.first_samples(*window)?;
                &first
            }
        };
        Ok(tradeoff::calibration_requests(weights, dataset, &dataset.train)?)
    }
}
