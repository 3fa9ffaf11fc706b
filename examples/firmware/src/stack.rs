//! How much of the stack was used: it is painted, and what lost its paint was used.

use core::hint::black_box;

const PAINT: u32 = 0x5aa5_a55a;

unsafe extern "C" {
    /// The first word above all statics.
    static mut __sheap: u32;
    /// The first above the stack.
    static _stack_start: u32;
}

/// Bytes of stack in use when `work` uses most: its own, and those of its callers.
pub fn used_by(work: impl FnOnce()) -> usize {
    paint();
    work();
    (&raw const _stack_start) as usize - lowest_used() as usize
}

/// Paints what is free. Not inlined: the frames of what is measured lie above this one's.
#[inline(never)]
fn paint() {
    let here = black_box(&raw mut *black_box(&mut 0_u32));
    // Room for this function's own frame.
    let top = here.wrapping_sub(16);
    let mut word = &raw mut __sheap;
    while word < top {
        // SAFETY: between the statics and this function's frame nothing lives.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// The lowest word without paint.
#[inline(never)]
fn lowest_used() -> *const u32 {
    let mut word = &raw const __sheap;
    // SAFETY: the words up to this function's frame are memory, and the frame has no paint.
    while unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    word
}
