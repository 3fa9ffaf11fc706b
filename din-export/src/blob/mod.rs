//! From trained weights to a blob.
//!
//! | module | concept |
//! |---|---|
//! | [`fold`](mod@fold) | what inference does not need removed: batch norm, Dice's statistics, redundant parts of the first layer |
//! | [`embedding`] | the form of each embedding table |
//! | [`forward`], [`calibration`] | the network in f64, and how large its numbers get |
//! | [`gradient`], [`sensitivity`] | how scores depend on embedding rows: what errors of rows cost |
//! | [`half`], [`rounding`], [`rows`] | rows packed, and what that loses |
//! | [`integer`] | the network in integers |
//! | [`widening`] | small tables that cost accuracy, stored wider |
//! | [`options`], [`writer`], `layout` | everything laid out |
//! | `aligned` | a blob in memory |

mod aligned;
pub mod calibration;
pub mod embedding;
pub mod factor;
pub mod fold;
pub mod forward;
pub mod gradient;
pub mod half;
pub mod integer;
mod layout;
pub mod options;
pub mod rounding;
pub mod rows;
pub mod sensitivity;
pub mod widening;
pub mod writer;

pub use aligned::AlignedBytes;
pub use embedding::{Embedding, Embeddings};
pub use options::{ExportOptions, NumericPath};
pub use writer::{ChosenRows, ExportError, StoredTable, Writer, Written, attach_signature, write};
