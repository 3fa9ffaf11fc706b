//! Variants of a job, trained with several seeds each and held against one of them.
//!
//! | part | does |
//! |---|---|
//! | [`run`](mod@run) | trains one variant with one seed and measures its blob |
//! | [`table`] | means and standard errors, as Markdown |
//! | [`curves`] | train and test by epoch, as a table and a picture |
//!
//! Epochs are chosen on the validation split, by each job's `training.select_on`. What the table reports is measured by
//! din-core on the blob that ships; curves are of the network in training.

pub mod curves;
pub mod run;
pub mod table;

pub use run::{CompareError, Comparison, Measured, Run, RunResult, Variant};
pub use table::Table;
