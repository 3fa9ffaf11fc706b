//! How far the numbers of a blob are from the trained ones.
//!
//! From the blob alone: half a step, what rounding to the nearest would lose at most. The exporter chooses scales and
//! integers by what they do to scores (`blob::rounding`), and so goes further in single numbers; with the trained weights
//! the differences are measured.

use super::Inspection;
use crate::blob::fold::FoldedLayer;
use crate::blob::forward::Network;
use crate::weights::{AttentionNormalisation, ModelWeights, PoolingWeights};
use din_core::Model;
use din_core::manifest::{FieldKind, IntegerLayerRecord, NONE, PartRecord, Pooling, RowEncoding};
use serde::Serialize;

/// Differences of a table's or a layer's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RoundingError {
    /// The largest magnitude.
    pub max: f64,
    /// Root mean square; of steps, as if every part of one were as likely.
    pub rms: f64,
    /// "exact", "half a step" or "trained weights".
    pub basis: &'static str,
}

impl RoundingError {
    /// Stored as they were given.
    pub const EXACT: Self = Self { max: 0.0, rms: 0.0, basis: "exact" };

    /// Of the steps of numbers.
    fn of_steps(steps: impl Iterator<Item = f64>) -> Self {
        let (mut widest, mut squares, mut count) = (0.0_f64, 0.0, 0_u64);
        for step in steps {
            widest = widest.max(step);
            squares += step * step / 12.0;
            count += 1;
        }
        Self { max: widest / 2.0, rms: (squares / count.max(1) as f64).sqrt(), basis: "half a step" }
    }

    /// Of numbers against the trained ones.
    fn between(stored: impl Iterator<Item = f64>, trained: impl Iterator<Item = f64>) -> Self {
        let (mut max, mut squares, mut count) = (0.0_f64, 0.0, 0_u64);
        for (stored, trained) in stored.zip(trained) {
            let difference = (stored - trained).abs();
            max = max.max(difference);
            squares += difference * difference;
            count += 1;
        }
        Self { max, rms: (squares / count.max(1) as f64).sqrt(), basis: "trained weights" }
    }
}

/// The weights are those of another model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trained weights are of another model: {what} {found}, in the blob {expected}")]
pub struct OtherModel {
    /// What differs.
    pub what: String,
    /// In the weights.
    pub found: String,
    /// In the blob.
    pub expected: String,
}

fn check(what: &str, found: &impl ToString, expected: &impl ToString) -> Result<(), OtherModel> {
    let (found, expected) = (found.to_string(), expected.to_string());
    if found == expected { Ok(()) } else { Err(OtherModel { what: what.to_owned(), found, expected }) }
}

impl Inspection {
    /// Measures how far the numbers of the inspected model are from the trained ones.
    ///
    /// # Errors
    /// [`OtherModel`] where names or shapes differ.
    pub fn compare(&mut self, model: &Model<'_>, weights: &ModelWeights) -> Result<(), OtherModel> {
        check("the number of tables is", &weights.schema.tables.len(), &self.tables.len())?;
        let tables = weights.schema.tables.iter().zip(&weights.tables);
        for ((index, (spec, trained)), inspected) in tables.enumerate().zip(&mut self.tables) {
            check("a table is", &spec.name, &inspected.name)?;
            let shape = |rows, dim| format!("of {rows} rows of {dim}");
            let found = shape(spec.vocabulary.rows(), spec.dim);
            let what = format!("table {} is", spec.name);
            check(&what, &found, &shape(inspected.rows as usize, inspected.dim))?;
            inspected.rounding =
                RoundingError::between(numbers_of(model, index), trained.iter().map(|x| f64::from(*x)));
        }
        let network = Network::new(weights);
        let mut trained: Vec<(FoldedLayer, f64)> = Vec::new();
        for (index, unit) in network.units.iter().enumerate() {
            let is_softmax = matches!(
                weights.pooling[index],
                PoolingWeights::Attention { normalisation: AttentionNormalisation::Softmax, .. }
            );
            let width = weights.schema.key_width(&weights.schema.sequences[index]) as f64;
            // The integer path has the softmax's division in the last layer.
            let last = if is_softmax && model.header().is_integer() { 1.0 / width.sqrt() } else { 1.0 };
            let count = unit.len();
            let scale = |layer: usize| if layer + 1 == count { last } else { 1.0 };
            trained.extend(unit.iter().enumerate().map(|(layer, folded)| (folded.clone(), scale(layer))));
        }
        trained.extend(network.head.iter().map(|folded| (folded.clone(), 1.0)));
        check("the number of layers is", &trained.len(), &self.layers.len())?;
        let stored = stored_layers(model);
        for (index, ((folded, scale), (inspected, stored))) in
            trained.iter().zip(self.layers.iter_mut().zip(stored)).enumerate()
        {
            let what = format!("layer {index} has");
            check(&what, &format!("{} weights", folded.weight.len()), &format!("{} weights", stored.len()))?;
            let trained = folded.weight.iter().map(|weight| f64::from(*weight) * scale);
            inspected.rounding = RoundingError::between(stored.iter().map(|number| number.value), trained);
        }
        Ok(())
    }
}

