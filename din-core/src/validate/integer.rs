//! The bounds of the integer path: no sum leaves 32 bits, whatever the ids.
//!
//! Bounds are u32 that stop at the largest: what is beyond the limits stays beyond.

use super::checks::{Checked, Checks};
use crate::bytes::{u16_at, u32_at};
use crate::integer::layer::{Layer, parameters_len};
use crate::kernels::integer::{Parameters, Part};
use crate::manifest::{Activation, FieldKind, MAX_LAYERS, MAX_WIDTH, NONE, Pooling};
use crate::model::{Group, Model, Sequence};
use crate::subject::Subject;

/// The largest magnitude of an activation.
const WIDEST: u32 = 32_768;
/// The largest shift.
const MAX_SHIFT: usize = 30;

/// Numeric fields, layers of each sequence's unit, then the head's.
pub(crate) fn layers(checks: &mut Checks<'_, '_>) -> Checked {
    let model = checks.model;
    let manifest = model.manifest();
    checks.index = 0;
    checks.equal(Subject::F32LayersOfIntegerBlob, 0, manifest.layers.len())?;
    checks.fixed_fields()?;
    let mut part = 0;
    for index in 0..manifest.sequences.len() {
        let sequence = model.sequence(index);
        checks.sequence(index, &sequence)?;
        checks.pooling(&sequence)?;
        checks.integer_chain(sequence.first_layer, sequence.layers, Some(&sequence), &mut part)?;
    }
    let first = model.head_start();
    let count = manifest.integer_layers.len().saturating_sub(first);
    checks.in_range(Subject::HeadLayers, count, MAX_LAYERS)?;
    checks.integer_chain(first, count, None, &mut part)?;
    checks.index = 0;
    checks.equal(Subject::PartCount, part, manifest.parts.len())
}

/// Where a part's inputs come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Results of a layer before it, or of pooling.
    Activations,
    /// A run of fields.
    Fields,
    /// The candidate fields that a sequence is compared with.
    Query,
    /// A sequence's behaviours, with the query.
    Pair,
}

/// What a part reads.
#[derive(Clone, Copy)]
struct Source {
    kind: Kind,
    /// The fields: of a query the behaviours' that are compared with it.
    first: usize,
    fields: usize,
    inputs: usize,
    /// Those among them that have a weight of their own.
    weighed: usize,
}

impl Source {
    const fn activations(inputs: usize) -> Self {
        Self { kind: Kind::Activations, first: 0, fields: 1, inputs, weighed: inputs }
    }

    fn fields(model: &Model<'_>, (first, fields): (usize, usize)) -> Self {
        let inputs = model.widths((first, fields));
        Self { kind: Kind::Fields, first, fields, inputs, weighed: inputs }
    }

    /// Of a part of a layer: of the first of a unit, of the first of the head, or of one that follows `before` outputs.
    /// None past the last.
    #[inline(never)]
    fn of(model: &Model<'_>, unit: Option<&Sequence<'_>>, before: usize, part: usize) -> Option<Self> {
        if before > 0 {
            return (part == 0).then_some(Self::activations(before));
        }
        let Some(unit) = unit else { return Self::of_head(model, part) };
        let (kind, inputs) = match part {
            0 => (Kind::Query, unit.paired_width),
            1 => (Kind::Pair, unit.key_width),
            _ => return None,
        };
        let (first, fields) = (unit.first_field, unit.fields);
        Some(Self { kind, first, fields, inputs, weighed: unit.paired_width })
    }

    /// User, interest vector of each sequence, candidate, product of each sequence.
    fn of_head(model: &Model<'_>, part: usize) -> Option<Self> {
        let (candidate, fields) = model.field_range(Group::Candidate);
        let sequences = model.manifest().sequences.len();
        let products = if model.manifest().product { sequences } else { 0 };
        if part == 0 {
            return Some(Self::fields(model, (0, candidate)));
        }
        let index = part.wrapping_sub(1);
        if index < sequences {
            return Some(Self::activations(model.sequence(index).key_width));
        }
        let index = index.wrapping_sub(sequences);
        if index == 0 {
            return Some(Self::fields(model, (candidate, fields)));
        }
        let index = index.wrapping_sub(1);
        (index < products).then(|| Self::activations(model.sequence(index).paired_width))
    }

