//! Samples, encoded: ids as rows of the schema's tables, histories as spans of a shared pool.

use crate::schema::Schema;

/// One field's values, an entry per sample (or per behaviour of a pool).
#[derive(Clone, Debug, PartialEq)]
pub enum FieldColumn {
    /// Rows of the field's table.
    Rows(Vec<u32>),
    /// Raw numbers, before the normaliser; NaN where missing.
    Numbers(Vec<f32>),
}

impl FieldColumn {
    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The histories of one sequence. Samples of one user share the pool's behaviours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histories {
    /// One column for each behaviour field; all of the pool's length.
    pub pool: Vec<FieldColumn>,
    /// For each sample the range of the pool that is its history, oldest first, at most the capacity long.
    pub spans: Vec<(u32, u32)>,
}

/// All samples of a job, whatever their split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// 0 or 1.
    pub labels: Vec<f32>,
    /// Dense number of the user that a sample belongs to, for GAUC.
    pub users: Vec<u32>,
    /// One column for each profile field.
    pub profile: Vec<FieldColumn>,
    /// One column for each context field.
    pub context: Vec<FieldColumn>,
    /// One column for each candidate field.
    pub candidate: Vec<FieldColumn>,
    /// One entry for each sequence.
    pub histories: Vec<Histories>,
}

/// A job's data, ready for training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// What the columns mean.
    pub schema: Schema,
    /// The rows.
    pub samples: Samples,
    /// Indices of the training samples.
    pub train: Vec<u32>,
    /// Indices of the samples that training may be chosen on.
    pub valid: Vec<u32>,
    /// Indices of the samples that nothing may be chosen on.
    pub test: Vec<u32>,
}

impl Dataset {
    /// For each row of a table, the samples among `indices` that contain it: `n_j` of mini-batch aware regularisation.
    ///
    /// An indicator: a sample counts once, however many of its fields and behaviours hit the row.
    #[must_use]
    pub fn samples_containing(&self, table: usize, indices: &[u32]) -> Vec<u32> {
        let mut counts = vec![0_u32; self.schema.tables[table].vocabulary.rows()];
        let mut last_seen = vec![u32::MAX; counts.len()];
        for &sample in indices {
            self.for_each_row(table, sample as usize, |row| {
                if last_seen[row as usize] != sample {
                    last_seen[row as usize] = sample;
                    counts[row as usize] += 1;
                }
            });
        }
        counts
    }

    /// Calls `visit` with each row of a table that a sample contains, repeats included.
    pub fn for_each_row(&self, table: usize, sample: usize, visit: impl FnMut(u32)) {
        for_each_row(&self.schema, &self.samples, table, sample, visit);
    }
}

/// As [`Dataset::for_each_row`], for samples whose schema is elsewhere.
pub(super) fn for_each_row(
    schema: &Schema,
    samples: &Samples,
    table: usize,
    sample: usize,
    mut visit: impl FnMut(u32),
) {
    use crate::schema::FieldKind::Categorical;
    let groups = [
        (&schema.profile, &samples.profile),
        (&schema.context, &samples.context),
        (&schema.candidate, &samples.candidate),
    ];
    for (fields, columns) in groups {
        for (field, column) in fields.iter().zip(columns) {
            if let (Categorical { table: own }, FieldColumn::Rows(rows)) = (&field.kind, column)
                && *own == table
            {
                visit(rows[sample]);
            }
        }
    }
    for (sequence, histories) in schema.sequences.iter().zip(&samples.histories) {
        let (start, end) = histories.spans[sample];
        for (behaviour, column) in sequence.fields.iter().zip(&histories.pool) {
            if let (Categorical { table: own }, FieldColumn::Rows(rows)) = (&behaviour.field.kind, column)
                && *own == table
            {
                rows[start as usize..end as usize].iter().for_each(|&row| visit(row));
            }
        }
    }
}
