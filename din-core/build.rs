//! Sets `din_dsp` for Cortex-M with the DSP extension (`smlad`, `sxtb16`). The compiler knows it of its targets, but stable
//! Rust does not show it: there is no `cfg(target_feature = "dsp")`, and nothing else in `rustc --print cfg` tells
//! thumbv7em (Cortex-M4, M7), where the extension is part of the architecture, from thumbv7m (M3), which lacks it. On
//! Armv8-M it is an option, which a target triple does not name: it counts as there if the flags name it or a processor.
//!
//! `RUSTFLAGS="--cfg din_dsp"` sets it for other 32-bit Arm targets; those of Armv7-A all have the instructions.

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
    if has_dsp && !is_set("-dsp") {
        println!("cargo::rustc-cfg=din_dsp");
    }
}
