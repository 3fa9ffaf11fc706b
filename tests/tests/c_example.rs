//! `examples/c`: on this machine and on emulated Cortex-M it prints what `expected.txt` says, which is what Rust computes.
//! The tests that compile C need compilers, and some an emulator: plain `cargo test` lists them as ignored, `tests/run.sh`
//! sets up what they need and runs them.

use din_core::{Blocking, IntegerRanker, Model, crc32};
use din_tests::c_program::{CASES, build_folder, make, output_of, requests_header, root};
use din_tests::reference_model::{SLATE, cases};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");

fn folder() -> PathBuf {
    root().join("examples/c")
}

fn expected() -> String {
    fs::read_to_string(folder().join("expected.txt")).expect("it is part of the example")
}

/// Runs the example's Makefile, as its README does, with a build folder of its own: for a core, or for this machine.
fn make_example(core: Option<&str>, more: &[&str]) -> String {
    let name = format!("example-{}", if more.is_empty() { "plain" } else { "flags" });
    let build = format!("BUILD={}", build_folder(TEMPORARY).join(name).display());
    output_of(make(&folder(), TEMPORARY).args(["--silent", &build]).args(core).args(more))
}

/// The program's own lines: cargo's progress is on stderr.
fn assert_expected(printed: &str, on: &str) {
    assert_eq!(printed, expected(), "{on}");
}

#[test]
fn the_example_reserves_what_its_model_needs() {
    let blob = fs::read(root().join("examples/firmware/model/edge-profile-integer.din")).unwrap();
    let model = Model::from_bytes(&blob).unwrap();
    let [large, small] =
        [Blocking::LARGE, Blocking::SMALL].map(|blocking| model.scratch_len_for(blocking) * 4);
    let constants = |file: &str, start: &str| -> Vec<usize> {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let after = text.split(start).skip(1);
        after.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(constants("examples/c/rank.c", "SCRATCH_BYTES = "), [large, small]);
    assert_eq!(constants("tests/c/measure.c", "static uint32_t scratch["), [small]);
}

#[test]
fn the_expected_checksum_is_that_of_rust() {
    let blob = fs::read(root().join("examples/firmware/model/edge-profile-integer.din")).unwrap();
    let model = Model::from_bytes(&blob).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut ranker = IntegerRanker::new(&model, &mut scratch).unwrap();
    let (cases, mut bytes) = (cases(), Vec::new());
    for case in CASES {
        let request = &cases[case].request;
        request.with_user(|user| ranker.set_user(user)).unwrap();
        let mut scores = [0; SLATE];
        ranker.score_slate(&request.slate.concat(), &mut scores).unwrap();
        bytes.extend(scores.map(u16::to_le_bytes).into_iter().flatten());
    }
    let line = format!("crc-32 of the scores: {:#010x}\n", crc32(&bytes));
    assert!(expected().ends_with(&line), "{line}{}", expected());
}

#[test]
fn the_requests_are_cases_of_the_reference() {
    let path = folder().join("requests.h");
    if std::env::var_os("RENEW").is_some() {
        fs::write(&path, requests_header()).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), requests_header());
}

#[test]
#[ignore = "needs gcc, make; tests/run.sh runs it"]
fn the_example_prints_what_is_expected_on_this_machine() {
    assert_expected(&make_example(None, &[]), "this machine");
}

#[test]
#[ignore = "needs gcc, g++, make; tests/run.sh runs it"]
fn the_example_is_clean_under_sanitizers_as_c_and_as_cxx() {
    let sanitize = "-g -fsanitize=address,undefined -fno-sanitize-recover=all";
    assert_expected(&make_example(None, &[&format!("CFLAGS={sanitize}"), "--always-make"]), "C99");
    let program = Path::new(TEMPORARY).join("rank-cxx");
    let mut command = Command::new("g++");
    command.current_dir(folder()).args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic"]);
    command.args(sanitize.split(' ')).arg("-DMODEL=\"../firmware/model/edge-profile-integer.din\"");
    command.args(["-I../../din-core/ffi/include", "-x", "c++", "rank.c", "-x", "none", "blob.S", "-o"]);
    command.arg(&program).arg(build_folder(TEMPORARY).join("release/libdin_ffi.a"));
    output_of(command.args(["-lgcc_s", "-lpthread", "-lm", "-ldl"]));
    assert_expected(&output_of(&mut Command::new(program)), "C++17");
}

#[test]
#[ignore = "needs gcc, make, pkg-config; tests/run.sh runs it"]
fn an_installed_library_is_found_by_pkg_config() {
    let prefix = Path::new(TEMPORARY).join("installed");
    let ffi = root().join("din-core/ffi");
    let goal = ["-f", "din.mk", "din-install"];
    output_of(make(&ffi, TEMPORARY).args(goal).arg(format!("PREFIX={}", prefix.display())));
    let flags =
        output_of(Command::new("pkg-config").env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args([
            "--cflags",
            "--libs",
            "din >= 0.1",
        ]));
    let program = Path::new(TEMPORARY).join("rank-installed");
    let mut command = Command::new("gcc");
    command.current_dir(folder()).arg("-DMODEL=\"../firmware/model/edge-profile-integer.din\"");
    command.args(["rank.c", "blob.S"]).args(flags.split_whitespace()).arg("-o").arg(&program);
    output_of(&mut command);
    assert_expected(&output_of(&mut Command::new(program)), "installed");
}

#[test]
#[ignore = "needs gcc, cmake; tests/run.sh runs it"]
fn the_example_builds_with_cmake() {
    let build = Path::new(TEMPORARY).join("cmake");
    // CMake refuses what another clone left in a target folder that both use.
    let _ = std::fs::remove_dir_all(&build);
    output_of(
        Command::new("cmake")
            .arg("-S")
            .arg(folder())
            .arg("-B")
            .arg(&build)
            .arg(format!("-DDIN_BUILD={}", build_folder(TEMPORARY).display())),
    );
    output_of(Command::new("cmake").arg("--build").arg(&build).env_remove("RUSTFLAGS"));
    assert_expected(&output_of(&mut Command::new(build.join("rank"))), "CMake");
}

#[test]
#[ignore = "needs thumbv6m-none-eabi, arm-none-eabi-gcc, qemu-system-arm; tests/run.sh runs it"]
fn a_cortex_m0_prints_what_is_expected() {
    assert_expected(&make_example(Some("cortex-m0"), &[]), "Cortex-M0");
}

#[test]
#[ignore = "needs thumbv7em-none-eabihf, arm-none-eabi-gcc, qemu-system-arm; tests/run.sh runs it"]
fn a_cortex_m4_prints_what_is_expected() {
    assert_expected(&make_example(Some("cortex-m4"), &[]), "Cortex-M4");
}
