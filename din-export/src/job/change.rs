//! A job with some of its keys changed: what a trial of `[tune]` or a variant of `[compare]` is.

use super::error::JobError;
use super::file::Job;
use super::nearest::Suggestion;
use serde::Deserialize;
use toml::{Table, Value};

impl Job {
    /// Every key that this job has, defaults included, without `[tune]` and `[compare]`.
    ///
    /// # Panics
    /// Never: what was read from TOML can be written as TOML.
    #[must_use]
    pub fn to_table(&self) -> Table {
        let job = Self { tune: None, compare: None, ..self.clone() };
        Table::try_from(&job).expect("a job is made of tables, lists, texts and numbers")
    }

    /// The job with `changes` merged into it, key by key; `*` stands for every key beside it that holds a table. Without
    /// `[tune]` and `[compare]`.
    ///
    /// `at`: the key of the changes themselves, for errors.
    ///
    /// # Errors
    /// Where that is no valid job.
    pub fn changed(&self, changes: &Table, at: &str) -> Result<Self, JobError> {
        let mut table = self.to_table();
        merge(&mut table, changes);
        let refuse =
            |problem| JobError::Contradiction { file: self.file.clone(), key: at.to_owned(), problem };
        let mut job =
            Self::deserialize(Value::Table(table)).map_err(|error| refuse(explain(error.message())))?;
        job.file.clone_from(&self.file);
        job.validate()
            .map_err(|error| refuse(format!("makes a job that is refused: {}", without_file(&error))))?;
        Ok(job)
    }
}

fn merge(table: &mut Table, changes: &Table) {
    for (key, change) in changes {
        match (key.as_str(), change) {
            ("*", Value::Table(change)) => {
                table.iter_mut().filter_map(|(_, own)| own.as_table_mut()).for_each(|own| merge(own, change));
            }
            (_, Value::Table(change)) => {
                let own = table.entry(key).or_insert_with(|| Table::new().into());
                match own {
                    Value::Table(own) => merge(own, change),
                    other => *other = change.clone().into(),
                }
            }
            _ => {
                table.insert(key.clone(), change.clone());
            }
        }
    }
}

/// serde's message about a job that was made of tables, which have no lines.
fn explain(message: &str) -> String {
    match message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        Some((key, valid)) => {
            format!(
                "has the unknown key `{key}`{}",
                Suggestion::new(key, valid.split('`').skip(1).step_by(2))
            )
        }
        None => format!("makes no job: {}", message.lines().next().unwrap_or_default()),
    }
}

/// What is wrong with a job, for a message that has its file already.
fn without_file(error: &JobError) -> String {
    match error {
        JobError::Contradiction { key, problem, .. } => format!("`{key}` {problem}"),
        JobError::UnknownName { key, what, found, suggestion, .. } => {
            format!("`{key}` names {what} `{found}`, which the job does not define{suggestion}")
        }
        other => other.to_string(),
    }
}
