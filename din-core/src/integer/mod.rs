//! The integer path: 16-bit activations, 8-bit weights, 32-bit sums, and no floating point between ids and score.
//!
//! | module | concept |
//! |---|---|
//! | `layer` | a layer's parts and activation |
//! | `sizes` | the memory it needs |
//! | `pooling` | activation unit and attention pooling |
//!
//! A number is an i16 x worth `x 2^-f`, f known at export. There is one rounding rule, half up. The loader has checked
//! that no sum can leave 32 bits, whatever the ids, so sums are exact and their order is free.

pub(crate) mod layer;
pub(crate) mod pooling;
pub(crate) mod sizes;
