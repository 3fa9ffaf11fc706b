//! How much memory and arithmetic the integer path needs.

use super::layer::Layer;
use super::pooling::are_fused;
use crate::blocking::Blocking;
use crate::kernels::integer::SCALAR_COLUMNS;
use crate::model::{Group, Model, Sequence};
use crate::sizes::Macs;

/// Sizes that follow from a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Of the runs of memory, in i32 numbers and in the order in which they lie: see [`Run`].
    runs: [usize; RUNS],
    /// Width of the candidate vector.
    pub candidate: usize,
    /// The first of the head's layers, and how many layers there are.
    pub head_start: usize,
    pub layers: usize,
}

/// A run of the scratch memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    /// i32: outputs of the head's first layer.
    Base,
    /// What is kept of each sequence once the user is set: see [`kept_len`].
    Kept,
    /// i16: the candidate vectors of a block; before, width of profile and context, or the widest key.
    Vectors,
    /// i32: the head's first layer of a block.
    First,
    /// i16: widest paired part of a key, for each candidate of a block, where queries are not read in place.
    Queries,
    /// i16: widest paired part of a key, for each candidate of a block, where the head reads the product.
    Products,
    /// i32: outputs of a unit's first layer, for each candidate of a block.
    QueryParts,
    /// i16: widest key, for each candidate of a block.
    Interests,
    /// i16: outputs of the head's first, third, ... layer times the candidates of a block, or of a unit's times the
    /// behaviours of a block and the candidates of a pass; where its layers are fused, i32: its outputs, filled to
    /// fours, or i16: the behaviours of a block.
    Hidden,
    /// i16: as `Hidden`, of the layers between.
    Spare,
    /// i16: widest key, filled to pairs, times the columns of a panel and the candidates of a pass; or inputs of any other
    /// layer, times the columns that are widened.
    Panels,
    /// i32: outputs of any layer but the first of a unit or of the head, or the widest key.
    Sums,
    /// i32: behaviours of a block times the candidates of a pass, where those are several.
    Results,
}

const RUNS: usize = Run::Results as usize + 1;

impl Sizes {
    /// Of no model.
    pub const NONE: Self = Self { runs: [0; RUNS], candidate: 0, head_start: 0, layers: 0 };

    /// Of a model that was checked.
    #[inline(never)]
    pub fn of(model: &Model<'_>, blocking: Blocking) -> Self {
        let candidate = model.field_range(Group::Candidate);
        let mut sizes = Self {
            candidate: model.widths(candidate),
            head_start: model.head_start(),
            layers: model.manifest().integer_layers.len(),
            ..Self::NONE
        };
        let candidates = blocking.candidates();
        let together = blocking.candidates_of_a_pass();
        sizes.shorts(Run::Vectors, model.widths((0, candidate.0)), 1);
        sizes.shorts(Run::Vectors, sizes.candidate, candidates);
        let mut kept = 0_usize;
        for sequence in model.sequences() {
            kept = kept.saturating_add(kept_len(&sequence, blocking));
            sizes.shorts(Run::Vectors, sequence.key_width, 1);
            sizes.numbers(Run::Sums, sequence.key_width, 1);
            if query_in_place(model, &sequence, blocking).is_none() {
                sizes.shorts(Run::Queries, sequence.paired_width, candidates);
            }
            if model.manifest().product {
                sizes.shorts(Run::Products, sequence.paired_width, candidates);
            }
            sizes.shorts(Run::Interests, sequence.key_width, candidates);
            let rows = sequence.capacity.min(blocking.largest_block()).saturating_mul(together);
            let first = Layer::new(model, sequence.first_layer);
            if blocking == Blocking::SMALL && are_fused(&sequence, &first) {
                sizes.numbers(Run::Hidden, first.outputs().next_multiple_of(4), 1);
                sizes.shorts(Run::Hidden, rows, 1);
            } else {
                sizes.add_layers(model, sequence.first_layer, sequence.layers, rows);
            }
            if sequence.is_attention() {
                if together > 1 {
                    sizes.numbers(Run::Results, rows, 1);
                }
                let outputs = first.outputs();
                sizes.numbers(Run::QueryParts, outputs, candidates);
                // Small blocks are those of scalar kernels.
                let widest =
                    if blocking == Blocking::SMALL { SCALAR_COLUMNS } else { blocking.widest_panel() };
                let columns = outputs.min(widest).saturating_mul(together);
                sizes.shorts(Run::Panels, sequence.key_width.next_multiple_of(2), columns);
            }
        }
        sizes.numbers(Run::Kept, kept, 1);
        let head = Layer::new(model, sizes.head_start).outputs();
        sizes.numbers(Run::Base, head, 1);
        sizes.numbers(Run::First, head, candidates);
        let layers = sizes.layers.saturating_sub(sizes.head_start);
        sizes.add_layers(model, sizes.head_start, layers, candidates);
        sizes
    }

