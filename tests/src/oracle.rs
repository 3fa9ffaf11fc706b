//! The model in f64, straight from its formulas: nothing is folded, prepared, blocked or shared.
//!
//! Written to be compared with a paper line by line, not to be fast. It reads the trained [`ModelWeights`] and raw
//! values; it shares no code with din-core, the trainer or the blob writer.
//!
//! # Source
//! Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018: figure 2 and equations 2 and 3.

use crate::request::Request;
use din_core::{Normaliser, Transform, Value};
use din_export::schema::{Field, FieldKind, SequenceSpec, Vocabulary};
use din_export::weights::{
    Activation, AttentionNormalisation, BatchNorm, Layer, ModelWeights, PoolingWeights,
};

/// What the oracle makes of one candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Before the sigmoid.
    pub logit: f64,
    /// After it.
    pub score: f64,
    /// For each sequence the attention weights of the behaviours that count, oldest first; empty for sum and mean.
    pub attention: Vec<Vec<f64>>,
}

/// Scores every candidate of a request.
///
/// # Panics
/// For a number where the model has an id, or the other way round.
#[must_use]
pub fn score_all(model: &ModelWeights, request: &Request) -> Vec<Truth> {
    request.slate.iter().map(|candidate| score(model, request, candidate)).collect()
}

/// Scores one candidate for a request's user.
///
/// # Panics
/// As [`score_all`].
#[must_use]
pub fn score(model: &ModelWeights, request: &Request, candidate: &[Value]) -> Truth {
    let schema = &model.schema;
    let profile = embed_all(model, &schema.profile, &request.profile);
    let context = embed_all(model, &schema.context, &request.context);
    let candidate_vector = embed_all(model, &schema.candidate, candidate);

    let (mut pooled, mut products, mut attention) = (Vec::new(), Vec::new(), Vec::new());
    for ((sequence, pooling), history) in schema.sequences.iter().zip(&model.pooling).zip(&request.histories)
    {
        let query = query(model, sequence, candidate);
        let newest = &history[history.len().saturating_sub(sequence.capacity)..];
        let fields: Vec<Field> = sequence.fields.iter().map(|behaviour| behaviour.field.clone()).collect();
        let keys: Vec<Vec<f64>> =
            newest.iter().map(|behaviour| embed_all(model, &fields, behaviour)).collect();
        let (interest, weights) = pool(pooling, &query, &keys);
        // pooled * candidate, where the candidate has that part
        let paired = schema.paired_width(sequence);
        products.extend(interest.iter().zip(&query).take(paired).map(|(interest, query)| interest * query));
        pooled.extend(interest);
        attention.push(weights);
    }

    let mut input = [profile, context, pooled, candidate_vector].concat();
    if model.product {
        input.extend(products);
    }
    let mut logit = forward(&model.head, &input)[0];
    if let Some(bias) = &model.item_bias {
        let row = row_of(model, &schema.candidate[bias.field], candidate[bias.field]);
        logit += f64::from(bias.values[row]);
    }
    Truth { logit, score: sigmoid(logit), attention }
}

/// `1 / (1 + exp(-x))`
fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The vectors of some values, concatenated.
fn embed_all(model: &ModelWeights, fields: &[Field], values: &[Value]) -> Vec<f64> {
    assert_eq!(fields.len(), values.len(), "one value for each field");
    fields.iter().zip(values).flat_map(|(field, value)| embed(model, field, *value)).collect()
}

fn embed(model: &ModelWeights, field: &Field, value: Value) -> Vec<f64> {
    match &field.kind {
        FieldKind::Categorical { table } => {
            let (row, dim) = (row_of(model, field, value), model.schema.tables[*table].dim);
            model.tables[*table][row * dim..(row + 1) * dim].iter().copied().map(f64::from).collect()
        }
        FieldKind::Numeric(normaliser) => match value {
            Value::Missing => vec![0.0],
            Value::Number(raw) => vec![normalise(normaliser, raw)],
            Value::Fixed(raw) => vec![normalise(normaliser, raw as f32 / 65536.0)],
            Value::Id(_) => panic!("field `{}` is a number", field.name),
        },
    }
}

/// `clamp((t(x) - mean) scale, -limit, limit)`
fn normalise(normaliser: &Normaliser, raw: f32) -> f64 {
    let raw = f64::from(raw);
    let transformed = match normaliser.transform {
        Transform::Identity => raw,
        Transform::Log1p => raw.signum() * (1.0 + raw.abs()).ln(),
    };
    let limit = f64::from(normaliser.limit);
    ((transformed - f64::from(normaliser.mean)) * f64::from(normaliser.scale)).clamp(-limit, limit)
}

