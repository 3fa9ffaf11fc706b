//! `din-export bench`

use super::progress::Progress;
use super::{CommandResult, load_model, read_blob, read_requests};
use din_core::Model;
use din_export::bench::{AnyKernel, Plan, Workload, run as measure};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

/// Requests drawn for each workload: the same rows are not always in the cache.
const REQUESTS: usize = 8;

#[derive(clap::Args)]
pub struct Arguments {
    /// The blob
    model: PathBuf,
    /// Candidates of a request
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 10, 100, 1000],
        value_parser = clap::value_parser!(u32).range(1..))]
    slates: Vec<u32>,
    /// Behaviours of a request, in every sequence [default: 0, 1, 10, half the capacity, the capacity]
    #[arg(long, value_name = "T,...", value_delimiter = ',')]
    histories: Vec<usize>,
    /// Time these requests, JSON lines as `rank` takes them, instead of drawn ones
    #[arg(long, value_name = "FILE", conflicts_with_all = ["slates", "histories"])]
    requests: Option<PathBuf>,
    /// Kernels by name, or `all` that this processor has [default: the fastest]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    kernel: Vec<String>,
    /// For each row
    #[arg(long, value_name = "SECONDS", default_value_t = 0.3, value_parser = seconds)]
    time: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.0..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("from 0 to 3600".to_owned()) }
}

pub fn run(arguments: &Arguments, threads: &[u16], json: bool) -> CommandResult {
    let bytes = read_blob(&arguments.model)?;
    let model = load_model(&arguments.model, &bytes)?;
    let threads = threads.iter().filter_map(|threads| NonZeroUsize::new((*threads).into()));
    let mut threads: Vec<NonZeroUsize> = threads.collect();
    if threads.is_empty() {
        threads = vec![NonZeroUsize::MIN, available_parallelism().unwrap_or(NonZeroUsize::MIN)];
        threads.dedup();
    }
    let plan = Plan {
        kernels: kernels(&arguments.kernel, &model)?,
        threads,
        workloads: workloads(arguments, &model)?,
        time: Duration::from_secs_f64(arguments.time),
    };
    let progress = Progress::new();
    progress.begin("measuring");
    let report =
        measure(&model, &plan, &mut |done, all| progress.advance(done, all, || "measuring".to_owned()))?;
    drop(progress);
    super::print(json, &report, &report.to_string())
}

fn kernels(names: &[String], model: &Model<'_>) -> Result<Vec<AnyKernel>, String> {
    let all = AnyKernel::all(model);
    if names.is_empty() {
        return Ok(vec![AnyKernel::best(model)]);
    }
    let mut kernels = Vec::new();
    for name in names {
        let found = all.iter().filter(|kernel| name == "all" || kernel.name() == name);
        let before = kernels.len();
        kernels.extend(found);
        if kernels.len() == before {
            let names: Vec<&str> = all.iter().map(|kernel| kernel.name()).collect();
            return Err(format!(
                "no kernel `{name}` for this blob on this processor; there are {}",
                names.join(", ")
            ));
        }
    }
    Ok(kernels)
}

fn workloads(
    arguments: &Arguments,
    model: &Model<'_>,
) -> Result<Vec<Workload>, Box<dyn std::error::Error + Send + Sync>> {
    if let Some(file) = &arguments.requests {
        let workload = Workload::of(model, read_requests(file, model)?);
        return Ok(vec![workload.ok_or_else(|| format!("{}: no request has a candidate", file.display()))?]);
    }
    let capacity = model.sequences().map(|sequence| sequence.capacity()).max().unwrap_or(0);
    let mut histories = match &arguments.histories[..] {
        [] => vec![0, 1, 10, capacity / 2, capacity],
        histories => histories.to_vec(),
    };
    histories.iter_mut().for_each(|history| *history = capacity.min(*history));
    histories.sort_unstable();
    histories.dedup();
    let pairs = arguments
        .slates
        .iter()
        .flat_map(|&slate| histories.iter().map(move |&history| (slate as usize, history)));
    Ok(pairs.map(|(slate, history)| Workload::random(model, slate, history, REQUESTS)).collect())
}
