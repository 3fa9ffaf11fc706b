//! Nothing in din-core panics: a program that uses all of it links although its panic handler cannot be linked.

use din_tests::device::{cargo, write_package};

const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");

/// Links `tests/panic-free`: what the linker says if it cannot.
fn link(target: &str, opt_level: &str, flags: &str) -> Result<(), String> {
    let name = format!("panic-free-{target}-{}", opt_level.trim_matches('"'));
    let profile = format!("opt-level = {opt_level}\nlto = \"fat\"\ncodegen-units = 1");
    let section = format!("[[bin]]\nname = \"{name}\"");
    let folder = write_package(TEMPORARY, &name, "panic-free/main.rs", &section, &profile);
    let output = cargo(&folder, "rustc", target, "core", TEMPORARY)
        .args(["--release", "--"])
        .args(flags.split_whitespace())
        .output()
        .expect("cargo runs");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn assert_panic_free(target: &str) {
    for opt_level in ["\"s\"", "3"] {
        if let Err(errors) = link(target, opt_level, "") {
            panic!("{target}, opt-level {opt_level}: {errors}");
        }
        // The same program with one indexing in it: the linker must name the symbol, or it would not find one in din-core.
        let errors = link(target, opt_level, "--cfg panics").expect_err("a panic was left in on purpose");
        assert!(errors.contains("a_panic_is_left"), "{errors}");
    }
}

#[test]
#[ignore = "needs the target thumbv6m-none-eabi; tests/run.sh runs it"]
fn no_panic_path_is_left_on_cortex_m0() {
    assert_panic_free("thumbv6m-none-eabi");
}

#[test]
#[ignore = "needs the target thumbv7em-none-eabihf; tests/run.sh runs it"]
fn no_panic_path_is_left_on_cortex_m4f() {
    assert_panic_free("thumbv7em-none-eabihf");
}
