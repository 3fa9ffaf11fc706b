//! Which samples train, which choose, which report.

use super::error::DataError;
use super::frame::Frame;
use crate::job::nearest::Suggestion;
use crate::job::{Job, OneOrMany, SplitConfig};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// What a sample is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// To learn from.
    Train,
    /// To choose on.
    Valid,
    /// To report.
    Test,
    /// Nothing.
    Unused,
}

/// Sample indices by split, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    /// To learn from: with `training.train_on_valid` those to choose on too.
    pub train: Vec<u32>,
    /// To choose on.
    pub valid: Vec<u32>,
    /// To report.
    pub test: Vec<u32>,
}

/// Splits the samples as the job says. `users: [S]` are dense numbers; `times: [S]` may be empty if the job needs none.
///
/// # Errors
/// `UnknownSplit` and `EmptySplit`.
pub fn split(job: &Job, samples: &Frame, users: &[u32], times: &[i64]) -> Result<Splits, DataError> {
    let parts = match &job.split {
        SplitConfig::Column { column, train, valid, valid_last, valid_fraction, test, ignore } => {
            let named = [
                (Some(train), Part::Train),
                (valid.as_ref(), Part::Valid),
                (Some(test), Part::Test),
                (ignore.as_ref(), Part::Unused),
            ];
            let mut parts = by_column(samples, column, &named)?;
            let trains = |(&part, &time): (&Part, &i64)| (part == Part::Train).then_some(time);
            let mut train_times: Vec<i64> = parts.iter().zip(times).filter_map(trains).collect();
            train_times.sort_unstable();
            if let (Some(stretch), Some(unit), Some(&last)) =
                (valid_last, job.data.time_unit, train_times.last())
            {
                validate_from(&mut parts, times, last - stretch.steps(unit) + 1);
            }
            if let (Some(share), false) = (valid_fraction, train_times.is_empty()) {
                validate_from(&mut parts, times, quantile(&train_times, 1.0 - share));
            }
            parts
        }
        SplitConfig::Time { valid_from: Some(valid), test_from: Some(test), .. } => {
            by_time(times, *valid, *test)
        }
        SplitConfig::Time { valid_fraction, test_fraction, .. } => {
            let (valid, test) = (valid_fraction.unwrap_or(0.0), test_fraction.unwrap_or(0.0));
            let mut sorted = times.to_vec();
            sorted.sort_unstable();
            by_time(times, quantile(&sorted, 1.0 - valid - test), quantile(&sorted, 1.0 - test))
        }
        SplitConfig::LastPosition { valid_share, seed } => {
            by_last_position(users, times, *valid_share, *seed)
        }
    };
    let indices = |wanted: &[Part]| -> Vec<u32> {
        let own = |(index, part): (usize, &Part)| wanted.contains(part).then_some(index as u32);
        parts.iter().enumerate().filter_map(own).collect()
    };
    let trains: &[Part] =
        if job.training.train_on_valid { &[Part::Train, Part::Valid] } else { &[Part::Train] };
    let splits =
        Splits { train: indices(trains), valid: indices(&[Part::Valid]), test: indices(&[Part::Test]) };
    for (split, samples) in [("train", &splits.train), ("valid", &splits.valid), ("test", &splits.test)] {
        if samples.is_empty() {
            return Err(DataError::EmptySplit { file: job.file.clone(), split });
        }
    }
    Ok(splits)
}

/// The part whose values hold the sample's.
pub(super) fn by_column(
    samples: &Frame,
    column: &str,
    named: &[(Option<&OneOrMany>, Part)],
) -> Result<Vec<Part>, DataError> {
    let part = |(row, text): (usize, &str)| {
        let found = named.iter().find(|(values, _)| values.is_some_and(|values| values.contains(text)));
        found.map(|&(_, part)| part).ok_or_else(|| {
            let valid = named.iter().filter_map(|(values, _)| *values).flat_map(OneOrMany::as_slice);
            DataError::UnknownSplit {
                at: samples.location(row),
                column: column.to_owned(),
                found: text.to_owned(),
                suggestion: Suggestion::new(text, valid.map(String::as_str)),
            }
        })
    };
    samples.column(column).iter().enumerate().map(part).collect()
}

/// Training samples at or after `from` validate.
pub(super) fn validate_from(parts: &mut [Part], times: &[i64], from: i64) {
    for (part, &time) in parts.iter_mut().zip(times) {
        if *part == Part::Train && time >= from {
            *part = Part::Valid;
        }
    }
}

/// The time at which a share of the sorted, non-empty times has passed.
fn quantile(sorted: &[i64], share: f64) -> i64 {
    sorted[quantile_index(sorted.len(), share).unwrap_or(0)]
}

