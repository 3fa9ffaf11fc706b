//! What the models need. `cargo run -p din-tests --bin renew-firmware` writes this file.

/// Numbers of scratch memory, integer path.
pub const INTEGER_SCRATCH: usize = 716;
/// Numbers of scratch memory, f32 path.
pub const F32_SCRATCH: usize = 1964;
/// Behaviours that are looked at.
pub const HISTORY: usize = 20;
