//! `din-export inspect`

use super::size::Size;
use super::{CommandResult, load_model, read_blob};
use din_export::import;
use din_export::inspect::inspect;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The blob
    model: PathBuf,
    /// Measure how far the blob's numbers are from these: the folder that `train` made, or a description's TOML
    #[arg(long, value_name = "FOLDER")]
    weights: Option<PathBuf>,
    /// Say whether blob and code fit so much flash (262144, 256KiB, 1MB); exit code 1 if not
    #[arg(long, value_name = "SIZE")]
    flash: Option<Size>,
    /// Say whether it fits so much RAM of a 32-bit core; exit code 1 if not
    #[arg(long, value_name = "SIZE")]
    ram: Option<Size>,
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let bytes = read_blob(&arguments.model)?;
    let model = load_model(&arguments.model, &bytes)?;
    let mut inspection = inspect(&model);
    if let Some(trained) = &arguments.weights {
        let description = super::description(trained);
        inspection
            .compare(&model, &import::load(&description)?)
            .map_err(|error| format!("{}: {error}", description.display()))?;
    }
    inspection.fit(arguments.flash.map(|size| size.0), arguments.ram.map(|size| size.0));
    super::print(json, &inspection, &inspection.to_string())?;
    match inspection.fit {
        Some(fit) if !fit.fits => Err(format!("{} does not fit", arguments.model.display()).into()),
        _ => Ok(()),
    }
}
