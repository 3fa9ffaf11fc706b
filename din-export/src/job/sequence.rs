//! `[[sequence]]`: behaviour sequences and where they come from.

use super::error::JobError;
use super::field::{FieldConfig, Pair};
use super::file::Job;
use super::source::OneOrMany;
use din_core::manifest::{MAX_CAPACITY, MAX_WIDTH};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `[[sequence]]`: one history of each sample, oldest behaviour first.
///
/// It is the concatenation of its sources; the oldest behaviours beyond `capacity` are dropped.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceConfig {
    /// Unique among the sequences.
    pub name: String,
    /// The most behaviours that are used.
    pub capacity: usize,
    /// `[[sequence.field]]`: what a behaviour consists of.
    #[serde(rename = "field")]
    pub fields: Vec<FieldConfig>,
    /// `[[sequence.source]]`: where behaviours come from, in order of time: either `list`s alone, or any number of
    /// `user_list`s followed by at most one `log`.
    #[serde(rename = "source")]
    pub sources: Vec<SourceConfig>,
}

/// `[[sequence.source]]`.
///
/// The fields of a behaviour read columns by name; `columns` says which column of this source is meant where the
/// names differ, as in `columns = {video_id = "exposed"}`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceConfig {
    /// List columns of the samples: each sample brings its own history.
    List {
        /// Field column to list column; several lists of a sample are of the same length.
        #[serde(default)]
        columns: BTreeMap<String, String>,
        /// Between the elements of a list; a space when absent.
        #[serde(default = "space")]
        separator: String,
    },
    /// List columns of a side table with one row for each user: what is known from before the log begins.
    UserList {
        /// The side table, keyed by user.
        side: String,
        /// Field column to list column; several lists of a user are of the same length.
        #[serde(default)]
        columns: BTreeMap<String, String>,
        /// Between the elements of a list; a space when absent.
        #[serde(default = "space")]
        separator: String,
    },
    /// The user's rows of a log whose time is strictly before the sample's. Rows with the sample's own time do not
    /// count; rows with equal times keep their order in the file.
    Log {
        /// The file, or files with the same columns; the samples when absent.
        #[serde(default)]
        file: Option<OneOrMany>,
        /// The log's user column; called as in `[data]` when absent.
        #[serde(default)]
        user: Option<String>,
        /// The log's time column, in the same unit as the samples'; called as in `[data]` when absent.
        #[serde(default)]
        time: Option<String>,
        /// Field column to log column.
        #[serde(default)]
        columns: BTreeMap<String, String>,
        /// Keeps only some rows of the log.
        #[serde(default, rename = "where")]
        condition: Option<Condition>,
    },
}

/// serde takes defaults as functions.
fn space() -> String {
    " ".into()
}

impl SourceConfig {
    /// Field column to column of this source.
    #[must_use]
    pub fn columns(&self) -> &BTreeMap<String, String> {
        match self {
            Self::List { columns, .. } | Self::UserList { columns, .. } | Self::Log { columns, .. } => {
                columns
            }
        }
    }

    /// The column of this source that a field's column stands for.
    #[must_use]
    pub fn column<'a>(&'a self, field_column: &'a str) -> &'a str {
        self.columns().get(field_column).map_or(field_column, String::as_str)
    }
}

/// `where = {...}`: which rows of a log count.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The column that is looked at.
    pub column: String,
    /// The texts that are accepted.
    #[serde(default)]
    pub equals: Option<OneOrMany>,
    /// The smallest number that is accepted.
    #[serde(default)]
    pub at_least: Option<f64>,
}

impl Job {
    /// What serde cannot check of a sequence.
    pub(super) fn validate_sequence(&self, sequence: &SequenceConfig) -> Result<(), JobError> {
        let key = format!("sequence.{}", sequence.name);
        if sequence.capacity == 0 {
            return self.refuse(format!("{key}.capacity"), "is 0; remove the sequence instead");
        }
        let capacity = sequence.capacity;
        self.at_most(&format!("{key}.capacity"), "behaviours", capacity, MAX_CAPACITY as usize)?;
        if sequence.fields.is_empty() || sequence.sources.is_empty() {
            return self.refuse(key, "needs at least one [[sequence.field]] and one [[sequence.source]]");
        }
        self.validate_fields(&key, &sequence.fields)?;
        let width = sequence.fields.iter().map(|field| self.width(field)).sum();
        self.at_most(&format!("{key}.field"), "numbers in a behaviour", width, MAX_WIDTH as usize)?;
        for field in &sequence.fields {
            self.validate_pair(&key, field)?;
        }
        self.validate_sources(&key, sequence)
    }

    fn validate_pair(&self, key: &str, field: &FieldConfig) -> Result<(), JobError> {
        let key = format!("{key}.{}.pair", field.name);
        match &field.pair {
            Some(Pair::Off(true)) => {
                return self.refuse(key, "is true; write the name of a candidate field, or false");
            }
            Some(Pair::With(name)) => {
                let names = self.candidate.iter().map(|candidate| &candidate.name);
                self.known(key.clone(), "a candidate field", name, names)?;
            }
            _ => {}
        }
        let Some(index) = field.paired_with(&self.candidate) else { return Ok(()) };
        let candidate = &self.candidate[index];
        if candidate.table.is_some() != field.table.is_some() || self.width(candidate) != self.width(field) {
            let problem = format!(
                "compares {} numbers with the {} of candidate field `{}`; they must be of the same kind and width",
                self.width(field),
                self.width(candidate),
                candidate.name
            );
            return self.refuse(key, &problem);
        }
        Ok(())
    }

    fn validate_sources(&self, key: &str, sequence: &SequenceConfig) -> Result<(), JobError> {
        let key = format!("{key}.source");
        let lists =
            sequence.sources.iter().filter(|source| matches!(source, SourceConfig::List { .. })).count();
        if lists > 0 && lists < sequence.sources.len() {
            return self
                .refuse(key, "mixes `list` with other kinds; a list already is the sample's whole history");
        }
        let earlier = &sequence.sources[..sequence.sources.len() - 1];
        if earlier.iter().any(|source| matches!(source, SourceConfig::Log { .. })) {
            return self.refuse(key, "has something after a `log`; put the one log last");
        }
        let read: BTreeSet<String> =
            sequence.fields.iter().map(|field| self.sample_column(field).to_owned()).collect();
        for source in &sequence.sources {
            for column in source.columns().keys() {
                self.known(format!("{key}.columns"), "a field's column", column, read.iter())?;
            }
            match source {
                SourceConfig::List { separator, .. } | SourceConfig::UserList { separator, .. }
                    if separator.is_empty() =>
                {
                    return self.refuse(format!("{key}.separator"), "is empty");
                }
                SourceConfig::UserList { side, .. } => {
                    self.known(format!("{key}.side"), "a side table", side, self.side.keys())?;
                }
                SourceConfig::Log { condition, .. } => {
                    self.time_for(&format!("{key}.kind = \"log\""))?;
                    if let Some(Condition { equals: None, at_least: None, .. }) = condition {
                        return self.refuse(format!("{key}.where"), "needs `equals` or `at_least`");
                    }
                }
                SourceConfig::List { .. } => {}
            }
        }
        Ok(())
    }
}
