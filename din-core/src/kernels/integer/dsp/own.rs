//! Products with a query's own matrix: made three columns at a time, in the order in which [`strip`] reads them, and
//! multiplied at once with all rows.

use super::combine::{self, Combine};
use super::keys::{arrange, undo};
use super::strip::{self, Strip};
use super::{is_aligned, pair_of};
use crate::bytes::range;
use crate::fixed::HALF;
use crate::kernels::integer::extents::OwnRows;
use crate::kernels::integer::{Own, Part, portable};

/// See [`IntegerKernel::own_product`](crate::kernels::integer::IntegerKernel::own_product).
pub(in super::super) fn own_product(own: &Own<'_>, x: &mut [i16], panels: &mut [i16], out: &mut [i16]) {
    if !own_strips(own, None, x, panels, out, &mut []) {
        in_their_order(own, x, panels, |x, panels| portable::own_product(own, x, panels, out));
    }
}

/// See [`IntegerKernel::own_totals`](crate::kernels::integer::IntegerKernel::own_totals).
pub(in super::super) fn own_totals(own: &Own<'_>, x: &mut [i16], panels: &mut [i16], totals: &mut [i32]) {
    in_their_order(own, x, panels, |x, panels| portable::own_totals(own, x, panels, totals));
}

/// What the portable kernel does of arranged rows.
fn in_their_order(own: &Own<'_>, x: &mut [i16], panels: &mut [i16], work: impl FnOnce(&[i16], &mut [i16])) {
    undo(x, own.part.inputs, panels);
    work(x, panels);
    arrange(x, own.part.inputs, panels);
}

/// See [`IntegerKernel::own_dots`](crate::kernels::integer::IntegerKernel::own_dots).
pub(in super::super) fn own_dots(
    own: &Own<'_>,
    last: &Part<'_>,
    x: &mut [i16],
    panels: &mut [i16],
    room: &mut [i16],
    sums: &mut [i32],
) {
    let is_whole = own.finish.sigmoid
        && last.inputs == own.part.outputs
        && last.outputs == 1
        && last.holds_weights(last.inputs);
    if !is_whole || !own_strips(own, Some(last), x, panels, room, sums) {
        in_their_order(own, x, panels, |x, panels| portable::own_dots(own, last, x, panels, sums));
    }
}

/// Both `own_product` and `own_dots`; whether the slices are as long as they have to be, else nothing is computed. A last
/// layer has its weights written into `out` as numbers of 32 bits, and its sums into `sums`.
#[inline(never)]
fn own_strips(
    own: &Own<'_>,
    last: Option<&Part<'_>>,
    x: &[i16],
    panels: &mut [i16],
    out: &mut [i16],
    sums: &mut [i32],
) -> bool {
    let part = &own.part;
    let (inputs, outputs) = (part.inputs, part.outputs);
    let held = own
        .rows(x, panels, strip::COLUMNS)
        .filter(|held| last.is_some() || held.of(outputs) <= out.len())
        .filter(|_| strip::fits(inputs, outputs))
        .filter(|_| is_aligned(part.weight.as_ptr()) && is_aligned(part.base.as_ptr()))
        .filter(|_| is_aligned(panels.as_ptr()) && is_aligned(x.as_ptr()));
    let Some(OwnRows { candidates, paired, rows }) = held else { return false };
    let (multipliers, mut starts) = (part.multipliers.as_ptr(), own.starts.as_ptr());
    let panel = panels.as_mut_ptr();
    let mut strip = Strip::of(inputs, part.shift, own.finish, panel, multipliers, starts);
    // Bytes from column to column, and from row to row.
    let (mut to, mut step, mut stride) = (out.as_mut_ptr(), 2, 2 * outputs);
    let mut lasts = core::ptr::null::<i32>();
    if let Some(last) = last {
        let quads = outputs.div_ceil(4);
        if out.len() < 8 * quads || !is_aligned(out.as_ptr()) || sums.len() != candidates * rows {
            return false;
        }
        let weights = out.as_mut_ptr().cast::<[i32; 4]>();
        let mut total = 0_i32;
        for quad in 0..quads {
            // SAFETY: the part holds its weights, and there is room for as many quads.
            unsafe {
                let mut word = pair_of(last.weight.as_ptr().cast::<i16>().add(2 * quad));
                // Of inputs that there are: d, d + 2, d + 1, d + 3.
                match outputs - 4 * quad {
                    1 => word &= 0xff,
                    2 => word &= 0x00ff_00ff,
                    3 => word &= 0x00ff_ffff,
                    _ => {}
                }
                let byte = |place: u32| (word << (24 - 8 * place)).cast_signed() >> 24;
                let [w0, w1, w2, w3] = [byte(0), byte(2), byte(1), byte(3)];
                weights.add(quad).write([w0, w1, w2, w3]);
                total = total.wrapping_add(w0 + w1 + w2 + w3);
            }
        }
        lasts = weights.cast();
        // What the sums are told less.
        sums.fill(total.wrapping_mul(HALF));
        strip.finish &= !strip::STORED;
        (to, step, stride) = (sums.as_mut_ptr().cast(), 0, 4); // an i32 for each row
    }
    let quads = paired / 4;
    let mut combined = Combine {
        base: part.base.as_ptr(),
        weights: part.weight.as_ptr(),
        panel,
        // Two inputs of a column are four bytes, as are four weights of one byte.
        stride: (4 * outputs + (quads.wrapping_sub(1) << 16)) as u32,
        query: own.queries.as_ptr(),
        half: combine::HALF,
        mask: combine::MASK,
    };
    let mut overlapping;
    for candidate in 0..candidates {
        let query = range(own.queries, candidate.wrapping_mul(paired), paired);
        combined.query = query.as_ptr();
        let mut done = 0;
        while done < outputs {
            let first = done.min(outputs - strip::COLUMNS);
            // SAFETY: `Own::rows` checked every address.
            unsafe {
                if quads > 0 {
                    combined.base = part.base.as_ptr().add(4 * first);
                    combined.weights = part.weight.as_ptr().add(4 * first);
                    combine::run(&combined);
                }
                if 4 * quads < inputs {
                    combine::rest(part, query, first, combined.panel);
                }
                strip.multipliers = multipliers.add(2 * first);
                strip.starts = starts.add(first);
                strip.last = lasts.wrapping_add(first);
                if done > first && !lasts.is_null() {
                    // Columns that are done are computed again, and counted once.
                    overlapping = strip.last.cast::<[i32; strip::COLUMNS]>().read();
                    overlapping.iter_mut().take(done - first).for_each(|weight| *weight = 0);
                    strip.last = overlapping.as_ptr();
                }
                strip.all_rows(x.as_ptr(), inputs, to.byte_add(step * first), stride, rows);
            }
            done = first + strip::COLUMNS;
        }
        starts = starts.wrapping_add(outputs);
        to = to.wrapping_byte_add(rows * stride);
    }
    true
}
