//! The firmwares of `examples/firmware`: they log what the host scores, on every core. Those under QEMU need targets and an
//! emulator; plain `cargo test` lists them as ignored, `tests/run.sh` sets up what they need and runs them.

use din_core::IntegerKernel;
use din_export::blob::NumericPath;
use din_tests::device::cargo;
use din_tests::firmware::{blob_path, f32_log, folder, integer_log, requests_source, sizes_source};
use din_tests::sizes;
use std::fs;

/// Where this is built.
const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");

/// What a firmware logs.
fn log_of(target: &str, firmware: &str) -> String {
    let mut command = cargo(&folder(), "run", target, "core", TEMPORARY);
    let output = command.args(["--release", "--bin", firmware]).output().expect("cargo runs");
    let (log, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{log}\n{errors}");
    log.into_owned()
}

fn expected(firmware: &str) -> String {
    fs::read_to_string(folder().join(format!("expected/{firmware}.txt"))).expect("it is part of the example")
}

fn assert_scores(target: &str, firmware: &str) {
    assert_eq!(log_of(target, firmware), expected(firmware), "{firmware} on {target}");
}

#[test]
fn the_expected_scores_are_those_of_every_kernel_of_the_host() {
    let [integer, f32] =
        [NumericPath::Integer, NumericPath::F32].map(|path| fs::read(blob_path(path)).unwrap());
    for kernel in IntegerKernel::all() {
        assert_eq!(integer_log(&integer, kernel).unwrap(), expected("integer"), "{}", kernel.name());
    }
    let both = expected("integer") + &f32_log(&f32).unwrap();
    assert_eq!(both, expected("both"));
}

#[test]
fn the_sources_beside_the_blobs_belong_to_them() {
    let source = |name| fs::read_to_string(folder().join("model").join(name)).unwrap();
    assert_eq!(source("requests.rs"), requests_source());
    assert_eq!(source("sizes.rs"), sizes_source());
}

#[test]
#[ignore = "needs the target thumbv6m-none-eabi, QEMU and defmt-print; tests/run.sh runs it"]
fn a_cortex_m0_logs_the_scores_of_the_host() {
    assert_scores("thumbv6m-none-eabi", "integer");
}

#[test]
#[ignore = "needs the target thumbv7m-none-eabi, QEMU and defmt-print; tests/run.sh runs it"]
fn a_cortex_m3_logs_the_scores_of_the_host() {
    assert_scores("thumbv7m-none-eabi", "integer");
}

#[test]
#[ignore = "needs the target thumbv7em-none-eabihf, QEMU and defmt-print; tests/run.sh runs it"]
fn a_cortex_m4f_logs_the_scores_of_the_host_along_both_paths() {
    assert_scores("thumbv7em-none-eabihf", "integer");
    assert_scores("thumbv7em-none-eabihf", "both");
}

#[test]
#[ignore = "needs the target thumbv8m.main-none-eabihf, QEMU and defmt-print; tests/run.sh runs it"]
fn a_cortex_m33_logs_the_scores_of_the_host() {
    assert_scores("thumbv8m.main-none-eabihf", "integer");
}

#[test]
#[ignore = "needs the target riscv32imc-unknown-none-elf, QEMU and defmt-print; tests/run.sh runs it"]
fn a_risc_v_without_floating_point_logs_the_scores_of_the_host() {
    assert_scores("riscv32imc-unknown-none-elf", "integer");
}

#[test]
#[ignore = "needs the targets of all firmwares, QEMU and defmt-print; tests/run.sh runs it"]
fn no_size_has_grown_since_the_table_was_written() {
    let growth = sizes::measure(TEMPORARY).unwrap().growth(&sizes::committed().unwrap());
    let command = "cargo run --release -p din-tests --bin renew-sizes";
    assert!(growth.is_empty(), "renew the table if that is meant ({command}):\n{}", growth.join("\n"));
}
