//! x86-64. Reached through the variants of [`IntegerKernel`](super::IntegerKernel) that only exist where the processor has
//! what they need; every function checks the lengths that its addresses rely on.
//!
//! The work is two inputs of a column in one 32-bit lane, multiplied and added in one or two instructions. [`products`]
//! and [`attention`] hold the loops, for any kind of [`Vector`]; [`avx2`] and [`avx512`] are the two kinds.
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // intrinsics, and loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

mod attention;
pub(super) mod avx2;
pub(super) mod avx512;
mod products;

use products::{Outputs, Strip};

/// Lanes of the widest vector.
const MOST_LANES: usize = 16;

/// A vector of 32-bit lanes: sums, or two 16-bit numbers each.
///
/// # Safety
/// Of every method: the processor has the vector's instructions. The methods are inlined into functions compiled with
/// them.
trait Vector: Copy {
    const LANES: usize;
    /// Rows computed together with so many vectors of columns, at most.
    const HEIGHTS: [usize; 2];
    /// The first lanes.
    type Mask: Copy;
    /// What a few columns are computed with.
    type Narrow: Vector;

    unsafe fn zero() -> Self;
    /// The same number in every lane.
    unsafe fn all(number: i32) -> Self;
    unsafe fn mask(count: usize) -> Self::Mask;
    unsafe fn load(from: *const i32) -> Self;
    /// Zeros in the other lanes.
    unsafe fn load_some(from: *const i32, mask: Self::Mask) -> Self;
    unsafe fn store(self, to: *mut i32);
    unsafe fn store_some(self, to: *mut i32, mask: Self::Mask);
    /// As many 16-bit numbers as there are lanes, widened.
    unsafe fn widened(from: *const i16) -> Self;
    unsafe fn plus(self, other: Self) -> Self;
    unsafe fn times(self, other: Self) -> Self;
    unsafe fn shifted_right(self, count: u8) -> Self;
    /// `self + x w` of both halves of a lane. `every` lane: a mask that the compiler cannot see through, where it would
    /// else take the instruction apart.
    unsafe fn plus_products(self, x: Self, w: Self, every: Self::Mask) -> Self;
    /// Inputs d and d + 1 of quads, widened.
    unsafe fn evens(self) -> Self;
    /// Inputs d + 2 and d + 3 of quads, widened.
    unsafe fn odds(self) -> Self;
    /// `w 2^7` of the second or the first two inputs of quads.
    unsafe fn raised(self, second: bool) -> Self;
    /// `sat16(self + rshift(w q, 8))` of both halves of a lane, the product as `rshift(x y, 15)` of `w 2^7`.
    unsafe fn combined(self, raised: Self, query: Self) -> Self;
    /// `sat16(z)` of one or two vectors of columns, or the sigmoid of that; the first `width` of them written.
    unsafe fn finish<const V: usize>(z: [Self; V], is_sigmoid: bool, out: *mut i16, width: usize);

    /// [`Strip::product`] of a height, compiled with the vector's instructions.
    unsafe fn product<const V: usize, const QUADS: bool>(
        strip: &Strip<Self>,
        height: usize,
        x: *const i16,
        to: &Outputs,
        out: *mut i16,
    );
    /// [`Strip::add`] of four rows or one, compiled with the vector's instructions.
    unsafe fn add<const R: usize, const V: usize>(strip: &Strip<Self>, x: *const i16, t: *mut i32);
}

/// Two numbers, in every lane.
#[inline(always)]
unsafe fn pair<T: Vector>(x: *const i16) -> T {
    // SAFETY: the caller vouches for two numbers.
    unsafe { T::all(x.cast::<i32>().read_unaligned()) }
}

/// Up to two numbers and zeros, in every lane.
#[inline(always)]
unsafe fn some<T: Vector>(x: *const i16, count: usize) -> T {
    let mut two = [0_i16; 2];
    // SAFETY: the caller vouches for `count` numbers.
    unsafe {
        core::ptr::copy_nonoverlapping(x, two.as_mut_ptr(), count.min(2));
        T::all(i32::from(two[1]) << 16 | i32::from(two[0]) & 0xffff)
    }
}

/// Calls the function of a height; there are no others than those listed.
macro_rules! by_height {
    ($height:ident; $tile:ident::<_, $vectors:ident, $quads:ident> $arguments:tt; $($rows:literal)+) => {
        // SAFETY: the caller vouches for the instructions, the rows and the columns.
        unsafe {
            match $height {
                $($rows => $tile::<$rows, $vectors, $quads> $arguments,)+
                _ => debug_assert!(false, "no tile of {} rows", $height),
            }
        }
    };
}
use by_height;
