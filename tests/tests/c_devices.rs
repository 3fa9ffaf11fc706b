//! What of din-ffi's static library a device links: no panic, and along the integer path no floating point. These tests need
//! targets and a linker: plain `cargo test` lists them as ignored, `tests/run.sh` sets up what they need and runs them.

use din_tests::c_program::{build_folder, make, output_of, root};
use std::path::{Path, PathBuf};
use std::process::Command;

const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");

/// Beginnings of the names of what a compiler calls for floating point on a core that has none, but for memory functions.
const FLOATS: [&str; 15] = [
    "__aeabi_f",
    "__aeabi_d",
    "__aeabi_i2f",
    "__aeabi_i2d",
    "__aeabi_ui2",
    "__aeabi_l2f",
    "__aeabi_ul2",
    "__aeabi_cf",
    "__adds",
    "__subs",
    "__muls",
    "__divs",
    "__floats",
    "__floatuns",
    "__fixs",
];

/// The static library for a target, in which a panic calls what is not there.
fn library(target: &str, opt_level: &str) -> PathBuf {
    let build = build_folder(TEMPORARY).join(format!("no-panic-{opt_level}"));
    let mut command = make(&root().join("din-core/ffi"), TEMPORARY);
    command.args(["-f", "din.mk", "din-build", "DIN_FEATURES=prove-no-panic"]);
    command.arg(format!("DIN_TARGET={target}")).arg(format!("DIN_OPT_LEVEL={opt_level}"));
    output_of(command.arg(format!("DIN_BUILD={}", build.display())));
    build.join(target).join("device/libdin_ffi.a")
}

/// Functions of the header.
fn functions() -> Vec<String> {
    let header = std::fs::read_to_string(root().join("din-core/ffi/include/din.h")).unwrap();
    let words = header.split(|c: char| !c.is_ascii_alphanumeric() && !"_(".contains(c));
    let mut names: Vec<String> = words
        .filter_map(|word| word.split_once('('))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.starts_with("din_") && !INLINE.contains(&name.as_str()))
        .collect();
    names.sort();
    names.dedup();
    assert!(names.len() > 30, "{names:?}");
    names
}

/// In the header, not in the library.
const INLINE: [&str; 5] = ["din_missing", "din_id", "din_fixed", "din_number", "din_score_to_float"];

/// Links a library with what these functions need and nothing else: the names that are linked, or what the linker says.
fn link(library: &Path, functions: &[String]) -> Result<Vec<String>, String> {
    let program = library.with_extension("elf");
    let mut command = Command::new("arm-none-eabi-ld");
    command
        .args(["--gc-sections", "-e", "din_version"])
        .args(functions.iter().map(|name| format!("-u{name}")));
    let output =
        command.arg(library).arg("-o").arg(&program).output().expect("arm-none-eabi-ld is installed");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let symbols = output_of(Command::new("arm-none-eabi-nm").arg(program));
    Ok(symbols.lines().filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect())
}

#[test]
#[ignore = "needs thumbv6m-none-eabi, thumbv7em-none-eabihf, arm-none-eabi-ld; tests/run.sh runs it"]
fn no_panic_path_is_left_in_any_function() {
    let functions = functions();
    for target in ["thumbv6m-none-eabi", "thumbv7em-none-eabihf"] {
        for opt_level in ["s", "3"] {
            let linked = link(&library(target, opt_level), &functions);
            let linked = linked.unwrap_or_else(|errors| panic!("{target}, {opt_level}: {errors}"));
            for function in &functions {
                assert!(linked.contains(function), "{function} was not linked, so nothing was shown of it");
            }
        }
    }
}

#[test]
#[ignore = "needs thumbv6m-none-eabi, arm-none-eabi-ld; tests/run.sh runs it"]
fn a_core_without_floating_point_links_none_along_the_integer_path() {
    let library = library("thumbv6m-none-eabi", "s");
    let floats = |functions: &[String]| -> Vec<String> {
        let linked = link(&library, functions).unwrap_or_else(|errors| panic!("{errors}"));
        linked.into_iter().filter(|name| FLOATS.iter().any(|float| name.starts_with(float))).collect()
    };
    let integer: Vec<String> =
        functions().into_iter().filter(|name| !name.starts_with("din_ranker_")).collect();
    assert!(integer.contains(&"din_integer_ranker_rank".to_owned()));
    assert_eq!(floats(&integer), [""; 0]);
    // The f32 path has some, or this looks for the wrong names.
    assert!(floats(&["din_ranker_score".to_owned()]).len() > 2);
}
