//! Every way in which data are refused.

use crate::job::nearest::Suggestion;
use std::fmt;
use std::path::{Path, PathBuf};

/// A row of a file; displays as `samples.csv, row 3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// Data rows count from 1: the header is not one.
    pub row: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, row {}", self.file.display(), self.row)
    }
}

/// Why the data of a job cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file is missing or cannot be read.
    #[error("{}: cannot read the file that `{key}` names: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The job's key that names it.
        key: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The cache cannot be written or read: the disk is full, or the folder is not ours.
    #[error("{}: cannot write or read the cache of the data: {source}", file.display())]
    Cache {
        /// The file or folder.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The cache is not what was written.
    #[error("{}: the cache of the data is damaged; remove its folder, and it is made anew", file.display())]
    CacheDamaged {
        /// The file.
        file: PathBuf,
    },
    /// A folder has no data files, or none that match a pattern.
    #[error("{}: no file matches what `{key}` names", folder.display())]
    NoFiles {
        /// The folder.
        folder: PathBuf,
        /// The job's key that names the files.
        key: String,
    },
    /// A file's name says nothing that can be read.
    #[error("{}: unknown format; expected a name that ends in .csv, .csv.gz or .parquet", file.display())]
    UnknownFormat {
        /// The file.
        file: PathBuf,
    },
    /// A file is not what its name says.
    #[error("{}{}: {problem}", file.display(), line.map_or_else(String::new, |line| format!(", line {line}")))]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Line of a text file, the header being 1, when known.
        line: Option<u64>,
        /// What was found and what was expected.
        problem: String,
    },
    /// A file has no rows.
    #[error("{}: the file has no rows; expected a header and at least one row", file.display())]
    NoRows {
        /// The file.
        file: PathBuf,
    },
    /// A column that the job names is not in its file.
    #[error("{}: no column `{column}`, which `{key}` names{suggestion}", file.display())]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// What the job says.
        column: String,
        /// The job's key that says it.
        key: String,
        /// What could be written instead.
        suggestion: Suggestion,
    },
    /// A label is neither 0 nor 1.
    #[error("{at}: label `{found}` in column `{column}`; expected 0 or 1")]
    Label {
        /// Where.
        at: Location,
        /// The column.
        column: String,
        /// What was found.
        found: String,
    },
    /// A value is not of the kind that the job says.
    #[error("{at}: `{found}` {place}; expected {expected}")]
    Value {
        /// Where.
        at: Location,
        /// What was found.
        found: String,
        /// The column, or what the value is for.
        place: String,
        /// What was expected, and what to do.
        expected: &'static str,
    },
    /// A side table has two rows for a key.
    #[error(
        "{at}: key `{key}` in column `{column}` is already in row {first}; expected one row for each key"
    )]
    DuplicateKey {
        /// The second row.
        at: Location,
        /// The key's column.
        column: String,
        /// The key.
        key: String,
        /// The first row.
        first: usize,
    },
    /// Two text ids of the training split have the same hash, so that a model cannot tell them apart.
    #[error(
        "{at}: ids `{id}` and `{other}` of table `{table}` have the same 64-bit hash; rename one of them"
    )]
    HashCollision {
        /// Where the second was first seen.
        at: Location,
        /// The second.
        id: String,
        /// The first.
        other: String,
        /// The table of both.
        table: String,
    },
    /// Aligned lists of one row differ in length.
    #[error("{at}: {found} elements in column `{column}`, {expected} in `{other}`; expected as many")]
    ListLengths {
        /// Where.
        at: Location,
        /// One column.
        column: String,
        /// Its elements.
        found: usize,
        /// The first column.
        other: String,
        /// Its elements.
        expected: usize,
    },
    /// The split column holds a value that the job does not list.
    #[error(
        "{at}: `{found}` in column `{column}` is in no split{suggestion}; list it in `split.ignore` to leave it out"
    )]
    UnknownSplit {
        /// Where.
        at: Location,
        /// The split column.
        column: String,
        /// What was found.
        found: String,
        /// The values that the job lists.
        suggestion: Suggestion,
    },
    /// A split has no samples.
    #[error("{}: the {split} split is empty; change [split] or the data so that it has samples", file.display())]
    EmptySplit {
        /// The job file.
        file: PathBuf,
        /// `train`, `valid` or `test`.
        split: &'static str,
    },
    /// No user has enough interactions.
    #[error("{}: no user has {least} interactions; lower `negatives.min_interactions` or bring a longer log", file.display())]
    NoInteractions {
        /// The log.
        file: PathBuf,
        /// `negatives.min_interactions`.
        least: usize,
    },
    /// A user has interacted with every item.
    #[error("{}: user `{user}` interacted with all {items} items, so that there is no negative to draw; \
             leave the user out", file.display())]
    NoNegative {
        /// The log.
        file: PathBuf,
        /// The user.
        user: String,
        /// How many items there are.
        items: usize,
    },
    /// More entries than 32 bits can count.
    #[error("{}: `{what}` has more than 2^32 entries; use less data", file.display())]
    TooMany {
        /// The job file.
        file: PathBuf,
        /// What there is too much of.
        what: String,
    },
}

impl DataError {
    /// The system's refusal of a file of the cache.
    pub(crate) fn cache(file: &Path, source: std::io::Error) -> Self {
        Self::Cache { file: file.to_owned(), source }
    }
}
