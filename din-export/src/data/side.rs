//! Tables that are looked up by a key.

use super::coded::RawValue;
use super::error::DataError;
use super::frame::Frame;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A side table: a frame and its rows by key.
#[derive(Clone, Debug)]
pub struct SideTable<'a> {
    frame: &'a Frame,
    rows: HashMap<&'a str, usize>,
}

impl<'a> SideTable<'a> {
    /// Indexes a frame by its key column.
    ///
    /// # Errors
    /// `DuplicateKey`.
    pub fn new(frame: &'a Frame, key: &str) -> Result<Self, DataError> {
        let mut rows = HashMap::with_capacity(frame.rows());
        for (row, text) in frame.column(key).iter().enumerate() {
            let text = text.trim();
            match rows.entry(text) {
                Entry::Vacant(entry) => {
                    entry.insert(row);
                }
                Entry::Occupied(entry) => {
                    return Err(DataError::DuplicateKey {
                        at: frame.location(row),
                        column: key.to_owned(),
                        key: text.to_owned(),
                        first: frame.location(*entry.get()).row,
                    });
                }
            }
        }
        Ok(Self { frame, rows })
    }

    /// The row of a key, white space around it aside.
    #[must_use]
    pub fn row(&self, key: &str) -> Option<usize> {
        self.rows.get(key.trim()).copied()
    }

    /// The cell of a key's row.
    #[must_use]
    pub fn value(&self, key: &str, column: &str) -> Option<RawValue<'a>> {
        let row = self.row(key)?;
        Some(RawValue::new(self.frame.column(column).get(row), self.frame, row))
    }

    /// The rows.
    #[must_use]
    pub fn frame(&self) -> &'a Frame {
        self.frame
    }
}
