//! `[[sequence]]`: behaviour sequences and where they come from.

use super::field::FieldConfig;
use super::source::OneOrMany;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
