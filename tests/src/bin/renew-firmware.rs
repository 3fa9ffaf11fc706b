//! Writes what the firmwares of `examples/firmware` hold and what they must log: `cargo run -p din-tests --bin
//! renew-firmware`.

use din_core::IntegerKernel;
use din_export::blob::NumericPath;
use din_tests::firmware::{blob, blob_path, f32_log, folder, integer_log, requests_source, sizes_source};
use std::fs;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (integer, f32) = (blob(NumericPath::Integer), blob(NumericPath::F32));
    fs::write(blob_path(NumericPath::Integer), &integer)?;
    fs::write(blob_path(NumericPath::F32), &f32)?;
    fs::write(folder().join("model/requests.rs"), requests_source())?;
    fs::write(folder().join("model/sizes.rs"), sizes_source())?;
    let integer = integer_log(&integer, IntegerKernel::Portable)?;
    fs::write(folder().join("expected/both.txt"), format!("{integer}{}", f32_log(&f32)?))?;
    fs::write(folder().join("expected/integer.txt"), integer)?;
    println!("written to {}", folder().display());
    Ok(())
}
