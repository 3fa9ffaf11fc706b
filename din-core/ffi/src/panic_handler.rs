//! What a panic does on a device, where no standard library says it. Release builds have none.

use core::panic::PanicInfo;

#[cfg(feature = "prove-no-panic")]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        /// Nowhere: to need it is an error of the linker.
        fn din_a_panic_path_is_left() -> !;
    }
    // SAFETY: a program that could get here does not link.
    unsafe { din_a_panic_path_is_left() }
}

#[cfg(not(feature = "prove-no-panic"))]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
