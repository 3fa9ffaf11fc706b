//! Slates scored over and over, by the clock.

use super::clock::cpu_time;
use super::peak::Peak;
use super::report::{Report, Row};
use super::requests::{Workload, longest_history};
use crate::request::Request;
use din_core::{Behaviours, IntegerKernel, Kernel, Model, RankerPool, ScoreError, Slate, User, Value};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// What a blob's arithmetic is done by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyKernel {
    /// Of an f32 blob.
    F32(Kernel),
    /// Of an integer blob.
    Integer(IntegerKernel),
}

impl AnyKernel {
    /// Every kernel that this processor has for a model, the portable one first.
    pub fn all(model: &Model<'_>) -> Vec<Self> {
        if model.header().is_integer() {
            IntegerKernel::all().map(Self::Integer).collect()
        } else {
            Kernel::all().map(Self::F32).collect()
        }
    }

    /// The fastest.
    #[must_use]
    pub fn best(model: &Model<'_>) -> Self {
        if model.header().is_integer() {
            Self::Integer(IntegerKernel::best())
        } else {
            Self::F32(Kernel::best())
        }
    }

    /// As reports and the command line write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32(kernel) => kernel.name(),
            Self::Integer(kernel) => kernel.name(),
        }
    }
}

/// What to time, and how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Each is timed with every number of threads and every workload.
    pub kernels: Vec<AnyKernel>,
    /// Threads that score slates at the same time.
    pub threads: Vec<NonZeroUsize>,
    /// What they score.
    pub workloads: Vec<Workload>,
    /// For each combination.
    pub time: Duration,
}

/// How often a combination has its turn: a disturbance hits all alike.
const ROUNDS: u32 = 9;

/// CPU time of one thread's part of a sample, so that neither the clock nor the start of threads counts.
const SHORTEST_SAMPLE: Duration = Duration::from_millis(4);

/// Times every combination of a plan; `on_progress` is told how many of how many turns are done.
///
/// # Errors
/// din-core's reason to refuse a request.
pub fn run(
    model: &Model<'_>,
    plan: &Plan,
    on_progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, ScoreError> {
    let before = Peak::measure();
    let mut timings = Vec::new();
    for &kernel in &plan.kernels {
        for &threads in &plan.threads {
            for workload in &plan.workloads {
                timings.push(Timing::new(model, kernel, threads, workload)?);
            }
        }
    }
    let turns = u64::from(ROUNDS) * timings.len() as u64;
    let mut done = 0;
    for _ in 0..ROUNDS {
        for timing in &mut timings {
            timing.turn(plan.time / ROUNDS)?;
            done += 1;
            on_progress(done, turns);
        }
    }
    let peak = before.max(Peak::measure());
    let rows = timings.iter().map(|timing| timing.row(model, peak)).collect();
    Ok(Report { model: model.name().to_owned(), path: path_name(model), peak, rows })
}

const fn path_name(model: &Model<'_>) -> &'static str {
    if model.header().is_integer() { "integer" } else { "f32" }
}

/// One combination.
struct Timing<'m, 'w> {
    kernel: AnyKernel,
    threads: NonZeroUsize,
    workload: &'w Workload,
    pool: RankerPool<'m>,
    requests: Vec<Prepared<'w>>,
    /// Requests of a sample: each thread has equally many.
    batch: usize,
    /// The next sample begins at this request.
    next: usize,
    samples: Vec<Sample>,
}

/// A request as din-core takes it.
struct Prepared<'w> {
    request: &'w Request,
    histories: Vec<Behaviours<'w>>,
    slate: Vec<Value>,
}

impl Prepared<'_> {
    fn slate<'s>(&'s self, scores: &'s mut [f32]) -> Slate<'s> {
        let Request { profile, context, .. } = self.request;
        Slate::new(User { profile, context, histories: &self.histories }, &self.slate, scores)
    }
}

/// Time for one candidate, in microseconds.
#[derive(Clone, Copy)]
struct Sample {
    wall: f64,
    cpu: f64,
}

