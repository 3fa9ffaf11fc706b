//! From trained weights to a blob.
//!
//! | module | concept |
//! |---|---|
//! | [`fold`](mod@fold) | what inference does not need removed: batch norm, Dice's statistics, redundant parts of the first layer |
//! | [`embedding`], [`half`], [`rows`] | the form of each embedding table; rows packed, and what that loses |
//! | [`forward`], [`calibration`] | the network in f64, and how large its numbers get |
//! | [`integer`] | the network in integers |
//! | [`options`], [`writer`], `layout` | everything laid out |
//! | `aligned` | a blob in memory |

mod aligned;
pub mod calibration;
pub mod embedding;
pub mod fold;
pub mod forward;
pub mod half;
pub mod integer;
mod layout;
pub mod options;
pub mod rows;
pub mod writer;

pub use aligned::AlignedBytes;
pub use embedding::{Embedding, Embeddings};
pub use options::{ExportOptions, NumericPath};
pub use writer::{ExportError, TableError, attach_signature, row_errors, write};
