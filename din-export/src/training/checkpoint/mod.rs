//! A run on disk, from which it continues to the very same weights.
//!
//! | part | what |
//! |---|---|
//! | [`error`] | why a run cannot be saved or resumed |
//! | `file` | the bytes of a checkpoint, with a hash that tells a torn one |
//! | [`identity`] | what is trained on what |
//! | [`folder`] | the newest two checkpoints, and the weights of the best epoch |
//!
//! A checkpoint holds every number that a step changes: weights, moments of the optimiser, moving statistics; how far the
//! random numbers of dropout are; the epoch, the step in it, and the figures of the epochs before. What follows from the
//! job and the data is not in it: the order of an epoch's samples (a function of seed and epoch), the counts of the
//! regulariser. It is written beside and renamed, so a killed process leaves the older ones whole.

pub mod error;
mod file;
pub mod folder;
pub mod identity;

pub use error::CheckpointError;
pub use folder::{BestEpoch, Folder, RunState};
pub use identity::Identity;
