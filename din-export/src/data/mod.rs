//! From files to encoded samples.

pub mod dataset;
