//! Coded rows on their way to blocks, in files by user, so that the rows of a user and all that the user did meet in memory.
//!
//! A sample is `user (u32) || time (i64) || label (u8) || part (u8) || plain columns (4 bytes each)`, then for each sequence of
//! lists `behaviours (u32) || columns (4 bytes each)`; an event is `user (u32) || time (i64) || columns (4 bytes each)`.

use super::block;
use crate::data::dataset::{Dataset, FieldColumn, Samples};
use crate::data::error::DataError;
use crate::data::split::Part;
use crate::schema::{FieldKind, Schema};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where the histories of a sequence come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HistoryKind {
    /// Each sample brings its own.
    Lists,
    /// From what the user did before.
    Events,
}

/// A behaviour on its way.
pub(super) struct Event<'a> {
    pub(super) user: u32,
    /// `i64::MIN` for what is known from before the log.
    pub(super) time: i64,
    /// Rows, or the bits of numbers.
    pub(super) fields: &'a [u32],
}

/// A sample on its way.
pub(super) struct Sample<'a> {
    pub(super) user: u32,
    pub(super) time: i64,
    pub(super) label: f32,
    pub(super) part: Part,
    /// Of profile, context and candidate: rows, or the bits of numbers.
    pub(super) fields: &'a [u32],
    /// For each sequence of lists, field by field.
    pub(super) lists: &'a [Vec<u32>],
}

/// The files: for each partition one of samples, and one of events for each sequence that has them.
pub(super) struct Spill {
    folder: PathBuf,
    kinds: Vec<HistoryKind>,
    /// `[partitions][1 + sequences]`.
    files: Vec<Vec<Option<BufWriter<File>>>>,
    record: Vec<u8>,
    /// Samples so far.
    pub(super) samples: u64,
}

impl Spill {
    pub(super) fn create(
        folder: &Path,
        partitions: usize,
        kinds: Vec<HistoryKind>,
    ) -> Result<Self, DataError> {
        let mut files = Vec::with_capacity(partitions);
        for partition in 0..partitions {
            let mut own = vec![Some(create(&path(folder, partition, 0))?)];
            for (sequence, kind) in kinds.iter().enumerate() {
                own.push(match kind {
                    HistoryKind::Lists => None,
                    HistoryKind::Events => Some(create(&path(folder, partition, sequence + 1))?),
                });
            }
            files.push(own);
        }
        Ok(Self { folder: folder.to_owned(), kinds, files, record: Vec::new(), samples: 0 })
    }

    /// Samples of a user share a partition where what users did matters; else they go there in turns.
    fn partition(&self, user: u32) -> usize {
        let by_user = self.kinds.contains(&HistoryKind::Events);
        let key = if by_user { u64::from(user) } else { self.samples >> 15 };
        (key % self.files.len() as u64) as usize
    }

    pub(super) fn sample(&mut self, sample: &Sample<'_>) -> Result<(), DataError> {
        let record = &mut self.record;
        record.clear();
        record.extend(sample.user.to_le_bytes());
        record.extend(sample.time.to_le_bytes());
        record.push(u8::from(sample.label > 0.5));
        record.push(sample.part as u8);
        record.extend(sample.fields.iter().flat_map(|field| field.to_le_bytes()));
        for list in sample.lists {
            record.extend((list.len() as u32).to_le_bytes());
            record.extend(list.iter().flat_map(|field| field.to_le_bytes()));
        }
        let partition = self.partition(sample.user);
        self.samples += 1;
        self.put(partition, 0)
    }

    pub(super) fn event(&mut self, sequence: usize, event: &Event<'_>) -> Result<(), DataError> {
        let record = &mut self.record;
        record.clear();
        record.extend(event.user.to_le_bytes());
        record.extend(event.time.to_le_bytes());
        record.extend(event.fields.iter().flat_map(|field| field.to_le_bytes()));
        self.put(self.partition(event.user), sequence + 1)
    }

    fn put(&mut self, partition: usize, index: usize) -> Result<(), DataError> {
        let Some(file) = &mut self.files[partition][index] else { return Ok(()) };
        file.write_all(&self.record).map_err(|error| DataError::cache(&self.folder, error))
    }

    /// Writes what is buffered, and closes.
    pub(super) fn finish(mut self, train_on_valid: bool) -> Result<Partitions, DataError> {
        for file in self.files.iter_mut().flatten().flatten() {
            file.flush().map_err(|error| DataError::cache(&self.folder, error))?;
        }
        Ok(Partitions { folder: self.folder, kinds: self.kinds, count: self.files.len(), train_on_valid })
    }
}

fn path(folder: &Path, partition: usize, index: usize) -> PathBuf {
    folder.join(format!("part-{partition:04}-{index}"))
}

fn create(path: &Path) -> Result<BufWriter<File>, DataError> {
    let file = File::create(path).map_err(|error| DataError::cache(path, error))?;
    Ok(BufWriter::with_capacity(1 << 15, file))
}

/// The files of a [`Spill`], to be read.
pub(super) struct Partitions {
    folder: PathBuf,
    kinds: Vec<HistoryKind>,
    pub(super) count: usize,
    /// Whether validation samples train too.
    train_on_valid: bool,
}

