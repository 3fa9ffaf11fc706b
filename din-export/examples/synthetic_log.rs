//! A log of any length, in Parquet shards, with the job that trains on it as a stream.
//!
//! `cargo run --release -p din-export --example synthetic_log -- FOLDER ROWS [SHARDS]`, then
//! `din-export train FOLDER/job.toml`.
//!
//! Every user likes some groups of items and is shown items at random, popular ones more often; what is clicked depends on
//! both, so that there is something to learn from the history. About 9 bytes a row. The same arguments give the same log.

use arrow_array::{Int64Array, RecordBatch, UInt8Array, UInt32Array};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Rows of a user, on average.
const ROWS_OF_A_USER: u64 = 100;
/// Items, and groups of them.
const ITEMS: u32 = 200_000;
const GROUPS: u32 = 64;
/// Rows that are written at a time.
const BATCH: u64 = 1 << 16;

const JOB: &str = r#"name = "synthetic"

[data]
samples = "log-*.parquet"
label = "click"
user = "user"
time = "time"

[data.stream]

[tables.user]
dim = 8

[tables.item]
dim = 8

[[profile]]
name = "user"
table = "user"

[[candidate]]
name = "item"
table = "item"

[[sequence]]
name = "clicked"
capacity = 20

[[sequence.field]]
name = "item"
table = "item"

[[sequence.source]]
kind = "log"
where = { column = "click", equals = "1" }

# The last 100,000 rows or so test, those before them validate.
[split]
kind = "time"
valid_from = VALID
test_from = TEST

[model.unit]
hidden = [16]

[model.head]
hidden = [32, 16]

[training]
epochs = 1
batch_size = 1024

[training.regularization]
kind = "mini_batch_aware"
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: synthetic_log FOLDER ROWS [SHARDS]";
    let [folder, rows, shards @ ..] = &arguments[..] else { return Err(usage.into()) };
    let (folder, rows): (&Path, u64) = (folder.as_ref(), rows.parse()?);
    let shards: u64 = shards.first().map_or(Ok(rows.div_ceil(5_000_000).max(1)), |text| text.parse())?;
    std::fs::create_dir_all(folder)?;
    let users = (rows / ROWS_OF_A_USER).clamp(1, u64::from(u32::MAX)) as u32;
    for shard in 0..shards {
        write_shard(
            &folder.join(format!("log-{shard:04}.parquet")),
            shard,
            shard * rows / shards..(shard + 1) * rows / shards,
            users,
        )?;
    }
    let held_out = (rows / 10).min(100_000);
    let job = JOB.replace("VALID", &(rows - 2 * held_out).to_string());
    std::fs::write(folder.join("job.toml"), job.replace("TEST", &(rows - held_out).to_string()))?;
    println!(
        "{rows} rows of {users} users and {ITEMS} items in {shards} shards; {}",
        folder.join("job.toml").display()
    );
    Ok(())
}

/// The rows of a range of times, one a step.
fn write_shard(
    file: &Path,
    shard: u64,
    times: std::ops::Range<u64>,
    users: u32,
) -> Result<(), Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(shard);
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let mut writer = None;
    for start in times.clone().step_by(BATCH as usize) {
        let own = start..(start + BATCH).min(times.end);
        let rows: Vec<(u32, u32, bool)> = own.clone().map(|_| row(&mut rng, users)).collect();
        let batch = RecordBatch::try_from_iter([
            ("user", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.0))) as _),
            ("item", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.1))) as _),
            ("time", Arc::new(Int64Array::from_iter_values(own.map(|time| time as i64))) as _),
            ("click", Arc::new(UInt8Array::from_iter_values(rows.iter().map(|row| u8::from(row.2)))) as _),
        ])?;
        if writer.is_none() {
            writer =
                Some(ArrowWriter::try_new(File::create(file)?, batch.schema(), Some(properties.clone()))?);
        }
        if let Some(writer) = &mut writer {
            writer.write(&batch)?;
        }
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}

/// User, item, and whether it was clicked.
fn row(rng: &mut impl Rng, users: u32) -> (u32, u32, bool) {
    let user = rng.random_range(0..users);
    // The square makes low numbers popular; a user sees the own groups more often.
    let popularity = rng.random::<f64>().powi(2);
    let item = (popularity * f64::from(ITEMS)) as u32;
    let liked = [user % GROUPS, user / GROUPS % GROUPS].contains(&(item % GROUPS));
    let item = if !liked && rng.random::<f64>() < 0.3 { item - item % GROUPS + user % GROUPS } else { item }
        .min(ITEMS - 1);
    let liked = [user % GROUPS, user / GROUPS % GROUPS].contains(&(item % GROUPS));
    let click = rng.random::<f64>() < if liked { 0.5 } else { 0.1 } + 0.2 * (1.0 - popularity);
    (user, item, click)
}
