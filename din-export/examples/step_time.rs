//! What a vocabulary of 10^4 to 10^8 rows costs: the time of a training step on the same batches, which must not depend on it, and
//! the memory, which must be that of the table and of the optimiser's state.
//!
//! `cargo run --release -p din-export --example step_time [largest]`, 10^8 rows unless told: 10.4 GB, 4 of them touched. One
//! thread; a step's time is the shortest of many, and the trainers take turns, so that a busy machine slows all alike. The last
//! column shows what a vocabulary does cost: with ids spread over all of its rows, cache misses.

use std::time::{Duration, Instant};

use din_export::config::model::ModelConfig;
use din_export::config::training::{RegularizationConfig, RegularizationKind, TrainingConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::network::Batch;
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::training::Trainer;
use rand::{RngExt, SeedableRng};

const SMALLEST: u32 = 10_000;
const DIM: usize = 8;
/// f32 numbers for each number of the table: itself and Adam's two moments.
const NUMBERS: f64 = 3.0;
const BATCH: u32 = 256;
const BATCHES: u32 = 8;
const LENGTH: u32 = 40;
const ROUNDS: usize = 20;

fn main() {
    let largest = std::env::args().nth(1).map_or(Ok(100_000_000), |argument| argument.parse::<u32>());
    let largest = largest.expect("a number of rows");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    println!(
        "rows, step of the same batches, against 10^4 rows, memory, against table and state, ids spread over all rows"
    );
    pool.install(|| {
        let mut small = Timed::new(dataset(SMALLEST, SMALLEST));
        for exponent in 4..=9 {
            let rows = 10_u32.pow(exponent);
            if rows > largest {
                break;
            }
            let before = private_memory();
            let mut timed = Timed::new(dataset(rows, SMALLEST));
            let grown = private_memory() - before;
            small.best.fill(Duration::MAX);
            for _ in 0..ROUNDS {
                small.round();
                timed.round();
            }
            let (step, ratio) = (timed.step(), timed.step() / small.step());
            timed.dataset = dataset(rows, rows);
            timed.best.fill(Duration::MAX);
            (0..ROUNDS).for_each(|_| timed.round());
            let need = NUMBERS * 4.0 * DIM as f64 * f64::from(rows);
            println!(
                "10^{exponent}: {step:.2} ms, {ratio:.3}; {:.1} MB, {:.3}; {:.2} ms",
                grown / 1e6,
                grown / need,
                timed.step()
            );
        }
    });
}

/// A trainer, its batches, and the shortest time of a step on each.
struct Timed {
    trainer: Trainer,
    dataset: Dataset,
    best: [Duration; BATCHES as usize],
}

impl Timed {
    fn new(dataset: Dataset) -> Self {
        let regularization = RegularizationConfig { kind: RegularizationKind::MiniBatchAware, lambda: 0.01 };
        let config = TrainingConfig { regularization, ..TrainingConfig::default() };
        let trainer = Trainer::new(&dataset, &ModelConfig::default(), &config).expect("a valid model");
        Self { trainer, dataset, best: [Duration::MAX; BATCHES as usize] }
    }

    fn round(&mut self) {
        let batches = self.dataset.train.chunks(BATCH as usize).zip(&mut self.best);
        for (indices, best) in batches {
            let start = Instant::now();
            self.trainer.step(Batch { samples: &self.dataset.samples, indices });
            *best = start.elapsed().min(*best);
        }
    }

    /// Milliseconds, over the batches.
    fn step(&self) -> f64 {
        self.best.iter().sum::<Duration>().as_secs_f64() * 1e3 / f64::from(BATCHES)
    }
}

/// Bytes of the process's own memory, touched or not; 0 where the system does not say.
fn private_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
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
