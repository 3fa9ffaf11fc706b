//! Cells of samples and logs become numbers, in the order in which they come.

use super::ids::Ids;
use super::spill::{Event, HistoryKind, Sample, Spill};
use super::splitter::Splitter;
use crate::data::coded::{RawValue, times};
use crate::data::counts::Counts;
use crate::data::error::DataError;
use crate::data::files::log_requests;
use crate::data::frame::{Frame, Pieces};
use crate::data::history::{Lists, log_columns, matching};
use crate::data::label::labels;
use crate::data::load::LoadStep;
use crate::data::shards;
use crate::data::side::SideTable;
use crate::job::{FieldConfig, IdKind, Job, OneOrMany, SequenceConfig, SourceConfig};
use crate::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_core::Normaliser;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::sync_channel;

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
pub(super) struct SequencePlan<'a> {
    config: &'a SequenceConfig,
    /// Paired ones first, each with the candidate field that it is compared with.
    fields: Vec<(FieldPlan<'a>, Option<usize>)>,
}

impl SequencePlan<'_> {
    pub(super) fn kind(&self) -> HistoryKind {
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
pub(super) struct Coder<'a> {
    job: &'a Job,
    sides: &'a BTreeMap<&'a str, SideTable<'a>>,
    /// By table, in the order of the job's.
    ids: Vec<Ids>,
    pub(super) users: Ids,
    /// Users that were met with a sample so far.
    seen_users: u32,
    /// Profile, context, candidate.
    plain: [Vec<FieldPlan<'a>>; 3],
    pub(super) sequences: Vec<SequencePlan<'a>>,
}

impl<'a> Coder<'a> {
    pub(super) fn new(job: &'a Job, sides: &'a BTreeMap<&'a str, SideTable<'a>>) -> Self {
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
    pub(super) fn schema(&self) -> Schema {
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
    pub(super) fn samples(
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
    pub(super) fn logs(
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
    pub(super) fn choose_rows(&self, counts: &Counts) -> Result<(Vec<Vocabulary>, Vec<Vec<u32>>), DataError> {
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

/// Reads ahead on a thread of its own while `work` is at it.
pub(super) fn ahead(
    pieces: Pieces,
    mut work: impl FnMut(Frame) -> Result<(), DataError>,
) -> Result<(), DataError> {
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
