//! The bounds of the integer path: no sum leaves 32 bits, whatever the ids.

use super::{SectionCounter, equal, in_range, none};
use crate::bytes::{u16_at, u32_at};
use crate::error::LoadError;
use crate::integer::layer::{parameters, parameters_len, part};
use crate::kernels::integer::{Parameters, Part};
use crate::manifest::{Activation, FieldKind, FieldRecord, IntegerLayerRecord, MAX_WIDTH, NONE, Pooling};
use crate::model::{Group, Model, Sequence};

/// The largest magnitude of an activation.
const WIDEST: u64 = 32_768;
/// What every magnitude stays below.
const LIMIT: u64 = 1 << 31;
/// The largest shift.
const MAX_SHIFT: u64 = 30;

/// Numeric fields: one record for each.
pub(super) fn fixed(model: &Model<'_>) -> Result<(), LoadError> {
    let fixed = model.manifest().fixed;
    let numeric = model.numeric_fields(0, model.manifest().fields.len());
    equal("number of fixed-point fields", 0, numeric as u64, fixed.len() as u64)?;
    for record in fixed.iter() {
        // The difference is below 2^32: the product stays below 2^62, and its rounding constant too.
        let multiplier = u64::from(record.multiplier.unsigned_abs());
        in_range("multiplier of a field", multiplier.saturating_add(1), (1 << 30) + 1)?;
        in_range("shift of a field", u64::from(record.shift) + 1, 63)?;
        in_range("limit of inputs", record.limit.into(), i16::MAX as u64)?;
    }
    Ok(())
}

/// Where a part's inputs come from.
#[derive(Clone, Copy)]
enum Source<'s> {
    /// Results of a layer before it, or of pooling.
    Activations(usize),
    /// A run of fields.
    Fields(usize, usize),
    /// The candidate fields that a sequence is compared with.
    Query(&'s Sequence<'s>),
    /// A sequence's behaviours, with the query.
    Pair(&'s Sequence<'s>),
}

/// The largest magnitude of each input of some fields.
fn limits<'a>(model: &'a Model<'_>, first: usize, count: usize) -> impl Iterator<Item = u64> + 'a {
    let mut numeric = model.numeric_fields(0, first);
    model.field_records(first, count).flat_map(move |field| {
        let limit = limit_of(model, &field, numeric);
        numeric = numeric.saturating_add(usize::from(field.kind == FieldKind::Numeric));
        core::iter::repeat_n(limit, model.width(&field))
    })
}

fn limit_of(model: &Model<'_>, field: &FieldRecord, numeric: usize) -> u64 {
    match field.kind {
        FieldKind::Categorical => {
            model.manifest().tables.get(field.table.into()).map_or(0, |table| table.limit.into())
        }
        FieldKind::Numeric => model.manifest().fixed.get(numeric).map_or(0, |fixed| fixed.limit.into()),
    }
}

fn key_limits<'a>(model: &'a Model<'_>, sequence: &Sequence<'_>) -> impl Iterator<Item = u64> + 'a {
    limits(model, sequence.first_field, sequence.fields)
}

fn query_limits<'a>(model: &'a Model<'_>, sequence: &Sequence<'_>) -> impl Iterator<Item = u64> + 'a {
    let (first, _) = model.field_range(Group::Candidate);
    let paired =
        model.field_records(sequence.first_field, sequence.fields).take_while(|field| field.pair != NONE);
    paired.flat_map(move |field| limits(model, first.saturating_add(field.pair.into()), 1))
}

/// Layers of a sequence's unit, and the bounds of its pooling.
pub(super) fn unit(
    model: &Model<'_>,
    index: usize,
    sequence: &Sequence<'_>,
    cursor: &mut Cursor,
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    let Some(record) = model.manifest().sequences.get(index) else { return Ok(()) };
    in_range("shift of an interest vector", u64::from(record.pooled_shift) + 1, MAX_SHIFT + 1)?;
    in_range("shift of a product", u64::from(record.product_shift) + 1, MAX_SHIFT + 1)?;
    let weights = match sequence.pooling {
        Pooling::Sum | Pooling::Mean => sequence.capacity as u64,
        Pooling::Attention => (sequence.capacity as u64).saturating_mul(record.weight_limit.into()),
        // They add up to 1 but for their rounding.
        Pooling::SoftmaxAttention => (1 << 15) + sequence.capacity as u64,
    };
    let widest = key_limits(model, sequence).max().unwrap_or_default();
    below(
        "sum of weighted keys",
        weights.saturating_mul(widest).saturating_add(rounding(record.pooled_shift)),
    )?;
    if sequence.is_attention() {
        in_range("limit of attention weights", record.weight_limit.into(), i16::MAX as u64)?;
    }
    let first = [Source::Query(sequence), Source::Pair(sequence)];
    chain(model, cursor, sequence.layers, &first.into_iter(), sections)
}

