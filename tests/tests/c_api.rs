//! din-ffi from C: the header as C99 and C++17, misuse, and the scores of the goldens. The tests that compile C need gcc and
//! g++: plain `cargo test` lists them as ignored, `tests/run.sh` runs them.

use din_tests::c_program::{library, output_of, root};
use std::path::{Path, PathBuf};
use std::process::Command;

const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");
const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];
const SANITIZERS: [&str; 3] = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
/// What a C programmer compiles with.
const LANGUAGES: [&[&str]; 3] =
    [&["gcc", "-std=c99"], &["gcc", "-std=c11"], &["g++", "-std=c++17", "-x", "c++"]];

/// Compiles `tests/c/NAME.c` in one language, with sanitisers.
fn compile(name: &str, language: &[&str]) -> PathBuf {
    let program = Path::new(TEMPORARY).join(format!("{name}-{}", language[1]));
    let mut command = Command::new(language[0]);
    command.args(&language[1..]).args(WARNINGS).args(SANITIZERS).arg("-o").arg(&program);
    command.arg("-I").arg(root().join("din-core/ffi/include"));
    command.arg(root().join(format!("tests/c/{name}.c"))).args(["-x", "none"]).arg(library(TEMPORARY));
    output_of(command.args(["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"]));
    program
}

fn golden(name: &str) -> PathBuf {
    root().join(format!("tests/goldens/{name}.din"))
}

#[test]
#[ignore = "needs gcc and g++; tests/run.sh runs it"]
fn a_misused_function_gives_the_error_that_the_header_promises() {
    for language in LANGUAGES {
        let mut program = Command::new(compile("misuse", language));
        let text = output_of(program.args([golden("paper-integer"), golden("paper-int8")]));
        assert!(text.contains(" checks, 0 failures"), "{text}");
    }
}

/// The numbers are those of `din-core/tests/same_bits.rs`.
#[test]
#[ignore = "needs gcc and g++; tests/run.sh runs it"]
fn c_gets_the_integer_scores_that_rust_gets() {
    for language in LANGUAGES {
        let mut program = Command::new(compile("same_bits", language));
        let text = output_of(program.args([golden("paper-integer"), golden("everything-integer")]));
        assert_eq!(text, "paper-integer 58ba4f09\neverything-integer 43cf6379\n");
    }
}

#[test]
#[ignore = "needs gcc and g++; tests/run.sh runs it"]
fn the_header_alone_compiles_without_floating_point_too() {
    for language in LANGUAGES {
        let source = Path::new(TEMPORARY).join("twice.c");
        std::fs::write(&source, "#include \"din.h\"\n#include \"din.h\"\n").unwrap();
        for float in [&[][..], &["-DDIN_NO_FLOAT"]] {
            let mut command = Command::new(language[0]);
            command.args(&language[1..]).args(WARNINGS).args(float).arg("-fsyntax-only").arg(&source);
            output_of(command.arg("-I").arg(root().join("din-core/ffi/include")));
        }
    }
}

/// What the header says of an integer-only program is so: there is no float in it.
#[test]
fn the_header_without_floating_point_has_no_float() {
    let header = std::fs::read_to_string(root().join("din-core/ffi/include/din.h")).unwrap();
    let (mut hidden, mut depth, mut floats) = (0, 0, 0);
    for line in header.lines().map(str::trim) {
        if line.starts_with("#if") {
            depth += 1;
            if line.contains("defined(DIN_F32)") || line.contains("ifndef DIN_NO_FLOAT") {
                hidden = depth;
            }
        } else if line.starts_with("#endif") {
            if hidden == depth {
                hidden = 0;
            }
            depth -= 1;
        } else if line.starts_with("float ") || line.contains(" float ") || line.contains("(float ") {
            let comment = line.contains("the bits of") || line.contains("those of a float");
            assert!(hidden > 0 || comment, "a float without DIN_F32: {line}");
            floats += 1;
        }
    }
    assert!(floats > 5, "only {floats} floats found, so this test looks at nothing");
}
