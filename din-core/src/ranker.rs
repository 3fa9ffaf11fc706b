//! Scores candidates for one user at a time, in memory that the caller provides.

use crate::error::ScoreError;
use crate::history::Behaviours;
use crate::inputs::{check_count, embed, embed_candidate, embed_key, for_each_behaviour, gather_query};
use crate::kernels::{add_scaled, copy, multiply};
use crate::layer::forward;
use crate::manifest::{MAX_SEQUENCES, Pooling};
use crate::math::sigmoid;
use crate::model::{Group, Model, Sequence};
use crate::pooling;
use crate::scratch::Scratch;
use crate::sizes::kept_for_sequence;
use crate::value::Value;

/// What a request says about the user.
#[derive(Clone, Copy, Debug, Default)]
pub struct User<'a> {
    /// One value for each profile field.
    pub profile: &'a [Value],
    /// One value for each context field.
    pub context: &'a [Value],
    /// One history for each sequence.
    pub histories: &'a [Behaviours<'a>],
}

/// One entry of a ranking.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ranked {
    /// Position in the slate.
    pub index: usize,
    /// Orders the ranking: it still tells apart what the score, close to 1, rounds to the same number.
    pub logit: f32,
    /// Click probability, in (0, 1].
    pub score: f32,
}

/// A model, the caller's memory, and the user that was set.
///
/// [`set_user`](Self::set_user) does the work that all candidates share; [`score`](Self::score) and
/// [`rank`](Self::rank) the rest. Time and memory are bounded by the model's capacity.
#[derive(Debug)]
pub struct Ranker<'m, 's> {
    model: &'m Model<'m>,
    /// head base, what is kept for each sequence, then working memory
    scratch: &'s mut [f32],
    /// Behaviours of each sequence; `None` until a user is set.
    lengths: Option<heapless::Vec<u16, MAX_SEQUENCES>>,
}

impl<'m, 's> Ranker<'m, 's> {
    /// A ranker without a user.
    ///
    /// # Errors
    /// [`ScoreError::ScratchTooSmall`] under [`Model::scratch_len`] numbers.
    pub fn new(model: &'m Model<'m>, scratch: &'s mut [f32]) -> Result<Self, ScoreError> {
        let (needed, found) = (model.scratch_len(), scratch.len());
        if found < needed {
            return Err(ScoreError::ScratchTooSmall { needed, found });
        }
        Ok(Self { model, scratch, lengths: None })
    }

    /// The model.
    #[must_use]
    pub const fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Sets the user: embeds profile, context and histories, and computes everything that does not depend on the
    /// candidate. Of a history longer than its sequence's capacity the newest behaviours count.
    ///
    /// # Errors
    /// [`ScoreError::FieldCount`], [`ScoreError::SequenceCount`], [`ScoreError::RaggedHistory`] where the values do not
    /// fit the model's fields; [`ScoreError::WrongKind`], [`ScoreError::NotFinite`] for a value that its field cannot
    /// take. After an error no user is set.
    pub fn set_user(&mut self, user: &User<'_>) -> Result<(), ScoreError> {
        self.lengths = None;
        let model = self.model;
        check_count(model, Group::Profile, user.profile)?;
        check_count(model, Group::Context, user.context)?;
        let sequences = model.manifest().sequences.len();
        if user.histories.len() != sequences {
            return Err(ScoreError::SequenceCount { needed: sequences, found: user.histories.len() });
        }

        let mut scratch = Scratch(self.scratch);
        let head = model.layer(model.head_start());
        let base = scratch.take(model.sizes().head_first);
        head.fill_with_bias(base);
        let mut kept = Kept(Scratch(scratch.take(kept_len(model))));
        let row = scratch.take(model.sizes().widest_row.max(model.sizes().pooled));
        let mut input = 0_usize;
        for (group, values) in [(Group::Profile, user.profile), (Group::Context, user.context)] {
            let (first, count) = model.field_range(group);
            for (index, (field, value)) in model.field_records(first, count).zip(values).enumerate() {
                let width = model.width(&field);
                let row = row.get_mut(..width).unwrap_or_default();
                embed(model, &field, *value, row).map_err(|fault| fault.at(group.name(), index))?;
                head.accumulate(row, input, width, base);
                input = input.saturating_add(width);
            }
        }

        let mut lengths = heapless::Vec::new();
        for (index, (sequence, history)) in model.sequences().zip(user.histories).enumerate() {
            let unit = model.layer(sequence.first_layer);
            let kept = kept.next(&sequence, unit.outputs);
            let length = match kept {
                KeptSequence::Attention { keys, key_parts, weights } => {
                    weights.fill(0.0);
                    let width = sequence.key_width;
                    let length = for_each_behaviour(&sequence, index, history, |t, behaviour| {
                        let start = t.wrapping_mul(width);
                        let key = keys.get_mut(start..start.wrapping_add(width)).unwrap_or_default();
                        embed_key(model, &sequence, behaviour, key)
                    })?;
                    // [T, D] x [D, H] -> [T, H]
                    let parts = key_parts.get_mut(..length.wrapping_mul(unit.outputs)).unwrap_or_default();
                    parts.fill(0.0);
                    let keys = keys.get(..length.wrapping_mul(width)).unwrap_or_default();
                    unit.accumulate(keys, sequence.paired_width, width, parts);
                    length
                }
                KeptSequence::Pooled(pooled) => {
                    pooled.fill(0.0);
                    let key = row.get_mut(..sequence.key_width).unwrap_or_default();
                    let length = for_each_behaviour(&sequence, index, history, |_, behaviour| {
                        embed_key(model, &sequence, behaviour, key)?;
                        add_scaled(1.0, key, pooled);
                        Ok(())
                    })?;
                    if sequence.pooling == Pooling::Mean && length > 0 {
                        pooled.iter_mut().for_each(|sum| *sum /= length as f32);
                    }
                    head.accumulate(pooled, input, sequence.key_width, base);
                    length
                }
            };
            input = input.saturating_add(sequence.key_width);
            // The number of sequences is at most the vector's capacity, a length at most the u16 of the record.
            let _ = lengths.push(u16::try_from(length).unwrap_or(u16::MAX));
        }
        self.lengths = Some(lengths);
        Ok(())
    }

