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
    pub const NATIVE: Self = if cfg!(target_pointer_width = "64") { Self::LARGE } else { Self::SMALL };

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

    /// Behaviours of a block, for a history of `length`: blocks of nearly equal size.
    pub(crate) const fn behaviours(self, length: usize) -> usize {
        let blocks = length.div_ceil(self.behaviours);
        if blocks == 0 { 1 } else { length.div_ceil(blocks) }
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
