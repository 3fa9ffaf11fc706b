//! `[tune]`: ranges of the job's keys, and how they are searched.

use super::compare::MOST_SEEDS;
use super::error::JobError;
use super::file::Job;
use super::nearest::Suggestion;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// Most settings of a search.
const MOST_TRIALS: usize = 1_000_000;

/// `[tune]`: what `din-export tune` searches.
///
/// ```toml
/// [tune]
/// trials = 60
/// rungs = [2, 5]
///
/// [tune.ranges]
/// training.optimizer.learning_rate = { log_uniform = [1e-4, 1e-2] }
/// training.dropout = { uniform = [0.0, 0.5] }
/// model.unit.hidden = { choice = [[36], [80, 40]] }
/// tables."*".dim = { choice = [8, 16, 32] }
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TuneConfig {
    /// Settings that are tried, the job's own among them, as trial 0. Default 32.
    pub trials: usize,
    /// Of the draws. Default 1.
    pub seed: u64,
    /// Epochs after which the worse trials end, rising; those that are left run to their `training.epochs`. By default none
    /// end early.
    pub rungs: Vec<usize>,
    /// Share of the trials that goes on from a rung, rounded up; in (0, 1]. Default 1/3.
    pub keep: f64,
    /// The share `keep` of those that ran to the end is trained with so many seeds, `training.seed` and the next ones, and
    /// the best mean is chosen. Default 1.
    pub seeds: u64,
    /// Trials side by side, which share the threads; by default each has one thread.
    pub side_by_side: Option<usize>,
    /// `[tune.ranges]`: keys of `model`, `training` and `tables.NAME.dim`, as the job has them; `tables."*"` stands for every
    /// table. The value is one of `{ log_uniform = [from, to] }`, `{ uniform = [from, to] }` (both ends included) and
    /// `{ choice = [..] }`, whose entries may be tables of several keys.
    pub ranges: Table,
}

impl Default for TuneConfig {
    fn default() -> Self {
        Self {
            trials: 32,
            seed: 1,
            rungs: Vec::new(),
            keep: 1.0 / 3.0,
            seeds: 1,
            side_by_side: None,
            ranges: Table::new(),
        }
    }
}

/// Values that a key may take.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// Between two numbers, the logarithm uniform.
    LogUniform(f64, f64),
    /// Between two numbers.
    Uniform(f64, f64),
    /// One of these.
    Choice(Vec<Value>),
}

/// One entry of `[tune.ranges]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Searched {
    /// From the job's root.
    pub path: Vec<String>,
    /// Its values.
    pub range: Range,
    /// Whether the job's own value is a whole number, which drawn ones are too.
    pub whole: bool,
}

impl Searched {
    /// As in `[tune.ranges]`, for people.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.join(".")
    }

    /// The last two keys, which tell the entries apart where there is little room.
    #[must_use]
    pub fn short_name(&self) -> String {
        self.path[self.path.len().saturating_sub(2)..].join(".")
    }

    /// The table that sets the key to `value`.
    #[must_use]
    pub fn set(&self, value: Value) -> Table {
        let mut value = value;
        for key in self.path.iter().rev() {
            value = Value::Table(Table::from_iter([(key.clone(), value)]));
        }
        match value {
            Value::Table(table) => table,
            _ => unreachable!("a path has at least one key"),
        }
    }

    /// What a job has there, of all its keys.
    #[must_use]
    pub fn own_value(&self, job: &Table) -> Option<Value> {
        find(job, &self.path).cloned()
    }

    /// Its smallest and largest value, or all choices.
    #[must_use]
    pub fn extremes(&self) -> Vec<Value> {
        match &self.range {
            Range::LogUniform(from, to) | Range::Uniform(from, to) => {
                [*from, *to].map(|end| self.number(end)).into()
            }
            Range::Choice(values) => values.clone(),
        }
    }

    /// The value at a position in [0, 1) of the range, each as likely as its kind says. A whole number stands for what rounds
    /// to it, so that the ends have the chance of the others.
    #[must_use]
    pub fn at(&self, position: f64) -> Value {
        let margin = if self.whole { 0.5 } else { 0.0 };
        let between = |from: f64, to: f64| from + position * (to - from);
        match &self.range {
            Range::Choice(values) => values[(position * values.len() as f64) as usize].clone(),
            Range::Uniform(from, to) => self.number(between(from - margin, to + margin).clamp(*from, *to)),
            Range::LogUniform(from, to) => {
                let drawn = between((from - margin).ln(), (to + margin).ln()).exp();
                self.number(drawn.clamp(*from, *to))
            }
        }
    }

    /// A number in the key's type, to three significant digits, so that tables and job files show what was trained.
    #[must_use]
    pub fn number(&self, number: f64) -> Value {
        if self.whole {
            return Value::Integer(number.round() as i64);
        }
        Value::Float(format!("{number:.2e}").parse().expect("a number that was just written"))
    }
}

