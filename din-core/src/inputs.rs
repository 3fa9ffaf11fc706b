//! From the values of a request to the numbers that a model reads.

use crate::bytes::{F32s, range, u32_at};
use crate::chunks;
use crate::error::ScoreError;
use crate::fixed;
use crate::history::Behaviours;
use crate::kernels::integer::IntegerKernel;
use crate::kernels::{Kernel, PREFETCHES, copy};
use crate::manifest::{FieldKind, FixedRecord, NONE, VocabularyKind};
use crate::model::{Group, Model, Sequence};
use crate::normaliser::{Normaliser, Transform};
use crate::table::Table;
use crate::value::Value;

#[inline(never)]
pub(crate) fn check_count(model: &Model<'_>, group: Group, values: &[Value]) -> Result<(), ScoreError> {
    let (_, needed) = model.field_range(group);
    if values.len() == needed {
        Ok(())
    } else {
        Err(ScoreError::FieldCount { group: group.name(), needed, found: values.len() })
    }
}

/// A number that a model reads: f32, or i16 of the integer path.
pub(crate) trait Input: Copy {
    /// What reads rows of tables.
    type Kernel: Copy;
    /// What the item bias is made of.
    type Bias: Default;

    /// Writes a row of a table.
    fn read(kernel: Self::Kernel, table: &Table<'_>, row: u32, out: &mut [Self]);

    /// A raw number.
    fn number(normaliser: &Normaliser, fixed: &FixedRecord, raw: Raw) -> Self;

    /// A row's item bias.
    fn bias(section: &[u8], row: u32) -> Self::Bias;
}

/// What a numeric field is given.
#[derive(Clone, Copy)]
pub(crate) enum Raw {
    Missing,
    /// Finite.
    Number(f32),
    /// Q16.16.
    Fixed(i32),
}

impl Input for f32 {
    type Kernel = Kernel;
    type Bias = Self;

    fn read(kernel: Kernel, table: &Table<'_>, row: u32, out: &mut [Self]) {
        table.read_by(kernel, row, out);
    }

    fn number(normaliser: &Normaliser, _: &FixedRecord, raw: Raw) -> Self {
        match raw {
            Raw::Missing => 0.0,
            Raw::Number(raw) => normaliser.apply(raw),
            Raw::Fixed(raw) => normaliser.apply(raw as Self / 65536.0),
        }
    }

    fn bias(section: &[u8], row: u32) -> Self {
        F32s(section).get(row as usize).unwrap_or_default()
    }
}

impl Input for i16 {
    type Kernel = IntegerKernel;
    type Bias = i32;

    fn read(kernel: IntegerKernel, table: &Table<'_>, row: u32, out: &mut [Self]) {
        table.read_fixed_by(kernel, row, out);
    }

    fn number(normaliser: &Normaliser, fixed: &FixedRecord, raw: Raw) -> Self {
        let raw = match raw {
            Raw::Missing => return 0,
            Raw::Number(raw) => fixed::of_f32_bits(raw.to_bits(), 16),
            Raw::Fixed(raw) => raw,
        };
        let t = match normaliser.transform {
            Transform::Identity => raw,
            Transform::Log1p => fixed::log1p(raw),
        };
        let FixedRecord { mean, multiplier, shift, limit, .. } = *fixed;
        // Below 2^32 times at most 2^30.
        let product = i64::from(t).wrapping_sub(mean.into()).wrapping_mul(multiplier.into());
        let limit = i64::from(limit);
        let clamped = fixed::rshift64(product, shift).clamp(limit.wrapping_neg(), limit);
        Self::try_from(clamped).unwrap_or_default()
    }

    fn bias(section: &[u8], row: u32) -> i32 {
        u32_at(section, (row as usize).wrapping_mul(4)).cast_signed()
    }
}

/// One field of a group's or a behaviour's, decoded: it reads that field's value of many rows.
pub(crate) struct Column<'m> {
    /// Of the values.
    index: usize,
    /// Of the inputs.
    start: usize,
    width: usize,
    reads: Reads<'m>,
    group: &'static str,
}

enum Reads<'m> {
    Rows(Table<'m>),
    Numbers(Normaliser, FixedRecord),
}

