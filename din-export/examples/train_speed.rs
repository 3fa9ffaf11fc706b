//! Samples a second of a training step, on data shaped like KuaiRand-Pure's clicks.
//!
//! `cargo run --release -p din-export --example train_speed [threads] [seconds]`; one thread and 10 seconds unless told.

use std::time::{Duration, Instant};

use din_export::config::model::ModelConfig;
use din_export::config::training::{RegularizationConfig, RegularizationKind, TrainingConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::network::Batch;
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::training::Trainer;
use rand::{RngExt, SeedableRng};

const SAMPLES: u32 = 20_000;
const USERS: u32 = 5_000;
const VIDEOS: u32 = 7_000;
const AUTHORS: u32 = 5_000;
const CAPACITY: u32 = 50;
const BATCH: usize = 256;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().ok());
    let threads = arguments.next().flatten().unwrap_or(1);
    let seconds = arguments.next().flatten().unwrap_or(10);
    let dataset = dataset();
    let behaviours: u32 = dataset.samples.histories[0].spans.iter().map(|(start, end)| end - start).sum();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let regularization = RegularizationConfig { kind: RegularizationKind::MiniBatchAware, lambda: 0.01 };
    let config = TrainingConfig { regularization, batch_size: BATCH, ..TrainingConfig::default() };
    let (samples, seconds) = pool.install(|| {
        let mut trainer = Trainer::new(&dataset, &ModelConfig::default(), &config).expect("a valid model");
        let mut step = |indices| trainer.step(Batch { samples: &dataset.samples, indices });
        dataset.train.chunks(BATCH).take(5).for_each(|indices| {
            step(indices);
        });
        let (start, limit) = (Instant::now(), Duration::from_secs(seconds as u64));
        let mut samples = 0;
        for indices in dataset.train.chunks_exact(BATCH).cycle() {
            step(indices);
            samples += indices.len();
            if start.elapsed() >= limit {
                break;
            }
        }
        (samples, start.elapsed().as_secs_f64())
    });
    println!(
        "{:.0} samples/s on {threads} thread(s): mean history {:.1} of {CAPACITY}, D = 32, unit 80-40 sigmoid, \
         head 80-40 Dice, batch {BATCH}, Adam, mini-batch aware",
        samples as f64 / seconds,
        f64::from(behaviours) / f64::from(SAMPLES),
    );
}

fn dataset() -> Dataset {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let table = |name: &str, rows| TableSpec {
        name: name.to_owned(),
        dim: 16,
        vocabulary: Vocabulary::Dense { first: 1, first_row: 1, count: rows - 1 },
    };
    let field = |name: &str, table| Field { name: name.to_owned(), kind: FieldKind::Categorical { table } };
    let schema = Schema {
        tables: vec![table("user", USERS), table("video", VIDEOS), table("author", AUTHORS)],
        profile: vec![field("user", 0)],
        context: Vec::new(),
        candidate: vec![field("video", 1), field("author", 2)],
        sequences: vec![SequenceSpec {
            name: "clicks".to_owned(),
            capacity: CAPACITY as usize,
            fields: vec![
                BehaviourField { field: field("video", 1), pair: Some(0) },
                BehaviourField { field: field("author", 2), pair: Some(1) },
            ],
        }],
    };
    // Popularity is skewed as that of real ids: the square of a uniform number.
    let mut ids = |n: u32, rows: u32| {
        let skewed = (0..n).map(|_| (rng.random::<f64>().powi(2) * f64::from(rows)) as u32);
        FieldColumn::Rows(skewed.collect())
    };
    let columns = (ids(SAMPLES, USERS), ids(SAMPLES, VIDEOS), ids(SAMPLES, AUTHORS));
    let pool = vec![ids(SAMPLES + CAPACITY, VIDEOS), ids(SAMPLES + CAPACITY, AUTHORS)];
    // 85 of 100 histories are full, the others of any length: 46 behaviours on average.
    let spans = (0..SAMPLES).map(|sample| {
        let full = rng.random_range(0..100) < 85;
        let length = if full { CAPACITY } else { rng.random_range(0..CAPACITY) };
        (sample, sample + length)
    });
    let histories = vec![Histories { spans: spans.collect(), pool }];
    let labels = (0..SAMPLES).map(|sample| f32::from(u8::from(sample % 3 == 0))).collect();
    let samples = Samples {
        labels,
        users: vec![0; SAMPLES as usize],
        profile: vec![columns.0],
        context: Vec::new(),
        candidate: vec![columns.1, columns.2],
        histories,
    };
    Dataset { schema, samples, train: (0..SAMPLES).collect(), ..Dataset::default() }
}
