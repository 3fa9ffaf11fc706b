//! How much memory the integer path needs, in i32 numbers.

use super::layer::{Layer, layers};
use crate::blocking::Blocking;
use crate::model::{Group, Model, Sequence};

/// Sizes that follow from a model, in numbers of the run's own width.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    /// i16: width of profile and context, or the widest key.
    pub row: usize,
    /// i16: width of the candidate vector.
    pub candidate: usize,
    /// i32: outputs of the head's first layer.
    pub head_first: usize,
    /// i32: outputs of any layer, or the widest key.
    pub sums: usize,
    /// i16: outputs of the head's first, third, ... layer times the candidates of a block, or of a unit's times the
    /// behaviours of a block and the candidates of a pass.
    pub hidden: usize,
    /// i16: as `hidden`, of the layers between.
    pub spare: usize,
    /// i32: behaviours of a block times the candidates of a pass.
    pub results: usize,
    /// i32: outputs of a unit's first layer.
    pub query_part: usize,
    /// i16: widest paired part of a key.
    pub query: usize,
    /// i16: widest key.
    pub pooled: usize,
    /// i16: widest key, filled to pairs, times the columns of a panel and the candidates of a pass.
    pub panels: usize,
    /// Layers, and the first of the head's.
    pub head_start: usize,
    pub layers: usize,
    /// All of it, in i32.
    pub scratch: usize,
    /// Multiply-accumulates a candidate.
    pub candidate_macs: u64,
}

impl Sizes {
    /// Of a model that was checked; `history`: the most behaviours to count multiply-accumulates for.
    pub fn of<'a>(model: &'a Model<'a>, blocking: Blocking, history: usize) -> Self {
        let (start, count) = model.field_range(Group::Candidate);
        let width = |first, count| {
            model
                .field_records(first, count)
                .fold(0_usize, |sum, field| sum.saturating_add(model.width(&field)))
        };
        let mut sizes = Self {
            row: width(0, start),
            candidate: width(start, count),
            head_start: model.head_start(),
            layers: model.manifest().integer_layers.len(),
            ..Self::default()
        };
        let mut kept = 0_usize;
        for sequence in model.sequences() {
            sizes.row = sizes.row.max(sequence.key_width);
            sizes.sums = sizes.sums.max(sequence.key_width);
            sizes.query = sizes.query.max(sequence.paired_width);
            sizes.pooled = sizes.pooled.max(sequence.key_width);
            kept = kept.saturating_add(kept_len(&sequence, blocking));
            let behaviours = sequence.capacity.min(blocking.largest_block());
            let rows = behaviours.saturating_mul(blocking.candidates_of_a_pass());
            let length = sequence.capacity.min(history);
            for (index, layer) in layers(model, sequence.first_layer, sequence.layers).enumerate() {
                sizes.add_layer(index, &layer, rows);
                sizes.results = sizes.results.max(rows);
                let inputs = if index == 0 { sequence.key_width } else { layer.part(0).inputs };
                sizes.add_macs(length, inputs, layer.outputs);
                if index == 0 {
                    // The query's part and its own matrix, and the weighted sum of the keys.
                    sizes.add_macs(2, sequence.paired_width, layer.outputs);
                    sizes.add_macs(length, sequence.key_width, 1);
                    sizes.query_part = sizes.query_part.max(layer.outputs);
                    let columns = layer.outputs.min(blocking.widest_panel());
                    let inputs = sequence.key_width.next_multiple_of(2);
                    let panels = columns.saturating_mul(blocking.candidates_of_a_pass());
                    sizes.panels = sizes.panels.max(inputs.saturating_mul(panels));
                }
            }
        }
        for (index, layer) in layers(model, sizes.head_start, sizes.layers).enumerate() {
            sizes.add_layer(index, &layer, blocking.candidates());
            // Profile and context are multiplied once, when the user is set.
            let parts = layer.parts().skip(usize::from(index == 0));
            let inputs = parts.fold(0_usize, |sum, part| sum.saturating_add(part.inputs));
            sizes.add_macs(1, inputs, layer.outputs);
            if index == 0 {
                sizes.head_first = layer.outputs;
            }
        }
        let each = |len: usize| len.saturating_mul(blocking.candidates());
        let short = [sizes.row, sizes.hidden, sizes.spare, sizes.panels]
            .into_iter()
            .chain([sizes.candidate, sizes.query, sizes.query, sizes.pooled].map(each))
            .map(|len| blocking.padded(len.div_ceil(2)));
        let long =
            [sizes.head_first, each(sizes.head_first), sizes.sums, sizes.results, each(sizes.query_part)];
        let runs = short.chain(long.map(|len| blocking.padded(len)));
        sizes.scratch = runs.fold(kept.saturating_add(blocking.alignment() - 1), usize::saturating_add);
        sizes
    }

    fn add_macs(&mut self, rows: usize, inputs: usize, outputs: usize) {
        let macs = (rows as u64).saturating_mul(inputs as u64).saturating_mul(outputs as u64);
        self.candidate_macs = self.candidate_macs.saturating_add(macs);
    }

    fn add_layer(&mut self, index: usize, layer: &Layer<'_>, rows: usize) {
        self.sums = self.sums.max(layer.outputs);
        let widest = if index.is_multiple_of(2) { &mut self.hidden } else { &mut self.spare };
        *widest = layer.outputs.saturating_mul(rows).max(*widest);
    }
}

/// i32 numbers that are kept for a sequence once the user is set.
pub(crate) fn kept_len(sequence: &Sequence<'_>, blocking: Blocking) -> usize {
    if sequence.is_attention() {
        let keys = sequence.capacity.saturating_mul(sequence.key_width).div_ceil(2);
        let weights = sequence.capacity.saturating_mul(blocking.candidates_of_a_pass());
        blocking.padded(keys).saturating_add(blocking.padded(weights))
    } else {
        blocking.padded(sequence.key_width.div_ceil(2))
    }
}
