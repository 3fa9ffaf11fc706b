//! Sets `din_dsp` for Cortex-M with the DSP extension (`smlad`, `sxtb16`). The compiler knows it of its targets, but stable
//! Rust does not show it: there is no `cfg(target_feature = "dsp")`, and nothing else in `rustc --print cfg` tells
//! thumbv7em (Cortex-M4, M7), where the extension is part of the architecture, from thumbv7m (M3), which lacks it. On
//! Armv8-M it is an option, which a target triple does not name: it counts as there if the flags name it or a processor.
//!
//! Sets `din_thumb` for Cortex-M without it.
//!
//! Sets `din_plain` where there is another kernel of the integer path than the DSP one: the others leave more to plain Rust.
//!
//! Sets `din_fpu` for Cortex-M whose target has hardware floating point: all of these FPUs (`FPv4` and `FPv5`) have the fused
//! multiply-add.
//!
//! Sets `din_armv8m` where the assembler must be told of the extension.
//!
//! Sets `din_choice` where a kernel is chosen at run time, if only by tests. Cortex-M has one, which firmware pays for in
//! flash, and no test that runs there needs another.
//!
//! Sets `din_panels` where a kernel has vectors: it multiplies with a query's own matrix by panels of many columns.
//!
//! `RUSTFLAGS="--cfg din_dsp --cfg din_thumb --cfg din_fpu -Ctarget-feature=+vfp4"` sets them for other 32-bit Arm targets:
//! processors of Armv7-A have the instructions of all three.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(din_dsp)");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let is_set = |option: &str| flags.split(['\u{1f}', '=', ',']).any(|word| word == option);
    let has_dsp = if target.starts_with("thumbv7em-") {
        true
    } else {
        let processors = ["cortex-m33", "cortex-m35p", "cortex-m55", "cortex-m85"];
        target.starts_with("thumbv8m.main-") && (is_set("+dsp") || processors.into_iter().any(is_set))
    };
    let has_dsp = has_dsp && !is_set("-dsp");
    println!("cargo::rustc-check-cfg=cfg(din_thumb)");
    if has_dsp {
        println!("cargo::rustc-cfg=din_dsp");
    } else if target.starts_with("thumbv") {
        println!("cargo::rustc-cfg=din_thumb");
    }
    println!("cargo::rustc-check-cfg=cfg(din_plain)");
    if !has_dsp {
        println!("cargo::rustc-cfg=din_plain");
    }
    println!("cargo::rustc-check-cfg=cfg(din_choice)");
    if !target.starts_with("thumbv") {
        println!("cargo::rustc-cfg=din_choice");
    }
    println!("cargo::rustc-check-cfg=cfg(din_armv8m)");
    if target.starts_with("thumbv8m") {
        println!("cargo::rustc-cfg=din_armv8m");
    }
    println!("cargo::rustc-check-cfg=cfg(din_fpu)");
    let has_fpu = ["thumbv7em-", "thumbv8m.main-"].into_iter().any(|cores| target.starts_with(cores));
    if has_fpu && target.ends_with("hf") {
        println!("cargo::rustc-cfg=din_fpu");
    }
    println!("cargo::rustc-check-cfg=cfg(din_panels)");
    let variable = |name| env::var(name).unwrap_or_default();
    let has_neon = variable("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "neon");
    match variable("CARGO_CFG_TARGET_ARCH").as_str() {
        "x86_64" => println!("cargo::rustc-cfg=din_panels"),
        "aarch64" if has_neon => println!("cargo::rustc-cfg=din_panels"),
        _ => {}
    }
}
