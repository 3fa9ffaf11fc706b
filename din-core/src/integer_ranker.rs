//! Scores candidates in integers, in memory that the caller provides.

mod memory;
mod slate;

use crate::blocking::Blocking;
use crate::error::ScoreError;
use crate::fixed::score;
use crate::inputs::{Newest, check_count, columns_of, key_columns};
use crate::integer::layer::Layer;
use crate::integer::pooling;
use crate::kernels::integer::{IntegerKernel, narrow, sum};
use crate::manifest::{MAX_SEQUENCES, Pooling};
use crate::model::{Group, Model};
use crate::ranker::User;
use crate::slate::{candidates_of, for_each_block, keep_best, keep_best_in};
use crate::span::Span;
use crate::value::Value;
use memory::{KeptSequence, Memory};

/// One entry of a ranking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)] // `din-ffi` hands it over as it is
pub struct IntegerRanked {
    /// Position in the slate.
    pub index: usize,
    /// Q16.16; orders the ranking.
    pub logit: i32,
    /// Click probability in Q16: `score / 65536`.
    pub score: u16,
}

/// [`Ranker`](crate::Ranker) of integer blobs: the same methods, and no floating point between the values and the score.
#[derive(Debug)]
pub struct IntegerRanker<'m, 's> {
    model: &'m Model<'m>,
    kernel: IntegerKernel,
    /// head base, what is kept for each sequence, then working memory
    scratch: &'s mut [i32],
    /// Behaviours of each sequence; `None` until a user is set.
    lengths: Option<[u16; MAX_SEQUENCES]>,
}

impl<'m, 's> IntegerRanker<'m, 's> {
    /// A ranker without a user.
    ///
    /// # Errors
    /// [`ScoreError::WrongPath`] for a blob of the f32 path; [`ScoreError::ScratchTooSmall`] under
    /// [`Model::scratch_len`] numbers.
    pub fn new(model: &'m Model<'m>, scratch: &'s mut [i32]) -> Result<Self, ScoreError> {
        if !model.header().is_integer() {
            return Err(ScoreError::WrongPath);
        }
        let (needed, found) = (model.scratch_len(), scratch.len());
        if found < needed {
            return Err(ScoreError::ScratchTooSmall { needed, found });
        }
        Ok(Self { model, kernel: IntegerKernel::best(), scratch, lengths: None })
    }

    /// Computes with another kernel than the best one: for tests and comparisons, since the scores are the same. Forgets the
    /// user, whose keys lie as the kernel wants them.
    pub const fn use_kernel(&mut self, kernel: IntegerKernel) {
        self.kernel = kernel;
        self.lengths = None;
    }

    /// The model.
    #[must_use]
    pub const fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Sets the user, as [`Ranker::set_user`](crate::Ranker::set_user) does.
    ///
    /// # Errors
    /// Those of [`Ranker::set_user`](crate::Ranker::set_user). After an error no user is set.
    #[inline(never)]
    pub fn set_user(&mut self, user: &User<'_>) -> Result<(), ScoreError> {
        let _span = Span::new("set user");
        self.lengths = None;
        let (model, kernel) = (self.model, self.kernel);
        check_count(model, Group::Profile, user.profile)?;
        check_count(model, Group::Context, user.context)?;
        let sequences = model.manifest().sequences.len();
        if user.histories.len() != sequences {
            return Err(ScoreError::SequenceCount { needed: sequences, found: user.histories.len() });
        }
        let Memory { base, mut kept, vectors: row, unit: pooling::Memory { sums, .. }, .. } =
            Memory::new(model, self.scratch);
        let head = Layer::new(model, model.integer_sizes().head_start);
        head.start(kernel, base);
        let part = head.part(0);
        let vector = row.get_mut(..part.inputs).unwrap_or_default();
        let mut rest = &mut *vector;
        for (group, values) in [(Group::Profile, user.profile), (Group::Context, user.context)] {
            for column in columns_of(model, group) {
                let (row, after) = rest.split_at_mut_checked(column.width()).unwrap_or_default();
                column.embed(kernel, values, row)?;
                rest = after;
            }
        }
        kernel.add(&part, vector, base);

        let mut lengths = [0; MAX_SEQUENCES];
        for ((index, kept_length), history) in (0..).zip(&mut lengths).zip(user.histories) {
            let sequence = model.sequence(index);
            let newest = Newest::of(&sequence, index, history)?;
            match kept.next(&sequence) {
                KeptSequence::Attention { keys, weights } => {
                    weights.fill(0);
                    newest.embed(model, &sequence, kernel, keys)?;
                    let (width, all) = (sequence.key_width, newest.length.wrapping_mul(sequence.key_width));
                    kernel.arrange(keys.get_mut(..all).unwrap_or_default(), width, row);
                }
                KeptSequence::Pooled(pooled) => {
                    let sums = sums.get_mut(..sequence.key_width).unwrap_or_default();
                    sums.fill(0);
                    for column in key_columns(model, &sequence) {
                        let row = row.get_mut(..column.width()).unwrap_or_default();
                        for behaviour in 0..newest.length {
                            column.embed(kernel, newest.get(behaviour), row)?;
                            sum(row, column.of(sums));
                        }
                    }
                    let mut shift = sequence.fixed.pooled_shift;
                    if sequence.pooling == Pooling::Mean {
                        sums.iter_mut().for_each(|sum| *sum = quotient(*sum, newest.length));
                        shift = 0;
                    }
                    narrow(sums, shift, pooled);
                    kernel.add(&head.part(index.saturating_add(1)), pooled, base);
                }
            }
            // At most the u16 of the record.
            *kept_length = u16::try_from(newest.length).unwrap_or(u16::MAX);
        }
        self.lengths = Some(lengths);
        Ok(())
    }

