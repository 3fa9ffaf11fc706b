//! Small tables that cost accuracy are stored wider than the rest.
//!
//! A table of few rows, a category's or a tab's, is read by every request, often several times, and its rows are the same in
//! all of them: rounding it to integers can cost more than rounding all the others, and storing it as f16 costs next to
//! nothing. So where one form is asked for all tables, a table
//!
//! - that is small: from the smallest up, such tables hold at most a [`SHARE`]th of the model's embedding numbers together,
//! - and whose rounding alone would change a score by more than [`LARGEST_CHANGE`] on the calibration requests, to first order,
//!
//! takes the next wider form by which it does not: int4, int8, f16. A form that is asked for a table by its name is kept.

use super::embedding::Embedding;
use crate::schema::Schema;
use serde::Serialize;

/// Small tables hold at most one number of so many.
pub const SHARE: usize = 16;

/// Of a score; what all tables together may well cost is about four times that.
pub const LARGEST_CHANGE: f64 = 5e-4;

/// Why a table is stored wider than asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Widened {
    /// What was asked for all tables.
    pub asked: Embedding,
    /// The largest change of a score that it would have made, to first order, on the calibration requests.
    pub change: f64,
}

/// Tables that are small, by their index.
#[must_use]
pub fn small_tables(schema: &Schema) -> Vec<usize> {
    let numbers = |table: usize| schema.tables[table].vocabulary.rows() * schema.tables[table].dim;
    let mut tables: Vec<usize> = (0..schema.tables.len()).collect();
    let affordable = tables.iter().map(|table| numbers(*table)).sum::<usize>() / SHARE;
    tables.sort_by_key(|table| (numbers(*table), *table));
    let mut sum = 0;
    let is_small = |table: &usize| {
        sum += numbers(*table);
        sum <= affordable
    };
    tables.into_iter().take_while(is_small).collect()
}

/// The forms that a table may take where `asked` is asked for all, the narrowest first.
#[must_use]
pub const fn forms(asked: Embedding) -> &'static [Embedding] {
    match asked {
        Embedding::Int4 => &[Embedding::Int4, Embedding::Int8, Embedding::F16],
        Embedding::Int8 => &[Embedding::Int8, Embedding::F16],
        Embedding::F16 => &[Embedding::F16],
        Embedding::F32 => &[Embedding::F32],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{TableSpec, Vocabulary};

    #[test]
    fn small_tables_hold_a_sixteenth_together() {
        let table = |dim, count| TableSpec {
            name: String::new(),
            dim,
            vocabulary: Vocabulary::Dense { first: 0, first_row: 0, count },
        };
        let schema = |tables| Schema { tables, ..Schema::default() };
        assert_eq!(small_tables(&schema(vec![table(8, 50), table(8, 1000), table(4, 6)])), [2, 0]);
        // 65 of 1040 numbers are a sixteenth, 66 of 1041 are more.
        assert_eq!(small_tables(&schema(vec![table(1, 65), table(1, 975)])), [0]);
        assert_eq!(small_tables(&schema(vec![table(1, 66), table(1, 975)])), [0_usize; 0]);
        assert_eq!(small_tables(&schema(vec![table(1, 40), table(1, 40), table(1, 960)])), [0]);
        assert_eq!(small_tables(&schema(vec![table(8, 100)])), [0_usize; 0]);
    }
}
