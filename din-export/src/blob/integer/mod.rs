//! The network in integers: scales, shifts and rounded weights, computed in f64 and rounded once.
//!
//! | module | concept |
//! |---|---|
//! | [`inputs`] | tables and numeric fields: what an integer input is worth |
//! | [`rounding`] | weights to integers, each error made good by the weights that follow |
//! | [`dense`] | a layer: its parts, multipliers and shifts, the bounds of its sums |
//! | [`activation`] | the parameters of Dice and `PReLU` |
//! | [`packing`] | weights and parameters in the order in which the device reads them |
//! | [`pooling`] | attention limits, shifts of the interest vector and the product |
//!
//! Real values are integers times a power of two, `x 2^-f`. Every sum stays below 2^31 whatever the ids: scales give way
//! until it does, and din-core computes the same bounds again when it loads the blob.

pub mod activation;
pub mod dense;
pub mod inputs;
pub mod packing;
pub mod pooling;
pub mod rounding;

pub use dense::{IntegerLayer, IntegerPart};
pub use inputs::{FixedField, IntegerTable};
pub use pooling::Shifts;

use super::calibration::Ranges;
use super::forward::Network;
use super::rows::PackedRows;
use crate::schema::{Field, FieldKind};
use crate::weights::{AttentionNormalisation, PoolingWeights};
use dense::{Input, LayerShape, PartShape, Target};
use din_core::manifest::Activation;
use std::sync::Arc;

/// Room for numbers larger than any that calibration met, as a factor; larger ones saturate. Fractions are whole, so there
/// are 0 to 1 more bits above it.
const HEADROOM: f64 = 1.5;

/// Why a model has no integer form.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum IntegerError {
    /// A layer's sums leave 32 bits however coarse they are made.
    #[error(
        "{layer}: its sums can reach {bound:.3e}, too much for 32 bits in steps of 2^-{fraction}; \
         export with the f32 path, or train with smaller weights"
    )]
    Sums {
        /// Which layer.
        layer: String,
        /// Real.
        bound: f64,
        /// Of the layer's results.
        fraction: i32,
    },
    /// Raw numbers of a field do not fit Q16.16.
    #[error(
        "field `{field}`: numbers up to {found:.0} occur, the integer path reads -32768 to 32767; \
         divide the numbers in the data, or export with the f32 path"
    )]
    Raw {
        /// Of the field.
        field: String,
        /// The largest magnitude of its mean or of its calibrated numbers.
        found: f64,
    },
}

/// A whole model in integers; layouts are the writer's matter.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerModel {
    /// One for each table.
    pub tables: Vec<IntegerTable>,
    /// One for each numeric field, in the order of the blob.
    pub fixed: Vec<FixedField>,
    /// The layers of each sequence's unit.
    pub units: Vec<Vec<IntegerLayer>>,
    /// One for each sequence.
    pub shifts: Vec<Shifts>,
    /// The head's layers.
    pub head: Vec<IntegerLayer>,
    /// Q16.16, for each row; empty without.
    pub item_bias: Vec<i32>,
}

