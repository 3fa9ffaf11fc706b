//! A generator of numbers that no dependency can change: golden blobs are made from it.

use std::ops::RangeInclusive;

/// `SplitMix64`.
///
/// # Source
/// Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Every seed gives a sequence of its own.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// `0 .. n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Any of a range.
    pub fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// One of some things.
    pub fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }

    /// True in `percent` of 100 calls.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// `-magnitude .. magnitude`. Exact arithmetic, so the same on every host.
    pub fn around_zero(&mut self, magnitude: f32) -> f32 {
        let unit = (self.bits() >> 40) as f32 / 8_388_608.0 - 1.0;
        unit * magnitude
    }

    /// `n` numbers around `centre`.
    pub fn numbers(&mut self, n: usize, centre: f32, magnitude: f32) -> Vec<f32> {
        (0..n).map(|_| centre + self.around_zero(magnitude)).collect()
    }
}