/// Row 0 for what is missing or unknown.
fn row_of(model: &ModelWeights, field: &Field, value: Value) -> usize {
    let FieldKind::Categorical { table } = field.kind else { panic!("field `{}` is a number", field.name) };
    let id = match value {
        Value::Missing => return 0,
        Value::Id(id) => id,
        Value::Number(_) | Value::Fixed(_) => panic!("field `{}` is an id", field.name),
    };
    match &model.schema.tables[table].vocabulary {
        Vocabulary::Dense { first, first_row, count } => {
            let known = id >= *first && id - first < u64::from(*count);
            if known { (id - first) as usize + *first_row as usize } else { 0 }
        }
        Vocabulary::Keys(keys) | Vocabulary::HashedText(keys) => {
            keys.iter().position(|key| *key == id).map_or(0, |index| index + 1)
        }
    }
}

/// q: the candidate's fields in the order of the behaviour's, zero where unpaired.
fn query(model: &ModelWeights, sequence: &SequenceSpec, candidate: &[Value]) -> Vec<f64> {
    let part = |behaviour: &din_export::schema::BehaviourField| match behaviour.pair {
        Some(pair) => embed(model, &model.schema.candidate[pair], candidate[pair]),
        None => vec![0.0; model.schema.width(&behaviour.field)],
    };
    sequence.fields.iter().flat_map(part).collect()
}

/// The interest vector, `[D]`, and the weights, `[T]`.
fn pool(pooling: &PoolingWeights, query: &[f64], keys: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let (layers, normalisation) = match pooling {
        PoolingWeights::Sum => return (weighted_sum(query.len(), keys, |_| 1.0), Vec::new()),
        PoolingWeights::Mean => {
            return (weighted_sum(query.len(), keys, |_| 1.0 / keys.len() as f64), Vec::new());
        }
        PoolingWeights::Attention { layers, normalisation } => (layers, normalisation),
    };
    let weight = |key: &Vec<f64>| {
        let difference = query.iter().zip(key).map(|(q, k)| q - k);
        let product = query.iter().zip(key).map(|(q, k)| q * k);
        let input: Vec<f64> =
            query.iter().copied().chain(key.iter().copied()).chain(difference).chain(product).collect();
        forward(layers, &input)[0]
    };
    let mut weights: Vec<f64> = keys.iter().map(weight).collect();
    if *normalisation == AttentionNormalisation::Softmax {
        let root = (query.len() as f64).sqrt();
        let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = weights.iter().map(|weight| ((weight - largest) / root).exp()).collect();
        let sum: f64 = powers.iter().sum();
        weights = powers.into_iter().map(|power| power / sum).collect();
    }
    (weighted_sum(query.len(), keys, |t| weights[t]), weights)
}

fn weighted_sum(width: usize, keys: &[Vec<f64>], weight: impl Fn(usize) -> f64) -> Vec<f64> {
    let component = |i: usize| keys.iter().enumerate().map(|(t, key)| weight(t) * key[i]).sum();
    (0..width).map(component).collect()
}

fn forward(layers: &[Layer], input: &[f64]) -> Vec<f64> {
    layers.iter().fold(input.to_vec(), |x, layer| apply(layer, &x))
}

/// `activation(batch_norm(W x + b))`
fn apply(layer: &Layer, x: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), layer.inputs, "the layer's input");
    let unit = |(o, weights): (usize, &[f32])| {
        let product: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum();
        let sum = product + f64::from(layer.bias[o]);
        let sum = layer.batch_norm.as_ref().map_or(sum, |norm| normalise_unit(norm, o, sum));
        activate(&layer.activation, o, sum)
    };
    layer.weight.chunks_exact(layer.inputs).enumerate().map(unit).collect()
}

fn normalise_unit(norm: &BatchNorm, o: usize, s: f64) -> f64 {
    standardise(s, norm.mean[o], norm.variance[o], norm.epsilon) * f64::from(norm.gamma[o])
        + f64::from(norm.beta[o])
}

/// `(s - E[s]) / sqrt(Var[s] + epsilon)`
fn standardise(s: f64, mean: f32, variance: f32, epsilon: f32) -> f64 {
    (s - f64::from(mean)) / (f64::from(variance) + f64::from(epsilon)).sqrt()
}

fn activate(activation: &Activation, o: usize, s: f64) -> f64 {
    match activation {
        Activation::Linear => s,
        Activation::Sigmoid => sigmoid(s),
        Activation::Relu => s.max(0.0),
        Activation::PRelu { alpha } => {
            if s > 0.0 {
                s
            } else {
                f64::from(alpha[o]) * s
            }
        }
        Activation::Dice { alpha, mean, variance, gamma, beta, epsilon } => {
            let z = standardise(s, mean[o], variance[o], *epsilon) * f64::from(gamma[o]) + f64::from(beta[o]);
            let p = sigmoid(z);
            p * s + (1.0 - p) * f64::from(alpha[o]) * s
        }
    }
}
