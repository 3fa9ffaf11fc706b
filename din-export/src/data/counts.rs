//! How many samples contain each row, for samples that come in parts.

use super::dataset::{Samples, for_each_row};
use crate::schema::Schema;

/// For each row of each table, the samples so far that contain it: an indicator each, as in
/// [`Dataset::samples_containing`](super::dataset::Dataset::samples_containing).
#[derive(Clone, Debug)]
pub struct Counts {
    /// By table.
    counts: Vec<Vec<u32>>,
    /// By table: the sample, counted over all parts from 1, that contained a row last.
    last: Vec<Vec<u32>>,
    samples: u32,
}

impl Counts {
    /// Before the first sample.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let zeros = || schema.tables.iter().map(|table| vec![0; table.vocabulary.rows()]).collect();
        Self { counts: zeros(), last: zeros(), samples: 0 }
    }

    /// Counts some samples of a part.
    pub fn add(&mut self, schema: &Schema, samples: &Samples, indices: impl Iterator<Item = u32>) {
        for sample in indices {
            self.samples = self.samples.wrapping_add(1);
            for (table, (counts, last)) in self.counts.iter_mut().zip(&mut self.last).enumerate() {
                for_each_row(schema, samples, table, sample as usize, |row| {
                    if std::mem::replace(&mut last[row as usize], self.samples) != self.samples {
                        counts[row as usize] += 1;
                    }
                });
            }
        }
    }

    /// By table.
    #[must_use]
    pub fn tables(&self) -> &[Vec<u32>] {
        &self.counts
    }

    /// By table.
    #[must_use]
    pub fn into_tables(self) -> Vec<Vec<u32>> {
        self.counts
    }
}
