//! din-core as a runtime of a comparison: reads JSON lines, answers each with one line.
//!
//! | request | answer |
//! |---|---|
//! | `{"op":"load","art":DIR,"requests":FILE,"variant":V,"cache":ROOT}` | `ok`, `load_s`, `max_err`, ... |
//! | `{"op":"run","min_time":S,"min_iters":I,"max_iters":M}` | `wall_ns`, `cpu_ns` of every call |
//! | `{"op":"quit"}` | none |
//!
//! `DIR` holds `config.json` and `weights.safetensors` of one model, `FILE` ten requests with f64 reference scores. A call
//! is one request: set the user, score the slate. Arguments: the blob's form, `f32` (the default), `int8` rows, or
//! `integer`, the integer path with int8 rows; and a kernel's name, else the best one.

use din_core::{Behaviours, IntegerKernel, IntegerRanker, Kernel, Model, Ranker, User, Value};
use din_export::blob::{self, AlignedBytes, Embedding, ExportOptions, NumericPath};
use din_tests::peer::{TIMED, path, resident, serve, weights};
use safetensors::SafeTensors;
use serde_json::{Value as Json, json};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

struct Request {
    profile: [Value; 1],
    history: Vec<Value>,
    slate: Vec<Value>,
    reference: Vec<f64>,
}

/// What was loaded; the model's bytes live as long as the process.
struct Loaded {
    scorer: Scorer,
    requests: Vec<Request>,
}

/// Of the blob's path.
enum Scorer {
    F32(Ranker<'static, 'static>, Vec<f32>),
    Integer(IntegerRanker<'static, 'static>, Vec<u16>),
}

impl Loaded {
    fn call(&mut self, index: usize) -> Result<(), Box<dyn Error>> {
        let request = &self.requests[index];
        let histories = [Behaviours::new(&request.history)];
        let user = User { profile: &request.profile, histories: &histories, ..User::default() };
        match &mut self.scorer {
            Scorer::F32(ranker, scores) => {
                ranker.set_user(&user)?;
                ranker.score_slate(&request.slate, scores)?;
            }
            Scorer::Integer(ranker, scores) => {
                ranker.set_user(&user)?;
                ranker.score_slate(&request.slate, scores)?;
            }
        }
        Ok(())
    }

    fn scores(&self) -> Vec<f64> {
        match &self.scorer {
            Scorer::F32(_, scores) => scores.iter().map(|score| f64::from(*score)).collect(),
            Scorer::Integer(_, scores) => scores.iter().map(|score| f64::from(*score) / 65_536.0).collect(),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (path, embedding) = match std::env::args().nth(1).as_deref() {
        None | Some("f32") => (NumericPath::F32, Embedding::F32),
        Some("int8") => (NumericPath::F32, Embedding::Int8),
        Some("integer") => (NumericPath::Integer, Embedding::Int8),
        Some(other) => return Err(format!("`{other}` is none of f32, int8, integer").into()),
    };
    let kernel = std::env::args().nth(2);
    let options = ExportOptions { path, embedding: embedding.into(), ..ExportOptions::default() };
    let load = |message: &_| load(message, &options, kernel.as_deref());
    serve(load, |loaded, index| loaded.call(index).map(|()| 0.0))
}

fn load(
    message: &Json,
    options: &ExportOptions,
    kernel: Option<&str>,
) -> Result<(Loaded, Json), Box<dyn Error>> {
    let wanted = |name: &str| kernel.is_none_or(|kernel| kernel == name);
    let unknown = || format!("this processor has no kernel `{}`", kernel.unwrap_or_default());
    let requests = requests(&path(message, "requests")?)?;
    let base = resident("VmRSS");
    let longest = requests.iter().map(|request| request.history.len() / 2).max().unwrap_or(1);
    let blob = {
        let weights = weights(&path(message, "art")?, &path(message, "cache")?, longest)?;
        AlignedBytes::from(&blob::write(&weights, options)?[..])
    };
    let start = Instant::now();
    let model: &'static Model<'static> = Box::leak(Box::new(Model::from_bytes(Box::leak(Box::new(blob)))?));
    let count = requests[0].reference.len();
    let (scorer, kernel) = if model.header().is_integer() {
        let mut ranker = IntegerRanker::new(model, Vec::leak(vec![0; model.scratch_len()]))?;
        let kernel =
            IntegerKernel::all().filter(|kernel| wanted(kernel.name())).last().ok_or_else(unknown)?;
        ranker.use_kernel(kernel);
        (Scorer::Integer(ranker, vec![0; count]), kernel.name())
    } else {
        let mut ranker = Ranker::new(model, Vec::leak(vec![0.0; model.scratch_len()]))?;
        let kernel = Kernel::all().filter(|kernel| wanted(kernel.name())).last().ok_or_else(unknown)?;
        ranker.use_kernel(kernel);
        (Scorer::F32(ranker, vec![0.0; count]), kernel.name())
    };
    let load_s = start.elapsed().as_secs_f64();
    let mut loaded = Loaded { scorer, requests };
    let mut errors = Vec::new();
    for index in 0..loaded.requests.len() {
        loaded.call(index)?;
        let scores = loaded.scores();
        let pairs = scores.iter().zip(&loaded.requests[index].reference);
        errors.push(pairs.map(|(score, truth)| (score - truth).abs()).fold(0.0, f64::max));
    }
    let largest = |errors: &[f64]| errors.iter().copied().fold(0.0, f64::max);
    let answer = json!({
        "ok": true, "load_s": load_s, "max_err": largest(&errors), "max_err_masked": largest(&errors[TIMED..]),
        "rss_base_kb": base, "rss_kb": resident("VmRSS"), "maxrss_kb": resident("VmHWM"),
        "info": { "kernel": kernel, "blob": model.bytes().len() },
    });
    Ok((loaded, answer))
}

fn requests(file: &Path) -> Result<Vec<Request>, Box<dyn Error>> {
    let bytes = fs::read(file)?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let count = tensors.tensor("ref")?.shape()[0];
    let part = |name: &str, index: usize| -> Result<Vec<u8>, Box<dyn Error>> {
        let tensor = tensors.tensor(name)?;
        let len = tensor.data().len() / count;
        Ok(tensor.data()[index * len..(index + 1) * len].to_vec())
    };
    let ids = |name: &str, index: usize| -> Result<Vec<Value>, Box<dyn Error>> {
        let words = part(name, index)?;
        Ok(words.as_chunks().0.iter().map(|word| Value::Id(u64::from(u32::from_le_bytes(*word)))).collect())
    };
    let together = |a: Vec<Value>, b: Vec<Value>| a.into_iter().zip(b).map(|(a, b)| [a, b]);
    let request = |index| -> Result<Request, Box<dyn Error>> {
        let real = part("mask", index)?;
        let real = real.as_chunks().0.iter().map(|mask| f32::from_le_bytes(*mask) != 0.0);
        let behaviours = together(ids("hist_item", index)?, ids("hist_cat", index)?);
        let user = ids("user", index)?;
        Ok(Request {
            profile: [*user.first().ok_or("no user")?],
            history: behaviours
                .zip(real)
                .filter(|(_, real)| *real)
                .flat_map(|(behaviour, _)| behaviour)
                .collect(),
            slate: together(ids("item", index)?, ids("cat", index)?).flatten().collect(),
            reference: part("ref", index)?
                .as_chunks()
                .0
                .iter()
                .map(|word| f64::from_le_bytes(*word))
                .collect(),
        })
    };
    (0..count).map(request).collect()
}
