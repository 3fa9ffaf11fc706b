//! What a run trains on what: a checkpoint continues nothing else.

use std::fmt::{self, Write as _};
use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::config::interval::Interval;
use crate::config::model::ModelConfig;
use crate::config::training::{CheckpointConfig, TrainingConfig};
use crate::data::dataset::{Dataset, FieldColumn, Histories};

/// Hashes of the settings and of the encoded data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Identity {
    /// Of `model` and `training`, without what may change between a run's parts: `epochs` (unless the last one is what is kept),
    /// `patience`, `checkpoint`, `log_every`, `max_loss`.
    pub job: u64,
    /// Of the schema and all samples.
    pub data: u64,
}

impl Identity {
    /// Of a run.
    #[must_use]
    pub fn new(model: &ModelConfig, training: &TrainingConfig, data: u64) -> Self {
        let same = TrainingConfig {
            epochs: if training.train_on_valid { training.epochs } else { 0 },
            patience: 0,
            checkpoint: CheckpointConfig::default(),
            log_every: Interval::Never,
            max_loss: 0.0,
            ..training.clone()
        };
        let text = serde_json::to_string(&(model, same)).expect("settings encode as JSON");
        Self { job: XxHash3_64::oneshot(text.as_bytes()), data }
    }
}

/// Of the schema and every number of a dataset that training reads.
#[must_use]
pub fn of_dataset(dataset: &Dataset) -> u64 {
    let Dataset { schema, samples, train, valid, test: _ } = dataset;
    let mut hash = Hash(XxHash3_64::new());
    // Vocabularies of any size pass through without becoming one text.
    write!(hash, "{schema:?}").expect("hashing cannot fail");
    for numbers in [train, valid, &samples.users] {
        hash.rows(numbers);
    }
    hash.numbers(&samples.labels);
    for column in samples.profile.iter().chain(&samples.context).chain(&samples.candidate) {
        hash.column(column);
    }
    for Histories { pool, spans } in &samples.histories {
        pool.iter().for_each(|column| hash.column(column));
        hash.length(spans.len());
        spans.iter().for_each(|&(start, end)| hash.0.write_u64(u64::from(start) << 32 | u64::from(end)));
    }
    hash.0.finish()
}

struct Hash(XxHash3_64);

impl Hash {
    fn length(&mut self, length: usize) {
        self.0.write_u64(length as u64);
    }

    fn rows(&mut self, rows: &[u32]) {
        self.length(rows.len());
        self.0.write(bytemuck::cast_slice(rows));
    }

    fn numbers(&mut self, numbers: &[f32]) {
        self.length(numbers.len());
        self.0.write(bytemuck::cast_slice(numbers));
    }

    fn column(&mut self, column: &FieldColumn) {
        match column {
            FieldColumn::Rows(rows) => self.rows(rows),
            FieldColumn::Numbers(numbers) => self.numbers(numbers),
        }
    }
}

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Samples;

    #[test]
    fn any_number_of_the_data_changes_the_identity() {
        let histories = Histories { pool: vec![FieldColumn::Rows(vec![1, 2])], spans: vec![(0, 1), (1, 2)] };
        let samples = Samples {
            labels: vec![0.0, 1.0],
            users: vec![0, 0],
            candidate: vec![FieldColumn::Rows(vec![1, 2]), FieldColumn::Numbers(vec![0.5, f32::NAN])],
            histories: vec![histories],
            ..Samples::default()
        };
        let data = Dataset { samples, train: vec![0], valid: vec![1], ..Dataset::default() };
        let changes: [fn(&mut Dataset); 7] = [
            |data| data.samples.labels[1] = 0.0,
            |data| data.samples.users[1] = 1,
            |data| data.samples.candidate[0] = FieldColumn::Rows(vec![1, 3]),
            |data| data.samples.candidate[1] = FieldColumn::Numbers(vec![0.5, 0.0]),
            |data| data.samples.histories[0].spans[1] = (1, 1),
            |data| data.samples.histories[0].pool[0] = FieldColumn::Rows(vec![2, 2]),
            |data| data.train = vec![1],
        ];
        assert_eq!(of_dataset(&data), of_dataset(&data.clone()));
        for (index, change) in changes.iter().enumerate() {
            let mut other = data.clone();
            change(&mut other);
            assert_ne!(of_dataset(&other), of_dataset(&data), "change {index}");
        }
    }

    #[test]
    fn settings_that_may_change_on_the_way_are_no_part_of_the_identity() {
        let of = |config: &TrainingConfig| Identity::new(&ModelConfig::default(), config, 1);
        let config = TrainingConfig::default();
        assert_eq!(of(&TrainingConfig { epochs: 99, ..config.clone() }), of(&config));
        let last = |epochs| of(&TrainingConfig { train_on_valid: true, epochs, ..config.clone() });
        assert_ne!(last(9), last(3), "the last epoch is what is kept");
        assert_ne!(of(&TrainingConfig { seed: 99, ..config.clone() }), of(&config));
    }
}
