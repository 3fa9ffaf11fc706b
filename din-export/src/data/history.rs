//! The behaviours strictly before each sample.
//!
//! Histories that come from a log are spans of one list for each user (what is known from before the log, then the log in
//! order of time): a history is a prefix of that list, cut to the capacity, and nothing is stored twice. Histories that
//! each sample brings as a list are stored one after the other.

use super::coded::{Coded, RawValue, times};
use super::error::DataError;
use super::frame::Frame;
use super::side::SideTable;
use crate::job::{Condition, Job, SequenceConfig, SourceConfig};
use std::collections::BTreeMap;
use std::ops::Range;

/// What histories are built from.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// The samples.
    pub samples: &'a Frame,
    /// The user column of the samples, whose codes are the dense user numbers.
    pub users: &'a Coded<'a>,
    /// The time of each sample; empty if the job has no time column.
    pub times: &'a [i64],
    /// The rows of the samples' files: the samples themselves, or what negatives were drawn for.
    pub log: &'a Frame,
    /// Other logs, by the name of their sequence.
    pub logs: &'a BTreeMap<String, Frame>,
    /// Side tables by name.
    pub sides: &'a BTreeMap<&'a str, SideTable<'a>>,
}

/// The histories of one sequence, not encoded yet.
#[derive(Clone, Debug, Default)]
pub struct RawHistories<'a> {
    /// By field column; all of the pool's length.
    pub pool: BTreeMap<&'a str, Coded<'a>>,
    /// For each sample the range of the pool that is its history.
    pub spans: Vec<(u32, u32)>,
}

impl<'a> RawHistories<'a> {
    /// No behaviours yet, of fields that read these columns.
    fn new(job: &'a Job, sequence: &'a SequenceConfig) -> Self {
        let columns = sequence.fields.iter().map(|field| (job.sample_column(field), Coded::default()));
        Self { pool: columns.collect(), spans: Vec::new() }
    }

    fn len(&self) -> usize {
        self.pool.values().next().map_or(0, Coded::len)
    }

    /// Appends behaviours; `lists` has as many as there are columns, of equal length.
    fn extend(&mut self, lists: &Lists<'a>, range: Range<usize>) {
        for (column, list) in self.pool.values_mut().zip(&lists.elements) {
            let own = list[range.clone()].iter();
            own.for_each(|element| column.push(RawValue::new(element, lists.frame, lists.row)));
        }
    }
}

/// Builds the histories of a sequence.
///
/// # Errors
/// `ListLengths`, `Value` for a time that is not a whole number or a condition's column that is not a number, `TooMany`.
pub fn build<'a>(
    job: &'a Job,
    sequence: &'a SequenceConfig,
    tables: Tables<'a>,
) -> Result<RawHistories<'a>, DataError> {
    let mut histories = RawHistories::new(job, sequence);
    if matches!(sequence.sources[0], SourceConfig::List { .. }) {
        build_from_lists(sequence, tables, &mut histories)?;
    } else {
        build_from_users(job, sequence, tables, &mut histories)?;
    }
    match u32::try_from(histories.len()) {
        Ok(_) => Ok(histories),
        Err(_) => {
            Err(DataError::TooMany { file: job.file.clone(), what: format!("sequence.{}", sequence.name) })
        }
    }
}

/// The lists of one row, aligned: `elements[c][i]` is behaviour i's value in column c.
pub(super) struct Lists<'a> {
    frame: &'a Frame,
    row: usize,
    pub(super) elements: Vec<Vec<&'a str>>,
}

impl<'a> Lists<'a> {
    /// Splits the list columns of a row.
    pub(super) fn split<'c>(
        frame: &'a Frame,
        row: usize,
        columns: impl Iterator<Item = &'c str> + Clone,
        separator: &str,
    ) -> Result<Self, DataError> {
        let split = |column: &str| match frame.column(column).get(row) {
            "" => Vec::new(),
            list => list.split(separator).map(str::trim).collect(),
        };
        let elements: Vec<Vec<&str>> = columns.clone().map(split).collect();
        let expected = elements.first().map_or(0, Vec::len);
        let other = columns.clone().next().unwrap_or_default();
        match columns.zip(&elements).find(|(_, list)| list.len() != expected) {
            None => Ok(Self { frame, row, elements }),
            Some((column, list)) => Err(DataError::ListLengths {
                at: frame.location(row),
                column: column.to_owned(),
                found: list.len(),
                other: other.to_owned(),
                expected,
            }),
        }
    }

    /// Behaviours.
    pub(super) fn len(&self) -> usize {
        self.elements.first().map_or(0, Vec::len)
    }
}

/// Each sample brings its own history.
fn build_from_lists<'a>(
    sequence: &'a SequenceConfig,
    tables: Tables<'a>,
    histories: &mut RawHistories<'a>,
) -> Result<(), DataError> {
    for row in 0..tables.samples.rows() {
        let start = histories.len();
        let mut own = Vec::new();
        for source in &sequence.sources {
            if let SourceConfig::List { separator, .. } = source {
                let columns = histories.pool.keys().map(|column| source.column(column));
                own.push(Lists::split(tables.samples, row, columns, separator)?);
            }
        }
        let mut drop = own.iter().map(Lists::len).sum::<usize>().saturating_sub(sequence.capacity);
        for lists in &own {
            let dropped = drop.min(lists.len());
            drop -= dropped;
            histories.extend(lists, dropped..lists.len());
        }
        histories.spans.push((start as u32, histories.len() as u32));
    }
    Ok(())
}

