//! Training from scratch on CPU.
//!
//! [`train`] runs whole epochs with early stopping on the validation split, [`run`] does so for a run that is saved and
//! resumed (see [`checkpoint`]); [`Trainer`] is one step of it, for those who
//! want to look closer. A step costs what its batch touches, not what the vocabularies hold.

pub mod checkpoint;
pub mod diagnosis;
pub mod epochs;
pub mod error;
pub mod evaluation;
pub mod memory;
pub mod optimizer;
pub mod regularization;
pub mod report;
pub mod source;
pub mod trainer;

pub use checkpoint::CheckpointError;
pub use epochs::{RunOptions, run, selection_figure, train};
pub use error::TrainingError;
pub use evaluation::{evaluate, predict};
pub use report::{EpochReport, Event, Outcome, Trained};
pub use source::Source;
pub use trainer::{Trainer, check_settings};
