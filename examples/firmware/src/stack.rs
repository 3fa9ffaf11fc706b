//! How much of the stack was used: it is painted, and what lost its paint was used.

use core::ptr;

const PAINT: u32 = 0x5aa5_a55a;

unsafe extern "C" {
    /// The first word above all statics.
    static mut __sheap: u32;
    /// The first above the stack.
    static _stack_start: u32;
}

/// Bytes of stack below the caller's frame that `work` uses.
#[inline(never)]
pub fn used_by(work: impl FnOnce()) -> usize {
    let bottom = &raw mut __sheap;
    let here = ptr::from_mut(&mut 0_u32);
    // Room for this function's own frame.
    let top = here.wrapping_sub(16);
    let mut word = bottom;
    while word < top {
        // SAFETY: between the statics and this function's frame nothing lives.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
    work();
    let mut word = bottom;
    // SAFETY: as above.
    while word < top && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    here as usize - word as usize
}

/// Bytes between the stack's start and the caller's frame.
#[inline(never)]
pub fn depth() -> usize {
    let here = ptr::from_ref(&0_u32.wrapping_add(1));
    (&raw const _stack_start) as usize - here as usize
}
