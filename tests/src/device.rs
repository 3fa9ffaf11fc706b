//! `cargo` for devices: with rustup's targets, or with `DIN_DEVICE_TOOLCHAIN=debian` with Debian's second toolchain
//! (`rustc-web`, `rust-web-src`), which builds the standard libraries from source, for machines where rustup cannot fetch a
//! target.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

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
        if target.starts_with("riscv32") {
            // The linker is that of both widths.
            let flags = "-C link-arg=-melf32lriscv";
            command.env(format!("CARGO_TARGET_{}_RUSTFLAGS", variable(target)), flags);
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

/// A package of its own below `temporary`, with din-core and heapless, made of one file of `tests/`: the workspace must not
/// build a panic handler for the host. `target` is a section of its manifest without its path, `profile` lines for release.
///
/// # Panics
/// If the folder cannot be written.
#[must_use]
pub fn write_package(temporary: &str, name: &str, file: &str, target: &str, profile: &str) -> PathBuf {
    let folder = Path::new(temporary).join(name);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace");
    let (source, core) = (root.join("tests").join(file), root.join("din-core"));
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n{target}\npath = {source:?}\n\n\
         [dependencies]\ndin-core = {{ path = {core:?} }}\n\
         heapless = {{ version = \"0.9\", default-features = false }}\n\n\
         [profile.release]\npanic = \"abort\"\n{profile}\n\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("the target folder can be written");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the workspace has a lock file");
    folder
}

/// The compiler that [`cargo`] calls.
///
/// # Errors
/// Where it does not run.
pub fn rustc_version() -> io::Result<String> {
    let compiler = if from_debian() { "/usr/bin/rustc" } else { "rustc" };
    let output = Command::new(compiler).arg("--version").output()?;
    // Without hash, date and packager.
    Ok(String::from_utf8_lossy(&output.stdout).split(" (").next().unwrap_or_default().trim().to_owned())
}
