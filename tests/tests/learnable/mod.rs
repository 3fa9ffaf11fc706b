//! A generated dataset that attention alone can learn, or nothing can, and a small model for it.

use din_core::Normaliser;
use din_export::config::model::{HeadConfig, ModelConfig, PoolingKind, UnitConfig};
use din_export::config::training::{OptimizerConfig, TrainingConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::training::{Trained, TrainingError, train};

const ITEMS: u32 = 40;
const CAPACITY: u32 = 6;

/// Reproducible numbers below `n` (Knuth's linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as u32) % n
    }
}

/// Random histories of 0 to 6 items. With `learnable`, a sample is positive if its candidate is in its history, which holds
/// for half of the samples: neither the candidate nor the history alone says anything. Otherwise labels are noise.
pub fn dataset(samples: u32, learnable: bool) -> Dataset {
    let mut numbers = Numbers(7);
    let item = || Field { name: "item".to_owned(), kind: FieldKind::Categorical { table: 0 } };
    let hour = Field { name: "hour".to_owned(), kind: FieldKind::Numeric(Normaliser::IDENTITY) };
    let schema = Schema {
        tables: vec![
            TableSpec {
                name: "item".to_owned(),
                dim: 8,
                vocabulary: Vocabulary::Dense { first: 0, first_row: 0, count: ITEMS },
            },
            TableSpec {
                name: "action".to_owned(),
                dim: 2,
                vocabulary: Vocabulary::Dense { first: 0, first_row: 0, count: 3 },
            },
        ],
        profile: Vec::new(),
        context: vec![hour],
        candidate: vec![item()],
        sequences: vec![SequenceSpec {
            name: "clicks".to_owned(),
            capacity: CAPACITY as usize,
            fields: vec![
                BehaviourField { field: item(), pair: Some(0) },
                BehaviourField {
                    field: Field { name: "action".to_owned(), kind: FieldKind::Categorical { table: 1 } },
                    pair: None,
                },
            ],
        }],
    };
    let (mut pool, mut spans, mut candidates, mut labels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..samples {
        let start = pool.len() as u32;
        let length = numbers.below(CAPACITY + 1);
        pool.extend((0..length).map(|_| numbers.below(ITEMS)));
        spans.push((start, start + length));
        let own = &pool[start as usize..];
        let positive = numbers.below(2) == 1 && !own.is_empty();
        let candidate = if positive {
            own[numbers.below(length) as usize]
        } else {
            loop {
                let other = numbers.below(ITEMS);
                if !own.contains(&other) {
                    break other;
                }
            }
        };
        candidates.push(candidate);
        let label = if learnable { positive } else { numbers.below(2) == 1 };
        labels.push(f32::from(u8::from(label)));
    }
    let actions = pool.iter().map(|_| numbers.below(3)).collect();
    let samples_of = Samples {
        labels,
        // Of 14, 3 and 3 samples, so that the weighted mean over users is not the plain one.
        users: (0..samples).map(|sample| sample / 20 * 3 + (sample % 20).saturating_sub(11) / 3).collect(),
        profile: Vec::new(),
        context: vec![FieldColumn::Numbers((0..samples).map(|_| numbers.below(24) as f32 / 24.0).collect())],
        candidate: vec![FieldColumn::Rows(candidates)],
        histories: vec![Histories { pool: vec![FieldColumn::Rows(pool), FieldColumn::Rows(actions)], spans }],
    };
    let cut = samples * 4 / 5;
    Dataset {
        schema,
        samples: samples_of,
        train: (0..cut).collect(),
        valid: (cut..samples).collect(),
        test: vec![],
    }
}

/// A small network with this pooling.
pub fn model(pooling: PoolingKind) -> ModelConfig {
    ModelConfig {
        pooling,
        unit: UnitConfig { hidden: vec![16, 8], ..UnitConfig::default() },
        head: HeadConfig { hidden: vec![16, 8], ..HeadConfig::default() },
    }
}

/// So many epochs, all of them.
pub fn config(epochs: usize) -> TrainingConfig {
    TrainingConfig {
        epochs,
        batch_size: 64,
        patience: 0,
        embedding_init: 0.3,
        optimizer: OptimizerConfig { learning_rate: 0.01, ..OptimizerConfig::default() },
        ..TrainingConfig::default()
    }
}

/// Trains, and listens to nothing.
pub fn quietly(
    dataset: &Dataset,
    model: &ModelConfig,
    config: &TrainingConfig,
) -> Result<Trained, TrainingError> {
    train(dataset, model, config, &mut |_| {})
}
