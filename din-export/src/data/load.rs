//! The whole way from a job to its dataset.

use super::coded::{Coded, times};
use super::dataset::{Dataset, FieldColumn, Histories, Samples};
use super::error::DataError;
use super::files::Files;
use super::history::{self, RawHistories, Tables};
use super::label::labels;
use super::negatives;
use super::normaliser;
use super::side::SideTable;
use super::split::split;
use super::vocabulary::{Rows, TableIds};
use crate::job::{FieldConfig, Job, NumericConfig};
use crate::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_core::Normaliser;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// What [`load`] is about to do; displays as a line for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadStep<'a> {
    /// Read a table: `samples`, a side table, or the log of a sequence.
    Reading(&'a str),
    /// Draw negatives.
    Drawing,
    /// Build the histories of a sequence.
    Histories(&'a str),
    /// Count ids, choose rows, fit normalisers.
    Vocabularies,
    /// So many samples are coded for the cache.
    Coded {
        /// So far.
        rows: u64,
    },
    /// Write the blocks of the cache.
    Blocks,
    /// Read samples from a cache that is there.
    Cached(&'a Path),
}

impl fmt::Display for LoadStep<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading(table) => write!(out, "reading {table}"),
            Self::Drawing => write!(out, "drawing negatives"),
            Self::Histories(sequence) => write!(out, "building histories: {sequence}"),
            Self::Vocabularies => write!(out, "building vocabularies"),
            Self::Coded { rows } => write!(out, "{rows} samples coded"),
            Self::Blocks => write!(out, "writing the cache"),
            Self::Cached(folder) => write!(out, "using the cache {}", folder.display()),
        }
    }
}

