//! Writes every golden blob and its scores anew: `cargo run -p din-tests --bin renew-goldens`.

use din_tests::golden::{Golden, folder};
use std::fs;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for golden in Golden::all() {
        let bytes = golden.bytes();
        fs::write(golden.blob_path(), &bytes)?;
        let text = serde_json::to_string_pretty(&golden.expectations())?;
        fs::write(golden.expectations_path(), text + "\n")?;
        println!("{:24} {:6} bytes", golden.name, bytes.len());
    }
    for golden in Golden::integer() {
        let bytes = golden.bytes();
        fs::write(golden.blob_path(), &bytes)?;
        println!("{:24} {:6} bytes", golden.name, bytes.len());
    }
    let small = Golden::small_integer();
    fs::write(Golden::small_integer_path(), &small)?;
    println!("{:24} {:6} bytes", "small-integer", small.len());
    println!("written to {}", folder().display());
    Ok(())
}
