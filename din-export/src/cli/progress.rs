//! Progress of long work: a bar on a terminal, plain lines in a pipe. Always on stderr.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two lines about long work in a pipe.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shows what is going on.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// In a pipe: when the last line about long work was printed, or that began.
    last_line: Mutex<Instant>,
}

impl Progress {
    /// A bar if stderr is a terminal, else lines.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, last_line: Mutex::new(Instant::now()) }
    }

    /// Says what begins.
    pub fn begin(&self, what: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a valid template"));
                bar.set_message(what.to_owned());
            }
            None => eprintln!("{what}"),
        }
    }

    /// Shows how far something is; in a pipe a line every [`LINE_EVERY`].
    pub fn advance(&self, done: u64, total: u64, what: impl FnOnce() -> String) {
        match &self.bar {
            Some(bar) => {
                if bar.length() != Some(total) {
                    let template = "{spinner} [{bar:30}] {pos}/{len} {msg}";
                    bar.set_style(
                        ProgressStyle::with_template(template)
                            .expect("a valid template")
                            .progress_chars("=> "),
                    );
                    bar.set_length(total);
                }
                bar.set_message(what());
                bar.set_position(done);
            }
            None => {
                let Ok(mut last) = self.last_line.lock() else { return };
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    eprintln!("{done}/{total} {}", what());
                }
            }
        }
    }

    /// Leaves a line that stays.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }
}

/// Samples per second, over the last while.
pub struct Rate {
    start: Instant,
    samples: usize,
    steps: u64,
    /// Samples and steps a second, before `start`.
    last: Option<(f64, f64)>,
}

impl Rate {
    pub fn new() -> Self {
        Self { start: Instant::now(), samples: 0, steps: 0, last: None }
    }

    /// After a step; the time that measuring and saving take is part of the rate.
    pub fn step(&mut self, samples: usize) {
        self.samples += samples;
        self.steps += 1;
        if self.start.elapsed() >= Duration::from_secs(5) {
            *self = Self { last: Some(self.now()), ..Self::new() };
        }
    }

    fn now(&self) -> (f64, f64) {
        let seconds = self.start.elapsed().as_secs_f64().max(1e-9);
        (self.samples as f64 / seconds, self.steps as f64 / seconds)
    }

    /// In words, with the time that so many more steps take.
    pub fn text(&self, steps_left: u64) -> String {
        let (samples, steps) = self.last.unwrap_or_else(|| self.now());
        format!("{samples:.0} samples/s, {} left", duration(steps_left as f64 / steps.max(1e-9)))
    }
}

/// In the two largest units that matter.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.min(1e9).round() as u64;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
