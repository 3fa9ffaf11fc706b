//! What serde cannot check: names that refer to names, keys that exclude each other, ranges.

use super::error::JobError;
use super::field::FieldConfig;
use super::file::Job;
use super::nearest::Suggestion;
use din_core::manifest::{MAX_FIELDS, MAX_LAYERS, MAX_SEQUENCES, MAX_WIDTH};
use std::collections::BTreeSet;

impl Job {
    /// Checks everything that can be checked without the data.
    pub(super) fn validate(&self) -> Result<(), JobError> {
        self.validate_tables()?;
        self.validate_layers("model.unit.hidden", &self.model.unit.hidden)?;
        self.validate_layers("model.head.hidden", &self.model.head.hidden)?;
        let groups = [("profile", &self.profile), ("context", &self.context), ("candidate", &self.candidate)];
        for (group, fields) in groups {
            self.validate_fields(group, fields)?;
            if let Some(field) = fields.iter().find(|field| field.pair.is_some()) {
                return self
                    .refuse(format!("{group}.{}.pair", field.name), "belongs to the fields of a sequence");
            }
        }
        if self.candidate.is_empty() {
            return self.refuse("candidate", "has no field; add [[candidate]]: it is what the model scores");
        }
        self.validate_unique("sequence", self.sequences.iter().map(|sequence| &sequence.name))?;
        self.at_most("sequence", "sequences", self.sequences.len(), MAX_SEQUENCES)?;
        for sequence in &self.sequences {
            self.validate_sequence(sequence)?;
        }
        let plain = self.profile.len() + self.context.len() + self.candidate.len();
        let behaviours: usize = self.sequences.iter().map(|sequence| sequence.fields.len()).sum();
        let groups = "profile, context, candidate, sequence.field";
        self.at_most(groups, "fields together", plain + behaviours, MAX_FIELDS)?;
        self.validate_labels()?;
        self.validate_split()?;
        self.validate_item_bias()
    }

    fn validate_tables(&self) -> Result<(), JobError> {
        for (name, table) in &self.tables {
            if table.dim == 0 {
                return self.refuse(format!("tables.{name}.dim"), "is 0; a row has at least one number");
            }
            self.at_most(&format!("tables.{name}.dim"), "numbers in a row", table.dim, MAX_WIDTH as usize)?;
            let mut fields = self.profile.iter().chain(&self.context).chain(&self.candidate);
            let mut behaviours = self.sequences.iter().flat_map(|sequence| &sequence.fields);
            let names_it = |field: &FieldConfig| field.table.as_ref() == Some(name);
            if !fields.any(names_it) && !behaviours.any(names_it) {
                return self
                    .refuse(format!("tables.{name}"), "is used by no field; name it in one or remove it");
            }
        }
        if let Some(name) = self.export.tables.keys().find(|name| !self.tables.contains_key(*name)) {
            return Err(JobError::UnknownName {
                file: self.file.clone(),
                key: format!("export.tables.{name}"),
                what: "a table",
                found: name.clone(),
                suggestion: Suggestion::new(name, self.tables.keys().map(String::as_str)),
            });
        }
        Ok(())
    }

    /// `hidden`: widths of the hidden layers, which an output layer follows.
    fn validate_layers(&self, key: &str, hidden: &[usize]) -> Result<(), JobError> {
        self.at_most(key, "hidden layers", hidden.len(), MAX_LAYERS - 1)?;
        let widest = hidden.iter().copied().max().unwrap_or(0);
        self.at_most(key, "units in a layer", widest, MAX_WIDTH as usize)
    }

    pub(super) fn validate_fields(&self, group: &str, fields: &[FieldConfig]) -> Result<(), JobError> {
        self.validate_unique(group, fields.iter().map(|field| &field.name))?;
        for field in fields {
            let key = |end: &str| format!("{group}.{}{end}", field.name);
            match (&field.table, &field.numeric) {
                (Some(table), None) => {
                    self.known(key(".table"), "a table", table, self.tables.keys())?;
                }
                (None, Some(numeric)) => {
                    if !(numeric.limit.is_finite() && numeric.limit > 0.0) {
                        return self.refuse(key(".numeric.limit"), "is not a positive number");
                    }
                }
                _ => return self.refuse(key(""), "needs either `table` (an id) or `numeric` (a number)"),
            }
            match (&field.side, &field.by) {
                (Some(side), _) => self.known(key(".side"), "a side table", side, self.side.keys())?,
                (None, Some(_)) => return self.refuse(key(".by"), "has no meaning without `side`"),
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn validate_item_bias(&self) -> Result<(), JobError> {
        let Some(name) = &self.model.head.item_bias else { return Ok(()) };
        let categorical = self.candidate.iter().filter(|field| field.table.is_some());
        self.known(
            "model.head.item_bias".into(),
            "a categorical candidate field",
            name,
            categorical.map(|field| &field.name),
        )
    }

    pub(super) fn validate_unique<'a>(
        &self,
        group: &str,
        names: impl Iterator<Item = &'a String>,
    ) -> Result<(), JobError> {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                return self.refuse(format!("{group}.{name}"), "is defined twice; give each its own name");
            }
        }
        Ok(())
    }

    /// Whether `data.time` is given, which `key` needs.
    pub(super) fn time_for(&self, key: &str) -> Result<(), JobError> {
        match self.data.time {
            Some(_) => Ok(()),
            None => {
                self.refuse("data.time", &format!("is missing; `{key}` needs to know the order of events"))
            }
        }
    }