/// Reads the data of a job and encodes it, for training: only ids that the training split holds often enough get a row.
///
/// `directory` overrides where the job says that its files are; `progress` hears of each step before it starts. The same
/// job and files give the same dataset.
///
/// # Errors
/// Every variant of [`DataError`], for the reason that its docs give.
pub fn load(
    job: &Job,
    directory: Option<&Path>,
    progress: &mut dyn FnMut(LoadStep<'_>),
) -> Result<Dataset, DataError> {
    load_with(job, directory, Rows::Trained, progress)
}

/// As [`load`], for the evaluation of a model that knows its ids itself: every id of every split gets a row, so that
/// `Vocabulary::key` gives back the raw id of each sample. `min_count` is ignored. Normalisers are as [`load`] fits them.
///
/// # Errors
/// As [`load`].
pub fn load_every_id(
    job: &Job,
    directory: Option<&Path>,
    progress: &mut dyn FnMut(LoadStep<'_>),
) -> Result<Dataset, DataError> {
    load_with(job, directory, Rows::Every, progress)
}

fn load_with(
    job: &Job,
    directory: Option<&Path>,
    rows: Rows,
    progress: &mut dyn FnMut(LoadStep<'_>),
) -> Result<Dataset, DataError> {
    let directory = directory.map_or_else(|| job.data_directory(), Path::to_owned);
    let files = Files::read(job, &directory, progress)?;
    let drawn = match &job.negatives {
        None => None,
        Some(config) => {
            progress(LoadStep::Drawing);
            let users = Coded::from_column(&files.samples, files.samples.column(&job.data.user));
            let times = sample_times(job, &files.samples)?;
            Some(negatives::draw(&files.samples, config, &users, &times)?)
        }
    };
    let samples = drawn.as_ref().map_or(&files.samples, |drawn| &drawn.samples);
    let labels = match (&drawn, &job.data.label) {
        (Some(drawn), _) => drawn.labels.clone(),
        (None, Some(column)) => labels(samples, column)?,
        (None, None) => unreachable!("a job has a label column or draws negatives: it was validated"),
    };
    let users = Coded::from_column(samples, samples.column(&job.data.user));
    let times = sample_times(job, samples)?;
    let splits = split(job, samples, users.codes(), &times)?;
    let mut sides = BTreeMap::new();
    for (name, frame) in &files.sides {
        sides.insert(name.as_str(), SideTable::new(frame, &job.side[name].key)?);
    }
    let tables = Tables {
        samples,
        users: &users,
        times: &times,
        log: &files.samples,
        logs: &files.logs,
        sides: &sides,
    };
    let mut encoder = Encoder::new(job, tables);
    let mut dataset = Dataset {
        train: splits.train,
        valid: splits.valid,
        test: splits.test,
        samples: Samples { labels, users: users.codes().to_vec(), ..Samples::default() },
        ..Dataset::default()
    };
    encoder.encode(&mut dataset, progress)?;
    progress(LoadStep::Vocabularies);
    encoder.choose_rows(&mut dataset, rows)?;
    fit_normalisers(job, &mut dataset);
    Ok(dataset)
}

/// The time of each row; empty if the job names no time column.
fn sample_times(job: &Job, samples: &super::frame::Frame) -> Result<Vec<i64>, DataError> {
    job.data.time.as_ref().map_or_else(|| Ok(Vec::new()), |column| times(samples, column))
}

/// Turns raw columns into rows and numbers.
struct Encoder<'a> {
    job: &'a Job,
    tables: Tables<'a>,
    /// In the order of [`Schema::tables`], which is the order of names.
    ids: Vec<TableIds<'a>>,
}

impl<'a> Encoder<'a> {
    fn new(job: &'a Job, tables: Tables<'a>) -> Self {
        let ids = job.tables.iter().map(|(name, config)| TableIds::new(name, config)).collect();
        Self { job, tables, ids }
    }

    /// Fills in the schema and the samples' columns, with provisional rows.
    fn encode(
        &mut self,
        dataset: &mut Dataset,
        progress: &mut dyn FnMut(LoadStep<'_>),
    ) -> Result<(), DataError> {
        let job = self.job;
        (dataset.schema.profile, dataset.samples.profile) = self.encode_group(&job.profile)?;
        (dataset.schema.context, dataset.samples.context) = self.encode_group(&job.context)?;
        (dataset.schema.candidate, dataset.samples.candidate) = self.encode_group(&job.candidate)?;
        for sequence in &job.sequences {
            progress(LoadStep::Histories(&sequence.name));
            let raw = history::build(job, sequence, self.tables)?;
            let mut fields: Vec<(&FieldConfig, Option<usize>)> =
                sequence.fields.iter().map(|field| (field, field.paired_with(&job.candidate))).collect();
            // Stable: paired fields come first, else in the job's order.
            fields.sort_by_key(|(_, pair)| pair.is_none());
            let mut spec =
                SequenceSpec { name: sequence.name.clone(), capacity: sequence.capacity, fields: Vec::new() };
            let mut histories = Histories { pool: Vec::new(), spans: Vec::new() };
            for (config, pair) in fields {
                let (field, column) = self.encode_behaviour(config, &raw)?;
                spec.fields.push(BehaviourField { field, pair });
                histories.pool.push(column);
            }
            histories.spans = raw.spans;
            dataset.schema.sequences.push(spec);
            dataset.samples.histories.push(histories);
        }
        dataset.schema.tables = job
            .tables
            .iter()
            .zip(&self.ids)
            .map(|((name, config), ids)| TableSpec {
                name: name.clone(),
                dim: config.dim,
                vocabulary: ids.provisional_vocabulary(),
            })
            .collect();
        Ok(())
    }

    fn encode_group(&mut self, fields: &[FieldConfig]) -> Result<(Vec<Field>, Vec<FieldColumn>), DataError> {
        let samples = self.tables.samples;
        let encode = |field| {
            let raw = Coded::from_column(samples, samples.column(self.job.sample_column(field)));
            self.encode_field(field, &raw)
        };
        let encoded: Vec<(Field, FieldColumn)> = fields.iter().map(encode).collect::<Result<_, _>>()?;
        Ok(encoded.into_iter().unzip())
    }

    fn encode_behaviour(
        &mut self,
        field: &FieldConfig,
        raw: &RawHistories<'a>,
    ) -> Result<(Field, FieldColumn), DataError> {
        let column = &raw.pool[self.job.sample_column(field)];
        self.encode_field(field, column)
    }

    /// A field's column, from the values of its column outside side tables.
    fn encode_field(
        &mut self,
        config: &FieldConfig,
        raw: &Coded<'a>,
    ) -> Result<(Field, FieldColumn), DataError> {
        let looked_up;
        let values = match &config.side {
            None => raw,
            Some(side) => {
                looked_up = raw.through(&self.tables.sides[side.as_str()], config.column());
                &looked_up
            }
        };
        let table = config.table.as_ref().and_then(|name| self.job.tables.keys().position(|own| own == name));
        let (kind, column) = match table {
            Some(table) => (
                FieldKind::Categorical { table },
                FieldColumn::Rows(self.ids[table].provisional_rows(values)),
            ),
            // The normaliser is fitted when the training samples are known.
            None => (
                FieldKind::Numeric(Normaliser::IDENTITY),
                FieldColumn::Numbers(values.numbers(config.column())?),
            ),
        };
        Ok((Field { name: config.name.clone(), kind }, column))
    }

    /// Counts the training samples that contain each id, and gives ids their final rows.
    fn choose_rows(&self, dataset: &mut Dataset, chosen: Rows) -> Result<(), DataError> {
        for (table, ids) in self.ids.iter().enumerate() {
            let counts = dataset.samples_containing(table, &dataset.train);
            let (vocabulary, rows) = ids.finish(&counts, chosen)?;
            remap(dataset, table, vocabulary, &rows);
        }
        Ok(())
    }
}

/// Replaces the rows of a table.
fn remap(dataset: &mut Dataset, table: usize, vocabulary: Vocabulary, rows: &[u32]) {
    dataset.schema.tables[table].vocabulary = vocabulary;
    let is_of = |kind: &FieldKind| matches!(kind, FieldKind::Categorical { table: own } if *own == table);
    remap_rows(&dataset.schema, &mut dataset.samples, is_of, rows);
}

/// Replaces each row by `rows[row]` in the columns of fields of some kind.
pub(super) fn remap_rows(
    schema: &Schema,
    samples: &mut Samples,
    is_meant: impl Fn(&FieldKind) -> bool,
    rows: &[u32],
) {
    let groups = [
        (&schema.profile, &mut samples.profile),
        (&schema.context, &mut samples.context),
        (&schema.candidate, &mut samples.candidate),
    ];
    let plain = groups.into_iter().flat_map(|(fields, columns)| fields.iter().zip(columns));
    let behaviours = schema.sequences.iter().zip(&mut samples.histories).flat_map(|(sequence, histories)| {
        sequence.fields.iter().map(|behaviour| &behaviour.field).zip(&mut histories.pool)
    });
    for (field, column) in plain.chain(behaviours) {
        if let (true, FieldColumn::Rows(column)) = (is_meant(&field.kind), column) {
            column.iter_mut().for_each(|row| *row = rows[*row as usize]);
        }
    }
}

/// Fits the normaliser of every numeric field to the training samples.
fn fit_normalisers(job: &Job, dataset: &mut Dataset) {
    let Dataset { schema, samples, train, .. } = dataset;
    let groups = [
        (&job.profile, &mut schema.profile, &samples.profile),
        (&job.context, &mut schema.context, &samples.context),
        (&job.candidate, &mut schema.candidate, &samples.candidate),
    ];
    for (configs, fields, columns) in groups {
        for ((config, field), column) in configs.iter().zip(fields).zip(columns) {
            if let (Some(numeric), FieldColumn::Numbers(numbers)) = (config.numeric, column) {
                let training = train.iter().map(|&sample| (numbers[sample as usize], 1));
                field.kind = FieldKind::Numeric(normaliser::fit(numeric, training));
            }
        }
    }
    let candidate = &schema.candidate;
    for ((config, spec), histories) in job.sequences.iter().zip(&mut schema.sequences).zip(&samples.histories)
    {
        let numeric: BTreeMap<&str, NumericConfig> =
            config.fields.iter().filter_map(|field| Some((field.name.as_str(), field.numeric?))).collect();
        let uses = uses(histories, train);
        for (behaviour, column) in spec.fields.iter_mut().zip(&histories.pool) {
            if let FieldColumn::Numbers(numbers) = column {
                // What is compared has one scale: a paired field has the normaliser of its candidate field.
                behaviour.field.kind = match behaviour.pair {
                    Some(pair) => candidate[pair].kind.clone(),
                    None => FieldKind::Numeric(normaliser::fit(
                        numeric[behaviour.field.name.as_str()],
                        numbers.iter().copied().zip(uses.iter().copied()),
                    )),
                };
            }
        }
    }
}

/// For each behaviour of a pool, how many of the samples have it in their history.
pub(super) fn uses(histories: &Histories, samples: &[u32]) -> Vec<u64> {
    let length = histories.spans.iter().map(|&(_, end)| end as usize).max().unwrap_or(0);
    let mut changes = vec![0_i64; length + 1];
    for &sample in samples {
        let (start, end) = histories.spans[sample as usize];
        changes[start as usize] += 1;
        changes[end as usize] -= 1;
    }
    let mut current = 0_i64;
    changes[..length]
        .iter()
        .map(|change| {
            current += change;
            current.unsigned_abs()
        })
        .collect()
}
