//! How a score depends on the embedding rows that it reads: backward through the folded network, in f64.

use super::fold::FoldedLayer;
use super::forward::{Network, Part, Watch, sigmoid};
use crate::request::Request;
use crate::schema::{Field, FieldKind};
use crate::weights::{AttentionNormalisation, PoolingWeights};
use din_core::Value;
use din_core::manifest::Activation;
use std::collections::BTreeMap;

/// The derivative of one candidate's score by each row that it reads, the roles of a row summed: `[dim]` by table and row.
pub type RowGradients = BTreeMap<(usize, usize), Vec<f64>>;

/// A layer's numbers for one input.
struct Passed {
    input: Vec<f64>,
    before: Vec<f64>,
    after: Vec<f64>,
}

/// What the forward pass of one candidate leaves behind.
#[derive(Default)]
struct Tape {
    /// Of each sequence, behaviour after behaviour.
    units: Vec<Vec<Passed>>,
    head: Vec<Passed>,
    /// Of each sequence: attention weights, before softmax, and interest vector.
    pooled: Vec<(Vec<f64>, Vec<f64>)>,
}

/// Goes back over the tape whenever a candidate is done.
struct Backward<'n, 'w, F> {
    network: &'n Network<'w>,
    request: &'n Request,
    tape: Tape,
    then: F,
}

/// Calls `then` for each candidate of a request with the gradient of its score `p`, which is `p (1 - p)` times the logit's.
pub fn row_gradients(network: &Network<'_>, request: &Request, then: impl FnMut(&RowGradients)) {
    let mut backward = Backward { network, request, tape: Tape::default(), then };
    backward.clear();
    network.logits(request, &mut backward);
}

impl<F: FnMut(&RowGradients)> Watch for Backward<'_, '_, F> {
    fn numeric(&mut self, _: usize, _: f64, _: f64) {}

    fn layer(&mut self, part: Part, _: usize, input: &[f64], before: &[f64], after: &[f64]) {
        let passed = Passed { input: input.to_vec(), before: before.to_vec(), after: after.to_vec() };
        match part {
            Part::Unit(sequence) => self.tape.units[sequence].push(passed),
            Part::Head => self.tape.head.push(passed),
        }
    }

    fn pooled(&mut self, _: usize, weights: &[f64], pooled: &[f64], _: &[f64]) {
        self.tape.pooled.push((weights.to_vec(), pooled.to_vec()));
    }

    fn logit(&mut self, candidate: usize, logit: f64) {
        let gradients = self.gradients(&self.request.candidates[candidate], logit);
        (self.then)(&gradients);
        self.clear();
    }
}

impl<F> Backward<'_, '_, F> {
    fn clear(&mut self) {
        let sequences = self.network.units.len();
        self.tape = Tape { units: (0..sequences).map(|_| Vec::new()).collect(), ..Tape::default() };
    }

    fn gradients(&self, candidate: &[Value], logit: f64) -> RowGradients {
        let schema = &self.network.weights.schema;
        let score = sigmoid(logit);
        let input = back(&self.network.head, &self.tape.head, vec![score * (1.0 - score)]);
        let mut rest = input.as_slice();
        let mut take = |width: usize| {
            let (taken, left) = rest.split_at(width);
            rest = left;
            taken.to_vec()
        };
        let profile = take(schema.total_width(&schema.profile));
        let context = take(schema.total_width(&schema.context));
        let pooled: Vec<Vec<f64>> =
            schema.sequences.iter().map(|sequence| take(schema.key_width(sequence))).collect();
        let mut own = take(schema.total_width(&schema.candidate));
        let reads_products = self.network.weights.product;
        // Of the products of the interest vectors with the candidate, where the head reads them.
        let products: Vec<Vec<f64>> = schema
            .sequences
            .iter()
            .map(|sequence| take(if reads_products { schema.paired_width(sequence) } else { 0 }))
            .collect();
        let head_input = &self.tape.head[0].input;
        let first = input.len() - own.len() - products.iter().map(Vec::len).sum::<usize>();
        let embedded = &head_input[first..first + own.len()];

        let mut gradients = RowGradients::new();
        for (index, (pooled, product)) in pooled.into_iter().zip(&products).enumerate() {
            let query = self.network.query(index, embedded);
            let (keys, by_query) = self.back_through_pooling(index, &query, pooled, product);
            self.spread(index, &by_query, &mut own);
            let sequence = &schema.sequences[index];
            let fields: Vec<&Field> = sequence.fields.iter().map(|behaviour| &behaviour.field).collect();
            let behaviours = self.behaviours(index);
            for (values, key) in behaviours.iter().zip(&keys) {
                self.add(&fields, values, key, &mut gradients);
            }
        }
        let groups = [
            (&schema.profile, self.request.profile.as_slice(), &profile),
            (&schema.context, self.request.context.as_slice(), &context),
            (&schema.candidate, candidate, &own),
        ];
        for (fields, values, gradient) in groups {
            self.add(&fields.iter().collect::<Vec<_>>(), values, gradient, &mut gradients);
        }
        gradients
    }

    /// The behaviours of a sequence that are read.
    fn behaviours(&self, sequence: usize) -> Vec<&[Value]> {
        let own = &self.network.weights.schema.sequences[sequence];
        let all: Vec<&[Value]> =
            self.request.histories[sequence].chunks_exact(own.fields.len().max(1)).collect();
        all[all.len().saturating_sub(own.capacity)..].to_vec()
    }

