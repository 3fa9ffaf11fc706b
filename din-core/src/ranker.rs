//! Scores candidates for one user at a time, in memory that the caller provides.

use crate::blocking::Blocking;
use crate::chunks;
use crate::error::ScoreError;
use crate::history::Behaviours;
use crate::inputs::{Newest, check_count, columns_of, embed_candidates, gather_queries, key_columns};
use crate::kernels::{Finish, Kernel, Start, add_scaled, as_weights, copy, multiply};
use crate::layer::forward;
use crate::manifest::{MAX_SEQUENCES, Pooling};
use crate::math::sigmoid;
use crate::model::{Group, Model, Sequence};
use crate::pooling;
use crate::scratch::Scratch;
use crate::sizes::kept_for_sequence;
use crate::slate::{candidates_of, for_each_block, keep_best, keep_best_in};
use crate::span::Span;
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
#[repr(C)] // `din-ffi` hands it over as it is
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
    kernel: Kernel,
    /// head base, what is kept for each sequence, then working memory
    scratch: &'s mut [f32],
    /// Behaviours of each sequence; `None` until a user is set.
    lengths: Option<heapless::Vec<u16, MAX_SEQUENCES>>,
}

impl<'m, 's> Ranker<'m, 's> {
    /// A ranker without a user.
    ///
    /// # Errors
    /// [`ScoreError::WrongPath`] for an integer blob; [`ScoreError::ScratchTooSmall`] under [`Model::scratch_len`] numbers.
    pub fn new(model: &'m Model<'m>, scratch: &'s mut [f32]) -> Result<Self, ScoreError> {
        if model.header().is_integer() {
            return Err(ScoreError::WrongPath);
        }
        let (needed, found) = (model.scratch_len(), scratch.len());
        if found < needed {
            return Err(ScoreError::ScratchTooSmall { needed, found });
        }
        Ok(Self { model, kernel: Kernel::best(), scratch, lengths: None })
    }

