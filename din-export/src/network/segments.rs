//! Ragged histories of a mini-batch, laid end to end.

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
    pub fn range(&self, sample: usize) -> std::ops::Range<usize> {
        self.offsets[sample]..self.offsets[sample + 1]
    }

    /// `values: [P, width]`, cut into one slice for each sample.
    pub fn split_mut<'a, T>(&self, values: &'a mut [T], width: usize) -> Vec<&'a mut [T]> {
        let mut rest = values;
        let lengths = self.offsets.windows(2).map(|pair| pair[1] - pair[0]);
        lengths
            .map(|length| {
                let (own, after) = std::mem::take(&mut rest).split_at_mut(length * width);
                rest = after;
                own
            })
            .collect()
    }
}

/// The behaviours of a batch beside the candidates they are held against.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a, T> {
    /// `[P, D]`, or `[K, Q[segment] * K]: [P, 2 D]` where an activation unit reads them.
    pub keys: &'a [T],
    /// `[B, D]`.
    pub query: &'a [T],
    /// Which keys belong to which query.
    pub segments: &'a Segments,
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
        assert_eq!(segments.split_mut(&mut values, 2), [&[1, 2, 3, 4][..], &[], &[5, 6]]);
    }
}
