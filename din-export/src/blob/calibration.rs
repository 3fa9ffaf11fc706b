//! How large the numbers inside a network get, measured by running it on requests.
//!
//! The requests come from a job's training split, from a file, or, without data, from [`random_requests`]: those say
//! what the network can do to any ids, not what it does to the ids that occur, so they are the weaker choice.

use super::forward::{Network, Part, Watch};
use crate::request::Request;
use crate::schema::{Field, FieldKind, Schema};
use crate::weights::ModelWeights;
use din_core::{Transform, Value};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Requests drawn where there are no others.
pub const RANDOM_REQUESTS: usize = 512;

/// Inputs of the widest layer whose second moments are kept; wider ones are rounded without them.
const WIDEST_MOMENTS: usize = 768;

/// What passes through a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerRange {
    /// The largest magnitude before or after the activation.
    pub largest: f64,
    /// Sums of products of the inputs, and a last one that is always 1: `[inputs + 1, inputs + 1]`, the lower triangle
    /// alone. Empty where the layer is too wide.
    pub moments: Vec<f64>,
    /// How many inputs were summed.
    pub count: u64,
}

/// What passes through a sequence's pooling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceRange {
    /// The unit's layers.
    pub unit: Vec<LayerRange>,
    /// The largest magnitude of an attention weight: before softmax, divided by `sqrt(D)`.
    pub weight: f64,
    /// `[D]`: of each component of the interest vector.
    pub pooled: Vec<f64>,
    /// `[P]`: of its product with the candidate.
    pub product: Vec<f64>,
}

/// The largest magnitudes seen in a network, and the second moments of its layers' inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranges {
    /// Of each field's input, in the order of the blob; 0 for an id.
    pub numeric: Vec<f64>,
    /// Of each field's raw numbers.
    pub raw: Vec<f64>,
    /// One for each sequence.
    pub sequences: Vec<SequenceRange>,
    /// The head's layers.
    pub head: Vec<LayerRange>,
}

impl Ranges {
    /// Runs a network on requests.
    #[must_use]
    pub fn measure(network: &Network<'_>, requests: &[Request]) -> Self {
        let mut ranges = Self::empty(network);
        for request in requests {
            network.logits(request, &mut ranges);
        }
        ranges
    }

    fn empty(network: &Network<'_>) -> Self {
        let layers = |layers: &[super::fold::FoldedLayer]| {
            let layer = |layer: &super::fold::FoldedLayer| LayerRange {
                moments: match layer.inputs + 1 {
                    width if width <= WIDEST_MOMENTS => vec![0.0; width * width],
                    _ => Vec::new(),
                },
                ..LayerRange::default()
            };
            layers.iter().map(layer).collect()
        };
        let schema = &network.weights.schema;
        let sequence = |(sequence, unit): (_, &Vec<_>)| SequenceRange {
            unit: layers(unit),
            weight: 0.0,
            pooled: vec![0.0; schema.key_width(sequence)],
            product: vec![0.0; schema.paired_width(sequence)],
        };
        let behaviours: usize = schema.sequences.iter().map(|sequence| sequence.fields.len()).sum();
        let fields = schema.profile.len() + schema.context.len() + schema.candidate.len() + behaviours;
        Self {
            numeric: vec![0.0; fields],
            raw: vec![0.0; fields],
            sequences: schema.sequences.iter().zip(&network.units).map(sequence).collect(),
            head: layers(&network.head),
        }
    }
}

fn widen(largest: &mut f64, value: f64) {
    *largest = largest.max(value.abs());
}

impl Watch for Ranges {
    fn numeric(&mut self, field: usize, raw: f64, input: f64) {
        widen(&mut self.raw[field], raw);
        widen(&mut self.numeric[field], input);
    }

