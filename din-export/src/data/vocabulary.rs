//! Raw ids to rows of a table.

use super::coded::{Coded, Interner, RawValue};
use super::error::DataError;
use crate::job::{IdKind, TableConfig};
use crate::schema::Vocabulary;
use din_core::hash_text;
use std::collections::HashMap;

/// Which ids get a row of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Those that at least `min_count` training samples (and at least one) contain. For training: nothing outside the
    /// training split has a say in the vocabulary.
    Trained,
    /// All, whatever their split and `min_count`. For evaluation: what is known is up to the model's own vocabulary.
    Every,
}

/// The ids of one table, as they are met.
///
/// Ids first get provisional rows, in the order in which they come. Once the training samples that contain each have
/// been counted, [`TableIds::finish`] gives the final rows.
#[derive(Clone, Debug)]
pub struct TableIds<'a> {
    name: &'a str,
    config: &'a TableConfig,
    ids: Interner<'a>,
}

impl<'a> TableIds<'a> {
    /// No ids yet.
    #[must_use]
    pub fn new(name: &'a str, config: &'a TableConfig) -> Self {
        Self { name, config, ids: Interner::default() }
    }

    /// The provisional rows of a column: 0 where the id is missing.
    pub fn provisional_rows(&mut self, column: &Coded<'a>) -> Vec<u32> {
        let row = |value: &RawValue<'a>| if value.text.is_empty() { 0 } else { self.ids.code(*value) + 1 };
        let rows: Vec<u32> = column.interner().distinct().iter().map(row).collect();
        column.codes().iter().map(|&code| rows[code as usize]).collect()
    }

    /// A stand-in with as many rows as there are provisional ones.
    #[must_use]
    pub fn provisional_vocabulary(&self) -> Vocabulary {
        Vocabulary::Dense { first: 0, first_row: 0, count: self.ids.distinct().len() as u32 + 1 }
    }

