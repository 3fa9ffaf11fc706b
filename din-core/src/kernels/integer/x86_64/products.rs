//! `[N, D] x [D, C] -> [N, C]`: columns in strips, rows in blocks, the sums of a tile in registers.

use super::{MOST_LANES, Vector, pair, some};
use crate::kernels::integer::{Finish, Part, Product, Weights, portable};
use core::hint::black_box;

/// Most columns of a strip.
const MOST: usize = 2 * MOST_LANES;

/// See [`IntegerKernel::product`](crate::kernels::integer::IntegerKernel::product).
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn product<T: Vector>(product: &Product<'_>, x: &[i16], out: &mut [i16], stride: usize) {
    let Product { columns, start, finish, .. } = *product;
    let Some(rows) = product.rows(x, out, stride) else {
        return portable::product(product, x, out, stride);
    };
    let mut first = 0;
    while first < columns {
        let left = columns - first;
        // What fits half a vector takes half the time in vectors half as wide.
        let width = if left <= T::Narrow::LANES { left } else { left.min(2 * T::LANES) };
        // SAFETY: as of the caller; `Product::rows` checked every address.
        unsafe {
            let to = Outputs {
                start: taken(&start[first..first + width]),
                finish,
                out: out.as_mut_ptr().add(first),
                stride,
                width,
            };
            if width <= T::Narrow::LANES {
                product_strip::<T::Narrow>(product, first, x, rows, &to);
            } else {
                product_strip::<T>(product, first, x, rows, &to);
            }
        }
        first += width;
    }
}

/// One strip of columns, for all rows.
#[inline(always)]
unsafe fn product_strip<T: Vector>(
    product: &Product<'_>,
    first: usize,
    x: &[i16],
    rows: usize,
    to: &Outputs,
) {
    let Product { weights, inputs, columns, shift, multipliers, .. } = *product;
    let (width, tail) = (to.width, (to.width - 1) % T::LANES + 1);
    // SAFETY: as of the caller.
    unsafe {
        let strip = Strip::<T> {
            weights: weights.as_ptr().cast::<i32>().add(first),
            stride: columns,
            inputs,
            tail,
            mask: T::mask(tail),
            multipliers: widened(&multipliers[first * 2..(first + width) * 2]),
            shift,
        };
        let (x, quads) = (x.as_ptr(), matches!(weights, Weights::Quads(_)));
        match (quads, width > T::LANES) {
            (true, true) => strip.rows::<2, true>(x, rows, to),
            (true, false) => strip.rows::<1, true>(x, rows, to),
            (false, true) => strip.rows::<2, false>(x, rows, to),
            (false, false) => strip.rows::<1, false>(x, rows, to),
        }
    }
}

/// See [`IntegerKernel::add`](crate::kernels::integer::IntegerKernel::add).
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn add<T: Vector>(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    let columns = part.outputs;
    let Some(rows) = part.rows(x, t) else {
        return portable::add(part, x, t);
    };
    for first in (0..columns).step_by(2 * T::LANES) {
        let width = (columns - first).min(2 * T::LANES);
        // SAFETY: as of the caller; `Part::rows` checked every address.
        unsafe {
            let strip = Strip::<T> {
                weights: part.weight.as_ptr().cast::<i32>().add(first),
                stride: columns,
                inputs: part.inputs,
                tail: (width - 1) % T::LANES + 1,
                mask: T::mask((width - 1) % T::LANES + 1),
                multipliers: widened(&part.multipliers[first * 2..(first + width) * 2]),
                shift: part.shift,
            };
            let t = t.as_mut_ptr().add(first);
            if width > T::LANES {
                strip.add_rows::<2>(x.as_ptr(), rows, t);
            } else {
                strip.add_rows::<1>(x.as_ptr(), rows, t);
            }
        }
    }
}

/// The multipliers of a strip's columns, zeros after them.
fn widened(multipliers: &[u8]) -> [i32; MOST] {
    let mut all = [0; MOST];
    for (all, bytes) in all.iter_mut().zip(multipliers.as_chunks::<2>().0) {
        *all = i16::from_le_bytes(*bytes).into();
    }
    all
}

