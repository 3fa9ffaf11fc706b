//! A few thousand samples as bytes: what the cache is made of.
//!
//! ```text
//! samples (u32) || labels (u8 each) || users (u32) || columns of profile, context, candidate (4 bytes each)
//! for each sequence: behaviours (u32) || spans (start, end: u32) || columns of the pool (4 bytes each)
//! ```
//!
//! All little-endian. A block holds the behaviours that its own samples need, so that any block can be read without another.

use crate::data::dataset::{FieldColumn, Histories, Samples};
use crate::schema::{Field, FieldKind, Schema};

/// Samples without any, with the columns of a schema.
#[must_use]
pub fn empty(schema: &Schema) -> Samples {
    let column = |field: &Field| match field.kind {
        FieldKind::Categorical { .. } => FieldColumn::Rows(Vec::new()),
        FieldKind::Numeric(_) => FieldColumn::Numbers(Vec::new()),
    };
    let columns = |fields: &[Field]| fields.iter().map(column).collect();
    let histories = |sequence: &crate::schema::SequenceSpec| Histories {
        pool: sequence.fields.iter().map(|behaviour| column(&behaviour.field)).collect(),
        spans: Vec::new(),
    };
    Samples {
        labels: Vec::new(),
        users: Vec::new(),
        profile: columns(&schema.profile),
        context: columns(&schema.context),
        candidate: columns(&schema.candidate),
        histories: schema.sequences.iter().map(histories).collect(),
    }
}

/// Columns of samples, in the order of a block.
fn plain_columns(samples: &Samples) -> impl Iterator<Item = &FieldColumn> {
    samples.profile.iter().chain(&samples.context).chain(&samples.candidate)
}

fn plain_columns_mut(samples: &mut Samples) -> impl Iterator<Item = &mut FieldColumn> {
    samples.profile.iter_mut().chain(&mut samples.context).chain(&mut samples.candidate)
}

/// The samples at `indices` alone, each history copied once where neighbours share it.
#[must_use]
pub fn extract(samples: &Samples, indices: &[u32], schema: &Schema) -> Samples {
    let mut out = empty(schema);
    let at = |index: &u32| *index as usize;
    out.labels.extend(indices.iter().map(|index| samples.labels[at(index)]));
    out.users.extend(indices.iter().map(|index| samples.users[at(index)]));
    for (column, from) in plain_columns_mut(&mut out).zip(plain_columns(samples)) {
        match (column, from) {
            (FieldColumn::Rows(out), FieldColumn::Rows(from)) => {
                out.extend(indices.iter().map(|i| from[at(i)]));
            }
            (FieldColumn::Numbers(out), FieldColumn::Numbers(from)) => {
                out.extend(indices.iter().map(|i| from[at(i)]));
            }
            _ => unreachable!("both follow the schema"),
        }
    }
    for (own, from) in out.histories.iter_mut().zip(&samples.histories) {
        // The stretch of the old pool that was copied last, and where it ends in the new one.
        let (mut first, mut last, mut end) = (0, 0, 0_u32);
        for index in indices {
            let (start, stop) = from.spans[at(index)];
            if start == stop {
                own.spans.push((end, end));
                continue;
            }
            if start < first || start > last {
                (first, last) = (start, start);
            }
            if stop > last {
                own.pool
                    .iter_mut()
                    .zip(&from.pool)
                    .for_each(|(out, from)| extend(out, from, last as usize..stop as usize));
                end += stop - last;
                last = stop;
            }
            own.spans.push((end - (last - start), end - (last - stop)));
        }
    }
    out
}

/// Appends entries of a column to one of the same kind.
fn extend(out: &mut FieldColumn, from: &FieldColumn, range: std::ops::Range<usize>) {
    match (out, from) {
        (FieldColumn::Rows(out), FieldColumn::Rows(from)) => out.extend_from_slice(&from[range]),
        (FieldColumn::Numbers(out), FieldColumn::Numbers(from)) => out.extend_from_slice(&from[range]),
        _ => unreachable!("both follow the schema"),
    }
}

/// Samples as bytes.
#[must_use]
pub fn encode(samples: &Samples) -> Vec<u8> {
    let mut out = Vec::new();
    put_u32(&mut out, samples.labels.len() as u32);
    out.extend(samples.labels.iter().map(|&label| u8::from(label > 0.5)));
    samples.users.iter().for_each(|&user| put_u32(&mut out, user));
    plain_columns(samples).for_each(|column| put_column(&mut out, column));
    for histories in &samples.histories {
        let behaviours = histories.pool.first().map_or(0, FieldColumn::len);
        put_u32(&mut out, behaviours as u32);
        for &(start, end) in &histories.spans {
            put_u32(&mut out, start);
            put_u32(&mut out, end);
        }
        histories.pool.iter().for_each(|column| put_column(&mut out, column));
    }
    out
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend(number.to_le_bytes());
}

fn put_column(out: &mut Vec<u8>, column: &FieldColumn) {
    match column {
        FieldColumn::Rows(rows) => out.extend(rows.iter().flat_map(|row| row.to_le_bytes())),
        FieldColumn::Numbers(numbers) => out.extend(numbers.iter().flat_map(|number| number.to_le_bytes())),
    }
}