const KINDS: [&str; 3] = ["log_uniform", "uniform", "choice"];

impl Job {
    /// The ranges of `[tune]`, in the order of their keys, each of whose ends makes a valid job.
    ///
    /// # Errors
    /// Where there is no `[tune]`, or something of it cannot be used.
    pub fn searched(&self) -> Result<Vec<Searched>, JobError> {
        let Some(config) = &self.tune else {
            return self.refuse("tune", "is missing; add [tune.ranges] with the keys to search");
        };
        if !(1..=MOST_TRIALS).contains(&config.trials) {
            return self.refuse("tune.trials", "must be in [1, 1000000]");
        }
        if !(config.keep > 0.0 && config.keep <= 1.0) {
            return self.refuse("tune.keep", &format!("is {}: it must be in (0, 1]", config.keep));
        }
        if !(1..=MOST_SEEDS).contains(&config.seeds) {
            return self.refuse("tune.seeds", "must be in [1, 1000]");
        }
        if config.side_by_side == Some(0) {
            return self.refuse("tune.side_by_side", "is 0; one trial at a time is 1");
        }
        if config.rungs.first() == Some(&0) || !config.rungs.is_sorted_by(|a, b| a < b) {
            return self.refuse("tune.rungs", "must be epochs that rise, from 1 on, such as [1, 3, 9]");
        }
        if self.training.train_on_valid {
            return self
                .refuse("training.train_on_valid", "is set: nothing can be chosen on samples that train");
        }
        let mut searched = Vec::new();
        self.collect(&config.ranges, &mut Vec::new(), &mut searched)?;
        if searched.is_empty() && config.trials > 1 {
            return self.refuse("tune.ranges", "is empty; name the keys to search");
        }
        for entry in &searched {
            for value in entry.extremes() {
                self.changed(&entry.set(value), &at(&entry.path))?;
            }
        }
        Ok(searched)
    }

    /// Goes down to the ranges.
    fn collect(
        &self,
        table: &Table,
        path: &mut Vec<String>,
        searched: &mut Vec<Searched>,
    ) -> Result<(), JobError> {
        for (key, value) in table {
            path.push(key.clone());
            match value.as_table() {
                Some(inner) if inner.keys().any(|key| KINDS.contains(&key.as_str())) => {
                    searched.push(self.entry(path, inner)?);
                }
                Some(inner) if !inner.is_empty() => self.collect(inner, path, searched)?,
                _ => {
                    let suggestion = Suggestion::new(key, KINDS);
                    let expected = "is no range: write { log_uniform = [from, to] }, { uniform = [from, to] } or { choice = [..] }";
                    return self.refuse(at(path), &format!("{expected}{suggestion}"));
                }
            }
            path.pop();
        }
        Ok(())
    }

    fn entry(&self, path: &[String], range: &Table) -> Result<Searched, JobError> {
        self.check_searchable(path)?;
        let table = self.to_table();
        let own = find(&table, path);
        let mut entries = range.iter();
        let (Some((kind, value)), None) = (entries.next(), entries.next()) else {
            return self.refuse(
                at(path),
                "has several keys; a range has one of `log_uniform`, `uniform` and `choice`",
            );
        };
        let Some(values) = value.as_array().filter(|values| !values.is_empty()) else {
            return self.refuse(at(path), &format!("has a `{kind}` that is no list with values"));
        };
        let whole = matches!(own, Some(Value::Integer(_)));
        let range = match kind.as_str() {
            "choice" => Range::Choice(values.clone()),
            _ => {
                let (from, to) = self.ends(path, kind, values)?;
                if !matches!(own, Some(Value::Integer(_) | Value::Float(_))) {
                    return self.refuse(
                        at(path),
                        &format!("is no number in the job, and `{kind}` draws numbers; use `choice`"),
                    );
                }
                if whole && (from.fract(), to.fract()) != (0.0, 0.0) {
                    let problem = format!(
                        "runs from {from} to {to}, and the job's own value is a whole number; write whole ends"
                    );
                    return self.refuse(at(path), &problem);
                }
                if kind == "log_uniform" { Range::LogUniform(from, to) } else { Range::Uniform(from, to) }
            }
        };
        Ok(Searched { path: path.to_vec(), range, whole })
    }

