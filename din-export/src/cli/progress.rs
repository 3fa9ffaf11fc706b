//! Progress of long work: a bar on a terminal, plain lines in a pipe. Always on stderr.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Shows what is going on.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar if stderr is a terminal, else lines.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar }
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

    /// Shows how far something is; lines in a pipe would only repeat, so nothing there.
    pub fn advance(&self, what: &str, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            if bar.length() != Some(total) {
                let template = "{spinner} {msg} [{bar:30}] {pos}/{len} {per_sec}, {eta} left";
                bar.set_style(
                    ProgressStyle::with_template(template).expect("a valid template").progress_chars("=> "),
                );
                bar.set_length(total);
                bar.reset_eta();
            }
            bar.set_message(what.to_owned());
            bar.set_position(done);
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

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
