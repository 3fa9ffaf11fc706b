//! How the caller's memory is divided.

use crate::blocking::Blocking;
use crate::kernels::as_shorts;

/// Hands out disjoint runs of the caller's memory, numbers of four bytes, front to back.
#[derive(Debug)]
pub(crate) struct Scratch<'s, N>(&'s mut [N]);

impl<'s, N> Scratch<'s, N> {
    /// From the memory's first aligned number on.
    pub fn new(memory: &'s mut [N]) -> Self {
        let bytes = size_of::<N>().wrapping_mul(Blocking::NATIVE.alignment());
        let skipped = memory.as_ptr().align_offset(bytes);
        Self(memory.get_mut(skipped..).unwrap_or_default())
    }

    /// The same numbers, to hand them out more than once.
    pub const fn again(&mut self) -> Scratch<'_, N> {
        Scratch(self.0)
    }

    /// The next `len` numbers; none at all when they run out, which a ranker of a sufficient length never sees.
    #[inline(never)]
    pub fn take(&mut self, len: usize) -> &'s mut [N] {
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

impl<'s> Scratch<'s, i32> {
    /// The next `len` numbers, as twice as many of 16 bits.
    #[inline(never)]
    pub fn shorts(&mut self, len: usize) -> &'s mut [i16] {
        as_shorts(self.take(len))
    }
}
