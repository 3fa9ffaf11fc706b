//! From trained weights to a blob.
//!
//! | module | concept |
//! |---|---|
//! | [`fold`](mod@fold) | what inference does not need removed: batch norm, Dice's statistics, redundant parts of the first layer |
//! | [`embedding`], [`half`], [`rows`] | the form of each embedding table; rows packed, and what that loses |
//! | [`forward`], [`calibration`] | the network in f64, and how large its numbers get |
//! | [`integer`] | the network in integers |
//! | [`writer`] | everything laid out |

pub mod calibration;
pub mod embedding;
pub mod fold;
pub mod forward;
pub mod half;
pub mod integer;
pub mod rows;
pub mod writer;

pub use embedding::{Embedding, Embeddings};
pub use writer::{ExportError, ExportOptions, attach_signature, write};
