//! The edge box on another processor than this one. Ignored by plain `cargo test`; `tests/run.sh` sets up what it needs.
//!
//! With `DIN_DEVICE_TOOLCHAIN=debian` it is built by Debian's second toolchain, its standard library from source.

use std::path::Path;
use std::process::Command;

const TARGET: &str = "aarch64-unknown-linux-gnu";

fn run(mut command: Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Built for 64-bit Arm, it goes through its own end-to-end tests in an emulator.
#[test]
#[ignore = "needs the target aarch64-unknown-linux-gnu and qemu-aarch64; tests/run.sh runs it"]
fn the_edge_box_passes_its_tests_on_an_emulated_64_bit_arm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edge-box");
    let from_debian = std::env::var_os("DIN_DEVICE_TOOLCHAIN").is_some_and(|name| name == "debian");
    let mut command = Command::new(if from_debian { "/usr/bin/cargo" } else { env!("CARGO") });
    command.current_dir(&root).args(["build", "-p", "din-edge-box", "--target", TARGET]);
    if from_debian {
        command.arg("-Zbuild-std=std").env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    }
    command.env("CARGO_TARGET_DIR", &folder).env_remove("RUSTFLAGS");
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    run(command);
    let program = folder.join(TARGET).join("debug/din-edge-box");
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(&root).args(["test", "-p", "din-edge-box", "--test", "end_to_end"]);
    command.env("DIN_EDGE_BOX", format!("qemu-aarch64 -L /usr/aarch64-linux-gnu {}", program.display()));
    run(command);
}
