//! The bounds of the integer path: no sum leaves 32 bits, whatever the ids.

use super::{SectionCounter, equal, in_range, none};
use crate::bytes::{u16_at, u32_at};
use crate::error::LoadError;
use crate::integer::layer::{parameters, parameters_len, part};
use crate::kernels::integer::{Parameters, Part};
use crate::manifest::{Activation, FieldKind, IntegerLayerRecord, MAX_WIDTH, NONE, Pooling};
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

/// Inputs side by side that have the same bounds.
#[derive(Clone, Copy)]
struct Run {
    /// The first of them.
    start: usize,
    width: usize,
    /// The largest magnitude of an input.
    limit: u64,
    /// Of a pair: the largest magnitude of the query's inputs that these are compared with.
    query: Option<u64>,
}

impl Source<'_> {
    /// Visits the runs in the order of the inputs.
    fn for_each_run(
        self,
        model: &Model<'_>,
        each: &mut dyn FnMut(Run) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let (first, count) = match self {
            Self::Activations(width) => {
                return each(Run { start: 0, width, limit: WIDEST, query: None });
            }
            Self::Fields(first, count) => (first, count),
            Self::Query(sequence) | Self::Pair(sequence) => (sequence.first_field, sequence.fields),
        };
        let (candidates, _) = model.field_range(Group::Candidate);
        let mut start = 0_usize;
        for (index, field) in (first..).zip(model.field_records(first, count)) {
            let pair =
                (field.pair != NONE).then(|| limit_of(model, candidates.saturating_add(field.pair.into())));
            let width = model.width(&field);
            let run = match (self, pair) {
                (Self::Query(_), None) => break, // paired fields come first
                (Self::Query(_), Some(limit)) => Run { start, width, limit, query: None },
                _ => Run { start, width, limit: limit_of(model, index), query: pair },
            };
            each(run)?;
            start = start.saturating_add(width);
        }
        Ok(())
    }

    /// Inputs, and those among them that have a weight of their own.
    fn widths(self, model: &Model<'_>) -> (usize, usize) {
        let (mut inputs, mut weighed) = (0_usize, 0_usize);
        let _ = self.for_each_run(model, &mut |run| {
            inputs = inputs.saturating_add(run.width);
            if run.query.is_some() || !matches!(self, Self::Pair(_)) {
                weighed = weighed.saturating_add(run.width);
            }
            Ok(())
        });
        (inputs, weighed)
    }
}

/// The largest magnitude of a field's inputs.
fn limit_of(model: &Model<'_>, index: usize) -> u64 {
    let Some(field) = model.manifest().fields.get(index) else { return 0 };
    match field.kind {
        FieldKind::Categorical => {
            model.manifest().tables.get(field.table.into()).map_or(0, |table| table.limit.into())
        }
        FieldKind::Numeric => {
            model.manifest().fixed.get(model.numeric_fields(0, index)).map_or(0, |fixed| fixed.limit.into())
        }
    }
}

/// What a layer reads.
#[derive(Clone, Copy)]
enum Sources<'s> {
    /// The first of a sequence's unit.
    Unit(&'s Sequence<'s>),
    /// The first of the head.
    Head,
    /// One that follows another, which has so many outputs.
    Layer(usize),
}

impl<'s> Sources<'s> {
    /// Of the layer's part with this index; none past the last.
    fn get(self, model: &Model<'_>, part: usize) -> Option<Source<'s>> {
        match (self, part) {
            (Self::Unit(sequence), 0) => Some(Source::Query(sequence)),
            (Self::Unit(sequence), 1) => Some(Source::Pair(sequence)),
            (Self::Layer(outputs), 0) => Some(Source::Activations(outputs)),
            (Self::Unit(_) | Self::Layer(_), _) => None,
            (Self::Head, _) => head_source(model, part),
        }
    }
}

/// User, interest vector of each sequence, candidate, product of each sequence.
fn head_source<'s>(model: &Model<'_>, part: usize) -> Option<Source<'s>> {
    let (start, candidate) = model.field_range(Group::Candidate);
    let sequences = model.manifest().sequences.len();
    if part == 0 {
        Some(Source::Fields(0, start))
    } else if part <= sequences {
        let sequence = model.sequences().nth(part.saturating_sub(1))?;
        Some(Source::Activations(sequence.key_width))
    } else if part == sequences.saturating_add(1) {
        Some(Source::Fields(start, candidate))
    } else if model.manifest().product {
        let sequence = model.sequences().nth(part.saturating_sub(sequences).saturating_sub(2))?;
        Some(Source::Activations(sequence.paired_width))
    } else {
        None
    }
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
    let mut widest = 0;
    Source::Pair(sequence).for_each_run(model, &mut |run| {
        widest = widest.max(run.limit);
        Ok(())
    })?;
    below(
        "sum of weighted keys",
        weights.saturating_mul(widest).saturating_add(rounding(record.pooled_shift)),
    )?;
    if sequence.is_attention() {
        in_range("limit of attention weights", record.weight_limit.into(), i16::MAX as u64)?;
    }
    chain(model, cursor, sequence.layers, Sources::Unit(sequence), sections)
}

/// Layers of the head.
pub(super) fn head(
    model: &Model<'_>,
    count: usize,
    cursor: &mut Cursor,
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    chain(model, cursor, count, Sources::Head, sections)
}

