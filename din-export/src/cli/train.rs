//! `din-export train`

use super::data::Data;
use super::progress::{Progress, Rate};
use super::stop::StopSignals;
use super::{CommandResult, JobArguments, load_job};
use din_export::blob;
use din_export::config::interval::Interval;
use din_export::config::training::TrainingConfig;
use din_export::data::cache::Split;
use din_export::evaluation::Evaluation;
use din_export::import;
use din_export::journal::Journal;
use din_export::output::{self, OwnFolder};
use din_export::training::checkpoint::Folder;
use din_export::training::memory::{self, MemoryNeed};
use din_export::training::{EpochReport, Event, Outcome, RunOptions, run as train};
use serde::Serialize;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Folder for model.din, the f32 weights, and metrics.json
    #[arg(long, short, value_name = "DIR", default_value = "din-model")]
    output: PathBuf,
    /// Seed [default: what the job says]
    #[arg(long)]
    seed: Option<u64>,
    /// Train the model that ships: on the validation samples too, for as many epochs as a run without this has chosen
    #[arg(long, value_name = "EPOCHS", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    r#final: Option<usize>,
    /// How often the run is saved, in DIR/checkpoints: 1000steps, 90s, 5min, 2h or never [default: what the job says]
    #[arg(long, value_name = "INTERVAL")]
    checkpoint_every: Option<Interval>,
    /// Go on from the newest checkpoint, to the same weights as without the break; without one, begin
    #[arg(long)]
    resume: bool,
    /// Train even if tables and optimiser need more memory than is available
    #[arg(long)]
    over_memory: bool,
}

/// What `metrics.json` holds.
#[derive(Serialize)]
struct Report {
    job: String,
    seed: u64,
    /// The best on the validation split; the last, if that trained too.
    best_epoch: usize,
    train_on_valid: bool,
    epochs: Vec<EpochReport>,
    blob_bytes: usize,
    scratch_bytes: usize,
    /// Of the exported blob, by din-core.
    valid: Evaluation,
    /// Of the exported blob, by din-core; nothing was chosen on it.
    test: Option<Evaluation>,
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let mut job = load_job(&arguments.job)?;
    if let Some(seed) = arguments.seed {
        job.training.seed = seed;
    }
    if let Some(epochs) = arguments.r#final {
        (job.training.train_on_valid, job.training.epochs) = (true, epochs);
    }
    if let Some(every) = arguments.checkpoint_every {
        job.training.checkpoint.every = every;
    }
    let _own = OwnFolder::open(&arguments.output)?;
    let checkpoints = arguments.output.join("checkpoints");
    let progress = Progress::new();
    let data = Data::open(&job, arguments.job.data.as_deref(), &progress)?;
    let [.., test_samples] = data.samples();
    progress.line(&data.samples_text());
    let need = MemoryNeed::of(data.source().schema(), &job.model, &job.training);
    progress.line(&format!("training needs {need}"));
    if !arguments.over_memory {
        need.check(memory::available())?;
    }
    let signals = StopSignals::watch()?;
    let options = RunOptions {
        checkpoints: Some(checkpoints.clone()),
        resume: arguments.resume,
        stop: Some(signals.flag()),
        ..RunOptions::default()
    };
    let mut journal = Journal::new(&arguments.output, job.training.log_every);
    let mut broken = None;
    let mut rate = Rate::new();
    let outcome = train(data.source(), &job.model, &job.training, &options, &mut |event| {
        show(&event, &progress, &mut rate, &job.training);
        // A journal that cannot be written stops the run, saved as by a signal.
        if broken.is_none()
            && let Err(error) = journal.record(&event)
        {
            broken = Some(error);
            signals.raise();
        }
    })?;
    if let Some(error) = broken {
        return Err(error.into());
    }
    let trained = match outcome {
        Outcome::Finished(trained) => trained,
        Outcome::Stopped { checkpoint } => return Err(signals.stopped(checkpoint).into()),
    };
    drop(signals);
    let mut weights = trained.weights;
    weights.name.clone_from(&job.name);
    let mut options = job.export.options();
    if options.calibrates() {
        options.requests = data.calibration_requests(&weights)?;
    }
    let bytes = blob::write(&weights, &options)?;
    progress.begin("evaluating the blob");
    let test = if test_samples == 0 { None } else { Some(data.evaluate(&bytes, Split::Test)?) };
    let report = Report {
        job: job.name,
        seed: job.training.seed,
        best_epoch: trained.best_epoch,
        train_on_valid: job.training.train_on_valid,
        epochs: trained.epochs,
        blob_bytes: bytes.len(),
        scratch_bytes: din_core::Model::from_bytes(&bytes)?.scratch_len_for(din_core::Blocking::SMALL) * 4,
        valid: data.evaluate(&bytes, Split::Valid)?,
        test,
    };
    let mut files = import::files(&weights, &job.export, &arguments.output);
    files.push((arguments.output.join("metrics.json"), serde_json::to_vec_pretty(&report)?));
    files.push((arguments.output.join("model.din"), bytes));
    output::write_together(&files)?;
    Folder::new(&checkpoints).clear()?;
    drop(progress);
    super::print(json, &report, &text(&report, &arguments.output))
}

fn show(event: &Event<'_>, progress: &Progress, rate: &mut Rate, config: &TrainingConfig) {
    let epochs = config.epochs;
    match *event {
        Event::Step { epoch, step, steps, loss, samples, .. } => {
            rate.step(samples);
            let left = ((epochs - epoch) * steps + steps - step) as u64;
            progress.advance(step as u64, steps as u64, || {
                format!("epoch {epoch} of {epochs}, loss {loss:.4}, {}", rate.text(left))
            });
        }
        Event::Epoch { report, .. } => progress.line(&epoch_line(report, config.train_on_valid)),
        Event::Torn { file } => progress.line(&format!("{}: torn, using the one before", file.display())),
        Event::Resumed { file, epoch, step, other_threads, .. } => {
            let place = format!("resuming from {}: epoch {epoch}, after step {step}", file.display());
            let note = other_threads.map_or_else(String::new, |threads| {
                format!(" (saved with --threads {threads}: with another number, rounding may differ)")
            });
            progress.line(&(place + &note));
        }
        _ => {}
    }
}

fn epoch_line(report: &EpochReport, train_on_valid: bool) -> String {
    let note = match (train_on_valid, report.best) {
        (true, _) => " (trained on)",
        (false, true) => " (best so far)",
        (false, false) => "",
    };
    let figure =
        |figure: Option<f64>| figure.map_or_else(|| "none".to_owned(), |figure| format!("{figure:.4}"));
    format!(
        "epoch {}: training loss {:.4}; validation log loss {:.4}, AUC {}, GAUC {}{note}",
        report.epoch,
        report.train_loss,
        report.valid.log_loss,
        figure(report.valid.auc),
        figure(report.valid.gauc.map(|gauc| gauc.weighted))
    )
}

fn text(report: &Report, folder: &std::path::Path) -> String {
    let (mut text, valid) = match report.train_on_valid {
        false => (format!("best epoch {}\n", report.best_epoch), "validation"),
        true => {
            (format!("{} epochs, validation samples too\n", report.epochs.len()), "validation (trained on)")
        }
    };
    for (split, evaluation) in [(valid, Some(&report.valid)), ("test", report.test.as_ref())] {
        if let Some(evaluation) = evaluation {
            text += &format!("{split}: {}\n", super::eval::line(evaluation));
        }
    }
    text += &format!(
        "{}: {} bytes, {} bytes of scratch\n",
        folder.join("model.din").display(),
        report.blob_bytes,
        report.scratch_bytes
    );
    text
}
