//! From the values of a request to the numbers that a model reads.

use crate::bytes::{F32s, u32_at};
use crate::error::ScoreError;
use crate::fixed;
use crate::history::Behaviours;
use crate::kernels::copy;
use crate::manifest::{FieldKind, FieldRecord, FixedRecord, NONE};
use crate::model::{Group, Model, Sequence};
use crate::normaliser::Transform;
use crate::table::Table;
use crate::value::Value;

pub(crate) fn check_count(model: &Model<'_>, group: Group, values: &[Value]) -> Result<(), ScoreError> {
    let (_, needed) = model.field_range(group);
    if values.len() == needed {
        Ok(())
    } else {
        Err(ScoreError::FieldCount { group: group.name(), needed, found: values.len() })
    }
}

/// Why a value does not suit its field.
pub(crate) enum Fault {
    WrongKind,
    NotFinite,
}

impl Fault {
    pub fn at(self, group: &'static str, field: usize) -> ScoreError {
        match self {
            Self::WrongKind => ScoreError::WrongKind { group, field },
            Self::NotFinite => ScoreError::NotFinite { group, field },
        }
    }
}

/// A number that a model reads: f32, or i16 of the integer path.
pub(crate) trait Input: Copy {
    /// What the item bias is made of.
    type Bias: Default;

