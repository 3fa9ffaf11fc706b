//! From the files of a job to the blocks of its cache, in memory that does not grow with the files.
//!
//! 1. Where the split depends on all rows, one pass over users and times ([`Splitter`]).
//! 2. Every file is read once, in pieces: ids become numbers in the order in which they come, rows go to the partition of
//!    their user on disk ([`Spill`]).
//! 3. Partition by partition, histories are built and the training samples of each id counted; that gives the vocabularies
//!    and normalisers.
//! 4. Partition by partition again, numbers of ids become rows, and samples become blocks.

use super::ids::Ids;
use super::spill::{Event, HistoryKind, Partitions, Sample, Spill, is_of};
use super::splitter::Splitter;
use super::{BLOCK, BlockEntry, Index, block};
use crate::data::coded::{RawValue, times};
use crate::data::counts::Counts;
use crate::data::dataset::{Dataset, FieldColumn};
use crate::data::error::DataError;
use crate::data::files::{log_requests, sample_requests, side_frames};
use crate::data::frame::{Frame, Pieces};
use crate::data::history::{Lists, log_columns, matching};
use crate::data::label::labels;
use crate::data::load::{LoadStep, remap_rows, uses};
use crate::data::normaliser::Fit;
use crate::data::shards;
use crate::data::side::SideTable;
use crate::job::{FieldConfig, IdKind, Job, OneOrMany, SequenceConfig, SourceConfig};
use crate::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_core::Normaliser;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use twox_hash::XxHash3_64;

/// Bytes of the samples' files for one partition: as Parquet of narrow rows some 150 MB in memory.
const PARTITION: u64 = 16 << 20;

/// Files that are open together at most.
const OPEN_FILES: usize = 512;

/// Rows between two lines of progress.
const PROGRESS: u64 = 5_000_000;

/// Writes the blocks of a job into a folder, and returns what is where.
pub(super) fn build(
    job: &Job,
    directory: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(LoadStep<'_>),
) -> Result<Index, DataError> {
    let files = shards::expand(directory, &job.data.samples, "data.samples")?;
    let side_frames = side_frames(job, directory, progress)?;
    let mut sides = BTreeMap::new();
    for (name, frame) in &side_frames {
        sides.insert(name.as_str(), SideTable::new(frame, &job.side[name].key)?);
    }
    let mut coder = Coder::new(job, &sides);
    progress(LoadStep::Reading("samples"));
    let splitter = Splitter::new(job, &files, folder, &mut coder.users)?;
    let bytes: u64 = files.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
    let most = OPEN_FILES / (1 + coder.sequences.len());
    let partitions = (bytes / PARTITION + 1).min(most as u64) as usize;
    let kinds = coder.sequences.iter().map(SequencePlan::kind).collect();
    let mut spill = Spill::create(folder, partitions, kinds)?;
    ahead(Pieces::new(files.clone(), "data.samples", sample_requests(job)), |piece| {
        let before = spill.samples;
        coder.samples(&piece, &splitter, &mut spill)?;
        if before / PROGRESS < spill.samples / PROGRESS {
            progress(LoadStep::Coded { rows: spill.samples });
        }
        Ok(())
    })?;
    coder.logs(directory, &mut spill, progress)?;
    let schema = coder.schema();
    let spilled = spill.finish()?;
    progress(LoadStep::Vocabularies);
    let mut counts = Counts::new(&schema);
    let mut fits = Fits::new(job);
    for partition in 0..spilled.count {
        let dataset = spilled.load(partition, &schema)?;
        counts.add(&schema, &dataset.samples, dataset.train.iter().copied());
        fits.add(&dataset);
    }
    let (vocabularies, rows) = coder.choose_rows(&counts)?;
    drop((coder, counts));
    let mut schema = schema;
    schema.tables.iter_mut().zip(vocabularies).for_each(|(table, own)| table.vocabulary = own);
    fits.finish(&mut schema);
    progress(LoadStep::Blocks);
    let (blocks, counts) = write_blocks(&spilled, &schema, &rows, folder)?;
    for (split, blocks) in [("train", &blocks[0]), ("valid", &blocks[1]), ("test", &blocks[2])] {
        if blocks.is_empty() {
            return Err(DataError::EmptySplit { file: job.file.clone(), split });
        }
    }
    Ok(Index { schema, counts, blocks })
}

/// Reads ahead on a thread of its own while `work` is at it.
fn ahead(pieces: Pieces, mut work: impl FnMut(Frame) -> Result<(), DataError>) -> Result<(), DataError> {
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel(2);
        scope.spawn(move || {
            // Nobody listens any more once the work has failed.
            for piece in pieces {
                if send.send(piece).is_err() {
                    break;
                }
            }
        });
        for piece in receive {
            work(piece?)?;
        }
        Ok(())
    })
}

