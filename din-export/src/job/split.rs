//! `[split]` and `[negatives]`: which samples train, which choose, which report, and where negatives come from.

use super::error::JobError;
use super::file::Job;
use super::source::{OneOrMany, TimeUnit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// `[split]`: what training learns from (train), what it may be chosen on (valid), what is reported (test).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SplitConfig {
    /// By the values of a column. Exactly one of `valid`, `valid_last` and `valid_fraction` is given.
    Column {
        /// The column.
        column: String,
        /// Its values for training samples.
        train: OneOrMany,
        /// Its values for validation samples.
        #[serde(default)]
        valid: Option<OneOrMany>,
        /// The last stretch of the training samples' time, such as `"1d"`, validates instead of training.
        #[serde(default)]
        valid_last: Option<Duration>,
        /// The last share of the training samples, by time, validates instead of training; in (0, 1).
        #[serde(default)]
        valid_fraction: Option<f64>,
        /// Its values for test samples.
        test: OneOrMany,
        /// Values of samples that are in no split; any other value is an error.
        #[serde(default)]
        ignore: Option<OneOrMany>,
    },
    /// By time: train, then valid, then test. Samples with equal times stay together.
    Time {
        /// The first time that validates. Give both boundaries or both fractions.
        #[serde(default)]
        valid_from: Option<i64>,
        /// The first time that tests.
        #[serde(default)]
        test_from: Option<i64>,
        /// Share of the samples that validate; in (0, 1).
        #[serde(default)]
        valid_fraction: Option<f64>,
        /// Share of the samples, the latest ones, that test; in (0, 1).
        #[serde(default)]
        test_fraction: Option<f64>,
    },
    /// By position within the user: samples at the user's last time test, those at the time before it validate for a
    /// share of the users, all others train. A user whose samples share one time only trains.
    LastPosition {
        /// Share of the users whose second-last position validates; in (0, 1].
        valid_share: f64,
        /// Of the choice of these users. Default 1.
        #[serde(default = "one")]
        seed: u64,
    },
}

/// `[negatives]`: for logs that hold positives only.
///
/// The samples' rows become positives, and each brings `per_positive` negatives with the same user, time and history,
/// whose item is drawn uniformly from the items outside the user's whole log. A user's first interaction has no
/// history and is no sample: the protocol of DIN's authors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NegativesConfig {
    /// The column of the samples that holds the item; candidate fields read it, or a side table by it.
    pub item: String,
    /// Negatives for each positive. Default 1.
    #[serde(default = "one_negative")]
    pub per_positive: usize,
    /// Users with fewer interactions are left out. Default 3.
    #[serde(default = "three")]
    pub min_interactions: usize,
    /// Of the draws. Default 1.
    #[serde(default = "one")]
    pub seed: u64,
}

/// serde takes defaults as functions.
fn one() -> u64 {
    1
}

/// serde takes defaults as functions.
fn one_negative() -> usize {
    1
}

/// serde takes defaults as functions.
fn three() -> usize {
    3
}

/// A stretch of time: a whole number followed by `d`, `h`, `m` or `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    /// Its length.
    seconds: u32,
}

impl Duration {
    /// Its length in steps of a time column.
    #[must_use]
    pub fn steps(self, unit: TimeUnit) -> i64 {
        i64::from(self.seconds) * unit.per_second()
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let seconds = match unit {
                "d" => 86_400,
                "h" => 3_600,
                "m" => 60,
                "s" => 1,
                _ => return None,
            };
            number.parse::<u32>().ok()?.checked_mul(seconds)
        };
        match parse() {
            Some(seconds) if seconds > 0 => Ok(Self { seconds }),
            _ => Err(format!("`{text}` is not a duration; write a number and d, h, m or s, such as \"1d\"")),
        }
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        format!("{}s", duration.seconds)
    }
}

