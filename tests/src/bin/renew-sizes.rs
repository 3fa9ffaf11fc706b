//! Measures what ranking takes on each core and writes the table anew:
//! `cargo run --release -p din-tests --bin renew-sizes`.

use din_tests::sizes::{measure, table_path};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = env::temp_dir().join("din-sizes");
    let temporary = env::var("CARGO_TARGET_TMPDIR").unwrap_or_else(|_| temporary.display().to_string());
    let text = measure(&temporary)?.to_markdown();
    fs::write(table_path(), &text)?;
    println!("{text}\nwritten to {}", table_path().display());
    Ok(())
}
