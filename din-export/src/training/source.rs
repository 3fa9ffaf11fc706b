//! Where the batches of an epoch come from.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::trainer::SHUFFLE_STREAM;
use crate::data::dataset::Dataset;
use crate::network::Batch;

/// The training split of a dataset in memory, shuffled for each epoch.
///
/// An epoch is cut into batches that differ by one sample at most, none larger than `batch_size`, so that no small rest
/// distorts the batch statistics.
#[derive(Debug)]
pub(super) struct InMemory<'a> {
    dataset: &'a Dataset,
    /// The samples in this epoch's order.
    order: Vec<u32>,
    rng: ChaCha8Rng,
    /// How often `order` was shuffled.
    shuffled: usize,
    /// Of an epoch.
    steps: usize,
}

impl<'a> InMemory<'a> {
    pub(super) fn new(dataset: &'a Dataset, seed: u64, batch_size: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(SHUFFLE_STREAM);
        let order = dataset.train.clone();
        let steps = order.len().div_ceil(batch_size);
        Self { dataset, order, rng, shuffled: 0, steps }
    }

    /// Brings the samples into the order of an epoch, from 1. Epochs come in ascending order; each shuffles what the one
    /// before left, so those that a resumed run skips are shuffled too.
    pub(super) fn begin_epoch(&mut self, epoch: usize) {
        while self.shuffled < epoch {
            self.order.shuffle(&mut self.rng);
            self.shuffled += 1;
        }
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Of a step, from 1.
    pub(super) fn batch(&self, step: usize) -> Batch<'_> {
        let (n, steps) = (self.order.len(), self.steps);
        let indices = &self.order[(step - 1) * n / steps..step * n / steps];
        Batch { samples: &self.dataset.samples, indices }
    }
}
