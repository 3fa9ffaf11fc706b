//! Embedding rows to integers, chosen by what their errors do to scores rather than by their size.
//!
//! With H, the second moment of the gradients (see [`sensitivity`](super::sensitivity)), a row's loss is `e' H e`. For each
//! of some scales the numbers are rounded one after the other, each to what answers the errors before it best; the best
//! scale's integers are then changed one at a time as long as that helps. Rounding to nearest with the plain scale is among
//! what is compared, so that no row does worse than that.
//!
//! # Source
//! Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", ICLR 2023; the
//! descent afterwards as in Nair and Suggala, "Accurate Post-training Quantization of Large Pre-trained Models using
//! Greedy Coordinate Descent", 2024.

use super::factor::upper_factor;
use super::sensitivity::RowMoments;

/// Passes of the descent; it stops by itself after two or three.
const PASSES: usize = 6;

/// Multiply-accumulates that the scales of a whole table may cost: seconds. Larger tables are tried with fewer scales.
const WORK: usize = 2_000_000_000;

/// The share of the mean curvature that every number has of its own: directions that no request showed are not free. More
/// where few gradients were seen.
const DAMPING: f64 = 0.003;

/// The integers of a row, and the scales that are tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// The smallest.
    pub lowest: i8,
    /// The largest.
    pub highest: i8,
    /// The least scale, as a share of the plain one, which maps a row's largest magnitude to `highest`.
    pub least: f32,
    /// The largest.
    pub most: f32,
    /// How many between them, for a small table.
    pub scales: usize,
}

/// 8 bits, without -128: the widest product of the integer path stays symmetric.
pub const INT8: Levels = Levels { lowest: -127, highest: 127, least: 0.80, most: 1.02, scales: 23 };

/// 4 bits.
pub const INT4: Levels = Levels { lowest: -8, highest: 7, least: 0.60, most: 1.15, scales: 56 };

/// Rounds the rows of one table.
#[derive(Clone, Debug)]
pub struct Rounding {
    dim: usize,
    levels: Levels,
    /// Shares of the plain scale.
    shares: Vec<f32>,
    /// H, damped, its trace `dim`.
    curvature: Vec<f64>,
    /// Its upper factor.
    factor: Vec<f64>,
}

/// A row in integers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoundedRow {
    /// `[dim]`
    pub integers: Vec<i8>,
    /// What an integer of 1 is worth.
    pub scale: f32,
}

/// A candidate: integers, their errors, `H e` and the loss.
#[derive(Clone, Debug, Default)]
struct Attempt {
    integers: Vec<f64>,
    errors: Vec<f64>,
    bent: Vec<f64>,
    scale: f32,
    loss: f64,
}

impl Rounding {
    /// For a table of `rows` rows. Without moments, or where they are zero, every number counts the same.
    #[must_use]
    pub fn new(dim: usize, rows: usize, levels: Levels, moments: Option<&RowMoments>) -> Self {
        let sums = moments.map_or(&[][..], |moments| moments.sums.as_slice());
        let trace: f64 = sums.iter().step_by(dim + 1).sum();
        let mean = trace / dim.max(1) as f64;
        let damping = DAMPING + dim as f64 / moments.map_or(1, |moments| moments.count.max(1)) as f64;
        let curvature: Vec<f64> = (0..dim * dim)
            .map(|index| {
                let own = if index % (dim + 1) == 0 { 1.0 } else { 0.0 };
                if mean.is_normal() { sums[index] / mean + damping * own } else { own }
            })
            .collect();
        let factor = upper_factor(dim, |i, j| curvature[i * dim + j], 1e-9);
        let affordable = WORK / (rows * dim * dim).max(1);
        let count = levels.scales.min(affordable).max(3);
        let step = (levels.most - levels.least) / (count - 1) as f32;
        let shares = (0..count).map(|index| levels.least + step * index as f32).collect();
        Self { dim, levels, shares, curvature, factor }
    }

