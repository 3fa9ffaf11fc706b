//! `cargo` for devices: with rustup's targets, or with `DIN_DEVICE_TOOLCHAIN=debian` with Debian's second toolchain
//! (`rustc-web`, `rust-web-src`), which builds the standard libraries from source, for machines where rustup cannot fetch a
//! target.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether Debian's toolchain is used.
fn from_debian() -> bool {
    env::var_os("DIN_DEVICE_TOOLCHAIN").is_some_and(|name| name == "debian")
}

/// `cargo` in `folder`, with a target folder below `temporary` that does not lock the one the tests are built in; `library`
/// is what is linked with.
#[must_use]
pub fn cargo(folder: &Path, subcommand: &str, target: &str, library: &str, temporary: &str) -> Command {
    let mut command = if from_debian() {
        let mut command = Command::new("/usr/bin/cargo");
        command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
        command.arg(subcommand).arg(format!("-Zbuild-std={library}"));
        // Debian has no rust-lld.
        if let Some(linker) = gnu_linker(target) {
            command.env(format!("CARGO_TARGET_{}_LINKER", variable(target)), linker);
        }
        command
    } else {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.arg(subcommand);
        command
    };
    command.current_dir(folder).env("CARGO_TARGET_DIR", target_dir(temporary)).env_remove("RUSTFLAGS");
    command.args(["--target", target]);
    command
}

/// Where [`cargo`] builds.
#[must_use]
pub fn target_dir(temporary: &str) -> PathBuf {
    Path::new(temporary).join(if from_debian() { "debian" } else { "devices" })
}

/// A target in the name of a variable of cargo's.
#[must_use]
pub fn variable(target: &str) -> String {
    target.replace(['-', '.'], "_").to_uppercase()
}

fn gnu_linker(target: &str) -> Option<&'static str> {
    if target.starts_with("thumb") {
        Some("arm-none-eabi-ld")
    } else if target.starts_with("riscv") {
        Some("riscv64-unknown-elf-ld")
    } else {
        None
    }
}