    /// The candidate's click probability in Q16: `score / 65536`, at most 1.9e-5 off the sigmoid of the logit.
    ///
    /// # Errors
    /// [`ScoreError::NoUser`]; [`ScoreError::FieldCount`], [`ScoreError::WrongKind`], [`ScoreError::NotFinite`] where
    /// the values do not fit the candidate's fields.
    pub fn score(&mut self, candidate: &[Value]) -> Result<u16, ScoreError> {
        self.logit(candidate).map(score)
    }

    /// The candidate's logit in Q16.16: `logit / 65536` before the sigmoid.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn logit(&mut self, candidate: &[Value]) -> Result<i32, ScoreError> {
        let mut logit = [0];
        self.slate().logits(&[candidate], &mut logit)?;
        let [logit] = logit;
        Ok(logit)
    }

    /// Scores a slate, `[N, candidate fields]` row-major, in its order.
    ///
    /// # Errors
    /// As [`score`](Self::score); [`ScoreError::OutputTooSmall`] with room for fewer than N scores.
    pub fn score_slate(&mut self, slate: &[Value], scores: &mut [u16]) -> Result<(), ScoreError> {
        let candidates = candidates_of(self.model, slate, scores.len())?;
        let mut scores = scores.iter_mut();
        self.for_each_logit(candidates, |_, logit| {
            if let Some(to) = scores.next() {
                *to = score(logit);
            }
        })
    }

    /// Visits index and logit of each candidate, computed in blocks.
    fn for_each_logit<'c>(
        &mut self,
        slate: impl IntoIterator<Item = &'c [Value]>,
        mut visit: impl FnMut(usize, i32),
    ) -> Result<(), ScoreError> {
        let mut scored = self.slate();
        for_each_block(slate, |first, block| {
            let mut logits = [0; Blocking::NATIVE.candidates()];
            scored.logits(block, &mut logits)?;
            logits.into_iter().take(block.len()).zip(first..).for_each(|(logit, index)| visit(index, logit));
            Ok(())
        })
    }

    /// The best `K` of a slate, best first; of equal logits the earlier candidate. `top` is cleared first.
    ///
    /// # Errors
    /// As [`score`](Self::score), at the first candidate that has one.
    pub fn rank<'c, const K: usize>(
        &mut self,
        slate: impl IntoIterator<Item = &'c [Value]>,
        top: &mut heapless::Vec<IntegerRanked, K>,
    ) -> Result<(), ScoreError> {
        top.clear();
        self.for_each_logit(slate, |index, logit| {
            keep_best(top, IntegerRanked { index, logit, score: score(logit) }, |kept| kept.logit < logit);
        })
    }

    /// As [`rank`](Self::rank), as [`Ranker::rank_slate`](crate::Ranker::rank_slate) does.
    ///
    /// # Errors
    /// As [`score`](Self::score), at the first candidate that has one.
    pub fn rank_slate(&mut self, slate: &[Value], top: &mut [IntegerRanked]) -> Result<usize, ScoreError> {
        let candidates = candidates_of(self.model, slate, usize::MAX)?;
        let mut kept = 0;
        self.for_each_logit(candidates, |index, logit| {
            let entry = IntegerRanked { index, logit, score: score(logit) };
            keep_best_in(top, &mut kept, entry, |kept| kept.logit < logit);
        })?;
        Ok(kept)
    }

    /// Behaviours of a sequence that count: at most its capacity. 0 if no user is set.
    #[must_use]
    pub fn history_len(&self, sequence: usize) -> usize {
        let length = self.lengths.as_ref().and_then(|lengths| lengths.get(sequence));
        length.map_or(0, |length| usize::from(*length))
    }

    /// What [`attention`](Self::attention) counts in: a weight of 1 is `2^attention_fraction`; 0 for a sequence without.
    #[must_use]
    pub fn attention_fraction(&self, sequence: usize) -> i8 {
        match self.model.manifest().sequences.get(sequence) {
            Some(record) if record.pooling == Pooling::SoftmaxAttention => 15,
            Some(record) => record.weight_fraction,
            None => 0,
        }
    }

    /// Attention weights of a sequence's behaviours for the last candidate, as
    /// [`Ranker::attention`](crate::Ranker::attention), in steps of `2^-`[`attention_fraction`](Self::attention_fraction).
    #[must_use]
    pub fn attention(&mut self, sequence: usize) -> &[i32] {
        let length = self.history_len(sequence);
        let mut kept = Memory::new(self.model, self.scratch).kept;
        for (index, view) in self.model.sequences().enumerate() {
            let memory = kept.next(&view);
            if let (true, KeptSequence::Attention { weights, .. }) = (index == sequence, memory) {
                return weights.get(..length).unwrap_or_default();
            }
        }
        &[]
    }
}

/// `sum / length`, rounded half up; 0 for no behaviours.
fn quotient(sum: i32, length: usize) -> i32 {
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    let (Some(quotient), Some(rest)) = (sum.checked_div_euclid(length), sum.checked_rem_euclid(length))
    else {
        return 0;
    };
    if rest >= length.wrapping_sub(rest) { quotient.wrapping_add(1) } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_rounds_half_up() {
        assert_eq!([5, 3, 1, -1, -3, -5, -6].map(|sum| quotient(sum, 2)), [3, 2, 1, 0, -1, -2, -3]);
        assert_eq!([7, 8, -7, -8].map(|sum| quotient(sum, 3)), [2, 3, -2, -3]);
        assert_eq!(quotient(0, 0), 0);
    }
}
