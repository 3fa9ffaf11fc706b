//! The demonstration: does attention pay, does regularisation pay, what does quantising cost, on real clicks.
//!
//! | part | does |
//! |---|---|
//! | [`variant`] | the four models that are compared |
//! | [`run`](mod@run) | trains one of them with one seed, exports it, measures the blob |
//! | [`slates`] | ranks what a few held-out users were really shown, with attention weights |
//! | [`report`] | the tables and what they say |

pub mod report;
pub mod run;
pub mod slates;
pub mod variant;

pub use report::Report;
pub use run::{DemoError, Run, Scale};
pub use variant::Variant;

use crate::data::dataset::Dataset;
use crate::job::Job;
use crate::side_by_side::side_by_side;

/// Trains every variant with every seed, two cores' worth at a time: each run is on one thread, so that the results do
/// not depend on the number of threads. `on_progress` hears lines for people, from any thread.
///
/// # Errors
/// The first of any run.
pub fn run(
    job: &Job,
    dataset: &Dataset,
    scale: Scale,
    on_progress: &(dyn Fn(&str) + Sync),
) -> Result<Report, DemoError> {
    // The longest runs first, so that no thread is left with one at the end.
    let mut queue: Vec<(Variant, u64)> = Variant::ALL
        .into_iter()
        .flat_map(|variant| (1..=scale.seeds).map(move |seed| (variant, seed)))
        .collect();
    queue.sort_by_key(|(variant, _)| std::cmp::Reverse(*variant));
    let mut runs = side_by_side(queue, rayon::current_num_threads(), 1, |(variant, seed)| {
        run::run(job, dataset, variant, seed, scale, on_progress)
    })?;
    runs.sort_by_key(|run| (run.variant, run.seed));
    let shown = slates::choose(job, dataset, &runs)?;
    Ok(Report::new(dataset, runs, shown))
}