/// Appends the samples of a block to samples with the same columns; `None` if it is no such block.
pub fn append(mut bytes: &[u8], out: &mut Samples) -> Option<()> {
    let samples = u32s(&mut bytes, 1)?.next()? as usize;
    let (labels, rest) = bytes.split_at_checked(samples)?;
    bytes = rest;
    out.labels.extend(labels.iter().map(|&label| f32::from(label)));
    out.users.extend(u32s(&mut bytes, samples)?);
    for column in plain_columns_mut(out) {
        append_column(&mut bytes, column, samples)?;
    }
    for histories in &mut out.histories {
        let before = histories.pool.first().map_or(0, FieldColumn::len) as u32;
        let behaviours = u32s(&mut bytes, 1)?.next()? as usize;
        let mut ends = u32s(&mut bytes, 2 * samples)?;
        while let (Some(start), Some(end)) = (ends.next(), ends.next()) {
            histories.spans.push((before + start, before + end));
        }
        for column in &mut histories.pool {
            append_column(&mut bytes, column, behaviours)?;
        }
    }
    bytes.is_empty().then_some(())
}

fn append_column(bytes: &mut &[u8], column: &mut FieldColumn, count: usize) -> Option<()> {
    let numbers = u32s(bytes, count)?;
    match column {
        FieldColumn::Rows(rows) => rows.extend(numbers),
        FieldColumn::Numbers(out) => out.extend(numbers.map(f32::from_bits)),
    }
    Some(())
}

/// Takes so many numbers off the front.
fn u32s<'a>(bytes: &mut &'a [u8], count: usize) -> Option<impl Iterator<Item = u32> + use<'a>> {
    let (own, rest) = bytes.split_at_checked(count.checked_mul(4)?)?;
    *bytes = rest;
    Some(own.as_chunks::<4>().0.iter().map(|&bytes| u32::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{BehaviourField, SequenceSpec};
    use din_core::Normaliser;

    fn schema() -> Schema {
        let id = || Field { name: "item".into(), kind: FieldKind::Categorical { table: 0 } };
        let number = || Field { name: "age".into(), kind: FieldKind::Numeric(Normaliser::IDENTITY) };
        let behaviours = [id(), number()].map(|field| BehaviourField { field, pair: None });
        let sequence = SequenceSpec { name: "s".into(), capacity: 3, fields: behaviours.into() };
        Schema {
            context: vec![number()],
            candidate: vec![id()],
            sequences: vec![sequence],
            ..Schema::default()
        }
    }

    fn samples() -> Samples {
        let pool = vec![
            FieldColumn::Rows((100..110).collect()),
            FieldColumn::Numbers((0..10_u8).map(f32::from).collect()),
        ];
        // Overlapping, equal, empty, before the last, apart.
        let spans = vec![(0, 3), (1, 4), (1, 4), (9, 9), (0, 2), (7, 10)];
        Samples {
            labels: vec![0.0, 1.0, 1.0, 0.0, 0.0, 1.0],
            users: vec![0, 0, 0, 1, 1, 2],
            context: vec![FieldColumn::Numbers(vec![0.5, -1.0, f32::INFINITY, 3.0, 4.0, 5.0])],
            candidate: vec![FieldColumn::Rows((0..6).collect())],
            histories: vec![Histories { pool, spans }],
            ..Samples::default()
        }
    }

    /// The rows of the history of each sample.
    fn histories(samples: &Samples) -> Vec<Vec<u32>> {
        let own = &samples.histories[0];
        let FieldColumn::Rows(rows) = &own.pool[0] else { panic!() };
        own.spans.iter().map(|&(start, end)| rows[start as usize..end as usize].to_vec()).collect()
    }

    #[test]
    fn what_is_extracted_has_the_histories_of_its_samples_and_each_stretch_once() {
        let all = samples();
        let part = extract(&all, &[0, 1, 2, 3, 4, 5], &schema());
        assert_eq!(histories(&part), histories(&all));
        let FieldColumn::Rows(pool) = &part.histories[0].pool[0] else { panic!() };
        assert_eq!(*pool, [100, 101, 102, 103, 107, 108, 109]);
        let part = extract(&all, &[5, 2], &schema());
        assert_eq!(histories(&part), [vec![107, 108, 109], vec![101, 102, 103]]);
        assert_eq!((part.labels, part.users), (vec![1.0, 1.0], vec![2, 0]));
    }

    #[test]
    fn blocks_come_back_one_behind_the_other() {
        let all = samples();
        let mut out = empty(&schema());
        for indices in [&[0, 1, 2][..], &[3, 4, 5]] {
            append(&encode(&extract(&all, indices, &schema())), &mut out).unwrap();
        }
        assert_eq!(histories(&out), histories(&all));
        assert_eq!((&out.labels, &out.users, &out.candidate), (&all.labels, &all.users, &all.candidate));
        assert_eq!(out.context, all.context);
    }

    #[test]
    fn a_block_that_is_too_short_or_too_long_is_none() {
        let bytes = encode(&samples());
        for length in 0..bytes.len() {
            assert!(append(&bytes[..length], &mut empty(&schema())).is_none(), "{length}");
        }
        assert!(append(&[bytes, vec![0]].concat(), &mut empty(&schema())).is_none());
    }
}
