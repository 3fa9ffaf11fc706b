//! From the values of a request to the numbers that a model reads.

use crate::bytes::F32s;
use crate::error::ScoreError;
use crate::history::Behaviours;
use crate::kernels::copy;
use crate::manifest::{FieldKind, FieldRecord, NONE};
use crate::model::{Group, Model, Sequence};
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

/// A value as model inputs: a row of the field's table, or one normalised number.
pub(crate) fn embed(
    model: &Model<'_>,
    field: &FieldRecord,
    value: Value,
    out: &mut [f32],
) -> Result<(), Fault> {
    match field.kind {
        FieldKind::Categorical => {
            let table = model.table(field.table.into());
            let row = table.row_of(value).ok_or(Fault::WrongKind)?;
            table.read(row, out);
        }
        FieldKind::Numeric => {
            let number = match value {
                Value::Missing => 0.0,
                Value::Number(raw) if raw.is_finite() => field.normaliser.apply(raw),
                Value::Number(_) => return Err(Fault::NotFinite),
                Value::Fixed(raw) => field.normaliser.apply(raw as f32 / 65536.0),
                Value::Id(_) => return Err(Fault::WrongKind),
            };
            out.fill(number);
        }
    }
    Ok(())
}

/// A behaviour's fields, concatenated: `[D]`.
pub(crate) fn embed_key(
    model: &Model<'_>,
    sequence: &Sequence<'_>,
    behaviour: &[Value],
    mut key: &mut [f32],
) -> Result<(), ScoreError> {
    let fields = model.field_records(sequence.first_field, sequence.fields);
    for (index, (field, value)) in fields.zip(behaviour).enumerate() {
        let (part, rest) = key.split_at_mut_checked(model.width(&field)).unwrap_or_default();
        embed(model, &field, *value, part).map_err(|fault| fault.at("behaviour", index))?;
        key = rest;
    }
    Ok(())
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
pub(crate) fn embed_candidate(
    model: &Model<'_>,
    candidate: &[Value],
    mut vector: &mut [f32],
) -> Result<f32, ScoreError> {
    let (first, count) = model.field_range(Group::Candidate);
    let mut bias = 0.0;
    for (index, (field, value)) in model.field_records(first, count).zip(candidate).enumerate() {
        let (part, rest) = vector.split_at_mut_checked(model.width(&field)).unwrap_or_default();
        embed(model, &field, *value, part).map_err(|fault| fault.at(Group::Candidate.name(), index))?;
        vector = rest;
        if let Some(record) = model.manifest().item_bias.filter(|record| usize::from(record.field) == index) {
            let row = model.table(field.table.into()).row_of(*value).unwrap_or_default();
            bias = F32s(model.section(record.values)).get(row as usize).unwrap_or_default();
        }
    }
    Ok(bias)
}

/// The candidate's parts that a sequence's paired fields are compared with: `[P]`.
pub(crate) fn gather_query(
    model: &Model<'_>,
    sequence: &Sequence<'_>,
    vector: &[f32],
    mut query: &mut [f32],
) {
    let (first, _) = model.field_range(Group::Candidate);
    let paired =
        model.field_records(sequence.first_field, sequence.fields).take_while(|field| field.pair != NONE);
    for field in paired {
        let before = model.field_records(first, field.pair.into());
        let start = before.fold(0_usize, |sum, field| sum.saturating_add(model.width(&field)));
        let (part, rest) = query.split_at_mut_checked(model.width(&field)).unwrap_or_default();
        copy(vector.iter().skip(start).copied(), part);
        query = rest;
    }
}
