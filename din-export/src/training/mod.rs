//! Training from scratch on CPU.

pub mod config;