/// Some fields one after the other, whose inputs are concatenated.
pub(crate) struct Columns<'c, 'm> {
    model: &'c Model<'m>,
    group: &'static str,
    first: usize,
    /// Of the next.
    index: usize,
    count: usize,
    start: usize,
}

/// The fields of a group.
pub(crate) fn columns_of<'c, 'm>(model: &'c Model<'m>, group: Group) -> Columns<'c, 'm> {
    let (first, count) = model.field_range(group);
    Columns { model, group: group.name(), first, index: 0, count, start: 0 }
}

/// The fields of a sequence's behaviours.
pub(crate) fn key_columns<'c, 'm>(model: &'c Model<'m>, sequence: &Sequence<'_>) -> Columns<'c, 'm> {
    let (first, count) = (sequence.first_field, sequence.fields);
    Columns { model, group: "behaviour", first, index: 0, count, start: 0 }
}

impl<'m> Iterator for Columns<'_, 'm> {
    type Item = Column<'m>;

    #[inline(never)]
    fn next(&mut self) -> Option<Column<'m>> {
        let Self { model, group, first, index, count, start } = *self;
        if index >= count {
            return None;
        }
        let place = first.saturating_add(index);
        let field = model.field(place);
        let (width, reads) = match field.kind {
            FieldKind::Categorical => {
                let table = model.table(field.table.into());
                (table.dim, Reads::Rows(table))
            }
            FieldKind::Numeric => {
                let fixed = model.manifest().fixed.get(model.numeric_before(place)).unwrap_or_default();
                (1, Reads::Numbers(field.normaliser, fixed))
            }
        };
        self.index = index.saturating_add(1);
        self.start = start.saturating_add(width);
        Some(Column { index, start, width, reads, group })
    }
}

impl Column<'_> {
    /// Inputs that the field contributes.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// The field's inputs of a row of all fields.
    pub fn of<'r, N>(&self, row: &'r mut [N]) -> &'r mut [N] {
        row.get_mut(self.start..self.start.saturating_add(self.width)).unwrap_or_default()
    }

    /// Asks memory for the rows of many values, soon to be embedded: they lie far apart, and would be waited for one after
    /// another. Only where the processor can be asked, and where finding a row is no search.
    pub fn prefetch<'v>(&self, values: impl Iterator<Item = &'v [Value]>) {
        let Reads::Rows(table) = &self.reads else { return };
        if PREFETCHES && table.vocabulary() == VocabularyKind::Dense {
            let field = values.filter_map(|values| values.get(self.index));
            field.filter_map(|value| table.row_of(*value)).for_each(|row| table.prefetch(row));
        }
    }

    /// The field's value as model inputs: a row of its table, or one normalised number.
    pub fn embed<N: Input>(
        &self,
        kernel: N::Kernel,
        values: &[Value],
        out: &mut [N],
    ) -> Result<(), ScoreError> {
        let (group, field) = (self.group, self.index);
        let value = values.get(field).copied().unwrap_or_default();
        match &self.reads {
            Reads::Rows(table) => {
                let row = table.row_of(value).ok_or(ScoreError::WrongKind { group, field })?;
                N::read(kernel, table, row, out);
            }
            Reads::Numbers(normaliser, fixed) => {
                let raw = match value {
                    Value::Missing => Raw::Missing,
                    Value::Number(raw) if fixed::is_finite(raw) => Raw::Number(raw),
                    Value::Number(_) => return Err(ScoreError::NotFinite { group, field }),
                    Value::Fixed(raw) => Raw::Fixed(raw),
                    Value::Id(_) => return Err(ScoreError::WrongKind { group, field }),
                };
                out.fill(N::number(normaliser, fixed, raw));
            }
        }
        Ok(())
    }
}

/// The newest behaviours of a history, oldest of them first.
#[derive(Clone, Copy)]
pub(crate) struct Newest<'h> {
    history: Behaviours<'h>,
    fields: usize,
    first: usize,
    /// How many: at most the sequence's capacity.
    pub length: usize,
}

