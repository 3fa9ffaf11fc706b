//! x
pub(super) const CODE_INTEGER: u32 = 1;
pub(super) const CODE_F32: u32 = 1;
pub(super) const STACK_INTEGER: u32 = 1;
pub(super) const STACK_F32: u32 = 1;
pub(super) const M0_INTEGER: u32 = 1;
pub(super) const M4_INTEGER: u32 = 1;
pub(super) const M33_INTEGER: u32 = 1;
pub(super) const M4_F32: u32 = 1;
