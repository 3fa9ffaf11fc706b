//! Scores and metrics of a network under training.
//!
//! For choosing an epoch and drawing curves. What is reported of a finished model is computed by din-core on its blob.

use crate::data::dataset::Samples;
use crate::metrics::Metrics;
use crate::network::real::Real;
use crate::network::{Batch, Network, Workspace};

/// Samples scored together; scores do not depend on it.
const BATCH: usize = 512;

/// The score, after the sigmoid, of each sample in `indices`, under the moving statistics.
#[must_use]
pub fn predict(network: &Network<f32>, samples: &Samples, indices: &[u32]) -> Vec<f32> {
    let mut workspace = Workspace::default();
    rayon::scope(|_| {
        let mut scores = Vec::with_capacity(indices.len());
        for indices in indices.chunks(BATCH) {
            let logits = network.forward_eval(Batch { samples, indices }, &mut workspace);
            scores.extend(logits.iter().map(|logit| logit.sigmoid()));
        }
        scores
    })
}

/// The metrics of the samples in `indices`.
#[must_use]
pub fn evaluate(network: &Network<f32>, samples: &Samples, indices: &[u32]) -> Metrics {
    let pick = |values: &[f32]| indices.iter().map(|&sample| values[sample as usize]).collect::<Vec<_>>();
    let users: Vec<u32> = indices.iter().map(|&sample| samples.users[sample as usize]).collect();
    Metrics::of(&predict(network, samples, indices), &pick(&samples.labels), &users)
}
