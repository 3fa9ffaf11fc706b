//! A layer in integers: `z = (addend + sum over parts of rshift(acc, s1) m) >> s2`.
//!
//! A weight's step is chosen for each part and output so that the largest weight, and the sum over the widest inputs,
//! still fit; then the multiplier m is made a whole number first and the step follows from it, so that m loses nothing.

use super::IntegerError;
use super::activation;
use super::rounding::{Coupling, Grid};
use crate::blob::calibration::LayerRange;
use crate::blob::fold::FoldedLayer;
use din_core::manifest::Activation;

/// The largest magnitude of an activation; 32768, because -32768 is an i16 too.
pub const WIDEST: i64 = 32_768;

/// What stays free below 2^31.
const BOUND: f64 = 2_147_483_647.0 * 0.96;

/// One input: a 16-bit number worth `2^-fraction` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Of the number.
    pub fraction: i32,
    /// Its largest magnitude.
    pub limit: i64,
}

impl Input {
    /// Of a table or a numeric field.
    #[must_use]
    pub fn new(fraction: i8, limit: u16) -> Self {
        Self { fraction: fraction.into(), limit: limit.into() }
    }

    /// What a number of 1 is worth.
    fn unit(self) -> f64 {
        2.0_f64.powi(-self.fraction)
    }
}

/// What a part of a layer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartShape {
    /// Inputs as they are.
    Dense {
        /// Each of them.
        inputs: Vec<Input>,
    },
    /// Keys and, in the folded layer after them, their products with the query.
    Pair {
        /// `[D]`
        keys: Vec<Input>,
        /// `[P]`
        query: Vec<Input>,
    },
}

impl PartShape {
    /// The pair part of a unit's first layer.
    #[must_use]
    pub fn pair(keys: &[Input], query: &[Input]) -> Self {
        Self::Pair { keys: keys.to_vec(), query: query.to_vec() }
    }

    /// Rows of the folded weight.
    fn rows(&self) -> usize {
        match self {
            Self::Dense { inputs } => inputs.len(),
            Self::Pair { keys, query } => keys.len() + query.len(),
        }
    }
}

/// What a layer's results are to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// A result of 1 is worth `2^-fraction`.
    pub fraction: i32,
    /// Applied to the results: `1 / sqrt(D)` of the softmax.
    pub scale: f64,
}

/// A layer but for its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerShape {
    /// For errors.
    pub name: String,
    /// In the order of the folded inputs.
    pub parts: Vec<PartShape>,
    /// Its results.
    pub target: Target,
}

/// A part in integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegerPart {
    /// Rows of `weight`, or of `base` where there is one.
    pub inputs: usize,
    /// Dense: `[inputs, outputs]`; pair: Wp8, `[P, outputs]`.
    pub weight: Vec<i8>,
    /// Pair: Wk16, `[D, outputs]`.
    pub base: Option<Vec<i16>>,
    /// `[outputs]`
    pub multipliers: Vec<i16>,
    /// s1.
    pub shift: u8,
}

/// A layer in integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegerLayer {
    /// Columns of the weights.
    pub outputs: usize,
    /// What follows.
    pub activation: Activation,
    /// Their contributions are summed.
    pub parts: Vec<IntegerPart>,
    /// `[outputs]`: bias, and the rounding constant of `shift`.
    pub addend: Vec<i32>,
    /// Of the activation.
    pub parameters: activation::Parameters,
    /// s2.
    pub shift: u8,
    /// Of the sums before the activation.
    pub fraction: i8,
}

impl IntegerLayer {
    /// Of the results: Q15 after a sigmoid, else as before the activation.
    #[must_use]
    pub fn output_fraction(&self) -> i32 {
        if self.activation == Activation::Sigmoid { 15 } else { self.fraction.into() }
    }
}

/// The fraction by which numbers up to `largest` fit 16 bits.
#[must_use]
pub fn fraction_for(largest: f64) -> i32 {
    if largest > 0.0 { ((32_767.0 / largest).log2().floor() as i32).clamp(-12, 15) } else { 12 }
}

