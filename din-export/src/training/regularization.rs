//! Decay of embedding rows, decoupled from the optimiser.

use crate::config::training::{RegularizationConfig, RegularizationKind};
use crate::data::dataset::{Dataset, Samples};
use crate::schema::Schema;

/// How much of itself a row loses when a batch contains it: `w_j -= rate * strength(j) * w_j`, once a batch, `w_j` as it was
/// before the step. Rows that the batch does not contain are not touched.
///
/// The item bias is no embedding and does not decay.
#[derive(Clone, Debug)]
pub enum RowDecay {
    /// `strength = 0`.
    None,
    /// `strength = lambda`.
    L2 {
        /// As configured.
        lambda: f64,
    },
    /// `strength = lambda / n_j`, `n_j` the training samples that contain j, an indicator each: a row loses
    /// `rate * lambda * (batches with j) / n_j` of itself in an epoch, at most `rate * lambda`, and the less the more of its
    /// samples share a batch.
    ///
    /// # Source
    /// Zhou et al., KDD 2018, equations 4 to 7.
    MiniBatchAware {
        /// As configured.
        lambda: f64,
        /// `n_j`, for each row of each table.
        counts: Vec<Vec<u32>>,
    },
}

impl RowDecay {
    /// For a network that reads `schema`: the dataset's, or what is left of it when histories are ignored, in which case
    /// behaviours do not count. Counts come from the training split alone.
    #[must_use]
    pub fn new(config: &RegularizationConfig, dataset: &Dataset, schema: &Schema) -> Self {
        let count = |table| samples_containing(dataset, schema, table);
        let counts = (config.kind == RegularizationKind::MiniBatchAware)
            .then(|| (0..schema.tables.len()).map(count).collect());
        Self::counted(config, counts.unwrap_or_default())
    }

    /// With counts that are known: `n_j`, for each row of each table, if rows decay by it.
    #[must_use]
    pub fn counted(config: &RegularizationConfig, counts: Vec<Vec<u32>>) -> Self {
        let lambda = config.lambda;
        match config.kind {
            RegularizationKind::None => Self::None,
            RegularizationKind::L2 => Self::L2 { lambda },
            RegularizationKind::MiniBatchAware => Self::MiniBatchAware { lambda, counts },
        }
    }

    /// Of a row of a table.
    #[must_use]
    #[inline]
    pub fn strength(&self, table: usize, row: u32) -> f64 {
        match self {
            Self::None => 0.0,
            Self::L2 { lambda } => *lambda,
            // A row of no training sample cannot be in a batch of them; 1 is for callers who step on other samples.
            Self::MiniBatchAware { lambda, counts } => lambda / f64::from(counts[table][row as usize].max(1)),
        }
    }
}

/// The training samples that contain each row of a table of a network's schema.
pub(super) fn samples_containing(dataset: &Dataset, schema: &Schema, table: usize) -> Vec<u32> {
    if schema.sequences.len() == dataset.schema.sequences.len() {
        return dataset.samples_containing(table, &dataset.train);
    }
    ignoring_histories(dataset, schema).samples_containing(table, &dataset.train)
}

/// The columns that a network without sequences reads.
fn ignoring_histories(dataset: &Dataset, schema: &Schema) -> Dataset {
    let Samples { profile, context, candidate, .. } = &dataset.samples;
    let samples = Samples {
        profile: profile.clone(),
        context: context.clone(),
        candidate: candidate.clone(),
        ..Samples::default()
    };
    Dataset { schema: schema.clone(), samples, ..Dataset::default() }
}
