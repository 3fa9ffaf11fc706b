//! Ids met in a stream: numbered as they come, counted, given their rows when all have come.
//!
//! The counterpart of [`vocabulary`](crate::data::vocabulary) for data that are not in memory: an id is kept as an integer or
//! as the hash of its text, never as the text. It gives the same vocabularies.

use crate::data::coded::RawValue;
use crate::data::error::{DataError, Location};
use crate::data::vocabulary::{from_keys, integer};
use crate::job::{IdKind, TableConfig};
use crate::schema::Vocabulary;
use din_core::hash_text;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use twox_hash::XxHash3_64;

/// The ids of one table, or the users.
#[derive(Debug)]
pub struct Ids {
    name: String,
    kind: IdKind,
    integers: HashMap<u64, u32, BuildHasherDefault<Mix>>,
    /// By the hash that a blob knows texts by: the code, and a second hash that tells two texts of one hash apart.
    texts: HashMap<u64, (u32, u32), BuildHasherDefault<Mix>>,
    /// By code.
    keys: Vec<u64>,
    /// By code: whether the key is the hash of a text.
    is_text: Vec<bool>,
    /// Texts that have the hash of another one: the code, and where it was met.
    collisions: Vec<(u32, String, Location)>,
}

/// Mixes an integer key: the finaliser of MurmurHash3. Ids are not chosen by an adversary who would gain by slow look-ups.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, value: u64) {
        let x = self.0 ^ value;
        let x = (x ^ x >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let x = (x ^ x >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        self.0 = x ^ x >> 33;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Ids {
    /// No ids yet.
    #[must_use]
    pub fn new(name: &str, kind: IdKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            integers: HashMap::default(),
            texts: HashMap::default(),
            keys: Vec::new(),
            is_text: Vec::new(),
            collisions: Vec::new(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The number of an id, a new one if it is new.
    ///
    /// # Errors
    /// `Value` if the ids must be integers and this is none.
    pub fn code(&mut self, value: &RawValue<'_>) -> Result<u32, DataError> {
        let next = self.keys.len() as u32;
        if let Some(integer) = integer(value.text) {
            let code = *self.integers.entry(integer).or_insert(next);
            if code == next {
                self.keys.push(integer);
                self.is_text.push(false);
            }
            return Ok(code);
        }
        if self.kind == IdKind::Integer {
            return Err(DataError::Value {
                at: value.location(),
                found: value.text.to_owned(),
                place: format!("is an id of table `{}`", self.name),
                expected: "a whole number without sign or leading zeros; or set the table's `ids` to \"text\"",
            });
        }
        let hash = hash_text(value.text);
        let (code, check) = *self.texts.entry(hash).or_insert((next, second_hash(value.text)));
        if code == next {
            self.keys.push(hash);
            self.is_text.push(true);
        } else if check != second_hash(value.text) && self.collisions.iter().all(|own| own.1 != value.text) {
            self.collisions.push((code, value.text.to_owned(), value.location()));
        }
        Ok(code)
    }

    /// The number of an id that was met.
    #[must_use]
    pub fn known(&self, text: &str) -> Option<u32> {
        let text = text.trim();
        match integer(text) {
            Some(integer) => self.integers.get(&integer).copied(),
            None => self.texts.get(&hash_text(text)).map(|own| own.0),
        }
    }

    /// The vocabulary of the ids that at least `min_count` training samples contain, at least one in any case, and the final
    /// row of each provisional one. `counts` holds the training samples that contain each provisional row: code + 1.
    ///
    /// # Errors
    /// `HashCollision` for two texts of the training split with the same hash.
    pub fn finish(&self, config: &TableConfig, counts: &[u32]) -> Result<(Vocabulary, Vec<u32>), DataError> {
        let counts = &counts[1..];
        let trained_text = || self.is_text.iter().zip(counts).any(|(&is_text, &count)| is_text && count > 0);
        let as_texts = self.kind == IdKind::Text || self.kind == IdKind::Auto && trained_text();
        if as_texts && let Some((_, id, at)) = self.collisions.iter().find(|own| counts[own.0 as usize] > 0) {
            return Err(DataError::HashCollision {
                at: at.clone(),
                id: id.clone(),
                other: "one met before it".to_owned(),
                table: self.name.clone(),
            });
        }
        let key = |(&key, &is_text): (&u64, &bool)| match (as_texts, is_text) {
            (true, true) | (false, false) => Some(key),
            // Only canonical integers are kept as such, so this is the text.
            (true, false) => Some(hash_text(&key.to_string())),
            (false, true) => None,
        };
        let least = config.min_count.max(1);
        let all = || self.keys.iter().zip(&self.is_text).map(key);
        let chosen = all().zip(counts).filter(|&(_, &count)| count >= least).filter_map(|(key, _)| key);
        let vocabulary = from_keys(chosen.collect(), !as_texts);
        let rows = all().map(|key| key.map_or(0, |key| vocabulary.row(key)));
        let rows = std::iter::once(0).chain(rows).collect();
        Ok((vocabulary, rows))
    }
}

fn second_hash(text: &str) -> u32 {
    XxHash3_64::oneshot(text.as_bytes()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::frame::{Frame, Requests};
    use crate::job::OneOrMany;

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
        let clean =
            |error: DataError| error.to_string().replace(&format!("{}/", directory.path().display()), "");
        let mut table = Ids::new("item", kind);
        for (row, id) in ids.iter().enumerate() {
            table.code(&RawValue::new(id, &frame, row)).map_err(clean)?;
        }
        let counts: Vec<u32> = std::iter::once(0).chain(counts.iter().copied()).collect();
        table.finish(&TableConfig { dim: 1, min_count, ids: kind }, &counts).map_err(clean)
    }

    #[test]
    fn vocabularies_are_those_of_data_in_memory() {
        let (vocabulary, rows) = finish(&["12", "10", "11"], &[1, 1, 1], 1, IdKind::Auto).unwrap();
        assert_eq!(vocabulary, Vocabulary::Dense { first: 10, first_row: 1, count: 3 });
        assert_eq!(rows, [0, 3, 1, 2]);
        let (vocabulary, rows) = finish(&["5", "6", "7", "9"], &[3, 1, 0, 2], 2, IdKind::Auto).unwrap();
        assert_eq!((vocabulary, rows), (Vocabulary::Keys(vec![5, 9]), vec![0, 1, 0, 0, 2]));
        // A text of the training split decides, one outside does not.
        let (vocabulary, _) = finish(&["5", "x5"], &[2, 1], 2, IdKind::Auto).unwrap();
        assert_eq!(vocabulary, Vocabulary::HashedText(vec![hash_text("5")]));
        let (vocabulary, rows) = finish(&["5", "x5", "6"], &[1, 0, 1], 1, IdKind::Auto).unwrap();
        assert_eq!((vocabulary.rows(), rows), (3, vec![0, 1, 0, 2]));
        let error = finish(&["5", "x5"], &[1, 1], 1, IdKind::Integer).unwrap_err();
        assert!(error.starts_with("ids.csv, row 2: `x5` is an id of table `item`"), "{error}");
    }

    #[test]
    fn trained_texts_of_the_same_hash_are_refused() {
        let colliding = ["8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ"];
        let error = finish(&colliding, &[1], 1, IdKind::Auto).unwrap_err();
        assert!(error.starts_with("ids.csv, row 2: ids `GReLUrM4wMqfg9yzV3KQ` and "), "{error}");
    }
}
