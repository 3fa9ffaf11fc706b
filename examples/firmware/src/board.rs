//! What differs between cores: the start, the end, and a clock. Semihosting, which stands for the debug probe, is the
//! same on all of them.

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

/// Ends the emulation, as a success or not. A device goes on; this is for tests.
pub fn exit(result: Result<(), impl defmt::Format>) -> ! {
    if let Err(error) = &result {
        defmt::println!("refused: {}", error);
    }
    semihosting::process::exit(i32::from(result.is_err()))
}

/// din-core never panics. What comes here is a mistake of the application's.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    defmt::println!("panicked");
    semihosting::process::exit(101)
}

/// What `work` gives, and how many ticks of the core's clock it takes; at most 2^24.
#[cfg(target_arch = "arm")]
pub fn ticks<R>(work: impl FnOnce() -> R) -> (R, u32) {
    use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
    const LONGEST: u32 = 0x00ff_ffff;
    // SAFETY: nothing else here uses the timer.
    let mut clock = unsafe { Peripherals::steal() }.SYST;
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(LONGEST);
    clock.clear_current();
    clock.enable_counter();
    // The counter takes its reload value at the first tick.
    while SYST::get_current() == 0 {}
    let start = SYST::get_current();
    let result = work();
    (result, start.wrapping_sub(SYST::get_current()) & LONGEST)
}

/// What `work` gives, and how many cycles it takes.
#[cfg(target_arch = "riscv32")]
pub fn ticks<R>(work: impl FnOnce() -> R) -> (R, u32) {
    let start = riscv::register::mcycle::read();
    let result = work();
    (result, riscv::register::mcycle::read().wrapping_sub(start) as u32)
}
