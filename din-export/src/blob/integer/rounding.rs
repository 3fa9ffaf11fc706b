//! Weights to integers, each rounding error made good by the weights that follow.
//!
//! Rounding every weight to the nearest integer minimises the error of each weight; what counts is the error of the sum
//! over the inputs that occur, `e' H e` with `H = E[x x']`. With `H = V V'`, V upper triangular, component j of `V' e`
//! depends on the errors of weights 0..=j alone, so each weight is rounded to what cancels its component best. The last
//! weight, of the constant input 1, is the bias, which is not rounded here.
//!
//! # Source
//! Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", ICLR 2023; the
//! same is Babai's nearest plane algorithm.

use crate::blob::factor::upper_factor;

/// The integers that a weight may become.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// What an integer of 1 is worth as a weight.
    pub step: f64,
    /// The largest magnitude.
    pub largest: f64,
}

/// How the errors of the weights of a layer act together.
#[derive(Clone, Debug)]
pub struct Coupling {
    /// The weights in the order in which they are rounded: coarse ones first. The bias is last.
    order: Vec<usize>,
    /// `[inputs + 1, inputs + 1]` in that order, row-major, the upper triangle; empty for none.
    factor: Vec<f64>,
}

impl Coupling {
    /// From the sums of products of the inputs (see [`LayerRange`](crate::blob::calibration::LayerRange)), without any
    /// coupling where there are none. `order` has every input once; the bias is added to it.
    #[must_use]
    pub fn new(moments: &[f64], order: Vec<usize>) -> Self {
        let n = order.len() + 1;
        let mut order = order;
        order.push(n - 1);
        if moments.len() != n * n {
            return Self { order, factor: Vec::new() };
        }
        let at = |i: usize, j: usize| moments[i.max(j) * n + i.min(j)];
        let mean = (0..n).map(|i| at(i, i)).sum::<f64>() / n as f64;
        if mean <= 0.0 {
            return Self { order, factor: Vec::new() };
        }
        // Damped: 2 % of every input's variance is taken as its own, so that a sample decides nothing alone.
        let damped = |i: usize, j: usize| {
            at(order[i], order[j]) + if i == j { 0.02 * at(order[i], order[i]) + 1e-6 * mean } else { 0.0 }
        };
        let factor = upper_factor(n, damped, 1e-12 * mean);
        Self { order, factor }
    }

    /// Rounds the weights of one output, `weights[i]` to `grid[i]`; returns the integers, and the bias that makes good
    /// what is left.
    #[must_use]
    pub fn round(&self, weights: &[f64], bias: f64, grids: &[Grid]) -> (Vec<i32>, f64) {
        let n = self.order.len();
        let mut rounded = vec![0; weights.len()];
        // What the errors so far add to each component.
        let mut pending = vec![0.0; n];
        let mut corrected = bias;
        for (place, &input) in self.order.iter().enumerate() {
            let own = if self.factor.is_empty() { 1.0 } else { self.factor[place * n + place] };
            let wanted = -pending[place] / own;
            let error = match grids.get(input) {
                Some(grid) if grid.step > 0.0 => {
                    let integer = ((weights[input] + wanted) / grid.step).round();
                    let integer = integer.clamp(-grid.largest, grid.largest);
                    rounded[input] = integer as i32;
                    integer * grid.step - weights[input]
                }
                Some(_) => 0.0,
                None => {
                    corrected += wanted;
                    wanted
                }
            };
            if !self.factor.is_empty() {
                let row = &self.factor[place * n..(place + 1) * n];
                pending.iter_mut().zip(row).skip(place + 1).for_each(|(sum, factor)| *sum += factor * error);
            }
        }
        (rounded, corrected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lower triangle of the sums of products of inputs that are nearly the same.
    fn moments(inputs: &[[f64; 3]]) -> Vec<f64> {
        let mut sums = vec![0.0; 16];
        for input in inputs {
            let x = [input[0], input[1], input[2], 1.0];
            for i in 0..4 {
                for j in 0..=i {
                    sums[i * 4 + j] += x[i] * x[j];
                }
            }
        }
        sums
    }

    #[test]
    fn errors_of_inputs_that_move_together_cancel() {
        let inputs: Vec<[f64; 3]> =
            (0..50).map(|i| f64::from(i * 7 % 50) / 25.0 - 1.0).map(|x| [x, x + 0.01, x - 0.01]).collect();
        let weights = [0.4, 0.4, 0.4];
        let grids = [Grid { step: 1.0, largest: 127.0 }; 3];
        let (plain, _) = Coupling::new(&[], vec![0, 1, 2]).round(&weights, 0.0, &grids);
        assert_eq!(plain, [0, 0, 0]);
        let (coupled, _) = Coupling::new(&moments(&inputs), vec![0, 1, 2]).round(&weights, 0.0, &grids);
        assert_eq!(coupled.iter().sum::<i32>(), 1, "{coupled:?}");
    }

    #[test]
    fn the_bias_makes_good_what_the_mean_input_loses() {
        let inputs = [[2.0, 0.0, 0.0]; 9];
        let grids = [Grid { step: 1.0, largest: 127.0 }; 3];
        let (rounded, bias) =
            Coupling::new(&moments(&inputs), vec![0, 1, 2]).round(&[0.4, 0.0, 0.0], 1.0, &grids);
        assert_eq!(rounded, [0, 0, 0]);
        assert!((bias - 1.8).abs() < 0.05, "{bias}");
    }
}
