//! What the rankers of both paths do with a slate: they score it block by block, and keep the best.

use crate::error::ScoreError;
use crate::model::{Group, Model};
use crate::sizes::Blocking;
use crate::value::Value;

/// The candidates of a slate, `[N, candidate fields]` row-major, for whose scores there is `room`.
pub(crate) fn candidates_of<'c>(
    model: &Model<'_>,
    slate: &'c [Value],
    room: usize,
) -> Result<impl Iterator<Item = &'c [Value]> + use<'c>, ScoreError> {
    let (_, fields) = model.field_range(Group::Candidate);
    let candidates = slate.chunks_exact(fields.max(1));
    if !candidates.remainder().is_empty() || (fields == 0 && !slate.is_empty()) {
        let group = Group::Candidate.name();
        return Err(ScoreError::FieldCount { group, needed: fields, found: slate.len() });
    }
    if room < candidates.len() {
        return Err(ScoreError::OutputTooSmall { needed: candidates.len(), found: room });
    }
    Ok(candidates)
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
