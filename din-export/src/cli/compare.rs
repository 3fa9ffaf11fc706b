//! `din-export compare`

use super::progress::Progress;
use super::stop::StopSignals;
use super::{CommandResult, JobArguments, load_job};
use din_export::compare::curves::Curves;
use din_export::compare::run::Place;
use din_export::compare::{CompareError, Comparison, Run, RunResult, Table};
use din_export::job::CompareConfig;
use din_export::output::{self, OwnFolder};
use din_export::runs::RunsError;
use serde::Serialize;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Folder for table.md, compare.json, curves.svg, and what is done: the same command goes on where it was stopped
    #[arg(long, short, value_name = "DIR", default_value = "din-compare")]
    output: PathBuf,
    /// A file with a [compare] of its own, in place of the job's
    #[arg(long, value_name = "FILE")]
    variants: Option<PathBuf>,
    /// Seeds of each variant [default: what the job says]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: Option<u64>,
    /// Measure training and test split after each epoch, and draw them; nothing is chosen on it
    #[arg(long)]
    curves: bool,
}

/// What `compare.json` holds.
#[derive(Serialize)]
struct Report {
    table: Table,
    #[serde(skip_serializing_if = "Option::is_none")]
    curves: Option<Curves>,
    runs: Vec<Run>,
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let mut job = load_job(&arguments.job)?;
    if let Some(file) = &arguments.variants {
        job.compare = Some(CompareConfig::load(file)?);
    }
    let folder = OwnFolder::open(&arguments.output)?;
    let progress = Progress::new();
    let directory = arguments.job.data.as_deref();
    let mut begin = |step: din_export::data::load::LoadStep<'_>| progress.begin(&step.to_string());
    let comparison = Comparison::load(&job, arguments.seeds, arguments.curves, directory, &mut begin)?;
    let [train, valid, test] = comparison.samples();
    progress.line(&format!("{train} training, {valid} validation, {test} test samples"));
    progress.begin("training");
    let signals = StopSignals::watch()?;
    let threads = rayon::current_num_threads();
    let place = Place { folder: &folder, threads, stop: signals.flag() };
    let runs = comparison.run(place, &|run, done, total| {
        let what = match &run.result {
            RunResult::Failed { problem } => format!("failed: {problem}"),
            RunResult::Measured(measured) => {
                let (epochs, auc) = (measured.epochs.len(), measured.test.auc.unwrap_or(f64::NAN));
                let kept = match measured.train_on_valid {
                    true => format!("{epochs} epochs"),
                    false => format!("best epoch {} of {epochs}", measured.best_epoch),
                };
                format!("{kept}, test AUC {auc:.4}")
            }
        };
        progress.line(&format!("{done}/{total} {}, seed {}: {what}", run.variant, run.seed));
        progress.advance(done as u64, total as u64, || "runs".to_owned());
    });
    let runs = match runs {
        Err(CompareError::Runs(RunsError::Stopped)) => {
            return Err(signals.stopped_between(&arguments.output).into());
        }
        runs => runs?,
    };
    drop(signals);
    let base = job.compare.as_ref().and_then(|config| config.base.as_deref());
    let base = base.unwrap_or_else(|| &comparison.variants()[0].name);
    let table = Table::new(comparison.samples(), base, &runs);
    let curves = arguments.curves.then(|| Curves::new(&runs));
    let report = Report { table, curves, runs };
    let mut text = report.table.to_string();
    let mut files = Vec::new();
    if let Some(curves) = &report.curves {
        text += &format!("\n{curves}");
        files.push((arguments.output.join("curves.svg"), curves.svg().into_bytes()));
    }
    files.push((arguments.output.join("table.md"), text.clone().into_bytes()));
    files.push((arguments.output.join("compare.json"), serde_json::to_vec_pretty(&report)?));
    output::write_together(&files)?;
    drop(progress);
    super::print(json, &report, &text)?;
    let failed: Vec<&str> = report.table.failed().collect();
    if failed.is_empty() {
        return Ok(());
    }
    let (count, all) = (failed.len(), report.table.rows.len());
    Err(format!("{count} of {all} variants failed: {}", failed.join("; ")).into())
}