/// The next layer and part.
#[derive(Default)]
pub(super) struct Cursor {
    layer: usize,
    pub(super) part: usize,
}

fn chain(
    model: &Model<'_>,
    cursor: &mut Cursor,
    count: usize,
    first: Sources<'_>,
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    let mut sources = first;
    for position in 0..count {
        let index = cursor.layer;
        let record = model.manifest().integer_layers.get(index);
        let record = record.ok_or(LoadError::Malformed { part: "integer layers" })?;
        in_range("outputs of a layer", record.outputs.into(), MAX_WIDTH.into())?;
        let start = cursor.part;
        parts(model, cursor, &record, sources, sections)?;
        layer(model, index, &record, sections)?;
        sums(model, start, &record, sources)?;
        if position + 1 == count {
            equal("outputs of the last layer", index, 1, record.outputs.into())?;
            equal(
                "activation of the last layer",
                index,
                Activation::Linear as u64,
                record.activation as u64,
            )?;
        }
        sources = Sources::Layer(record.outputs as usize);
        cursor.layer += 1;
    }
    Ok(())
}

/// Shapes and sections of a layer's parts.
fn parts(
    model: &Model<'_>,
    cursor: &mut Cursor,
    layer: &IntegerLayerRecord,
    sources: Sources<'_>,
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    let all = || (0..).map_while(|part| sources.get(model, part));
    equal("parts of a layer", cursor.layer, all().count() as u64, layer.parts.into())?;
    let outputs = u64::from(layer.outputs);
    for source in all() {
        let index = cursor.part;
        let record = model.manifest().parts.get(index).ok_or(LoadError::Malformed { part: "parts" })?;
        let (inputs, weighed) = source.widths(model);
        equal("inputs of a part", index, inputs as u64, record.inputs.into())?;
        in_range("shift of a part", u64::from(record.shift) + 1, MAX_SHIFT + 1)?;
        let quads = (weighed.div_ceil(4) as u64).saturating_mul(outputs).saturating_mul(4);
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
        let slopes = a.as_chunks().0.iter().map(|a| u64::from(i16::from_le_bytes(*a).unsigned_abs()));
        let offsets = b.as_chunks().0.iter().map(|b| u64::from(i32::from_le_bytes(*b).unsigned_abs()));
        for ((a, b), e) in slopes.zip(offsets).zip(e) {
            below("argument of dice", a.saturating_mul(WIDEST).saturating_add(b))?;
            in_range("shift of dice", u64::from(*e) + 1, MAX_SHIFT + 1)?;
        }
    }
    Ok(())
}

/// The bounds of a layer's sums.
fn sums(
    model: &Model<'_>,
    first_part: usize,
    layer: &IntegerLayerRecord,
    sources: Sources<'_>,
) -> Result<(), LoadError> {
    let addend = model.section(layer.addend);
    for output in 0..layer.outputs as usize {
        let addend = u32_at(addend, output.wrapping_mul(4)).cast_signed();
        let mut total = u64::from(addend.unsigned_abs());
        let each = (0..).map_while(|part| sources.get(model, part));
        for (index, source) in (first_part..).zip(each) {
            let record = model.manifest().parts.get(index).unwrap_or_default();
            let part = part(model, &record, layer.outputs);
            let mut bound = 0_u64;
            source.for_each_run(model, &mut |run| {
                let sum = if matches!(source, Source::Pair(_)) {
                    pair(&part, output, run)?
                } else {
                    dense(&part, output, run)
                };
                bound = bound.saturating_add(run.limit.saturating_mul(sum));
                Ok(())
            })?;
            below("sum of a part", bound.saturating_add(rounding(part.shift)))?;
            let multiplier = u16_at(part.multipliers, output.wrapping_mul(2)).cast_signed();
            let shifted = (bound.saturating_add(rounding(part.shift)) >> part.shift).saturating_add(1);
            total = total.saturating_add(shifted.saturating_mul(multiplier.unsigned_abs().into()));
        }
        below("sum of a layer", total)?;
    }
    Ok(())
}

/// The magnitudes of a run's weights, added up.
fn dense(part: &Part<'_>, output: usize, run: Run) -> u64 {
    let inputs = run.start..run.start.saturating_add(run.width);
    inputs.fold(0, |sum, d| sum.saturating_add(part.weight_at(d, output).unsigned_abs().into()))
}

/// The same of the weights that depend on the query, at their largest; none of them leaves 16 bits.
fn pair(part: &Part<'_>, output: usize, run: Run) -> Result<u64, LoadError> {
    let mut sum = 0_u64;
    for d in run.start..run.start.saturating_add(run.width) {
        let product = run.query.map_or(0, |query| {
            let weight = u64::from(part.weight_at(d, output).unsigned_abs());
            (weight.saturating_mul(query).saturating_add(128) >> 8).saturating_add(1)
        });
        let weight = u64::from(part.base_at(d, output).unsigned_abs()).saturating_add(product);
        in_range("weight of a pair", weight.saturating_add(1), i16::MAX as u64 + 1)?;
        sum = sum.saturating_add(weight);
    }
    Ok(sum)
}

/// The rounding constant of a shift.
const fn rounding(shift: u8) -> u64 {
    (1_u64 << shift) >> 1
}

fn below(what: &'static str, bound: u64) -> Result<(), LoadError> {
    in_range(what, bound.saturating_add(1), LIMIT)
}