    /// The inputs of one of the fields.
    #[inline(never)]
    fn run(&self, model: &Model<'_>, field: usize) -> Run {
        if self.kind == Kind::Activations {
            return Run { width: self.inputs, limit: WIDEST, query: None };
        }
        let index = self.first.saturating_add(field);
        let pair = model.field(index).pair;
        let (candidates, _) = model.field_range(Group::Candidate);
        let query = (pair != NONE).then(|| limit_of(model, candidates.saturating_add(pair.into())));
        match (self.kind, query) {
            (Kind::Query, None) => Run { width: 0, limit: 0, query },
            (Kind::Query, Some(limit)) => Run { width: model.width(index), limit, query: None },
            _ => Run { width: model.width(index), limit: limit_of(model, index), query },
        }
    }
}

/// Inputs side by side that have the same bounds.
#[derive(Clone, Copy)]
struct Run {
    width: usize,
    /// The largest magnitude of an input.
    limit: u32,
    /// Of a pair: the largest magnitude of the query's inputs that these are compared with.
    query: Option<u32>,
}

/// The largest magnitude of a field's inputs.
fn limit_of(model: &Model<'_>, index: usize) -> u32 {
    let (field, manifest) = (model.field(index), model.manifest());
    let limit = match field.kind {
        FieldKind::Categorical => manifest.tables.get(field.table.into()).map(|table| table.limit),
        FieldKind::Numeric => manifest.fixed.get(model.numeric_before(index)).map(|fixed| fixed.limit),
    };
    limit.unwrap_or_default().into()
}

/// The rounding constant of a shift.
const fn rounding(shift: u8) -> u32 {
    (1_u32.wrapping_shl(shift as u32)) >> 1
}

impl Checks<'_, '_> {
    fn shift(&mut self, what: Subject, shift: u8) -> Checked {
        self.at_most(what, shift.into(), MAX_SHIFT)
    }

    /// What every magnitude stays below.
    fn below(&mut self, what: Subject, bound: u32) -> Checked {
        self.at_most(what, bound as usize, i32::MAX as usize)
    }

    /// One record for each numeric field.
    fn fixed_fields(&mut self) -> Checked {
        let manifest = self.model.manifest();
        let numeric = self.model.numeric_before(manifest.fields.len());
        self.equal(Subject::FixedFieldCount, numeric, manifest.fixed.len())?;
        for record in manifest.fixed.iter() {
            // The difference is below 2^32: the product stays below 2^62, and its rounding constant too.
            self.at_most(Subject::FieldMultiplier, record.multiplier.unsigned_abs() as usize, 1 << 30)?;
            self.at_most(Subject::FieldShift, record.shift.into(), 62)?;
            self.in_range(Subject::InputLimit, record.limit.into(), i16::MAX as usize)?;
        }
        Ok(())
    }

    /// The bounds of a sequence's pooling.
    fn pooling(&mut self, sequence: &Sequence<'_>) -> Checked {
        self.shift(Subject::InterestShift, sequence.fixed.pooled_shift)?;
        self.shift(Subject::ProductShift, sequence.fixed.product_shift)?;
        let (limit, capacity) = (u32::from(sequence.fixed.weight_limit), sequence.capacity as u32);
        let weights = match sequence.pooling {
            Pooling::Sum | Pooling::Mean => capacity,
            Pooling::Attention => capacity.saturating_mul(limit),
            // They add up to 1 but for their rounding.
            Pooling::SoftmaxAttention => capacity.saturating_add(1 << 15),
        };
        let fields = sequence.first_field..sequence.first_field.saturating_add(sequence.fields);
        let widest = fields.map(|field| limit_of(self.model, field)).max().unwrap_or_default();
        let sum = weights.saturating_mul(widest).saturating_add(rounding(sequence.fixed.pooled_shift));
        self.below(Subject::WeighedKeySum, sum)?;
        if sequence.is_attention() {
            self.in_range(Subject::WeightLimit, limit as usize, i16::MAX as usize)?;
        }
        Ok(())
    }

