//! Little-endian numbers read in place, whatever the alignment.

/// Bytes that hold little-endian f32 numbers; a remainder of fewer than four bytes is ignored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct F32s<'a>(pub &'a [u8]);

impl<'a> F32s<'a> {
    pub fn iter(self) -> impl ExactSizeIterator<Item = f32> + Clone + 'a {
        self.0.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
    }

    /// Numbers `start .. start + len`; none at all where that is out of range.
    pub fn range(self, start: usize, len: usize) -> Self {
        Self(range(self.0, start.wrapping_mul(4), len.wrapping_mul(4)))
    }

    pub fn get(self, index: usize) -> Option<f32> {
        self.range(index, 1).iter().next()
    }
}

/// Bytes `start .. start + len`; none at all where that is out of range.
pub(crate) fn range<N>(numbers: &[N], start: usize, len: usize) -> &[N] {
    start.checked_add(len).and_then(|end| numbers.get(start..end)).unwrap_or_default()
}

/// The first `N` bytes, zeros where there are fewer.
pub(crate) fn array_of<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk::<N>().copied().unwrap_or([0; N])
}

pub(crate) fn u16_at(bytes: &[u8], start: usize) -> u16 {
    u16::from_le_bytes(array_of(range(bytes, start, 2)))
}

pub(crate) fn u32_at(bytes: &[u8], start: usize) -> u32 {
    u32::from_le_bytes(array_of(range(bytes, start, 4)))
}

pub(crate) fn u64_at(bytes: &[u8], start: usize) -> u64 {
    u64::from_le_bytes(array_of(range(bytes, start, 8)))
}

/// Little-endian numbers one after the other; zeros after the last.
#[derive(Clone, Debug)]
pub struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// From the first byte on.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let bytes = array_of(self.0);
        self.0 = self.0.get(N..).unwrap_or_default();
        bytes
    }

    /// The next byte.
    #[inline]
    pub fn u8(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// The next byte, signed.
    #[inline]
    pub fn i8(&mut self) -> i8 {
        self.u8().cast_signed()
    }

    /// The next two bytes.
    #[inline]
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    /// The next four bytes.
    #[inline]
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// The next four bytes, signed.
    #[inline]
    pub fn i32(&mut self) -> i32 {
        self.u32().cast_signed()
    }

    /// The next eight bytes.
    #[inline]
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// The next four bytes.
    #[inline]
    pub fn f32(&mut self) -> f32 {
        f32::from_bits(self.u32())
    }

    /// The next byte: the index of one of some values.
    #[inline]
    pub fn choice<E: Copy, const N: usize>(&mut self, values: [E; N]) -> Option<E> {
        values.get(usize::from(self.u8())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_any_alignment() {
        let mut bytes = [0_u8; 13];
        bytes[1..5].copy_from_slice(&1.5_f32.to_le_bytes());
        bytes[5..9].copy_from_slice(&(-2.0_f32).to_le_bytes());
        let numbers = F32s(&bytes[1..]);
        assert!(numbers.iter().eq([1.5, -2.0, 0.0]));
        assert_eq!(numbers.get(1), Some(-2.0));
        assert_eq!(numbers.get(3), None);
    }

    #[test]
    fn a_range_outside_is_empty_even_when_the_arithmetic_wraps() {
        let bytes = [1, 2, 3, 4];
        assert_eq!(range(&bytes, usize::MAX, 2), &[] as &[u8]);
        assert_eq!(F32s(&bytes).range(usize::MAX / 2, usize::MAX / 2).iter().len(), 0);
        assert_eq!(u32_at(&bytes, 1), 0);
    }
}
