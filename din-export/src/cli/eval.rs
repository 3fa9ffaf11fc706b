//! `din-export eval`

use super::progress::Progress;
use super::{CommandResult, JobArguments, load_job, load_model, read_blob};
use din_export::data;
use din_export::evaluation::{Evaluation, evaluate};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The blob
    model: PathBuf,
    #[command(flatten)]
    job: JobArguments,
    /// Which samples
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Split {
    Train,
    Valid,
    Test,
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let job = load_job(&arguments.job)?;
    let bytes = read_blob(&arguments.model)?;
    load_model(&arguments.model, &bytes)?;
    let progress = Progress::new();
    let directory = arguments.job.data.as_deref();
    // Which ids are known is the blob's matter, not the job's.
    let dataset = data::load_every_id(&job, directory, &mut |step| progress.begin(&step.to_string()))?;
    let (name, indices) = match arguments.split {
        Split::Train => ("train", &dataset.train),
        Split::Valid => ("valid", &dataset.valid),
        Split::Test => ("test", &dataset.test),
    };
    if indices.is_empty() {
        return Err(format!("{}: the {name} split is empty", arguments.job.job.display()).into());
    }
    progress.begin("scoring with din-core");
    let evaluation = evaluate(&bytes, &dataset, indices)?;
    drop(progress);
    super::print(json, &evaluation, &format!("{name}: {}\n", line(&evaluation)))
}

/// The figures, in words.
pub fn line(evaluation: &Evaluation) -> String {
    let metrics = &evaluation.metrics;
    let auc = metrics.auc.map_or_else(|| "AUC none (one class)".to_owned(), |auc| format!("AUC {auc:.4}"));
    let gauc = metrics.gauc.map_or_else(
        || "GAUC none (no user has both classes)".to_owned(),
        |gauc| {
            let (weighted, mean, users) = (gauc.weighted, gauc.unweighted, gauc.users);
            format!("GAUC {weighted:.4} weighted by impressions, {mean:.4} mean over {users} users")
        },
    );
    format!(
        "{} samples, log loss {:.4}, {auc}, {gauc}, calibration error {:.4}, {:.1} us a sample",
        metrics.samples,
        metrics.log_loss,
        metrics.calibration.expected_error,
        evaluation.microseconds_per_sample
    )
}
