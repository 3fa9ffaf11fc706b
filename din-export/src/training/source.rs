//! Where the samples of a run come from: memory, or a cache on disk.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::checkpoint::identity;
use super::error::TrainingError;
use super::evaluation::{evaluate, predict};
use super::trainer::SHUFFLE_STREAM;
use crate::data::cache::windows::{Window, Windows};
use crate::data::cache::{Cache, Split};
use crate::data::counts::Counts;
use crate::data::dataset::Dataset;
use crate::metrics::Metrics;
use crate::network::{Batch, Network};
use crate::schema::Schema;

/// What a run trains on and chooses by.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// All samples in memory; an epoch shuffles all of them.
    Memory(&'a Dataset),
    /// Samples on disk; an epoch shuffles so many at a time, and holds twice as many in memory.
    Stream {
        /// The samples.
        cache: &'a Cache,
        /// How many are shuffled together.
        window: usize,
    },
}

impl Source<'_> {
    /// What the columns mean.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        match self {
            Self::Memory(dataset) => &dataset.schema,
            Self::Stream { cache, .. } => cache.schema(),
        }
    }

    /// Refuses splits without samples.
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        let counts = match self {
            Self::Memory(dataset) => [dataset.train.len() as u64, dataset.valid.len() as u64],
            Self::Stream { cache, .. } => [Split::Train, Split::Valid].map(|split| cache.samples(split)),
        };
        for (split, samples) in ["train", "valid"].into_iter().zip(counts) {
            if samples == 0 {
                return Err(TrainingError::EmptySplit { split });
            }
        }
        Ok(())
    }

    /// A hash of all that is trained on.
    #[must_use]
    pub fn identity(&self) -> u64 {
        match self {
            Self::Memory(dataset) => identity::of_dataset(dataset),
            // Another window is another order of the samples.
            Self::Stream { cache, window } => cache.identity() ^ (*window as u64).rotate_left(32),
        }
    }

    /// For each table of a network's schema, the training samples that contain each row. The schema is this source's, or
    /// what is left of it when histories are ignored, in which case behaviours do not count.
    pub(super) fn counts(&self, schema: &Schema) -> Result<Vec<Vec<u32>>, TrainingError> {
        let tables = 0..schema.tables.len();
        let all = schema.sequences.len() == self.schema().sequences.len();
        match self {
            Self::Memory(dataset) => {
                let count = |table| super::regularization::samples_containing(dataset, schema, table);
                Ok(tables.map(count).collect())
            }
            Self::Stream { cache, .. } if all => Ok(cache.counts().to_vec()),
            Self::Stream { cache, .. } => {
                let mut counts = Counts::new(schema);
                cache.for_each_window(Split::Train, |samples| {
                    counts.add(schema, &samples, 0..samples.labels.len() as u32);
                    Ok::<_, TrainingError>(())
                })?;
                Ok(counts.into_tables())
            }
        }
    }

    /// The metrics of the validation split.
    pub(super) fn evaluate(&self, network: &Network<f32>) -> Result<Metrics, TrainingError> {
        match self {
            Self::Memory(dataset) => Ok(evaluate(network, &dataset.samples, &dataset.valid)),
            Self::Stream { cache, .. } => {
                let (mut scores, mut labels, mut users) = (Vec::new(), Vec::new(), Vec::new());
                cache.for_each_window(Split::Valid, |samples| {
                    let indices: Vec<u32> = (0..samples.labels.len() as u32).collect();
                    scores.extend(predict(network, &samples, &indices));
                    labels.extend(samples.labels);
                    users.extend(samples.users);
                    Ok::<_, TrainingError>(())
                })?;
                Ok(Metrics::of(&scores, &labels, &users))
            }
        }
    }
}

