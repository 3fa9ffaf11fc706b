//! `[split]` and `[negatives]`: which samples train, which choose, which report, and where negatives come from.

use super::source::{OneOrMany, TimeUnit};
use serde::{Deserialize, Serialize};

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
