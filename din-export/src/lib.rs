//! (front page: written with the crate)
#![deny(unsafe_code)]

pub mod blob;
pub mod data;
pub mod demo;
pub mod evaluation;
pub mod import;
pub mod inspect;
pub mod job;
pub mod metrics;
pub mod network;
pub mod output;
pub mod rank;
pub mod schema;
pub mod training;
pub mod weights;