/// The finest step of one part's weights of one output, before the multiplier is made whole.
fn finest_step(shape: &PartShape, weight: impl Fn(usize) -> f64, slack: f64) -> f64 {
    match shape {
        PartShape::Dense { inputs } => {
            let scaled =
                || inputs.iter().enumerate().map(|(d, input)| (weight(d).abs() * input.unit(), *input));
            let largest = scaled().map(|(weight, _)| weight / 127.0).fold(0.0, f64::max);
            let sum: f64 = scaled().map(|(weight, input)| weight * input.limit as f64).sum();
            largest.max(sum / BOUND) * slack
        }
        PartShape::Pair { keys, query } => {
            let mut largest = 0.0_f64;
            let mut sum = 0.0;
            for (d, key) in keys.iter().enumerate() {
                let own = weight(d).abs() * key.unit();
                let mut widest = own;
                if let Some(q) = query.get(d) {
                    let product = weight(keys.len() + d).abs() * key.unit() * q.unit();
                    largest = largest.max(product * 256.0 / 127.0);
                    widest += product * q.limit as f64;
                }
                largest = largest.max(own / base_reach(query.get(d)));
                sum += widest * key.limit as f64;
            }
            largest.max(sum / BOUND) * slack
        }
    }
}

/// The largest magnitude of Wk16, so that the effective weight stays an i16.
fn base_reach(query: Option<&Input>) -> f64 {
    query.map_or(32_767.0, |q| 32_765.0 - (127.0 * q.limit as f64 / 256.0).ceil())
}

/// The largest real magnitude of each folded input of a part.
fn widest_inputs(shape: &PartShape) -> Vec<f64> {
    let real = |input: &Input| input.unit() * input.limit as f64;
    match shape {
        PartShape::Dense { inputs } => inputs.iter().map(real).collect(),
        PartShape::Pair { keys, query } => {
            let products = keys.iter().zip(query).map(|(key, q)| real(key) * real(q));
            keys.iter().map(real).chain(products).collect()
        }
    }
}

/// The grids of a part's folded rows for one step.
fn grids(shape: &PartShape, step: f64) -> Vec<Grid> {
    match shape {
        PartShape::Dense { inputs } => {
            inputs.iter().map(|input| Grid { step: step / input.unit(), largest: 127.0 }).collect()
        }
        PartShape::Pair { keys, query } => {
            let base = keys
                .iter()
                .enumerate()
                .map(|(d, key)| Grid { step: step / key.unit(), largest: base_reach(query.get(d)).max(0.0) });
            let products = keys
                .iter()
                .zip(query)
                .map(|(key, q)| Grid { step: step / 256.0 / (key.unit() * q.unit()), largest: 127.0 });
            base.chain(products).collect()
        }
    }
}

/// Puts a folded layer into integers.
///
/// # Errors
/// [`IntegerError::Sums`]
pub fn layer(
    folded: &FoldedLayer,
    shape: &LayerShape,
    range: &LayerRange,
) -> Result<IntegerLayer, IntegerError> {
    let coupling = Coupling::new(&range.moments, order(&shape.parts));
    let weights: Vec<Vec<f64>> = (0..folded.outputs)
        .map(|o| {
            let column = folded.weight.iter().skip(o).step_by(folded.outputs);
            column.map(|weight| f64::from(*weight) * shape.target.scale).collect()
        })
        .collect();
    // Coarser weights first if rounding carried a sum over, then a coarser sum.
    let mut shift = 30;
    let mut slack = 1.0;
    while shift >= 0 {
        match attempt(folded, shape, &coupling, &weights, shift, slack) {
            Ok(layer) => return Ok(layer),
            Err(Refused::Accumulator) if slack < 1.2 => slack *= 1.03,
            Err(_) => shift -= 1,
        }
    }
    let bound = weights.iter().map(|weights| {
        let inputs = shape.parts.iter().flat_map(widest_inputs);
        weights.iter().zip(inputs).map(|(weight, input)| weight.abs() * input).sum::<f64>()
    });
    Err(IntegerError::Sums {
        layer: shape.name.clone(),
        bound: bound.fold(0.0, f64::max),
        fraction: shape.target.fraction,
    })
}

/// Coarse weights first: products of a pair part, then dense parts, then the 16-bit weights of keys.
fn order(parts: &[PartShape]) -> Vec<usize> {
    let (mut products, mut dense, mut bases, mut first) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for part in parts {
        match part {
            PartShape::Dense { inputs } => dense.extend(first..first + inputs.len()),
            PartShape::Pair { keys, query } => {
                bases.extend(first..first + keys.len());
                products.extend(first + keys.len()..first + keys.len() + query.len());
            }
        }
        first += part.rows();
    }
    [products, dense, bases].concat()
}

/// Why an attempt does not hold.
enum Refused {
    /// A part's own sum.
    Accumulator,
    /// The layer's sum, or a multiplier.
    Sum,
}

