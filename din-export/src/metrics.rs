//! What a ranking is worth: log loss, AUC, GAUC, calibration. All sums in f64.
//!
//! Scores are probabilities, labels 0 or 1, users dense numbers; the slices of one call have one length.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Bins of the expected calibration error.
pub const CALIBRATION_BINS: usize = 20;

/// Scores are kept this far from 0 and 1 by the log loss: about the resolution of f32 below 1.
pub const LOG_LOSS_CLAMP: f64 = 1e-7;

/// Every metric of some scores.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Metrics {
    /// Samples.
    pub samples: usize,
    /// See [`log_loss`].
    pub log_loss: f64,
    /// See [`auc`].
    pub auc: Option<f64>,
    /// See [`gauc`].
    pub gauc: Option<Gauc>,
    /// See [`calibration`].
    pub calibration: Calibration,
}

impl Metrics {
    /// Of some scores.
    #[must_use]
    pub fn of(scores: &[f32], labels: &[f32], users: &[u32]) -> Self {
        Self {
            samples: scores.len(),
            log_loss: log_loss(scores, labels),
            auc: auc(scores, labels),
            gauc: gauc(scores, labels, users),
            calibration: calibration(scores, labels),
        }
    }
}

/// AUC within users, averaged two ways. Users whose labels are all the same have no AUC and are left out of both.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Gauc {
    /// The mean over users, weighted by their samples (impressions): the DIN paper's GAUC.
    pub weighted: f64,
    /// The plain mean over users: UAUC.
    pub unweighted: f64,
    /// Users that counted.
    pub users: usize,
}

/// Whether scores are probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Calibration {
    /// `sum over bins of (samples of the bin / samples) |mean score - mean label|`, over [`CALIBRATION_BINS`] bins of nearly
    /// equal numbers of samples, in the order of their scores; equal scores share a bin.
    pub expected_error: f64,
    /// Mean score / mean label: above 1 the model promises too much. `None` if no label is 1.
    pub ratio: Option<f64>,
}

/// The mean of `-ln(p)` where the label is 1, of `-ln(1 - p)` where it is 0; p clamped to
/// `[LOG_LOSS_CLAMP, 1 - LOG_LOSS_CLAMP]`. 0 without samples.
#[must_use]
pub fn log_loss(scores: &[f32], labels: &[f32]) -> f64 {
    let losses = scores.iter().zip(labels).map(|(&score, &label)| {
        let p = f64::from(score).clamp(LOG_LOSS_CLAMP, 1.0 - LOG_LOSS_CLAMP);
        if label > 0.5 { -p.ln() } else { -(-p).ln_1p() }
    });
    losses.sum::<f64>() / scores.len().max(1) as f64
}

/// The probability that a positive scores higher than a negative, ties counting one half; `None` without either.
///
/// By ranks, in `O(n log n)`: `(sum of the positives' ranks - P (P + 1) / 2) / (P N)`, ties at their mean rank.
#[must_use]
pub fn auc(scores: &[f32], labels: &[f32]) -> Option<f64> {
    let mut pairs: Vec<(f32, bool)> =
        scores.iter().zip(labels).map(|(&score, &label)| (score, label > 0.5)).collect();
    auc_of(&mut pairs)
}

/// AUC within each user that has both labels, averaged over users; `None` if there is no such user.
#[must_use]
pub fn gauc(scores: &[f32], labels: &[f32], users: &[u32]) -> Option<Gauc> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by_key(|&sample| users[sample]);
    let (mut weighted, mut impressions, mut unweighted, mut counted) = (0.0, 0.0, 0.0, 0);
    let mut pairs = Vec::new();
    for own in order.chunk_by(|&a, &b| users[a] == users[b]) {
        pairs.clear();
        pairs.extend(own.iter().map(|&sample| (scores[sample], labels[sample] > 0.5)));
        if let Some(auc) = auc_of(&mut pairs) {
            weighted += auc * own.len() as f64;
            impressions += own.len() as f64;
            unweighted += auc;
            counted += 1;
        }
    }
    (counted > 0).then(|| Gauc {
        weighted: weighted / impressions,
        unweighted: unweighted / f64::from(counted),
        users: counted as usize,
    })
}

