//! The training split for an epoch: blocks in random order, a window of them at a time, each window shuffled, the next one read
//! while one is trained on.

use super::{BlockEntry, Cache, Split, block};
use crate::data::dataset::Samples;
use crate::data::error::DataError;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::sync::mpsc::{Receiver, sync_channel};

/// The first random stream of the seed that shuffles an epoch, one for each.
const STREAMS: u64 = 1 << 32;

/// Which blocks each window of an epoch holds, in order. Follows from the arguments alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    seed: u64,
    epoch: usize,
    /// Never empty ones.
    windows: Vec<Vec<BlockEntry>>,
}

impl Plan {
    /// For an epoch, from 1. Windows differ by about a block, and hold about `window` samples at most.
    #[must_use]
    pub fn new(blocks: &[BlockEntry], window: usize, seed: u64, epoch: usize) -> Self {
        let mut blocks = blocks.to_vec();
        blocks.shuffle(&mut rng(seed, epoch, 0));
        let total: u64 = blocks.iter().map(|block| u64::from(block.samples)).sum();
        let count = total.div_ceil(window as u64).max(1);
        let mut windows = vec![Vec::new(); count as usize];
        let mut before = 0;
        for block in blocks {
            windows[(before * count / total.max(1)) as usize].push(block);
            before += u64::from(block.samples);
        }
        windows.retain(|window| !window.is_empty());
        Self { seed, epoch, windows }
    }

    /// Samples of each window.
    pub fn samples(&self) -> impl Iterator<Item = usize> {
        self.windows.iter().map(|blocks| blocks.iter().map(|block| block.samples as usize).sum())
    }
}

/// A random stream for a window, from 1, or for the blocks of an epoch, 0.
fn rng(seed: u64, epoch: usize, window: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAMS * epoch as u64 + window);
    rng
}

/// Samples that are shuffled together.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// In the order of the blocks.
    pub samples: Samples,
    /// Their indices, shuffled.
    pub order: Vec<u32>,
}

/// The windows of an epoch, read ahead.
#[derive(Debug)]
pub struct Windows {
    receive: Receiver<Result<Window, DataError>>,
}

impl Windows {
    /// Begins to read, from the window with this index on.
    ///
    /// # Errors
    /// `Cache` if the file cannot be opened.
    pub fn read(cache: &Cache, plan: &Plan, first: usize) -> Result<Self, DataError> {
        let mut reader = cache.reader()?;
        let empty = block::empty(cache.schema());
        let plan = plan.clone();
        // Nothing waits in the channel: one window is trained on, one is being read or is ready.
        let (send, receive) = sync_channel(0);
        std::thread::spawn(move || {
            for (index, blocks) in plan.windows.iter().enumerate().skip(first) {
                let mut read = || {
                    let mut samples = empty.clone();
                    blocks.iter().try_for_each(|block| reader.append(block, &mut samples))?;
                    let mut order: Vec<u32> = (0..samples.labels.len() as u32).collect();
                    order.shuffle(&mut rng(plan.seed, plan.epoch, index as u64 + 1));
                    Ok(Window { samples, order })
                };
                let window = read();
                let failed = window.is_err();
                // Nobody listens any more once the run has stopped.
                if send.send(window).is_err() || failed {
                    break;
                }
            }
        });
        Ok(Self { receive })
    }

    /// The next window; `None` after the last.
    ///
    /// # Errors
    /// `Cache` and `CacheDamaged`.
    pub fn take(&mut self) -> Result<Option<Window>, DataError> {
        self.receive.recv().ok().transpose()
    }
}

impl Cache {
    /// How an epoch goes, from 1.
    #[must_use]
    pub fn plan(&self, window: usize, seed: u64, epoch: usize) -> Plan {
        Plan::new(self.blocks(Split::Train), window, seed, epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(count: u32) -> Vec<BlockEntry> {
        (0..count)
            .map(|i| BlockEntry { offset: u64::from(i), length: 1, samples: 10 + i % 3, hash: 0 })
            .collect()
    }

    #[test]
    fn an_epoch_has_every_block_once_in_windows_of_nearly_one_size() {
        let all = blocks(100);
        let plan = Plan::new(&all, 200, 1, 1);
        let mut found: Vec<u64> = plan.windows.iter().flatten().map(|block| block.offset).collect();
        found.sort_unstable();
        assert_eq!(found, (0..100).collect::<Vec<_>>());
        let samples: Vec<usize> = plan.samples().collect();
        assert_eq!((samples.iter().sum::<usize>(), samples.len()), (1099, 6));
        assert!(samples.iter().all(|own| (170..=200).contains(own)), "{samples:?}");
    }

    #[test]
    fn the_order_depends_on_seed_and_epoch_alone() {
        let all = blocks(50);
        assert_eq!(Plan::new(&all, 100, 1, 2), Plan::new(&all, 100, 1, 2));
        assert_ne!(Plan::new(&all, 100, 1, 2).windows, Plan::new(&all, 100, 1, 3).windows);
        assert_ne!(Plan::new(&all, 100, 1, 2).windows, Plan::new(&all, 100, 2, 2).windows);
    }
}
