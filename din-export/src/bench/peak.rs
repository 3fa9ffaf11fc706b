//! What one core can do at most in f32: independent multiply-adds in its widest vectors, nothing loaded or stored.

use super::clock::cpu_time;
use serde::Serialize;
use std::hint::black_box;
use std::time::Duration;

/// Sums that grow side by side: more than the latency of an instruction times the units that take one each cycle (4 x 2 on
/// current processors), few enough for 16 registers.
const CHAINS: usize = 12;

/// Steps of a run: some milliseconds.
const STEPS: u64 = 1 << 20;

/// Runs, of which the fastest counts.
const RUNS: usize = 9;

/// What every sum is multiplied by, and what is added: such that the sums stay near 1.
const FACTORS: [f32; 2] = [0.999_999, 1e-6];

/// The measured peak.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Peak {
    /// 10^9 additions and multiplications a second, of CPU time.
    pub gflops: f64,
    /// "AVX-512", "AVX2", "NEON", or "portable", which says how fast plain Rust is instead.
    pub instructions: &'static str,
}

/// One way to multiply and add: the name, numbers in a vector, and a run of [`STEPS`].
type Way = (&'static str, u64, fn());

impl Peak {
    /// Measures it: some 50 milliseconds for each set of instructions that the processor has; the fastest counts.
    #[must_use]
    pub fn measure() -> Self {
        let measured = ways().into_iter().map(|(instructions, lanes, run)| {
            let time = || {
                let start = cpu_time();
                run();
                cpu_time().saturating_sub(start)
            };
            let fastest = (0..RUNS).map(|_| time()).min().unwrap_or_default().max(Duration::from_nanos(1));
            let flops = 2 * STEPS * CHAINS as u64 * lanes;
            Self { gflops: flops as f64 / fastest.as_nanos() as f64, instructions }
        });
        let none = Self { gflops: f64::MIN_POSITIVE, instructions: "portable" };
        measured.fold(none, Self::max)
    }

    /// The larger of two measurements: another program can only slow one down.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if other.gflops > self.gflops { other } else { self }
    }
}

#[cfg(target_arch = "x86_64")]
fn ways() -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    if std::arch::is_x86_feature_detected!("avx512f") {
        ways.push(("AVX-512", 16, x86_64::run_avx512));
    }
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        ways.push(("AVX2", 8, x86_64::run_avx2));
    }
    if ways.is_empty() {
        ways.push(("portable", PORTABLE_LANES as u64, run_portable));
    }
    ways
}

#[cfg(target_arch = "aarch64")]
fn ways() -> Vec<Way> {
    vec![("NEON", 4, aarch64::run)]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn ways() -> Vec<Way> {
    vec![("portable", PORTABLE_LANES as u64, run_portable)]
}

#[cfg(not(target_arch = "aarch64"))]
const PORTABLE_LANES: usize = 4;

/// A multiplication and an addition, since without such an instruction `mul_add` is a function of many.
#[cfg(not(target_arch = "aarch64"))]
fn run_portable() {
    let [x, y] = black_box(FACTORS);
    let mut sums = [[1.0_f32; PORTABLE_LANES]; CHAINS];
    for _ in 0..STEPS {
        sums.iter_mut().flatten().for_each(|sum| *sum = *sum * x + y);
    }
    black_box(sums);
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)] // functions for certain processors
mod x86_64 {
    use super::{CHAINS, FACTORS, STEPS, black_box};
    use core::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_set1_ps};

    pub fn run_avx2() {
        assert!(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"));
        // SAFETY: just asserted.
        unsafe { avx2() }
    }

    pub fn run_avx512() {
        assert!(is_x86_feature_detected!("avx512f"));
        // SAFETY: just asserted.
        unsafe { avx512() }
    }

    #[target_feature(enable = "avx2,fma")]
    fn avx2() {
        let [x, y] = black_box(FACTORS).map(|factor| _mm256_set1_ps(factor));
        let mut sums = [_mm256_set1_ps(1.0); CHAINS];
        // Each its own: equal sums would be computed once.
        (0..).zip(&mut sums).for_each(|(chain, sum)| *sum = _mm256_set1_ps(1.0 + chain as f32 / 16.0));
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, x, y);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f")]
    fn avx512() {
        let [x, y] = black_box(FACTORS).map(|factor| _mm512_set1_ps(factor));
        let mut sums = [_mm512_set1_ps(1.0); CHAINS];
        (0..).zip(&mut sums).for_each(|(chain, sum)| *sum = _mm512_set1_ps(1.0 + chain as f32 / 16.0));
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, x, y);
            }
        }
        black_box(sums);
    }
}

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use super::{CHAINS, FACTORS, STEPS, black_box};

    /// 64-bit Arm multiplies and adds in one instruction, four at a time.
    pub fn run() {
        let [x, y] = black_box(FACTORS);
        let mut sums = [[1.0_f32; 4]; CHAINS];
        (0..).zip(&mut sums).for_each(|(chain, sum)| *sum = [1.0 + chain as f32 / 16.0; 4]);
        for _ in 0..STEPS {
            sums.iter_mut().flatten().for_each(|sum| *sum = sum.mul_add(x, y));
        }
        black_box(sums);
    }
}
