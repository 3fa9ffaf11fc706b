//! What was measured, for people and for machines.

use super::peak::Peak;
use serde::Serialize;
use std::fmt;

/// Every row, and what one core can do at most.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the model.
    pub model: String,
    /// "f32" or "integer".
    pub path: &'static str,
    /// Measured before and after the rows; the larger.
    pub peak: Peak,
    /// One for each combination of kernel, threads and workload.
    pub rows: Vec<Row>,
}

/// One combination. Times are microseconds for a candidate, its share of setting the user included; each sample is a batch of
/// requests.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// "portable", "avx2", ...
    pub kernel: &'static str,
    /// That score slates at the same time.
    pub threads: usize,
    /// Candidates of a request.
    pub slate: f64,
    /// Behaviours of a request.
    pub history: f64,
    /// Multiply-accumulates for a candidate, those of setting the user and of curves not counted.
    pub macs: f64,
    /// By the clock on the wall, of all threads together: the fastest sample.
    pub wall_min: f64,
    /// The median sample.
    pub wall_median: f64,
    /// CPU time, the sum of all threads: the fastest sample.
    pub cpu_min: f64,
    /// The median sample.
    pub cpu_median: f64,
    /// By the fastest sample on the wall.
    pub candidates_per_second: f64,
    /// Of one core's f32 peak, by the fastest CPU time: `2 macs / (cpu_min peak)`.
    pub peak_share: f64,
    /// How many there were.
    pub samples: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Peak { gflops, instructions } = self.peak;
        writeln!(f, "{}, {} path", self.model, self.path)?;
        writeln!(f, "multiply-add peak of one core: {gflops:.1} GFLOP/s in f32, by {instructions}")?;
        writeln!(
            f,
            "\n{:<9} {:>7} {:>7} {:>8} {:>11} | {:>9} {:>9} | {:>9} {:>9} | {:>12} {:>8}",
            "kernel",
            "threads",
            "slate",
            "history",
            "MAC",
            "us, min",
            "median",
            "CPU, min",
            "median",
            "per second",
            "of peak"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:<9} {:>7} {:>7} {:>8} {:>11.0} | {:>9.3} {:>9.3} | {:>9.3} {:>9.3} | {:>12.0} {:>6.1} %",
                row.kernel,
                row.threads,
                mean(row.slate),
                mean(row.history),
                row.macs,
                row.wall_min,
                row.wall_median,
                row.cpu_min,
                row.cpu_median,
                row.candidates_per_second,
                100.0 * row.peak_share
            )?;
        }
        writeln!(
            f,
            "\nus: microseconds a candidate by the clock, setting the user included; CPU: microseconds of all threads together; \
             per second: candidates, by the fastest; of peak: multiply-accumulates (MAC) against one core's peak, curves not \
             counted, by the fastest CPU time"
        )
    }
}

/// A whole number where it is one.
fn mean(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}
