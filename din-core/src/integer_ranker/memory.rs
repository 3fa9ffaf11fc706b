//! The caller's memory: what is kept of a user, and where a block of candidates is computed.

use crate::blocking::Blocking;
use crate::integer::pooling;
use crate::integer::sizes::Run;
use crate::model::{Model, Sequence};
use crate::scratch::Scratch;

/// How the scratch memory is divided.
pub(super) struct Memory<'s> {
    /// `[H]`: the head's first layer without what depends on the candidate
    pub base: &'s mut [i32],
    pub kept: Kept<'s>,
    /// The candidate vectors of a block, `[N, C]`; before, profile and context, or a behaviour
    pub vectors: &'s mut [i16],
    pub first: &'s mut [i32],
    pub queries: &'s mut [i16],
    pub products: &'s mut [i16],
    pub query_parts: &'s mut [i32],
    pub interests: &'s mut [i16],
    pub unit: pooling::Memory<'s>,
}

impl<'s> Memory<'s> {
    #[inline(never)]
    pub fn new(model: &Model<'_>, memory: &'s mut [i32]) -> Self {
        let sizes = model.integer_sizes();
        let mut scratch = Scratch::new(memory);
        // In the order of `Run`.
        Self {
            base: scratch.take(sizes.len(Run::Base)),
            kept: Kept(Scratch::new(scratch.take(sizes.len(Run::Kept)))),
            vectors: scratch.shorts(sizes.len(Run::Vectors)),
            first: scratch.take(sizes.len(Run::First)),
            queries: scratch.shorts(sizes.len(Run::Queries)),
            products: scratch.shorts(sizes.len(Run::Products)),
            query_parts: scratch.take(sizes.len(Run::QueryParts)),
            interests: scratch.shorts(sizes.len(Run::Interests)),
            unit: pooling::Memory {
                hidden: scratch.shorts(sizes.len(Run::Hidden)),
                spare: scratch.shorts(sizes.len(Run::Spare)),
                panels: scratch.shorts(sizes.len(Run::Panels)),
                sums: scratch.take(sizes.len(Run::Sums)),
                results: scratch.take(sizes.len(Run::Results)),
            },
        }
    }
}

/// What is kept of each sequence between [`IntegerRanker::set_user`](super::IntegerRanker::set_user) and the candidates.
pub(super) struct Kept<'s>(Scratch<'s, i32>);

/// Of one sequence.
pub(super) enum KeptSequence<'s> {
    Attention {
        /// `[T, D]`, arranged.
        keys: &'s mut [i16],
        /// `[candidates of a pass, T]`, the last candidate's first.
        weights: &'s mut [i32],
    },
    /// `[D]`
    Pooled(&'s mut [i16]),
}

impl<'s> Kept<'s> {
    /// From the first sequence on, for a block.
    pub fn again(&mut self) -> Kept<'_> {
        Kept(self.0.again())
    }

    pub fn next(&mut self, sequence: &Sequence<'_>) -> KeptSequence<'s> {
        if sequence.is_attention() {
            KeptSequence::Attention {
                keys: self.0.shorts(sequence.capacity.wrapping_mul(sequence.key_width).div_ceil(2)),
                weights: self.0.take(sequence.capacity.wrapping_mul(Blocking::NATIVE.candidates_of_a_pass())),
            }
        } else {
            KeptSequence::Pooled(self.0.shorts(sequence.key_width.div_ceil(2)))
        }
    }
}