    /// Computes with another kernel than the best one: for tests and comparisons. Forgets the user.
    pub fn use_kernel(&mut self, kernel: Kernel) {
        self.kernel = kernel;
        self.lengths = None;
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

        let mut scratch = Scratch::new(self.scratch);
        let head = model.layer(model.head_start());
        let base = scratch.take(model.sizes().head_first);
        copy(head.bias.iter(), base);
        let mut kept = Kept(Scratch::new(scratch.take(kept_len(model))));
        let row = scratch.take(model.sizes().widest_row.max(model.sizes().pooled));
        let mut input = 0_usize;
        for (group, values) in [(Group::Profile, user.profile), (Group::Context, user.context)] {
            for column in columns_of(model, group) {
                let row = row.get_mut(..column.width()).unwrap_or_default();
                column.embed(kernel, values, row)?;
                head.product(kernel, row, (input, column.width()), Start::Output, Finish::Sum, base);
                input = input.saturating_add(column.width());
            }
        }

        let mut lengths = heapless::Vec::new();
        for (index, (sequence, history)) in model.sequences().zip(user.histories).enumerate() {
            let newest = Newest::of(&sequence, index, history)?;
            match kept.next(&sequence) {
                KeptSequence::Attention { keys, weights } => {
                    weights.fill(0.0);
                    newest.embed(model, &sequence, kernel, keys)?;
                }
                KeptSequence::Pooled(pooled) => {
                    pooled.fill(0.0);
                    for column in key_columns(model, &sequence) {
                        let row = row.get_mut(..column.width()).unwrap_or_default();
                        for behaviour in 0..newest.length {
                            column.embed(kernel, newest.get(behaviour), row)?;
                            add_scaled(1.0, row, column.of(pooled));
                        }
                    }
                    if sequence.pooling == Pooling::Mean && newest.length > 0 {
                        pooled.iter_mut().for_each(|sum| *sum /= newest.length as f32);
                    }
                    head.product(
                        kernel,
                        pooled,
                        (input, sequence.key_width),
                        Start::Output,
                        Finish::Sum,
                        base,
                    );
                }
            }
            input = input.saturating_add(sequence.key_width);
            // The number of sequences is at most the vector's capacity, a length at most the u16 of the record.
            let _ = lengths.push(u16::try_from(newest.length).unwrap_or(u16::MAX));
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
        let mut logit = [0.0];
        self.logits(&[candidate], &mut logit)?;
        let [logit] = logit;
        Ok(logit)
    }

    /// Logits of at most [`Blocking::candidates`] candidates, which share the passes over the head's weights.
    #[inline(never)]
    fn logits(&mut self, candidates: &[&[Value]], logits: &mut [f32]) -> Result<(), ScoreError> {
        let _span = Span::new("score block");
        let (model, kernel) = (self.model, self.kernel);
        let lengths = self.lengths.as_ref().ok_or(ScoreError::NoUser)?;
        let (sizes, n) = (model.sizes(), candidates.len());
        let mut scratch = Scratch::new(self.scratch);
        let base = scratch.take(sizes.head_first);
        let mut kept = Kept(Scratch::new(scratch.take(kept_len(model))));
        let vectors = scratch.take(n.wrapping_mul(sizes.candidate));
        let hidden = scratch.take(n.wrapping_mul(sizes.head_widest));
        let spare = scratch.take(n.wrapping_mul(sizes.head_widest));
        let queries = scratch.take(n.wrapping_mul(sizes.query));
        let query_parts = scratch.take(n.wrapping_mul(sizes.query_part));
        let interests = scratch.take(n.wrapping_mul(sizes.pooled));
        let products = scratch.take(n.wrapping_mul(sizes.query));
        let mut unit_memory = pooling::Memory {
            hidden: scratch.take(sizes.unit_hidden),
            spare: scratch.take(sizes.unit_spare),
            panel: scratch.take(sizes.panel),
        };

        embed_candidates(model, kernel, candidates, vectors, logits)?;
        let head_start = model.head_start();
        let head = model.layer(head_start);
        let first = hidden.get_mut(..n.wrapping_mul(head.outputs)).unwrap_or_default();
        let pooled_widths =
            model.sequences().fold(0_usize, |sum, sequence| sum.saturating_add(sequence.key_width));
        let (candidate_first, _) = model.field_range(Group::Candidate);
        let user = model.widths((0, candidate_first));
        let candidate_input = user.saturating_add(pooled_widths);
        head.product(
            kernel,
            vectors,
            (candidate_input, sizes.candidate),
            Start::Row(as_weights(base)),
            Finish::Sum,
            first,
        );

        let mut pooled_input = user;
        let mut product_input = candidate_input.saturating_add(sizes.candidate);
        for (sequence, length) in model.sequences().zip(lengths) {
            let (width, paired) = (sequence.key_width, sequence.paired_width);
            let queries = queries.get_mut(..n.wrapping_mul(paired)).unwrap_or_default();
            gather_queries(model, &sequence, vectors, sizes.candidate, queries);
            let interests = interests.get_mut(..n.wrapping_mul(width)).unwrap_or_default();
            match kept.next(&sequence) {
                KeptSequence::Attention { keys, weights } => {
                    let unit = model.layer(sequence.first_layer);
                    let length = usize::from(*length);
                    let keys = keys.get(..length.wrapping_mul(width)).unwrap_or_default();
                    let query_parts = query_parts.get_mut(..n.wrapping_mul(unit.outputs)).unwrap_or_default();
                    let part = (0, paired);
                    unit.product(kernel, queries, part, Start::Row(unit.bias), Finish::Sum, query_parts);
                    let inputs = pooling::Inputs { keys, length, queries, query_parts };
                    let unit_of_sequence = pooling::Unit { kernel, model, sequence: &sequence };
                    unit_of_sequence.attend(&unit, &inputs, &mut unit_memory, weights, interests);
                    head.product(kernel, interests, (pooled_input, width), Start::Output, Finish::Sum, first);
                }
                KeptSequence::Pooled(pooled) => {
                    for interest in chunks::exact_mut(interests, width) {
                        copy(pooled.iter().copied(), interest);
                    }
                }
            }
            pooled_input = pooled_input.saturating_add(width);
            if model.manifest().product {
                let products = products.get_mut(..n.wrapping_mul(paired)).unwrap_or_default();
                let each = chunks::exact(queries, paired).zip(chunks::exact(interests, width));
                for ((query, interest), product) in each.zip(chunks::exact_mut(products, paired)) {
                    multiply(query, interest, product);
                }
                head.product(kernel, products, (product_input, paired), Start::Output, Finish::Sum, first);
                product_input = product_input.saturating_add(paired);
            }
        }
        head.activate(kernel, Finish::Sum, first);
        let second = head_start.saturating_add(1);
        let rest = model.layer_range(second, model.manifest().layers.len().saturating_sub(second));
        // The item bias is there already.
        add_scaled(1.0, forward(kernel, rest, hidden, spare, n), logits);
        Ok(())
    }

    /// Scores a slate, `[N, candidate fields]` row-major, in its order.
    ///
    /// # Errors
    /// As [`score`](Self::score); [`ScoreError::OutputTooSmall`] with room for fewer than N scores.
    pub fn score_slate(&mut self, slate: &[Value], scores: &mut [f32]) -> Result<(), ScoreError> {
        let candidates = candidates_of(self.model, slate, scores.len())?;
        let mut scores = scores.iter_mut();
        self.for_each_logit(candidates, |_, logit| {
            if let Some(score) = scores.next() {
                *score = sigmoid(logit);
            }
        })
    }

    /// Visits index and logit of each candidate, computed in blocks.
    fn for_each_logit<'c>(
        &mut self,
        slate: impl IntoIterator<Item = &'c [Value]>,
        mut visit: impl FnMut(usize, f32),
    ) -> Result<(), ScoreError> {
        for_each_block(slate, |first, block| {
            let mut logits = [0.0; Blocking::NATIVE.candidates()];
            self.logits(block, &mut logits)?;
            logits.into_iter().take(block.len()).zip(first..).for_each(|(logit, index)| visit(index, logit));
            Ok(())
        })
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
        self.for_each_logit(slate, |index, logit| {
            keep_best(top, Ranked { index, logit, score: sigmoid(logit) }, |kept| kept.logit < logit);
        })
    }

