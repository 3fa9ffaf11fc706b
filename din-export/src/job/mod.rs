//! The job file: one TOML file that says what the data are, what the model reads and how it is trained.
//!
//! | part | holds |
//! |---|---|
//! | [`file`](mod@file) | [`Job`], its sections and how it is loaded |
//! | [`source`] | `[data]` and `[side.*]`: files and the columns that every job needs |
//! | [`field`] | `[tables.*]`, `[[profile]]`, `[[context]]`, `[[candidate]]`: embedding tables and fields |
//! | [`sequence`] | `[[sequence]]`: behaviour sequences and where they come from |
//! | [`split`] | `[split]` and `[negatives]` |
//! | [`export`] | `[export]` |
//! | [`tune`], [`compare`] | `[tune]` and `[compare]`: ranges and variants of the job |
//! | [`change`] | a job with some keys changed: what a trial or a variant is |
//! | [`validation`] | what serde cannot check: names that refer to names |
//! | [`error`] | every way in which a job file is refused |
//!
//! A key that no section knows is an error, never ignored: a misspelt `capcity` would otherwise train
//! something else than what was asked.

pub mod change;
pub mod compare;
pub mod error;
pub mod export;
pub mod field;
pub mod file;
pub mod nearest;
pub mod sequence;
pub mod source;
pub mod split;
pub mod tune;
pub mod validation;

pub use compare::{CompareConfig, VariantConfig};
pub use error::JobError;
pub use export::ExportConfig;
pub use field::{FieldConfig, IdKind, NumericConfig, Pair, TableConfig, TransformKind};
pub use file::Job;
pub use sequence::{Condition, SequenceConfig, SourceConfig};
pub use source::{DataConfig, OneOrMany, SideConfig, StreamConfig, TimeUnit};
pub use split::{Duration, NegativesConfig, SplitConfig};
pub use tune::TuneConfig;

/// The job that ships, without what it searches and compares, and with more sections.
#[cfg(test)]
pub(crate) fn shipped_with(more: &str) -> Job {
    let shipped = include_str!("../../../examples/kuairand/job.toml");
    let own = shipped.split_once("\n[tune]").map_or(shipped, |(own, _)| own);
    Job::from_toml(&format!("{own}\n{more}"), std::path::Path::new("job.toml")).unwrap()
}
