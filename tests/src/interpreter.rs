//! The integer path in plain i64, straight from its specification: no sum may leave 32 bits.

use din_core::manifest::Activation;
use din_core::{Transform, Value, fixed};
use din_export::blob::forward::sigmoid;
use din_export::blob::integer::{IntegerLayer, IntegerModel, IntegerPart};
use din_export::blob::rows::{self, PackedRows};
use din_export::blob::{Embedding, Embeddings, ExportOptions, Writer};
use din_export::request::Request;
use din_export::schema::{Field, FieldKind};
use din_export::weights::{AttentionNormalisation, ModelWeights, PoolingWeights};
use std::sync::Arc;

fn fits(x: i64) -> i64 {
    assert!(i32::try_from(x).is_ok(), "{x} leaves 32 bits");
    x
}

fn rshift(x: i64, n: u8) -> i64 {
    if n == 0 { x } else { fits(x + (1 << (n - 1))) >> n }
}

fn sat16(x: i64) -> i64 {
    x.clamp(-32_768, 32_767)
}

/// The curved functions alone are din-core's: its own tests hold them to their real counterparts.
fn sigmoid_q15(z: i64) -> i64 {
    fixed::sigmoid(z as i16).into()
}

struct Interpreter<'a> {
    weights: &'a ModelWeights,
    model: &'a IntegerModel,
    packed: &'a [Arc<PackedRows>],
}