/// A field, and where its values are.
struct FieldPlan<'a> {
    config: &'a FieldConfig,
    /// Outside side tables.
    column: &'a str,
    /// Index among the job's tables; a number without.
    table: Option<usize>,
    side: Option<&'a SideTable<'a>>,
}

/// A sequence, and where its behaviours are.
struct SequencePlan<'a> {
    config: &'a SequenceConfig,
    /// Paired ones first, each with the candidate field that it is compared with.
    fields: Vec<(FieldPlan<'a>, Option<usize>)>,
}

impl SequencePlan<'_> {
    fn kind(&self) -> HistoryKind {
        match self.config.sources[0] {
            SourceConfig::List { .. } => HistoryKind::Lists,
            _ => HistoryKind::Events,
        }
    }

    /// Its log, if it has one.
    fn log(&self) -> Option<&SourceConfig> {
        self.config.sources.last().filter(|source| matches!(source, SourceConfig::Log { .. }))
    }
}

/// Turns cells into numbers.
struct Coder<'a> {
    job: &'a Job,
    sides: &'a BTreeMap<&'a str, SideTable<'a>>,
    /// By table, in the order of the job's.
    ids: Vec<Ids>,
    users: Ids,
    /// Users that were met with a sample so far.
    seen_users: u32,
    /// Profile, context, candidate.
    plain: [Vec<FieldPlan<'a>>; 3],
    sequences: Vec<SequencePlan<'a>>,
}

