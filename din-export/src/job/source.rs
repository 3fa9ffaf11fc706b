//! `[data]` and `[side.*]`: files and the columns that every job needs.

use serde::{Deserialize, Serialize};

/// One name or a list of names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub enum OneOrMany {
    /// `"a"`
    One(String),
    /// `["a", "b"]`
    Many(Vec<String>),
}

impl OneOrMany {
    /// The names, in the order given.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }

    /// Whether `name` is among them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.as_slice().iter().any(|own| own == name)
    }
}

/// What one step of a time column means; durations such as `"1d"` need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum TimeUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
}

impl TimeUnit {
    /// Steps in a second.
    #[must_use]
    pub fn per_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
        }
    }
}

/// `[data]`: the samples.
///
/// A file's format follows from its name: `.csv` (UTF-8, comma, a header line; gzipped or not, which its
/// first bytes tell) or `.parquet`. Wherever files are named, a folder stands for its data files and `*` and `?` in the last
/// part of a path for those that match, in the order of their names: `samples = "log/day-*.parquet"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Where the files are, relative to the job file; its own directory when absent.
    #[serde(default)]
    pub directory: Option<String>,
    /// The file, or files with the same columns, that hold one sample a row.
    pub samples: OneOrMany,
    /// The column that is 1 for a positive and 0 for a negative sample; absent with `[negatives]`.
    #[serde(default)]
    pub label: Option<String>,
    /// The column with the user that a sample belongs to.
    pub user: String,
    /// The column with an integer that grows with time: a timestamp, or a position in the user's log.
    #[serde(default)]
    pub time: Option<String>,
    /// What one step of `time` means; needed where the job states a duration.
    #[serde(default)]
    pub time_unit: Option<TimeUnit>,
    /// `[data.stream]`: read the samples from disk while training, instead of holding them in memory.
    #[serde(default)]
    pub stream: Option<StreamConfig>,
}

/// `[data.stream]`: for data that are larger than the memory.
///
/// The first run codes the samples into a cache on disk, which later epochs and runs read. An epoch takes the cache's
/// blocks of [`BLOCK`](crate::data::cache::BLOCK) samples in random order, `window` samples at a time, shuffles those and
/// cuts them into batches, while the next window is read. Memory holds two windows, the embedding tables and what the optimiser
/// keeps of them, whatever the data's size; side tables and, for each id and each user, about 40 bytes while the cache is
/// made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamConfig {
    /// Samples that are shuffled together: the larger, the closer to a shuffle of all. Default 262144.
    pub window: usize,
    /// Folder of the cache, relative to the data's; `.din-cache` when absent. What the cache was made of (names, sizes and
    /// times of the files, and what the job says of the data) is part of its name: a change of those makes a new one, and older
    /// ones stay until somebody removes them.
    pub cache: Option<String>,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self { window: 1 << 18, cache: None }
    }
}

/// `[side.NAME]`: a table that is looked up by a key: what is known of each item, or of each user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SideConfig {
    /// The file, or files with the same columns.
    pub file: OneOrMany,
    /// The column that identifies a row; a key that appears twice is an error.
    pub key: String,
}