/// Layers of the head.
pub(super) fn head(
    model: &Model<'_>,
    count: usize,
    cursor: &mut Cursor,
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    let (start, candidate) = model.field_range(Group::Candidate);
    let pooled = model.sequences().map(|sequence| Source::Activations(sequence.key_width));
    let products = model.sequences().filter(|_| model.manifest().product);
    let products = products.map(|sequence| Source::Activations(sequence.paired_width));
    let sources = core::iter::once(Source::Fields(0, start))
        .chain(pooled)
        .chain(core::iter::once(Source::Fields(start, candidate)))
        .chain(products);
    chain(model, cursor, count, &sources, sections)
}

/// The next layer and part.
#[derive(Default)]
pub(super) struct Cursor {
    layer: usize,
    pub(super) part: usize,
}

fn chain<'s>(
    model: &Model<'_>,
    cursor: &mut Cursor,
    count: usize,
    first: &(impl Iterator<Item = Source<'s>> + Clone),
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    let mut inputs = 0;
    for position in 0..count {
        let index = cursor.layer;
        let record = model.manifest().integer_layers.get(index);
        let record = record.ok_or(LoadError::Malformed { part: "integer layers" })?;
        in_range("outputs of a layer", record.outputs.into(), MAX_WIDTH.into())?;
        let start = cursor.part;
        if position == 0 {
            parts(model, cursor, &record, first.clone(), sections)?;
        } else {
            parts(model, cursor, &record, core::iter::once(Source::Activations(inputs)), sections)?;
        }
        layer(model, index, &record, sections)?;
        if position == 0 {
            sums(model, start, &record, first)?;
        } else {
            sums(model, start, &record, &core::iter::once(Source::Activations(inputs)))?;
        }
        if position + 1 == count {
            equal("outputs of the last layer", index, 1, record.outputs.into())?;
            equal(
                "activation of the last layer",
                index,
                Activation::Linear as u64,
                record.activation as u64,
            )?;
        }
        inputs = record.outputs as usize;
        cursor.layer += 1;
    }
    Ok(())
}

/// Shapes and sections of a layer's parts.
fn parts<'s>(
    model: &Model<'_>,
    cursor: &mut Cursor,
    layer: &IntegerLayerRecord,
    sources: impl Iterator<Item = Source<'s>> + Clone,
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    equal("parts of a layer", cursor.layer, sources.clone().count() as u64, layer.parts.into())?;
    let outputs = u64::from(layer.outputs);
    for source in sources {
        let index = cursor.part;
        let record = model.manifest().parts.get(index).ok_or(LoadError::Malformed { part: "parts" })?;
        let width = |first, count| model.field_records(first, count).map(|field| model.width(&field)).sum();
        let (inputs, weight): (usize, usize) = match source {
            Source::Activations(width) => (width, width),
            Source::Fields(first, count) => (width(first, count), width(first, count)),
            Source::Query(sequence) => (sequence.paired_width, sequence.paired_width),
            Source::Pair(sequence) => (sequence.key_width, sequence.paired_width),
        };
        equal("inputs of a part", index, inputs as u64, record.inputs.into())?;
        in_range("shift of a part", u64::from(record.shift) + 1, MAX_SHIFT + 1)?;
        let quads = (weight.div_ceil(4) as u64).saturating_mul(outputs).saturating_mul(4);
        sections.expect(model, "section of weights", index, record.weight, quads)?;
        if matches!(source, Source::Pair(_)) {
            let pairs = (inputs.div_ceil(2) as u64).saturating_mul(outputs).saturating_mul(4);
            sections.expect(model, "section of a base", index, record.base, pairs)?;
        } else {
            none("section of a base", index, record.base)?;
        }
        sections.expect(model, "section of multipliers", index, record.multipliers, outputs * 2)?;
        cursor.part += 1;
    }
    Ok(())
}

