//! The memory that a run needs, which its vocabularies decide, told before it starts.

use super::error::TrainingError;
use crate::config::model::ModelConfig;
use crate::config::training::{OptimizerKind, RegularizationKind, TrainingConfig};
use crate::schema::{FieldKind, Schema, Vocabulary};
use std::fmt;

/// Bytes that grow with the vocabularies. What grows with the batch, the window or the layers is small beside them where
/// they matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryNeed {
    /// Embedding rows and item biases.
    pub tables: u64,
    /// What the optimiser keeps of each.
    pub optimizer: u64,
    /// Ids, where they are no dense range; counts of the regulariser; the places of gradients.
    pub rows: u64,
}

impl MemoryNeed {
    /// Of training a model on data of this schema.
    #[must_use]
    pub fn of(schema: &Schema, model: &ModelConfig, config: &TrainingConfig) -> Self {
        let moments = match config.optimizer.kind {
            OptimizerKind::Sgd => 0,
            OptimizerKind::Adagrad => 1,
            OptimizerKind::Adam => 2,
        };
        let bias = schema.candidate.iter().find(|field| Some(&field.name) == model.head.item_bias.as_ref());
        let bias_table = bias.and_then(|field| match field.kind {
            FieldKind::Categorical { table } => Some(table),
            FieldKind::Numeric(_) => None,
        });
        let mut need = Self::default();
        for (index, table) in schema.tables.iter().enumerate() {
            let rows = table.vocabulary.rows() as u64;
            let has_bias = bias_table == Some(index);
            let numbers = rows * (table.dim as u64 + u64::from(has_bias));
            need.tables += 4 * numbers;
            need.optimizer += 4 * numbers * moments;
            let keys = match &table.vocabulary {
                Vocabulary::Dense { .. } => 0,
                // The data's schema has them, and the network's.
                Vocabulary::Keys(keys) | Vocabulary::HashedText(keys) => 2 * 8 * keys.len() as u64,
            };
            let counts = match config.regularization.kind {
                RegularizationKind::MiniBatchAware => 4 * rows,
                RegularizationKind::None | RegularizationKind::L2 => 0,
            };
            need.rows += keys + counts + 4 * rows * (1 + u64::from(has_bias));
        }
        need
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.tables + self.optimizer + self.rows
    }

    /// Refuses a run that needs more than is available, as far as that is known.
    ///
    /// # Errors
    /// `Memory`.
    pub fn check(&self, available: Option<u64>) -> Result<(), TrainingError> {
        match available {
            Some(available) if available < self.total() => {
                Err(TrainingError::Memory { need: *self, available })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for MemoryNeed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [tables, optimizer, rows] = [self.tables, self.optimizer, self.rows].map(Bytes);
        write!(
            out,
            "{} of memory: {tables} tables, {optimizer} optimiser, {rows} ids and counts",
            Bytes(self.total())
        )
    }
}

/// A number of bytes, for people.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        match bytes {
            0..0x40_0000 => write!(out, "{} KiB", bytes.div_ceil(1 << 10)),
            0x40_0000..0x1_0000_0000 => write!(out, "{} MiB", bytes >> 20),
            _ => write!(out, "{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
        }
    }
}

/// Bytes that the system can still give, where it says so: Linux, within the limit of a container.
#[must_use]
pub fn available() -> Option<u64> {
    let number = |file: &str| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let limit = number("/sys/fs/cgroup/memory.max");
    let in_container = limit.zip(number("/sys/fs/cgroup/memory.current"));
    let in_container = in_container.map(|(limit, current)| limit.saturating_sub(current));
    available_to_all().into_iter().chain(in_container).min()
}

fn available_to_all() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Field, TableSpec};

    #[test]
    fn the_need_is_that_of_tables_moments_ids_and_counts() {
        let table = |name: &str, vocabulary| TableSpec { name: name.into(), dim: 16, vocabulary };
        let schema = Schema {
            tables: vec![
                table("item", Vocabulary::Dense { first: 5, first_row: 1, count: 999 }),
                table("user", Vocabulary::Keys((0..99).map(|i| 2 * i).collect())),
            ],
            candidate: vec![Field { name: "item".into(), kind: FieldKind::Categorical { table: 0 } }],
            ..Schema::default()
        };
        let mut model = ModelConfig::default();
        model.head.item_bias = Some("item".into());
        let mut config = TrainingConfig::default();
        config.regularization.kind = RegularizationKind::MiniBatchAware;
        let need = MemoryNeed::of(&schema, &model, &config);
        let tables = 4 * (1000 * 17 + 100 * 16);
        let rows = 1000 * (4 + 8) + 100 * (4 + 4) + 2 * 8 * 99;
        assert_eq!(need, MemoryNeed { tables, optimizer: 2 * tables, rows });
        need.check(Some(need.total())).unwrap();
        let error = need.check(Some(1 << 12)).unwrap_err().to_string();
        assert!(
            error.starts_with("the run needs 233 KiB of memory: 73 KiB tables, 146 KiB optimiser"),
            "{error}"
        );
        assert!(error.contains("4 KiB are available"), "{error}");
    }
}
