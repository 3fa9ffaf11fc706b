//! The time of a training step with vocabularies of 10^4 and of 10^7 rows, same batches: it must not depend on them.
//!
//! `cargo run --release -p din-export --example step_time`. Both trainers take turns, so that a busy machine slows both.
//! A second line shows what a vocabulary does cost: with ids spread over all of its rows, cache misses.

use std::time::{Duration, Instant};

use din_export::config::model::ModelConfig;
use din_export::config::training::{RegularizationConfig, RegularizationKind, TrainingConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::network::Batch;
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::training::Trainer;
use rand::{RngExt, SeedableRng};

const SMALL: u32 = 10_000;
const LARGE: u32 = 10_000_000;
const DIM: usize = 16;
const BATCH: u32 = 256;
const BATCHES: u32 = 8;
const LENGTH: u32 = 40;
const ROUNDS: usize = 15;

fn main() {
    let (small, large) = (dataset(SMALL, SMALL), dataset(LARGE, SMALL));
    assert_eq!(small.samples, large.samples, "the same batches");
    compare("same batches", &small, &large);
    drop(large);
    compare("ids spread over all rows", &small, &dataset(LARGE, LARGE));
}

fn compare(what: &str, small: &Dataset, large: &Dataset) {
    let mut trainers = [small, large].map(|dataset| (trainer(dataset), dataset, Vec::new()));
    for _ in 0..ROUNDS {
        for (trainer, dataset, times) in &mut trainers {
            times.push(round(trainer, dataset));
        }
    }
    let [small, large] = trainers.map(|(.., mut times)| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e3 / f64::from(BATCHES)
    });
    println!(
        "{what}: {small:.2} ms a step with {SMALL} rows, {large:.2} ms with {LARGE} rows, ratio {:.3}",
        large / small
    );
}

fn trainer(dataset: &Dataset) -> Trainer {
    let regularization = RegularizationConfig { kind: RegularizationKind::MiniBatchAware, lambda: 0.01 };
    let config = TrainingConfig { regularization, ..TrainingConfig::default() };
    let mut trainer = Trainer::new(dataset, &ModelConfig::default(), &config).expect("a valid model");
    // Once unmeasured: the first touch of a page is the operating system's time.
    round(&mut trainer, dataset);
    trainer
}

fn round(trainer: &mut Trainer, dataset: &Dataset) -> Duration {
    let start = Instant::now();
    for indices in dataset.train.chunks(BATCH as usize) {
        trainer.step(Batch { samples: &dataset.samples, indices });
    }
    start.elapsed()
}

/// One table of `rows` rows; ids are below `used`.
fn dataset(rows: u32, used: u32) -> Dataset {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let item = || Field { name: "item".to_owned(), kind: FieldKind::Categorical { table: 0 } };
    let vocabulary = Vocabulary::Dense { first: 1, first_row: 1, count: rows - 1 };
    let schema = Schema {
        tables: vec![TableSpec { name: "item".to_owned(), dim: DIM, vocabulary }],
        candidate: vec![item()],
        sequences: vec![SequenceSpec {
            name: "clicks".to_owned(),
            capacity: LENGTH as usize,
            fields: vec![BehaviourField { field: item(), pair: Some(0) }],
        }],
        ..Schema::default()
    };
    let n = BATCH * BATCHES;
    let mut ids = |n: u32| FieldColumn::Rows((0..n).map(|_| rng.random_range(0..used)).collect());
    let candidate = vec![ids(n)];
    let pool = vec![ids(n * LENGTH)];
    let samples = Samples {
        labels: (0..n).map(|sample| f32::from(u8::from(sample % 2 == 0))).collect(),
        users: vec![0; n as usize],
        candidate,
        histories: vec![Histories { spans: (0..n).map(|s| (s * LENGTH, (s + 1) * LENGTH)).collect(), pool }],
        ..Samples::default()
    };
    Dataset { schema, samples, train: (0..n).collect(), ..Dataset::default() }
}