    /// By each key `[T, D]` and by the query `[P]`, from what is known by the interest vector and by the product.
    fn back_through_pooling(
        &self,
        sequence: usize,
        query: &[f64],
        pooled: Vec<f64>,
        product: &[f64],
    ) -> (Vec<Vec<f64>>, Vec<f64>) {
        let (weights, interest) = &self.tape.pooled[sequence];
        let mut by_pooled = pooled;
        let mut by_query = vec![0.0; query.len()];
        for (j, by_product) in product.iter().enumerate() {
            by_pooled[j] += by_product * query[j];
            by_query[j] += by_product * interest[j];
        }
        let length = self.behaviours(sequence).len();
        let normalisation = match &self.network.weights.pooling[sequence] {
            PoolingWeights::Sum => return (vec![by_pooled; length], by_query),
            PoolingWeights::Mean => {
                by_pooled.iter_mut().for_each(|number| *number /= length.max(1) as f64);
                return (vec![by_pooled; length], by_query);
            }
            PoolingWeights::Attention { normalisation, .. } => *normalisation,
        };
        let unit = &self.network.units[sequence];
        let passes: Vec<&[Passed]> = self.tape.units[sequence].chunks_exact(unit.len()).collect();
        let (paired, width) = (query.len(), by_pooled.len());
        // The unit's first input is [q (P), k (D), q*k (P)].
        let key = |t: usize| &passes[t][0].input[paired..paired + width];
        let along: Vec<f64> = (0..length).map(|t| dot(&by_pooled, key(t))).collect();
        let (applied, by_weight) = match normalisation {
            AttentionNormalisation::None => (weights.clone(), along),
            AttentionNormalisation::Softmax => {
                let shares = softmax(weights);
                let mean = dot(&shares, &along);
                let root = (width as f64).sqrt();
                let by = shares.iter().zip(&along).map(|(share, along)| share * (along - mean) / root);
                (shares.clone(), by.collect())
            }
        };
        let mut keys = Vec::new();
        for t in 0..length {
            let mut by_key: Vec<f64> = by_pooled.iter().map(|number| number * applied[t]).collect();
            let input = back(unit, passes[t], vec![by_weight[t]]);
            for d in 0..width {
                by_key[d] += input[paired + d];
            }
            for j in 0..paired {
                let by_product = input[paired + width + j];
                by_key[j] += by_product * query[j];
                by_query[j] += input[j] + by_product * key(t)[j];
            }
            keys.push(by_key);
        }
        (keys, by_query)
    }

    /// What is known by the query `[P]`, added to what is known by the candidate's fields.
    fn spread(&self, sequence: usize, by_query: &[f64], own: &mut [f64]) {
        let schema = &self.network.weights.schema;
        let mut rest = by_query;
        for pair in schema.sequences[sequence].fields.iter().filter_map(|field| field.pair) {
            let start = schema.total_width(&schema.candidate[..pair]);
            let (part, left) = rest.split_at(schema.width(&schema.candidate[pair]));
            own[start..].iter_mut().zip(part).for_each(|(sum, by)| *sum += by);
            rest = left;
        }
    }

    /// Adds what is known by some fields' inputs to their rows.
    fn add(&self, fields: &[&Field], values: &[Value], gradient: &[f64], gradients: &mut RowGradients) {
        let schema = &self.network.weights.schema;
        let mut rest = gradient;
        for (field, value) in fields.iter().zip(values) {
            let (part, left) = rest.split_at(schema.width(field));
            rest = left;
            if let FieldKind::Categorical { table } = field.kind {
                let row = self.network.row(field, *value);
                let sums = gradients.entry((table, row)).or_insert_with(|| vec![0.0; part.len()]);
                sums.iter_mut().zip(part).for_each(|(sum, by)| *sum += by);
            }
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn softmax(weights: &[f64]) -> Vec<f64> {
    let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = weights.iter().map(|weight| (weight - largest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}

/// By the input of the first layer, from what is known by the output of the last.
fn back(layers: &[FoldedLayer], passed: &[Passed], by_output: Vec<f64>) -> Vec<f64> {
    let mut by = by_output;
    for (layer, passed) in layers.iter().zip(passed).rev() {
        for (o, by) in by.iter_mut().enumerate() {
            *by *= slope(layer, o, passed.before[o], passed.after[o]);
        }
        // [outputs] x [inputs, outputs]' -> [inputs]
        by = layer
            .weight
            .chunks_exact(layer.outputs)
            .map(|weights| weights.iter().zip(&by).map(|(weight, by)| f64::from(*weight) * by).sum())
            .collect();
    }
    by
}

/// Derivative of the activation at `s`, whose value there is `after`.
fn slope(layer: &FoldedLayer, o: usize, s: f64, after: f64) -> f64 {
    let parameter = |run: usize| f64::from(layer.parameters[run * layer.outputs + o]);
    match layer.activation {
        Activation::Sigmoid => after * (1.0 - after),
        Activation::Relu => f64::from(u8::from(s > 0.0)),
        Activation::PRelu if s > 0.0 => 1.0,
        Activation::PRelu => parameter(0),
        Activation::Dice => {
            let (a, alpha) = (parameter(0), parameter(2));
            let p = sigmoid(a * s + parameter(1));
            alpha + (1.0 - alpha) * (p + s * a * p * (1.0 - p))
        }
        _ => 1.0,
    }
}
