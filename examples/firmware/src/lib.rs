//! What the firmwares of this folder share.
//!
//! | module | concept |
//! |---|---|
//! | [`board`] | start, end and clock: what differs between cores |
//! | [`model`] | the blobs in flash, their sizes, and requests to rank |
//! | [`stack`] | how much of it was used |
#![no_std]

pub mod board;
pub mod model;
pub mod stack;

use defmt_semihosting as _; // where defmt's frames go
