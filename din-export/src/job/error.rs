//! Every way in which a job file is refused.

use super::nearest::Suggestion;
use std::path::PathBuf;

/// Why a job file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The file cannot be read.
    #[error("{}: cannot read the job file: {source}", file.display())]
    Unreadable {
        /// The job file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or a value has the wrong type or is missing.
    #[error("{}{}: {message}", file.display(), at_line(*line))]
    Invalid {
        /// The job file.
        file: PathBuf,
        /// Line, from 1, when known.
        line: Option<usize>,
        /// What was found and what was expected.
        message: String,
    },
    /// A key that its section does not have.
    #[error("{}{}: unknown key `{key}`{suggestion}", file.display(), at_line(*line))]
    UnknownKey {
        /// The job file.
        file: PathBuf,
        /// Line, from 1, when known.
        line: Option<usize>,
        /// What was found.
        key: String,
        /// What could be written instead.
        suggestion: Suggestion,
    },
    /// A key refers to something that the job does not define.
    #[error("{}: `{key}` names {what} `{found}`, which the job does not define{suggestion}", file.display())]
    UnknownName {
        /// The job file.
        file: PathBuf,
        /// The key whose value it is.
        key: String,
        /// What kind of thing it names, with its article.
        what: &'static str,
        /// What was found.
        found: String,
        /// What could be written instead.
        suggestion: Suggestion,
    },
    /// Keys that contradict each other, or a value outside its range.
    #[error("{}: `{key}` {problem}", file.display())]
    Contradiction {
        /// The job file.
        file: PathBuf,
        /// The key.
        key: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// `, line 7`, or nothing.
fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}