/// The first numbers, zeros after them.
fn taken(numbers: &[i32]) -> [i32; MOST] {
    let mut all = [0; MOST];
    for (all, number) in all.iter_mut().zip(numbers) {
        *all = *number;
    }
    all
}

/// Up to two vectors of columns of the weights.
#[derive(Clone, Copy)]
pub(super) struct Strip<T: Vector> {
    /// The first column's first group of two or four inputs: four bytes.
    weights: *const i32,
    /// Columns: from a group to the next.
    stride: usize,
    inputs: usize,
    /// Columns of the last vector, at least one.
    tail: usize,
    mask: T::Mask,
    multipliers: [i32; MOST],
    shift: u8,
}

/// What the sums of a strip start from, and where they go.
pub(super) struct Outputs {
    start: [i32; MOST],
    finish: Finish,
    out: *mut i16,
    stride: usize,
    width: usize,
}

impl<T: Vector> Strip<T> {
    /// Blocks of nearly equal height: 50 rows by six are five of six and four of five, none of two.
    #[inline(always)]
    unsafe fn rows<const V: usize, const QUADS: bool>(&self, x: *const i16, rows: usize, to: &Outputs) {
        let blocks = rows.div_ceil(T::HEIGHTS[V - 1]);
        let mut row = 0;
        for block in 0..blocks {
            let height = rows / blocks + usize::from(block < rows % blocks);
            // SAFETY: `row + height <= rows`.
            unsafe {
                let (x, out) = (x.add(row * self.inputs), to.out.add(row * to.stride));
                T::product::<V, QUADS>(self, height, x, to, out);
            }
            row += height;
        }
    }

    /// `out = finish(sat16((start + rshift(x W, s1) m) >> s2))` of `R` rows.
    ///
    /// # Safety
    /// The processor has the vector's instructions; there are `R` rows of `x` and `out`.
    #[inline(always)]
    pub(super) unsafe fn product<const R: usize, const V: usize, const QUADS: bool>(
        &self,
        x: *const i16,
        to: &Outputs,
        out: *mut i16,
    ) {
        // SAFETY: as of the caller.
        unsafe {
            for (r, sums) in self.sums::<R, V, QUADS>(x).into_iter().enumerate() {
                let mut z = self.scaled(sums);
                for (v, z) in z.iter_mut().enumerate() {
                    let t = z.plus(T::load(to.start.as_ptr().add(v * T::LANES)));
                    *z = t.shifted_right(to.finish.shift);
                }
                T::finish(z, to.finish.sigmoid, out.add(r * to.stride), to.width);
            }
        }
    }

    /// `t += rshift(x W, s1) m`: heights of 4 and 1 alone, since the few rows are a block of candidates, or a user.
    #[inline(always)]
    unsafe fn add_rows<const V: usize>(&self, x: *const i16, rows: usize, t: *mut i32) {
        let mut row = 0;
        while row < rows {
            // SAFETY: as many rows as are left.
            unsafe {
                let (x, t) = (x.add(row * self.inputs), t.add(row * self.stride));
                if rows - row >= 4 {
                    T::add::<4, V>(self, x, t);
                    row += 4;
                } else {
                    T::add::<1, V>(self, x, t);
                    row += 1;
                }
            }
        }
    }

    /// `t += rshift(x W, s1) m` of `R` rows.
    ///
    /// # Safety
    /// The processor has the vector's instructions; there are `R` rows of `x` and `t`.
    #[inline(always)]
    pub(super) unsafe fn add<const R: usize, const V: usize>(&self, x: *const i16, t: *mut i32) {
        // SAFETY: as of the caller.
        unsafe {
            for (r, sums) in self.sums::<R, V, true>(x).into_iter().enumerate() {
                for (v, sum) in self.scaled(sums).into_iter().enumerate() {
                    let t = t.add(r * self.stride + v * T::LANES);
                    if v + 1 < V || self.tail == T::LANES {
                        T::load(t).plus(sum).store(t);
                    } else {
                        T::load_some(t, self.mask).plus(sum).store_some(t, self.mask);
                    }
                }
            }
        }
    }