    /// Writes a row of a table.
    fn read(table: &Table<'_>, row: u32, out: &mut [Self]);

    /// A raw number of the `numeric`-th numeric field of the model.
    fn number(model: &Model<'_>, field: &FieldRecord, numeric: usize, raw: Raw) -> Self;

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
    type Bias = Self;

    fn read(table: &Table<'_>, row: u32, out: &mut [Self]) {
        table.read(row, out);
    }

    fn number(_: &Model<'_>, field: &FieldRecord, _: usize, raw: Raw) -> Self {
        match raw {
            Raw::Missing => 0.0,
            Raw::Number(raw) => field.normaliser.apply(raw),
            Raw::Fixed(raw) => field.normaliser.apply(raw as Self / 65536.0),
        }
    }

    fn bias(section: &[u8], row: u32) -> Self {
        F32s(section).get(row as usize).unwrap_or_default()
    }
}

impl Input for i16 {
    type Bias = i32;

    fn read(table: &Table<'_>, row: u32, out: &mut [Self]) {
        table.read_fixed(row, out);
    }

    fn number(model: &Model<'_>, field: &FieldRecord, numeric: usize, raw: Raw) -> Self {
        let raw = match raw {
            Raw::Missing => return 0,
            Raw::Number(raw) => fixed::of_f32_bits(raw.to_bits(), 16),
            Raw::Fixed(raw) => raw,
        };
        let t = match field.normaliser.transform {
            Transform::Identity => raw,
            Transform::Log1p => fixed::log1p(raw),
        };
        let FixedRecord { mean, multiplier, shift, limit, .. } =
            model.manifest().fixed.get(numeric).unwrap_or_default();
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

/// A value as model inputs: a row of the field's table, or one normalised number, of the `numeric`-th numeric field.
pub(crate) fn embed<N: Input>(
    model: &Model<'_>,
    field: &FieldRecord,
    numeric: usize,
    value: Value,
    out: &mut [N],
) -> Result<(), Fault> {
    match field.kind {
        FieldKind::Categorical => {
            let table = model.table(field.table.into());
            let row = table.row_of(value).ok_or(Fault::WrongKind)?;
            N::read(&table, row, out);
        }
        FieldKind::Numeric => {
            let raw = match value {
                Value::Missing => Raw::Missing,
                Value::Number(raw) if raw.is_finite() => Raw::Number(raw),
                Value::Number(_) => return Err(Fault::NotFinite),
                Value::Fixed(raw) => Raw::Fixed(raw),
                Value::Id(_) => return Err(Fault::WrongKind),
            };
            out.fill(N::number(model, field, numeric, raw));
        }
    }
    Ok(())
}

/// A run of fields, concatenated; returns what is left of `out`. Before the first field are `numeric` numeric ones.
fn embed_fields<'o, N: Input>(
    model: &Model<'_>,
    fields: impl Iterator<Item = FieldRecord>,
    mut numeric: usize,
    (group, values): (&'static str, &[Value]),
    mut out: &'o mut [N],
) -> Result<&'o mut [N], ScoreError> {
    for (index, (field, value)) in fields.zip(values).enumerate() {
        let (part, rest) = out.split_at_mut_checked(model.width(&field)).unwrap_or_default();
        embed(model, &field, numeric, *value, part).map_err(|fault| fault.at(group, index))?;
        numeric = numeric.saturating_add(usize::from(field.kind == FieldKind::Numeric));
        out = rest;
    }
    Ok(out)
}

/// A group's fields, concatenated; returns what is left of `out`.
pub(crate) fn embed_group<'o, N: Input>(
    model: &Model<'_>,
    group: Group,
    values: &[Value],
    out: &'o mut [N],
) -> Result<&'o mut [N], ScoreError> {
    let (first, count) = model.field_range(group);
    let fields = model.field_records(first, count);
    embed_fields(model, fields, model.numeric_fields(0, first), (group.name(), values), out)
}

/// A behaviour's fields, concatenated: `[D]`.
pub(crate) fn embed_key<N: Input>(
    model: &Model<'_>,
    sequence: &Sequence<'_>,
    behaviour: &[Value],
    key: &mut [N],
) -> Result<(), ScoreError> {
    let fields = model.field_records(sequence.first_field, sequence.fields);
    embed_fields(model, fields, sequence.first_numeric, ("behaviour", behaviour), key).map(|_| ())
}

/// Visits the newest behaviours, oldest of them first; returns how many.
pub(crate) fn for_each_behaviour(
    sequence: &Sequence<'_>,
    index: usize,
    history: &Behaviours<'_>,
    mut visit: impl FnMut(usize, &[Value]) -> Result<(), ScoreError>,
) -> Result<usize, ScoreError> {
    let fields = sequence.fields.max(1);
    for run in [history.older, history.newer] {
        if run.len() % fields != 0 {
            return Err(ScoreError::RaggedHistory { sequence: index, fields, found: run.len() });
        }
    }
    let behaviours = history.len() / fields;
    let length = behaviours.min(sequence.capacity);
    let runs = history.older.chunks_exact(fields).chain(history.newer.chunks_exact(fields));
    for (t, behaviour) in runs.skip(behaviours.saturating_sub(length)).enumerate() {
        visit(t, behaviour)?;
    }
    Ok(length)
}

/// The candidate's fields, concatenated: `[C]`; returns its item bias.
pub(crate) fn embed_candidate<N: Input>(
    model: &Model<'_>,
    candidate: &[Value],
    vector: &mut [N],
) -> Result<N::Bias, ScoreError> {
    embed_group(model, Group::Candidate, candidate, vector)?;
    let Some(record) = model.manifest().item_bias else { return Ok(N::Bias::default()) };
    let (first, _) = model.field_range(Group::Candidate);
    let index = usize::from(record.field);
    let field = model.field_records(first.saturating_add(index), 1).next();
    let row = field
        .zip(candidate.get(index))
        .and_then(|(field, value)| model.table(field.table.into()).row_of(*value));
    Ok(N::bias(model.section(record.values), row.unwrap_or_default()))
}

/// The candidates' parts that a sequence's paired fields are compared with: `[N, C] -> [N, P]`.
pub(crate) fn gather_queries<N: Copy>(
    model: &Model<'_>,
    sequence: &Sequence<'_>,
    vectors: &[N],
    width: usize,
    queries: &mut [N],
) {
    let (first, _) = model.field_range(Group::Candidate);
    let paired =
        model.field_records(sequence.first_field, sequence.fields).take_while(|field| field.pair != NONE);
    let mut to = 0_usize;
    for field in paired {
        let before = model.field_records(first, field.pair.into());
        let from = before.fold(0_usize, |sum, field| sum.saturating_add(model.width(&field)));
        let len = model.width(&field);
        let rows = queries.chunks_exact_mut(sequence.paired_width.max(1));
        for (query, vector) in rows.zip(vectors.chunks_exact(width.max(1))) {
            let query = query.get_mut(to..to.saturating_add(len)).unwrap_or_default();
            copy(vector.iter().skip(from).copied(), query);
        }
        to = to.saturating_add(len);
    }
}
