//! The folded network in plain f64, watched while it runs: what calibration measures.

use super::fold::{self, FoldedLayer};
use crate::request::Request;
use crate::schema::{Field, FieldKind};
use crate::weights::{AttentionNormalisation, ModelWeights, PoolingWeights};
use din_core::manifest::Activation;
use din_core::{Normaliser, Transform, Value};

/// A model, folded, its embedding rows as trained.
#[derive(Debug)]
pub struct Network<'w> {
    /// What was folded.
    pub weights: &'w ModelWeights,
    /// The layers of each sequence's activation unit; none for sum and mean pooling. The first layer's input is
    /// `[q (P), k (D), q*k (P)]`.
    pub units: Vec<Vec<FoldedLayer>>,
    /// The head's layers. The first one's input is `[profile, context, pooled.., candidate (, product..)]`.
    pub head: Vec<FoldedLayer>,
}

/// Where a number was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The activation unit of a sequence.
    Unit(usize),
    /// The head.
    Head,
}

/// What is told of the numbers that pass through a network.
pub trait Watch {
    /// The input of a numeric field (index among all fields in the order of the blob), before its limit.
    fn numeric(&mut self, field: usize, raw: f64, input: f64);
    /// A layer: its input, the sums before and the outputs after its activation.
    fn layer(&mut self, part: Part, index: usize, input: &[f64], before: &[f64], after: &[f64]);
    /// A sequence: its attention weights (before softmax, divided by `sqrt(D)` there), interest vector, and product with
    /// the candidate (empty where the head reads none).
    fn pooled(&mut self, sequence: usize, weights: &[f64], pooled: &[f64], product: &[f64]);
    /// A candidate is done.
    fn logit(&mut self, _candidate: usize, _logit: f64) {}
}

/// Watches nothing.
impl Watch for () {
    fn numeric(&mut self, _: usize, _: f64, _: f64) {}
    fn layer(&mut self, _: Part, _: usize, _: &[f64], _: &[f64], _: &[f64]) {}
    fn pooled(&mut self, _: usize, _: &[f64], _: &[f64], _: &[f64]) {}
}

impl<'w> Network<'w> {
    /// Folds a checked model.
    #[must_use]
    pub fn new(weights: &'w ModelWeights) -> Self {
        let unit = |(sequence, pooling): (_, &PoolingWeights)| match pooling {
            PoolingWeights::Sum | PoolingWeights::Mean => Vec::new(),
            PoolingWeights::Attention { layers, .. } => layers
                .iter()
                .enumerate()
                .map(|(index, layer)| match index {
                    0 => fold::unit_first_layer(&weights.schema, sequence, layer),
                    _ => fold::layer(layer),
                })
                .collect(),
        };
        Self {
            weights,
            units: weights.schema.sequences.iter().zip(&weights.pooling).map(unit).collect(),
            head: weights.head.iter().map(fold::layer).collect(),
        }
    }

    /// The logit of each candidate. Values of the wrong kind count as missing.
    pub fn logits(&self, request: &Request, watch: &mut impl Watch) -> Vec<f64> {
        let schema = &self.weights.schema;
        let (profile_fields, context_fields) = (schema.profile.len(), schema.context.len());
        let mut user = self.embed(0, &schema.profile, &request.profile, watch);
        user.extend(self.embed(profile_fields, &schema.context, &request.context, watch));
        let candidate_first = profile_fields + context_fields;
        let mut first = candidate_first + schema.candidate.len();
        let mut histories = Vec::new();
        for (sequence, history) in schema.sequences.iter().zip(&request.histories) {
            let fields: Vec<Field> = sequence.fields.iter().map(|field| field.field.clone()).collect();
            let behaviours: Vec<&[Value]> = history.chunks_exact(fields.len().max(1)).collect();
            let newest = &behaviours[behaviours.len().saturating_sub(sequence.capacity)..];
            let keys: Vec<Vec<f64>> =
                newest.iter().map(|values| self.embed(first, &fields, values, watch)).collect();
            first += fields.len();
            histories.push(keys);
        }
        let logit = |(index, values): (usize, &Vec<Value>)| {
            let logit = self.logit(&user, &histories, values, candidate_first, watch);
            watch.logit(index, logit);
            logit
        };
        request.candidates.iter().enumerate().map(logit).collect()
    }

    fn logit(
        &self,
        user: &[f64],
        histories: &[Vec<Vec<f64>>],
        values: &[Value],
        candidate_first: usize,
        watch: &mut impl Watch,
    ) -> f64 {
        let schema = &self.weights.schema;
        let candidate = self.embed(candidate_first, &schema.candidate, values, watch);
        let (mut input, mut products) = (user.to_vec(), Vec::new());
        for (index, keys) in histories.iter().enumerate() {
            let query = self.query(index, &candidate);
            let (weights, pooled) = self.pool(index, &query, keys, watch);
            let product: Vec<f64> = if self.weights.product {
                query.iter().zip(&pooled).map(|(q, pooled)| q * pooled).collect()
            } else {
                Vec::new()
            };
            watch.pooled(index, &weights, &pooled, &product);
            input.extend(pooled);
            products.extend(product);
        }
        input.extend(candidate);
        input.extend(products);
        let bias = self.weights.item_bias.as_ref().map_or(0.0, |bias| {
            let row = self.row(&schema.candidate[bias.field], values[bias.field]);
            f64::from(bias.values[row])
        });
        run(&self.head, Part::Head, input, watch)[0] + bias
    }

