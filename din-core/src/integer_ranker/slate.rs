//! Scores a slate's candidates in blocks, in integers.

use super::IntegerRanker;
use super::memory::{KeptSequence, Memory};
use crate::blocking::Blocking;
use crate::bytes::range;
use crate::chunks;
use crate::error::ScoreError;
use crate::inputs::{embed_candidates, gather_queries};
use crate::integer::layer::{Layer, Layers};
use crate::integer::pooling;
use crate::integer::sizes::query_in_place;
use crate::kernels::copy;
use crate::kernels::integer::{IntegerKernel, Part, multiply};
use crate::manifest::MAX_SEQUENCES;
use crate::model::{Model, Sequence};
use crate::span::Span;
use crate::value::Value;

impl<'m> IntegerRanker<'m, '_> {
    /// What is decided once for all blocks of a slate.
    pub(super) fn slate(&mut self) -> Slate<'m, '_> {
        let model = self.model;
        let head = Layer::new(model, model.integer_sizes().head_start);
        Slate {
            model,
            kernel: self.kernel,
            lengths: self.lengths,
            candidate: head.part(model.manifest().sequences.len().saturating_add(1)),
            decoded: Decoded::new(model, &head, 0),
            head,
            memory: Memory::new(model, self.scratch),
        }
    }
}

/// What is decided once for a slate, and scores its blocks.
pub(super) struct Slate<'m, 's> {
    model: &'m Model<'m>,
    kernel: IntegerKernel,
    lengths: Option<[u16; MAX_SEQUENCES]>,
    head: Layer<'m>,
    /// The head's part that reads the candidate.
    candidate: Part<'m>,
    /// The last sequence that was scored: of one that a model has alone it is decoded once.
    decoded: Decoded<'m>,
    memory: Memory<'s>,
}

impl Slate<'_, '_> {
    /// Logits of at most [`Blocking::candidates`] candidates, which share the passes over the weights.
    #[inline(never)]
    pub fn logits(&mut self, candidates: &[&[Value]], logits: &mut [i32]) -> Result<(), ScoreError> {
        let _span = Span::new("score block");
        let Self { model, kernel, lengths, ref head, ref candidate, ref mut decoded, ref mut memory } = *self;
        let lengths = lengths.ok_or(ScoreError::NoUser)?;
        let (sizes, n) = (model.integer_sizes(), candidates.len());
        let Memory { base, kept, vectors, first, queries, products, query_parts, interests, unit, .. } =
            memory;
        let mut kept = kept.again();
        let vectors = vectors.get_mut(..n.wrapping_mul(sizes.candidate)).unwrap_or_default();
        embed_candidates(model, kernel, candidates, vectors, logits)?;
        let first = first.get_mut(..n.wrapping_mul(head.outputs())).unwrap_or_default();
        for first in chunks::exact_mut(first, head.outputs()) {
            kernel.copy(base, first);
        }
        let sequences = model.manifest().sequences.len();
        kernel.add(candidate, vectors, first);

        for (index, length) in (0..sequences).zip(lengths) {
            if index != decoded.index {
                *decoded = Decoded::new(model, head, index);
            }
            let Decoded {
                ref sequence, in_place, unit: ref layer, ref query, ref pair, ref interest, ..
            } = *decoded;
            let (width, paired) = (sequence.key_width, sequence.paired_width);
            let queries = if let Some(from) = in_place {
                range(vectors, from, paired)
            } else {
                let queries = queries.get_mut(..n.wrapping_mul(paired)).unwrap_or_default();
                gather_queries(model, sequence, vectors, sizes.candidate, queries);
                queries
            };
            let interests = interests.get_mut(..n.wrapping_mul(width)).unwrap_or_default();
            match kept.next(sequence) {
                KeptSequence::Attention { keys, weights } => {
                    let length = usize::from(length);
                    let keys = keys.get_mut(..length.wrapping_mul(width)).unwrap_or_default();
                    let query_parts =
                        query_parts.get_mut(..n.wrapping_mul(layer.outputs())).unwrap_or_default();
                    chunks::exact_mut(query_parts, layer.outputs())
                        .for_each(|part| layer.start(kernel, part));
                    kernel.add(query, queries, query_parts);
                    let inputs = pooling::Inputs { length, queries, query_parts };
                    let unit_of_sequence = pooling::Unit { kernel, sequence };
                    unit_of_sequence.attend((layer, pair), keys, &inputs, unit, weights, interests);
                    kernel.add(interest, interests, first);
                }
                KeptSequence::Pooled(kept) => {
                    for interest in chunks::exact_mut(interests, width) {
                        copy(kept.iter().copied(), interest);
                    }
                }
            }
            if model.manifest().product {
                let products = products.get_mut(..n.wrapping_mul(paired)).unwrap_or_default();
                let rows = chunks::exact(queries, paired).zip(chunks::exact(interests, width));
                for ((query, interest), product) in rows.zip(chunks::exact_mut(products, paired)) {
                    multiply(query, interest, sequence.fixed.product_shift, product);
                }
                let part = sequences.saturating_add(2).saturating_add(index);
                kernel.add(&head.part(part), products, first);
            }
        }
        let mut results = [0; Blocking::NATIVE.candidates()];
        let results = results.get_mut(..n).unwrap_or_default();
        for (result, first) in results.iter_mut().zip(chunks::exact(first, head.outputs())) {
            // A head that is one layer.
            *result = head.result(first.first().copied().unwrap_or_default());
        }
        head.settle(kernel, first, unit.hidden.get_mut(..first.len()).unwrap_or_default());
        let index = sizes.head_start.saturating_add(1);
        let rest = Layers { first: head.next(index), index, count: sizes.layers.saturating_sub(index) };
        rest.forward(kernel, unit.hidden, unit.spare, unit.panels, unit.sums, results);
        for (logit, result) in logits.iter_mut().zip(results) {
            // The item bias is there already.
            *logit = logit.saturating_add(*result);
        }
        Ok(())
    }
}

/// A sequence, and the layers that read it.
struct Decoded<'m> {
    index: usize,
    sequence: Sequence<'m>,
    /// Its [`query_in_place`].
    in_place: Option<usize>,
    /// The first layer of its unit, and its parts.
    unit: Layer<'m>,
    query: Part<'m>,
    pair: Part<'m>,
    /// The head's part that reads its interest vector.
    interest: Part<'m>,
}

impl<'m> Decoded<'m> {
    #[inline(never)]
    fn new(model: &'m Model<'m>, head: &Layer<'m>, index: usize) -> Self {
        let sequence = model.sequence(index);
        let unit = Layer::new(model, sequence.first_layer);
        Self {
            index,
            sequence,
            in_place: query_in_place(model, &sequence, Blocking::NATIVE),
            unit,
            query: unit.part(0),
            pair: unit.part(1),
            interest: head.part(index.saturating_add(1)),
        }
    }
}