    /// Whether `found` is among the names that the job defines.
    pub(super) fn known<'a>(
        &self,
        key: String,
        what: &'static str,
        found: &str,
        names: impl Iterator<Item = &'a String> + Clone,
    ) -> Result<(), JobError> {
        if names.clone().any(|name| name == found) {
            return Ok(());
        }
        let suggestion = Suggestion::new(found, names.map(String::as_str));
        Err(JobError::UnknownName { file: self.file.clone(), key, what, found: found.to_owned(), suggestion })
    }

    /// Whether a blob can hold so many.
    pub(super) fn at_most(&self, key: &str, what: &str, found: usize, limit: usize) -> Result<(), JobError> {
        if found <= limit {
            return Ok(());
        }
        self.refuse(key, &format!("gives {found} {what}; a blob holds at most {limit}"))
    }

    /// Inputs that a field contributes. Its table is defined.
    pub(super) fn width(&self, field: &FieldConfig) -> usize {
        field.table.as_ref().map_or(1, |table| self.tables[table].dim)
    }

    pub(super) fn refuse<T>(&self, key: impl Into<String>, problem: &str) -> Result<T, JobError> {
        Err(JobError::Contradiction { file: self.file.clone(), key: key.into(), problem: problem.to_owned() })
    }

    /// The column outside side tables that a field starts from: its own, or the one with the side table's key.
    #[must_use]
    pub fn sample_column<'a>(&'a self, field: &'a FieldConfig) -> &'a str {
        match &field.side {
            None => field.column(),
            Some(side) => field.by.as_deref().unwrap_or(&self.side[side].key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Job;
    use std::path::Path;

    const JOB: &str = r#"
name = "limits"
[data]
samples = "samples.csv"
label = "label"
user = "user"
[tables.item]
dim = 8192
[tables.brand]
dim = 1
[[candidate]]
name = "item"
table = "item"
[[candidate]]
name = "brand"
table = "brand"
[model.unit]
hidden = [8192, 1, 1, 1, 1, 1, 1]
[model.head]
hidden = [8192, 2, 2, 2, 2, 2, 2]
[split]
kind = "column"
column = "split"
train = "train"
valid = "valid"
test = "test"
"#;

    /// So many sequences.
    fn sequences(count: usize) -> String {
        let sequence = |index| {
            format!(
                "[[sequence]]\nname = \"s{index}\"\ncapacity = 32768\n[[sequence.field]]\nname = \"item\"\ntable = \"item\"\n\
                 [[sequence.source]]\nkind = \"list\"\n"
            )
        };
        (0..count).map(sequence).collect()
    }

    /// The error for the job with eight sequences and `from` replaced by `to`.
    fn error(from: &str, to: &str) -> String {
        let text = JOB.to_owned() + &sequences(8);
        assert!(text.contains(from), "{from}");
        Job::from_toml(&text.replacen(from, to, 1), Path::new("job.toml")).unwrap_err().to_string()
    }

    #[test]
    fn a_job_at_every_limit_loads() {
        Job::from_toml(&(JOB.to_owned() + &sequences(8)), Path::new("job.toml")).unwrap();
    }

    #[test]
    fn what_no_blob_can_hold_is_refused_before_training() {
        let cases = [
            (
                "dim = 8192",
                "dim = 8193",
                "`tables.item.dim` gives 8193 numbers in a row; a blob holds at most 8192",
            ),
            (
                "dim = 1\n",
                "dim = 1000000000000000000\n",
                "`tables.brand.dim` gives 1000000000000000000 numbers in a row; a blob holds at most 8192",
            ),
            (
                "[8192, 1,",
                "[1, 8193,",
                "`model.unit.hidden` gives 8193 units in a layer; a blob holds at most 8192",
            ),
            (
                "[8192, 1,",
                "[8192, 1, 1,",
                "`model.unit.hidden` gives 8 hidden layers; a blob holds at most 7",
            ),
            (
                "[8192, 2,",
                "[2, 8193,",
                "`model.head.hidden` gives 8193 units in a layer; a blob holds at most 8192",
            ),
            (
                "[8192, 2,",
                "[8192, 2, 2,",
                "`model.head.hidden` gives 8 hidden layers; a blob holds at most 7",
            ),
            (
                "capacity = 32768",
                "capacity = 32769",
                "`sequence.s0.capacity` gives 32769 behaviours; a blob holds at most 32768",
            ),
            (
                "[[sequence.source]]",
                "[[sequence.field]]\nname = \"brand\"\ntable = \"brand\"\n[[sequence.source]]",
                "`sequence.s0.field` gives 8193 numbers in a behaviour; a blob holds at most 8192",
            ),
        ];
        for (from, to, problem) in cases {
            assert_eq!(error(from, to), format!("job.toml: {problem}"));
        }
    }

    #[test]
    fn a_ninth_sequence_is_refused() {
        let text = JOB.to_owned() + &sequences(9);
        let error = Job::from_toml(&text, Path::new("job.toml")).unwrap_err().to_string();
        assert_eq!(error, "job.toml: `sequence` gives 9 sequences; a blob holds at most 8");
    }

    #[test]
    fn more_fields_than_a_blob_holds_are_refused() {
        let field = |index| format!("[[profile]]\nname = \"p{index}\"\nnumeric = {{}}\n");
        let text = |count| JOB.to_owned() + &(0..count).map(field).collect::<String>();
        Job::from_toml(&text(1022), Path::new("job.toml")).unwrap();
        let error = Job::from_toml(&text(1023), Path::new("job.toml")).unwrap_err().to_string();
        assert_eq!(
            error,
            "job.toml: `profile, context, candidate, sequence.field` gives 1025 fields together; a blob holds at most 1024"
        );
    }
}
