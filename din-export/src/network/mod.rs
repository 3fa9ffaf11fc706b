//! The trainable network.

pub mod config;
