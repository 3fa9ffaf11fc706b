//! The DSP extension of Cortex-M4, M7 and M33: two 16-bit products to an instruction. Every function checks the lengths
//! that its addresses rely on.
//!
//! The work is `smlad`: two inputs of one column. Weights of one byte become pairs by `sxtb16`, which is why quads are
//! stored in the order d, d + 2, d + 1, d + 3. A query's own matrix is made three columns at a time, in the order in which
//! [`strip`] reads it, and multiplied at once with all rows; other weights are widened to the same order, or read as they
//! are for a single row ([`row`]). What is left over, and what does not fit, goes to the portable kernel.
//!
//! The same code runs with emulated instructions in the tests of any machine, and with the real ones on an emulated 32-bit
//! Arm (`tests/tests/devices.rs`).
#![allow(clippy::indexing_slicing)] // constant indices into arrays of registers
#![allow(unsafe_code)] // loads by address: a bounds check for each would cost what the kernel gains
#![allow(clippy::arithmetic_side_effects)] // counts and addresses within slices whose lengths were checked

/// Link-time optimisation forgets the features of the target: on Armv8-M, where the extension is an option, the assembler
/// must be told of a processor that has it.
#[cfg(din_armv8m)]
macro_rules! processor {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(all(target_arch = "arm", not(din_armv8m)))]
macro_rules! processor {
    () => {
        ""
    };
}
#[cfg(target_arch = "arm")]
use processor;

mod combine;
mod dice;
mod halves;
mod instructions;
mod row;
mod strip;
mod weigh;
mod words;

use super::extents::OwnRows;
use super::{Finish, Own, Parameters, Part, Product, Weights, portable};
use crate::bytes::range;
use crate::chunks;
use crate::fixed::{HALF, Halves, SEGMENTS, clamped_of_half};
use crate::kernels::copy;
use combine::Combine;
use dice::Dice;
use instructions::{qadd16, smlabb, smlad, smlatt, sxtb16, sxtb16_of_rotated, word};
use row::Row;
use strip::Strip;
use weigh::Weigh;

const _: () = assert!(strip::COLUMNS <= super::SCALAR_COLUMNS, "memory is sized for as many");

