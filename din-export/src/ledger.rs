//! What is done of work that consists of many runs: a line of JSON each, below one that says whose work it is.

use crate::output;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a ledger cannot be gone on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file cannot be read.
    #[error("{}: cannot read: {source}", file.display())]
    Read {
        /// The ledger.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written; what was in it before is untouched.
    #[error("{}: cannot write: {source}", file.display())]
    Write {
        /// The ledger.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is none that this program wrote.
    #[error("{}, line {line}: {problem}; remove the file to begin anew", file.display())]
    Line {
        /// The ledger.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What serde said.
        problem: serde_json::Error,
    },
    /// It was made of another job or other data.
    #[error("{} was made with other settings or data; choose another --output, or remove it to begin anew", file.display())]
    Other {
        /// The ledger.
        file: PathBuf,
    },
}

/// The file. Each line that is added is on disk, with all before it, or not at all: the file is written beside and renamed.
#[derive(Debug)]
pub struct Ledger {
    file: PathBuf,
    text: String,
}

impl Ledger {
    /// Opens a ledger, or begins one, whose owner is on disk before any work; returns the lines that it holds. `owner` is what
    /// must not have changed between.
    ///
    /// # Errors
    /// Every variant of [`LedgerError`].
    pub fn open<R: DeserializeOwned>(
        file: &Path,
        owner: &impl Serialize,
    ) -> Result<(Self, Vec<R>), LedgerError> {
        let owner = to_line(owner);
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let ledger = Self { file: file.to_owned(), text: owner };
                ledger.write()?;
                return Ok((ledger, Vec::new()));
            }
            Err(source) => return Err(LedgerError::Read { file: file.to_owned(), source }),
        };
        let Some(lines) = text.strip_prefix(&owner) else {
            return Err(LedgerError::Other { file: file.to_owned() });
        };
        let parse = |(index, line)| {
            serde_json::from_str(line).map_err(|problem| LedgerError::Line {
                file: file.to_owned(),
                line: index + 2,
                problem,
            })
        };
        let records = lines.lines().enumerate().map(parse).collect::<Result<_, _>>()?;
        Ok((Self { file: file.to_owned(), text }, records))
    }

    /// Writes one more line.
    ///
    /// # Errors
    /// `Write`, where the disk is full or the folder cannot be written to.
    pub fn add(&mut self, record: &impl Serialize) -> Result<(), LedgerError> {
        self.text += &to_line(record);
        self.write()
    }

    fn write(&self) -> Result<(), LedgerError> {
        let write = |out: &mut io::BufWriter<&mut std::fs::File>| out.write_all(self.text.as_bytes());
        output::write_with(&self.file, write)
            .map_err(|source| LedgerError::Write { file: self.file.clone(), source })
    }
}

fn to_line(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("plain records encode as JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_there_when_it_is_opened_again_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("runs.jsonl");
        let (mut ledger, records) = Ledger::open::<u32>(&file, &"owner").unwrap();
        assert!(records.is_empty());
        assert!(matches!(Ledger::open::<u32>(&file, &"other"), Err(LedgerError::Other { .. })));
        ledger.add(&7).unwrap();
        ledger.add(&8).unwrap();
        assert_eq!(Ledger::open::<u32>(&file, &"owner").unwrap().1, [7, 8]);
        assert!(matches!(Ledger::open::<u32>(&file, &"other"), Err(LedgerError::Other { .. })));
        assert!(matches!(Ledger::open::<String>(&file, &"owner"), Err(LedgerError::Line { line: 2, .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