fn auc_of(pairs: &mut [(f32, bool)]) -> Option<f64> {
    let positives = pairs.iter().filter(|pair| pair.1).count() as f64;
    let negatives = pairs.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut won, mut negatives_below) = (0.0, 0.0);
    // `==`, not `total_cmp`: -0 and 0 are one score.
    for tied in pairs.chunk_by(|a, b| a.0 == b.0) {
        let tied_positives = tied.iter().filter(|pair| pair.1).count() as f64;
        let tied_negatives = tied.len() as f64 - tied_positives;
        won += tied_positives * (negatives_below + tied_negatives / 2.0);
        negatives_below += tied_negatives;
    }
    Some(won / (positives * negatives))
}

/// See [`Calibration`]; zero error without samples.
#[must_use]
pub fn calibration(scores: &[f32], labels: &[f32]) -> Calibration {
    let mut pairs: Vec<(f32, f32)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let n = pairs.len();
    let gap = |pairs: &[(f32, f32)]| {
        pairs.iter().map(|&(score, label)| f64::from(score) - f64::from(label)).sum::<f64>()
    };
    let (mut start, mut error) = (0, 0.0);
    for bin in 1..=CALIBRATION_BINS {
        let mut end = (bin * n / CALIBRATION_BINS).max(start);
        while end > start && end < n && pairs[end].0 == pairs[end - 1].0 {
            end += 1;
        }
        // |sum of gaps| is the bin's share times |mean score - mean label|, times n.
        error += gap(&pairs[start..end]).abs();
        start = end;
    }
    let positives: f64 = labels.iter().copied().map(f64::from).sum();
    let promised: f64 = scores.iter().copied().map(f64::from).sum();
    Calibration {
        expected_error: error / n.max(1) as f64,
        ratio: (positives > 0.0).then(|| promised / positives),
    }
}

/// The mean; not a number without figures.
#[must_use]
pub fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len() as f64
}

/// Standard error of the mean; `None` for a single figure, which does not tell.
#[must_use]
pub fn standard_error(figures: &[f64]) -> Option<f64> {
    let n = figures.len() as f64;
    if figures.len() < 2 {
        return None;
    }
    let mean = mean(figures);
    let squares: f64 = figures.iter().map(|figure| (figure - mean).powi(2)).sum();
    Some((squares / (n - 1.0) / n).sqrt())
}

/// A mean over the seeds, with its standard error if there are several; displays as `0.7324 (0.0008)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Over the seeds.
    pub mean: f64,
    /// See [`standard_error`].
    pub error: Option<f64>,
}

impl Figure {
    /// Of one number a seed.
    #[must_use]
    pub fn of(figures: &[f64]) -> Self {
        Self { mean: mean(figures), error: standard_error(figures) }
    }
}

