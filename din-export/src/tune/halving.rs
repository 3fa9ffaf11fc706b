//! Who goes on, and who is best. Pure functions of figures, so that a search that is resumed decides as one that was not.

use std::cmp::Ordering;

/// A trial and the figure it is judged by, the larger the better; a failed one has none.
pub type Standing = (usize, Option<f64>);

/// How many of `entrants` go on: `keep` of them, rounded up, at least one.
#[must_use]
pub fn places(entrants: usize, keep: f64) -> usize {
    // A third of 9 is 3, whatever the rounding of 1/3.
    let exact = entrants as f64 * keep;
    ((exact - 1e-9).ceil() as usize).clamp(1, entrants.max(1))
}

/// The best first; of equals, the one that was drawn first. Failed ones last.
#[must_use]
pub fn ranked(standings: &[Standing]) -> Vec<usize> {
    let mut order = standings.to_vec();
    order.sort_by(|a, b| match (a.1, b.1) {
        (Some(x), Some(y)) => y.total_cmp(&x).then(a.0.cmp(&b.0)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.0.cmp(&b.0),
    });
    order.into_iter().map(|(trial, _)| trial).collect()
}

/// The trials that go on from a rung: the best, none of which failed.
#[must_use]
pub fn survivors(standings: &[Standing], keep: f64) -> Vec<usize> {
    let failed = |trial: &usize| standings.iter().any(|(own, figure)| own == trial && figure.is_none());
    let mut best = ranked(standings);
    best.truncate(places(standings.len(), keep));
    best.retain(|trial| !failed(trial));
    best
}

/// Those of some trials that cannot go on any more, whatever the rest of the `entrants` turn out to be.
#[must_use]
pub fn beaten(standings: &[Standing], entrants: usize, keep: f64) -> Vec<usize> {
    ranked(standings).split_off(places(entrants, keep).min(standings.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDINGS: [Standing; 6] =
        [(0, Some(0.5)), (1, Some(0.7)), (2, None), (3, Some(0.7)), (4, Some(0.6)), (5, Some(0.4))];

    #[test]
    fn the_best_share_goes_on_and_of_equals_the_first() {
        assert_eq!(survivors(&STANDINGS, 1.0 / 3.0), [1, 3]);
        assert_eq!(survivors(&STANDINGS, 0.01), [1]);
        assert_eq!(survivors(&STANDINGS, 1.0), [1, 3, 4, 0, 5]);
        assert_eq!(survivors(&[(2, None)], 1.0), [0; 0]);
        assert_eq!((places(9, 1.0 / 3.0), places(10, 1.0 / 3.0), places(1, 0.5)), (3, 4, 1));
    }

    #[test]
    fn who_is_beaten_early_would_not_have_gone_on() {
        for finished in 0..=STANDINGS.len() {
            let going_on = survivors(&STANDINGS, 1.0 / 3.0);
            for beaten in beaten(&STANDINGS[..finished], STANDINGS.len(), 1.0 / 3.0) {
                assert!(!going_on.contains(&beaten), "{beaten} after {finished}");
            }
        }
        assert_eq!(beaten(&STANDINGS[..3], 6, 1.0 / 3.0), [2]);
    }
}
