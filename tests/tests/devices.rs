//! din-core on its targets. These tests need targets that Rust alone does not bring, and some need an emulator: plain
//! `cargo test` lists them as ignored, `tests/run.sh` sets up what they need and runs them.
//!
//! With `DIN_DEVICE_TOOLCHAIN=debian` they use Debian's second toolchain: see [`din_tests::device`].

use din_tests::device::{cargo, variable, write_package};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where this is built.
const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

fn run(mut command: Command) {
    let output = command.output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{errors}");
}

/// din-core with and without `defmt`, and a static library that uses all of it without an allocator.
fn build_for(target: &str) {
    for features in [&[][..], &["--features", "defmt"]] {
        let mut command = cargo(&root(), "build", target, "core", TEMPORARY);
        command.args(["--release", "-p", "din-core"]).args(features);
        run(command);
    }
    let section = "[lib]\ncrate-type = [\"staticlib\"]";
    let probe = write_package(TEMPORARY, "device-probe", "device-probe/lib.rs", section, "");
    let mut command = cargo(&probe, "build", target, "core", TEMPORARY);
    command.arg("--release");
    run(command);
}

/// The tests of din-core, emulated: its kernels for that processor against the portable one, and the golden blobs' bits.
fn test_on(target: &str, compiler: &str, emulator: &str, flags: &str) {
    let variable = |name: &str| format!("CARGO_TARGET_{}_{name}", variable(target));
    let libraries = compiler.trim_end_matches("-gcc");
    let mut command = cargo(&root(), "test", target, "std,test", TEMPORARY);
    command.args(["-p", "din-core", "--tests"]).env("RUSTFLAGS", flags);
    command.env(variable("LINKER"), compiler);
    command.env(variable("RUNNER"), format!("{emulator} -L /usr/{libraries}"));
    run(command);
}

#[test]
#[ignore = "needs the target thumbv6m-none-eabi; tests/run.sh runs it"]
fn din_core_builds_for_cortex_m0_without_std_or_alloc() {
    build_for("thumbv6m-none-eabi");
}

#[test]
#[ignore = "needs the target thumbv7em-none-eabihf; tests/run.sh runs it"]
fn din_core_builds_for_cortex_m4f_without_std_or_alloc() {
    build_for("thumbv7em-none-eabihf");
}

#[test]
#[ignore = "needs the target riscv32imc-unknown-none-elf; tests/run.sh runs it"]
fn din_core_builds_for_riscv32_without_std_or_alloc() {
    build_for("riscv32imc-unknown-none-elf");
}

#[test]
#[ignore = "needs the target aarch64-unknown-linux-gnu and qemu-aarch64; tests/run.sh runs it"]
fn din_core_passes_its_tests_on_an_emulated_64_bit_arm() {
    test_on("aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc", "qemu-aarch64", "");
}

/// A processor that has the instructions of every Cortex-M kernel, and an operating system for the tests to run in.
#[test]
#[ignore = "needs the target armv7-unknown-linux-gnueabihf and qemu-arm; tests/run.sh runs it"]
fn din_core_passes_its_tests_with_the_cortex_m_kernels_on_an_emulated_32_bit_arm() {
    let flags = "--cfg din_dsp --cfg din_thumb --cfg din_fpu -Ctarget-feature=+vfp4";
    test_on("armv7-unknown-linux-gnueabihf", "arm-linux-gnueabihf-gcc", "qemu-arm", flags);
}
