//! How often something is done: by steps or by time.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// `"1000steps"`, `"90s"`, `"5min"`, `"2h"` or `"never"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Interval {
    /// After so many steps.
    Steps(u64),
    /// After so many seconds.
    Seconds(u64),
    /// Not at all.
    Never,
}

impl Interval {
    /// Whether it has passed: `steps` and `time` since the last time.
    #[must_use]
    pub fn is_due(self, steps: u64, time: Duration) -> bool {
        match self {
            Self::Steps(every) => steps >= every,
            Self::Seconds(every) => time >= Duration::from_secs(every),
            Self::Never => false,
        }
    }
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: Option<u64> = number.parse().ok().filter(|&number| number > 0);
        let seconds = |each| number.and_then(|number| number.checked_mul(each)).map(Self::Seconds);
        let interval = match unit.trim_start() {
            "never" if digits == 0 => Some(Self::Never),
            "steps" | "step" => number.map(Self::Steps),
            "s" => seconds(1),
            "min" | "m" => seconds(60),
            "h" => seconds(3600),
            _ => None,
        };
        interval.ok_or_else(|| {
            format!(
                "`{text}` is not an interval; write a number and steps, s, min or h, such as \"1000steps\" or \
                 \"5min\", or \"never\""
            )
        })
    }
}

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(steps) => write!(out, "{steps}steps"),
            Self::Seconds(seconds) => write!(out, "{seconds}s"),
            Self::Never => write!(out, "never"),
        }
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_a_number_and_a_unit() {
        let read = |text: &str| text.parse::<Interval>();
        assert_eq!(read("1000steps"), Ok(Interval::Steps(1000)));
        assert_eq!((read("5min"), read("2 h")), (Ok(Interval::Seconds(300)), Ok(Interval::Seconds(7200))));
        assert_eq!(read("never"), Ok(Interval::Never));
        for text in ["", "5", "min", "0steps", "-1s", "1.5h", "5 fortnights", "3never"] {
            assert!(read(text).unwrap_err().contains("\"5min\""), "{text}");
        }
        for interval in [Interval::Steps(3), Interval::Seconds(61), Interval::Never] {
            assert_eq!(interval.to_string().parse(), Ok(interval));
        }
    }
}
