//! Where numbers first stop being finite, for the error that ends a run.

use crate::data::dataset::{FieldColumn, Samples};
use crate::network::{Batch, Network};
use crate::schema::{Field, FieldKind};
use crate::weights::{Activation, AttentionNormalisation, BatchNorm, Layer, PoolingWeights};
use std::fmt;

/// The first place, in the order of the forward pass, with a number that is not finite; or else the one with the largest.
///
/// Recomputed sample by sample in f64 from the weights as they are, under the moving statistics. Slow, and independent of the
/// trainer's own kernels: what they hid in a buffer is not needed.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// In words: which layer, which row of which table.
    pub place: String,
    /// A number there: not finite, or the largest.
    pub number: f64,
    /// The sample, by its index among the batch's samples.
    pub sample: u32,
    /// Whether the weights themselves are not finite: the step before was too large.
    pub in_weights: bool,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, number, sample, in_weights } = self;
        let cause = match (number.is_finite(), in_weights) {
            (true, _) => "the largest number",
            (false, true) => "the step before made a weight that is not finite",
            (false, false) => "the first number that is not finite",
        };
        write!(out, "{cause}: {number:e} in {place}, sample {sample}")
    }
}

/// The worst number of each place, in the order of the forward pass.
#[derive(Default)]
struct Places(Vec<Diagnosis>);

impl Places {
    /// Notes the numbers of a place; `index` counts the places of a sample.
    fn note(
        &mut self,
        index: &mut usize,
        sample: u32,
        in_weights: bool,
        numbers: impl IntoIterator<Item = f64>,
        place: impl Fn() -> String,
    ) {
        let number = numbers.into_iter().fold(0.0, worse);
        let found = || Diagnosis { place: place(), number, sample, in_weights };
        match self.0.get_mut(*index) {
            None => self.0.push(found()),
            Some(own) if worse(own.number, number).to_bits() != own.number.to_bits() => *own = found(),
            Some(_) => {}
        }
        *index += 1;
    }

    fn worst(self) -> Option<Diagnosis> {
        let first = self.0.iter().position(|place| !place.number.is_finite());
        let largest = || {
            let mut places = self.0.iter().enumerate();
            let largest = places.by_ref().next()?;
            Some(places.fold(largest, |a, b| if b.1.number.abs() > a.1.number.abs() { b } else { a }).0)
        };
        let index = first.or_else(largest)?;
        self.0.into_iter().nth(index)
    }
}

/// Looks at a batch with the weights as they are; `None` for a batch without samples.
#[must_use]
pub fn diagnose(network: &Network<f32>, batch: Batch<'_>) -> Option<Diagnosis> {
    let (pooling, head) = network.dense_weights();
    let mut places = Places::default();
    for &sample in batch.indices {
        let mut pass = Pass { network, samples: batch.samples, sample, index: 0, places: &mut places };
        pass.forward(&pooling, &head);
    }
    places.worst()
}

/// The forward pass of one sample.
struct Pass<'a> {
    network: &'a Network<f32>,
    samples: &'a Samples,
    sample: u32,
    index: usize,
    places: &'a mut Places,
}