impl<'m, 'w> Timing<'m, 'w> {
    fn new(
        model: &'m Model<'m>,
        kernel: AnyKernel,
        threads: NonZeroUsize,
        workload: &'w Workload,
    ) -> Result<Self, ScoreError> {
        let mut pool = RankerPool::new(model, threads);
        match kernel {
            AnyKernel::F32(kernel) => pool.use_kernels(kernel, IntegerKernel::best()),
            AnyKernel::Integer(kernel) => pool.use_kernels(Kernel::best(), kernel),
        }
        let prepare = |request: &'w Request| Prepared {
            request,
            histories: request.histories.iter().map(|values| Behaviours::new(values)).collect(),
            slate: request.candidates.concat(),
        };
        let requests = workload.requests.iter().map(prepare).collect();
        let mut timing = Self {
            kernel,
            threads,
            workload,
            pool,
            requests,
            batch: threads.get(),
            next: 0,
            samples: Vec::new(),
        };
        // Twice as many requests until a sample is long enough, by the clock that other programs do not move.
        while timing.sample()? < SHORTEST_SAMPLE {
            timing.batch *= 2;
        }
        timing.samples.clear();
        Ok(timing)
    }

    fn turn(&mut self, time: Duration) -> Result<(), ScoreError> {
        let start = Instant::now();
        self.sample()?;
        while start.elapsed() < time {
            self.sample()?;
        }
        Ok(())
    }

    /// Scores a batch, and tells how much CPU time each thread took.
    fn sample(&mut self) -> Result<Duration, ScoreError> {
        let indices = (self.next..self.next + self.batch).map(|index| index % self.requests.len());
        let batch: Vec<&Prepared<'_>> = indices.map(|index| &self.requests[index]).collect();
        self.next = (self.next + self.batch) % self.requests.len();
        let mut scores: Vec<Vec<f32>> =
            batch.iter().map(|prepared| vec![0.0; prepared.request.candidates.len()]).collect();
        let mut slates: Vec<Slate<'_>> =
            batch.iter().zip(&mut scores).map(|(prepared, scores)| prepared.slate(scores)).collect();
        let (start, cpu_start) = (Instant::now(), cpu_time());
        self.pool.score(&mut slates);
        let (cpu, wall) = (cpu_time().saturating_sub(cpu_start), start.elapsed());
        slates.iter().try_for_each(|slate| slate.result)?;
        let candidates: usize = scores.iter().map(Vec::len).sum();
        let each = |time: Duration| time.as_secs_f64() * 1e6 / candidates as f64;
        self.samples.push(Sample { wall: each(wall), cpu: each(cpu) });
        Ok(cpu.div_f64(self.threads.get() as f64))
    }

    fn row(&self, model: &Model<'_>, peak: Peak) -> Row {
        let sorted = |time: fn(&Sample) -> f64| {
            let mut times: Vec<f64> = self.samples.iter().map(time).collect();
            times.sort_by(f64::total_cmp);
            (times[0], times[times.len() / 2])
        };
        let (wall_min, wall_median) = sorted(|sample| sample.wall);
        let (cpu_min, cpu_median) = sorted(|sample| sample.cpu);
        let (macs, candidates) =
            self.workload.requests.iter().fold((0.0, 0.0), |(macs, candidates), request| {
                let own = request.candidates.len() as f64;
                let each = model.candidate_macs_for(longest_history(model, request));
                (macs + own * each as f64, candidates + own)
            });
        let macs = macs / candidates;
        Row {
            kernel: self.kernel.name(),
            threads: self.threads.get(),
            slate: self.workload.slate,
            history: self.workload.history,
            macs,
            wall_min,
            wall_median,
            cpu_min,
            cpu_median,
            candidates_per_second: 1e6 / wall_min,
            peak_share: 2e-3 * macs / cpu_min / peak.gflops,
            samples: self.samples.len(),
        }
    }
}
