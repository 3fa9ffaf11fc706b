//! The instructions that this kernel is made of, one function each, and what they do in plain Rust: that is what runs where
//! they are not there, so that any machine can test the kernel. A word is two 16-bit numbers, the first in its low half.
//!
//! The rest the compiler finds by itself: `ssat` in [`sat16`](crate::fixed::sat16), `pkhbt` in [`word`].
//!
//! # Source
//! Armv7-M Architecture Reference Manual, A7.7: `SMLAD`, `SMLA<x><y>`, `SXTB16`, `QADD16`.
#![allow(unsafe_code)] // inline assembly

#[cfg(any(test, not(din_dsp)))]
use crate::fixed::sat16;
#[cfg(din_dsp)]
use core::arch::asm;

/// `sum + x.low y.low + x.high y.high`
#[inline(always)]
pub(super) fn smlad(x: u32, y: u32, sum: i32) -> i32 {
    #[cfg(din_dsp)]
    {
        let mut sum = sum;
        // SAFETY: registers alone; the overflow flag that it may set is nobody's.
        unsafe {
            asm!("smlad {sum}, {}, {}, {sum}", in(reg) x, in(reg) y, sum = inlateout(reg) sum,
                options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }
    #[cfg(not(din_dsp))]
    emulated::smlad(x, y, sum)
}

/// `sum + x.low y.low`
#[inline(always)]
pub(super) fn smlabb(x: u32, y: u32, sum: i32) -> i32 {
    #[cfg(din_dsp)]
    {
        let out;
        // SAFETY: registers alone; the overflow flag that it may set is nobody's.
        unsafe {
            asm!("smlabb {}, {}, {}, {}", lateout(reg) out, in(reg) x, in(reg) y, in(reg) sum,
                options(pure, nomem, nostack, preserves_flags));
        }
        out
    }
    #[cfg(not(din_dsp))]
    emulated::smlabb(x, y, sum)
}

/// `sum + x.high y.high`
#[inline(always)]
pub(super) fn smlatt(x: u32, y: u32, sum: i32) -> i32 {
    #[cfg(din_dsp)]
    {
        let out;
        // SAFETY: registers alone; the overflow flag that it may set is nobody's.
        unsafe {
            asm!("smlatt {}, {}, {}, {}", lateout(reg) out, in(reg) x, in(reg) y, in(reg) sum,
                options(pure, nomem, nostack, preserves_flags));
        }
        out
    }
    #[cfg(not(din_dsp))]
    emulated::smlatt(x, y, sum)
}

/// Bytes 0 and 2, sign-extended to 16 bits.
#[inline(always)]
pub(super) fn sxtb16(x: u32) -> u32 {
    #[cfg(din_dsp)]
    {
        let out;
        // SAFETY: registers alone.
        unsafe {
            asm!("sxtb16 {}, {}", lateout(reg) out, in(reg) x, options(pure, nomem, nostack, preserves_flags));
        }
        out
    }
    #[cfg(not(din_dsp))]
    emulated::sxtb16(x)
}

/// Bytes 1 and 3, sign-extended to 16 bits.
#[inline(always)]
pub(super) fn sxtb16_of_rotated(x: u32) -> u32 {
    #[cfg(din_dsp)]
    {
        let out;
        // SAFETY: registers alone.
        unsafe {
            asm!("sxtb16 {}, {}, ror #8", lateout(reg) out, in(reg) x,
                options(pure, nomem, nostack, preserves_flags));
        }
        out
    }
    #[cfg(not(din_dsp))]
    emulated::sxtb16(x.rotate_right(8))
}

/// The sum of each half, clamped to 16 bits.
#[inline(always)]
pub(super) fn qadd16(x: u32, y: u32) -> u32 {
    #[cfg(din_dsp)]
    {
        let out;
        // SAFETY: registers alone.
        unsafe {
            asm!("qadd16 {}, {}, {}", lateout(reg) out, in(reg) x, in(reg) y,
                options(pure, nomem, nostack, preserves_flags));
        }
        out
    }
    #[cfg(not(din_dsp))]
    emulated::qadd16(x, y)
}

/// The two numbers of a word.
#[cfg(any(test, not(din_dsp)))]
pub(super) const fn halves(x: u32) -> [i32; 2] {
    [x as i16 as i32, x.cast_signed() >> 16]
}

/// A word of the low halves of two numbers.
#[inline(always)]
pub(super) const fn word(low: i32, high: i32) -> u32 {
    low.cast_unsigned() & 0xffff | high.cast_unsigned() << 16
}

#[cfg(any(test, not(din_dsp)))]
mod emulated {
    use super::{halves, sat16, word};

    pub(super) fn smlad(x: u32, y: u32, sum: i32) -> i32 {
        let ([a, b], [c, d]) = (halves(x), halves(y));
        sum.wrapping_add(a.wrapping_mul(c)).wrapping_add(b.wrapping_mul(d))
    }

    pub(super) fn smlabb(x: u32, y: u32, sum: i32) -> i32 {
        sum.wrapping_add(halves(x)[0].wrapping_mul(halves(y)[0]))
    }

    pub(super) fn smlatt(x: u32, y: u32, sum: i32) -> i32 {
        sum.wrapping_add(halves(x)[1].wrapping_mul(halves(y)[1]))
    }

    pub(super) fn sxtb16(x: u32) -> u32 {
        let [first, _, third, _] = x.to_le_bytes().map(|byte| i32::from(byte.cast_signed()));
        word(first, third)
    }

    pub(super) fn qadd16(x: u32, y: u32) -> u32 {
        let ([a, b], [c, d]) = (halves(x), halves(y));
        word(sat16(a.wrapping_add(c)).into(), sat16(b.wrapping_add(d)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bytes_are_taken_apart_as_the_manual_says() {
        assert_eq!(smlad(0x0002_fffd, 0xffff_0004, 100), 100 - 12 - 2);
        assert_eq!([smlabb(0x0002_fffd, 0xffff_0004, 1), smlatt(0x0002_fffd, 0xffff_0004, 1)], [-11, -1]);
        assert_eq!(smlad(0x8000_8000, 0x8000_8000, 0), i32::MIN);
        assert_eq!([sxtb16(0x1281_34ff), sxtb16_of_rotated(0x8212_ff34)], [0xff81_ffff, 0xff82_ffff]);
        assert_eq!(qadd16(0x7fff_8000, 0x0001_ffff), 0x7fff_8000);
        assert_eq!(qadd16(0x0003_ffff, 0xfffe_0005), 0x0001_0004);
    }

    /// On processors that have the instructions.
    #[test]
    fn instructions_do_what_their_emulations_do() {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(0x9e37_79b1).wrapping_add(0x85eb_ca6b);
            if state >> 28 == 0 { 0x8000_7fff } else { state.rotate_left(7) }
        };
        for _ in 0..100_000 {
            let (x, y, sum) = (next(), next(), next().cast_signed());
            assert_eq!(smlad(x, y, sum), emulated::smlad(x, y, sum));
            assert_eq!(smlabb(x, y, sum), emulated::smlabb(x, y, sum));
            assert_eq!(smlatt(x, y, sum), emulated::smlatt(x, y, sum));
            assert_eq!(sxtb16(x), emulated::sxtb16(x));
            assert_eq!(sxtb16_of_rotated(x), emulated::sxtb16(x.rotate_right(8)));
            assert_eq!(qadd16(x, y), emulated::qadd16(x, y));
        }
    }
}
