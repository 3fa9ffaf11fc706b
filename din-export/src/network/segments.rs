//! Ragged histories of a mini-batch, laid end to end.

use std::ops::Range;

/// Which rows of a flattened matrix belong to which sample: no padding, so there is nothing to mask anywhere.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    /// `[B + 1]`: sample b of the batch has rows `offsets[b] .. offsets[b + 1]`.
    offsets: Vec<usize>,
    /// `[P]`: the sample of a row.
    samples: Vec<u32>,
    /// `[P]`: the entry of the pool of behaviours that a row shows.
    entries: Vec<u32>,
}

impl Segments {
    /// Lays out the histories of some samples, each given as a span of the pool.
    pub fn fill(&mut self, spans: impl Iterator<Item = (u32, u32)>) {
        self.offsets.clear();
        self.samples.clear();
        self.entries.clear();
        self.offsets.push(0);
        for (sample, (start, end)) in spans.enumerate() {
            self.entries.extend(start..end);
            self.samples.resize(self.entries.len(), sample as u32);
            self.offsets.push(self.entries.len());
        }
    }

    /// B: samples in the batch.
    #[must_use]
    pub fn count(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// P: behaviours in the batch.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.entries.len()
    }

    /// The sample of each row.
    #[must_use]
    pub fn samples(&self) -> &[u32] {
        &self.samples
    }

    /// The entry of the pool that each row shows.
    #[must_use]
    pub fn entries(&self) -> &[u32] {
        &self.entries
    }

    /// The rows of a sample.
    #[must_use]
    pub fn range(&self, sample: usize) -> Range<usize> {
        self.offsets[sample]..self.offsets[sample + 1]
    }

    /// The rows of some samples.
    #[must_use]
    pub fn rows_of(&self, samples: Range<usize>) -> Range<usize> {
        self.offsets[samples.start]..self.offsets[samples.end]
    }

    /// Samples that one task handles: at least 8, more if there would be more than 64 tasks. The batch's size alone decides, so
    /// that sums over samples are added in the same order on any number of threads.
    #[must_use]
    pub fn samples_per_block(&self) -> usize {
        self.count().div_ceil(64).max(8)
    }

    /// The samples of each task.
    pub fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (count, block) = (self.count(), self.samples_per_block());
        (0..count).step_by(block).map(move |start| start..(start + block).min(count))
    }

    /// Samples of a task that are worked on together, so that what one pass leaves is in cache for the next: as many as have 64
    /// rows, if no single one has more.
    pub fn groups(&self, samples: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        const ROWS: usize = 64;
        let mut start = samples.start;
        std::iter::from_fn(move || {
            let group = (start < samples.end).then(|| {
                let enough = |&end: &usize| self.rows_of(start..end).len() >= ROWS;
                start..(start + 1..samples.end).find(enough).unwrap_or(samples.end)
            })?;
            start = group.end;
            Some(group)
        })
    }

    /// `values: [P, width]`, cut into one slice for each task.
    pub fn split_rows_mut<'a, T>(
        &self,
        mut values: &'a mut [T],
        width: usize,
    ) -> impl Iterator<Item = &'a mut [T]> {
        let lengths = self.blocks().map(move |samples| self.rows_of(samples).len() * width);
        lengths.map(move |length| values.split_off_mut(..length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_histories_have_empty_ranges() {
        let mut segments = Segments::default();
        segments.fill([(5, 7), (3, 3), (0, 1)].into_iter());
        assert_eq!(segments.entries(), [5, 6, 0]);
        assert_eq!(segments.samples(), [0, 0, 2]);
        assert_eq!(segments.range(1), 2..2);
        let mut values = [1, 2, 3, 4, 5, 6];
        assert!(segments.split_rows_mut(&mut values, 2).eq([&[1, 2, 3, 4, 5, 6]]));
    }

    #[test]
    fn blocks_and_groups_hold_every_sample_once() {
        let mut segments = Segments::default();
        segments.fill((0..70).map(|sample| (0, sample % 9 * 10)));
        let blocks: Vec<Range<usize>> = segments.blocks().collect();
        assert_eq!((blocks.len(), &blocks[..2], &blocks[8]), (9, &[0..8, 8..16][..], &(64..70)));
        let groups: Vec<Range<usize>> = blocks.into_iter().flat_map(|block| segments.groups(block)).collect();
        assert_eq!(groups.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (0..70).collect::<Vec<_>>());
        assert_eq!(&groups[..3], [0..5, 5..7, 7..8], "100, 110 and 70 rows");
        segments.fill((0..10_000).map(|_| (0, 0)));
        assert_eq!(segments.blocks().count(), 64);
    }
}
