//! Products with weights as the model has them, of one byte: by strips, for which three columns at a time are widened; those
//! of one output by the words that the weights are in.

use super::instructions::{smlad, sxtb16, sxtb16_of_rotated};
use super::keys::arrange;
use super::strip::{self, Strip};
use super::{is_aligned, pair_of, some};
use crate::chunks;
use crate::kernels::integer::{Part, Product, Weights, portable};

/// See [`IntegerKernel::product`](crate::kernels::integer::IntegerKernel::product).
#[inline(never)]
pub(in super::super) fn product(
    product: &Product<'_>,
    x: &mut [i16],
    panel: &mut [i16],
    out: &mut [i16],
    stride: usize,
) {
    let Product { inputs, columns, .. } = *product;
    let fits = strip::fits(inputs, columns) && panel.len() >= strip::COLUMNS * inputs.next_multiple_of(2);
    let held = product
        .rows(x, out, stride)
        .filter(|rows| fits && *rows > 0 && is_aligned(panel.as_ptr()) && is_aligned(x.as_ptr()));
    let (Weights::Quads(weights), Some(rows)) = (product.weights, held) else {
        return portable::product(product, x, out, stride);
    };
    let x = x.get_mut(..rows * inputs).unwrap_or_default();
    arrange(x, inputs, panel);
    let panel = panel.as_mut_ptr();
    let mut strip = Strip::of(
        inputs,
        product.shift,
        product.finish,
        panel,
        product.multipliers.as_ptr(),
        product.start.as_ptr(),
    );
    let mut first = 0;
    while first < columns {
        first = first.min(columns - strip::COLUMNS);
        // SAFETY: `Product::rows` checked every address but the panel's, which was checked here.
        unsafe {
            widen(weights.as_ptr().add(4 * first), 4 * columns, inputs, strip::COLUMNS, panel);
            strip.multipliers = product.multipliers.as_ptr().add(2 * first);
            strip.starts = product.start.as_ptr().add(first);
            strip.all_rows(x.as_ptr(), inputs, out.as_mut_ptr().add(first), 2 * stride, rows);
        }
        first += strip::COLUMNS;
    }
}

/// Some columns of weights of one byte, two inputs to a word, the words of a pair of inputs side by side.
#[inline(never)]
unsafe fn widen(weights: *const u8, stride: usize, inputs: usize, columns: usize, panel: *mut i16) {
    let mut to = panel.cast::<u32>();
    for pair in 0..inputs.div_ceil(2) {
        for c in 0..columns {
            // SAFETY: the caller vouches for the quads, and for the panel.
            unsafe {
                let quad = pair_of(weights.add(pair / 2 * stride + 4 * c).cast());
                to.write(if pair % 2 == 0 { sxtb16(quad) } else { sxtb16_of_rotated(quad) });
                to = to.add(1);
            }
        }
    }
}

/// See [`IntegerKernel::dots`](crate::kernels::integer::IntegerKernel::dots).
#[inline(never)]
pub(in super::super) fn dots(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
    if part.outputs != 1 || !part.holds_weights(part.inputs) {
        return portable::dots(part, x, sums);
    }
    for (x, sum) in chunks::exact(x, part.inputs).zip(sums) {
        *sum = dot(part, x);
    }
}

/// Of one row, by weights of one byte.
#[inline(always)]
fn dot(part: &Part<'_>, x: &[i16]) -> i32 {
    let (quads, rest) = x.get(..part.inputs).unwrap_or_default().as_chunks::<4>();
    let mut weights = part.weight.as_ptr().cast::<i16>();
    let mut sum = 0;
    // SAFETY: weights for every input.
    let mut add = |[first, second]: [u32; 2]| unsafe {
        let quad = pair_of(weights);
        sum = smlad(second, sxtb16_of_rotated(quad), smlad(first, sxtb16(quad), sum));
        weights = weights.add(2);
    };
    for x in quads {
        // SAFETY: four numbers.
        add(unsafe { x.as_ptr().cast::<[u32; 2]>().read_unaligned() });
    }
    if !rest.is_empty() {
        // SAFETY: as many numbers.
        add(unsafe { some(rest.as_ptr(), rest.len()) });
    }
    sum
}
