//! x86-64. Reached through the variants of [`Kernel`](super::Kernel) that only exist where the processor has what they
//! need; every function checks the lengths that its addresses rely on.
//!
//! [`products`] holds the loops, for any kind of [`Vector`]; [`avx2`] and [`avx512`] are the two kinds.
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // intrinsics, and loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

pub(super) mod avx2;
pub(super) mod avx512;
pub(super) mod features;
mod products;

use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use products::Strip;

/// See [`super::prefetch`].
#[inline]
pub(super) fn prefetch(bytes: &[u8]) {
    const LINE: usize = 64;
    // The last byte may lie in a line of its own.
    for byte in bytes.iter().step_by(LINE).chain(bytes.last()) {
        // SAFETY: SSE is part of x86-64, and a hint reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(byte).cast()) };
    }
}

/// `2^r` for `|r| <= 1/2`, the highest power's coefficient first: largest relative error 1.1e-7 without its roundings.
const EXP2: [f32; 6] = [1.340_043_2e-3, 9.676_037e-3, 5.550_327e-2, 2.402_210_7e-1, 6.931_472e-1, 1.0];

/// A vector of f32 numbers.
///
/// # Safety
/// Of every method: the processor has the vector's instructions. Those of the inner loops are inlined into functions compiled
/// with them; `mask` is called once a strip.
trait Vector: Copy {
    /// Numbers in a vector.
    const LANES: usize;
    /// The last of a number of columns.
    type Mask: Copy;
    /// What a few columns are computed with.
    type Narrow: Vector;

    unsafe fn zero() -> Self;
    /// The same number in every lane.
    unsafe fn all(number: f32) -> Self;
    /// The first `count` lanes.
    unsafe fn mask(count: usize) -> Self::Mask;
    unsafe fn load(from: *const f32) -> Self;
    /// Zeros in the other lanes.
    unsafe fn load_some(from: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn store_some(self, to: *mut f32, mask: Self::Mask);
    /// `x y + self`, rounded once.
    unsafe fn plus_product(self, x: Self, y: Self) -> Self;
    /// `1 / (1 + exp(-self))`; not-a-number counts as a large argument of its sign.
    unsafe fn sigmoid(self) -> Self;

    /// Vectors of columns of the next strip, when so many are left.
    fn strip_width(left: usize, rows: usize) -> usize;
    /// Rows of a block of a strip, at most.
    fn block_height(vectors: usize) -> usize;
    /// [`Strip::tile_of`] of a height and width, compiled with the vector's instructions.
    unsafe fn tile<const SIGMOID: bool, const OWN: bool>(strip: &Strip<Self>, height: usize, vectors: usize);
}

/// Calls the tile of a height and width; there are no others than those listed.
macro_rules! tile_by_shape {
    ($tile:ident::<$sigmoid:ident, $own:ident>($strip:ident, $height:ident, $vectors:ident); $(($rows:literal, $width:literal))+) => {
        // SAFETY: the caller vouches for the instructions, the rows and the columns.
        unsafe {
            match ($height, $vectors) {
                $(($rows, $width) => $tile::<$rows, $width, $sigmoid, $own>($strip),)+
                _ => debug_assert!(false, "no tile of {} rows and {} vectors", $height, $vectors),
            }
        }
    };
}
use tile_by_shape;