    /// The vocabulary of the ids that `rows` chooses, and the final row of each provisional one. `counts` holds the
    /// training samples that contain each provisional row.
    ///
    /// Rows ascend with the ids, so that they do not depend on the order of the samples. Integer ids without holes
    /// become `Dense`. Under integers, anything else outside the training split has row 0.
    ///
    /// # Errors
    /// `Value` if the table's ids must be integers and one is not. `HashCollision` for two texts of the training split
    /// with the same hash, which would share a row; with [`Rows::Every`] they may, as they do on a device.
    pub fn finish(&self, counts: &[u32], rows: Rows) -> Result<(Vocabulary, Vec<u32>), DataError> {
        let counts = &counts[1..];
        let integers = self.are_integers(counts, rows)?;
        if !integers && rows == Rows::Trained {
            self.refuse_collisions(counts)?;
        }
        let key = |value: &RawValue<'_>| {
            if integers { integer(value.text) } else { Some(hash_text(value.text)) }
        };
        let all: Vec<Option<u64>> = self.ids.distinct().iter().map(key).collect();
        let least = match rows {
            Rows::Trained => self.config.min_count.max(1),
            Rows::Every => 0,
        };
        let chosen = all.iter().zip(counts).filter(|&(_, &count)| count >= least);
        let vocabulary = from_keys(chosen.filter_map(|(&key, _)| key).collect(), integers);
        let row = |key: &Option<u64>| key.map_or(0, |key| vocabulary.row(key));
        let rows = std::iter::once(0).chain(all.iter().map(row)).collect();
        Ok((vocabulary, rows))
    }

    /// Whether ids are integers, as the job says or, if it leaves that open, as all of them are that have a say: those
    /// of the training split, or every one. `counts: [ids]`.
    fn are_integers(&self, counts: &[u32], rows: Rows) -> Result<bool, DataError> {
        let mut others =
            self.ids.distinct().iter().zip(counts).filter(|(value, _)| integer(value.text).is_none());
        match self.config.ids {
            IdKind::Text => Ok(false),
            IdKind::Auto => Ok(!others.any(|(_, &count)| count > 0 || rows == Rows::Every)),
            IdKind::Integer => match others.next() {
                None => Ok(true),
                Some((value, _)) => Err(DataError::Value {
                    at: value.location(),
                    found: value.text.to_owned(),
                    place: format!("is an id of table `{}`", self.name),
                    expected: "a whole number without sign or leading zeros; or set the table's `ids` to \"text\"",
                }),
            },
        }
    }

    /// Refuses two texts of the training split that have the same hash. `counts: [ids]`.
    fn refuse_collisions(&self, counts: &[u32]) -> Result<(), DataError> {
        let mut seen = HashMap::new();
        for (value, _) in self.ids.distinct().iter().zip(counts).filter(|&(_, &count)| count > 0) {
            if let Some(other) = seen.insert(hash_text(value.text), value) {
                return Err(DataError::HashCollision {
                    at: value.location(),
                    id: value.text.to_owned(),
                    other: other.text.to_owned(),
                    table: self.name.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// The vocabulary of integers, or of hashes of texts, in any order and with repeats.
pub(super) fn from_keys(mut keys: Vec<u64>, integers: bool) -> Vocabulary {
    keys.sort_unstable();
    keys.dedup();
    match (keys.first(), keys.last()) {
        (Some(&first), Some(&last)) if integers && last - first == keys.len() as u64 - 1 => {
            Vocabulary::Dense { first, first_row: 1, count: keys.len() as u32 }
        }
        _ if integers => Vocabulary::Keys(keys),
        _ => Vocabulary::HashedText(keys),
    }
}

/// The integer that a text is the canonical form of.
pub(super) fn integer(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical)
}

#[cfg(test)]
mod tests {
    use super::super::coded::{Coded, RawValue};
    use super::super::frame::{Frame, Requests};
    use super::{Rows, TableIds};
    use crate::job::{IdKind, OneOrMany, TableConfig};
    use crate::schema::Vocabulary;
    use din_core::hash_text;

    /// The vocabulary and the final rows of these ids, each contained in so many training samples.
    fn finish(
        ids: &[&str],
        counts: &[u32],
        min_count: u32,
        kind: IdKind,
    ) -> Result<(Vocabulary, Vec<u32>), String> {
        finish_with(ids, counts, &TableConfig { dim: 1, min_count, ids: kind }, Rows::Trained)
    }

    fn finish_with(
        ids: &[&str],
        counts: &[u32],
        config: &TableConfig,
        rows: Rows,
    ) -> Result<(Vocabulary, Vec<u32>), String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ids.csv"), format!("id\n{}\n", ids.join("\n"))).unwrap();
        let mut requests = Requests::default();
        requests.add("id", "id");
        let frame = Frame::read(directory.path(), &OneOrMany::One("ids.csv".into()), "x", &requests).unwrap();
        let mut table = TableIds::new("item", config);
        let mut column = Coded::default();
        for (row, id) in ids.iter().enumerate() {
            column.push(RawValue::new(id, &frame, row));
        }
        let provisional = table.provisional_rows(&column);
        let counts: Vec<u32> = std::iter::once(0).chain(counts.iter().copied()).collect();
        let (vocabulary, rows) = table
            .finish(&counts, rows)
            .map_err(|error| error.to_string().replace(&format!("{}/", directory.path().display()), ""))?;
        Ok((vocabulary, provisional.iter().map(|&row| rows[row as usize]).collect()))
    }

    #[test]
    fn integers_without_holes_are_dense_from_row_1() {
        let (vocabulary, rows) = finish(&["12", "10", "11"], &[1, 1, 1], 1, IdKind::Auto).unwrap();
        assert_eq!(vocabulary, Vocabulary::Dense { first: 10, first_row: 1, count: 3 });
        assert_eq!(rows, [3, 1, 2]);
    }

    #[test]
    fn rare_ids_and_ids_outside_training_share_row_0() {
        let (vocabulary, rows) = finish(&["5", "6", "7", "9"], &[3, 1, 0, 2], 2, IdKind::Auto).unwrap();
        assert_eq!(vocabulary, Vocabulary::Keys(vec![5, 9]));
        assert_eq!(rows, [1, 0, 0, 2]);
    }

    #[test]
    fn an_id_that_no_training_sample_contains_has_row_0_whatever_the_threshold() {
        let (vocabulary, rows) = finish(&["5", "6"], &[0, 1], 0, IdKind::Auto).unwrap();
        assert_eq!((vocabulary.rows(), rows), (2, vec![0, 1]));
    }

    #[test]
    fn texts_are_known_by_their_hash() {
        let (vocabulary, rows) = finish(&["b", "07"], &[1, 1], 1, IdKind::Auto).unwrap();
        let mut keys = vec![hash_text("b"), hash_text("07")];
        keys.sort_unstable();
        let expected: Vec<u32> = ["b", "07"].iter().map(|text| vocabulary.row(hash_text(text))).collect();
        assert_eq!(vocabulary, Vocabulary::HashedText(keys));
        assert_eq!(rows, expected);
        assert!(!rows.contains(&0));
    }

    #[test]
    fn a_text_among_integers_is_an_error_that_names_the_row() {
        let error = finish(&["5", "x5"], &[1, 1], 1, IdKind::Integer).unwrap_err();
        assert_eq!(
            error,
            "ids.csv, row 2: `x5` is an id of table `item`; expected a whole number without sign or leading zeros; \
             or set the table's `ids` to \"text\""
        );
    }

    #[test]
    fn texts_outside_training_do_not_decide_the_kind_and_have_row_0() {
        let (vocabulary, rows) = finish(&["5", "x5", "6", "07"], &[1, 0, 1, 0], 1, IdKind::Auto).unwrap();
        assert_eq!(vocabulary, Vocabulary::Dense { first: 5, first_row: 1, count: 2 });
        assert_eq!(rows, [1, 0, 2, 0]);
    }

    #[test]
    fn a_rare_text_of_training_decides_the_kind() {
        let (vocabulary, rows) = finish(&["5", "x5"], &[2, 1], 2, IdKind::Auto).unwrap();
        assert_eq!((vocabulary, rows), (Vocabulary::HashedText(vec![hash_text("5")]), vec![1, 0]));
    }

    #[test]
    fn every_id_has_a_row_that_gives_it_back() {
        let config = TableConfig { dim: 1, min_count: 9, ids: IdKind::Auto };
        let (vocabulary, rows) = finish_with(&["8", "5", "6"], &[0, 1, 2], &config, Rows::Every).unwrap();
        let keys: Vec<_> = rows.iter().map(|&row| vocabulary.key(row)).collect();
        assert_eq!(keys, [Some(8), Some(5), Some(6)]);
        let (vocabulary, rows) = finish_with(&["8", "x"], &[2, 0], &config, Rows::Every).unwrap();
        let keys: Vec<_> = rows.iter().map(|&row| vocabulary.key(row)).collect();
        assert_eq!(keys, [Some(hash_text("8")), Some(hash_text("x"))]);
    }

    #[test]
    fn white_space_around_an_id_is_no_part_of_it() {
        let (vocabulary, rows) = finish(&[" 5", "5", "6 ", " "], &[1, 1], 1, IdKind::Integer).unwrap();
        assert_eq!(vocabulary, Vocabulary::Dense { first: 5, first_row: 1, count: 2 });
        assert_eq!(rows, [1, 1, 2, 0]);
    }

    /// Two texts with the 64-bit FNV-1a hash 0x4eac0c95540867e4.
    const COLLIDING: [&str; 2] = ["8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ"];

    #[test]
    fn trained_texts_of_the_same_hash_are_an_error_that_names_both() {
        assert_eq!(COLLIDING.map(hash_text), [0x4eac_0c95_5408_67e4; 2]);
        let error = finish(&COLLIDING, &[2, 1], 2, IdKind::Auto).unwrap_err();
        assert_eq!(
            error,
            "ids.csv, row 2: ids `GReLUrM4wMqfg9yzV3KQ` and `8yn0iYCKYHlIj4-BwPqk` of table `item` have \
             the same 64-bit hash; rename one of them"
        );
    }

    #[test]
    fn texts_of_the_same_hash_outside_training_are_no_error() {
        assert_eq!(finish(&COLLIDING, &[1, 0], 1, IdKind::Auto).unwrap().1, [1, 1]);
    }
}