    /// The candidate's click probability, in (0, 1]: f32 has no number between 1 - 6e-8 and 1.
    ///
    /// # Errors
    /// [`ScoreError::NoUser`]; [`ScoreError::FieldCount`], [`ScoreError::WrongKind`], [`ScoreError::NotFinite`] where
    /// the values do not fit the candidate's fields.
    pub fn score(&mut self, candidate: &[Value]) -> Result<f32, ScoreError> {
        self.logit(candidate).map(sigmoid)
    }

    /// The candidate's logit: the score before the sigmoid.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn logit(&mut self, candidate: &[Value]) -> Result<f32, ScoreError> {
        let model = self.model;
        let lengths = self.lengths.as_ref().ok_or(ScoreError::NoUser)?;
        check_count(model, Group::Candidate, candidate)?;
        let sizes = model.sizes();
        let mut scratch = Scratch(self.scratch);
        let base = scratch.take(sizes.head_first);
        let mut kept = Kept(Scratch(scratch.take(kept_len(model))));
        let row = scratch.take(sizes.widest_row.max(sizes.pooled));
        let vector = scratch.take(sizes.candidate);
        let hidden = scratch.take(sizes.head_widest);
        let spare = scratch.take(sizes.head_widest);
        let mut unit_memory = pooling::Memory {
            query_part: scratch.take(sizes.query),
            query: scratch.take(sizes.pooled),
            pooled: scratch.take(sizes.pooled),
            hidden: scratch.take(sizes.unit_block),
            spare: scratch.take(sizes.unit_block),
            product: scratch.take(sizes.product_block),
        };

        let bias = embed_candidate(model, candidate, vector)?;
        let head_start = model.head_start();
        let head = model.layer(head_start);
        let first = hidden.get_mut(..head.outputs).unwrap_or_default();
        copy(base.iter().copied(), first);

        let interests =
            model.sequences().fold(0_usize, |sum, sequence| sum.saturating_add(sequence.key_width));
        let (candidate_first, _) = model.field_range(Group::Candidate);
        let user = model
            .field_records(0, candidate_first)
            .fold(0_usize, |sum, f| sum.saturating_add(model.width(&f)));
        let candidate_input = user.saturating_add(interests);
        head.accumulate(vector, candidate_input, vector.len(), first);