impl fmt::Display for Figure {
    /// With `+`, a sign before the mean.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mean, error } = self;
        match f.sign_plus() {
            true => write!(f, "{mean:+.4}"),
            false => write!(f, "{mean:.4}"),
        }?;
        error.map_or(Ok(()), |error| write!(f, " ({error:.4})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    struct Scored {
        scores: Vec<f32>,
        labels: Vec<f32>,
        users: Vec<u32>,
    }

    fn random(n: usize, levels: u32, users: u32, seed: u64) -> Scored {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        Scored {
            scores: (0..n).map(|_| rng.random_range(0..levels) as f32 / levels as f32).collect(),
            labels: (0..n).map(|_| if rng.random_range(0..3) == 0 { 1.0 } else { 0.0 }).collect(),
            users: (0..n).map(|_| rng.random_range(0..users)).collect(),
        }
    }

    fn auc_by_pairs(scores: &[f32], labels: &[f32]) -> Option<f64> {
        let (mut won, mut pairs) = (0.0, 0.0);
        for (positive, _) in scores.iter().zip(labels).filter(|pair| *pair.1 == 1.0) {
            for (negative, _) in scores.iter().zip(labels).filter(|pair| *pair.1 == 0.0) {
                pairs += 1.0;
                won += if positive > negative {
                    1.0
                } else if positive == negative {
                    0.5
                } else {
                    0.0
                };
            }
        }
        (pairs > 0.0).then(|| won / pairs)
    }

    #[test]
    fn auc_agrees_with_counting_all_pairs_ties_included() {
        for (n, levels) in [(2, 2), (50, 3), (300, 10), (300, 1_000_000)] {
            let Scored { scores, labels, .. } = random(n, levels, 1, u64::from(levels));
            assert_eq!(auc(&scores, &labels).is_some(), auc_by_pairs(&scores, &labels).is_some());
            if let (Some(fast), Some(slow)) = (auc(&scores, &labels), auc_by_pairs(&scores, &labels)) {
                assert!((fast - slow).abs() < 1e-12, "{fast} {slow}");
            }
        }
        assert_eq!(auc(&[0.5, 0.5], &[1.0, 0.0]), Some(0.5));
        assert_eq!(auc(&[0.0, -0.0], &[1.0, 0.0]), Some(0.5));
        assert_eq!(auc(&[0.1, 0.2], &[1.0, 1.0]), None);
    }

    #[test]
    fn gauc_agrees_with_one_user_at_a_time_and_drops_users_of_one_class() {
        let Scored { scores, labels, users } = random(400, 20, 80, 7);
        let (mut weighted, mut weights, mut unweighted, mut counted) = (0.0, 0.0, 0.0, 0);
        for user in 0..80 {
            let own: Vec<usize> = (0..400).filter(|&i| users[i] == user).collect();
            let pick = |values: &[f32]| own.iter().map(|&i| values[i]).collect::<Vec<_>>();
            if let Some(auc) = auc_by_pairs(&pick(&scores), &pick(&labels)) {
                weighted += auc * own.len() as f64;
                weights += own.len() as f64;
                unweighted += auc;
                counted += 1;
            }
        }
        let fast = gauc(&scores, &labels, &users).unwrap();
        assert!(counted < 80, "the test wants users to drop");
        assert_eq!(fast.users, counted);
        assert!((fast.weighted - weighted / weights).abs() < 1e-12);
        assert!((fast.unweighted - unweighted / counted as f64).abs() < 1e-12);
        assert_eq!(gauc(&[0.1, 0.2], &[1.0, 0.0], &[1, 2]), None);
    }

    #[test]
    fn log_loss_is_clamped_and_agrees_with_its_formula() {
        assert!((log_loss(&[0.25, 0.25], &[1.0, 0.0]) + (0.25_f64.ln() + 0.75_f64.ln()) / 2.0).abs() < 1e-12);
        assert!((log_loss(&[0.0], &[1.0]) + LOG_LOSS_CLAMP.ln()).abs() < 1e-12);
    }

    #[test]
    fn calibration_error_is_the_gap_of_each_bin_and_ties_share_one() {
        // All equal: one bin, whatever the order of the labels.
        let all_equal = calibration(&[0.5; 60], &[[1.0; 30], [0.0; 30]].concat());
        assert_eq!(all_equal.expected_error, 0.0);
        let scores: Vec<f32> = (0..1000).map(|i| if i < 400 { 0.2 } else { 0.7 }).collect();
        let labels: Vec<f32> = (0..1000).map(|i| f32::from(u8::from(i % 2 == 0))).collect();
        let found = calibration(&scores, &labels);
        // Half of each group is positive: 0.4 * |0.2 - 0.5| + 0.6 * |0.7 - 0.5|.
        assert!((found.expected_error - 0.24).abs() < 1e-6, "{found:?}");
        assert!((found.ratio.unwrap() - 1.0).abs() < 1e-6);
        assert_eq!(calibration(&[0.3], &[0.0]).ratio, None);
    }

    #[test]
    fn a_single_figure_has_no_standard_error() {
        let several = Figure::of(&[0.75, 0.76]);
        assert_eq!(
            (several.to_string(), format!("{several:+}")),
            ("0.7550 (0.0050)".into(), "+0.7550 (0.0050)".into())
        );
        assert_eq!(Figure::of(&[0.75]).to_string(), "0.7500");
    }
}