/// Every number of a table, dequantised, row by row.
fn numbers_of(model: &Model<'_>, index: usize) -> impl Iterator<Item = f64> {
    let table = model.table(index);
    (0..table.rows()).flat_map(move |row| {
        let mut numbers = vec![0.0_f32; table.dim()];
        table.read(row, &mut numbers);
        numbers.into_iter().map(f64::from)
    })
}

/// What a table's steps say. A row of zeros is exact, whatever its scale.
pub(super) fn of_table(model: &Model<'_>, index: usize) -> RoundingError {
    let (table, record) = (model.table(index), model.manifest().tables.get(index).unwrap_or_default());
    let is_integer = model.header().is_integer();
    if !is_integer && table.encoding() == RowEncoding::F32 {
        return RoundingError::EXACT;
    }
    let scales = section(model, record.scales);
    // Inputs of the integer path are rounded once more when they are looked up.
    let unit = if is_integer { power(-i32::from(record.fraction)) } else { 0.0 };
    let step = |row: usize| match table.encoding() {
        RowEncoding::Int8 | RowEncoding::Int4 if is_integer => {
            let multiplier = scales.as_chunks().0.get(row).map_or(0, |bytes| u16::from_le_bytes(*bytes));
            f64::from(multiplier) * power(-i32::from(record.fraction) - i32::from(record.shift))
        }
        RowEncoding::Int8 | RowEncoding::Int4 => {
            scales.as_chunks().0.get(row).map_or(0.0, |bytes| f64::from(f32::from_le_bytes(*bytes)))
        }
        _ => 0.0,
    };
    let mut numbers = vec![0.0_f32; table.dim()];
    let rows = (0..table.rows()).flat_map(|row| {
        table.read(row, &mut numbers);
        let is_zero = numbers.iter().all(|number| *number == 0.0);
        let own = if is_zero { 0.0 } else { step(row as usize) + unit };
        let is_half = table.encoding() == RowEncoding::F16;
        // A half has ten bits after the first.
        let half = |number: f32| if is_half { power(-10) * f64::from(number.abs()) } else { 0.0 };
        numbers.iter().map(|number| own + half(*number)).collect::<Vec<_>>()
    });
    RoundingError::of_steps(rows)
}

/// What the steps of an integer layer's weights say.
pub(super) fn of_layers(model: &Model<'_>) -> Vec<RoundingError> {
    if !model.header().is_integer() {
        return vec![RoundingError::EXACT; model.layers().count()];
    }
    let layers = stored_layers(model);
    layers.map(|layer| RoundingError::of_steps(layer.iter().map(|number| number.step))).collect()
}

/// A weight, and what a step of its integer is worth.
#[derive(Clone, Copy, Debug)]
struct Stored {
    value: f64,
    step: f64,
}

