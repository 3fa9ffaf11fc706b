//! How the caller's memory is divided.

/// Hands out disjoint runs of the caller's f32 memory, front to back.
#[derive(Debug)]
pub(crate) struct Scratch<'s>(pub &'s mut [f32]);

impl<'s> Scratch<'s> {
    /// The next `len` numbers; none at all when they run out, which a ranker of a sufficient length never sees.
    pub fn take(&mut self, len: usize) -> &'s mut [f32] {
        match core::mem::take(&mut self.0).split_at_mut_checked(len) {
            Some((run, rest)) => {
                self.0 = rest;
                run
            }
            None => &mut [],
        }
    }
}
