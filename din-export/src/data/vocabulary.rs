//! Raw ids to rows of a table, from the training split alone.

use super::coded::{Coded, Interner, RawValue};
use super::error::DataError;
use crate::job::{IdKind, TableConfig};
use crate::schema::Vocabulary;
use din_core::hash_text;

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

    /// The vocabulary of the ids that at least `min_count` training samples (and at least one) contain, and the final
    /// row of each provisional one. `counts` holds these samples for each provisional row.
    ///
    /// Rows ascend with the ids, so that they do not depend on the order of the samples. Integer ids without holes
    /// become `Dense`. Two texts of the same 64-bit hash would share a row.
    ///
    /// # Errors
    /// `Value` if the table's ids must be integers and one is not.
    pub fn finish(&self, counts: &[u32]) -> Result<(Vocabulary, Vec<u32>), DataError> {
        let integers = self.are_integers()?;
        let key = |value: &RawValue<'_>| match integer(value.text) {
            Some(id) if integers => id,
            _ => hash_text(value.text),
        };
        let all: Vec<u64> = self.ids.distinct().iter().map(key).collect();
        let least = self.config.min_count.max(1);
        let frequent = all.iter().zip(&counts[1..]).filter(|&(_, &count)| count >= least);
        let mut keys: Vec<u64> = frequent.map(|(&key, _)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        let vocabulary = match (keys.first(), keys.last()) {
            (Some(&first), Some(&last)) if integers && last - first == keys.len() as u64 - 1 => {
                Vocabulary::Dense { first, first_row: 1, count: keys.len() as u32 }
            }
            _ if integers => Vocabulary::Keys(keys),
            _ => Vocabulary::HashedText(keys),
        };
        let rows = std::iter::once(0).chain(all.iter().map(|&key| vocabulary.row(key))).collect();
        Ok((vocabulary, rows))
    }

    /// Whether ids are integers, as the job says or, if it leaves that open, as they all are.
    fn are_integers(&self) -> Result<bool, DataError> {
        let other = self.ids.distinct().iter().find(|value| integer(value.text).is_none());
        match (self.config.ids, other) {
            (IdKind::Text, _) | (IdKind::Auto, Some(_)) => Ok(false),
            (IdKind::Auto | IdKind::Integer, None) => Ok(true),
            (IdKind::Integer, Some(value)) => Err(DataError::Value {
                at: value.location(),
                found: value.text.to_owned(),
                place: format!("is an id of table `{}`", self.name),
                expected: "a whole number without sign or leading zeros; or set the table's `ids` to \"text\"",
            }),
        }
    }
}

/// The integer that a text is the canonical form of.
fn integer(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical)
}

#[cfg(test)]
mod tests {
    use super::super::coded::{Coded, RawValue};
    use super::super::frame::{Frame, Requests};
    use super::TableIds;
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
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ids.csv"), format!("id\n{}\n", ids.join("\n"))).unwrap();
        let mut requests = Requests::default();
        requests.add("id", "id");
        let frame = Frame::read(directory.path(), &OneOrMany::One("ids.csv".into()), "x", &requests).unwrap();
        let config = TableConfig { dim: 1, min_count, ids: kind };
        let mut table = TableIds::new("item", &config);
        let mut column = Coded::default();
        for (row, id) in ids.iter().enumerate() {
            column.push(RawValue::new(id, &frame, row));
        }
        let provisional = table.provisional_rows(&column);
        let counts: Vec<u32> = std::iter::once(0).chain(counts.iter().copied()).collect();
        let (vocabulary, rows) = table
            .finish(&counts)
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
}