    fn ends(&self, path: &[String], kind: &str, values: &[Value]) -> Result<(f64, f64), JobError> {
        let number =
            |value: &Value| value.as_float().or_else(|| value.as_integer().map(|value| value as f64));
        let numbers: Vec<f64> = values.iter().filter_map(number).collect();
        let (&[from, to], 2) = (&numbers[..], values.len()) else {
            return self.refuse(at(path), &format!("has a `{kind}` that is not two numbers, from and to"));
        };
        if !(from.is_finite() && to.is_finite() && from < to) {
            return self.refuse(
                at(path),
                &format!("runs from {from} to {to}, which is empty; write the smaller number first"),
            );
        }
        if kind == "log_uniform" && from <= 0.0 {
            return self.refuse(
                at(path),
                &format!("starts at {from}, which has no logarithm; start above 0 or use `uniform`"),
            );
        }
        Ok((from, to))
    }

    /// Trials share the data, and are compared by one metric.
    fn check_searchable(&self, path: &[String]) -> Result<(), JobError> {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        match keys[..] {
            ["tables", _, "dim"] | ["model", _, ..] => Ok(()),
            ["training", "seed"] => {
                self.refuse(at(path), "is no setting to choose; `tune.seeds` trains with several")
            }
            ["training", "train_on_valid"] => {
                self.refuse(at(path), "is no setting to choose: nothing can be chosen on samples that train")
            }
            ["training", "select_on" | "checkpoint" | "log_every", ..] => {
                self.refuse(at(path), "is the same for all trials")
            }
            ["training", _, ..] => Ok(()),
            _ => {
                let problem = "is nothing to search: trials share the data, and differ in model, training and tables.NAME.dim";
                self.refuse(at(path), problem)
            }
        }
    }
}

/// The key in the job file.
fn at(path: &[String]) -> String {
    format!("tune.ranges.{}", path.join("."))
}

