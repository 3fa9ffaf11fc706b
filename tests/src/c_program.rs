//! C programs that use din-ffi, compiled and run.

use crate::reference_model::{SLATE, cases};
use din_core::Value;
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The cases that examples and firmwares rank; their histories have 20, 7, 16 and 3 behaviours.
pub const CASES: [usize; 4] = [5, 1, 2, 8];

/// The workspace's folder.
///
/// # Panics
/// Never: there is one.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

/// What a command prints, if it succeeds.
///
/// # Panics
/// If it does not, with all that it says.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{text}\n{errors}");
    text.into_owned()
}

/// `make` in a folder, with a target folder below `temporary` that does not lock the one the tests are built in.
#[must_use]
pub fn make(folder: &Path, temporary: &str) -> Command {
    let mut command = Command::new("make");
    command.current_dir(folder).env("CARGO_TARGET_DIR", build_folder(temporary)).env_remove("MAKEFLAGS");
    command.env_remove("RUSTFLAGS");
    command
}

/// Where [`make`] builds.
#[must_use]
pub fn build_folder(temporary: &str) -> PathBuf {
    Path::new(temporary).join("c")
}

/// The static library for this machine, and what it is linked with, by `din.mk`.
#[must_use]
pub fn library(temporary: &str) -> PathBuf {
    let library = build_folder(temporary).join("release/libdin_ffi.a");
    output_of(make(&root().join("din-core/ffi"), temporary).args(["-f", "din.mk", "din-build"]));
    library
}

/// The text of `examples/c/requests.h`: [`CASES`], ids alone.
#[must_use]
pub fn requests_header() -> String {
    let mut text = format!(
        "/* Requests of the edge-profile cases: ids of items with their categories.\n \
         * `RENEW=1 cargo test -p din-tests --test c_example` writes this file. */\n\
         #ifndef REQUESTS_H\n#define REQUESTS_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n\
         enum {{ REQUESTS = {}, SLATE = {SLATE} }};\n\n",
        CASES.len()
    );
    let (cases, mut rows) = (cases(), String::new());
    for (index, case) in CASES.iter().enumerate() {
        let request = &cases[*case].request;
        let history = &request.histories[0];
        let _ = writeln!(text, "static const uint16_t history_{index}[][2] = {{ {} }};", pairs(history));
        let _ = writeln!(
            rows,
            "    {{ {}, history_{index}, {}, {{ {} }} }},",
            id(&request.profile[0]),
            history.len(),
            pairs(&request.slate)
        );
    }
    text + "\n/* A user, what they did, oldest first, and a slate. */\nstatic const struct {\n    uint16_t user;\n    \
            const uint16_t (*history)[2];\n    size_t history_len;\n    uint16_t slate[SLATE][2];\n\
            } requests[REQUESTS] = {\n"
        + &rows
        + "};\n\n#endif\n"
}

fn pairs(rows: &[Vec<Value>]) -> String {
    let pair = |row: &Vec<Value>| format!("{{ {}, {} }}", id(&row[0]), id(&row[1]));
    rows.iter().map(pair).collect::<Vec<_>>().join(", ")
}

fn id(value: &Value) -> u64 {
    match value {
        Value::Id(id) => *id,
        other => panic!("the reference has ids alone, not {other:?}"),
    }
}