/// See [`IntegerKernel::product`](super::IntegerKernel::product).
#[inline(never)]
pub(super) fn product(
    product: &Product<'_>,
    x: &mut [i16],
    panel: &mut [i16],
    out: &mut [i16],
    stride: usize,
) {
    let Product { inputs, columns, .. } = *product;
    let fits = fits(inputs, columns) && panel.len() >= strip::COLUMNS * inputs.next_multiple_of(2);
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

/// Whether strips go over a matrix: its last three columns begin with those that are done, if they are not a multiple of
/// three.
const fn fits(inputs: usize, columns: usize) -> bool {
    inputs >= strip::LEAST_INPUTS && columns >= strip::COLUMNS
}

impl Strip {
    /// The first columns, without rows, of outputs that are stored.
    #[inline(always)]
    fn of(
        inputs: usize,
        shift: u8,
        finish: Finish,
        panel: *const i16,
        m: *const u8,
        starts: *const i32,
    ) -> Self {
        let plain = if finish.sigmoid { 0 } else { strip::PLAIN };
        let (half, rest) = (1_i32.wrapping_shl(shift.into()) >> 1, inputs % 8);
        Self {
            shift: shift.into(),
            finish: u32::from(finish.shift) | strip::STORED | plain,
            columns: [[half; 2]; strip::COLUMNS], // nothing yet
            x: panel,
            panel,
            eights: inputs / 8 * 2 - usize::from(rest > 0),
            half: [half, half, half, half, half, half],
            rest,
            pairs: 0,
            segments: SEGMENTS.as_ptr(),
            out: panel.cast_mut(),
            out_stride: 0,
            end: panel.cast_mut(),
            last: starts,
            multipliers: m,
            starts,
        }
    }

    /// All rows against the strip's columns: two at a time, of an odd number the last one alone. Where a last layer follows,
    /// `out` is the rows' sums.
    #[inline(always)]
    unsafe fn all_rows(&mut self, x: *const i16, inputs: usize, out: *mut i16, stride: usize, rows: usize) {
        let twos = rows & !1;
        let last = out.wrapping_byte_add(twos * stride);
        (self.x, self.out, self.end, self.out_stride) = (x, out, last, stride);
        // SAFETY: the caller vouches for every address.
        unsafe {
            if twos > 0 {
                strip::run(self);
            }
            if twos < rows {
                self.last_row(x.add(twos * inputs), inputs, last);
            }
        }
    }

    /// Of an odd number.
    #[inline(never)]
    unsafe fn last_row(&mut self, x: *const i16, inputs: usize, out: *mut i16) {
        (self.pairs, self.x, self.out, self.end, self.out_stride) = (inputs / 2, x, out, out, 0);
        // SAFETY: the caller vouches for every address.
        unsafe {
            if self.finish & strip::STORED != 0 {
                strip::run(self);
            } else {
                let sum = out.cast::<i32>();
                let mut both = [*sum; 2];
                self.out = both.as_mut_ptr().cast();
                (self.end, self.out_stride) = (self.out.add(4), 4);
                strip::run(self);
                [*sum, _] = both;
            }
        }
        self.pairs = 0;
    }
}

/// See [`IntegerKernel::arrange`](super::IntegerKernel::arrange): of every two rows two inputs of one, then two of the other,
/// and so on; one of each in the end where a row has an odd number.
#[inline(never)]
pub(super) fn arrange(rows: &mut [i16], width: usize, room: &mut [i16]) {
    let Some(room) = room.get_mut(..width) else { return };
    for pair in chunks::exact_mut(rows, 2 * width) {
        if width.is_multiple_of(8) && is_aligned(pair.as_ptr()) && is_aligned(room.as_ptr()) {
            // SAFETY: as many words in both.
            unsafe { words::copy(pair.as_ptr().cast(), room.as_mut_ptr().cast(), width / 8) };
        } else {
            copy(pair.iter().copied(), room);
        }
        let (mut to, mut first) = (pair.as_mut_ptr(), room.as_ptr());
        let mut second = to.wrapping_add(width).cast_const();
        // SAFETY: a pair is two rows. What is written of the second was read before.
        unsafe {
            for _ in 0..width / 2 {
                let two = [pair_of(first), pair_of(second)];
                to.cast::<[u32; 2]>().write_unaligned(two);
                (to, first, second) = (to.add(4), first.add(2), second.add(2));
            }
            if width % 2 == 1 {
                to.write(*first); // the second's last is where it was
            }
        }
    }
}

/// Rows as they were before [`arrange`].
#[inline(never)]
fn undo(rows: &mut [i16], width: usize, room: &mut [i16]) {
    let Some(room) = room.get_mut(..width) else { return };
    for pair in chunks::exact_mut(rows, 2 * width) {
        let (first, pair_at, even) = (room.as_mut_ptr(), pair.as_mut_ptr(), width & !1);
        // SAFETY: a pair is two rows. What is written of the second was read before.
        unsafe {
            for d in (0..even).step_by(2) {
                first.add(d).cast::<u32>().write_unaligned(pair_of(pair_at.add(2 * d)));
            }
            if even < width {
                first.add(even).write(*pair_at.add(2 * even)); // the second's last is where it was
            }
            for d in (0..even).step_by(2).rev() {
                pair_at.add(width + d).cast::<u32>().write_unaligned(pair_of(pair_at.add(2 * d + 2)));
            }
        }
        copy(room.iter().copied(), pair);
    }
}

/// Where in an arranged pair an input of a row is.
#[inline(always)]
const fn place(width: usize, row: usize, d: usize) -> usize {
    if d + 1 == width && d.is_multiple_of(2) { 2 * d + row } else { 4 * (d / 2) + 2 * row + d % 2 }
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

/// Two numbers, wherever they lie: the cores load words from any address.
#[inline(always)]
unsafe fn pair_of(from: *const i16) -> u32 {
    // SAFETY: the caller vouches for two numbers.
    unsafe { from.cast::<u32>().read_unaligned() }
}

/// The first `count` of four numbers, and zeros.
#[inline(never)]
unsafe fn some(from: *const i16, count: usize) -> [u32; 2] {
    // SAFETY: the caller vouches for `count` numbers.
    let number = |d: usize| if d < count { i32::from(unsafe { *from.add(d) }) } else { 0 };
    [word(number(0), number(1)), word(number(2), number(3))]
}

/// See [`IntegerKernel::add`](super::IntegerKernel::add).
#[inline(never)]
pub(super) fn add(part: &Part<'_>, x: &[i16], t: &mut [i32]) {
    let is_whole =
        part.rows(x, t).is_some() && is_aligned(part.weight.as_ptr()) && part.inputs >= row::LEAST_INPUTS;
    let most = if is_whole { part.outputs / row::COLUMNS } else { 0 };
    let (half, quads, rest) = (1_i32.wrapping_shl(part.shift.into()) >> 1, part.inputs / 4, part.inputs % 4);
    for (x, t) in chunks::exact(x, part.inputs).zip(chunks::exact_mut(t, part.outputs)) {
        // Later rows of an odd number of inputs may lie between words.
        let fours = if is_aligned(x.as_ptr()) { most } else { 0 };
        if fours > 0 {
            let mut row = Row {
                fours,
                weights: part.weight.as_ptr(),
                x: x.as_ptr(),
                stride: (4 * part.outputs + ((quads / 2 - 1) << 16)) as u32,
                half: [half, half, half, half],
                shift: part.shift.into(),
                more: if quads % 2 == 1 { row::WHOLE } else { 0 },
                rest: [0; 2],
                multipliers: part.multipliers.as_ptr(),
                t: t.as_mut_ptr(),
            };
            // SAFETY: `Part::rows` checked every address.
            unsafe {
                if rest > 0 {
                    row.more |= row::REST;
                    row.rest = some(x.as_ptr().add(4 * quads), rest);
                }
                row::run(&mut row);
            }
        }
        if fours * row::COLUMNS < part.outputs {
            portable::add_row(part, x, fours * row::COLUMNS, t);
        }
    }
}

/// See [`IntegerKernel::start`](super::IntegerKernel::start).
#[inline(never)]
pub(super) fn start(from: &[u8], t: &mut [i32]) {
    if is_aligned(from.as_ptr()) {
        // SAFETY: as many numbers, where such may be, and any bits are an i32.
        return copy_all(unsafe { core::slice::from_raw_parts(from.as_ptr().cast(), from.len() / 4) }, t);
    }
    for (t, number) in t.iter_mut().zip(from.as_chunks::<4>().0) {
        *t = i32::from_le_bytes(*number);
    }
}

/// See [`IntegerKernel::copy`](super::IntegerKernel::copy).
#[inline(never)]
pub(super) fn copy_all(from: &[i32], to: &mut [i32]) {
    let len = from.len().min(to.len());
    let count = len / 4;
    if count > 0 {
        // SAFETY: as many words in both.
        unsafe { words::copy(from.as_ptr(), to.as_mut_ptr(), count) };
    }
    for index in 4 * count..len {
        // SAFETY: below the length of both.
        unsafe { *to.get_unchecked_mut(index) = *from.get_unchecked(index) };
    }
}

/// See [`IntegerKernel::dots`](super::IntegerKernel::dots).
#[inline(never)]
pub(super) fn dots(part: &Part<'_>, x: &[i16], sums: &mut [i32]) {
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

/// See [`IntegerKernel::own_product`](super::IntegerKernel::own_product).
pub(super) fn own_product(own: &Own<'_>, x: &mut [i16], panels: &mut [i16], out: &mut [i16]) {
    if !own_strips(own, None, x, panels, out, &mut []) {
        in_their_order(own, x, panels, |x, panels| portable::own_product(own, x, panels, out));
    }
}

/// See [`IntegerKernel::own_totals`](super::IntegerKernel::own_totals).
pub(super) fn own_totals(own: &Own<'_>, x: &mut [i16], panels: &mut [i16], totals: &mut [i32]) {
    in_their_order(own, x, panels, |x, panels| portable::own_totals(own, x, panels, totals));
}

/// What the portable kernel does of arranged rows.
fn in_their_order(own: &Own<'_>, x: &mut [i16], panels: &mut [i16], work: impl FnOnce(&[i16], &mut [i16])) {
    undo(x, own.part.inputs, panels);
    work(x, panels);
    arrange(x, own.part.inputs, panels);
}

/// See [`IntegerKernel::own_dots`](super::IntegerKernel::own_dots).
pub(super) fn own_dots(
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
        .filter(|_| fits(inputs, outputs))
        .filter(|_| {
            let tables = part.weight.as_ptr().addr() | part.base.as_ptr().addr();
            (panels.as_ptr().addr() | x.as_ptr().addr() | tables).is_multiple_of(4)
        });
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
                    combine_rest(part, query, first, combined.panel);
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

/// Whether several words are read from there by one instruction: where they are not at a multiple of four, that is a fault.
fn is_aligned<N>(from: *const N) -> bool {
    from.cast::<u32>().is_aligned()
}

/// Three columns of a query's own matrix after its whole quads, as a strip reads them.
#[inline(never)]
unsafe fn combine_rest(part: &Part<'_>, query: &[i16], first: usize, panel: *mut i16) {
    // Two inputs of a column are four bytes, as are four weights of one byte.
    let stride = 4 * part.outputs;
    let (quads, rest) = query.as_chunks::<4>();
    let done = 2 * quads.len();
    // SAFETY: the caller vouches for the columns.
    unsafe {
        let base = part.base.as_ptr().add(4 * first);
        let weights = part.weight.as_ptr().wrapping_add(4 * first);
        let rest = some(rest.as_ptr(), rest.len());
        for index in done..part.inputs.div_ceil(2) {
            for c in 0..strip::COLUMNS {
                let mut combined = pair_of(base.add(index * stride + 4 * c).cast());
                // A query of as many inputs as rows of weights ends in a quad that is partly zero.
                if 2 * index < query.len() {
                    let quad = pair_of(weights.add(quads.len() * stride + 4 * c).cast());
                    let [even, odd] = [sxtb16(quad), sxtb16_of_rotated(quad)];
                    let (weights, query) = if index == done { (even, rest[0]) } else { (odd, rest[1]) };
                    combined = self::combined(combined, weights, query);
                }
                panel.cast::<u32>().add(index * strip::COLUMNS + c).write(combined);
            }
        }
    }
}

/// `sat16(base + rshift(w q, 8))` of two inputs.
#[inline(always)]
fn combined(base: u32, weights: u32, query: u32) -> u32 {
    let (first, second) = (smlabb(weights, query, 128), smlatt(weights, query, 128));
    qadd16(base, word(first >> 8, second >> 8))
}

/// See [`IntegerKernel::weighted_sum`](super::IntegerKernel::weighted_sum).
#[inline(never)]
pub(super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
    let width = sums.len();
    let rows = chunks::count(keys.len(), width).min(weights.len());
    // A softmax gives 32768 where one behaviour has it all.
    let are_short = weights.iter().fold(0, |all, weight| all | weight ^ weight >> 31) <= i32::from(i16::MAX);
    let fits = rows >= 2 && are_short && is_aligned(keys.as_ptr());
    let fours = if fits { width / weigh::COLUMNS } else { 0 };
    if fours > 0 {
        let (stride, pairs, sums) = (4 * width, rows / 2, sums.as_mut_ptr());
        let mut weigh = Weigh { keys: keys.as_ptr(), weights: weights.as_ptr(), stride, pairs, fours, sums };
        // SAFETY: as many rows of `width` numbers as weights. Of an odd width pairs are where words are, too.
        unsafe { weigh::run(&mut weigh) };
    }
    for (d, sum) in sums.iter_mut().enumerate().skip(weigh::COLUMNS * fours) {
        *sum = 0;
        for (row, weight) in weights.iter().enumerate().take(rows & !1) {
            let at = row / 2 * 2 * width + place(width, row % 2, d);
            // SAFETY: the places are those of a pair.
            *sum = sum.wrapping_add(weight.wrapping_mul(unsafe { *keys.get_unchecked(at) }.into()));
        }
    }
    if rows % 2 == 1
        && let (Some(weight), Some(key)) = (weights.get(rows - 1), keys.get((rows - 1) * width..))
    {
        for (sum, key) in sums.iter_mut().zip(key) {
            *sum = sum.wrapping_add(weight.wrapping_mul((*key).into()));
        }
    }
}

/// See [`IntegerKernel::round_halves`](super::IntegerKernel::round_halves).
#[inline(never)]
pub(super) fn round_halves(row: &[u8], fraction: i8, limit: u16, out: &mut [i16]) {
    let Halves { unshifted, first, count, .. } = Halves::new(fraction, limit);
    let row = row.as_chunks::<2>().0;
    let len = row.len().min(out.len());
    let (mut from, mut to) = (row.as_ptr(), out.as_mut_ptr());
    let mut halves = halves::Halves { first, count, unshifted, twice: 1 << 11, left: len };
    while halves.left > 0 {
        // SAFETY: as many halves, and numbers, are left.
        unsafe {
            halves::run(&mut halves, from.cast(), to);
            let done = len - halves.left;
            (from, to) = (row.as_ptr().add(done), out.as_mut_ptr().add(done));
            if halves.left > 0 {
                to.write(clamped_of_half(u16::from_le_bytes(*from), fraction, limit));
                (from, to) = (from.add(1), to.add(1));
                halves.left -= 1;
            }
        }
    }
}

/// See [`IntegerKernel::dice`](super::IntegerKernel::dice).
#[inline(never)]
pub(super) fn dice(parameters: &Parameters<'_>, outputs: usize, rows: &mut [i16]) {
    for row in chunks::up_to_mut(rows, outputs) {
        dice_of(parameters, 0, &[], row);
    }
}

/// See [`IntegerKernel::dice_of`](super::IntegerKernel::dice_of); in place where there is no `t`.
#[inline(never)]
pub(super) fn dice_of(parameters: &Parameters<'_>, shift: u8, t: &[i32], row: &mut [i16]) {
    let outputs = row.len();
    let is_long = t.len() >= outputs;
    if outputs == 0 || !parameters.holds_dice(outputs) || !is_long && !t.is_empty() {
        return; // the loader sees to it that there are
    }
    let Parameters { a, b, alpha, e } = *parameters;
    let dice = Dice {
        row: row.as_mut_ptr(),
        a: a.as_ptr(),
        b: b.as_ptr(),
        alpha: alpha.as_ptr(),
        e: e.as_ptr(),
        segments: SEGMENTS.as_ptr(),
        outputs: (outputs - 1) << 8 | usize::from(shift),
        t: if is_long { t.as_ptr() } else { core::ptr::null() },
    };
    // SAFETY: as many numbers as outputs, as was checked.
    unsafe { dice::run(&dice) };
}
