//! Rows of a matrix that lies in a slice, like those of `core`'s `chunks`, from `split_at` alone.
//!
//! Zipping `core`'s chunks divides by their length, which on a Cortex-M0 is a call, and where the compiler does not inline it
//! a path to a panic. Here a width of 0 has no rows.

use core::mem::take;

/// Whole rows of `width` in so many numbers.
pub(crate) const fn count(numbers: usize, width: usize) -> usize {
    match numbers.checked_div(width) {
        Some(rows) => rows,
        None => 0,
    }
}

/// Rows of `width`; a shorter rest is left out.
pub(crate) const fn exact<T>(numbers: &[T], width: usize) -> Exact<'_, T> {
    Exact { numbers, width }
}

/// See [`exact`].
pub(crate) const fn exact_mut<T>(numbers: &mut [T], width: usize) -> ExactMut<'_, T> {
    ExactMut { numbers, width }
}

/// Rows of `width`; the last may be shorter.
pub(crate) const fn up_to<T>(numbers: &[T], width: usize) -> UpTo<'_, T> {
    UpTo { numbers, width }
}

/// See [`up_to`].
pub(crate) const fn up_to_mut<T>(numbers: &mut [T], width: usize) -> UpToMut<'_, T> {
    UpToMut { numbers, width }
}

/// See [`exact`].
pub(crate) struct Exact<'n, T> {
    numbers: &'n [T],
    width: usize,
}

impl<T> Clone for Exact<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'n, T> Iterator for Exact<'n, T> {
    type Item = &'n [T];

    #[inline]
    fn next(&mut self) -> Option<&'n [T]> {
        if self.width == 0 {
            return None;
        }
        let (row, rest) = self.numbers.split_at_checked(self.width)?;
        self.numbers = rest;
        Some(row)
    }
}

/// See [`exact_mut`].
pub(crate) struct ExactMut<'n, T> {
    numbers: &'n mut [T],
    width: usize,
}

impl<'n, T> Iterator for ExactMut<'n, T> {
    type Item = &'n mut [T];

    #[inline]
    fn next(&mut self) -> Option<&'n mut [T]> {
        if self.width == 0 {
            return None;
        }
        let (row, rest) = take(&mut self.numbers).split_at_mut_checked(self.width)?;
        self.numbers = rest;
        Some(row)
    }
}

/// See [`up_to`].
pub(crate) struct UpTo<'n, T> {
    numbers: &'n [T],
    width: usize,
}

impl<'n, T> Iterator for UpTo<'n, T> {
    type Item = &'n [T];

    #[inline]
    fn next(&mut self) -> Option<&'n [T]> {
        let (row, rest) = self.numbers.split_at_checked(self.width.min(self.numbers.len()))?;
        self.numbers = rest;
        (!row.is_empty()).then_some(row)
    }
}

/// See [`up_to_mut`].
pub(crate) struct UpToMut<'n, T> {
    numbers: &'n mut [T],
    width: usize,
}

impl<'n, T> Iterator for UpToMut<'n, T> {
    type Item = &'n mut [T];

    #[inline]
    fn next(&mut self) -> Option<&'n mut [T]> {
        let width = self.width.min(self.numbers.len());
        let (row, rest) = take(&mut self.numbers).split_at_mut_checked(width)?;
        self.numbers = rest;
        (!row.is_empty()).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_core() {
        let mut numbers = [0, 1, 2, 3, 4, 5, 6];
        for width in 1..9 {
            assert_eq!(count(numbers.len(), width), numbers.chunks_exact(width).len());
            assert!(exact(&numbers, width).eq(numbers.chunks_exact(width)), "{width}");
            assert!(up_to(&numbers, width).eq(numbers.chunks(width)), "{width}");
            let mut same = numbers;
            assert!(exact_mut(&mut numbers, width).eq(same.chunks_exact_mut(width)), "{width}");
            assert!(up_to_mut(&mut numbers, width).eq(same.chunks_mut(width)), "{width}");
        }
    }

    #[test]
    fn a_width_of_zero_has_no_rows() {
        let mut numbers = [0, 1];
        assert_eq!(count(numbers.len(), 0), 0);
        assert_eq!(exact(&numbers, 0).count(), 0);
        assert_eq!(up_to(&numbers, 0).count(), 0);
        assert_eq!(exact_mut(&mut numbers, 0).count(), 0);
        assert_eq!(up_to_mut(&mut numbers, 0).count(), 0);
    }
}