impl<'a> Coder<'a> {
    fn new(job: &'a Job, sides: &'a BTreeMap<&'a str, SideTable<'a>>) -> Self {
        let plan = |config: &'a FieldConfig| FieldPlan {
            config,
            column: job.sample_column(config),
            table: config.table.as_ref().and_then(|name| job.tables.keys().position(|own| own == name)),
            side: config.side.as_ref().map(|name| &sides[name.as_str()]),
        };
        let plans = |fields: &'a [FieldConfig]| fields.iter().map(plan).collect();
        let sequence = |config: &'a SequenceConfig| {
            let mut fields: Vec<_> =
                config.fields.iter().map(|field| (plan(field), field.paired_with(&job.candidate))).collect();
            // Stable, as for data in memory.
            fields.sort_by_key(|(_, pair)| pair.is_none());
            SequencePlan { config, fields }
        };
        Self {
            job,
            sides,
            ids: job.tables.iter().map(|(name, config)| Ids::new(name, config.ids)).collect(),
            users: Ids::new("user", IdKind::Auto),
            seen_users: 0,
            plain: [plans(&job.profile), plans(&job.context), plans(&job.candidate)],
            sequences: job.sequences.iter().map(sequence).collect(),
        }
    }

    /// With as many rows in each table as there are ids, in the order in which they came.
    fn schema(&self) -> Schema {
        let field = |plan: &FieldPlan<'_>| Field {
            name: plan.config.name.clone(),
            kind: match plan.table {
                Some(table) => FieldKind::Categorical { table },
                None => FieldKind::Numeric(Normaliser::IDENTITY),
            },
        };
        let [profile, context, candidate] =
            [0, 1, 2].map(|group: usize| self.plain[group].iter().map(field).collect());
        let sequence = |plan: &SequencePlan<'_>| SequenceSpec {
            name: plan.config.name.clone(),
            capacity: plan.config.capacity,
            fields: plan
                .fields
                .iter()
                .map(|(plan, pair)| BehaviourField { field: field(plan), pair: *pair })
                .collect(),
        };
        let tables = self.job.tables.iter().zip(&self.ids).map(|((name, config), ids)| TableSpec {
            name: name.clone(),
            dim: config.dim,
            vocabulary: Vocabulary::Dense { first: 0, first_row: 0, count: ids.len() as u32 + 1 },
        });
        Schema {
            tables: tables.collect(),
            profile,
            context,
            candidate,
            sequences: self.sequences.iter().map(sequence).collect(),
        }
    }

    /// The samples of a piece, and what their users did if the samples are the log.
    fn samples(
        &mut self,
        piece: &Frame,
        splitter: &Splitter<'_>,
        spill: &mut Spill,
    ) -> Result<(), DataError> {
        let job = self.job;
        let label = job.data.label.as_deref().unwrap_or_default();
        let labels = labels(piece, label)?;
        let times = job.data.time.as_ref().map_or_else(|| Ok(Vec::new()), |column| times(piece, column))?;
        let column = piece.column(&job.data.user);
        let mut users = Vec::with_capacity(piece.rows());
        for (row, user) in column.iter().enumerate() {
            let user = RawValue::new(user, piece, row);
            let code = self.users.code(&user)?;
            users.push(code);
            if code >= self.seen_users {
                // With users numbered as they come, this is the first sample of this one.
                self.seen_users = code + 1;
                self.known_before(code, user.text, spill)?;
            }
        }
        let parts = splitter.parts(piece, &users, &times)?;
        let plain: Vec<_> = self.plain.iter().flatten().map(|plan| piece.column(plan.column)).collect();
        let mut fields = vec![0; plain.len()];
        let mut lists = Vec::new();
        for row in 0..piece.rows() {
            let plans = self.plain.iter().flatten();
            for ((field, plan), column) in fields.iter_mut().zip(plans).zip(&plain) {
                *field = plan.code(RawValue::new(column.get(row), piece, row), &mut self.ids)?;
            }
            lists.clear();
            for plan in self.sequences.iter().filter(|plan| plan.kind() == HistoryKind::Lists) {
                lists.push(plan.lists(piece, row, &mut self.ids)?);
            }
            spill.sample(&Sample {
                user: users[row],
                time: times.get(row).copied().unwrap_or(0),
                label: labels[row],
                part: parts[row],
                fields: &fields,
                lists: &lists,
            })?;
        }
        for (index, plan) in self.sequences.iter().enumerate() {
            if let Some(source @ SourceConfig::Log { .. }) = plan.log().filter(|log| is_own_log(job, log)) {
                plan.events(index, source, piece, &users, &times, &mut self.ids, spill)?;
            }
        }
        Ok(())
    }

    /// What side tables know of a user from before the log.
    fn known_before(&mut self, user: u32, text: &str, spill: &mut Spill) -> Result<(), DataError> {
        for (index, plan) in self.sequences.iter().enumerate() {
            for source in &plan.config.sources {
                let SourceConfig::UserList { side, separator, .. } = source else { continue };
                let side = &self.sides[side.as_str()];
                let Some(row) = side.row(text) else { continue };
                let columns = plan.fields.iter().map(|(field, _)| source.column(field.column));
                let lists = Lists::split(side.frame(), row, columns, separator)?;
                let mut fields = vec![0; plan.fields.len()];
                for behaviour in 0..lists.len() {
                    for ((field, (plan, _)), list) in fields.iter_mut().zip(&plan.fields).zip(&lists.elements)
                    {
                        let value = RawValue::new(list[behaviour], side.frame(), row);
                        *field = plan.code(value, &mut self.ids)?;
                    }
                    spill.event(index, &Event { user, time: i64::MIN, fields: &fields })?;
                }
            }
        }
        Ok(())
    }

    /// The logs that are not read with the samples.
    fn logs(
        &mut self,
        directory: &Path,
        spill: &mut Spill,
        progress: &mut dyn FnMut(LoadStep<'_>),
    ) -> Result<(), DataError> {
        let job = self.job;
        for (index, plan) in self.sequences.iter().enumerate() {
            let Some(source @ SourceConfig::Log { file, .. }) =
                plan.log().filter(|log| !is_own_log(job, log))
            else {
                continue;
            };
            progress(LoadStep::Reading(&plan.config.name));
            let key = format!("sequence.{}.source.file", plan.config.name);
            let names: &OneOrMany = file.as_ref().unwrap_or(&job.data.samples);
            let files = shards::expand(directory, names, &key)?;
            let (user, time) = log_columns(job, source);
            let (users, ids) = (&self.users, &mut self.ids);
            ahead(Pieces::new(files, &key, log_requests(job, plan.config, source)), |piece| {
                let times = times(&piece, time)?;
                // Nobody asks for the history of a user without samples.
                let codes: Vec<u32> =
                    piece.column(user).iter().map(|text| users.known(text).unwrap_or(u32::MAX)).collect();
                plan.events(index, source, &piece, &codes, &times, ids, spill)
            })?;
        }
        Ok(())
    }

    /// Vocabularies, and the final row of each provisional one, by table.
    fn choose_rows(&self, counts: &Counts) -> Result<(Vec<Vocabulary>, Vec<Vec<u32>>), DataError> {
        let tables = self.ids.iter().zip(self.job.tables.values()).zip(counts.tables());
        let chosen: Vec<_> =
            tables.map(|((ids, config), counts)| ids.finish(config, counts)).collect::<Result<_, _>>()?;
        Ok(chosen.into_iter().unzip())
    }
}

