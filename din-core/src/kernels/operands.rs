//! What a kernel that reads by address relies on.

use super::{Matrix, OwnMatrix, Rows, Start};

/// Where the rows of a product are read and written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    /// `[rows, D]`
    pub x: *const f32,
    /// What the sums start from, and numbers from a row of it to the next: 0 where all rows share one.
    pub start: *const f32,
    pub start_stride: usize,
    pub out: *mut f32,
    pub out_stride: usize,
}

impl Operands {
    /// Of a product whose every address lies within its slices, and its rows; `None` where one does not, or there is no row.
    pub fn of(x: &[f32], w: Matrix<'_>, start: Start<'_>, out: Rows<'_>) -> Option<(Self, usize)> {
        if !w.is_whole() || !out.is_whole() || w.columns != out.columns {
            return None;
        }
        let Rows { numbers, rows, stride, .. } = out;
        let rows = x.len().checked_div(w.rows).map_or(rows, |held| held.min(rows));
        if rows == 0 {
            return None;
        }
        let out = numbers.as_mut_ptr();
        let (start, start_stride) = match start {
            Start::Output => (out.cast_const(), stride),
            Start::Row(row) if row.0.len() / 4 >= w.columns => (row.0.as_ptr().cast(), 0),
            Start::Row(_) => return None,
        };
        Some((Self { x: x.as_ptr(), start, start_stride, out, out_stride: stride }, rows))
    }
}

impl OwnMatrix<'_> {
    /// Whether every address of the weights, the query and the panel lies within its slice.
    pub(super) fn fits(&self, panel: &[f32]) -> bool {
        let Self { query, key, product } = self;
        key.is_whole()
            && product.is_whole()
            && key.columns == product.columns
            && product.rows <= key.rows
            && product.rows <= query.len()
            && key.rows.saturating_mul(key.columns) <= panel.len()
    }
}
