//! A user's keys, in the order in which they are multiplied: of every two rows two inputs of one, then two of the other, and
//! so on; one of each in the end where a row has an odd number. A load brings both rows.

use super::weigh::{self, Weigh};
use super::{is_aligned, pair_of, words};
use crate::chunks;
use crate::kernels::copy;

/// See [`IntegerKernel::arrange`](crate::kernels::integer::IntegerKernel::arrange).
#[inline(never)]
pub(in super::super) fn arrange(rows: &mut [i16], width: usize, room: &mut [i16]) {
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
pub(super) fn undo(rows: &mut [i16], width: usize, room: &mut [i16]) {
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

/// See [`IntegerKernel::weighted_sum`](crate::kernels::integer::IntegerKernel::weighted_sum).
#[inline(never)]
pub(in super::super) fn weighted_sum(weights: &[i32], keys: &[i16], sums: &mut [i32]) {
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