/// The weights of each layer, `[inputs, outputs]`, in the order of the folded ones.
fn stored_layers<'a>(model: &'a Model<'a>) -> Box<dyn Iterator<Item = Vec<Stored>> + 'a> {
    if model.header().is_integer() { Box::new(integer_layers(model)) } else { Box::new(f32_layers(model)) }
}

fn f32_layers<'a>(model: &'a Model<'a>) -> impl Iterator<Item = Vec<Stored>> + 'a {
    model.manifest().layers.iter().map(|record| {
        let weight = section(model, record.weight).as_chunks().0;
        weight.iter().map(|bytes| Stored { value: f32::from_le_bytes(*bytes).into(), step: 0.0 }).collect()
    })
}

/// Fractions of the inputs of a part: an input of 1 is `2^fraction`.
enum Fractions {
    Dense(Vec<i32>),
    /// Keys, and the query whose products with them have weights of their own.
    Pair(Vec<i32>, Vec<i32>),
}

fn integer_layers<'a>(model: &'a Model<'a>) -> impl Iterator<Item = Vec<Stored>> + 'a {
    let manifest = model.manifest();
    let (units, head) = first_layers(model);
    let mut firsts = units.into_iter().map(Some).chain([Some(head)]);
    // Which layers are the first of a unit, or of the head.
    let mut starts = vec![0];
    for sequence in manifest.sequences.iter() {
        starts.push(starts.last().unwrap_or(&0) + usize::from(sequence.layers));
    }
    let mut parts = manifest.parts.iter();
    let mut fraction = 0;
    manifest.integer_layers.iter().enumerate().map(move |(index, layer)| {
        let records: Vec<PartRecord> = parts.by_ref().take(layer.parts.into()).collect();
        let mut fractions = Vec::new();
        // A sequence without a unit has no layer, and its first is the next one's.
        for _ in starts.iter().filter(|start| **start == index) {
            fractions = firsts.next().flatten().unwrap_or_default();
        }
        if fractions.is_empty() {
            let inputs = records.first().map_or(0, |part| part.inputs as usize);
            fractions.push(Fractions::Dense(vec![fraction; inputs]));
        }
        fraction = output_fraction(&layer);
        let parts = records.iter().zip(&fractions);
        parts.flat_map(|(part, fractions)| stored_part(model, &layer, part, fractions)).collect()
    })
}

fn output_fraction(layer: &IntegerLayerRecord) -> i32 {
    match layer.activation {
        din_core::manifest::Activation::Sigmoid => 15,
        _ => layer.fraction.into(),
    }
}

