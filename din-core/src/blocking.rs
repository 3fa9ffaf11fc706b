//! How much is computed together.

/// How much is computed together: more of it is faster and takes more scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocking {
    candidates: usize,
    behaviours: usize,
    columns: usize,
}

impl Blocking {
    /// Of 32-bit cores: little memory. A block of behaviours costs a query's own matrix, which is a fifth of a candidate.
    pub const SMALL: Self = Self { candidates: 1, behaviours: 20, columns: 4 };
    /// Of 64-bit processors: a panel, the hidden layer of a block and a few rows of keys in the first-level cache.
    pub const LARGE: Self = Self { candidates: 8, behaviours: 64, columns: 32 };
    /// Of the machine this is compiled for.
    pub const NATIVE: Self =
        if cfg!(any(target_pointer_width = "64", din_panels)) { Self::LARGE } else { Self::SMALL };

    /// Candidates that go through the head together.
    pub(crate) const fn candidates(self) -> usize {
        self.candidates
    }

    /// Candidates whose own matrices are made in one pass over the weights.
    pub(crate) const fn candidates_of_a_pass(self) -> usize {
        if self.candidates > 1 { 2 } else { 1 }
    }

    /// Runs of scratch memory begin at multiples of so many numbers: of a cache line where there are caches, so that no
    /// vector lies across two.
    pub(crate) const fn alignment(self) -> usize {
        if self.columns >= 16 { 16 } else { 1 }
    }

    /// A run's length with what follows it up to the next run.
    pub(crate) const fn padded(self, len: usize) -> usize {
        // The alignment is a power of two.
        let before = self.alignment().saturating_sub(1);
        len.saturating_add(before) & !before
    }

    /// Behaviours of a block, for a history of `length`: blocks of nearly equal size, an even one, since some kernels take
    /// two behaviours together.
    pub(crate) const fn behaviours(self, length: usize) -> usize {
        let blocks = length.div_ceil(self.behaviours);
        if blocks == 0 { 2 } else { length.div_ceil(blocks).next_multiple_of(2) }
    }

    /// The most behaviours of a block.
    pub(crate) const fn largest_block(self) -> usize {
        self.behaviours
    }

    /// Columns of the next panel when so many are left: the last panel is as wide as one and a half, where vectors are wide.
    pub(crate) const fn columns(self, left: usize) -> usize {
        if left <= self.widest_panel() { left } else { self.columns }
    }

    pub(crate) const fn widest_panel(self) -> usize {
        if self.columns >= 16 { self.columns.saturating_add(self.columns / 2) } else { self.columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys lie in pairs of rows, so that a block must begin with a pair.
    #[test]
    fn blocks_of_behaviours_are_even_cover_the_history_and_fit_their_memory() {
        for blocking in [Blocking::SMALL, Blocking::LARGE] {
            for length in 0..=1000 {
                let block = blocking.behaviours(length);
                assert!(
                    block > 0 && block.is_multiple_of(2) && block <= blocking.largest_block(),
                    "{length}"
                );
                assert_eq!(length.div_ceil(block), length.div_ceil(blocking.largest_block()), "{length}");
            }
        }
    }
}
