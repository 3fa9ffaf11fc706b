//! The DSP extension of Cortex-M4, M7 and M33: two 16-bit products to an instruction. Every function checks the lengths
//! that its addresses rely on.
//!
//! The work is `smlad`: two inputs of one column. Weights of one byte become pairs by `sxtb16`, which is why quads are
//! stored in the order d, d + 2, d + 1, d + 3. A query's own matrix is made three columns at a time, in the order in which
//! [`strip`] reads it, and multiplied at once with all rows; other weights are widened to the same order, or read as they
//! are for a single row ([`row`]). What is left over, and what does not fit, goes to the portable kernel.
//!
//! | module | concept |
//! |---|---|
//! | `product`, `row` | weights as the model has them: against many rows, against one |
//! | `own`, `combine` | a query's own matrix: its products, what makes three columns of it |
//! | `strip` | three columns against all rows, of either |
//! | `keys`, `weigh` | the order of a user's keys, and their weighted sum |
//! | `round`, `dice`, `words` | rows of a table, an activation, copies |
//! | `instructions` | the instructions that Rust has no name for |
//!
//! The same code runs with emulated instructions in the tests of any machine, and with the real ones on an emulated 32-bit
//! Arm (`tests/tests/devices.rs`).
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

/// Link-time optimisation forgets the features of the target: on Armv8-M, where the extension is an option, the assembler
/// must be told of a processor that has it.
#[cfg(din_armv8m)]
macro_rules! processor {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(all(target_arch = "arm", not(din_armv8m)))]
macro_rules! processor {
    () => {
        ""
    };
}
#[cfg(target_arch = "arm")]
use processor;

mod combine;
mod dice;
mod instructions;
mod keys;
mod own;
mod product;
mod round;
mod row;
mod strip;
mod weigh;
mod words;

pub(super) use dice::{dice, dice_of};
use instructions::word;
pub(super) use keys::{arrange, weighted_sum};
pub(super) use own::{own_dots, own_product, own_totals};
pub(super) use product::{dots, product};
pub(super) use round::round_halves;
pub(super) use row::add;
pub(super) use words::{copy_all, start};

const _: () = assert!(strip::COLUMNS <= super::SCALAR_COLUMNS, "memory is sized for as many");

/// Whether several words are read from there by one instruction: where they are not at a multiple of four, that is a fault.
fn is_aligned<N>(from: *const N) -> bool {
    from.cast::<u32>().is_aligned()
}

/// Two numbers, wherever they lie: the cores load words from any address.
#[inline(always)]
unsafe fn pair_of(from: *const i16) -> u32 {
    // SAFETY: the caller vouches for two numbers.
    unsafe { from.cast::<u32>().read_unaligned() }
}

/// The first `count` of four numbers, and zeros.
#[inline(never)]
unsafe fn some(from: *const i16, count: usize) -> [u32; 2] {
    // SAFETY: the caller vouches for `count` numbers.
    let number = |d: usize| if d < count { i32::from(unsafe { *from.add(d) }) } else { 0 };
    [word(number(0), number(1)), word(number(2), number(3))]
}
