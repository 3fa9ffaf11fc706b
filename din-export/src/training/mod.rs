//! Training from scratch on CPU.
//!
//! [`train`] runs whole epochs with early stopping on the validation split; [`Trainer`] is one step of it, for those who
//! want to look closer. A step costs what its batch touches, not what the vocabularies hold.

pub mod epochs;
pub mod error;
pub mod evaluation;
pub mod optimizer;
pub mod regularization;
pub mod trainer;

pub use epochs::{EpochReport, Event, Trained, train};
pub use error::TrainingError;
pub use evaluation::{evaluate, predict};
pub use trainer::Trainer;
