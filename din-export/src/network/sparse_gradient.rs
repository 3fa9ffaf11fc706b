//! The gradient of an embedding table: of the rows that a batch touched; every other row's is zero.

use rayon::prelude::*;

use super::blocks::{ROWS_AHEAD, add, prefetch, vectorised};
use super::real::Real;

/// Held by shards: up to 64 ranges of rows, of one length, each with its touched rows and their gradients. A task owns a shard, so
/// that sums are made, and rows stepped, in parallel, in an order that does not depend on the number of threads.
///
/// The map from row to slot is allocated once. Clearing it costs what was touched, not what the vocabulary holds.
#[derive(Clone, Debug)]
pub struct SparseGradient<T> {
    dim: usize,
    /// A shard has `2^shift` rows.
    shift: u32,
    /// For each row of the table its slot in its shard and 1 more, or `FREE`. Memory of rows never touched is never touched.
    slots: Vec<u32>,
    shards: Vec<Shard<T>>,
}

/// The touched rows of a range of rows.
#[derive(Clone, Debug, Default)]
pub struct Shard<T> {
    /// The batch's entries in the range, in order.
    entries: Vec<Entry>,
    /// For each slot its row, counted from the range's first: in the order of first touch, each row once.
    rows: Vec<u32>,
    /// `[slots, dim]`.
    values: Vec<T>,
}

/// Where a piece of a row's gradient is.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Counted from the shard's first.
    row: u32,
    /// Index into the sources.
    source: u32,
    /// Row of the source's matrix.
    index: u32,
}

/// What one field adds to a table's gradient: `gradient[i * stride + column ..]` to that of row `rows[at[i]]`, for each i.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a, T> {
    /// The field's column.
    pub rows: &'a [u32],
    /// Its entries that the batch looked up.
    pub at: &'a [u32],
    /// Of the matrix that they were copied to.
    pub gradient: &'a [T],
    /// Numbers in a row of that matrix.
    pub stride: usize,
    /// The field's first.
    pub column: usize,
}

const FREE: u32 = 0;
const SHARDS: usize = 64;

impl<T: Real> SparseGradient<T> {
    /// Zero, for a table of `rows` rows.
    #[must_use]
    pub fn new(rows: usize, dim: usize) -> Self {
        let shift = rows.div_ceil(SHARDS).next_power_of_two().ilog2();
        let shards = vec![Shard::default(); rows.div_ceil(1 << shift)];
        Self { dim, shift, slots: vec![FREE; rows], shards }
    }

    /// Forgets what it holds and takes the sum of the sources' gradients.
    pub fn set(&mut self, sources: &[Source<'_, T>]) {
        let Self { dim, shift, slots, shards } = self;
        let mask = (1 << *shift) - 1;
        for (number, source) in sources.iter().enumerate() {
            for (index, &at) in source.at.iter().enumerate() {
                let row = source.rows[at as usize];
                let entry = Entry { row: row & mask, source: number as u32, index: index as u32 };
                shards[(row >> *shift) as usize].entries.push(entry);
            }
        }
        shards
            .par_iter_mut()
            .zip(slots.par_chunks_mut(1 << *shift))
            .for_each(|(shard, slots)| vectorised(|| shard.set(sources, slots, *dim)));
    }

    /// Rows of a shard.
    #[must_use]
    pub fn shard_rows(&self) -> usize {
        1 << self.shift
    }

    /// The shards, the last one perhaps of fewer rows.
    #[must_use]
    pub fn shards(&self) -> &[Shard<T>] {
        &self.shards
    }

    /// The touched rows, each once, with their gradients, `[dim]`.
    pub fn rows(&self) -> impl Iterator<Item = (u32, &[T])> {
        self.shards.iter().enumerate().flat_map(|(index, shard)| {
            let first = (index << self.shift) as u32;
            shard.rows(self.dim).map(move |(row, gradient)| (first + row, gradient))
        })
    }
}

impl<T: Real> Shard<T> {
    /// The touched rows, counted from the shard's first, each once, with their gradients, `[dim]`.
    pub fn rows(&self, dim: usize) -> impl Iterator<Item = (u32, &[T])> {
        self.rows.iter().copied().zip(self.values.chunks_exact(dim))
    }

    /// The gradients of the touched rows, end to end.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    #[inline(always)]
    fn set(&mut self, sources: &[Source<'_, T>], slots: &mut [u32], dim: usize) {
        for &row in &self.rows {
            slots[row as usize] = FREE;
        }
        self.rows.clear();
        self.values.clear();
        let gradient_of = |entry: &Entry| {
            let source = &sources[entry.source as usize];
            &source.gradient[entry.index as usize * source.stride + source.column..][..dim]
        };
        for (index, entry) in self.entries.iter().enumerate() {
            if let Some(ahead) = self.entries.get(index + ROWS_AHEAD) {
                prefetch(gradient_of(ahead));
            }
            let gradient = gradient_of(entry);
            let slot = &mut slots[entry.row as usize];
            if *slot == FREE {
                self.rows.push(entry.row);
                self.values.extend_from_slice(gradient);
                *slot = self.rows.len() as u32;
            } else {
                add(&mut self.values[(*slot as usize - 1) * dim..][..dim], gradient);
            }
        }
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_each_touched_row_once_and_forgets_all_of_them() {
        let mut gradient = SparseGradient::<f64>::new(1000, 2);
        let matrix = [9.0, 1.0, 2.0, 9.0, 3.0, 4.0, 9.0, 5.0, 6.0];
        // Entries 1, 0, 1 of the column [999, 2]: rows 2, 999, 2; and row 3 from another field.
        let one = Source { rows: &[999, 2], at: &[1, 0, 1], gradient: &matrix, stride: 3, column: 1 };
        let other = Source { rows: &[3], at: &[0], gradient: &matrix, stride: 9, column: 7 };
        for _ in 0..2 {
            gradient.set(&[one, other]);
            let rows: Vec<_> = gradient.rows().collect();
            assert_eq!(rows, [(2, &[6.0, 8.0][..]), (3, &[5.0, 6.0]), (999, &[3.0, 4.0])]);
        }
        gradient.set(&[]);
        assert_eq!(gradient.rows().count(), 0);
    }

    #[test]
    fn shards_cover_tables_of_any_size() {
        for rows in [1, 2, 63, 64, 65, 801, 63_001] {
            let mut gradient = SparseGradient::<f64>::new(rows, 1);
            let all: Vec<u32> = (0..rows as u32).collect();
            gradient.set(&[Source {
                rows: &all,
                at: &all,
                gradient: &vec![1.0; rows],
                stride: 1,
                column: 0,
            }]);
            assert!(gradient.rows().map(|(row, _)| row).eq(0..rows as u32), "{rows}");
            assert!(gradient.shards().len() <= SHARDS);
        }
    }
}
