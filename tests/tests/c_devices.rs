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

/// Links `NAME.elf`, a library with what these functions need and nothing else: the names that are linked, or what the linker
/// says.
fn link(library: &Path, name: &str, functions: &[String]) -> Result<Vec<String>, String> {
    let program = library.with_file_name(format!("{name}.elf"));
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
            let linked = link(&library(target, opt_level), "all", &functions);
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
    let floats = |name: &str, functions: &[String]| -> Vec<String> {
        let linked = link(&library, name, functions).unwrap_or_else(|errors| panic!("{errors}"));
        linked.into_iter().filter(|name| FLOATS.iter().any(|float| name.starts_with(float))).collect()
    };
    let integer: Vec<String> =
        functions().into_iter().filter(|name| !name.starts_with("din_ranker_")).collect();
    assert!(integer.contains(&"din_integer_ranker_rank".to_owned()));
    assert_eq!(floats("integer", &integer), [""; 0]);
    // The f32 path has some, or this looks for the wrong names.
    assert!(floats("f32", &["din_ranker_score".to_owned()]).len() > 2);
}

/// What the C API adds to a program that loads a model, sets a user and ranks, integer path: bytes of code, and of stack by
/// call. `cargo test -p din-tests --test c_devices -- --ignored --nocapture costs` prints the figures of `examples/c`'s
/// README; `tests/c/measure.c` is the program.
#[test]
#[ignore = "needs thumbv7em-none-eabihf, arm-none-eabi-gcc, qemu-system-arm; tests/run.sh runs it"]
fn what_ranking_costs_on_a_cortex_m4_is_bounded() {
    let library = library("thumbv7em-none-eabihf", "s");
    let [with, without] = ["WITH_DIN", "WITHOUT_DIN"].map(|name| measure(&library, name));
    let code = with.0 - without.0;
    println!("code and constants {code} bytes\n{}", with.1);
    assert!(code < MOST_CODE, "{code} bytes of code");
    for line in with.1.lines().filter(|line| line.starts_with("din_")) {
        let (call, stack) = line.split_once(' ').unwrap();
        assert!(stack.parse::<usize>().unwrap() < MOST_STACK, "{call} uses {stack} bytes of stack");
    }
    assert!(with.1.contains("din_integer_ranker_rank "), "{}", with.1);
}

/// Links the program with a macro, and runs it: bytes of `.text`, and what it prints.
fn measure(library: &Path, name: &str) -> (usize, String) {
    let (program, example) = (library.with_extension(name), root().join("examples/c"));
    let mut command = Command::new("arm-none-eabi-gcc");
    command.current_dir(&example).args("-std=c99 -Os -mcpu=cortex-m4 -mthumb -mfloat-abi=hard".split(' '));
    command.args(
        "-mfpu=fpv4-sp-d16 -ffunction-sections -fdata-sections -nostartfiles --specs=nano.specs".split(' '),
    );
    command.args(
        "--specs=rdimon.specs -Wl,--gc-sections -Lcortex-m -Tmps2.ld -I. -I../../din-core/ffi/include"
            .split(' '),
    );
    command.arg("-DMODEL=\"../firmware/model/edge-profile-integer.din\"").arg(format!("-D{name}"));
    command.args(["../../tests/c/measure.c", "blob.S", "cortex-m/startup.c"]).arg(library);
    output_of(command.arg("-o").arg(&program));
    let sizes = output_of(Command::new("arm-none-eabi-size").arg(&program));
    let text = sizes.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap().parse().unwrap();
    let mut emulator = Command::new("qemu-system-arm");
    emulator.args("-M mps2-an386 -nographic -semihosting-config enable=on,target=native -kernel".split(' '));
    (text, output_of(emulator.arg(program)))
}

/// Bounds that leave room for another compiler.
const MOST_CODE: usize = 90_000;
/// See [`MOST_CODE`].
const MOST_STACK: usize = 4096;