    /// `rshift(sums, s1) m`.
    #[inline(always)]
    unsafe fn scaled<const V: usize>(&self, mut sums: [T; V]) -> [T; V] {
        // SAFETY: two vectors of multipliers, and at most as many of sums.
        unsafe {
            let half = T::all((1 << self.shift) >> 1);
            for (v, sum) in sums.iter_mut().enumerate() {
                let m = T::load(self.multipliers.as_ptr().add(v * T::LANES));
                *sum = sum.plus(half).shifted_right(self.shift).times(m);
            }
        }
        sums
    }

    /// `[R, D] x [D, LANES V] -> [R, LANES V]`, sums in registers. The loops over `R` and `V` unroll.
    #[inline(always)]
    unsafe fn sums<const R: usize, const V: usize, const QUADS: bool>(&self, x: *const i16) -> [[T; V]; R] {
        // SAFETY: the caller vouches for the rows and the columns.
        unsafe {
            let mut sums = [[T::zero(); V]; R];
            let every = T::mask(black_box(T::LANES));
            let mut group = self.weights;
            let row = |r: usize| x.wrapping_add(r * self.inputs);
            if QUADS {
                for quad in 0..self.inputs / 4 {
                    let at = 4 * quad;
                    multiply(
                        &mut sums,
                        every,
                        |v| self.load::<V>(group, v).evens(),
                        |r| pair(row(r).add(at)),
                    );
                    multiply(
                        &mut sums,
                        every,
                        |v| self.load::<V>(group, v).odds(),
                        |r| pair(row(r).add(at + 2)),
                    );
                    group = group.wrapping_add(self.stride);
                }
                let rest = self.inputs % 4;
                if rest > 0 {
                    let (at, low) = (self.inputs - rest, rest.min(2));
                    let high = rest - low;
                    multiply(
                        &mut sums,
                        every,
                        |v| self.load::<V>(group, v).evens(),
                        |r| some(row(r).add(at), low),
                    );
                    let after = at + low;
                    multiply(
                        &mut sums,
                        every,
                        |v| self.load::<V>(group, v).odds(),
                        |r| some(row(r).add(after), high),
                    );
                }
            } else {
                for index in 0..self.inputs / 2 {
                    multiply(&mut sums, every, |v| self.load::<V>(group, v), |r| pair(row(r).add(2 * index)));
                    group = group.wrapping_add(self.stride);
                }
                if self.inputs % 2 == 1 {
                    let last = self.inputs - 1;
                    multiply(&mut sums, every, |v| self.load::<V>(group, v), |r| some(row(r).add(last), 1));
                }
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn load<const V: usize>(&self, group: *const i32, v: usize) -> T {
        // SAFETY: the caller vouches for the columns of the strip.
        unsafe {
            let from = group.add(v * T::LANES);
            if v + 1 < V || self.tail == T::LANES { T::load(from) } else { T::load_some(from, self.mask) }
        }
    }
}

/// `sums += weights x` for two inputs of each row.
#[inline(always)]
unsafe fn multiply<T: Vector, const R: usize, const V: usize>(
    sums: &mut [[T; V]; R],
    every: T::Mask,
    weights: impl Fn(usize) -> T,
    input: impl Fn(usize) -> T,
) {
    // SAFETY: as of the caller.
    let mut held = unsafe { [T::zero(); V] };
    for (v, held) in held.iter_mut().enumerate() {
        *held = weights(v);
    }
    for (r, sums) in sums.iter_mut().enumerate() {
        let x = input(r);
        for (sum, weights) in sums.iter_mut().zip(held) {
            // SAFETY: as of the caller.
            *sum = unsafe { sum.plus_products(x, weights, every) };
        }
    }
}
