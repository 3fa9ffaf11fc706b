//! A user's behaviours, kept on the device.

use crate::value::Value;
use heapless::HistoryBuf;

/// Behaviours, oldest first, as up to two runs of field values: `older` then `newer`.
///
/// Each run is row-major, `[behaviours, fields]`. Two runs, because a ring is seldom in one piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct Behaviours<'a> {
    /// The older run; may be empty.
    pub older: &'a [Value],
    /// The newer run.
    pub newer: &'a [Value],
}

impl<'a> Behaviours<'a> {
    /// Behaviours in one run, oldest first.
    #[must_use]
    pub const fn new(values: &'a [Value]) -> Self {
        Self { older: &[], newer: values }
    }

    /// Field values in both runs.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.older.len().saturating_add(self.newer.len())
    }

    /// Whether there is no behaviour.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.older.is_empty() && self.newer.is_empty()
    }
}

/// The last `N` behaviours of `F` fields each; a further one drops the oldest.
///
/// ```
/// use din_core::{History, Value};
/// let mut history = History::<2, 1>::new();
/// for item in [7_u64, 8, 9] {
///     history.push([item.into()]);
/// }
/// let behaviours = history.behaviours();
/// assert!(behaviours.older.iter().chain(behaviours.newer).eq(&[Value::Id(8), Value::Id(9)]));
/// ```
#[derive(Clone, Debug)]
pub struct History<const N: usize, const F: usize> {
    ring: HistoryBuf<[Value; F], N>,
}

impl<const N: usize, const F: usize> Default for History<N, F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, const F: usize> History<N, F> {
    /// No behaviours yet.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0, "a history of no behaviours cannot keep the newest") };
        Self { ring: HistoryBuf::new() }
    }

    /// Adds the newest behaviour.
    pub fn push(&mut self, behaviour: [Value; F]) {
        self.ring.write(behaviour);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ring.clear();
    }

    /// Behaviours held, at most `N`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The behaviours, as [`Ranker::set_user`](crate::Ranker::set_user) takes them.
    #[must_use]
    pub fn behaviours(&self) -> Behaviours<'_> {
        let (older, newer) = self.ring.as_slices();
        Behaviours { older: older.as_flattened(), newer: newer.as_flattened() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_in_order_whatever_was_pushed() {
        for pushed in 0..12_u64 {
            let mut history = History::<5, 2>::new();
            for id in 0..pushed {
                history.push([Value::Id(id), Value::Number(id as f32)]);
            }
            let Behaviours { older, newer } = history.behaviours();
            let expected =
                (pushed.saturating_sub(5)..pushed).flat_map(|id| [Value::Id(id), Value::Number(id as f32)]);
            assert!(older.iter().chain(newer).copied().eq(expected), "{pushed} pushed");
            assert_eq!(history.len() as u64, pushed.min(5));
        }
    }
}
