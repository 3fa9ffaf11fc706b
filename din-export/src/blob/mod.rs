//! From trained weights to a blob.
//!
//! [`fold`](mod@fold) removes what inference does not need (batch norm, Dice's statistics, the redundant parts of the
//! first layer), [`quantize`] packs embedding rows, [`writer`] lays everything out.

pub mod fold;
pub mod quantize;
pub mod writer;

pub use quantize::Embedding;
pub use writer::{ExportError, ExportOptions, attach_signature, write};
