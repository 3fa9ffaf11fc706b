//! What attention needs besides products: queries' own matrices, and weighted sums of keys.

use super::{Vector, pair, some};
use crate::kernels::integer::extents::Queries;
use crate::kernels::integer::{Part, portable};

/// Some columns of each query's own matrix, as a panel: `[N, P] -> [N, ceil(D / 2), columns, 2]`.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn combine<T: Vector>(
    part: &Part<'_>,
    queries: &[i16],
    start: usize,
    columns: usize,
    panels: &mut [i16],
) {
    let Some(Queries { count, paired, len }) = part.queries(queries, start, columns, panels) else {
        return portable::combine(part, queries, start, columns, panels);
    };
    // Two queries in one pass over the weights, where there are as many.
    let mut query = 0;
    while query < count {
        // SAFETY: as of the caller; `Part::queries` checked every address.
        unsafe {
            let panels = panels.as_mut_ptr().add(query * len).cast();
            let queries = queries.as_ptr().add(query * paired);
            let pass = Combine { part, queries, paired, start, columns, panels, len: len / 2 };
            if count - query >= 2 {
                pass.run::<T, 2>();
                query += 2;
            } else {
                pass.run::<T, 1>();
                query += 1;
            }
        }
    }
}

/// Some columns of the own matrices of `Q` queries.
struct Combine<'a> {
    part: &'a Part<'a>,
    /// `[Q, P]`
    queries: *const i16,
    /// P
    paired: usize,
    start: usize,
    columns: usize,
    /// Two inputs of a column in each number.
    panels: *mut i32,
    /// Of a panel.
    len: usize,
}

impl Combine<'_> {
    #[inline(always)]
    unsafe fn run<T: Vector, const Q: usize>(&self) {
        let Self { part, paired, start, columns, .. } = *self;
        let whole = columns - columns % T::LANES;
        let (base, weights) = (part.base.as_ptr().cast::<i32>(), part.weight.as_ptr().cast::<i32>());
        for index in 0..part.inputs.div_ceil(2) {
            let count = paired.saturating_sub(2 * index).min(2);
            let row = base.wrapping_add(index * part.outputs + start);
            let quads = weights.wrapping_add(index / 2 * part.outputs + start);
            let second = index % 2 == 1;
            // SAFETY: the caller vouches for the columns of every row: two inputs of a column are four bytes, as are
            // four weights of one byte.
            unsafe {
                let mut query = [T::zero(); Q];
                for (q, query) in query.iter_mut().enumerate() {
                    let at = self.queries.wrapping_add(q * paired + 2 * index);
                    *query = if count == 2 { pair(at) } else { some(at, count) };
                }
                let to = |q: usize, column| self.panels.add(q * self.len + index * columns + column);
                for column in (0..whole).step_by(T::LANES) {
                    let base = T::load(row.add(column));
                    // Behind the paired inputs there are no weights to read.
                    let high = if count == 0 { T::zero() } else { T::load(quads.add(column)).raised(second) };
                    for (q, query) in query.iter().enumerate() {
                        base.combined(high, *query).store(to(q, column));
                    }
                }
                if whole < columns {
                    let mask = T::mask(columns - whole);
                    let base = T::load_some(row.add(whole), mask);
                    let high = if count == 0 {
                        T::zero()
                    } else {
                        T::load_some(quads.add(whole), mask).raised(second)
                    };
                    for (q, query) in query.iter().enumerate() {
                        base.combined(high, *query).store_some(to(q, whole), mask);
                    }
                }
            }
        }
    }
}

/// See [`IntegerKernel::weighted_sum`](crate::kernels::integer::IntegerKernel::weighted_sum).
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn weighted_sum<T: Vector>(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    /// Vectors of a strip: their sums stay in registers.
    const STRIP: usize = 8;
    let (width, strip_width) = (sums.len(), STRIP * T::LANES);
    let rows = keys.len().checked_div(width).unwrap_or_default().min(weights.len());
    let strips = width / strip_width;
    for strip in 0..strips {
        // SAFETY: as of the caller; within row `row`, `rows` of which are there, and within `sums`.
        unsafe {
            let mut held = [T::zero(); STRIP];
            for (row, weight) in weights[..rows].iter().enumerate() {
                let weight = T::all(*weight);
                let key = keys.as_ptr().add(row * width + strip * strip_width);
                for (v, sum) in held.iter_mut().enumerate() {
                    *sum = sum.plus(T::widened(key.add(v * T::LANES)).times(weight));
                }
            }
            for (v, sum) in held.into_iter().enumerate() {
                sum.store(sums.as_mut_ptr().add(strip * strip_width + v * T::LANES));
            }
        }
    }
    let rest = &mut sums[strips * strip_width..];
    rest.fill(0);
    for (key, weight) in keys.chunks_exact(width.max(1)).zip(weights) {
        for (sum, x) in rest.iter_mut().zip(&key[strips * strip_width..]) {
            *sum = sum.wrapping_add(weight.wrapping_mul((*x).into()));
        }
    }
}