impl<'h> Newest<'h> {
    /// Of the history of the sequence with this index.
    pub fn of(sequence: &Sequence<'_>, index: usize, history: &Behaviours<'h>) -> Result<Self, ScoreError> {
        let fields = sequence.fields;
        let mut behaviours = 0_usize;
        for run in [history.older, history.newer] {
            let count = run.len().checked_div(fields).unwrap_or_default();
            if count.wrapping_mul(fields) != run.len() {
                return Err(ScoreError::RaggedHistory { sequence: index, fields, found: run.len() });
            }
            behaviours = behaviours.saturating_add(count);
        }
        let length = behaviours.min(sequence.capacity);
        Ok(Self { history: *history, fields, first: behaviours.saturating_sub(length), length })
    }

    /// The values of a behaviour.
    pub fn get(&self, index: usize) -> &'h [Value] {
        let start = self.first.saturating_add(index).saturating_mul(self.fields);
        match start.checked_sub(self.history.older.len()) {
            None => range(self.history.older, start, self.fields),
            Some(start) => range(self.history.newer, start, self.fields),
        }
    }

    /// Embeds them as a sequence's keys: `[T, D]`.
    #[inline(never)]
    pub fn embed<N: Input>(
        &self,
        model: &Model<'_>,
        sequence: &Sequence<'_>,
        kernel: N::Kernel,
        keys: &mut [N],
    ) -> Result<(), ScoreError> {
        for column in key_columns(model, sequence) {
            column.prefetch((0..self.length).map(|index| self.get(index)));
            for (index, key) in chunks::exact_mut(keys, sequence.key_width).take(self.length).enumerate() {
                column.embed(kernel, self.get(index), column.of(key))?;
            }
        }
        Ok(())
    }
}

/// The candidates' fields, concatenated, and their item biases: `vectors: [N, C]`, `biases: [N]`.
#[inline(never)]
pub(crate) fn embed_candidates<N: Input>(
    model: &Model<'_>,
    kernel: N::Kernel,
    candidates: &[&[Value]],
    vectors: &mut [N],
    biases: &mut [N::Bias],
) -> Result<(), ScoreError> {
    candidates.iter().try_for_each(|candidate| check_count(model, Group::Candidate, candidate))?;
    let width = vectors.len().checked_div(candidates.len()).unwrap_or_default().max(1);
    let record = model.manifest().item_bias;
    for bias in biases.iter_mut() {
        *bias = N::Bias::default();
    }
    for column in columns_of(model, Group::Candidate) {
        column.prefetch(candidates.iter().copied());
        for (candidate, vector) in candidates.iter().zip(chunks::exact_mut(vectors, width)) {
            column.embed(kernel, candidate, column.of(vector))?;
        }
        let (Some(record), Reads::Rows(table)) = (record, &column.reads) else { continue };
        if usize::from(record.field) != column.index {
            continue;
        }
        let section = model.section(record.values);
        for (candidate, bias) in candidates.iter().zip(biases.iter_mut()) {
            let row = candidate.get(column.index).and_then(|value| table.row_of(*value));
            *bias = N::bias(section, row.unwrap_or_default());
        }
    }
    Ok(())
}

/// The candidates' parts that a sequence's paired fields are compared with: `[N, C] -> [N, P]`.
#[inline(never)]
pub(crate) fn gather_queries<N: Copy>(
    model: &Model<'_>,
    sequence: &Sequence<'_>,
    vectors: &[N],
    width: usize,
    queries: &mut [N],
) {
    let (first, _) = model.field_range(Group::Candidate);
    let mut to = 0_usize;
    for index in sequence.first_field..sequence.first_field.saturating_add(sequence.fields) {
        let pair = usize::from(model.field(index).pair);
        if pair == usize::from(NONE) {
            break; // paired fields come first
        }
        let from = model.widths((first, pair));
        let len = model.width(index);
        let rows = chunks::exact_mut(queries, sequence.paired_width);
        for (query, vector) in rows.zip(chunks::exact(vectors, width)) {
            let query = query.get_mut(to..to.saturating_add(len)).unwrap_or_default();
            copy(range(vector, from, len).iter().copied(), query);
        }
        to = to.saturating_add(len);
    }
}
