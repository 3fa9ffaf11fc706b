//! Measures what ranking takes on each core and writes the table anew, with what `inspect` takes from it:
//! `cargo run --release -p din-tests --bin renew-sizes`.

use din_tests::sizes::{measure, source_path, table_path};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Where the tests build too.
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let table = measure(&target.join("tmp").display().to_string())?;
    let text = table.to_markdown();
    fs::write(table_path(), &text)?;
    fs::write(source_path(), table.to_source())?;
    println!("{text}\nwritten to {}", table_path().display());
    Ok(())
}
