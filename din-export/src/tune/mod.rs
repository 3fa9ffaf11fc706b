//! A search over the ranges of a job: settings drawn at random, the worse ones ended early, the best one a job file.
//!
//! | part | does |
//! |---|---|
//! | [`trials`] | draws the settings of each trial from the seed |
//! | [`halving`] | who goes on from a rung, and who is best |
//! | [`record`] | what is written down of each trial |
//! | [`search`] | rung by rung, from where it was stopped |
//! | `heat` | trains the trials of a rung, side by side |
//! | [`report`] | the table, and the job file of the best trial |
//!
//! All trials train on one dataset in memory, or one cache on disk. A trial that reaches a rung is saved and, if it goes on,
//! continued to the weights that it would have had without the rung. What is chosen is chosen by `training.select_on` on the
//! validation split; the test split is not looked at.
//!
//! # Source
//! Successive halving: Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
//! AISTATS 2016. Random rather than grid search: Bergstra and Bengio, JMLR 2012.

pub mod halving;
mod heat;
pub mod record;
pub mod report;
pub mod search;
pub mod trials;

pub use record::{Record, TrialResult};
pub use report::{Report, Row};
pub use search::{Event, Search, TuneError};
pub use trials::Trial;
