//! Fields as columns of a matrix: embedded ids and normalised numbers side by side.

use super::blocks::BLOCK_ROWS;
use super::embedding::Embedding;
use super::real::Real;
use super::sparse_gradient::Source;
use crate::data::dataset::FieldColumn;
use crate::schema::{Field, FieldKind};
use rayon::prelude::*;

/// Where a field's values go: rows of `stride` numbers, from `column` on.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Numbers in a row of the matrix.
    pub stride: usize,
    /// The field's first.
    pub column: usize,
}

/// Writes a field's inputs for the entries `at` of its column: an embedding row, or the normalised number.
///
/// # Panics
/// If the column holds numbers where the field is categorical, or the other way round.
pub fn gather<T: Real>(
    field: &Field,
    values: &FieldColumn,
    at: &[u32],
    tables: &[Embedding<T>],
    out: &mut [T],
    place: Place,
) {
    match (&field.kind, values) {
        (FieldKind::Categorical { table }, FieldColumn::Rows(rows)) => {
            tables[*table].gather(rows, at, out, place.stride, place.column);
        }
        (FieldKind::Numeric(normaliser), FieldColumn::Numbers(numbers)) => {
            let blocks = out.par_chunks_mut(BLOCK_ROWS * place.stride).zip(at.par_chunks(BLOCK_ROWS));
            blocks.for_each(|(block, at)| {
                for (out, &at) in block.chunks_exact_mut(place.stride).zip(at) {
                    out[place.column] = T::from_f64(f64::from(normaliser.apply(numbers[at as usize])));
                }
            });
        }
        _ => panic!("the column of field `{}` is not of the field's kind", field.name),
    }
}

/// What a field adds to its table's gradient, the transpose of [`gather`], with the table; numbers have none.
pub fn source<'a, T: Real>(
    field: &Field,
    values: &'a FieldColumn,
    at: &'a [u32],
    gradient: &'a [T],
    place: Place,
) -> Option<(usize, Source<'a, T>)> {
    match (&field.kind, values) {
        (FieldKind::Categorical { table }, FieldColumn::Rows(rows)) => {
            Some((*table, Source { rows, at, gradient, stride: place.stride, column: place.column }))
        }
        _ => None,
    }
}
