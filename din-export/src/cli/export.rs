//! `din-export export`

use super::CommandResult;
use din_export::blob::{self, Embedding, ExportOptions};
use din_export::weights::ModelWeights;
use din_export::{inspect, output};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that `train` made, or its model.toml
    trained: PathBuf,
    #[command(flatten)]
    blob: BlobArguments,
}

/// How and where a blob is written.
#[derive(clap::Args)]
pub struct BlobArguments {
    /// The blob
    #[arg(long, short, value_name = "FILE", default_value = "model.din")]
    output: PathBuf,
    /// How embedding rows are stored
    #[arg(long, value_enum, default_value_t = EmbeddingArgument::F32)]
    embedding: EmbeddingArgument,
    /// Version of the model, which a device compares with the one it has
    #[arg(long, default_value_t = 1)]
    model_version: u64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum EmbeddingArgument {
    /// four bytes a number, exact
    F32,
    /// one byte a number and a scale for each row
    Int8,
}

impl BlobArguments {
    /// Writes the blob and says what it needs.
    pub fn write(&self, weights: &ModelWeights, json: bool) -> CommandResult {
        let embedding = match self.embedding {
            EmbeddingArgument::F32 => Embedding::F32,
            EmbeddingArgument::Int8 => Embedding::Int8,
        };
        let options =
            ExportOptions { embedding, model_version: self.model_version, ..ExportOptions::default() };
        let bytes = blob::write(weights, &options)?;
        let model = din_core::Model::from_bytes(&bytes)?;
        let inspection = inspect::inspect(&model);
        output::write(&self.output, &bytes)?;
        let text = format!(
            "{}: {} bytes, {} bytes of scratch, {} multiply-accumulates a candidate\n",
            self.output.display(),
            inspection.bytes,
            inspection.scratch_bytes,
            inspection.macs_per_candidate
        );
        super::print(json, &inspection, &text)
    }
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let description = if arguments.trained.is_dir() {
        arguments.trained.join("model.toml")
    } else {
        arguments.trained.clone()
    };
    let weights = din_export::import::load(&description)?;
    arguments.blob.write(&weights, json)
}