/// The batches of one epoch after the other.
///
/// An epoch, or each window of one, is cut into batches that differ by one sample at most, none larger than `batch_size`, so
/// that no small rest distorts the batch statistics.
#[derive(Debug)]
pub(super) enum Batches<'a> {
    Memory(InMemory<'a>),
    Stream(Streamed<'a>),
}

impl<'a> Batches<'a> {
    pub(super) fn new(source: Source<'a>, seed: u64, batch_size: usize) -> Self {
        match source {
            Source::Memory(dataset) => Self::Memory(InMemory::new(dataset, seed, batch_size)),
            Source::Stream { cache, window } => Self::Stream(Streamed {
                cache,
                window,
                seed,
                batch_size,
                windows: None,
                ends: Vec::new(),
                current: None,
            }),
        }
    }

    /// Prepares an epoch, from 1, of which so many steps are done. Epochs come in ascending order.
    pub(super) fn begin_epoch(&mut self, epoch: usize, done: usize) -> Result<(), TrainingError> {
        match self {
            Self::Memory(memory) => memory.begin_epoch(epoch),
            Self::Stream(stream) => stream.begin_epoch(epoch, done)?,
        }
        Ok(())
    }

    /// Of this epoch.
    pub(super) fn steps(&self) -> usize {
        match self {
            Self::Memory(memory) => memory.steps,
            Self::Stream(stream) => stream.ends.last().copied().unwrap_or(0),
        }
    }

    /// Goes to a step, from 1: the one after the last one asked for.
    pub(super) fn advance(&mut self, step: usize) -> Result<(), TrainingError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Stream(stream) => stream.advance(step),
        }
    }

    /// Of the step that [`Self::advance`] went to.
    pub(super) fn batch(&self, step: usize) -> Batch<'_> {
        match self {
            Self::Memory(memory) => memory.batch(step),
            Self::Stream(stream) => stream.batch(step),
        }
    }
}

/// The batch of a step, from 1, among `steps` that are cut from `order`.
fn cut(order: &[u32], step: usize, steps: usize) -> &[u32] {
    &order[(step - 1) * order.len() / steps..step * order.len() / steps]
}

/// The training split of a dataset in memory, shuffled for each epoch.
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
    fn new(dataset: &'a Dataset, seed: u64, batch_size: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(SHUFFLE_STREAM);
        let order = dataset.train.clone();
        let steps = order.len().div_ceil(batch_size);
        Self { dataset, order, rng, shuffled: 0, steps }
    }

    /// Each epoch shuffles what the one before left, so those that a resumed run skips are shuffled too.
    fn begin_epoch(&mut self, epoch: usize) {
        while self.shuffled < epoch {
            self.order.shuffle(&mut self.rng);
            self.shuffled += 1;
        }
    }

    fn batch(&self, step: usize) -> Batch<'_> {
        Batch { samples: &self.dataset.samples, indices: cut(&self.order, step, self.steps) }
    }
}

/// The training split of a cache, window by window.
#[derive(Debug)]
pub(super) struct Streamed<'a> {
    cache: &'a Cache,
    window: usize,
    seed: u64,
    batch_size: usize,
    windows: Option<Windows>,
    /// For each window of the epoch, the step that is its last.
    ends: Vec<usize>,
    /// The window that is trained on, and its index.
    current: Option<(usize, Window)>,
}

impl Streamed<'_> {
    fn begin_epoch(&mut self, epoch: usize, done: usize) -> Result<(), TrainingError> {
        let plan = self.cache.plan(self.window, self.seed, epoch);
        let mut end = 0;
        let ends = plan.samples().map(|samples| {
            end += samples.div_ceil(self.batch_size);
            end
        });
        self.ends = ends.collect();
        self.current = None;
        let first = self.ends.partition_point(|&end| end <= done);
        self.windows = Some(Windows::read(self.cache, &plan, first)?);
        Ok(())
    }

    fn advance(&mut self, step: usize) -> Result<(), TrainingError> {
        let index = self.ends.partition_point(|&end| end < step);
        if self.current.as_ref().is_none_or(|own| own.0 != index) {
            // Freed before the next one is taken, which lets the one after that be read.
            self.current = None;
            if let Some(windows) = &mut self.windows {
                self.current = windows.take()?.map(|window| (index, window));
            }
        }
        Ok(())
    }

    fn batch(&self, step: usize) -> Batch<'_> {
        let (index, window) = self.current.as_ref().expect("`advance` went to a window of this epoch");
        let before = if *index == 0 { 0 } else { self.ends[index - 1] };
        let indices = cut(&window.order, step - before, self.ends[*index] - before);
        Batch { samples: &window.samples, indices }
    }
}
