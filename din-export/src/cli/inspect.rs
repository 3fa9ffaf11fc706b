//! `din-export inspect`

use super::{CommandResult, load_model, read_blob};
use din_export::inspect::inspect;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The blob
    model: PathBuf,
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let bytes = read_blob(&arguments.model)?;
    let inspection = inspect(&load_model(&arguments.model, &bytes)?);
    super::print(json, &inspection, &inspection.to_string())
}
