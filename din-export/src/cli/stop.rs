//! Signals that ask a run to save and stop.

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Watches for SIGINT and SIGTERM while it lives. The second one ends the process at once, as it would without.
pub struct StopSignals {
    stop: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
    handlers: Vec<SigId>,
}

impl StopSignals {
    pub fn watch() -> std::io::Result<Self> {
        let (stop, signal) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut handlers = Vec::new();
        for number in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down and only raises it.
            handlers.push(signal_hook::flag::register_conditional_default(number, stop.clone())?);
            handlers.push(signal_hook::flag::register_usize(number, signal.clone(), number as usize)?);
            handlers.push(signal_hook::flag::register(number, stop.clone())?);
        }
        Ok(Self { stop, signal, handlers })
    }

    /// Raised by the first signal.
    pub fn flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// As a signal would.
    pub fn raise(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// What a run that stopped says.
    pub fn stopped(&self, checkpoint: Option<PathBuf>) -> Stopped {
        self.stopped_with(match checkpoint {
            Some(file) => format!("stopped, saved as {}; continue with --resume", file.display()),
            None => "stopped; nothing was saved, as checkpoints are off".to_owned(),
        })
    }

    /// What work of many runs says, which goes on where it was when the same command is given again.
    pub fn stopped_between(&self, folder: &Path) -> Stopped {
        self.stopped_with(format!("stopped, saved in {}; the same command goes on", folder.display()))
    }

    fn stopped_with(&self, message: String) -> Stopped {
        Stopped { signal: self.signal.load(Ordering::Relaxed) as u8, message }
    }
}

impl Drop for StopSignals {
    fn drop(&mut self) {
        self.handlers.drain(..).for_each(|handler| {
            signal_hook::low_level::unregister(handler);
        });
    }
}

/// A run that a signal stopped: no failure, but not finished either.
#[derive(Debug)]
pub struct Stopped {
    signal: u8,
    message: String,
}

impl Stopped {
    /// As a shell reports a process that the signal ended: 130 for SIGINT, 143 for SIGTERM.
    pub fn exit_code(&self) -> u8 {
        128 + self.signal
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Stopped {}