/// The value at a path; that of the first table where it says `*`.
fn find<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (key, rest) = path.split_first()?;
    let value = if key == "*" { table.values().next() } else { table.get(key) }?;
    if rest.is_empty() { Some(value) } else { find(value.as_table()?, rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(tune: &str) -> Job {
        crate::job::shipped_with(&format!("[tune]\n{tune}"))
    }

    #[test]
    fn ranges_are_read_with_the_type_of_the_jobs_own_value() {
        let job = job("[tune.ranges]\ntraining.regularization.lambda = { log_uniform = [1, 1000] }\n\
                       training.batch_size = { log_uniform = [64, 1024] }\n\
                       tables.\"*\".dim = { choice = [4, 8] }\n");
        let searched = job.searched().unwrap();
        let names: Vec<String> = searched.iter().map(Searched::name).collect();
        assert_eq!(names, ["tables.*.dim", "training.batch_size", "training.regularization.lambda"]);
        assert_eq!(searched[1].number(99.7), Value::Integer(100));
        assert_eq!(searched[2].number(99.768), Value::Float(99.8));
        let changed = job.changed(&searched[0].set(Value::Integer(4)), "here").unwrap();
        assert!(changed.tables.values().all(|table| table.dim == 4));
    }

    #[test]
    fn every_whole_number_of_a_range_has_its_chance() {
        let job = job("[tune.ranges]\ntraining.epochs = { uniform = [1, 4] }\n\
                       training.patience = { uniform = [0, 3] }\ntraining.batch_size = { log_uniform = [1, 8] }\n");
        let searched = job.searched().unwrap();
        const POSITIONS: i64 = 8000;
        let share = |entry: &Searched, number: i64| {
            let at = |position: i64| entry.at(position as f64 / POSITIONS as f64);
            (0..POSITIONS).filter(|&position| at(position) == Value::Integer(number)).count() as f64
                / POSITIONS as f64
        };
        let [batch, epochs, patience] = &searched[..] else { panic!("{searched:?}") };
        for number in 0..4 {
            assert_eq!((share(epochs, number + 1), share(patience, number)), (0.25, 0.25), "{number}");
        }
        // The logarithm is uniform over what rounds to the number: ln(1.5 / 0.5) of ln(8.5 / 0.5), ln(8.5 / 7.5) of it.
        for (number, expected) in [(1, 0.3878), (8, 0.0442), (0, 0.0), (9, 0.0)] {
            assert!((share(batch, number) - expected).abs() < 1e-3, "{number}: {}", share(batch, number));
        }
    }

    #[test]
    fn a_range_that_cannot_be_searched_is_refused_by_file_and_key() {
        let cases = [
            (
                "training.dropout = { uniform = [0.5, 0.1] }",
                "training.dropout` runs from 0.5 to 0.1, which is empty; write the smaller number first",
            ),
            (
                "training.dropout = { log_uniform = [0, 0.1] }",
                "training.dropout` starts at 0, which has no logarithm; start above 0 or use `uniform`",
            ),
            (
                "training.epochs = { log_uniform = [0.5, 3] }",
                "training.epochs` runs from 0.5 to 3, and the job's own value is a whole number; write whole ends",
            ),
            (
                "training.dropout = { uniform = [0.1] }",
                "training.dropout` has a `uniform` that is not two numbers, from and to",
            ),
            (
                "training.dropout = { choice = [] }",
                "training.dropout` has a `choice` that is no list with values",
            ),
            (
                "training.dropout = { choice = [\"much\"] }",
                "training.dropout` makes no job: invalid type: string \"much\", expected f64",
            ),
            (
                "training.dropuot = { choice = [0.1] }",
                "training.dropuot` has the unknown key `dropuot`; the nearest valid name is `dropout`",
            ),
            (
                "training.dropout = { choise = [0.1] }",
                "training.dropout.choise` is no range: write { log_uniform = [from, to] }, { uniform = [from, to] } or { choice = [..] }; the nearest valid name is `choice`",
            ),
            (
                "model.pooling = { uniform = [0, 1] }",
                "model.pooling` is no number in the job, and `uniform` draws numbers; use `choice`",
            ),
            (
                "model.head.hidden = { choice = [[80], [8193]] }",
                "model.head.hidden` makes a job that is refused: `model.head.hidden` gives 8193 units in a layer; a blob holds at most 8192",
            ),
            (
                "training.seed = { choice = [1, 2] }",
                "training.seed` is no setting to choose; `tune.seeds` trains with several",
            ),
            (
                "training.train_on_valid = { choice = [false, true] }",
                "training.train_on_valid` is no setting to choose: nothing can be chosen on samples that train",
            ),
            (
                "tables.tag.min_count = { choice = [1, 2] }",
                "tables.tag.min_count` is nothing to search: trials share the data, and differ in model, training and tables.NAME.dim",
            ),
        ];
        for (range, problem) in cases {
            let error = job(&format!("[tune.ranges]\n{range}\n")).searched().unwrap_err().to_string();
            assert_eq!(error, format!("job.toml: `tune.ranges.{problem}"));
        }
    }

    #[test]
    fn a_search_without_sense_is_refused_by_key() {
        let ranges = "[tune.ranges]\ntraining.dropout = { choice = [0.1] }\n";
        let cases = [
            ("trials = 0", "trials` must be in [1, 1000000]"),
            ("keep = 0.0", "keep` is 0: it must be in (0, 1]"),
            ("rungs = [3, 3]", "rungs` must be epochs that rise, from 1 on, such as [1, 3, 9]"),
            ("rungs = [0, 3]", "rungs` must be epochs that rise, from 1 on, such as [1, 3, 9]"),
            ("seeds = 0", "seeds` must be in [1, 1000]"),
            ("side_by_side = 0", "side_by_side` is 0; one trial at a time is 1"),
        ];
        for (setting, problem) in cases {
            let error = job(&format!("{setting}\n{ranges}")).searched().unwrap_err().to_string();
            assert_eq!(error, format!("job.toml: `tune.{problem}"));
        }
        let mut fixed = job(ranges);
        fixed.training.train_on_valid = true;
        let error = fixed.searched().unwrap_err().to_string();
        let problem = "is set: nothing can be chosen on samples that train";
        assert_eq!(error, format!("job.toml: `training.train_on_valid` {problem}"));
        let error = job("").searched().unwrap_err().to_string();
        assert_eq!(error, "job.toml: `tune.ranges` is empty; name the keys to search");
    }
}
