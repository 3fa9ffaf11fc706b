//! Figures of `examples/firmware/SIZES.md`: `cargo run --release -p din-tests --bin renew-sizes` writes both.

/// Bytes of code and constants, on Cortex-M4F.
pub(super) const CODE_INTEGER: u32 = 32_292;

/// The same of the f32 path.
pub(super) const CODE_F32: u32 = 24_972;

/// Bytes of stack, on Cortex-M4F.
pub(super) const STACK_INTEGER: u32 = 2936;

/// The same of the f32 path.
pub(super) const STACK_F32: u32 = 3416;

/// Instructions of a candidate.
pub(super) const M0_INTEGER: u32 = 240_443;

/// The same.
pub(super) const M4_INTEGER: u32 = 57_600;

/// The same.
pub(super) const M33_INTEGER: u32 = 57_623;

/// The same.
pub(super) const M4_F32: u32 = 120_152;
