//! The job as a whole, and how it is loaded.

use super::compare::CompareConfig;
use super::error::JobError;
use super::export::ExportConfig;
use super::field::{FieldConfig, TableConfig};
use super::nearest::Suggestion;
use super::sequence::SequenceConfig;
use super::source::{DataConfig, SideConfig};
use super::split::{NegativesConfig, SplitConfig};
use super::tune::TuneConfig;
use crate::config::model::ModelConfig;
use crate::config::training::TrainingConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A whole job.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Where it was loaded from; names the job in errors, and relative paths start at its directory.
    #[serde(skip)]
    pub file: PathBuf,
    /// For people, and the model's name in the blob.
    pub name: String,
    /// `[data]`: the samples.
    pub data: DataConfig,
    /// `[side.NAME]`: tables that fields look up.
    #[serde(default)]
    pub side: BTreeMap<String, SideConfig>,
    /// `[tables.NAME]`: embedding tables.
    #[serde(default)]
    pub tables: BTreeMap<String, TableConfig>,
    /// `[[profile]]`: what is known of the user.
    #[serde(default)]
    pub profile: Vec<FieldConfig>,
    /// `[[context]]`: what is known of the request.
    #[serde(default)]
    pub context: Vec<FieldConfig>,
    /// `[[candidate]]`: what is known of the item being scored.
    #[serde(default)]
    pub candidate: Vec<FieldConfig>,
    /// `[[sequence]]`: what the user did.
    #[serde(default, rename = "sequence")]
    pub sequences: Vec<SequenceConfig>,
    /// `[split]`
    pub split: SplitConfig,
    /// `[negatives]`
    #[serde(default)]
    pub negatives: Option<NegativesConfig>,
    /// `[model]`
    #[serde(default)]
    pub model: ModelConfig,
    /// `[training]`
    #[serde(default)]
    pub training: TrainingConfig,
    /// `[export]`
    #[serde(default)]
    pub export: ExportConfig,
    /// `[tune]`: what `din-export tune` searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tune: Option<TuneConfig>,
    /// `[compare]`: what `din-export compare` compares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<CompareConfig>,
}

impl Job {
    /// Reads and checks a job file. No data file is opened.
    ///
    /// # Errors
    /// Every variant of [`JobError`], for the reason that its docs give.
    pub fn load(file: &Path) -> Result<Self, JobError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| JobError::Unreadable { file: file.to_owned(), source })?;
        Self::from_toml(&text, file)
    }

    /// As [`Job::load`], from text; `file` names it in errors, and relative paths start at its directory.
    ///
    /// # Errors
    /// Every variant of [`JobError`] but `Unreadable`.
    pub fn from_toml(text: &str, file: &Path) -> Result<Self, JobError> {
        let mut job: Self = toml::from_str(text).map_err(|error| explain(&error, text, file))?;
        file.clone_into(&mut job.file);
        job.validate()?;
        Ok(job)
    }

    /// Width of each table's rows, in the order of the schema's tables, which is that of their names.
    #[must_use]
    pub fn dims(&self) -> Vec<usize> {
        self.tables.values().map(|table| table.dim).collect()
    }

    /// Where the data files are, if nothing overrides it.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        // A job that is named without a folder has an empty one, which can be joined to, but not listed.
        let own = self.file.parent().filter(|own| !own.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.data.directory.as_ref().map_or_else(|| own.to_owned(), |directory| own.join(directory))
    }
}

/// toml's error with its line and, for an unknown key, the nearest valid one.
pub(crate) fn explain(error: &toml::de::Error, text: &str, file: &Path) -> JobError {
    let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let file = file.to_owned();
    // serde's own wording: unknown field `x`, expected one of `a`, `b`
    match error.message().strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        Some((key, valid)) => {
            // The key itself, where the parser only knows the section around it.
            let start = line.unwrap_or(1) - 1;
            let below = text.lines().enumerate().skip(start).find(|(_, line)| is_key(line, key));
            let line = below.map(|(index, _)| index + 1).or(line);
            let suggestion = Suggestion::new(key, valid.split('`').skip(1).step_by(2));
            JobError::UnknownKey { file, line, key: key.to_owned(), suggestion }
        }
        None => JobError::Invalid { file, line, message: one_line(error.message()) },
    }
}

/// Whether a line of TOML sets `key`.
fn is_key(line: &str, key: &str) -> bool {
    line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
}

/// A parser's message without its line breaks.
fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::Job;
    use std::path::Path;

    const JOB: &str = r#"
name = "small"

[data]
samples = "samples.csv"
label = "label"
user = "user"

[tables.item]
dim = 4

[[candidate]]
name = "item"
table = "item"

[[sequence]]
name = "recent"
capacity = 3

[[sequence.field]]
name = "item"
table = "item"

[[sequence.source]]
kind = "list"
columns = {item = "history"}

[split]
kind = "column"
column = "split"
train = "train"
valid = "valid"
test = "test"
"#;

    /// The error for the job with `from` replaced by `to`.
    fn error(from: &str, to: &str) -> String {
        assert!(JOB.contains(from), "{from}");
        let text = JOB.replacen(from, to, 1);
        Job::from_toml(&text, Path::new("job.toml")).unwrap_err().to_string()
    }

    #[test]
    fn a_job_without_optional_parts_loads() {
        let job = Job::from_toml(JOB, Path::new("jobs/job.toml")).unwrap();
        assert_eq!(job.data_directory(), Path::new("jobs"));
        // Of a job in the working directory too: one that can be listed.
        let job = Job::from_toml(JOB, Path::new("job.toml")).unwrap();
        assert_eq!(job.data_directory(), Path::new("."));
        assert_eq!(job.sequences[0].capacity, 3);
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_nearest_one() {
        let message = error("capacity = 3", "capcity = 3");
        assert_eq!(message, "job.toml, line 18: unknown key `capcity`; the nearest valid name is `capacity`");
    }

    #[test]
    fn an_unknown_key_of_a_tagged_section_names_its_line_too() {
        let message = error("column = \"split\"", "colum = \"split\"");
        assert_eq!(message, "job.toml, line 30: unknown key `colum`; the nearest valid name is `column`");
    }

    #[test]
    fn a_wrong_type_names_its_line() {
        let message = error("dim = 4", "dim = \"four\"");
        assert_eq!(message, "job.toml, line 10: invalid type: string \"four\", expected usize");
    }

    #[test]
    fn a_table_that_is_not_defined_names_the_nearest_one() {
        let message = error("table = \"item\"", "table = \"itme\"");
        assert_eq!(
            message,
            "job.toml: `candidate.item.table` names a table `itme`, which the job does not define; \
             the nearest valid name is `item`"
        );
    }
}
