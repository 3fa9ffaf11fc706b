//! `[N, D] x [D, H] -> [N, H]`: columns in strips, rows in blocks, the sums of a tile in registers.

use super::Vector;
use crate::kernels::operands::Operands;
use crate::kernels::{Finish, Matrix, OwnMatrix, Rows, Start, as_weights};
use core::ops::Range;

/// See [`Kernel::product`](crate::kernels::Kernel::product).
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn product<T: Vector>(
    x: &[f32],
    w: Matrix<'_>,
    start: Start<'_>,
    finish: Finish,
    out: Rows<'_>,
) {
    let Some((operands, rows)) = Operands::of(x, w, start, out) else { return };
    let weights = Weights { numbers: w.numbers.0.as_ptr().cast(), stride: w.stride, own: Own::default() };
    // SAFETY: as of the caller; `Operands::of` checked every address.
    unsafe { all_rows::<T, false>(weights, [w.rows, w.columns], operands, rows, finish) };
}

/// See [`Kernel::own_product`](crate::kernels::Kernel::own_product).
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn own_product<T: Vector>(
    x: &[f32],
    own: OwnMatrix<'_>,
    panel: &mut [f32],
    start: Start<'_>,
    finish: Finish,
    out: Rows<'_>,
) {
    let OwnMatrix { query, key, product } = own;
    let matrix = Matrix::whole(as_weights(panel), key.rows, key.columns);
    let Some((operands, rows)) = Operands::of(x, matrix, start, out) else { return };
    if !own.fits(panel) {
        return;
    }
    let panel = panel.as_mut_ptr();
    let own = Own {
        panel,
        query: query.as_ptr(),
        paired: product.rows,
        key: key.numbers.0.as_ptr().cast(),
        key_stride: key.stride,
        product: product.numbers.0.as_ptr().cast(),
        product_stride: product.stride,
    };
    let weights = Weights { numbers: panel, stride: key.columns, own };
    // SAFETY: as of the caller; `Operands::of` and `OwnMatrix::fits` checked every address.
    unsafe { all_rows::<T, true>(weights, [key.rows, key.columns], operands, rows, finish) };
}

/// Where weights are; those of a query's own matrix are written by the rows that are multiplied first.
#[derive(Clone, Copy)]
struct Weights {
    numbers: *const f32,
    stride: usize,
    own: Own,
}

/// What a query's own matrix is made of, and where it is written.
#[derive(Clone, Copy)]
struct Own {
    panel: *mut f32,
    query: *const f32,
    /// P
    paired: usize,
    key: *const f32,
    key_stride: usize,
    product: *const f32,
    product_stride: usize,
}

impl Default for Own {
    fn default() -> Self {
        let none = core::ptr::null();
        let panel = core::ptr::null_mut();
        Self { panel, query: none, paired: 0, key: none, key_stride: 0, product: none, product_stride: 0 }
    }
}

impl Weights {
    /// So many columns later.
    fn columns(self, first: usize) -> Self {
        let own = Own {
            panel: self.own.panel.wrapping_add(first),
            key: self.own.key.wrapping_add(first),
            product: self.own.product.wrapping_add(first),
            ..self.own
        };
        Self { numbers: self.numbers.wrapping_add(first), own, ..self }
    }
}

#[inline(always)]
unsafe fn all_rows<T: Vector, const OWN: bool>(
    weights: Weights,
    [inputs, columns]: [usize; 2],
    operands: Operands,
    rows: usize,
    finish: Finish,
) {
    // What fits half a vector takes half the time in vectors half as wide. Whatever the number of rows: the sigmoids of
    // two kinds of vectors differ in their last bits.
    let tail = columns % T::LANES;
    let narrow = if T::Narrow::LANES < T::LANES && tail <= T::Narrow::LANES { tail } else { 0 };
    let wide = columns - narrow;
    let mut first = 0;
    while first < wide {
        let vectors = T::strip_width((wide - first).div_ceil(T::LANES), rows);
        let width = (vectors * T::LANES).min(wide - first);
        // SAFETY: as of the caller.
        unsafe { strip::<T, OWN>(weights, inputs, operands, first..first + width, rows, finish) };
        first += width;
    }
    if narrow > 0 {
        // SAFETY: as of the caller.
        unsafe { strip::<T::Narrow, OWN>(weights, inputs, operands, wide..columns, rows, finish) };
    }
}

/// One strip of columns.
#[inline(always)]
unsafe fn strip<T: Vector, const OWN: bool>(
    weights: Weights,
    inputs: usize,
    operands: Operands,
    columns: Range<usize>,
    rows: usize,
    finish: Finish,
) {
    let vectors = columns.len().div_ceil(T::LANES);
    let tail = columns.len() - (vectors - 1) * T::LANES;
    // SAFETY: the caller vouches for the columns.
    unsafe {
        let at = Operands {
            start: operands.start.add(columns.start),
            out: operands.out.add(columns.start),
            ..operands
        };
        let weights = weights.columns(columns.start);
        let strip = Strip::<T> { weights, inputs, mask: T::mask(tail), tail, at };
        match finish {
            Finish::Sum => strip.run::<false, OWN>(vectors, rows),
            Finish::Sigmoid => strip.run::<true, OWN>(vectors, rows),
        }
    }
}

/// Some vectors of columns, for all rows.
#[derive(Clone, Copy)]
pub(super) struct Strip<T: Vector> {
    weights: Weights,
    inputs: usize,
    /// Columns of the last vector, at least one.
    tail: usize,
    mask: T::Mask,
    at: Operands,
}

