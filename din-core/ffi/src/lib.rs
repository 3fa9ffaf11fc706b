//! din-core for C and C++: a static library and `include/din.h`.
//!
//! The header says what each function does; this page says how the library keeps its promises.
//!
//! # Layers
//!
//! Each module uses only those above it, or beside it in a row; `tests/tests/layers.rs` holds this table against the code.
//!
//! | module | concept |
//! |---|---|
//! | `panic_handler` | what a device does if there is a panic after all |
//! | `error` | [`din_error`], its strings, the numbers behind it |
//! | `memory` | pointers of the caller's, checked |
//! | `version`, `hash` | what this library is; CRC-32 and the hash of texts |
//! | `value` | values, histories and users, read in place |
//! | `history` | a ring of behaviours |
//! | `model` | [`din_model`]: storage of a model, what a blob needs |
//! | `storage` | storage of a ranker of either path, what both paths do |
//! | `ranker` | [`din_ranker`], the f32 path |
//! | `integer_ranker` | [`din_integer_ranker`] |
//!
//! # Ownership
//!
//! Nothing is allocated and there are no globals. A `din_model` holds a [`din_core::Model`], which borrows the blob; a
//! `din_ranker` holds a [`din_core::Ranker`], which borrows the model and the scratch memory. C has no lifetimes, so the
//! borrows are of `'static` here, and what the borrow checker would see to is checked at each call as far as it can be:
//! the first word of a storage is a magic number mixed with the storage's own address, so that storage that was never
//! initialised, moved or overwritten is found; a ranker remembers which blob its model had, so that a model initialised
//! anew is found before anything of the old one is used.
//!
//! # Undefined behaviour
//!
//! None but by a pointer into memory that is not the caller's, a length that is larger than the memory, memory that is
//! freed or changed while it is borrowed, or one object used by two threads at once. Null, misaligned, wrapping and
//! overlapping arguments and unknown kinds of values are error codes. The numbers of the caller's memory are only read
//! through references after that, and what the library writes to is written before a reference to it is made.
//!
//! # Panics
//!
//! There are none: a static library for a device links with the feature `prove-no-panic` (`tests/tests/c_devices.rs` links one).
#![no_std]
#![allow(non_camel_case_types)] // the names are those of the header
#![allow(clippy::missing_safety_doc)] // of every function: what the header and this page say
#![allow(clippy::enum_variant_names)]
#![allow(clippy::doc_markdown)] // the docs are the header's comments
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![deny(clippy::arithmetic_side_effects)]

#[cfg(not(target_os = "none"))]
extern crate std;

mod error;
mod hash;
mod history;
mod integer_ranker;
mod memory;
mod model;
#[cfg(target_os = "none")]
mod panic_handler;
#[cfg(feature = "f32")]
mod ranker;
mod storage;
mod value;
mod version;

pub use error::*;
pub use hash::*;
pub use history::*;
pub use integer_ranker::*;
pub use model::*;
#[cfg(feature = "f32")]
pub use ranker::*;
pub use value::*;
pub use version::*;
