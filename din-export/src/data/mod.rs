//! From files to encoded samples.
//!
//! | part | does |
//! |---|---|
//! | [`load`](mod@load) | the whole way: [`load::load`] turns a job into a [`dataset::Dataset`], [`load::load_every_id`] into one to evaluate on |
//! | [`files`], [`shards`], [`frame`], [`csv_file`], [`parquet_file`] | read the columns that a job names, as text |
//! | [`coded`], [`side`] | columns as distinct values and codes; look-ups through side tables |
//! | [`split`], [`negatives`], [`label`] | which samples there are and what each is for |
//! | [`history`] | the behaviours strictly before each sample |
//! | [`vocabulary`], [`normaliser`] | rows of ids and scales of numbers, from the training split alone |
//! | [`dataset`], [`counts`] | what comes out, and how many samples contain each id |
//! | [`mod@cache`] | the same on disk, for `[data.stream]` |
//! | [`error`] | every way in which data are refused |
//!
//! Nothing is skipped or repaired on the way: a value that cannot be what the job says it is, is an error that names
//! its file and row. An empty cell is the one way to say "not known": row 0 of a table, and 0 after the normaliser.
//! White space around ids and numbers is no part of them.

pub mod cache;
pub mod coded;
pub mod counts;
pub mod csv_file;
pub mod dataset;
pub mod error;
pub mod files;
pub mod frame;
pub mod history;
pub mod label;
pub mod load;
pub mod negatives;
pub mod normaliser;
pub mod parquet_file;
pub mod shards;
pub mod side;
pub mod split;
pub mod vocabulary;

pub use error::DataError;
pub use load::{LoadStep, load, load_every_id};
