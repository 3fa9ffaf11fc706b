//! `metrics.jsonl`: one object a line.

use super::JournalError;
use crate::output;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file, open at its end.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
}

/// What every line begins with.
#[derive(Serialize)]
struct Line<'a, T> {
    kind: &'a str,
    #[serde(flatten)]
    content: &'a T,
}

impl Lines {
    /// A new file, or, where a run goes on after so many steps, the old one with its lines up to there.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path, after: Option<u64>) -> Result<Self, JournalError> {
        let failed = |source| JournalError { file: path.to_owned(), source };
        let old = match after {
            Some(_) => std::fs::read_to_string(path).unwrap_or_default(),
            None => String::new(),
        };
        let kept: String = old
            .split_inclusive('\n')
            // A line that a killed process left unfinished is none.
            .filter(|line| steps_of(line).is_some_and(|steps| Some(steps) <= after))
            .collect();
        output::write(path, kept.as_bytes()).map_err(|error| failed(error.source))?;
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a line: the fields of `content`, after `kind`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn write(&mut self, kind: &str, content: &impl Serialize) -> Result<(), JournalError> {
        let mut line = serde_json::to_string(&Line { kind, content }).expect("figures encode as JSON");
        line.push('\n');
        // In one write, so that a line is whole unless the process dies within it.
        let failed = |source| JournalError { file: self.path.clone(), source };
        self.file.write_all(line.as_bytes()).map_err(failed)
    }
}

/// `total_steps` of a whole line.
fn steps_of(line: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(line.strip_suffix('\n')?).ok()?;
    value.get("total_steps")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Content {
        total_steps: u64,
    }

    #[test]
    fn a_resumed_file_has_the_lines_up_to_the_checkpoint_and_no_torn_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let mut lines = Lines::open(&path, None).unwrap();
        for total_steps in [10, 20, 30] {
            lines.write("steps", &Content { total_steps }).unwrap();
        }
        lines.file.write_all(b"{\"kind\":\"steps\",\"total_steps\":2").unwrap();
        let mut lines = Lines::open(&path, Some(20)).unwrap();
        lines.write("steps", &Content { total_steps: 25 }).unwrap();
        let found: Vec<_> = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        let line = |steps: u64| format!("{{\"kind\":\"steps\",\"total_steps\":{steps}}}");
        assert_eq!(found, [10, 20, 25].map(line));
        Lines::open(&path, None).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }
}
