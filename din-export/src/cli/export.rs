//! `din-export export`

use super::progress::Progress;
use super::size::Size;
use super::{CommandResult, load_model, read_requests};
use din_core::Model;
use din_export::blob::widening::Widened;
use din_export::blob::{self, Embedding, ExportOptions, NumericPath, StoredTable, Writer};
use din_export::data::load::LoadStep;
use din_export::job::Job;
use din_export::job::export::ExportConfig;
use din_export::rank::Request;
use din_export::weights::ModelWeights;
use din_export::{data, import, inspect, output, tradeoff};
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that `train` made, or its model.toml
    trained: PathBuf,
    #[command(flatten)]
    blob: BlobArguments,
}

/// How and where a blob is written. What is not said here, the description's `[export]` says.
#[derive(clap::Args)]
pub struct BlobArguments {
    /// The blob
    #[arg(long, short, value_name = "FILE", default_value = "model.din")]
    output: PathBuf,
    /// Arithmetic of the blob: f32 or integer [default: what the model's [export] says]
    #[arg(long, value_name = "PATH")]
    path: Option<NumericPath>,
    /// Form of the embedding rows: f32, f16, int8 or int4, or TABLE=FORM for one table; may be repeated. A small table
    /// whose rounding would cost accuracy is stored wider, unless TABLE=FORM asks for it
    /// [default: what the model's [export] says]
    #[arg(long, value_name = "FORM")]
    embedding: Vec<EmbeddingChoice>,
    /// Version of the model, which a device compares with the one it has [default: what the model's [export] says]
    #[arg(long)]
    model_version: Option<u64>,
    /// Calibrate the integer path, and int8 and int4 rows, on the training split of a job
    #[arg(long, value_name = "JOB")]
    calibrate: Option<PathBuf>,
    /// Folder of the job's data files [default: what the job says]
    #[arg(long, value_name = "DIR", requires = "calibrate")]
    data: Option<PathBuf>,
    /// Calibrate on requests, JSON lines as `rank` takes them
    #[arg(long, value_name = "FILE", conflicts_with = "calibrate")]
    requests: Option<PathBuf>,
    /// Try every path and form, and write the most accurate blob of at most so many bytes: 262144, 256KiB, 1MB
    #[arg(long, value_name = "SIZE", requires = "calibrate", conflicts_with_all = ["path", "embedding"])]
    budget: Option<Size>,
    /// With --budget: refuse a blob that loses more AUC than this on the validation split
    #[arg(long, value_name = "X", requires = "budget", allow_negative_numbers = true)]
    max_auc_loss: Option<f64>,
}

/// `int8`, or `item=int4`.
#[derive(Clone)]
struct EmbeddingChoice {
    table: Option<String>,
    embedding: Embedding,
}

impl FromStr for EmbeddingChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (table, form) = match text.rsplit_once('=') {
            Some((table, form)) => (Some(table.to_owned()), form),
            None => (None, text),
        };
        Ok(Self { table, embedding: form.parse()? })
    }
}

impl BlobArguments {
    /// The model's own `[export]`, changed by what the command line says.
    fn config(&self, own: ExportConfig) -> ExportConfig {
        let mut config = own;
        config.path = self.path.unwrap_or(config.path);
        config.version = self.model_version.unwrap_or(config.version);
        if let Some(all) = self.embedding.iter().rev().find(|choice| choice.table.is_none()) {
            config.embedding = all.embedding;
            config.tables.clear();
        }
        for choice in &self.embedding {
            if let Some(table) = &choice.table {
                config.tables.insert(table.clone(), choice.embedding);
            }
        }
        config
    }

    /// Writes the blob and says what it needs.
    pub fn write(&self, weights: &ModelWeights, own: ExportConfig, json: bool) -> CommandResult {
        let mut options = self.config(own).options();
        let dataset = match &self.calibrate {
            Some(job) if self.budget.is_some() || options.calibrates() => {
                let progress = Progress::new();
                let job = Job::load(job)?;
                let mut begin = |step: LoadStep<'_>| progress.begin(&step.to_string());
                // Which ids the model has learnt, of validation samples too perhaps, it knows itself.
                Some(data::load_every_id(&job, self.data.as_deref(), &mut begin)?)
            }
            _ => None,
        };
        if let Some(dataset) = &dataset {
            options.requests = tradeoff::calibration_requests(weights, dataset, &dataset.train)?;
        } else if let Some(file) = &self.requests {
            options.requests = requests(file, weights)?;
        } else if options.calibrates() {
            eprintln!(
                "calibrating on random requests; --calibrate JOB or --requests FILE gives those that occur"
            );
        }
        if let (Some(budget), Some(dataset)) = (self.budget, &dataset) {
            let progress = Progress::new();
            let tradeoff =
                tradeoff::search(weights, dataset, &options, budget.0, &mut |step| progress.begin(step))?;
            drop(progress);
            if let Some(Err(error)) = self.max_auc_loss.map(|allowed| tradeoff.check(allowed)) {
                eprint!("{tradeoff}");
                return Err(error.into());
            }
            output::write(&self.output, &tradeoff.blob)?;
            let text = format!("{tradeoff}{}: {} bytes\n", self.output.display(), tradeoff.blob.len());
            return super::print(json, &tradeoff, &text);
        }
        self.write_one(weights, &options, json)
    }

    fn write_one(&self, weights: &ModelWeights, options: &ExportOptions, json: bool) -> CommandResult {
        let written = Writer::new(weights, options)?.write(options.path, &options.embedding)?;
        let inspection = inspect::inspect(&Model::from_bytes(&written.blob)?);
        output::write(&self.output, &written.blob)?;
        let mut text = format!(
            "{}: {} bytes, {} bytes of scratch, {} multiply-accumulates a candidate\n",
            self.output.display(),
            inspection.bytes,
            inspection.scratch_bytes,
            inspection.macs_per_candidate
        );
        for StoredTable { table, embedding, widened, error } in &written.tables {
            if let Some(Widened { asked, change }) = widened {
                let (stored, asked) = (embedding.name(), asked.name());
                text += &format!(
                    "table {table}: {stored} instead of {asked}, which would change a score by {change:.1e}; \
                     --embedding {table}={asked} keeps {asked}\n"
                );
            }
            if error.max == 0.0 {
                continue;
            }
            text += &format!(
                "table {table}: rows as {}, off by {:.2e} at most, {:.2e} root mean square\n",
                embedding.name(),
                error.max,
                error.rms
            );
        }
        let mut value = serde_json::to_value(&inspection)?;
        value["row_errors"] = serde_json::to_value(&written.tables)?;
        super::print(json, &value, &text)
    }
}

/// Requests of a file, read with the fields of the model.
fn requests(file: &Path, weights: &ModelWeights) -> CommandResult<Vec<Request>> {
    let bytes = blob::write(weights, &ExportOptions::default())?;
    read_requests(file, &load_model(file, &bytes)?)
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let description = super::description(&arguments.trained);
    let weights = import::load(&description)?;
    arguments.blob.write(&weights, import::export_config(&description)?, json)
}