/// Where a record is, and what it is sorted by.
#[derive(Clone, Copy)]
struct Record {
    user: u32,
    time: i64,
    start: usize,
}

/// Bytes before the columns of an event.
const EVENT_HEAD: usize = 12;
/// Bytes before the columns of a sample.
const SAMPLE_HEAD: usize = 14;

impl Partitions {
    fn read(&self, partition: usize, index: usize) -> Result<Vec<u8>, DataError> {
        let path = path(&self.folder, partition, index);
        std::fs::read(&path).map_err(|error| DataError::cache(&path, error))
    }

    /// Removes a partition's files, which are no longer needed.
    pub(super) fn remove(&self, partition: usize) {
        for index in 0..=self.kinds.len() {
            // What stays is removed with the folder.
            let _ = std::fs::remove_file(path(&self.folder, partition, index));
        }
    }

    /// The samples of a partition with their histories. `schema` gives the columns. By user and time where what users did
    /// matters, so that neighbours share their history; else as they came.
    pub(super) fn load(&self, partition: usize, schema: &Schema) -> Result<Dataset, DataError> {
        let bytes = self.read(partition, 0)?;
        let plain = schema.profile.len() + schema.context.len() + schema.candidate.len();
        let lists = || schema.sequences.iter().zip(&self.kinds).filter(|own| *own.1 == HistoryKind::Lists);
        let mut records = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            records.push(Record { user: u32_at(&bytes, at), time: i64_at(&bytes, at + 4), start: at });
            at += SAMPLE_HEAD + 4 * plain;
            for _ in lists() {
                at += 4 + 4 * u32_at(&bytes, at) as usize;
            }
        }
        if self.kinds.contains(&HistoryKind::Events) {
            records.sort_by_key(|record| (record.user, record.time));
        }
        let mut samples = block::empty(schema);
        let mut splits = [const { Vec::new() }; 3];
        for (index, record) in records.iter().enumerate() {
            samples.labels.push(f32::from(bytes[record.start + 12]));
            samples.users.push(record.user);
            let part = bytes[record.start + 13];
            if let Some(split) = splits.get_mut(part as usize) {
                split.push(index as u32);
            }
            let Samples { profile, context, candidate, .. } = &mut samples;
            let mut at = record.start + SAMPLE_HEAD;
            for column in profile.iter_mut().chain(context).chain(candidate) {
                push(column, u32_at(&bytes, at));
                at += 4;
            }
            for ((_, histories), kind) in schema.sequences.iter().zip(&mut samples.histories).zip(&self.kinds)
            {
                if *kind == HistoryKind::Lists {
                    let numbers = u32_at(&bytes, at) as usize;
                    let length = numbers / histories.pool.len();
                    at += 4;
                    let start = histories.spans.last().map_or(0, |span| span.1);
                    histories.spans.push((start, start + length as u32));
                    for column in &mut histories.pool {
                        (0..length).for_each(|entry| push(column, u32_at(&bytes, at + 4 * entry)));
                        at += 4 * length;
                    }
                }
            }
        }
        for (index, kind) in self.kinds.iter().enumerate() {
            if *kind == HistoryKind::Events {
                self.load_events(partition, index, schema, &records, &mut samples)?;
            }
        }
        let [mut train, valid, test] = splits;
        if self.train_on_valid {
            train.extend(&valid);
            train.sort_unstable();
        }
        Ok(Dataset { samples, train, valid, test, ..Dataset::default() })
    }

    /// The histories of a sequence, from its events.
    fn load_events(
        &self,
        partition: usize,
        sequence: usize,
        schema: &Schema,
        records: &[Record],
        samples: &mut Samples,
    ) -> Result<(), DataError> {
        let bytes = self.read(partition, sequence + 1)?;
        let fields = schema.sequences[sequence].fields.len();
        let capacity = schema.sequences[sequence].capacity;
        let starts = (0..bytes.len()).step_by(EVENT_HEAD + 4 * fields);
        let event = |start| Record { user: u32_at(&bytes, start), time: i64_at(&bytes, start + 4), start };
        let mut events: Vec<Record> = starts.map(event).collect();
        // Stable: events at the same time keep the order of the log.
        events.sort_by_key(|event| (event.user, event.time));
        let histories = &mut samples.histories[sequence];
        for (field, column) in histories.pool.iter_mut().enumerate() {
            let values = events.iter().map(|event| u32_at(&bytes, event.start + EVENT_HEAD + 4 * field));
            values.for_each(|value| push(column, value));
        }
        for record in records {
            let start = events.partition_point(|event| event.user < record.user);
            let end = events.partition_point(|event| (event.user, event.time) < (record.user, record.time));
            histories.spans.push((start.max(end.saturating_sub(capacity)) as u32, end as u32));
        }
        Ok(())
    }
}

fn push(column: &mut FieldColumn, value: u32) {
    match column {
        FieldColumn::Rows(rows) => rows.push(value),
        FieldColumn::Numbers(numbers) => numbers.push(f32::from_bits(value)),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].try_into().map_or(0, u32::from_le_bytes)
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes[at..at + 8].try_into().map_or(0, i64::from_le_bytes)
}

/// Whether a field's values are rows of this table.
pub(super) fn is_of(kind: &FieldKind, table: usize) -> bool {
    matches!(kind, FieldKind::Categorical { table: own } if *own == table)
}