/// Where the time at which a share has passed is among so many sorted ones; `None` without any.
pub(super) fn quantile_index(count: usize, share: f64) -> Option<usize> {
    let index = (share * count as f64).round() as usize;
    Some(index.min(count.checked_sub(1)?))
}

/// By two boundaries.
pub(super) fn by_time(times: &[i64], valid_from: i64, test_from: i64) -> Vec<Part> {
    let part = |&time: &i64| match time {
        _ if time >= test_from => Part::Test,
        _ if time >= valid_from => Part::Valid,
        _ => Part::Train,
    };
    times.iter().map(part).collect()
}

/// The last time of each user tests, the one before it validates for a share of the users.
fn by_last_position(users: &[u32], times: &[i64], valid_share: f64, seed: u64) -> Vec<Part> {
    let mut positions = LastPositions::default();
    users.iter().zip(times).for_each(|(&user, &time)| positions.observe(user, time));
    positions.choose(valid_share, seed);
    users.iter().zip(times).map(|(&user, &time)| positions.part(user, time)).collect()
}

/// The latest times of each user, and who validates.
#[derive(Clone, Debug, Default)]
pub(super) struct LastPositions {
    /// By user.
    latest: Vec<Latest>,
    validates: Vec<bool>,
}

/// A user's two latest distinct times.
#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    last: Option<i64>,
    second: Option<i64>,
}

impl LastPositions {
    /// A sample; users are dense numbers.
    pub(super) fn observe(&mut self, user: u32, time: i64) {
        if self.latest.len() <= user as usize {
            self.latest.resize(user as usize + 1, Latest::default());
        }
        let own = &mut self.latest[user as usize];
        if own.last.is_none_or(|last| time > last) {
            *own = Latest { last: Some(time), second: own.last };
        } else if own.last != Some(time) {
            own.second = own.second.max(Some(time));
        }
    }

    /// Chooses who validates, once all samples were observed.
    pub(super) fn choose(&mut self, valid_share: f64, seed: u64) {
        let count = self.latest.len();
        // Only users with a test sample and one before it can validate.
        let mut chosen: Vec<usize> = (0..count).filter(|&user| self.latest[user].second.is_some()).collect();
        let keep = (valid_share * chosen.len() as f64).round() as usize;
        chosen.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        self.validates = vec![false; count];
        chosen.iter().take(keep).for_each(|&user| self.validates[user] = true);
    }

    /// Of a sample that was observed.
    pub(super) fn part(&self, user: u32, time: i64) -> Part {
        let own = self.latest[user as usize];
        match own.second {
            Some(_) if own.last == Some(time) => Part::Test,
            Some(second) if second == time && self.validates[user as usize] => Part::Valid,
            _ => Part::Train,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, by_last_position, by_time, quantile, validate_from};

    #[test]
    fn equal_times_are_never_on_both_sides_of_a_boundary() {
        let times = [1, 2, 2, 2, 3, 4];
        let parts = by_time(&times, quantile(&times, 0.5), quantile(&times, 0.9));
        assert_eq!(parts[0], Part::Train);
        assert_eq!(parts[1..5], [Part::Valid; 4]);
        assert_eq!(parts[5], Part::Test);
    }

    #[test]
    fn only_training_samples_move_to_validation() {
        let mut parts = [Part::Train, Part::Train, Part::Test];
        validate_from(&mut parts, &[1, 2, 2], 2);
        assert_eq!(parts, [Part::Train, Part::Valid, Part::Test]);
    }

    #[test]
    fn the_last_time_tests_and_the_one_before_validates() {
        // The positive and the negative of a position share its time and so its split.
        let users = [0, 0, 0, 0, 0, 0, 1];
        let times = [3, 3, 1, 1, 2, 2, 9];
        let parts = by_last_position(&users, &times, 1.0, 1);
        let expected =
            [Part::Test, Part::Test, Part::Train, Part::Train, Part::Valid, Part::Valid, Part::Train];
        assert_eq!(parts, expected);
    }

    #[test]
    fn the_share_of_validating_users_is_exact_and_depends_on_the_seed() {
        let users: Vec<u32> = (0..100).flat_map(|user| [user; 3]).collect();
        let times: Vec<i64> = (0..100).flat_map(|_| [1, 2, 3]).collect();
        let parts = |seed| by_last_position(&users, &times, 0.1, seed);
        assert_eq!(parts(1).iter().filter(|&&part| part == Part::Valid).count(), 10);
        assert_eq!(parts(1), parts(1));
        assert_ne!(parts(1), parts(2));
    }
}
