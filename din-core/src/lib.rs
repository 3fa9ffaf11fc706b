//! (front page: written with the crate)
#![no_std]
#![forbid(unsafe_code)]

pub mod normaliser;

pub use normaliser::{Normaliser, Transform};