impl Job {
    /// What serde cannot check of labels: they are read, or negatives are drawn.
    pub(super) fn validate_labels(&self) -> Result<(), JobError> {
        if let Some(stream) = &self.data.stream {
            if stream.window == 0 {
                return self.refuse("data.stream.window", "is 0; a window has at least one sample");
            }
            if self.negatives.is_some() {
                let problem = "excludes [negatives]; write the negatives into the samples";
                return self.refuse("data.stream", problem);
            }
        }
        let negatives = match (&self.data.label, &self.negatives) {
            (Some(_), None) => return Ok(()),
            (None, Some(negatives)) => negatives,
            (None, None) => {
                return self.refuse("data.label", "is missing; name the label's column, or add [negatives]");
            }
            (Some(_), Some(_)) => {
                return self.refuse("data.label", "excludes [negatives], which makes every row a positive");
            }
        };
        self.time_for("negatives")?;
        if negatives.per_positive == 0 {
            return self
                .refuse("negatives.per_positive", "is 0; without negatives there is nothing to learn");
        }
        if negatives.min_interactions < 2 {
            return self
                .refuse("negatives.min_interactions", "is below 2; the first interaction has no history");
        }
        match self.candidate.iter().find(|field| self.sample_column(field) != negatives.item) {
            None => Ok(()),
            Some(field) => {
                let problem = format!(
                    "reads column `{}`, which a negative would inherit from its positive; read `{}` or a side table by it",
                    self.sample_column(field),
                    negatives.item
                );
                self.refuse(format!("candidate.{}", field.name), &problem)
            }
        }
    }

    /// What serde cannot check of the split.
    pub(super) fn validate_split(&self) -> Result<(), JobError> {
        let is_share = |share: f64| share > 0.0 && share < 1.0;
        match &self.split {
            SplitConfig::Column { train, valid, valid_last, valid_fraction, test, ignore, .. } => {
                let given = [valid.is_some(), valid_last.is_some(), valid_fraction.is_some()];
                if given.iter().filter(|&&given| given).count() != 1 {
                    let problem = "needs exactly one of `valid`, `valid_last` and `valid_fraction`: \
                                   training is chosen on samples that are not the test";
                    return self.refuse("split", problem);
                }
                if valid_fraction.is_some_and(|share| !is_share(share)) {
                    return self.refuse("split.valid_fraction", "is not between 0 and 1");
                }
                if valid_last.is_some() && self.data.time_unit.is_none() {
                    return self
                        .refuse("data.time_unit", "is missing; `split.valid_last` needs it: s, ms or us");
                }
                if valid.is_none() {
                    self.time_for("split")?;
                }
                let all = [Some(train), valid.as_ref(), Some(test), ignore.as_ref()];
                let mut seen = BTreeSet::new();
                for value in all.into_iter().flatten().flat_map(OneOrMany::as_slice) {
                    if !seen.insert(value) {
                        return self.refuse("split", &format!("lists the value `{value}` twice"));
                    }
                }
                Ok(())
            }
            SplitConfig::Time { valid_from, test_from, valid_fraction, test_fraction } => {
                self.time_for("split.kind = \"time\"")?;
                match (valid_from, test_from, valid_fraction, test_fraction) {
                    (Some(valid), Some(test), None, None) if valid < test => Ok(()),
                    (Some(_), Some(_), None, None) => {
                        self.refuse("split.valid_from", "is not before `test_from`")
                    }
                    (None, None, Some(valid), Some(test)) if is_share(*valid) && is_share(*test) => {
                        if valid + test < 1.0 {
                            Ok(())
                        } else {
                            self.refuse("split.valid_fraction", "and `test_fraction` leave nothing to train on")
                        }
                    }
                    (None, None, Some(_), Some(_)) => {
                        self.refuse("split.valid_fraction", "or `test_fraction` is not between 0 and 1")
                    }
                    _ => self.refuse(
                        "split",
                        "needs both `valid_from` and `test_from`, or both `valid_fraction` and `test_fraction`",
                    ),
                }
            }
            SplitConfig::LastPosition { valid_share, .. } => {
                self.time_for("split.kind = \"last_position\"")?;
                if *valid_share > 0.0 && *valid_share <= 1.0 {
                    Ok(())
                } else {
                    self.refuse("split.valid_share", "is not above 0 and at most 1")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, TimeUnit};

    #[test]
    fn a_day_is_86_400_000_milliseconds() {
        let day = Duration::try_from("1d".to_owned()).unwrap();
        assert_eq!(day.steps(TimeUnit::Milliseconds), 86_400_000);
    }

    #[test]
    fn durations_without_a_unit_or_number_are_refused() {
        for text in ["", "1", "d", "-1d", "1w", "1.5h", "0d", "1é"] {
            assert!(Duration::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
