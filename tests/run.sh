#!/usr/bin/env bash
# The whole test of the workspace, on a Debian or Ubuntu machine with Rust:
#
#   tests/run.sh
#
# Sets up what the device builds and emulated tests need, then formats, lints, tests, builds for devices, tests on emulated
# ones and documents. Stops at the first step that fails, with its name. CARGO_TARGET_DIR is respected.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

targets=(thumbv6m-none-eabi thumbv7m-none-eabi thumbv7em-none-eabihf thumbv8m.main-none-eabihf
    riscv32imc-unknown-none-elf aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf)
# Emulators of single programs and of microcontrollers, and what links those.
emulators=(qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
    qemu-system-arm qemu-system-misc binutils-arm-none-eabi binutils-riscv64-unknown-elf)
# Compilers of C, for this machine and for Cortex-M.
c_tools=(gcc g++ make cmake pkg-config gcc-arm-none-eabi libnewlib-arm-none-eabi)
summary=()
current=""

report() {
    local status=$?
    printf '\n== summary\n'
    if ((${#summary[@]})); then printf '%s\n' "${summary[@]}"; fi
    if ((status != 0)); then printf 'FAILED: %s\n' "$current"; fi
}
trap report EXIT

# step NAME COMMAND...: one heading line, the command, its seconds in the summary.
step() {
    current=$1
    shift
    printf '\n== %s\n' "$current"
    local start=$SECONDS
    "$@"
    summary+=("$(printf '%5d s  %s' $((SECONDS - start)) "$current")")
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

install() {
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
}

# Rustup's targets where it can fetch them, else Debian's second toolchain, which has the sources of core and std.
set_up_device_targets() {
    if command -v rustup >/dev/null && rustup target add "${targets[@]}"; then
        return
    fi
    echo "rustup cannot add the targets: using Debian's rustc-web with -Z build-std"
    install rustc-web cargo-web rust-web-src
    export DIN_DEVICE_TOOLCHAIN=debian
}

set_up_emulators() {
    dpkg --status "${emulators[@]}" >/dev/null || install "${emulators[@]}"
}

set_up_c() {
    dpkg --status "${c_tools[@]}" >/dev/null || install "${c_tools[@]}"
}

# Shows what firmware logs with defmt.
set_up_defmt() {
    command -v defmt-print >/dev/null || cargo install defmt-print --version 1.2.0 --locked
}

# The kernels of other processors. (Debian's second toolchain has no clippy.)
lint_device_kernels() {
    local target
    for target in "${targets[@]}"; do
        cargo clippy --package din-core --target "$target" -- -D warnings
    done
}

# Every combination of features of what goes to devices. (`defmt` and the firmware's own are built with the devices.)
lint_features() {
    local features
    for features in "" std defmt std,defmt; do
        cargo clippy --package din-core --no-default-features --features "$features" -- -D warnings
    done
    for features in "" f32 prove-no-panic f32,prove-no-panic; do
        cargo clippy --package din-ffi --no-default-features --features "$features" -- -D warnings
    done
}

if [[ ${DIN_DEVICE_TOOLCHAIN:-} != debian ]]; then
    step "set up device targets" set_up_device_targets
fi
step "set up emulators" set_up_emulators
step "set up C" set_up_c
step "set up defmt" set_up_defmt
step "format" cargo fmt --all --check
step "format of firmware" cargo fmt --manifest-path examples/firmware/Cargo.toml --check
step "lint" cargo clippy --workspace --all-targets -- -D warnings
if [[ ${DIN_DEVICE_TOOLCHAIN:-} != debian ]]; then
    step "lint of device kernels" lint_device_kernels
fi
step "features" lint_features
step "test" cargo test --workspace
step "device builds" cargo test -p din-tests --test devices -- --ignored builds
step "tests on emulated devices" cargo test -p din-tests --test devices -- --ignored emulated
step "C" cargo test -p din-tests --test c_api --test c_example --test c_devices -- --ignored
step "edge box on an emulated device" cargo test -p din-tests --test edge_box -- --ignored
step "emitted C" cargo test -p din-tests --test emit -- --ignored
step "no panic in din-core" cargo test -p din-tests --test panic_free -- --ignored
step "firmware" cargo test -p din-tests --test firmware -- --ignored
step "dependencies of din-core" cargo tree -p din-core -e normal
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
current=""
