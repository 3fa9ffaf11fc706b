//! Pointers of the caller's: null, misaligned, wrapping and overlapping ones are found here.

use crate::error::din_error;

/// Some memory of the caller's, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: usize,
    len: usize,
}

impl Span {
    /// No memory.
    pub const NONE: Self = Self { start: 0, len: 0 };

    /// `count` values from `start` on. Of no values the pointer may be anything.
    pub fn of<T>(start: *const T, count: usize) -> Result<Self, din_error> {
        if count == 0 {
            return Ok(Self::NONE);
        }
        if start.is_null() {
            return Err(din_error::DIN_ERROR_NULL);
        }
        if !start.is_aligned() {
            return Err(din_error::DIN_ERROR_MISALIGNED);
        }
        // No memory is larger than half the address space, or goes on at its start.
        let len = count.checked_mul(size_of::<T>()).filter(|len| isize::try_from(*len).is_ok());
        match len.filter(|len| start.addr().checked_add(*len).is_some()) {
            Some(len) => Ok(Self { start: start.addr(), len }),
            None => Err(din_error::DIN_ERROR_LENGTH),
        }
    }

    const fn overlaps(self, other: Self) -> bool {
        let (end, other_end) = (self.start.wrapping_add(self.len), other.start.wrapping_add(other.len));
        self.len > 0 && other.len > 0 && self.start < other_end && other.start < end
    }

    /// Nothing of this is in any of the others.
    pub fn is_apart_from(self, others: &[Self]) -> Result<(), din_error> {
        if others.iter().any(|other| self.overlaps(*other)) {
            Err(din_error::DIN_ERROR_OVERLAP)
        } else {
            Ok(())
        }
    }
}

/// `count` values in place.
///
/// # Safety
/// There are so many, initialised, any bits of which are a `T`, and nobody changes them during `'a`.
pub(crate) unsafe fn slice<'a, T>(start: *const T, count: usize) -> Result<&'a [T], din_error> {
    Span::of(start, count)?;
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: not null, aligned, not larger than memory can be; the rest is the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts(start, count) })
}

/// `count` values to write to, set to their default first: the caller need not have initialised them.
///
/// # Safety
/// There is memory for so many, which nobody else uses during `'a`.
pub(crate) unsafe fn output<'a, T: Copy + Default>(
    start: *mut T,
    count: usize,
) -> Result<&'a mut [T], din_error> {
    Span::of(start, count)?;
    if count == 0 {
        return Ok(&mut []);
    }
    for index in 0..count {
        // SAFETY: within the memory; not null, aligned.
        unsafe { start.wrapping_add(index).write(T::default()) };
    }
    // SAFETY: as in `slice`, and every value is initialised now.
    Ok(unsafe { core::slice::from_raw_parts_mut(start, count) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, len: usize) -> Span {
        Span { start, len }
    }

    #[test]
    fn neighbours_are_apart_and_one_shared_byte_is_not() {
        let middle = span(100, 10);
        for (other, overlaps) in [
            (span(90, 10), false),
            (span(90, 11), true),
            (span(109, 1), true),
            (span(110, 1), false),
            (span(103, 2), true),
            (span(0, 1000), true),
            (span(105, 0), false),
        ] {
            assert_eq!(middle.overlaps(other), overlaps, "{other:?}");
            assert_eq!(other.overlaps(middle), overlaps, "{other:?}");
        }
    }

    #[test]
    fn a_length_that_no_memory_has_is_refused() {
        let one = core::ptr::dangling::<u64>();
        assert_eq!(Span::of(one, usize::MAX).err(), Some(din_error::DIN_ERROR_LENGTH));
        assert_eq!(Span::of(one, usize::MAX / 16 + 1).err(), Some(din_error::DIN_ERROR_LENGTH));
        let last = (usize::MAX - 7) as *const u64;
        assert_eq!(Span::of(last, 1).err(), Some(din_error::DIN_ERROR_LENGTH));
        assert_eq!(Span::of(core::ptr::null::<u64>(), 1).err(), Some(din_error::DIN_ERROR_NULL));
        assert_eq!(Span::of(9 as *const u64, 1).err(), Some(din_error::DIN_ERROR_MISALIGNED));
        assert!(Span::of(core::ptr::null::<u64>(), 0).is_ok());
    }
}
