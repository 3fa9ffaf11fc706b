//! `din-export import`

use super::CommandResult;
use super::export::BlobArguments;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The TOML that says which tensor is which part
    description: PathBuf,
    #[command(flatten)]
    blob: BlobArguments,
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let weights = din_export::import::load(&arguments.description)?;
    arguments.blob.write(&weights, din_export::import::export_config(&arguments.description)?, json)
}