    /// The candidate's part of a sequence's comparison, `[P]`.
    pub(super) fn query(&self, sequence: usize, candidate: &[f64]) -> Vec<f64> {
        let schema = &self.weights.schema;
        let pairs = schema.sequences[sequence].fields.iter().filter_map(|field| field.pair);
        let part = |pair: usize| {
            let start = schema.total_width(&schema.candidate[..pair]);
            &candidate[start..start + schema.width(&schema.candidate[pair])]
        };
        pairs.flat_map(part).copied().collect()
    }

    /// Attention weights `[T]`, before softmax, and the interest vector `[D]`.
    fn pool(
        &self,
        sequence: usize,
        query: &[f64],
        keys: &[Vec<f64>],
        watch: &mut impl Watch,
    ) -> (Vec<f64>, Vec<f64>) {
        let width = self.weights.schema.key_width(&self.weights.schema.sequences[sequence]);
        let sum = |weight: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..width).map(|d| keys.iter().enumerate().map(|(t, key)| weight(t) * key[d]).sum()).collect()
        };
        let normalisation = match &self.weights.pooling[sequence] {
            PoolingWeights::Sum => return (Vec::new(), sum(&|_| 1.0)),
            PoolingWeights::Mean => return (Vec::new(), sum(&|_| 1.0 / keys.len() as f64)),
            PoolingWeights::Attention { normalisation, .. } => *normalisation,
        };
        let mut weight = |key: &Vec<f64>| {
            let product = query.iter().zip(key).map(|(q, k)| q * k);
            let input = query.iter().chain(key).copied().chain(product).collect();
            run(&self.units[sequence], Part::Unit(sequence), input, watch)[0]
        };
        let mut weights: Vec<f64> = keys.iter().map(&mut weight).collect();
        if normalisation == AttentionNormalisation::None {
            let pooled = sum(&|t| weights[t]);
            return (weights, pooled);
        }
        weights.iter_mut().for_each(|weight| *weight /= (width as f64).sqrt());
        let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = weights.iter().map(|weight| (weight - largest).exp()).collect();
        let total: f64 = powers.iter().sum();
        let pooled = sum(&|t| powers[t] / total);
        (weights, pooled)
    }

    fn embed(&self, first: usize, fields: &[Field], values: &[Value], watch: &mut impl Watch) -> Vec<f64> {
        let mut vector = Vec::new();
        for (index, (field, value)) in fields.iter().zip(values).enumerate() {
            match &field.kind {
                FieldKind::Categorical { table } => {
                    let (row, dim) = (self.row(field, *value), self.weights.schema.tables[*table].dim);
                    let row = &self.weights.tables[*table][row * dim..(row + 1) * dim];
                    vector.extend(row.iter().map(|number| f64::from(*number)));
                }
                FieldKind::Numeric(normaliser) => match value {
                    Value::Number(raw) => {
                        let input = normalise(normaliser, f64::from(*raw));
                        watch.numeric(first + index, f64::from(*raw), input);
                        vector.push(input);
                    }
                    _ => vector.push(0.0),
                },
            }
        }
        vector
    }

    /// The row of a categorical field's value.
    pub(super) fn row(&self, field: &Field, value: Value) -> usize {
        match (&field.kind, value) {
            (FieldKind::Categorical { table }, Value::Id(id)) => {
                self.weights.schema.tables[*table].vocabulary.row(id) as usize
            }
            _ => 0,
        }
    }
}

fn normalise(normaliser: &Normaliser, raw: f64) -> f64 {
    let transformed = match normaliser.transform {
        Transform::Identity => raw,
        Transform::Log1p => raw.signum() * raw.abs().ln_1p(),
    };
    let limit = f64::from(normaliser.limit);
    ((transformed - f64::from(normaliser.mean)) * f64::from(normaliser.scale)).clamp(-limit, limit)
}

fn run(layers: &[FoldedLayer], part: Part, input: Vec<f64>, watch: &mut impl Watch) -> Vec<f64> {
    let mut input = input;
    for (index, layer) in layers.iter().enumerate() {
        // [inputs] x [inputs, outputs] -> [outputs]
        let mut before: Vec<f64> = layer.bias.iter().map(|bias| f64::from(*bias)).collect();
        for (x, weights) in input.iter().zip(layer.weight.chunks_exact(layer.outputs)) {
            before.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * f64::from(*weight));
        }
        let after: Vec<f64> = before.iter().enumerate().map(|(o, sum)| activate(layer, o, *sum)).collect();
        watch.layer(part, index, &input, &before, &after);
        input = after;
    }
    input
}

fn activate(layer: &FoldedLayer, o: usize, s: f64) -> f64 {
    let parameter = |run: usize| f64::from(layer.parameters[run * layer.outputs + o]);
    match layer.activation {
        Activation::Sigmoid => sigmoid(s),
        Activation::Relu => s.max(0.0),
        Activation::PRelu => s * if s > 0.0 { 1.0 } else { parameter(0) },
        Activation::Dice => {
            let p = sigmoid(parameter(0) * s + parameter(1));
            s * (parameter(2) + (1.0 - parameter(2)) * p)
        }
        _ => s,
    }
}

/// `1 / (1 + exp(-x))`
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