    /// The integers and the scale of a row whose largest magnitude divided by `highest` is a normal number.
    #[must_use]
    pub fn round(&self, row: &[f32]) -> RoundedRow {
        let plain = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()))
            / f32::from(self.levels.highest);
        let mut nearest = Attempt { scale: plain, ..Attempt::default() };
        nearest.integers = row.iter().map(|value| self.clamp(f64::from(*value) / f64::from(plain))).collect();
        self.weigh(&mut nearest, row);

        let mut answered = Attempt::default();
        let mut best = Attempt { loss: f64::INFINITY, ..Attempt::default() };
        for share in &self.shares {
            answered.scale = plain * share;
            if answered.scale.is_normal() {
                self.answer(&mut answered, row);
                if answered.loss < best.loss {
                    std::mem::swap(&mut answered, &mut best);
                }
            }
        }
        if best.loss < nearest.loss {
            self.weigh(&mut best, row);
        } else {
            best = nearest;
        }
        self.descend(&mut best);
        RoundedRow { integers: best.integers.iter().map(|number| *number as i8).collect(), scale: best.scale }
    }

    fn clamp(&self, number: f64) -> f64 {
        number.round().clamp(self.levels.lowest.into(), self.levels.highest.into())
    }

    /// One number after the other, each to what answers the errors before it best. The loss falls out on the way.
    fn answer(&self, attempt: &mut Attempt, row: &[f32]) {
        let (scale, dim) = (f64::from(attempt.scale), self.dim);
        let inverse = 1.0 / scale;
        attempt.integers.clear();
        // What the errors so far add to each component of V' e.
        let pending = &mut attempt.bent;
        pending.clear();
        pending.resize(dim, 0.0);
        attempt.loss = 0.0;
        for (j, value) in row.iter().enumerate() {
            let factor = &self.factor[j * dim..(j + 1) * dim];
            let wanted = f64::from(*value) - pending[j] / factor[j];
            let integer = self.clamp(wanted * inverse);
            attempt.integers.push(integer);
            let error = integer * scale - f64::from(*value);
            let component = factor[j] * error + pending[j];
            attempt.loss += component * component;
            pending[j + 1..]
                .iter_mut()
                .zip(&factor[j + 1..])
                .for_each(|(sum, factor)| *sum += factor * error);
        }
    }

    /// Errors, `H e` and loss of an attempt's integers.
    fn weigh(&self, attempt: &mut Attempt, row: &[f32]) {
        let scale = f64::from(attempt.scale);
        let integers = attempt.integers.iter().zip(row);
        attempt.errors = integers.map(|(integer, value)| integer * scale - f64::from(*value)).collect();
        let rows = self.curvature.chunks_exact(self.dim.max(1));
        attempt.bent = rows.map(|row| row.iter().zip(&attempt.errors).map(|(h, e)| h * e).sum()).collect();
        attempt.loss = attempt.bent.iter().zip(&attempt.errors).map(|(bent, error)| bent * error).sum();
    }

    /// Changes one integer at a time to the best there is, the others as they are.
    fn descend(&self, attempt: &mut Attempt) {
        let scale = f64::from(attempt.scale);
        for _ in 0..PASSES {
            let mut changed = false;
            for j in 0..self.dim {
                let column = &self.curvature[j * self.dim..(j + 1) * self.dim];
                let wanted = attempt.integers[j] - attempt.bent[j] / (column[j] * scale);
                let integer = self.clamp(wanted);
                let change = integer - attempt.integers[j];
                if change != 0.0 {
                    changed = true;
                    attempt.integers[j] = integer;
                    attempt.errors[j] += change * scale;
                    let bent = attempt.bent.iter_mut().zip(column);
                    bent.for_each(|(bent, h)| *bent += h * change * scale);
                }
            }
            if !changed {
                break;
            }
        }
    }
}
