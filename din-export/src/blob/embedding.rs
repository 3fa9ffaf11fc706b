//! Which form each embedding table takes in the blob.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

/// The form in which embedding rows are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Embedding {
    /// Four bytes a number, exact.
    #[default]
    F32,
    /// Two bytes a number, 11 significant bits.
    F16,
    /// One byte a number and a scale for each row.
    Int8,
    /// Half a byte a number and a scale for each row.
    Int4,
}

impl Embedding {
    /// From the largest to the smallest.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Int8, Self::Int4];

    /// As jobs and the command line write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }
}

impl FromStr for Embedding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|embedding| embedding.name() == text);
        found.ok_or_else(|| {
            format!("`{text}` is no form of embedding rows; there are f32, f16, int8 and int4")
        })
    }
}

/// The form of every table: one for all, and exceptions by the table's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Embeddings {
    /// Of the tables that are not named.
    pub default: Embedding,
    /// Of a table by its name.
    pub tables: BTreeMap<String, Embedding>,
    /// Whether small tables that are not named may be stored wider than `default`, by the rule of
    /// [`widening`](super::widening).
    pub widen: bool,
}

/// One form for all, small tables excepted where that costs accuracy.
impl From<Embedding> for Embeddings {
    fn from(default: Embedding) -> Self {
        Self { widen: true, ..Self::exactly(default) }
    }
}

impl Embeddings {
    /// One form for all without exception.
    #[must_use]
    pub const fn exactly(default: Embedding) -> Self {
        Self { default, tables: BTreeMap::new(), widen: false }
    }

    /// What is asked for the table with this name.
    #[must_use]
    pub fn of(&self, table: &str) -> Embedding {
        self.tables.get(table).copied().unwrap_or(self.default)
    }

    /// `int8`, or `int8, item int4`.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = self.default.name().to_owned();
        for (table, embedding) in &self.tables {
            text += &format!(", {table} {}", embedding.name());
        }
        text
    }
}