impl<T: Vector> Strip<T> {
    /// Blocks of nearly equal height: 50 rows by six are five of six and four of five, none of two.
    #[inline(always)]
    unsafe fn run<const SIGMOID: bool, const OWN: bool>(self, vectors: usize, rows: usize) {
        let blocks = rows.div_ceil(T::block_height(vectors));
        let (height, taller) = (rows / blocks.max(1), rows % blocks.max(1));
        let mut row = 0;
        for block in 0..blocks {
            let height = height + usize::from(block < taller);
            // SAFETY: `row + height <= rows`.
            unsafe {
                let at = Operands {
                    x: self.at.x.add(row * self.inputs),
                    start: self.at.start.add(row * self.at.start_stride),
                    out: self.at.out.add(row * self.at.out_stride),
                    ..self.at
                };
                let view = Self { at, ..self };
                if OWN && block == 0 {
                    T::tile::<SIGMOID, true>(&view, height, vectors);
                } else {
                    T::tile::<SIGMOID, false>(&view, height, vectors);
                }
            }
            row += height;
        }
    }

    /// `[R, D] x [D, LANES V] -> [R, LANES V]`, sums in registers. The loops over `R` and `V` unroll.
    ///
    /// `OWN`: the weights are made, and written for the tiles of other rows, between the products; there it costs little
    /// more than the two multiplications that it is.
    ///
    /// # Safety
    /// The processor has the vector's instructions; there are `R` rows and `V` vectors of columns.
    #[inline(always)]
    pub(super) unsafe fn tile_of<const R: usize, const V: usize, const SIGMOID: bool, const OWN: bool>(
        &self,
    ) {
        // SAFETY: as of the caller.
        unsafe {
            if self.tail == T::LANES {
                self.tile_with::<R, V, SIGMOID, OWN, true>();
            } else {
                self.tile_with::<R, V, SIGMOID, OWN, false>();
            }
        }
    }

    #[inline(always)]
    unsafe fn tile_with<
        const R: usize,
        const V: usize,
        const SIGMOID: bool,
        const OWN: bool,
        const WHOLE: bool,
    >(
        &self,
    ) {
        // SAFETY: as of `tile_of`.
        unsafe {
            let mut sums = [[T::zero(); V]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    let from = self.at.start.add(r * self.at.start_stride + v * T::LANES);
                    *sum = self.load::<WHOLE>(from, v + 1 < V);
                }
            }
            if OWN {
                let paired = self.weights.own.paired;
                self.multiply::<R, V, PAIRED, WHOLE>(&mut sums, 0..paired);
                self.multiply::<R, V, UNPAIRED, WHOLE>(&mut sums, paired..self.inputs);
            } else {
                self.multiply::<R, V, READY, WHOLE>(&mut sums, 0..self.inputs);
            }
            for (r, mut sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    let to = self.at.out.add(r * self.at.out_stride + v * T::LANES);
                    let sum = if SIGMOID { sum.sigmoid() } else { *sum };
                    self.store::<WHOLE>(to, sum, v + 1 < V);
                }
            }
        }
    }

    /// `sums += x weights` of some inputs.
    #[inline(always)]
    unsafe fn multiply<const R: usize, const V: usize, const SOURCE: u8, const WHOLE: bool>(
        &self,
        sums: &mut [[T; V]; R],
        inputs: Range<usize>,
    ) {
        let Weights { numbers, stride, own } = self.weights;
        for d in inputs {
            // SAFETY: as of `tile_of`.
            unsafe {
                let mut weights = [T::zero(); V];
                let query = if SOURCE == PAIRED { T::all(*own.query.add(d)) } else { weights[0] };
                for (v, weights) in weights.iter_mut().enumerate() {
                    let at = |from: *const f32, stride: usize| from.wrapping_add(d * stride + v * T::LANES);
                    if SOURCE == READY {
                        *weights = self.load::<WHOLE>(at(numbers, stride), v + 1 < V);
                        continue;
                    }
                    *weights = self.load::<WHOLE>(at(own.key, own.key_stride), v + 1 < V);
                    if SOURCE == PAIRED {
                        let product = self.load::<WHOLE>(at(own.product, own.product_stride), v + 1 < V);
                        *weights = weights.plus_product(query, product);
                    }
                    let panel = own.panel.add(d * stride + v * T::LANES);
                    self.store::<WHOLE>(panel, *weights, v + 1 < V);
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = T::all(*self.at.x.add(r * self.inputs + d));
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = sum.plus_product(x, weight);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn load<const WHOLE: bool>(&self, from: *const f32, is_whole: bool) -> T {
        // SAFETY: the caller vouches for the numbers read.
        unsafe { if WHOLE || is_whole { T::load(from) } else { T::load_some(from, self.mask) } }
    }

    /// A masked store costs many times a whole one on AMD's processors: the last columns alone take them.
    #[inline(always)]
    unsafe fn store<const WHOLE: bool>(&self, to: *mut f32, vector: T, is_whole: bool) {
        // SAFETY: the caller vouches for the numbers written.
        unsafe { if WHOLE || is_whole { vector.store(to) } else { vector.store_some(to, self.mask) } }
    }
}

/// Weights are ready to be read.
const READY: u8 = 0;
/// Weights are made of key, query and product.
const PAIRED: u8 = 1;
/// Weights are those of the key.
const UNPAIRED: u8 = 2;