    fn layer(&mut self, part: Part, index: usize, input: &[f64], before: &[f64], after: &[f64]) {
        let range = match part {
            Part::Unit(sequence) => &mut self.sequences[sequence].unit[index],
            Part::Head => &mut self.head[index],
        };
        before.iter().chain(after).for_each(|value| widen(&mut range.largest, *value));
        range.count += 1;
        let width = input.len() + 1;
        for (row, sums) in range.moments.chunks_exact_mut(width).enumerate() {
            let own = input.get(row).copied().unwrap_or(1.0);
            let others = input.iter().chain([&1.0]).take(row + 1);
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += own * other);
        }
    }

    fn pooled(&mut self, sequence: usize, weights: &[f64], pooled: &[f64], product: &[f64]) {
        let range = &mut self.sequences[sequence];
        weights.iter().for_each(|weight| widen(&mut range.weight, *weight));
        range.pooled.iter_mut().zip(pooled).for_each(|(largest, value)| widen(largest, *value));
        range.product.iter_mut().zip(product).for_each(|(largest, value)| widen(largest, *value));
    }
}

/// Requests over the whole vocabulary, the same for the same model: half of the histories are drawn from all ids, half
/// repeat a few, as users do; lengths from 0 to the capacity; numbers within two standard deviations of their mean.
#[must_use]
pub fn random_requests(weights: &ModelWeights, count: usize) -> Vec<Request> {
    const CANDIDATES: usize = 4;
    let schema = &weights.schema;
    let mut random = ChaCha8Rng::seed_from_u64(0xca1b_8a7e);
    let random = &mut random;
    let requests = (0..count).map(|index| {
        let few = index % 2 == 1;
        let profile = values(schema, &schema.profile, random);
        let context = values(schema, &schema.context, random);
        let mut histories = Vec::new();
        let mut seen: Vec<Vec<Value>> = Vec::new();
        for sequence in &schema.sequences {
            let fields: Vec<Field> = sequence.fields.iter().map(|field| field.field.clone()).collect();
            let few_ids = random.random_range(1..=6);
            let pool: Vec<Vec<Value>> = (0..few_ids).map(|_| values(schema, &fields, random)).collect();
            let length = random.random_range(0..=sequence.capacity.min(200));
            let history = (0..length).map(|_| {
                if few {
                    pool[random.random_range(0..pool.len())].clone()
                } else {
                    values(schema, &fields, random)
                }
            });
            let history: Vec<Vec<Value>> = history.collect();
            // Candidates that the user knows: their behaviours are what the unit must recognise.
            for behaviour in history.iter().take(CANDIDATES / 2) {
                let mut candidate = values(schema, &schema.candidate, random);
                for (field, value) in sequence.fields.iter().zip(behaviour) {
                    if let Some(pair) = field.pair {
                        candidate[pair] = *value;
                    }
                }
                seen.push(candidate);
            }
            histories.push(history.concat());
        }
        let mut candidates: Vec<Vec<Value>> = seen.into_iter().take(CANDIDATES / 2).collect();
        while candidates.len() < CANDIDATES {
            candidates.push(values(schema, &schema.candidate, random));
        }
        Request { profile, context, histories, candidates }
    });
    requests.collect()
}

fn values(schema: &Schema, fields: &[Field], random: &mut ChaCha8Rng) -> Vec<Value> {
    let value = |field: &Field| match &field.kind {
        FieldKind::Categorical { table } => {
            let vocabulary = &schema.tables[*table].vocabulary;
            let row = random.random_range(0..vocabulary.rows().max(1)) as u32;
            vocabulary.key(row).map_or(Value::Missing, Value::Id)
        }
        FieldKind::Numeric(normaliser) => {
            let limit = f64::from(normaliser.limit).min(2.0);
            let input = random.random_range(-limit..=limit);
            let scale = f64::from(normaliser.scale);
            let transformed = f64::from(normaliser.mean) + if scale == 0.0 { 0.0 } else { input / scale };
            let raw = match normaliser.transform {
                Transform::Identity => transformed,
                Transform::Log1p => transformed.signum() * transformed.abs().min(80.0).exp_m1(),
            };
            Value::Number(raw as f32)
        }
    };
    fields.iter().map(value).collect()
}