/// Whether a log is read along with the samples.
fn is_own_log(job: &Job, source: &SourceConfig) -> bool {
    matches!(source, SourceConfig::Log { file: None, .. })
        && log_columns(job, source) == (job.data.user.as_str(), job.data.time.as_deref().unwrap_or_default())
}

impl FieldPlan<'_> {
    /// The provisional row of a cell, or the bits of its number; through the side table, if the field has one.
    fn code(&self, value: RawValue<'_>, ids: &mut [Ids]) -> Result<u32, DataError> {
        let column = self.config.column();
        let value = match self.side {
            None => value,
            Some(side) => side.value(value.text, column).unwrap_or_else(|| value.with_text("")),
        };
        match self.table {
            None => value.number(column).map(f32::to_bits),
            Some(_) if value.text.is_empty() => Ok(0),
            Some(table) => ids[table].code(&value).map(|code| code + 1),
        }
    }
}

impl SequencePlan<'_> {
    /// The history that a sample brings, field by field.
    fn lists(&self, piece: &Frame, row: usize, ids: &mut [Ids]) -> Result<Vec<u32>, DataError> {
        let mut sources = Vec::new();
        for source in &self.config.sources {
            if let SourceConfig::List { separator, .. } = source {
                let columns = self.fields.iter().map(|(field, _)| source.column(field.column));
                sources.push(Lists::split(piece, row, columns, separator)?);
            }
        }
        let all: usize = sources.iter().map(Lists::len).sum();
        let drop = all.saturating_sub(self.config.capacity);
        let mut out = Vec::with_capacity(self.fields.len() * (all - drop));
        for (index, (field, _)) in self.fields.iter().enumerate() {
            for element in sources.iter().flat_map(|lists| &lists.elements[index]).skip(drop) {
                out.push(field.code(RawValue::new(element, piece, row), ids)?);
            }
        }
        Ok(out)
    }

    /// The rows of a log that count; `users` holds `u32::MAX` for those that nobody asks for.
    #[allow(clippy::too_many_arguments, reason = "what one pass over a piece reads and writes")]
    fn events(
        &self,
        index: usize,
        source: &SourceConfig,
        piece: &Frame,
        users: &[u32],
        times: &[i64],
        ids: &mut [Ids],
        spill: &mut Spill,
    ) -> Result<(), DataError> {
        let keep = match source {
            SourceConfig::Log { condition: Some(condition), .. } => Some(matching(piece, condition)?),
            _ => None,
        };
        let columns: Vec<_> =
            self.fields.iter().map(|(field, _)| piece.column(source.column(field.column))).collect();
        let mut fields = vec![0; columns.len()];
        for row in 0..piece.rows() {
            if users[row] == u32::MAX || keep.as_ref().is_some_and(|keep| !keep[row]) {
                continue;
            }
            for ((field, (plan, _)), column) in fields.iter_mut().zip(&self.fields).zip(&columns) {
                *field = plan.code(RawValue::new(column.get(row), piece, row), ids)?;
            }
            spill.event(index, &Event { user: users[row], time: times[row], fields: &fields })?;
        }
        Ok(())
    }
}

/// The normalisers of numeric fields, while they see the training samples.
struct Fits {
    plain: [Vec<Option<Fit>>; 3],
    /// By sequence and field, in the schema's order; `None` where the candidate's is taken, or for ids.
    behaviours: Vec<Vec<Option<Fit>>>,
}

