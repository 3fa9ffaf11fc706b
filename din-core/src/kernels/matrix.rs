//! What products read and write: matrices in flash and in memory, and numbers seen as others.

use crate::bytes::F32s;

/// Some columns of a matrix: rows of `columns` numbers that begin `stride` numbers apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    /// From the first row's first column on.
    pub numbers: F32s<'a>,
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
}

impl<'a> Matrix<'a> {
    /// All columns of `[rows, columns]`.
    pub const fn whole(numbers: F32s<'a>, rows: usize, columns: usize) -> Self {
        Self { numbers, rows, columns, stride: columns }
    }

    /// Columns `start .. start + columns`.
    pub fn columns(self, start: usize, columns: usize) -> Self {
        let len = self.numbers.0.len() / 4;
        Self { numbers: self.numbers.range(start, len.saturating_sub(start)), columns, ..self }
    }

    /// The columns of one row.
    pub fn row(self, index: usize) -> F32s<'a> {
        self.numbers.range(index.wrapping_mul(self.stride), self.columns)
    }

    /// Bytes that the rows span; what a kernel that reads by address relies on.
    const fn span(self) -> usize {
        match self.rows.checked_sub(1) {
            Some(before) => before.saturating_mul(self.stride).saturating_add(self.columns).saturating_mul(4),
            None => 0,
        }
    }

    pub(super) const fn is_whole(self) -> bool {
        self.columns <= self.stride && self.span() <= self.numbers.0.len()
    }
}

/// Some columns of a query's own matrix: row `d` is `key[d] + query[d] product[d]` for the paired inputs, `key[d]` for the
/// rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnMatrix<'a> {
    /// `[P]`
    pub query: &'a [f32],
    /// `[D, columns]`
    pub key: Matrix<'a>,
    /// `[P, columns]`
    pub product: Matrix<'a>,
}

/// Some columns of a matrix in memory, to be written.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// From the first row's first column on.
    pub numbers: &'a mut [f32],
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// All columns of `[rows, columns]`.
    pub const fn whole(numbers: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self { numbers, rows, columns, stride: columns }
    }

    pub(super) const fn is_whole(&self) -> bool {
        let span = match self.rows.checked_sub(1) {
            Some(before) => before.saturating_mul(self.stride).saturating_add(self.columns),
            None => 0,
        };
        self.columns <= self.stride && span <= self.numbers.len()
    }
}

/// Numbers in memory as the kernels read weights.
#[allow(unsafe_code)] // the only view of numbers as bytes
pub(crate) fn as_weights(numbers: &[f32]) -> F32s<'_> {
    const { assert!(cfg!(target_endian = "little"), "weights are little-endian, in flash and in memory") };
    // SAFETY: the same memory, every byte of it initialised, for the same lifetime; any address suits a byte.
    F32s(unsafe { core::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) })
}

/// The same memory as twice as many numbers of 16 bits.
#[allow(unsafe_code)] // the only view of wide numbers as narrow ones
pub(crate) const fn as_shorts(numbers: &mut [i32]) -> &mut [i16] {
    let len = numbers.len().wrapping_mul(2);
    // SAFETY: the same memory, for the same lifetime; any bits are an i16, and what suits an i32 suits an i16.
    unsafe { core::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), len) }
}
