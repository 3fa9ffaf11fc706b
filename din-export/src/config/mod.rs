//! What a job may say of the model and of its training; no code depends on where it was said.

pub mod interval;
pub mod model;
pub mod training;