/// Computes the integer form of a network whose tables are packed.
///
/// # Errors
/// Every variant of [`IntegerError`].
pub fn quantize(
    network: &Network<'_>,
    packed: &[Arc<PackedRows>],
    ranges: &Ranges,
) -> Result<IntegerModel, IntegerError> {
    let schema = &network.weights.schema;
    let tables: Vec<IntegerTable> = schema
        .tables
        .iter()
        .zip(packed)
        .enumerate()
        .map(|(index, (spec, packed))| {
            let reach = inputs::reach(schema, |field| field.kind == FieldKind::Categorical { table: index });
            inputs::table(packed, spec.dim, reach)
        })
        .collect();
    let behaviours = schema.sequences.iter().flat_map(|sequence| &sequence.fields).map(|field| &field.field);
    let fields: Vec<&Field> =
        schema.profile.iter().chain(&schema.context).chain(&schema.candidate).chain(behaviours).collect();
    // Of each field of the blob; `None` for an id.
    let mut fixed = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        fixed.push(match &field.kind {
            FieldKind::Categorical { .. } => None,
            FieldKind::Numeric(normaliser) => {
                let reach = inputs::reach(schema, |other| other.name == field.name);
                let seen = (ranges.raw[index], ranges.numeric[index]);
                Some(inputs::fixed(&field.name, normaliser, seen, reach)?)
            }
        });
    }
    // The inputs of some fields, the first of them `first`-th in the blob.
    let inputs_of = |first: usize, count: usize| -> Vec<Input> {
        let each = fields[first..first + count].iter().zip(&fixed[first..]);
        each.flat_map(|(field, fixed)| match (&field.kind, fixed) {
            (FieldKind::Categorical { table }, _) => {
                let table_inputs = Input::new(tables[*table].fraction, tables[*table].limit);
                vec![table_inputs; schema.tables[*table].dim]
            }
            (_, Some(fixed)) => vec![Input::new(fixed.fraction, fixed.limit)],
            _ => Vec::new(),
        })
        .collect()
    };
    let user_fields = schema.profile.len() + schema.context.len();
    let user = inputs_of(0, user_fields);
    let candidate = inputs_of(user_fields, schema.candidate.len());
    let mut first_field = user_fields + schema.candidate.len();

    let (mut units, mut shifts) = (Vec::new(), Vec::new());
    let (mut pooled_inputs, mut product_inputs) = (Vec::new(), Vec::new());
    for (index, sequence) in schema.sequences.iter().enumerate() {
        let keys = inputs_of(first_field, sequence.fields.len());
        first_field += sequence.fields.len();
        let query: Vec<Input> = sequence
            .fields
            .iter()
            .filter_map(|field| field.pair)
            .flat_map(|pair| {
                let start = schema.total_width(&schema.candidate[..pair]);
                candidate[start..start + schema.width(&schema.candidate[pair])].to_vec()
            })
            .collect();
        let range = &ranges.sequences[index];
        let own = pooling::shifts(&network.weights.pooling[index], sequence.capacity, &keys, &query, range);
        units.push(match &network.weights.pooling[index] {
            PoolingWeights::Attention { normalisation, .. } => {
                let name = format!("unit of sequence `{}`", sequence.name);
                let parts = vec![PartShape::Dense { inputs: query.clone() }, PartShape::pair(&keys, &query)];
                // 1 / sqrt(D) of the softmax, folded into the last layer
                let last_scale = match normalisation {
                    AttentionNormalisation::None => 1.0,
                    AttentionNormalisation::Softmax => 1.0 / (keys.len() as f64).sqrt(),
                };
                let fraction = i32::from(own.weight_fraction);
                layers(&name, &network.units[index], parts, &range.unit, fraction, last_scale)?
            }
            _ => Vec::new(),
        });
        pooled_inputs.push(own.pooled_inputs(&network.weights.pooling[index], &keys));
        product_inputs.push(own.product_inputs(&network.weights.pooling[index], &keys, &query));
        shifts.push(own);
    }

    let mut parts = vec![PartShape::Dense { inputs: user }];
    parts.extend(pooled_inputs.into_iter().map(|inputs| PartShape::Dense { inputs }));
    parts.push(PartShape::Dense { inputs: candidate });
    if network.weights.product {
        parts.extend(product_inputs.into_iter().map(|inputs| PartShape::Dense { inputs }));
    }
    let head = layers("head", &network.head, parts, &ranges.head, 16, 1.0)?;
    let item_bias = network.weights.item_bias.iter().flat_map(|bias| &bias.values);
    let item_bias = item_bias.map(|bias| (f64::from(*bias) * 65536.0 + 0.5).floor() as i32).collect();
    let fixed = fixed.into_iter().flatten().collect();
    Ok(IntegerModel { tables, fixed, units, shifts, head, item_bias })
}

/// The layers of a unit or the head; the last one's results have the fraction `last`.
fn layers(
    name: &str,
    folded: &[super::fold::FoldedLayer],
    first: Vec<PartShape>,
    ranges: &[super::calibration::LayerRange],
    last: i32,
    last_scale: f64,
) -> Result<Vec<IntegerLayer>, IntegerError> {
    let mut parts = first;
    let mut layers = Vec::new();
    for (index, (layer, range)) in folded.iter().zip(ranges).enumerate() {
        let is_last = index + 1 == folded.len();
        let target = Target {
            fraction: match layer.activation {
                _ if is_last => last,
                Activation::Sigmoid => 12,
                _ => dense::fraction_for(HEADROOM * range.largest),
            },
            scale: if is_last { last_scale } else { 1.0 },
        };
        let shape = LayerShape { name: format!("layer {index} of the {name}"), parts, target };
        let quantized = dense::layer(layer, &shape, range)?;
        let output = Input { fraction: quantized.output_fraction(), limit: dense::WIDEST };
        parts = vec![PartShape::Dense { inputs: vec![output; layer.outputs] }];
        layers.push(quantized);
    }
    Ok(layers)
}
