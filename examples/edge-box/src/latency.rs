//! Percentiles of how long answers took.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Longer ones count as this long.
const LONGEST: u64 = 3_600_000_000_000;

/// Latencies since the start and since the last look, in constant memory, within 0.1 %.
pub struct Latencies {
    total: Histogram<u64>,
    interval: Histogram<u64>,
    refused: u64,
}

impl Latencies {
    /// None yet.
    ///
    /// # Panics
    /// Never: the bounds are constants that a histogram takes.
    pub fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, LONGEST, 3).expect("1 < LONGEST / 2, 3 digits");
        Self { total: histogram(), interval: histogram(), refused: 0 }
    }

    /// An answer was written.
    pub fn record(&mut self, taken: Duration, was_refused: bool) {
        let nanoseconds = u64::try_from(taken.as_nanos()).unwrap_or(LONGEST);
        self.total.saturating_record(nanoseconds);
        self.interval.saturating_record(nanoseconds);
        self.refused += u64::from(was_refused);
    }

    /// Since the start.
    pub fn total(&self) -> String {
        let refused =
            if self.refused > 0 { format!(", {} of them refused", self.refused) } else { String::new() };
        format!("{}{refused}", line(&self.total))
    }

    /// Since the last call; nothing where there was no request.
    pub fn last_interval(&mut self) -> Option<String> {
        let text = (!self.interval.is_empty()).then(|| line(&self.interval));
        self.interval.reset();
        text
    }
}

fn line(histogram: &Histogram<u64>) -> String {
    let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
    let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|part| microseconds(histogram.value_at_quantile(part)));
    let max = microseconds(histogram.max());
    format!(
        "latency p50 {p50:.1} us, p90 {p90:.1} us, p99 {p99:.1} us, max {max:.1} us; {} requests",
        histogram.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_requests_and_of_the_last_interval() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.last_interval(), None);
        (1..=100).for_each(|us| latencies.record(Duration::from_micros(us), us == 7));
        let first = latencies.last_interval().unwrap();
        // A histogram of three digits gives the upper end of its bucket.
        assert!(
            first.starts_with("latency p50 50.0 us, p90 90.0 us, p99 99.0 us, max 100.0 us; 100"),
            "{first}"
        );
        assert_eq!(latencies.last_interval(), None);
        latencies.record(Duration::from_micros(900), false);
        assert!(latencies.last_interval().unwrap().contains("p50 900"));
        let total = latencies.total();
        assert!(total.contains("101 requests, 1 of them refused") && total.contains("max 90"), "{total}");
    }
}
