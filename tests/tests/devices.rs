//! din-core on its targets. These tests need targets that Rust alone does not bring, and some need an emulator: plain
//! `cargo test` lists them as ignored, `tests/run.sh` sets up what they need and runs them.
//!
//! With `DIN_DEVICE_TOOLCHAIN=debian` they use Debian's second toolchain (`rustc-web`, `rust-web-src`) and build the
//! standard libraries from source, for machines where rustup cannot fetch a target.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

/// `cargo` for devices, in a target folder that does not lock the one these tests are built in; `library` is what it
/// links with.
fn cargo(folder: &Path, subcommand: &str, target: &str, library: &str) -> Command {
    let from_debian = std::env::var_os("DIN_DEVICE_TOOLCHAIN").is_some_and(|name| name == "debian");
    let mut command = if from_debian {
        let mut command = Command::new("/usr/bin/cargo");
        command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
        command.arg(subcommand).arg(format!("-Zbuild-std={library}"));
        command
    } else {
        let mut command = Command::new(env!("CARGO"));
        command.arg(subcommand);
        command
    };
    let target_dir =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(if from_debian { "debian" } else { "devices" });
    command.current_dir(folder).env("CARGO_TARGET_DIR", target_dir).env_remove("RUSTFLAGS");
    command.args(["--target", target]);
    command
}

fn run(mut command: Command) {
    let output = command.output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{errors}");
}

/// din-core with and without `defmt`, and a static library that uses all of it without an allocator.
fn build_for(target: &str) {
    for features in [&[][..], &["--features", "defmt"]] {
        let mut command = cargo(&root(), "build", target, "core");
        command.args(["--release", "-p", "din-core"]).args(features);
        run(command);
    }
    let mut command = cargo(&write_probe(target), "build", target, "core");
    command.arg("--release");
    run(command);
}

/// The tests of din-core, emulated: its kernels for that processor against the portable one, and the golden blobs' bits.
fn test_on(target: &str, compiler: &str, emulator: &str, flags: &str) {
    let variable = |name: &str| format!("CARGO_TARGET_{}_{name}", target.replace('-', "_").to_uppercase());
    let libraries = compiler.trim_end_matches("-gcc");
    let mut command = cargo(&root(), "test", target, "std,test");
    command.args(["-p", "din-core", "--tests"]).env("RUSTFLAGS", flags);
    command.env(variable("LINKER"), compiler);
    command.env(variable("RUNNER"), format!("{emulator} -L /usr/{libraries}"));
    run(command);
}

/// A package of its own: the workspace must not build a `no_std` library with a panic handler for the host.
fn write_probe(target: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("probe-{target}"));
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let source = root().join("tests/device-probe/lib.rs");
    let core = root().join("din-core");
    let manifest = format!(
        "[package]\nname = \"device-probe\"\nedition = \"2024\"\n\n[lib]\npath = {source:?}\ncrate-type = [\"staticlib\"]\n\n\
         [dependencies]\ndin-core = {{ path = {core:?} }}\n\
         heapless = {{ version = \"0.9\", default-features = false }}\n\n\
         [profile.release]\npanic = \"abort\"\n\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("the target folder can be written");
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the workspace has a lock file");
    folder
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
