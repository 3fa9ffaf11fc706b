//! Hands the linker the target's `memory.x`: `memory/TARGET.x`, or the file that `MEMORY_X` names; and `emitted` the module
//! that `din-export emit` wrote: `emitted/model.rs`, or that of the folder that `EMITTED` names.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let target = env::var("TARGET").expect("cargo sets it");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let script = env::var("MEMORY_X").unwrap_or_else(|_| format!("memory/{target}.x"));
    fs::copy(&script, out.join("memory.x")).unwrap_or_else(|error| panic!("{script}: {error}"));
    println!("cargo::rerun-if-changed={script}");
    println!("cargo::rerun-if-env-changed=MEMORY_X");
    println!("cargo::rustc-link-search={}", out.display());
    if target.starts_with("riscv") {
        println!("cargo::rustc-link-arg-bins=-Tmemory.x"); // cortex-m-rt's link.x includes it
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let model = root.join(env::var("EMITTED").unwrap_or_else(|_| "emitted".into())).join("model.rs");
    fs::write(out.join("emitted.rs"), format!("#[path = {model:?}]\nmod model;\n"))
        .expect("cargo made the folder");
    println!("cargo::rerun-if-env-changed=EMITTED");
    // No padding to pages in the file: a device has none.
    for argument in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
