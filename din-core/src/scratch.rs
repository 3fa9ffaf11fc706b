//! How the caller's memory is divided.

use crate::sizes::Blocking;

/// Hands out disjoint runs of the caller's f32 memory, front to back.
#[derive(Debug)]
pub(crate) struct Scratch<'s>(&'s mut [f32]);

impl<'s> Scratch<'s> {
    /// From the memory's first aligned number on.
    pub fn new(memory: &'s mut [f32]) -> Self {
        let bytes = size_of::<f32>().wrapping_mul(Blocking::NATIVE.alignment());
        let skipped = memory.as_ptr().align_offset(bytes);
        Self(memory.get_mut(skipped..).unwrap_or_default())
    }

    /// The next `len` numbers; none at all when they run out, which a ranker of a sufficient length never sees.
    pub fn take(&mut self, len: usize) -> &'s mut [f32] {
        let memory = core::mem::take(&mut self.0);
        match memory.split_at_mut_checked(Blocking::NATIVE.padded(len)) {
            Some((run, rest)) => {
                self.0 = rest;
                run.get_mut(..len).unwrap_or_default()
            }
            None => &mut [],
        }
    }
}