    /// As [`rank`](Self::rank), of a slate `[N, candidate fields]` row-major, into as many places as `top` has. Gives how
    /// many of them were filled: as many as there are candidates, at most.
    ///
    /// # Errors
    /// As [`score`](Self::score), at the first candidate that has one.
    pub fn rank_slate(&mut self, slate: &[Value], top: &mut [Ranked]) -> Result<usize, ScoreError> {
        let candidates = candidates_of(self.model, slate, usize::MAX)?;
        let mut kept = 0;
        self.for_each_logit(candidates, |index, logit| {
            let entry = Ranked { index, logit, score: sigmoid(logit) };
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

    /// Attention weights of a sequence's behaviours, oldest first, for the candidate scored last (zeros before the
    /// first); of the newest [`history_len`](Self::history_len) behaviours. Empty for sum and mean pooling, and if no user is set.
    #[must_use]
    pub fn attention(&mut self, sequence: usize) -> &[f32] {
        let length = self.history_len(sequence);
        let mut scratch = Scratch::new(self.scratch);
        scratch.take(self.model.sizes().head_first);
        let mut kept = Kept(scratch);
        for (index, view) in self.model.sequences().enumerate() {
            let memory = kept.next(&view);
            if let (true, KeptSequence::Attention { weights, .. }) = (index == sequence, memory) {
                return weights.get(..length).unwrap_or_default();
            }
        }
        &[]
    }
}

/// What is kept of each sequence between [`Ranker::set_user`] and the candidates.
struct Kept<'s>(Scratch<'s, f32>);

enum KeptSequence<'s> {
    Attention {
        /// `[T, D]`
        keys: &'s mut [f32],
        /// `[candidates of a pass, T]`, the last candidate's first.
        weights: &'s mut [f32],
    },
    /// `[D]`
    Pooled(&'s mut [f32]),
}

impl<'s> Kept<'s> {
    fn next(&mut self, sequence: &Sequence<'_>) -> KeptSequence<'s> {
        if sequence.is_attention() {
            KeptSequence::Attention {
                keys: self.0.take(sequence.capacity.wrapping_mul(sequence.key_width)),
                weights: self.0.take(sequence.capacity.wrapping_mul(Blocking::NATIVE.candidates_of_a_pass())),
            }
        } else {
            KeptSequence::Pooled(self.0.take(sequence.key_width))
        }
    }
}

fn kept_len(model: &Model<'_>) -> usize {
    model
        .sequences()
        .fold(0, |sum, sequence| sum.saturating_add(kept_for_sequence(&sequence, Blocking::NATIVE)))
}
