//! `din-export demo`

use super::CommandResult;
use super::progress::Progress;
use din_export::demo::{self, Scale, Variant, run::export};
use din_export::job::Job;
use din_export::{data, import, output};
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    /// Folder for model.din, its f32 weights, metrics.json and report.txt
    #[arg(long, short, value_name = "DIR", default_value = "din-demo")]
    output: PathBuf,
    /// Another job than the one that ships
    #[arg(long, value_name = "JOB")]
    job: Option<PathBuf>,
    /// Seeds of each model
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Passes over the training data [default: what the job says]
    #[arg(long)]
    epochs: Option<usize>,
}

const SHIPPED: &str = "examples/kuairand/job.toml";

/// From the working directory, else from where the program was built.
fn shipped_job() -> PathBuf {
    let here = Path::new(SHIPPED);
    if here.exists() {
        here.to_owned()
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(SHIPPED)
    }
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let start = Instant::now();
    let mut job = Job::load(&arguments.job.clone().unwrap_or_else(shipped_job))?;
    // The demo compares models whose epochs are chosen.
    job.training.train_on_valid = false;
    output::prepare(&arguments.output)?;
    let progress = Progress::new();
    let dataset = data::load(&job, None, &mut |step| progress.begin(&step.to_string()))?;
    progress.line(&format!(
        "{} training, {} validation, {} test samples; training {} models with {} seeds each",
        dataset.train.len(),
        dataset.valid.len(),
        dataset.test.len(),
        Variant::ALL.len(),
        arguments.seeds
    ));
    let scale = Scale { seeds: arguments.seeds, epochs: arguments.epochs.unwrap_or(job.training.epochs) };
    progress.begin("training");
    let report = demo::run(&job, &dataset, scale, &|line| progress.line(line))?;
    drop(progress);

    let text = report.to_string();
    let mut files = Vec::new();
    if let Some(run) = report.runs.iter().find(|run| run.variant == Variant::DinRegularized) {
        files = import::files(&run.weights, &job.export, &arguments.output);
        files.push((arguments.output.join("model.din"), export(&job, &run.weights, job.export.embedding)?));
    }
    files.push((arguments.output.join("metrics.json"), serde_json::to_vec_pretty(&report)?));
    files.push((arguments.output.join("report.txt"), text.clone().into_bytes()));
    output::write_together(&files)?;
    let text = format!(
        "{text}model.din, metrics.json and report.txt are in {} ({:.0} s)\n",
        arguments.output.display(),
        start.elapsed().as_secs_f64()
    );
    super::print(json, &report, &text)
}
