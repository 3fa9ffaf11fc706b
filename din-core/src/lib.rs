//! Ranks with a Deep Interest Network on the device: `no_std`, no allocator, one validated blob read in place.
//!
//! A workstation trains a model with `din-export` and writes one blob. This crate checks the blob once and then scores
//! candidates for a user whose history never leaves the device, in memory that the caller provides.
//!
//! ```no_run
//! use din_core::{History, Model, Ranked, Ranker, User, Value};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # static BLOB: [u8; 0] = [];
//! # const SCRATCH: usize = 0;
//! let model = Model::from_bytes(&BLOB)?; // in flash: nothing is copied
//! let mut scratch = [0.0_f32; SCRATCH]; // Model::scratch_len, which `din-export inspect` prints
//! let mut ranker = Ranker::new(&model, &mut scratch)?;
//!
//! let mut history = History::<50, 2>::new(); // the last 50 behaviours of 2 fields
//! history.push([Value::Id(390), Value::Id(59)]);
//! ranker.set_user(&User { profile: &[Value::Id(7)], context: &[], histories: &[history.behaviours()] })?;
//!
//! let slate = [[Value::Id(17), Value::Id(59)], [Value::Id(4), Value::Id(2)]];
//! let mut top = heapless::Vec::<Ranked, 1>::new();
//! ranker.rank(slate.iter().map(|candidate| candidate.as_slice()), &mut top)?;
//! # Ok(()) }
//! ```
//!
//! # The model
//!
//! ```text
//! profile ──────────────────────────────────────────────┐
//! context ──────────────────────────────────────────────┤
//! behaviours k_1 .. k_T ─┬─ activation unit ─ weights a_t ─ sum a_t k_t ─ concat ─ head ─ sigmoid ─ score
//! candidate q ───────────┴──────────────────────────────┘
//! ```
//!
//! The unit is a small network over `[q, k, q-k, q*k]`, folded so that only `q*k` is left for each pair. Histories have
//! any length up to the sequence's capacity; there is no padding. Unknown ids are row 0 of their table.
//!
//! # Layers
//!
//! Each module uses only those above it, or beside it in a row; `tests/tests/layers.rs` holds this table against the code.
//!
//! | module | concept |
//! |---|---|
//! | `subject`, `error`, `span` | [`Subject`], [`LoadError`], [`ScoreError`]; with the feature `defmt`, when what takes time begins and ends |
//! | `bytes`, `chunks`, `checksum`, `hash` | numbers in place, rows in a slice, CRC-32, FNV-1a |
//! | `math`, [`fixed`], `normaliser` | exp and sigmoid, fixed-point arithmetic, raw number to input |
//! | `blocking` | how much is computed together |
//! | `kernels` | small dense products and activations, f32 and integer: portable, AVX2, AVX-512, NEON, those of Cortex-M |
//! | `records` | lists of fixed-width records, in place |
//! | [`header`], [`manifest`] | the blob format |
//! | `value`, `history` | what an application hands over |
//! | `table`, `layer` | embedding rows and vocabularies, dense layers |
//! | `model`, `validate`, `sizes`, `integer` | the view of a blob, the one pass that makes it trustworthy, the memory it needs; layers and pooling of the integer path |
//! | `scratch`, `slate` | the caller's memory, blocks of candidates |
//! | `inputs`, `pooling` | values to model inputs; activation unit and attention pooling |
//! | `ranker` | [`Ranker`] |
//! | `integer_ranker` | [`IntegerRanker`] |
//! | `ranker_pool` | with the feature `std`: several slates over threads |
//! | `curve_errors` | for tests alone: the table of largest errors below |
//!
//! # Curves
//!
//! The largest errors, held by `curve_errors.rs`; `cargo test --release -p din-core --features std curve_errors --
//! --ignored --nocapture` prints this table, for each kernel of the processor it runs on:
//!
//! | curve | arguments | largest error |
//! |---|---|---|
//! | sigmoid in f32, portable | every f32 in [-100, 100] | 1.04e-7 absolute |
//! | sigmoid in f32, AVX2 and AVX-512 | every f32 in [-100, 100] | 1.11e-7 absolute |
//! | exp in f32 | every f32 in [-87, 87] | 2.41e-7 relative |
//! | [`fixed::sigmoid`], Q3.12 to Q15 | every i16 | 1.10e-4 absolute |
//! | [`fixed::score`], Q16.16 to Q16 | every i32 in [-17, 17) | 1.84e-5 absolute |
//! | [`fixed::exp_of_minus`] to Q15 | every u16, fractions -12 to 24 | 2.17e-5 absolute |
//! | [`fixed::log1p`], Q16.16 | every 61st i32 | 1.35e-5 absolute |
//!
//! Integer kernels have the bits of `fixed::sigmoid`.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `std` | kernels chosen at run time by what the processor has; `RankerPool`. Without it they are chosen when compiling |
//! | `defmt` | `defmt::Format` on public types and errors; with `DEFMT_LOG=din_core=trace`, a line where load, set user and each block of a slate begin and end, which the logger's timestamps make times of |
//!
//! Neither is on unless asked for, and neither changes a score.
//!
//! # Promises
//!
//! - No panic, whatever the bytes or the values: an error says what was needed and what was there.
//! - A score depends on the model, the user and the candidate alone, never on the rest of the slate. With the portable
//!   kernel it does not depend on the machine either; a [`Kernel`] that multiplies and adds in one step rounds less, and
//!   differs in the last bits.
//! - Time and memory of a score are bounded by the model's capacity; no recursion, no allocation, no large locals.
#![no_std]
#![deny(unsafe_code)] // allowed in the kernels and the checksum alone, with the reason there
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![deny(clippy::arithmetic_side_effects)] // allowed in the kernels of a processor, whose counts and addresses were checked
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::arithmetic_side_effects))]

#[cfg(any(feature = "std", test))]
extern crate std;

mod blocking;
mod bytes;
mod checksum;
mod chunks;
#[cfg(test)]
mod curve_errors;
mod error;
pub mod fixed;
mod hash;
pub mod header;
mod history;
mod inputs;
mod integer;
mod integer_ranker;
mod kernels;
mod layer;
pub mod manifest;
mod math;
mod model;
mod normaliser;
mod pooling;
mod ranker;
#[cfg(feature = "std")]
mod ranker_pool;
mod records;
mod scratch;
mod sizes;
mod slate;
mod span;
mod subject;
mod table;
mod validate;
mod value;

pub use blocking::Blocking;
pub use checksum::crc32;
pub use error::{LoadError, ScoreError};
pub use hash::{hash_bytes, hash_text};
pub use header::Header;
pub use history::{Behaviours, History};
pub use integer_ranker::{IntegerRanked, IntegerRanker};
pub use kernels::Kernel;
pub use kernels::integer::IntegerKernel;
pub use layer::Layer;
pub use model::{Field, Group, Model, Sequence};
pub use normaliser::{Normaliser, Transform};
pub use ranker::{Ranked, Ranker, User};
#[cfg(feature = "std")]
pub use ranker_pool::{RankerPool, Slate};
pub use subject::Subject;
pub use table::Table;
pub use value::Value;
