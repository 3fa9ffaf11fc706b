//! The parameters of Dice and PReLU in integers.

use crate::blob::fold::FoldedLayer;
use din_core::manifest::Activation;

/// One run of the layer's outputs for each; empty where the activation has none.
///
/// Dice: `p = sigmoid((s a + b) >> e)`, Q3.12 in; then `s (alpha + (1 - alpha) p)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Dice: the rounding constant `2^(e-1)` included.
    pub b: Vec<i32>,
    /// Dice.
    pub a: Vec<i16>,
    /// Dice and PReLU: Q2.13.
    pub alpha: Vec<i16>,
    /// Dice: 0 to 30.
    pub e: Vec<u8>,
}

/// Of a layer whose sums have the given fraction.
#[must_use]
pub fn parameters(layer: &FoldedLayer, fraction: i32) -> Parameters {
    let run = |index: usize| layer.parameters.iter().skip(index * layer.outputs).take(layer.outputs);
    match layer.activation {
        Activation::PRelu => {
            Parameters { alpha: run(0).map(|x| alpha(*x)).collect(), ..Parameters::default() }
        }
        Activation::Dice => {
            let mut parameters =
                Parameters { alpha: run(2).map(|x| alpha(*x)).collect(), ..Parameters::default() };
            for (a, b) in run(0).zip(run(1)) {
                let (a, b, e) = dice(f64::from(*a), f64::from(*b), fraction);
                parameters.a.push(a);
                parameters.b.push(b);
                parameters.e.push(e);
            }
            parameters
        }
        _ => Parameters::default(),
    }
}

/// Q2.13, clamped to [-4, 3.9999].
fn alpha(alpha: f32) -> i16 {
    (f64::from(alpha) * 8192.0).round().clamp(-32_768.0, 32_767.0) as i16
}

/// The finest a, b and e with `|s a| + |b| < 2^31`. A slope too steep even for e = 0 is made the steepest there is, its
/// threshold `-b / a` kept: the sigmoid is a step either way.
fn dice(a: f64, b: f64, fraction: i32) -> (i16, i32, u8) {
    let (mut a, mut b) = (a * 2.0_f64.powi(12 - fraction), b * 4096.0);
    let too_steep = (a.abs() / 32_767.0).max(1.0);
    a /= too_steep;
    b /= too_steep;
    let mut e = 30_i32;
    while e > 0 {
        let unit = 2.0_f64.powi(e);
        if (a * unit).abs() <= 32_767.0 && (b * unit).abs() < 2.0_f64.powi(30) - unit {
            break;
        }
        e -= 1;
    }
    let unit = 2.0_f64.powi(e);
    let rounding = if e > 0 { 1 << (e - 1) } else { 0 };
    let a = (a * unit).round().clamp(-32_767.0, 32_767.0) as i16;
    let widest = 2.0_f64.powi(30) - 1.0;
    ((a), (b * unit).round().clamp(-widest, widest) as i32 + rounding, e as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_keeps_its_argument_whatever_its_size() {
        for (a, b) in [(1.0, 0.0), (0.01, 3.0), (30.0, -250.0), (1e4, 1e4), (1e-9, 0.0), (-2.0, 1e5)] {
            for fraction in [4, 10, 15] {
                let (ai, bi, e) = dice(a, b, fraction);
                assert!(32_768 * i64::from(ai).abs() + i64::from(bi).abs() < 1 << 31, "{a} {b} {fraction}");
                for s in [-32_768_i64, -1000, -1, 0, 7, 900, 32_767] {
                    let found = (s * i64::from(ai) + i64::from(bi)) >> e;
                    let found = found.clamp(-32_768, 32_767) as f64 / 4096.0;
                    let real = (a * s as f64 * 2.0_f64.powi(-fraction) + b).clamp(-8.0, 8.0);
                    let off = (1.0 / (1.0 + (-found).exp()) - 1.0 / (1.0 + (-real).exp())).abs();
                    assert!(off < 2e-3, "a {a} b {b} fraction {fraction} s {s}: {found} {real}");
                }
            }
        }
    }
}
