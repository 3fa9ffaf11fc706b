//! What the rankers of both paths do with a slate: they score it block by block, and keep the best.

use crate::blocking::Blocking;
use crate::chunks;
use crate::error::ScoreError;
use crate::model::{Group, Model};
use crate::value::Value;

/// The candidates of a slate, `[N, candidate fields]` row-major, for whose scores there is `room`.
pub(crate) fn candidates_of<'c>(
    model: &Model<'_>,
    slate: &'c [Value],
    room: usize,
) -> Result<impl Iterator<Item = &'c [Value]> + use<'c>, ScoreError> {
    let (_, fields) = model.field_range(Group::Candidate);
    let count = slate.len().checked_div(fields).unwrap_or_default();
    if count.wrapping_mul(fields) != slate.len() {
        let group = Group::Candidate.name();
        return Err(ScoreError::FieldCount { group, needed: fields, found: slate.len() });
    }
    if room < count {
        return Err(ScoreError::OutputTooSmall { needed: count, found: room });
    }
    Ok(chunks::exact(slate, fields))
}

/// Visits the candidates in blocks of [`Blocking::candidates`], each with the index of its first.
pub(crate) fn for_each_block<'c>(
    slate: impl IntoIterator<Item = &'c [Value]>,
    mut visit: impl FnMut(usize, &[&[Value]]) -> Result<(), ScoreError>,
) -> Result<(), ScoreError> {
    const CANDIDATES: usize = Blocking::NATIVE.candidates();
    let mut slate = slate.into_iter();
    let mut first = 0_usize;
    loop {
        let block: heapless::Vec<&[Value], CANDIDATES> = slate.by_ref().take(CANDIDATES).collect();
        if block.is_empty() {
            return Ok(());
        }
        visit(first, &block)?;
        first = first.saturating_add(block.len());
    }
}

/// Inserts an entry before the first that it is better than; the last of a full list makes room.
pub(crate) fn keep_best<R, const K: usize>(
    top: &mut heapless::Vec<R, K>,
    entry: R,
    is_worse: impl Fn(&R) -> bool,
) {
    let place = top.iter().position(is_worse).unwrap_or(top.len());
    if top.is_full() && place < top.len() {
        top.pop();
    }
    // Full, and no better than the last: the insertion is refused, as it should be.
    let _ = top.insert(place, entry);
}

/// The same in a slice, of which `kept` entries are filled so far.
pub(crate) fn keep_best_in<R>(top: &mut [R], kept: &mut usize, mut entry: R, is_worse: impl Fn(&R) -> bool) {
    let filled = top.get(..*kept).unwrap_or_default();
    let place = filled.iter().position(is_worse).unwrap_or(filled.len());
    *kept = kept.saturating_add(1).min(top.len());
    // Each entry takes the place of the next; of a full list the last is left over.
    for each in top.get_mut(place..*kept).unwrap_or_default() {
        core::mem::swap(each, &mut entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_and_a_list_keep_the_same_best_in_the_same_order() {
        let logits = [3, 1, 3, 7, 7, 0, 9, 3, 1, 8];
        let entries = || logits.into_iter().zip(0..);
        let mut list = heapless::Vec::<(i32, usize), 4>::new();
        entries().for_each(|entry| keep_best(&mut list, entry, |kept| kept.0 < entry.0));
        for room in 0..12 {
            let (mut top, mut kept) = ([(0, 0); 12], 0);
            entries().for_each(|entry| {
                keep_best_in(&mut top[..room], &mut kept, entry, |kept| kept.0 < entry.0);
            });
            assert_eq!(kept, room.min(10));
            let mut sorted: std::vec::Vec<_> = entries().collect();
            sorted.sort_by_key(|(logit, _)| -logit);
            assert_eq!(top[..kept], sorted[..kept]);
            if room == 4 {
                assert_eq!(top[..kept], *list);
            }
        }
    }
}
