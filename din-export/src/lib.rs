//! Trains a Deep Interest Network on interaction logs and exports the blob that din-core ranks with.
//!
//! A library first; the command line of the same name is a thin layer over it.
//!
//! ```no_run
//! use din_export::{blob, data, evaluation, job::Job, training};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let job = Job::load("examples/kuairand/job.toml".as_ref())?;
//! let dataset = data::load(&job, None, &mut |step| eprintln!("{step}"))?;
//! let trained = training::train(&dataset, &job.model, &job.training, &mut |_| {})?;
//! let bytes = blob::write(&trained.weights, &blob::ExportOptions::default())?;
//! let test = evaluation::evaluate(&bytes, &dataset, &dataset.test)?;
//! println!("test AUC {:?}", test.metrics.auc);
//! # Ok(()) }
//! ```
//!
//! # Layers
//!
//! Each module uses only those above it; `tests/tests/layers.rs` holds this table against the code.
//!
//! | module | concept |
//! |---|---|
//! | [`schema`] | what a model reads: tables, fields, sequences |
//! | [`weights`], [`request`] | a model as trained, before folding; what is asked of one |
//! | [`output`], [`metrics`], [`markdown`] | files that are whole or not there; log loss, AUC, GAUC, calibration; text within tables |
//! | [`side_by_side`] | several runs at a time |
//! | [`ledger`] | what is done of many runs |
//! | [`config`], [`blob`] | what a job may say of model and training; folding, quantising, writing |
//! | [`job`] | the job file: every key is documented on its struct |
//! | [`import`], [`data`] | models as safetensors and TOML, in and out; CSV and Parquet to a [`data::dataset::Dataset`] |
//! | [`network`] | forward and backward |
//! | [`training`] | epochs, optimisers, regularisation |
//! | [`runs`] | what a search and a comparison share |
//! | [`journal`] | `metrics.jsonl` and TensorBoard files of a run |
//! | [`tune`] | a search over the ranges of a job |
//! | [`scoring`] | a request scored along the path of its blob |
//! | [`evaluation`], [`rank`], [`inspect`], [`bench`](mod@bench) | a blob measured, asked, described, timed: all through din-core |
//! | [`compare`] | variants of a job over several seeds |
//! | [`emit`] | a blob as source code, with a self-test |
//! | [`tradeoff`] | numeric paths and row forms against a budget |
//! | [`demo`] | four models compared on the data that ship |
#![deny(unsafe_code)]

pub mod bench;
pub mod blob;
pub mod compare;
pub mod config;
pub mod data;
pub mod demo;
pub mod emit;
pub mod evaluation;
pub mod import;
pub mod inspect;
pub mod job;
pub mod journal;
pub mod ledger;
pub mod markdown;
pub mod metrics;
pub mod network;
pub mod output;
pub mod rank;
pub mod request;
pub mod runs;
pub mod schema;
pub mod scoring;
pub mod side_by_side;
pub mod tradeoff;
pub mod training;
pub mod tune;
pub mod weights;