    fn add_layers(&mut self, model: &Model<'_>, first: usize, count: usize, rows: usize) {
        for position in 0..count {
            let layer = Layer::new(model, first.saturating_add(position));
            let outputs = layer.outputs();
            self.shorts(if position % 2 == 0 { Run::Hidden } else { Run::Spare }, outputs, rows);
            if position > 0 {
                self.numbers(Run::Sums, outputs, 1);
                let columns = if rows > 1 { outputs.min(SCALAR_COLUMNS) } else { 1 };
                self.shorts(Run::Panels, layer.part(0).inputs.next_multiple_of(2), columns);
            }
        }
    }

    /// Makes room for `count` times `len` numbers of 32 bits.
    #[inline(never)]
    fn numbers(&mut self, run: Run, len: usize, count: usize) {
        let len = len.saturating_mul(count);
        if let Some(run) = self.runs.get_mut(run as usize) {
            *run = len.max(*run);
        }
    }

    /// Of 16 bits.
    fn shorts(&mut self, run: Run, len: usize, count: usize) {
        self.numbers(run, len.saturating_mul(count).div_ceil(2), 1);
    }

    /// i32 numbers of a run.
    pub fn len(&self, run: Run) -> usize {
        self.runs.get(run as usize).copied().unwrap_or_default()
    }

    /// i32 numbers of all of them.
    pub fn scratch(&self, blocking: Blocking) -> usize {
        // What is lost before the first run, where the caller's memory is less aligned.
        let before = blocking.alignment().saturating_sub(1);
        self.runs.iter().fold(before, |sum, len| sum.saturating_add(blocking.padded(*len)))
    }
}

/// Where in a candidate's vector a sequence's query is read: where one candidate is scored at a time and its query lies there
/// as it is, at a multiple of four bytes.
pub(crate) fn query_in_place(
    model: &Model<'_>,
    sequence: &Sequence<'_>,
    blocking: Blocking,
) -> Option<usize> {
    let is_one = blocking.candidates() == 1;
    model.paired_together(sequence).filter(|from| is_one && from.is_multiple_of(2))
}

/// i32 numbers that are kept for a sequence once the user is set.
fn kept_len(sequence: &Sequence<'_>, blocking: Blocking) -> usize {
    if sequence.is_attention() {
        let keys = sequence.capacity.saturating_mul(sequence.key_width).div_ceil(2);
        let weights = sequence.capacity.saturating_mul(blocking.candidates_of_a_pass());
        blocking.padded(keys).saturating_add(blocking.padded(weights))
    } else {
        blocking.padded(sequence.key_width.div_ceil(2))
    }
}

/// Multiply-accumulates to score one candidate against histories of at most so many behaviours, user set.
pub(crate) fn candidate_macs(model: &Model<'_>, history: usize) -> u64 {
    let mut macs = Macs::default();
    for sequence in model.sequences() {
        let length = sequence.capacity.min(history);
        for position in 0..sequence.layers {
            let layer = Layer::new(model, sequence.first_layer.saturating_add(position));
            if position == 0 {
                macs.add(length, sequence.key_width, layer.outputs());
                // The query's part and its own matrix, and the weighted sum of the keys.
                macs.add(2, sequence.paired_width, layer.outputs());
                macs.add(length, sequence.key_width, 1);
            } else {
                macs.add(length, layer.part(0).inputs, layer.outputs());
            }
        }
    }
    let head = model.head_start();
    for index in head..model.manifest().integer_layers.len() {
        let layer = Layer::new(model, index);
        // Profile and context are multiplied once, when the user is set.
        for part in usize::from(index == head)..layer.parts() {
            macs.add(1, layer.part(part).inputs, layer.outputs());
        }
    }
    macs.0
}