impl Pass<'_> {
    fn note(&mut self, in_weights: bool, numbers: impl IntoIterator<Item = f64>, place: impl Fn() -> String) {
        self.places.note(&mut self.index, self.sample, in_weights, numbers, place);
    }

    fn forward(&mut self, pooling: &[PoolingWeights], head: &[Layer]) {
        let (network, samples) = (self.network, self.samples);
        let schema = network.schema();
        let group = |pass: &mut Self, fields: &[Field], columns: &[FieldColumn]| -> Vec<f64> {
            let at = pass.sample as usize;
            fields.iter().zip(columns).flat_map(|(field, column)| pass.field(field, column, at)).collect()
        };
        let mut input = group(self, &schema.profile, &samples.profile);
        input.extend(group(self, &schema.context, &samples.context));
        let candidate = group(self, &schema.candidate, &samples.candidate);
        let mut products = Vec::new();
        for (index, (sequence, weights)) in schema.sequences.iter().zip(pooling).enumerate() {
            let histories = &samples.histories[index];
            let width = schema.key_width(sequence);
            let mut query = Vec::with_capacity(width);
            for pair in sequence.fields.iter().map_while(|behaviour| behaviour.pair) {
                let column = &samples.candidate[pair];
                query.extend(self.value(&schema.candidate[pair], column, self.sample as usize).1);
            }
            let paired = query.len();
            query.resize(width, 0.0);
            let (start, end) = histories.spans[self.sample as usize];
            let mut keys: Vec<Vec<f64>> = vec![Vec::with_capacity(width); (end - start) as usize];
            for (behaviour, column) in sequence.fields.iter().zip(&histories.pool) {
                // One place for the field, whatever the length of the history.
                let mut worst = (0, 0.0, None);
                for (own, at) in keys.iter_mut().zip(start as usize..) {
                    let (row, values) = self.value(&behaviour.field, column, at);
                    let number = values.iter().copied().fold(0.0, worse);
                    if worse(worst.1, number).to_bits() != worst.1.to_bits() {
                        worst = (at, number, row);
                    }
                    own.extend(values);
                }
                let place = || place_of(&behaviour.field, worst.2.as_ref());
                self.note(worst.2.is_some(), [worst.1], place);
            }
            let name = &sequence.name;
            let pooled = self.pool(name, weights, &query, &keys);
            products.extend(pooled.iter().zip(&query).take(paired).map(|(v, q)| v * q));
            self.note(false, pooled.iter().copied(), || format!("the interest vector of `{name}`"));
            input.extend(pooled);
        }
        input.extend(candidate);
        let inputs = head.first().map_or(0, |layer| layer.inputs);
        if input.len() + products.len() == inputs {
            input.extend(products);
        }
        let mut rows = vec![input];
        self.layers("the head", head, &mut rows);
    }

    /// A field's numbers, noted.
    fn field(&mut self, field: &Field, column: &FieldColumn, at: usize) -> Vec<f64> {
        let (row, values) = self.value(field, column, at);
        self.note(row.is_some(), values.iter().copied(), || place_of(field, row.as_ref()));
        values
    }

    /// A field's numbers, and the row that they are if it is an id's.
    fn value(&self, field: &Field, column: &FieldColumn, at: usize) -> (Option<(String, u32)>, Vec<f64>) {
        match (&field.kind, column) {
            (FieldKind::Categorical { table }, FieldColumn::Rows(rows)) => {
                let name = self.network.schema().tables[*table].name.clone();
                let values = self.network.tables()[*table].row(rows[at]);
                (Some((name, rows[at])), values.iter().copied().map(f64::from).collect())
            }
            (FieldKind::Numeric(normaliser), FieldColumn::Numbers(numbers)) => {
                (None, vec![f64::from(normaliser.apply(numbers[at]))])
            }
            _ => (None, Vec::new()),
        }
    }

    fn pool(&mut self, name: &str, weights: &PoolingWeights, query: &[f64], keys: &[Vec<f64>]) -> Vec<f64> {
        let factors = match weights {
            PoolingWeights::Sum => vec![1.0; keys.len()],
            PoolingWeights::Mean => vec![1.0 / keys.len() as f64; keys.len()],
            PoolingWeights::Attention { layers, normalisation } => {
                let pair = |key: &Vec<f64>| {
                    let both = || query.iter().zip(key);
                    let difference = both().map(|(q, k)| q - k);
                    let product = both().map(|(q, k)| q * k);
                    query.iter().chain(key).copied().chain(difference).chain(product).collect()
                };
                let mut rows: Vec<Vec<f64>> = keys.iter().map(pair).collect();
                self.layers(&format!("the activation unit of `{name}`"), layers, &mut rows);
                let mut scores: Vec<f64> = rows.iter().map(|row| row[0]).collect();
                if *normalisation == AttentionNormalisation::Softmax {
                    let scale = 1.0 / (query.len() as f64).sqrt();
                    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    scores.iter_mut().for_each(|score| *score = ((*score - largest) * scale).exp());
                    let sum: f64 = scores.iter().sum();
                    scores.iter_mut().for_each(|score| *score /= sum);
                }
                scores
            }
        };
        let mut pooled = vec![0.0; query.len()];
        for (key, factor) in keys.iter().zip(factors) {
            pooled.iter_mut().zip(key).for_each(|(sum, k)| *sum += factor * k);
        }
        pooled
    }

    /// Rows through layers, each noted: its weights, then its output as f32 holds it.
    fn layers(&mut self, of: &str, layers: &[Layer], rows: &mut [Vec<f64>]) {
        for (index, layer) in layers.iter().enumerate() {
            let weights = layer.weight.iter().chain(&layer.bias).copied().map(f64::from);
            self.note(true, weights, || format!("the weights of layer {index} of {of}"));
            let affine = |row: &[f64]| -> Vec<f64> {
                let units = layer.weight.chunks_exact(layer.inputs).zip(&layer.bias);
                let unit = |(weight, &bias): (&[f32], &f32)| {
                    let sum = weight.iter().zip(row).map(|(&w, x)| f64::from(w) * x).sum::<f64>();
                    f64::from((sum + f64::from(bias)) as f32)
                };
                units.map(unit).collect()
            };
            rows.iter_mut().for_each(|row| *row = affine(row));
            let all = |rows: &[Vec<f64>]| rows.concat();
            self.note(false, all(rows), || {
                format!("the output of layer {index} of {of}, before its activation")
            });
            for row in &mut *rows {
                if let Some(norm) = &layer.batch_norm {
                    normalise(norm, row);
                }
                activate(&layer.activation, row);
            }
            self.note(false, all(rows), || format!("the activation of layer {index} of {of}"));
        }
    }
}

/// The one that is not finite, else the larger.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_finite() && (!b.is_finite() || b.abs() > a.abs()) { b } else { a }
}

fn place_of(field: &Field, row: Option<&(String, u32)>) -> String {
    match row {
        Some((table, row)) => format!("row {row} of table `{table}`, which field `{}` reads", field.name),
        None => format!("field `{}`", field.name),
    }
}

fn normalise(norm: &BatchNorm, row: &mut [f64]) {
    for (j, s) in row.iter_mut().enumerate() {
        let deviation = (f64::from(norm.variance[j]) + f64::from(norm.epsilon)).sqrt();
        *s = f64::from(norm.gamma[j]) * (*s - f64::from(norm.mean[j])) / deviation + f64::from(norm.beta[j]);
    }
}

fn activate(activation: &Activation, row: &mut [f64]) {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for (j, s) in row.iter_mut().enumerate() {
        *s = match activation {
            Activation::Linear => *s,
            Activation::Sigmoid => sigmoid(*s),
            Activation::Relu => {
                if *s < 0.0 {
                    0.0
                } else {
                    *s
                }
            }
            Activation::PRelu { alpha } => {
                if *s < 0.0 {
                    f64::from(alpha[j]) * *s
                } else {
                    *s
                }
            }
            Activation::Dice { alpha, mean, variance, gamma, beta, epsilon } => {
                let deviation = (f64::from(variance[j]) + f64::from(*epsilon)).sqrt();
                let x = f64::from(gamma[j]) * (*s - f64::from(mean[j])) / deviation + f64::from(beta[j]);
                let p = sigmoid(x);
                p * *s + (1.0 - p) * f64::from(alpha[j]) * *s
            }
        };
    }
}