/// What the parts of each unit's first layer, and of the head's, read.
fn first_layers(model: &Model<'_>) -> (Vec<Vec<Fractions>>, Vec<Fractions>) {
    let manifest = model.manifest();
    let mut numeric = 0;
    let fields: Vec<(u16, Vec<i32>)> = manifest
        .fields
        .iter()
        .map(|field| match field.kind {
            FieldKind::Categorical => {
                let table = manifest.tables.get(field.table.into()).unwrap_or_default();
                (field.pair, vec![i32::from(table.fraction); table.dim.into()])
            }
            _ => {
                let fixed = manifest.fixed.get(numeric).unwrap_or_default();
                numeric += 1;
                (field.pair, vec![i32::from(fixed.fraction)])
            }
        })
        .collect();
    let concat = |fields: &[(u16, Vec<i32>)]| {
        fields.iter().flat_map(|(_, inputs)| inputs.clone()).collect::<Vec<i32>>()
    };
    let (user, rest) =
        fields.split_at(usize::from(manifest.profile_fields) + usize::from(manifest.context_fields));
    let (candidate, mut behaviours) = rest.split_at(manifest.candidate_fields.into());
    let mut units = Vec::new();
    let (mut pooled_parts, mut product_parts) = (Vec::new(), Vec::new());
    for sequence in manifest.sequences.iter() {
        let (own, after) = behaviours.split_at(sequence.fields.into());
        behaviours = after;
        let keys = concat(own);
        let paired = own.iter().filter(|(pair, _)| *pair != NONE);
        let query: Vec<i32> = paired.flat_map(|(pair, _)| candidate[usize::from(*pair)].1.clone()).collect();
        let weight = match sequence.pooling {
            Pooling::SoftmaxAttention => 15,
            Pooling::Attention => sequence.weight_fraction.into(),
            _ => 0,
        };
        let pooled: Vec<i32> =
            keys.iter().map(|key| key + weight - i32::from(sequence.pooled_shift)).collect();
        let product = pooled
            .iter()
            .zip(&query)
            .map(|(pooled, query)| pooled + query - i32::from(sequence.product_shift));
        product_parts.push(Fractions::Dense(product.collect()));
        units.push(if sequence.layers > 0 {
            vec![Fractions::Dense(query.clone()), Fractions::Pair(keys, query)]
        } else {
            Vec::new()
        });
        pooled_parts.push(Fractions::Dense(pooled));
    }
    let mut head = vec![Fractions::Dense(concat(user))];
    head.extend(pooled_parts);
    head.push(Fractions::Dense(concat(candidate)));
    if manifest.product {
        head.extend(product_parts);
    }
    (units, head)
}

/// The weights of a part: `integer m 2^(fraction of the input - fraction - shifts)`.
fn stored_part(
    model: &Model<'_>,
    layer: &IntegerLayerRecord,
    part: &PartRecord,
    fractions: &Fractions,
) -> Vec<Stored> {
    let outputs = layer.outputs as usize;
    let down = i32::from(layer.fraction) + i32::from(layer.shift) + i32::from(part.shift);
    let multipliers = section(model, part.multipliers).as_chunks().0;
    let multiplier =
        |output: usize| multipliers.get(output).map_or(0.0, |bytes| f64::from(i16::from_le_bytes(*bytes)));
    let row = |integers: &dyn Fn(usize, usize) -> f64, input: usize, exponent: i32| -> Vec<Stored> {
        let step = |output| multiplier(output) * power(exponent - down);
        let stored =
            |output| Stored { value: integers(input, output) * step(output), step: step(output).abs() };
        (0..outputs).map(stored).collect()
    };
    let bytes = section(model, part.weight);
    // [ceil(inputs / 4)][outputs][4], the four of inputs d, d+2, d+1, d+3
    let quad = |input: usize, output: usize| {
        let place = [0, 2, 1, 3][input % 4];
        bytes
            .get((input / 4 * outputs + output) * 4 + place)
            .map_or(0.0, |byte| f64::from(byte.cast_signed()))
    };
    match fractions {
        Fractions::Dense(inputs) => {
            inputs.iter().enumerate().flat_map(|(input, fraction)| row(&quad, input, *fraction)).collect()
        }
        Fractions::Pair(keys, query) => {
            let base = section(model, part.base).as_chunks().0;
            // [ceil(inputs / 2)][outputs][2]
            let pair = |input: usize, output: usize| {
                let index = (input / 2 * outputs + output) * 2 + input % 2;
                base.get(index).map_or(0.0, |bytes| f64::from(i16::from_le_bytes(*bytes)))
            };
            let own = keys.iter().enumerate().flat_map(|(input, key)| row(&pair, input, *key));
            let products = query.iter().zip(keys).enumerate();
            own.chain(products.flat_map(|(input, (query, key))| row(&quad, input, query + key - 8))).collect()
        }
    }
}

fn section<'a>(model: &Model<'a>, index: u16) -> &'a [u8] {
    let record = model.manifest().sections.get(index.into()).filter(|_| index != NONE).unwrap_or_default();
    let start = record.offset as usize;
    model.bytes().get(start..start + record.len as usize).unwrap_or_default()
}

fn power(exponent: i32) -> f64 {
    2.0_f64.powi(exponent)
}
