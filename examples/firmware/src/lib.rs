//! What the firmwares of this folder share.
//!
//! | module | concept |
//! |---|---|
//! | [`board`] | start, end and clock: what differs between cores |
//! | [`error`] | why a firmware stops |
//! | [`model`] | the blobs in flash, their sizes, and requests to rank |
//! | [`stack`] | how much of it was used |
#![no_std]

pub mod board;
pub mod error;
pub mod model;
pub mod stack;

pub use error::Error;

use defmt_semihosting as _; // where defmt's frames go
