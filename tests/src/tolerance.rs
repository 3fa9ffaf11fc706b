//! How far a number may be from the truth, and why so far.
//!
//! | constant | compares | why |
//! |---|---|---|
//! | [`SCORE`] | din-core's score with the oracle's | the design's promise for the f32 path |
//! | [`LOGIT`] | din-core's logit with the oracle's, relative to the larger of 1 and the logit | sums of up to a few hundred f32 products, each rounded to 6e-8; the promise for scores is only as good where the sigmoid is flat |
//! | [`ATTENTION`] | attention weights, relative to the larger of 1 and the weight | as the logit, in a shorter network |
//! | [`REFERENCE_ORACLE`] | the oracle with the reference model's own f64 scores | two f64 programs that add in different orders |
//! | [`REFERENCE_INT8`] | f32 layers over int8 rows with the reference model's f64 scores | a promise; the published int8 graph is off by 0.09 |
//! | [`REFERENCE_INTEGER`] | the integer path with the reference model's f64 scores | a promise |
//! | [`REFERENCE_INT4`] | int4 rows, both paths, with the reference model's f64 scores | 16 levels for a number: no promise, a bound that says when they get worse |
//! | [`REFERENCE_FLIPPED`] | the order of pairs of a slate, int8 rows and the integer path | a promise; the published int8 graph flips 1.1 to 1.5 % |
//! | [`REFERENCE_AUC`] | AUC over the reference's cases | a promise, kept by int4 too |

/// Absolute, on scores.
pub const SCORE: f64 = 1e-5;

/// Relative to `max(1, |logit|)`.
pub const LOGIT: f64 = 2e-5;

/// Relative to `max(1, |weight|)`.
pub const ATTENTION: f64 = 1e-5;

/// Absolute, on scores.
pub const REFERENCE_ORACLE: f64 = 1e-9;

/// Absolute, on scores.
pub const REFERENCE_INT8: f64 = 0.002;

/// Absolute, on scores.
pub const REFERENCE_INTEGER: f64 = 0.004;

/// Absolute, on scores.
pub const REFERENCE_INT4: f64 = 0.012;

/// Share of all pairs.
pub const REFERENCE_FLIPPED: f64 = 0.002;

/// Absolute.
pub const REFERENCE_AUC: f64 = 0.0003;

/// `|found - truth|`, relative to the larger of 1 and the truth's magnitude.
#[must_use]
pub fn relative_error(found: f64, truth: f64) -> f64 {
    (found - truth).abs() / truth.abs().max(1.0)
}
