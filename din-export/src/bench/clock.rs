//! Time of the processor: what a busy machine leaves comparable.

use std::time::Duration;

/// CPU time of all threads of this process so far. Where the system's clock for it is not known here, the time since the
/// first call.
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
#[must_use]
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    // Both are positive, and nanoseconds below 10^9.
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU time of all threads of this process so far. Where the system's clock for it is not known here, the time since the
/// first call.
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")))]
#[must_use]
pub fn cpu_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}
