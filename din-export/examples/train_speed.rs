//! Samples a second of training, and its share of what the processor could do at most.
//!
//! `cargo run --release -p din-export --example train_speed [kuairand | paper] [threads] [seconds]`; data shaped like
//! KuaiRand-Pure's clicks, one thread and 10 seconds unless told. `paper` is the profile that other trainers are timed with: item
//! and category 64 wide each, histories of 100, an activation unit of 80-40-1.
//!
//! The share of the peak counts the multiply-adds of the folded form, forward and twice backward, and no sigmoid, look-up or step.

use std::time::{Duration, Instant};

use din_export::bench::peak::Peak;
use din_export::config::model::ModelConfig;
use din_export::config::training::{RegularizationConfig, RegularizationKind, TrainingConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::network::Batch;
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::training::Trainer;
use rand::{RngExt, SeedableRng};

const BATCH: usize = 256;
const HIDDEN: [usize; 2] = [80, 40];

/// Data and model of one shape.
struct Profile {
    samples: u32,
    users: u32,
    items: u32,
    /// Of the second behaviour field: author, category.
    groups: u32,
    dim: usize,
    capacity: u32,
    /// Of 100 histories; the others have any length.
    full: u32,
}

const KUAIRAND: Profile =
    Profile { samples: 20_000, users: 5_000, items: 7_000, groups: 5_000, dim: 16, capacity: 50, full: 85 };
const PAPER: Profile =
    Profile { samples: 2_048, users: 192_403, items: 63_001, groups: 801, dim: 64, capacity: 100, full: 100 };

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let profile = match arguments.next_if(|argument| argument.parse::<usize>().is_err()).as_deref() {
        None | Some("kuairand") => KUAIRAND,
        Some("paper") => PAPER,
        Some(other) => panic!("`{other}` is neither kuairand nor paper"),
    };
    let mut numbers = arguments.map(|argument| argument.parse::<usize>().expect("a number"));
    let threads = numbers.next().unwrap_or(1);
    let limit = Duration::from_secs(numbers.next().unwrap_or(10) as u64);
    let dataset = dataset(&profile);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let regularization = RegularizationConfig { kind: RegularizationKind::MiniBatchAware, lambda: 0.01 };
    let config = TrainingConfig { regularization, batch_size: BATCH, ..TrainingConfig::default() };
    let (mut times, seconds) = pool.install(|| {
        let mut trainer = Trainer::new(&dataset, &ModelConfig::default(), &config).expect("a valid model");
        let mut step = |indices| trainer.step(Batch { samples: &dataset.samples, indices });
        dataset.train.chunks(BATCH).take(5).for_each(|indices| {
            step(indices);
        });
        let (start, mut times) = (Instant::now(), Vec::new());
        for indices in dataset.train.chunks_exact(BATCH).cycle() {
            let before = Instant::now();
            step(indices);
            times.push(before.elapsed());
            if start.elapsed() >= limit {
                break;
            }
        }
        (times, start.elapsed().as_secs_f64())
    });
    let rate = (times.len() * BATCH) as f64 / seconds;
    times.sort_unstable();
    // The fifth best of 100, so that what else the machine did does not count.
    let undisturbed = BATCH as f64 / times[times.len() / 20].as_secs_f64();
    let behaviours: u32 = dataset.samples.histories[0].spans.iter().map(|(start, end)| end - start).sum();
    let length = f64::from(behaviours) / f64::from(profile.samples);
    println!(
        "{rate:.0} samples/s on {threads} thread(s), undisturbed {undisturbed:.0}: mean history {length:.1} of {}, D = {}, unit \
         80-40 sigmoid, head 80-40 Dice, batch {BATCH}, Adam, mini-batch aware",
        profile.capacity,
        2 * profile.dim,
    );
    let Peak { gflops, instructions } = Peak::measure();
    let share = 2.0 * undisturbed * multiply_adds(&profile, length) / (1e9 * gflops * threads as f64);
    println!(
        "peak of one core {gflops:.1} GFLOP/s ({instructions}); undisturbed, {:.0} % of {threads} of them",
        100.0 * share,
    );
}

/// Of a sample, forward and twice backward.
fn multiply_adds(profile: &Profile, length: f64) -> f64 {
    let (d, [h1, h2]) = (2 * profile.dim, HIDDEN);
    let pair = d * h1 + h1 * h2 + h2;
    let head = (profile.dim + 2 * d) * h1 + h1 * h2 + h2;
    3.0 * (length * pair as f64 + head as f64)
}

fn dataset(profile: &Profile) -> Dataset {
    let &Profile { samples: count, users, items, groups, dim, capacity, full } = profile;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let table = |name: &str, rows| TableSpec {
        name: name.to_owned(),
        dim,
        vocabulary: Vocabulary::Dense { first: 1, first_row: 1, count: rows - 1 },
    };
    let field = |name: &str, table| Field { name: name.to_owned(), kind: FieldKind::Categorical { table } };
    let schema = Schema {
        tables: vec![table("user", users), table("item", items), table("group", groups)],
        profile: vec![field("user", 0)],
        context: Vec::new(),
        candidate: vec![field("item", 1), field("group", 2)],
        sequences: vec![SequenceSpec {
            name: "clicks".to_owned(),
            capacity: capacity as usize,
            fields: vec![
                BehaviourField { field: field("item", 1), pair: Some(0) },
                BehaviourField { field: field("group", 2), pair: Some(1) },
            ],
        }],
    };
    // Popularity is skewed as that of real ids: the square of a uniform number.
    let mut ids = |n: u32, rows: u32| {
        let skewed = (0..n).map(|_| (rng.random::<f64>().powi(2) * f64::from(rows)) as u32);
        FieldColumn::Rows(skewed.collect())
    };
    let columns = (ids(count, users), ids(count, items), ids(count, groups));
    // Histories overlap where they are short, as those of one user do; long ones are their own.
    let step = if full == 100 { capacity } else { 1 };
    let pool = vec![ids(step * count + capacity, items), ids(step * count + capacity, groups)];
    let spans = (0..count).map(|sample| {
        let is_full = rng.random_range(0..100) < full;
        let length = if is_full { capacity } else { rng.random_range(0..capacity) };
        (step * sample, step * sample + length)
    });
    let histories = vec![Histories { spans: spans.collect(), pool }];
    let labels = (0..count).map(|sample| f32::from(u8::from(sample % 3 == 0))).collect();
    let samples = Samples {
        labels,
        users: vec![0; count as usize],
        profile: vec![columns.0],
        context: Vec::new(),
        candidate: vec![columns.1, columns.2],
        histories,
    };
    Dataset { schema, samples, train: (0..count).collect(), ..Dataset::default() }
}