impl Interpreter<'_> {
    /// Q16.16.
    fn logits(&self, request: &Request) -> Vec<i64> {
        let schema = &self.weights.schema;
        let mut numeric = 0;
        let mut user = self.embed(&schema.profile, &request.profile, &mut numeric);
        user.extend(self.embed(&schema.context, &request.context, &mut numeric));
        let candidate_numeric = numeric;
        numeric += schema.candidate.iter().filter(|f| matches!(f.kind, FieldKind::Numeric(_))).count();
        let mut histories = Vec::new();
        for (sequence, history) in schema.sequences.iter().zip(&request.histories) {
            let fields: Vec<Field> = sequence.fields.iter().map(|field| field.field.clone()).collect();
            let behaviours: Vec<&[Value]> = history.chunks_exact(fields.len()).collect();
            let newest = &behaviours[behaviours.len().saturating_sub(sequence.capacity)..];
            let own = numeric;
            histories.push(
                newest.iter().map(|values| self.embed(&fields, values, &mut own.clone())).collect::<Vec<_>>(),
            );
            numeric += fields.iter().filter(|f| matches!(f.kind, FieldKind::Numeric(_))).count();
        }
        let candidates = request.candidates.iter();
        candidates
            .map(|values| {
                let candidate = self.embed(&schema.candidate, values, &mut candidate_numeric.clone());
                let mut parts = vec![user.clone()];
                let mut products = Vec::new();
                for (index, keys) in histories.iter().enumerate() {
                    let pairs = schema.sequences[index].fields.iter().filter_map(|field| field.pair);
                    let query: Vec<i64> = pairs
                        .flat_map(|pair| {
                            let start = schema.total_width(&schema.candidate[..pair]);
                            candidate[start..start + schema.width(&schema.candidate[pair])].to_vec()
                        })
                        .collect();
                    let pooled = self.pool(index, &query, keys);
                    let shift = self.model.shifts[index].product_shift;
                    products.push(
                        query.iter().zip(&pooled).map(|(q, p)| sat16(rshift(fits(q * p), shift))).collect(),
                    );
                    parts.push(pooled);
                }
                parts.push(candidate);
                if self.weights.product {
                    parts.extend(products);
                }
                let bias = self.weights.item_bias.as_ref().map_or(0, |bias| {
                    self.model.item_bias[self.row(&schema.candidate[bias.field], values[bias.field])]
                });
                (self.run(&self.model.head, &parts, &[]) + i64::from(bias))
                    .clamp(i32::MIN.into(), i32::MAX.into())
            })
            .collect()
    }

    /// The last layer's result; the pair part of a unit's first layer has a query.
    fn run(&self, layers: &[IntegerLayer], first: &[Vec<i64>], query: &[i64]) -> i64 {
        let mut inputs = first.to_vec();
        for (index, layer) in layers.iter().enumerate() {
            let mut sums: Vec<i64> = layer.addend.iter().map(|addend| i64::from(*addend)).collect();
            for (part, x) in layer.parts.iter().zip(&inputs) {
                assert_eq!(part.inputs, x.len(), "layer {index}");
                for (o, sum) in sums.iter_mut().enumerate() {
                    let acc = accumulate(part, x, query, layer.outputs, o);
                    *sum = fits(*sum + fits(rshift(acc, part.shift) * i64::from(part.multipliers[o])));
                }
            }
            if index + 1 == layers.len() {
                return sums[0] >> layer.shift;
            }
            let z = sums.iter().map(|sum| sat16(sum >> layer.shift)).enumerate();
            inputs = vec![z.map(|(o, z)| activate(layer, o, z)).collect()];
        }
        unreachable!("a network has a layer");
    }

    fn pool(&self, sequence: usize, query: &[i64], keys: &[Vec<i64>]) -> Vec<i64> {
        let width = self.weights.schema.key_width(&self.weights.schema.sequences[sequence]);
        let shifts = &self.model.shifts[sequence];
        let sum = |weights: &[i64]| -> Vec<i64> {
            (0..width)
                .map(|d| keys.iter().zip(weights).fold(0, |sum, (key, weight)| fits(sum + weight * key[d])))
                .collect()
        };
        let shifted = |sums: Vec<i64>| -> Vec<i64> {
            sums.into_iter().map(|sum| sat16(rshift(sum, shifts.pooled_shift))).collect()
        };
        let ones = vec![1; keys.len()];
        let normalisation = match &self.weights.pooling[sequence] {
            PoolingWeights::Sum => return shifted(sum(&ones)),
            PoolingWeights::Mean if keys.is_empty() => return vec![0; width],
            PoolingWeights::Mean => {
                let n = keys.len() as i64;
                return sum(&ones).into_iter().map(|sum| (2 * sum + n).div_euclid(2 * n)).collect();
            }
            PoolingWeights::Attention { normalisation, .. } => *normalisation,
        };
        let limit = i64::from(shifts.weight_limit);
        let weights: Vec<i64> = keys
            .iter()
            .map(|key| {
                let inputs = [query.to_vec(), key.clone()];
                self.run(&self.model.units[sequence], &inputs, query).clamp(-limit, limit)
            })
            .collect();
        if normalisation == AttentionNormalisation::None {
            return shifted(sum(&weights));
        }
        let largest = weights.iter().copied().max().unwrap_or(0);
        let power =
            |weight: &i64| i64::from(fixed::exp_of_minus((largest - weight) as u16, shifts.weight_fraction));
        let powers: Vec<i64> = weights.iter().map(power).collect();
        let total: i64 = powers.iter().sum();
        let weights: Vec<i64> = powers.iter().map(|power| ((power << 15) + total / 2) / total).collect();
        shifted(sum(&weights))
    }

    fn embed(&self, fields: &[Field], values: &[Value], numeric: &mut usize) -> Vec<i64> {
        let mut vector = Vec::new();
        for (field, value) in fields.iter().zip(values) {
            match &field.kind {
                FieldKind::Categorical { table } => {
                    let (spec, own) = (&self.weights.schema.tables[*table], &self.model.tables[*table]);
                    let row = self.row(field, *value);
                    let packed = &self.packed[*table];
                    let (dim, limit) = (spec.dim, i64::from(own.limit));
                    let numbers: Vec<i64> = match packed.embedding {
                        Embedding::F32 | Embedding::F16 => packed.stands_for[row * dim..(row + 1) * dim]
                            .iter()
                            .map(|real| {
                                (f64::from(*real) * 2.0_f64.powi(own.fraction.into()) + 0.5).floor() as i64
                            })
                            .collect(),
                        _ => rows::quantized(packed, dim)[row * dim..(row + 1) * dim]
                            .iter()
                            .map(|q| rshift(i64::from(*q) * i64::from(own.multipliers[row]), own.shift))
                            .collect(),
                    };
                    vector.extend(numbers.into_iter().map(|x| x.clamp(-limit, limit)));
                }
                FieldKind::Numeric(normaliser) => {
                    let own = self.model.fixed[*numeric];
                    *numeric += 1;
                    let Value::Number(raw) = value else {
                        vector.push(0);
                        continue;
                    };
                    let raw =
                        (f64::from(*raw) * 65_536.0 + 0.5).floor().clamp(-2_147_483_648.0, 2_147_483_647.0);
                    let t = match normaliser.transform {
                        Transform::Identity => raw as i32,
                        Transform::Log1p => fixed::log1p(raw as i32),
                    };
                    let product = (i64::from(t) - i64::from(own.mean)) * i64::from(own.multiplier);
                    let x = if own.shift == 0 {
                        product
                    } else {
                        (product + (1 << (own.shift - 1))) >> own.shift
                    };
                    vector.push(x.clamp(-i64::from(own.limit), own.limit.into()));
                }
            }
        }
        vector
    }

    fn row(&self, field: &Field, value: Value) -> usize {
        match (&field.kind, value) {
            (FieldKind::Categorical { table }, Value::Id(id)) => {
                self.weights.schema.tables[*table].vocabulary.row(id) as usize
            }
            _ => 0,
        }
    }
}