impl Fits {
    fn new(job: &Job) -> Self {
        let fit = |field: &FieldConfig| field.numeric.map(Fit::new);
        let fits = |fields: &[FieldConfig]| fields.iter().map(fit).collect();
        let sequence = |sequence: &SequenceConfig| {
            let mut fields: Vec<_> =
                sequence.fields.iter().map(|field| (field, field.paired_with(&job.candidate))).collect();
            fields.sort_by_key(|(_, pair)| pair.is_none());
            fields.into_iter().map(|(field, pair)| fit(field).filter(|_| pair.is_none())).collect()
        };
        Self {
            plain: [fits(&job.profile), fits(&job.context), fits(&job.candidate)],
            behaviours: job.sequences.iter().map(sequence).collect(),
        }
    }

    fn add(&mut self, dataset: &Dataset) {
        let samples = &dataset.samples;
        let groups = [&samples.profile, &samples.context, &samples.candidate];
        for (fits, columns) in self.plain.iter_mut().zip(groups) {
            for (fit, column) in fits.iter_mut().zip(columns) {
                if let (Some(fit), FieldColumn::Numbers(numbers)) = (fit, column) {
                    dataset.train.iter().for_each(|&sample| fit.add(numbers[sample as usize], 1));
                }
            }
        }
        for (fits, histories) in self.behaviours.iter_mut().zip(&samples.histories) {
            let uses = uses(histories, &dataset.train);
            for (fit, column) in fits.iter_mut().zip(&histories.pool) {
                if let (Some(fit), FieldColumn::Numbers(numbers)) = (fit, column) {
                    numbers.iter().zip(&uses).for_each(|(&number, &times)| fit.add(number, times));
                }
            }
        }
    }

    fn finish(&self, schema: &mut Schema) {
        let groups = [&mut schema.profile, &mut schema.context, &mut schema.candidate];
        for (fields, fits) in groups.into_iter().zip(&self.plain) {
            for (field, fit) in fields.iter_mut().zip(fits) {
                if let Some(fit) = fit {
                    field.kind = FieldKind::Numeric(fit.finish());
                }
            }
        }
        for (sequence, fits) in schema.sequences.iter_mut().zip(&self.behaviours) {
            for (behaviour, fit) in sequence.fields.iter_mut().zip(fits) {
                match (behaviour.pair, fit) {
                    (_, Some(fit)) => behaviour.field.kind = FieldKind::Numeric(fit.finish()),
                    // What is compared has one scale.
                    (Some(pair), None) => behaviour.field.kind = schema.candidate[pair].kind.clone(),
                    (None, None) => {}
                }
            }
        }
    }
}

/// The blocks of each split, and the counts of the final rows.
type Written = ([Vec<BlockEntry>; 3], Vec<Vec<u32>>);

fn write_blocks(
    spilled: &Partitions,
    schema: &Schema,
    rows: &[Vec<u32>],
    folder: &Path,
) -> Result<Written, DataError> {
    let path: PathBuf = folder.join(super::BLOCKS);
    let failed = |error| DataError::cache(&path, error);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(failed)?);
    let mut blocks = [const { Vec::new() }; 3];
    let mut offset = 0;
    // Anew: a sample that contains several ids of row 0 contains it once.
    let mut counts = Counts::new(schema);
    for partition in 0..spilled.count {
        let mut dataset = spilled.load(partition, schema)?;
        spilled.remove(partition);
        for (table, rows) in rows.iter().enumerate() {
            remap_rows(schema, &mut dataset.samples, |kind| is_of(kind, table), rows);
        }
        counts.add(schema, &dataset.samples, dataset.train.iter().copied());
        let splits = [&dataset.train, &dataset.valid, &dataset.test];
        for (blocks, indices) in blocks.iter_mut().zip(splits) {
            for indices in indices.chunks(BLOCK) {
                let bytes = block::encode(&block::extract(&dataset.samples, indices, schema));
                out.write_all(&bytes).map_err(failed)?;
                let (length, samples) = (bytes.len() as u32, indices.len() as u32);
                blocks.push(BlockEntry { offset, length, samples, hash: XxHash3_64::oneshot(&bytes) });
                offset += bytes.len() as u64;
            }
        }
    }
    out.flush().map_err(failed)?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok((blocks, counts.into_tables()))
}
