//! Several runs at a time, each with threads of its own.

use std::sync::Mutex;

/// Runs `work` on each item, `workers` at a time, each in a thread pool of its own of so many threads. Results come in the
/// order of the items. After an error nothing more begins, and the first of them is returned.
///
/// # Errors
/// The first of `work`, or if a thread pool cannot be made.
pub fn side_by_side<T: Send, R: Send, E: Send + From<rayon::ThreadPoolBuildError>>(
    items: Vec<T>,
    workers: usize,
    threads: usize,
    work: impl Fn(T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let items_len = items.len();
    let queue = Mutex::new(items.into_iter().enumerate());
    let done: Mutex<Vec<(usize, Result<R, E>)>> = Mutex::new(Vec::with_capacity(items_len));
    let worker = || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
        let pool = match pool {
            Ok(pool) => pool,
            Err(error) => return done.lock().expect(UNPOISONED).push((0, Err(error.into()))),
        };
        loop {
            let Some((index, item)) = queue.lock().expect(UNPOISONED).next() else { break };
            let result = pool.install(|| work(item));
            if result.is_err() {
                queue.lock().expect(UNPOISONED).by_ref().for_each(drop);
            }
            done.lock().expect(UNPOISONED).push((index, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, items_len.max(1)) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().expect(UNPOISONED);
    // Stable: of errors, the one that came first.
    if let Some(place) = done.iter().position(|(_, result)| result.is_err()) {
        return Err(done.swap_remove(place).1.err().expect("it is an error"));
    }
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Why a lock between the runs can be taken.
pub(crate) const UNPOISONED: &str = "no thread panics while it holds the lock";

#[cfg(test)]
mod tests {
    use super::side_by_side;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug)]
    struct Failure(usize);

    impl From<rayon::ThreadPoolBuildError> for Failure {
        fn from(_: rayon::ThreadPoolBuildError) -> Self {
            Self(usize::MAX)
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_items_from_pools_of_the_threads_asked_for() {
        for workers in [1, 3, 50] {
            let results = side_by_side::<_, _, Failure>((0..20).collect(), workers, 2, |item: usize| {
                Ok((item, rayon::current_num_threads()))
            });
            assert_eq!(results.unwrap(), (0..20).map(|item| (item, 2)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn after_an_error_nothing_more_begins() {
        let begun = AtomicUsize::new(0);
        let result = side_by_side((0..20).collect(), 1, 1, |item: usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            if item == 3 { Err(Failure(item)) } else { Ok(item) }
        });
        assert_eq!((result.unwrap_err().0, begun.into_inner()), (3, 4));
    }
}