fn accumulate(part: &IntegerPart, x: &[i64], query: &[i64], outputs: usize, o: usize) -> i64 {
    let weight = |d: usize| i64::from(part.weight[d * outputs + o]);
    x.iter().enumerate().fold(0, |sum, (d, x)| {
        let weight = match &part.base {
            None => weight(d),
            Some(base) => {
                let product = query.get(d).map_or(0, |q| rshift(weight(d) * q, 8));
                let effective = i64::from(base[d * outputs + o]) + product;
                assert!(i16::try_from(effective).is_ok(), "the effective weight {effective} leaves 16 bits");
                effective
            }
        };
        fits(sum + x * weight)
    })
}

fn activate(layer: &IntegerLayer, o: usize, z: i64) -> i64 {
    let parameters = &layer.parameters;
    match layer.activation {
        Activation::Sigmoid => sigmoid_q15(z),
        Activation::Relu => z.max(0),
        Activation::PRelu if z >= 0 => z,
        Activation::PRelu => sat16(rshift(z * i64::from(parameters.alpha[o]), 13)),
        Activation::Dice => {
            let argument =
                fits(z * i64::from(parameters.a[o]) + i64::from(parameters.b[o])) >> parameters.e[o];
            let p = sigmoid_q15(sat16(argument));
            let alpha = i64::from(parameters.alpha[o]);
            sat16(rshift(z * (alpha + rshift((8192 - alpha) * p, 15)), 13))
        }
        _ => z,
    }
}

/// The logits of some requests by the integer form of a model, Q16.16, calibrated on others (on random ones without any).
///
/// # Panics
/// If the model has no integer form, or a sum leaves 32 bits.
#[must_use]
pub fn logits(
    weights: &ModelWeights,
    embeddings: &Embeddings,
    calibrate: &[Request],
    requests: &[Request],
) -> Vec<Vec<i64>> {
    let options = ExportOptions { requests: calibrate.to_vec(), ..ExportOptions::default() };
    let mut writer = Writer::new(weights, &options).expect("a checked model");
    let chosen = writer.rows(embeddings).expect("rows that fit their form");
    let packed: Vec<Arc<PackedRows>> = chosen.into_iter().map(|chosen| chosen.rows).collect();
    let model = writer.integers(&packed).expect("the model has an integer form");
    let interpreter = Interpreter { weights, model: &model, packed: &packed };
    requests.iter().map(|request| interpreter.logits(request)).collect()
}

/// Click probabilities of [`logits`].
#[must_use]
pub fn scores(logits: &[Vec<i64>]) -> Vec<Vec<f64>> {
    let score = |logit: &i64| sigmoid(*logit as f64 / 65_536.0);
    logits.iter().map(|slate| slate.iter().map(score).collect()).collect()
}
