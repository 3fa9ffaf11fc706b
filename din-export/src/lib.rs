//! (front page: written with the crate)
#![forbid(unsafe_code)]

pub mod data;
pub mod network;
pub mod schema;
pub mod training;
pub mod weights;