        let mut pooled_input = user;
        let mut product_input = candidate_input.saturating_add(vector.len());
        for (sequence, length) in model.sequences().zip(lengths) {
            let unit = model.layer(sequence.first_layer);
            let paired = sequence.paired_width;
            let query = unit_memory.query.get_mut(..paired).unwrap_or_default();
            gather_query(model, &sequence, vector, query);
            let pooled: &[f32] = match kept.next(&sequence, unit.outputs) {
                KeptSequence::Attention { keys, key_parts, weights } => {
                    let history = pooling::History { keys, key_parts, length: usize::from(*length) };
                    pooling::attend(model, &sequence, &history, &mut unit_memory, weights);
                    let pooled = unit_memory.pooled.get(..sequence.key_width).unwrap_or_default();
                    head.accumulate(pooled, pooled_input, sequence.key_width, first);
                    pooled
                }
                KeptSequence::Pooled(pooled) => pooled,
            };
            pooled_input = pooled_input.saturating_add(sequence.key_width);
            if model.manifest().product {
                let product = row.get_mut(..paired).unwrap_or_default();
                multiply(unit_memory.query, pooled, product);
                head.accumulate(product, product_input, paired, first);
                product_input = product_input.saturating_add(paired);
            }
        }
        head.activate(first);
        let second = head_start.saturating_add(1);
        let rest = model.layer_range(second, model.manifest().layers.len().saturating_sub(second));
        let logit = forward(rest, hidden, spare, 1).first().copied().unwrap_or_default();
        Ok(logit + bias)
    }

    /// Scores a slate, `[N, candidate fields]` row-major, in its order.
    ///
    /// # Errors
    /// As [`score`](Self::score); [`ScoreError::OutputTooSmall`] with room for fewer than N scores.
    pub fn score_slate(&mut self, slate: &[Value], scores: &mut [f32]) -> Result<(), ScoreError> {
        let (_, fields) = self.model.field_range(Group::Candidate);
        let candidates = slate.len() / fields.max(1);
        if candidates.saturating_mul(fields) != slate.len() {
            let group = Group::Candidate.name();
            return Err(ScoreError::FieldCount { group, needed: fields, found: slate.len() });
        }
        if scores.len() < candidates {
            return Err(ScoreError::OutputTooSmall { needed: candidates, found: scores.len() });
        }
        for (candidate, score) in slate.chunks_exact(fields.max(1)).zip(scores) {
            *score = self.score(candidate)?;
        }
        Ok(())
    }

    /// The best `K` of a slate, best first; of equal logits the earlier candidate. `top` is cleared first.
    ///
    /// ```no_run
    /// # fn f(ranker: &mut din_core::Ranker) -> Result<(), din_core::ScoreError> {
    /// use din_core::{Ranked, Value};
    /// let slate = [[Value::Id(390)], [Value::Id(17)], [Value::Id(4)]];
    /// let mut top = heapless::Vec::<Ranked, 2>::new();
    /// ranker.rank(slate.iter().map(|candidate| candidate.as_slice()), &mut top)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`score`](Self::score), at the first candidate that has one.
    pub fn rank<'c, const K: usize>(
        &mut self,
        slate: impl IntoIterator<Item = &'c [Value]>,
        top: &mut heapless::Vec<Ranked, K>,
    ) -> Result<(), ScoreError> {
        top.clear();
        for (index, candidate) in slate.into_iter().enumerate() {
            let logit = self.logit(candidate)?;
            let place = top.iter().position(|ranked| ranked.logit < logit).unwrap_or(top.len());
            if top.is_full() && place < top.len() {
                top.pop();
            }
            // Full, and no better than the last: the insertion is refused, as it should be.
            let _ = top.insert(place, Ranked { index, logit, score: sigmoid(logit) });
        }
        Ok(())
    }

    /// Behaviours of a sequence that count: at most its capacity. 0 if no user is set.
    #[must_use]
    pub fn history_len(&self, sequence: usize) -> usize {
        let length = self.lengths.as_ref().and_then(|lengths| lengths.get(sequence));
        length.map_or(0, |length| usize::from(*length))
    }

    /// Attention weights of a sequence's behaviours, oldest first, for the candidate scored last (zeros before the
    /// first); of the newest [`history_len`](Self::history_len) behaviours. Empty for sum and mean pooling, and if no user is set.
    #[must_use]
    pub fn attention(&mut self, sequence: usize) -> &[f32] {
        let length = self.history_len(sequence);
        let mut scratch = Scratch(self.scratch);
        scratch.take(self.model.sizes().head_first);
        let mut kept = Kept(scratch);
        for (index, view) in self.model.sequences().enumerate() {
            let memory = kept.next(&view, self.model.layer(view.first_layer).outputs);
            if let (true, KeptSequence::Attention { weights, .. }) = (index == sequence, memory) {
                return weights.get(..length).unwrap_or_default();
            }
        }
        &[]
    }
}

/// What is kept of each sequence between [`Ranker::set_user`] and the candidates.
struct Kept<'s>(Scratch<'s>);

enum KeptSequence<'s> {
    Attention {
        /// `[T, D]`
        keys: &'s mut [f32],
        /// `[T, H]`: their part of the unit's first layer
        key_parts: &'s mut [f32],
        /// `[T]`
        weights: &'s mut [f32],
    },
    /// `[D]`
    Pooled(&'s mut [f32]),
}

impl<'s> Kept<'s> {
    fn next(&mut self, sequence: &Sequence<'_>, unit_first: usize) -> KeptSequence<'s> {
        if sequence.is_attention() {
            KeptSequence::Attention {
                keys: self.0.take(sequence.capacity.wrapping_mul(sequence.key_width)),
                key_parts: self.0.take(sequence.capacity.wrapping_mul(unit_first)),
                weights: self.0.take(sequence.capacity),
            }
        } else {
            KeptSequence::Pooled(self.0.take(sequence.key_width))
        }
    }
}

fn kept_len(model: &Model<'_>) -> usize {
    model.sequences().fold(0, |sum, sequence| {
        let unit_first = model.layer(sequence.first_layer).outputs;
        sum.saturating_add(kept_for_sequence(&sequence, unit_first))
    })
}
