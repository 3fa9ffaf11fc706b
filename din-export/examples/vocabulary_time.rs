//! What a vocabulary costs when ranking: the time of a score with tables of 10^3 to 10^7 rows, which must not depend on
//! them, and the time to load the blob, which must grow as its bytes do.
//!
//! `cargo run --release -p din-export --example vocabulary_time`; some 4 GB of memory. Prints a table. All models take turns,
//! so that a busy machine slows all alike; times are the fastest round's CPU time.

use din_core::{Model, Value};
use din_export::bench::clock::cpu_time;
use din_export::blob::{self, AlignedBytes, Embedding, Embeddings, ExportOptions};
use din_export::request::Request;
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::scoring::Scorer;
use din_export::weights::{Activation, AttentionNormalisation, Layer, ModelWeights, PoolingWeights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;
use std::time::Duration;

const ROWS: [u32; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const DIM: usize = 16;
const HISTORY: usize = 50;
const SLATE: usize = 100;
const REQUESTS: usize = 8;
const ROUNDS: usize = 15;

/// A blob and the fastest times so far.
struct Timed {
    rows: u32,
    form: Embedding,
    blob: AlignedBytes,
    load: Duration,
    /// Reading the blob's bytes, nothing else: what memory allows.
    read: Duration,
    /// Of the requests whose ids every model has, and of requests with ids of all rows.
    scores: [Duration; 2],
}

fn main() {
    let mut models: Vec<Timed> = Vec::new();
    for (rows, form) in ROWS.into_iter().flat_map(|rows| [(rows, Embedding::F32), (rows, Embedding::Int8)]) {
        eprintln!("writing {rows} rows as {}", form.name());
        let options = ExportOptions { embedding: Embeddings::exactly(form), ..ExportOptions::default() };
        let blob = AlignedBytes::from(&blob::write(&weights(rows), &options).expect("a valid model")[..]);
        let (load, read, scores) = (Duration::MAX, Duration::MAX, [Duration::MAX; 2]);
        models.push(Timed { rows, form, blob, load, read, scores });
    }
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        models.iter_mut().for_each(Timed::round);
    }
    println!(
        "{:>10} {:>5} {:>12} {:>9} {:>9} {:>9} | {:>9} {:>9}",
        "rows", "form", "bytes", "load, us", "GB/s", "read GB/s", "us, same", "all rows"
    );
    for Timed { rows, form, blob, load, read, scores } in &models {
        let speed = |time: &Duration| blob.len() as f64 / time.as_nanos() as f64;
        let [same, all] = scores.map(|time| time.as_secs_f64() * 1e6 / (SLATE * REQUESTS) as f64);
        println!(
            "{rows:>10} {:>5} {:>12} {:>9.0} {:>9.2} {:>9.2} | {same:>9.3} {all:>9.3}",
            form.name(),
            blob.len(),
            load.as_secs_f64() * 1e6,
            speed(load),
            speed(read)
        );
    }
    println!(
        "\nload: Model::from_bytes of bytes in memory; read: their sum in 64-bit numbers; us: microseconds a candidate, slates of \
         {SLATE}, {HISTORY} behaviours, the same requests for every model, and requests with ids of all its rows"
    );
}

impl Timed {
    fn round(&mut self) {
        let fastest =
            |best: &mut Duration, start: Duration| *best = cpu_time().saturating_sub(start).min(*best);
        let start = cpu_time();
        let words = self.blob.as_chunks::<8>().0.iter();
        black_box(words.fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word))));
        fastest(&mut self.read, start);
        let start = cpu_time();
        let model = Model::from_bytes(&self.blob).expect("a valid blob");
        fastest(&mut self.load, start);
        let mut scorer = Scorer::new(&model);
        for (best, used) in self.scores.iter_mut().zip([ROWS[0], self.rows]) {
            let requests = requests(used);
            // Once before: what is measured is not who was in the cache.
            let mut score_all = || requests.iter().for_each(|request| drop(scorer.scores(request)));
            score_all();
            let start = cpu_time();
            score_all();
            fastest(best, start);
        }
    }
}

/// Ids below `used`, the same for the same number.
fn requests(used: u32) -> Vec<Request> {
    let mut random = ChaCha8Rng::seed_from_u64(used.into());
    let mut id = || Value::Id(random.random_range(0..used).into());
    let mut request = || Request {
        histories: vec![(0..HISTORY).map(|_| id()).collect()],
        candidates: (0..SLATE).map(|_| vec![id()]).collect(),
        ..Request::default()
    };
    (0..REQUESTS).map(|_| request()).collect()
}

/// One table of `rows` rows, a unit of 36, a head of 80 and 40.
fn weights(rows: u32) -> ModelWeights {
    let mut random = ChaCha8Rng::seed_from_u64(rows.into());
    let mut numbers = |count: usize, size: f32| -> Vec<f32> {
        (0..count).map(|_| random.random_range(-size..size)).collect()
    };
    let mut layer = |inputs: usize, outputs: usize, activation| Layer {
        inputs,
        outputs,
        weight: numbers(inputs * outputs, (inputs as f32).sqrt().recip()),
        bias: numbers(outputs, 0.1),
        batch_norm: None,
        activation,
    };
    let relu = || Activation::PRelu { alpha: vec![0.2; 80] };
    let unit = vec![layer(4 * DIM, 36, Activation::Sigmoid), layer(36, 1, Activation::Linear)];
    let head =
        vec![layer(2 * DIM, 80, relu()), layer(80, 40, Activation::Relu), layer(40, 1, Activation::Linear)];
    let item = || Field { name: "item".to_owned(), kind: FieldKind::Categorical { table: 0 } };
    let vocabulary = Vocabulary::Dense { first: 0, first_row: 0, count: rows };
    let schema = Schema {
        tables: vec![TableSpec { name: "item".to_owned(), dim: DIM, vocabulary }],
        candidate: vec![item()],
        sequences: vec![SequenceSpec {
            name: "history".to_owned(),
            capacity: HISTORY,
            fields: vec![BehaviourField { field: item(), pair: Some(0) }],
        }],
        ..Schema::default()
    };
    let normalisation = AttentionNormalisation::None;
    ModelWeights {
        name: format!("{rows} rows"),
        schema,
        tables: vec![numbers(rows as usize * DIM, 0.5)],
        pooling: vec![PoolingWeights::Attention { layers: unit, normalisation }],
        product: false,
        head,
        item_bias: None,
    }
}
