//! The trainer of din-export beside others: reads JSON lines, answers each with one line (protocol: [`din_tests::peer`]).
//!
//! `load` gives `art`, a folder with `config.json` and `weights.safetensors` of one model, `batches`, a file of eight training
//! batches, `variant`, the optimiser (`adam`, `adagrad` or `sgd`), and `threads`. A call is one step on one batch; the answer to
//! `load` holds the losses of the first eight.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use din_export::config::training::{OptimizerConfig, OptimizerKind, TrainingConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::network::{Batch, Network};
use din_export::schema::Schema;
use din_export::training::Trainer;
use din_tests::peer::{TIMED, path, resident, serve, weights};
use rayon::{ThreadPool, ThreadPoolBuilder};
use safetensors::SafeTensors;
use serde_json::{Value as Json, json};

struct Loaded {
    pool: ThreadPool,
    trainer: Trainer,
    dataset: Dataset,
}

impl Loaded {
    /// One step; the batch's loss before it.
    fn step(&mut self, batch: usize) -> f64 {
        let Self { pool, trainer, dataset } = self;
        let size = dataset.train.len() / TIMED;
        let indices = &dataset.train[batch * size..(batch + 1) * size];
        pool.install(|| trainer.step(Batch { samples: &dataset.samples, indices }))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    serve(load, |loaded, index| Ok(loaded.step(index)))
}

fn load(message: &Json) -> Result<(Loaded, Json), Box<dyn Error>> {
    let base = resident("VmRSS");
    let start = Instant::now();
    let (kind, learning_rate) = match message["variant"].as_str() {
        Some("adam") => (OptimizerKind::Adam, 1e-3),
        Some("adagrad") => (OptimizerKind::Adagrad, 1e-2),
        Some("sgd") => (OptimizerKind::Sgd, 1e-2),
        other => return Err(format!("{other:?} is none of adam, adagrad, sgd").into()),
    };
    let (samples, longest) = samples(&path(message, "batches")?)?;
    let network = {
        let weights = weights(&path(message, "art")?, &path(message, "cache")?, longest)?;
        Network::from_weights(&weights)?
    };
    let train = (0..samples.labels.len() as u32).collect();
    let dataset = Dataset { schema: network.schema().clone(), samples, train, ..Dataset::default() };
    let optimizer = OptimizerConfig { kind, learning_rate, ..OptimizerConfig::default() };
    let config = TrainingConfig { optimizer, ..TrainingConfig::default() };
    let trainer = Trainer::resume(network, &dataset, &config)?;
    let threads = message["threads"].as_u64().unwrap_or(1) as usize;
    let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut loaded = Loaded { pool, trainer, dataset };
    let load_s = start.elapsed().as_secs_f64();
    let first_losses: Vec<f64> = (0..TIMED).map(|batch| loaded.step(batch)).collect();
    let answer = json!({
        "ok": true, "load_s": load_s, "first_losses": first_losses,
        "rss_base_kb": base, "rss_kb": resident("VmRSS"), "maxrss_kb": resident("VmHWM"),
        "info": { "behaviours": behaviours(&loaded.dataset.schema, &loaded.dataset.samples) },
    });
    Ok((loaded, answer))
}

fn behaviours(schema: &Schema, samples: &Samples) -> usize {
    debug_assert_eq!(schema.sequences.len(), 1);
    samples.histories[0].spans.iter().map(|(start, end)| (end - start) as usize).sum()
}

/// All batches end to end, padding left out, and the length of the longest history.
fn samples(file: &Path) -> Result<(Samples, usize), Box<dyn Error>> {
    let bytes = fs::read(file)?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let words = |name: &str| -> Result<Vec<[u8; 4]>, Box<dyn Error>> {
        Ok(tensors.tensor(name)?.data().as_chunks().0.to_vec())
    };
    let ids = |name: &str| -> Result<Vec<u32>, Box<dyn Error>> {
        Ok(words(name)?.into_iter().map(u32::from_le_bytes).collect())
    };
    let numbers = |name: &str| -> Result<Vec<f32>, Box<dyn Error>> {
        Ok(words(name)?.into_iter().map(f32::from_le_bytes).collect())
    };
    let labels = numbers("label")?;
    let mask = numbers("mask")?;
    let length = mask.len() / labels.len();
    let mut histories = Histories::default();
    let mut next = 0;
    for row in mask.chunks_exact(length) {
        let start = next;
        next += row.iter().filter(|&&real| real != 0.0).count() as u32;
        histories.spans.push((start, next));
    }
    for name in ["hist_item", "hist_cat"] {
        let real = ids(name)?.into_iter().zip(&mask).filter(|&(_, &real)| real != 0.0).map(|(id, _)| id);
        histories.pool.push(FieldColumn::Rows(real.collect()));
    }
    let column = |name: &str| ids(name).map(FieldColumn::Rows);
    let samples = Samples {
        users: vec![0; labels.len()],
        labels,
        profile: vec![column("user")?],
        context: Vec::new(),
        candidate: vec![column("item")?, column("cat")?],
        histories: vec![histories],
    };
    Ok((samples, length))
}
