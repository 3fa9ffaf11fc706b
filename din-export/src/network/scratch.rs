//! Scratch memory of parallel tasks, kept from step to step.

use std::sync::{Mutex, PoisonError};

/// As many pieces of scratch memory as tasks were ever at work at once: a task that starts takes the piece that was given back last,
/// which is most likely in cache. What a piece holds is of no use to anyone.
#[derive(Debug, Default)]
pub struct ScratchPool<S>(Mutex<Vec<S>>);

impl<S: Default> ScratchPool<S> {
    /// Lends a piece to `work`.
    pub fn with<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = lock().pop().unwrap_or_default();
        let result = work(&mut scratch);
        lock().push(scratch);
        result
    }
}

/// A clone starts without any.
impl<S> Clone for ScratchPool<S> {
    fn clone(&self) -> Self {
        Self(Mutex::new(Vec::new()))
    }
}