    /// The layers of a unit, or of the head.
    #[inline(never)]
    fn integer_chain(
        &mut self,
        first: usize,
        count: usize,
        unit: Option<&Sequence<'_>>,
        part: &mut usize,
    ) -> Checked {
        let mut before = 0;
        for index in first..first.saturating_add(count) {
            self.index = index;
            let Some(record) = self.model.manifest().integer_layers.get(index) else {
                return self.malformed(Subject::IntegerLayer);
            };
            let outputs = record.outputs as usize;
            self.in_range(Subject::LayerOutputs, outputs, MAX_WIDTH as usize)?;
            let source = |part| Source::of(self.model, unit, before, part);
            let parts = (0..).map_while(source).count();
            self.equal(Subject::LayerParts, parts, record.parts.into())?;
            for of_layer in 0..parts {
                let Some(source) = Source::of(self.model, unit, before, of_layer) else { break };
                self.index = *part;
                self.part(&source, outputs)?;
                *part = part.saturating_add(1);
            }
            self.index = index;
            let layer = Layer::new(self.model, index);
            self.shift(Subject::LayerShift, record.shift)?;
            self.section(Subject::AddendSection, record.addend, outputs.saturating_mul(4))?;
            match parameters_len(record.activation) {
                0 => self.none(Subject::ParameterSection, record.parameters)?,
                len => {
                    let len = outputs.saturating_mul(len);
                    self.section(Subject::ParameterSection, record.parameters, len)?;
                }
            }
            if record.activation == Activation::Sigmoid {
                self.equal(Subject::SigmoidFraction, 12, usize::from(record.fraction.unsigned_abs()))?;
            }
            if record.activation == Activation::Dice {
                self.dice(&layer.parameters(), outputs)?;
            }
            for output in 0..outputs {
                let mut total = layer.addend(output).unsigned_abs();
                for of_layer in 0..parts {
                    let Some(source) = Source::of(self.model, unit, before, of_layer) else { break };
                    let bound = self.bound(&source, &layer.part(of_layer), output)?;
                    total = total.saturating_add(bound);
                }
                self.below(Subject::LayerSum, total)?;
            }
            if index.saturating_add(1) == first.saturating_add(count) {
                self.last(outputs, record.activation)?;
            }
            before = outputs;
        }
        Ok(())
    }

    /// Shape and sections of a part.
    fn part(&mut self, source: &Source, outputs: usize) -> Checked {
        let Some(record) = self.model.manifest().parts.get(self.index) else {
            return self.malformed(Subject::Part);
        };
        self.equal(Subject::PartInputs, source.inputs, record.inputs as usize)?;
        self.shift(Subject::PartShift, record.shift)?;
        let groups_of =
            |inputs: usize, together| inputs.div_ceil(together).saturating_mul(outputs).saturating_mul(4);
        self.section(Subject::WeightSection, record.weight, groups_of(source.weighed, 4))?;
        if source.kind == Kind::Pair {
            self.section(Subject::BaseSection, record.base, groups_of(source.inputs, 2))?;
        } else {
            self.none(Subject::BaseSection, record.base)?;
        }
        self.section(Subject::MultiplierSection, record.multipliers, outputs.saturating_mul(2))
    }

    /// The parameters of Dice.
    fn dice(&mut self, parameters: &Parameters<'_>, outputs: usize) -> Checked {
        let Parameters { a, b, e, .. } = parameters;
        for output in 0..outputs {
            let a = u32::from(u16_at(a, output.wrapping_mul(2)).cast_signed().unsigned_abs());
            let b = u32_at(b, output.wrapping_mul(4)).cast_signed().unsigned_abs();
            self.below(Subject::DiceArgument, a.saturating_mul(WIDEST).saturating_add(b))?;
            self.shift(Subject::DiceShift, e.get(output).copied().unwrap_or_default())?;
        }
        Ok(())
    }

    /// The largest magnitude of what a part adds to an output.
    #[inline(never)]
    fn bound(&mut self, source: &Source, part: &Part<'_>, output: usize) -> Result<u32, super::Failed> {
        let (mut bound, mut d) = (rounding(part.shift), 0_usize);
        for field in 0..source.fields {
            let run = source.run(self.model, field);
            // At most 2^13 weights of 2^15.
            let mut sum = 0_u32;
            for _ in 0..run.width {
                let mut weight = u32::from(part.weight_at(d, output).unsigned_abs());
                if source.kind == Kind::Pair {
                    // W8 times the query, at its largest, and rounded.
                    let scaled = run.query.map_or(0, |query| {
                        (weight.wrapping_mul(query).wrapping_add(128) >> 8).wrapping_add(1)
                    });
                    weight = u32::from(part.base_at(d, output).unsigned_abs()).wrapping_add(scaled);
                    self.at_most(Subject::PairWeight, weight as usize, i16::MAX as usize)?;
                }
                sum = sum.wrapping_add(weight);
                d = d.wrapping_add(1);
            }
            bound = bound.saturating_add(run.limit.saturating_mul(sum));
        }
        self.below(Subject::PartSum, bound)?;
        let multiplier = u16_at(part.multipliers, output.wrapping_mul(2)).cast_signed().unsigned_abs();
        Ok((bound.wrapping_shr(part.shift.into()).wrapping_add(1)).saturating_mul(multiplier.into()))
    }
}