/// One list for each user, of which each sample's history is a prefix.
fn build_from_users<'a>(
    job: &'a Job,
    sequence: &'a SequenceConfig,
    tables: Tables<'a>,
    histories: &mut RawHistories<'a>,
) -> Result<(), DataError> {
    let log = sequence.sources.last().filter(|source| matches!(source, SourceConfig::Log { .. }));
    let log = log.map(|source| Log::new(job, sequence, source, tables)).transpose()?;
    // Where each user's list, and the log's part of it, start.
    let mut starts = Vec::new();
    for (user, value) in tables.users.interner().distinct().iter().enumerate() {
        let start = histories.len();
        for source in &sequence.sources {
            let SourceConfig::UserList { side, separator, .. } = source else { continue };
            let side = &tables.sides[side.as_str()];
            if let Some(row) = side.row(value.text) {
                let columns = histories.pool.keys().map(|column| source.column(column));
                let lists = Lists::split(side.frame(), row, columns, separator)?;
                histories.extend(&lists, 0..lists.len());
            }
        }
        starts.push((start, histories.len()));
        if let Some(log) = &log {
            log.append(user as u32, &mut histories.pool);
        }
    }
    for (sample, &user) in tables.users.codes().iter().enumerate() {
        let (start, log_start) = starts[user as usize];
        let before = log.as_ref().map_or(0, |log| {
            let time = tables.times[sample];
            log.events(user).partition_point(|event| event.time < time)
        });
        let end = log_start + before;
        histories.spans.push((start.max(end.saturating_sub(sequence.capacity)) as u32, end as u32));
    }
    Ok(())
}

/// A row of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    user: u32,
    time: i64,
    row: usize,
}

/// A log, by user and time.
struct Log<'a> {
    frame: &'a Frame,
    source: &'a SourceConfig,
    /// Sorted.
    events: Vec<Event>,
    /// The events of user u are `events[starts[u]..starts[u + 1]]`.
    starts: Vec<usize>,
}

impl<'a> Log<'a> {
    fn new(
        job: &'a Job,
        sequence: &'a SequenceConfig,
        source: &'a SourceConfig,
        tables: Tables<'a>,
    ) -> Result<Self, DataError> {
        let frame = tables.logs.get(&sequence.name).unwrap_or(tables.log);
        let (user, time) = log_columns(job, source);
        let users = frame.column(user);
        let times = times(frame, time)?;
        let keep = match source {
            SourceConfig::Log { condition: Some(condition), .. } => Some(matching(frame, condition)?),
            _ => None,
        };
        let mut events = Vec::new();
        for (row, &time) in times.iter().enumerate() {
            let kept = keep.as_ref().is_none_or(|keep| keep[row]);
            if let (true, Some(user)) = (kept, tables.users.interner().known(users.get(row))) {
                events.push(Event { user, time, row });
            }
        }
        events.sort_unstable();
        let count = tables.users.interner().distinct().len() as u32;
        let starts = (0..=count).map(|user| events.partition_point(|event| event.user < user)).collect();
        Ok(Self { frame, source, events, starts })
    }

    /// Appends the events of a user to the columns of a pool.
    fn append(&self, user: u32, pool: &mut BTreeMap<&'a str, Coded<'a>>) {
        for (field_column, entries) in pool {
            let cells = self.frame.column(self.source.column(field_column));
            for event in self.events(user) {
                entries.push(RawValue::new(cells.get(event.row), self.frame, event.row));
            }
        }
    }

    /// The events of a user, in order of time.
    fn events(&self, user: u32) -> &[Event] {
        &self.events[self.starts[user as usize]..self.starts[user as usize + 1]]
    }
}

/// The user and time columns of a log.
pub(super) fn log_columns<'a>(job: &'a Job, source: &'a SourceConfig) -> (&'a str, &'a str) {
    let (user, time) = match source {
        SourceConfig::Log { user, time, .. } => (user.as_deref(), time.as_deref()),
        _ => (None, None),
    };
    let own_time = job.data.time.as_deref().unwrap_or_default();
    (user.unwrap_or(&job.data.user), time.unwrap_or(own_time))
}

/// Which rows of a log meet a condition.
pub(super) fn matching(frame: &Frame, condition: &Condition) -> Result<Vec<bool>, DataError> {
    let column = frame.column(&condition.column);
    let accepts = |text: &str| condition.equals.as_ref().is_none_or(|accepted| accepted.contains(text));
    let mut keep: Vec<bool> = column.iter().map(accepts).collect();
    if let Some(least) = condition.at_least {
        let numbers = Coded::from_column(frame, column).numbers(&condition.column)?;
        keep.iter_mut().zip(numbers).for_each(|(keep, number)| *keep &= f64::from(number) >= least);
    }
    Ok(keep)
}
