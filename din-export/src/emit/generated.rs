//! Requests for a self-test where there are no real ones: known, unknown and missing ids, numbers within two standard
//! deviations, histories that are full, empty and in between. The same model gives the same requests.

use crate::request::Request;
use din_core::manifest::{FieldKind, FieldRecord, TableRecord, VocabularyKind};
use din_core::{Model, Transform, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One value in so many is missing, and one id in so many unknown.
const RARE: u32 = 12;

/// Draws requests for a model.
#[must_use]
pub fn requests(model: &Model<'_>, count: usize, candidates: usize) -> Vec<Request> {
    let mut random = ChaCha8Rng::seed_from_u64(0x5e1f_7e57);
    let random = &mut random;
    let manifest = model.manifest();
    let all: Vec<FieldRecord> = manifest.fields.iter().collect();
    let (profile, rest) = all.split_at(manifest.profile_fields.into());
    let (context, rest) = rest.split_at(manifest.context_fields.into());
    let (candidate, behaviours) = rest.split_at(manifest.candidate_fields.into());
    let request = |index: usize| {
        let (mut histories, mut rest) = (Vec::new(), behaviours);
        for sequence in manifest.sequences.iter() {
            let (fields, after) = rest.split_at(sequence.fields.into());
            rest = after;
            let length = match index {
                0 => sequence.capacity,
                1 => 0,
                _ => random.random_range(0..=sequence.capacity),
            };
            histories.push((0..length).flat_map(|_| values(model, fields, random)).collect());
        }
        Request {
            profile: values(model, profile, random),
            context: values(model, context, random),
            histories,
            candidates: (0..candidates).map(|_| values(model, candidate, random)).collect(),
        }
    };
    (0..count).map(request).collect()
}

fn values(model: &Model<'_>, fields: &[FieldRecord], random: &mut ChaCha8Rng) -> Vec<Value> {
    let mut value = |field: &FieldRecord| {
        if random.random_range(0..RARE) == 0 {
            return Value::Missing;
        }
        match field.kind {
            FieldKind::Categorical => id(model, field.table.into(), random),
            _ => number(field, random),
        }
    };
    fields.iter().map(&mut value).collect()
}

/// An id of any row of a table, or an unknown one.
fn id(model: &Model<'_>, table: usize, random: &mut ChaCha8Rng) -> Value {
    let record = model.manifest().tables.get(table).unwrap_or_default();
    let row = random.random_range(0..record.rows.max(1));
    if random.random_range(0..RARE) != 0
        && let Some(id) = id_of_row(model, &record, row)
    {
        return Value::Id(id);
    }
    // No vocabulary of less than 2^63 ids holds most of these.
    Value::Id(random.random::<u64>() | 1 << 63)
}

/// The id (or the hash) that a row stands for; none for the row of unknown ids.
fn id_of_row(model: &Model<'_>, table: &TableRecord, row: u32) -> Option<u64> {
    if table.vocabulary == VocabularyKind::Dense {
        let index = row.checked_sub(table.first_row.into())?;
        return table.first_id.checked_add(index.into());
    }
    let keys = model.manifest().sections.get(table.keys.into())?;
    let start = usize::try_from(keys.offset).ok()? + (row.checked_sub(1)? as usize) * 8;
    let key = model.bytes().get(start..)?.first_chunk()?;
    Some(u64::from_le_bytes(*key))
}

/// A number that the normaliser maps to within two standard deviations of the mean.
fn number(field: &FieldRecord, random: &mut ChaCha8Rng) -> Value {
    let normaliser = &field.normaliser;
    let reach = f64::from(normaliser.limit).min(2.0);
    let (mean, scale) = (f64::from(normaliser.mean), f64::from(normaliser.scale));
    let input = random.random_range(-reach..=reach);
    let transformed = if scale == 0.0 { mean } else { mean + input / scale };
    let raw = match normaliser.transform {
        Transform::Identity => transformed,
        Transform::Log1p => transformed.signum() * transformed.abs().min(20.0).exp_m1(),
    };
    // Short in the source, and exact in binary.
    Value::Number(((raw * 64.0).round() / 64.0) as f32)
}