/// Sections of a layer, and its activation's parameters.
fn layer(
    model: &Model<'_>,
    index: usize,
    record: &IntegerLayerRecord,
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    let outputs = u64::from(record.outputs);
    in_range("shift of a layer", u64::from(record.shift) + 1, MAX_SHIFT + 1)?;
    sections.expect(model, "section of an addend", index, record.addend, outputs * 4)?;
    match parameters_len(record.activation) {
        0 => none("section of parameters", index, record.parameters)?,
        len => sections.expect(model, "section of parameters", index, record.parameters, len * outputs)?,
    }
    if record.activation == Activation::Sigmoid {
        equal("fraction before a sigmoid", index, 12, u64::from(record.fraction.unsigned_abs()))?;
    }
    if record.activation == Activation::Dice {
        let section = model.section(record.parameters);
        let Parameters { a, b, e, .. } = parameters(record.activation, section, record.outputs as usize);
        let slopes = a.chunks_exact(2).map(|a| u64::from(u16_at(a, 0).cast_signed().unsigned_abs()));
        let offsets = b.chunks_exact(4).map(|b| u64::from(u32_at(b, 0).cast_signed().unsigned_abs()));
        for ((a, b), e) in slopes.zip(offsets).zip(e) {
            below("argument of dice", a.saturating_mul(WIDEST).saturating_add(b))?;
            in_range("shift of dice", u64::from(*e) + 1, MAX_SHIFT + 1)?;
        }
    }
    Ok(())
}

/// The bounds of a layer's sums.
fn sums<'s>(
    model: &Model<'_>,
    first_part: usize,
    layer: &IntegerLayerRecord,
    sources: &(impl Iterator<Item = Source<'s>> + Clone),
) -> Result<(), LoadError> {
    let addend = model.section(layer.addend);
    for output in 0..layer.outputs as usize {
        let addend = u32_at(addend, output.wrapping_mul(4)).cast_signed();
        let mut total = u64::from(addend.unsigned_abs());
        for (index, source) in (first_part..).zip(sources.clone()) {
            let record = model.manifest().parts.get(index).unwrap_or_default();
            let part = part(model, &record, layer.outputs);
            let bound = match source {
                Source::Activations(width) => dense(&part, output, core::iter::repeat_n(WIDEST, width)),
                Source::Fields(first, count) => dense(&part, output, limits(model, first, count)),
                Source::Query(sequence) => dense(&part, output, query_limits(model, sequence)),
                Source::Pair(sequence) => pair(model, &part, output, sequence)?,
            };
            below("sum of a part", bound.saturating_add(rounding(part.shift)))?;
            let multiplier = u16_at(part.multipliers, output.wrapping_mul(2)).cast_signed();
            let shifted = (bound.saturating_add(rounding(part.shift)) >> part.shift).saturating_add(1);
            total = total.saturating_add(shifted.saturating_mul(multiplier.unsigned_abs().into()));
        }
        below("sum of a layer", total)?;
    }
    Ok(())
}

fn dense(part: &Part<'_>, output: usize, limits: impl Iterator<Item = u64>) -> u64 {
    let each = limits
        .enumerate()
        .map(|(d, limit)| limit.saturating_mul(part.weight_at(d, output).unsigned_abs().into()));
    each.fold(0, u64::saturating_add)
}

fn pair(
    model: &Model<'_>,
    part: &Part<'_>,
    output: usize,
    sequence: &Sequence<'_>,
) -> Result<u64, LoadError> {
    let mut query = query_limits(model, sequence);
    let mut bound = 0_u64;
    for (d, limit) in key_limits(model, sequence).enumerate() {
        let product = query.next().map_or(0, |q| {
            let weight = u64::from(part.weight_at(d, output).unsigned_abs());
            (weight.saturating_mul(q).saturating_add(128) >> 8).saturating_add(1)
        });
        let weight = u64::from(part.base_at(d, output).unsigned_abs()).saturating_add(product);
        in_range("weight of a pair", weight.saturating_add(1), i16::MAX as u64 + 1)?;
        bound = bound.saturating_add(limit.saturating_mul(weight));
    }
    Ok(bound)
}

/// The rounding constant of a shift.
const fn rounding(shift: u8) -> u64 {
    (1_u64 << shift) >> 1
}

fn below(what: &'static str, bound: u64) -> Result<(), LoadError> {
    in_range(what, bound.saturating_add(1), LIMIT)
}
