//! Several slates over threads, for servers: with the feature `std`.

use crate::error::ScoreError;
use crate::integer_ranker::IntegerRanker;
use crate::kernels::Kernel;
use crate::kernels::integer::IntegerKernel;
use crate::model::Model;
use crate::ranker::{Ranker, User};
use crate::value::Value;
use core::num::NonZeroUsize;
use core::slice::IterMut;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::vec::Vec;

/// One user's candidates, where their scores go, and what became of them.
#[derive(Debug)]
pub struct Slate<'a> {
    /// Whose they are.
    pub user: User<'a>,
    /// `[N, candidate fields]`, row-major.
    pub candidates: &'a [Value],
    /// `[N]`: click probabilities, in the order of the candidates.
    pub scores: &'a mut [f32],
    /// An error of one slate is none of the others'.
    pub result: Result<(), ScoreError>,
}

impl<'a> Slate<'a> {
    /// A slate that was not scored yet: its result is [`ScoreError::NoUser`].
    #[must_use]
    pub const fn new(user: User<'a>, candidates: &'a [Value], scores: &'a mut [f32]) -> Self {
        Self { user, candidates, scores, result: Err(ScoreError::NoUser) }
    }
}

/// A model, and scratch memory for as many threads as rank at once.
///
/// A slate is the work of one thread: what its candidates share is computed once, and there is nothing to wait for. A
/// server with threads of its own does without this: [`Model`] is read by any number of threads, each with a
/// [`Ranker`] or [`IntegerRanker`] and its scratch. A pool takes what came together, and keeps the scratch between
/// the calls.
///
/// ```no_run
/// use din_core::{Model, RankerPool, Slate, User, Value};
/// use std::num::NonZeroUsize;
/// # fn f(model: &Model, candidates: &[Value], scores: &mut [f32]) {
/// let mut pool = RankerPool::new(model, NonZeroUsize::new(4).unwrap());
/// let mut slates = [Slate::new(User::default(), candidates, scores)];
/// pool.score(&mut slates);
/// let [slate] = slates;
/// println!("{:?}: {:?}", slate.result, slate.scores);
/// # }
/// ```
#[derive(Debug)]
pub struct RankerPool<'m> {
    model: &'m Model<'m>,
    kernel: Kernel,
    integer_kernel: IntegerKernel,
    /// One for each thread.
    scratch: Vec<Scratch>,
}

/// Of the model's path.
#[derive(Debug)]
enum Scratch {
    F32(Vec<f32>),
    /// With scores in Q16.
    Integer(Vec<i32>, Vec<u16>),
}

impl<'m> RankerPool<'m> {
    /// For a model of either numeric path.
    #[must_use]
    pub fn new(model: &'m Model<'m>, threads: NonZeroUsize) -> Self {
        let scratch = || {
            if model.header().is_integer() {
                Scratch::Integer(std::vec![0; model.scratch_len()], Vec::new())
            } else {
                Scratch::F32(std::vec![0.0; model.scratch_len()])
            }
        };
        let (kernel, integer_kernel) = (Kernel::best(), IntegerKernel::best());
        let scratch = (0..threads.get()).map(|_| scratch()).collect();
        Self { model, kernel, integer_kernel, scratch }
    }

    /// Computes with other kernels than the best ones, as [`Ranker::use_kernel`] does.
    pub const fn use_kernels(&mut self, kernel: Kernel, integer_kernel: IntegerKernel) {
        (self.kernel, self.integer_kernel) = (kernel, integer_kernel);
    }

    /// Scores slates, each by whichever thread is free, and returns when all have their results: those of
    /// [`Ranker::set_user`] and [`Ranker::score_slate`], bit by bit what one thread computes.
    ///
    /// The calling thread takes part. The others live as long as the call, which costs some 20 microseconds for each:
    /// hand over what takes longer than that. Where the system gives no more threads, fewer do the work.
    pub fn score(&mut self, slates: &mut [Slate<'_>]) {
        let (model, kernel, integer_kernel) = (self.model, self.kernel, self.integer_kernel);
        let threads = slates.len();
        let queue = &Mutex::new(slates.iter_mut());
        let work = move |scratch: &mut Scratch| match scratch {
            Scratch::F32(scratch) => work_in_floats(model, kernel, scratch, queue),
            Scratch::Integer(scratch, scores) => {
                work_in_integers(model, integer_kernel, scratch, scores, queue);
            }
        };
        let Some((own, others)) = self.scratch.split_first_mut() else { return };
        thread::scope(|scope| {
            for scratch in others.iter_mut().take(threads.saturating_sub(1)) {
                // An error is a thread less.
                let _ = thread::Builder::new().spawn_scoped(scope, move || work(scratch));
            }
            work(own);
        });
    }
}

/// The next slate that no thread has taken.
fn next<'q, 'a>(queue: &Mutex<IterMut<'q, Slate<'a>>>) -> Option<&'q mut Slate<'a>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn work_in_floats(
    model: &Model<'_>,
    kernel: Kernel,
    scratch: &mut [f32],
    queue: &Mutex<IterMut<'_, Slate<'_>>>,
) {
    // It fits: the pool made the scratch for this model.
    let Ok(mut ranker) = Ranker::new(model, scratch) else { return };
    ranker.use_kernel(kernel);
    while let Some(Slate { user, candidates, scores, result }) = next(queue) {
        *result = ranker.set_user(user).and_then(|()| ranker.score_slate(candidates, scores));
    }
}

fn work_in_integers(
    model: &Model<'_>,
    kernel: IntegerKernel,
    scratch: &mut [i32],
    fixed: &mut Vec<u16>,
    queue: &Mutex<IterMut<'_, Slate<'_>>>,
) {
    let Ok(mut ranker) = IntegerRanker::new(model, scratch) else { return };
    ranker.use_kernel(kernel);
    while let Some(Slate { user, candidates, scores, result }) = next(queue) {
        fixed.clear();
        fixed.resize(scores.len(), 0);
        *result = ranker.set_user(user).and_then(|()| ranker.score_slate(candidates, fixed));
        if result.is_ok() {
            // Exact: 16 bits of 24.
            scores.iter_mut().zip(&*fixed).for_each(|(score, fixed)| *score = f32::from(*fixed) / 65_536.0);
        }
    }
}