fn attempt(
    folded: &FoldedLayer,
    shape: &LayerShape,
    coupling: &Coupling,
    weights: &[Vec<f64>],
    shift: i32,
    slack: f64,
) -> Result<IntegerLayer, Refused> {
    let outputs = folded.outputs;
    let target = shape.target.fraction + shift;
    let mut steps = vec![vec![0.0; outputs]; shape.parts.len()];
    let mut parts = Vec::new();
    let mut first = 0;
    for (part, steps) in shape.parts.iter().zip(&mut steps) {
        for (step, weights) in steps.iter_mut().zip(weights) {
            *step = finest_step(part, |row| weights[first + row], slack);
        }
        first += part.rows();
        let widest = steps.iter().copied().fold(0.0, f64::max) * 2.0_f64.powi(target);
        if widest > 32_700.0 {
            return Err(Refused::Sum);
        }
        let mut own = 0_u8;
        while own < 24 && widest * 2.0_f64.powi(i32::from(own) + 1) < 32_700.0 {
            own += 1;
        }
        let unit = 2.0_f64.powi(-target - i32::from(own));
        let multipliers: Vec<i16> =
            steps.iter().map(|step| (step / unit).ceil().clamp(1.0, 32_767.0) as i16).collect();
        steps.iter_mut().zip(&multipliers).for_each(|(step, m)| *step = f64::from(*m) * unit);
        let (inputs, weight, base) = match part {
            PartShape::Dense { inputs } => (inputs.len(), inputs.len(), None),
            PartShape::Pair { keys, query } => (keys.len(), query.len(), Some(vec![0; keys.len() * outputs])),
        };
        parts.push(IntegerPart { inputs, weight: vec![0; weight * outputs], base, multipliers, shift: own });
    }
    // What rounding cannot mend is found out before it.
    for (o, weights) in weights.iter().enumerate() {
        let units = shape.parts.iter().flat_map(widest_inputs);
        let sum: f64 = weights.iter().zip(units).map(|(weight, input)| weight.abs() * input).sum();
        if (sum + f64::from(folded.bias[o]).abs() * shape.target.scale) * 2.0_f64.powi(target) > 1.1 * BOUND {
            return Err(Refused::Sum);
        }
    }
    let mut addend = Vec::new();
    for (o, weights) in weights.iter().enumerate() {
        let grids: Vec<Grid> =
            shape.parts.iter().zip(&steps).flat_map(|(part, steps)| grids(part, steps[o])).collect();
        let bias = f64::from(folded.bias[o]) * shape.target.scale;
        let (rounded, bias) = coupling.round(weights, bias, &grids);
        let mut rows = rounded.into_iter();
        for part in &mut parts {
            if let Some(base) = &mut part.base {
                base.iter_mut().skip(o).step_by(outputs).zip(&mut rows).for_each(|(w, row)| *w = row as i16);
            }
            let weight = part.weight.iter_mut().skip(o).step_by(outputs);
            weight.zip(&mut rows).for_each(|(w, row)| *w = row as i8);
        }
        let rounding = if shift > 0 { 2.0_f64.powi(shift - 1) } else { 0.0 };
        let own = (bias * 2.0_f64.powi(target) + rounding).round();
        if own.abs() > BOUND {
            return Err(Refused::Sum);
        }
        addend.push(own as i32);
    }
    for o in 0..outputs {
        let mut sum = i64::from(addend[o]).abs();
        for (part, shape) in parts.iter().zip(&shape.parts) {
            let bound = accumulator_bound(part, shape, outputs, o);
            if bound + (1 << part.shift) >= i64::from(i32::MAX) {
                return Err(Refused::Accumulator);
            }
            sum += ((bound >> part.shift) + 2) * i64::from(part.multipliers[o]);
        }
        if sum >= i64::from(i32::MAX) {
            return Err(Refused::Sum);
        }
    }
    Ok(IntegerLayer {
        outputs,
        activation: folded.activation,
        parts,
        addend,
        parameters: activation::parameters(folded, shape.target.fraction),
        shift: shift as u8,
        fraction: shape.target.fraction as i8,
    })
}

/// The largest magnitude of a part's sum, whatever the inputs.
#[must_use]
pub fn accumulator_bound(part: &IntegerPart, shape: &PartShape, outputs: usize, o: usize) -> i64 {
    let weight = |d: usize| part.weight.get(d * outputs + o).map_or(0, |w| i64::from(*w).abs());
    match (shape, &part.base) {
        (PartShape::Pair { keys, query }, Some(base)) => keys
            .iter()
            .enumerate()
            .map(|(d, key)| {
                let product = query.get(d).map_or(0, |q| ((weight(d) * q.limit + 128) >> 8) + 1);
                key.limit * (i64::from(base[d * outputs + o]).abs() + product)
            })
            .sum(),
        (PartShape::Dense { inputs }, _) => {
            inputs.iter().enumerate().map(|(d, input)| input.limit * weight(d)).sum()
        }
        _ => 0,
    }
}
