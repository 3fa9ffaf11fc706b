//! The trainable network: forward and backward passes over mini-batches, generic over f32 and f64.
//!
//! Each file is one concept, and imports only from those above it:
//!
//! | file | what |
//! |---|---|
//! | [`error`] | why a model of some shape cannot be |
//! | [`real`], [`blocks`], [`product`], [`scratch`] | the number types, loops over rows, the matrix product, memory of tasks |
//! | [`parameter`], [`statistics`], [`segments`] | dense parameters, batch statistics, ragged histories |
//! | [`linear`], [`prelu`], [`dice`], [`batch_norm`], [`activation`], [`layer`] | dense layers |
//! | [`sparse_gradient`], [`embedding`], [`fields`] | gradients of touched rows, tables, fields as columns |
//! | [`own_matrix`], [`mod@unit`] | the unit's first layer, the activation unit |
//! | [`attention`], [`pooling`] | attention pooling; attention, sum or mean |
//! | [`inputs`], [`loss`], [`model`], [`conversion`] | the head's input, the loss, the whole, to and from trained weights |
//! | [`state`] | what a step changes, to be saved and restored |
//!
//! Two conventions hold everywhere. Histories are ragged: the behaviours of a batch lie end to end, `[P, D]`, with no
//! padding, so that no statistic can see any and no arithmetic is spent on it. And a forward pass leaves in a buffer
//! what its backward pass needs; buffers belong to the caller and are reused from step to step.

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod blocks;
pub mod conversion;
pub mod dice;
pub mod embedding;
pub mod error;
pub mod fields;
pub mod inputs;
pub mod layer;
pub mod linear;
pub mod loss;
pub mod model;
pub mod own_matrix;
pub mod parameter;
pub mod pooling;
pub mod prelu;
pub mod product;
pub mod real;
pub mod scratch;
pub mod segments;
pub mod sparse_gradient;
pub mod state;
pub mod statistics;
pub mod unit;

pub use error::NetworkError;
pub use inputs::Batch;
pub use model::{Network, TrainingMode, Workspace};
