//! How much memory and arithmetic a model needs.

use crate::blocking::Blocking;
use crate::layer::Layer;
use crate::model::{Group, Model, Sequence};

/// Sizes that follow from a model, in f32 numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    /// Width of the widest table.
    pub widest_row: usize,
    /// Width of the candidate vector.
    pub candidate: usize,
    /// Widest output of the head's layers.
    pub head_widest: usize,
    /// Outputs of the head's first layer.
    pub head_first: usize,
    /// Widest output of any unit's first, third, ... layer, times the behaviours of a block and the candidates of a pass.
    pub unit_hidden: usize,
    /// As `unit_hidden`, of the layers between.
    pub unit_spare: usize,
    /// Widest key, times the columns of a panel.
    pub panel: usize,
    /// Widest output of a unit's first layer.
    pub query_part: usize,
    /// Widest paired part of a key.
    pub query: usize,
    /// Widest key.
    pub pooled: usize,
    /// All of it, and what is kept for each sequence.
    pub scratch: usize,
    /// Multiply-accumulates a candidate.
    pub candidate_macs: u64,
}

impl Sizes {
    /// Of a model that was checked; `history`: the most behaviours to count multiply-accumulates for.
    pub fn of(model: &Model<'_>, blocking: Blocking, history: usize) -> Self {
        let mut sizes = Self::default();
        for sequence in model.sequences() {
            let unit = model.layer_range(sequence.first_layer, sequence.layers);
            sizes.add_sequence(&sequence, unit, blocking, history);
        }
        sizes.add_head(model, blocking);
        sizes
    }

    fn add_sequence<'a>(
        &mut self,
        sequence: &Sequence<'_>,
        unit: impl Iterator<Item = Layer<'a>>,
        blocking: Blocking,
        history: usize,
    ) {
        let (mut widest, mut first, mut macs) = ([0, 0], 0, 0_u64);
        for (index, layer) in unit.enumerate() {
            let [hidden, spare] = &mut widest;
            let widest = if index % 2 == 0 { hidden } else { spare };
            *widest = layer.outputs.max(*widest);
            let mut inputs = layer.inputs;
            if index == 0 {
                first = layer.outputs;
                inputs = sequence.key_width;
            }
            macs = macs.saturating_add(inputs as u64 * layer.outputs as u64);
        }
        if sequence.is_attention() {
            // The query's part of the first layer, its own matrix, and each pair.
            let query = 2 * sequence.paired_width as u64 * first as u64;
            let behaviour = macs.saturating_add(sequence.key_width as u64);
            let pairs = (sequence.capacity.min(history) as u64).saturating_mul(behaviour);
            self.candidate_macs = self.candidate_macs.saturating_add(pairs).saturating_add(query);
            let together = blocking.candidates_of_a_pass();
            let rows = sequence.capacity.min(blocking.largest_block()).saturating_mul(together);
            let [hidden, spare] = widest.map(|widest| widest.saturating_mul(rows));
            self.unit_hidden = self.unit_hidden.max(hidden);
            self.unit_spare = self.unit_spare.max(spare);
            let columns = first.min(blocking.widest_panel());
            self.panel = self.panel.max(sequence.key_width.saturating_mul(columns));
        }
        self.query_part = self.query_part.max(first);
        self.query = self.query.max(sequence.paired_width);
        self.pooled = self.pooled.max(sequence.key_width);
        self.scratch = self.scratch.saturating_add(kept_for_sequence(sequence, blocking));
    }

    fn add_head(&mut self, model: &Model<'_>, blocking: Blocking) {
        let (start, fields) = model.field_range(Group::Candidate);
        self.candidate =
            model.field_records(start, fields).fold(0, |sum, field| sum.saturating_add(model.width(&field)));
        let all = model.manifest().fields.iter();
        self.widest_row = all.fold(0, |widest, field| widest.max(model.width(&field)));
        let user: u64 = model.field_records(0, start).map(|field| model.width(&field) as u64).sum();
        let first_layer = model.head_start();
        let count = model.manifest().layers.len().saturating_sub(first_layer);
        for (index, layer) in model.layer_range(first_layer, count).enumerate() {
            self.head_widest = self.head_widest.max(layer.outputs);
            let mut inputs = layer.inputs as u64;
            if index == 0 {
                self.head_first = layer.outputs;
                inputs = inputs.saturating_sub(user);
            }
            self.candidate_macs =
                self.candidate_macs.saturating_add(inputs.saturating_mul(layer.outputs as u64));
        }
        let each_candidate = [
            self.candidate,
            self.head_widest,
            self.head_widest,
            self.query,
            self.query_part,
            self.pooled,
            self.query,
        ]
        .map(|len| len.saturating_mul(blocking.candidates()));
        let shared = [
            self.head_first,
            self.widest_row.max(self.pooled),
            self.unit_hidden,
            self.unit_spare,
            self.panel,
        ];
        let runs = each_candidate.into_iter().chain(shared).map(|len| blocking.padded(len));
        // What is lost before the first run, where the caller's memory is less aligned.
        let before = blocking.alignment() - 1;
        self.scratch = runs.fold(self.scratch.saturating_add(before), usize::saturating_add);
    }
}

/// Numbers that a ranker keeps for a sequence once the user is set.
pub(crate) fn kept_for_sequence(sequence: &Sequence<'_>, blocking: Blocking) -> usize {
    if sequence.is_attention() {
        // keys [T, D], attention weights [candidates of a pass, T]
        let keys = sequence.capacity.saturating_mul(sequence.key_width);
        let weights = sequence.capacity.saturating_mul(blocking.candidates_of_a_pass());
        blocking.padded(keys).saturating_add(blocking.padded(weights))
    } else {
        blocking.padded(sequence.key_width)
    }
}
