//! How much memory and arithmetic a model needs.

use crate::blocking::Blocking;
use crate::layer::Layer;
use crate::model::{Group, Model, Sequence};

/// Sizes that follow from a model, in f32 numbers.
#[derive(Clone, Copy, Debug)]
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
}

impl Sizes {
    /// Of no model.
    pub const NONE: Self = Self {
        widest_row: 0,
        candidate: 0,
        head_widest: 0,
        head_first: 0,
        unit_hidden: 0,
        unit_spare: 0,
        panel: 0,
        query_part: 0,
        query: 0,
        pooled: 0,
        scratch: 0,
    };

    /// Of a model that was checked.
    pub fn of(model: &Model<'_>, blocking: Blocking) -> Self {
        let mut sizes = Self::NONE;
        for sequence in model.sequences() {
            let unit = model.layer_range(sequence.first_layer, sequence.layers);
            sizes.add_sequence(&sequence, unit, blocking);
        }
        sizes.add_head(model, blocking);
        sizes
    }

    fn add_sequence<'a>(
        &mut self,
        sequence: &Sequence<'_>,
        unit: impl Iterator<Item = Layer<'a>>,
        blocking: Blocking,
    ) {
        let (mut widest, mut first) = ([0, 0], 0);
        for (index, layer) in unit.enumerate() {
            let [hidden, spare] = &mut widest;
            let widest = if index % 2 == 0 { hidden } else { spare };
            *widest = layer.outputs.max(*widest);
            if index == 0 {
                first = layer.outputs;
            }
        }
        if sequence.is_attention() {
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
        self.candidate = model.widths((start, fields));
        let all = 0..model.manifest().fields.len();
        self.widest_row = all.fold(0, |widest, field| widest.max(model.width(field)));
        let first_layer = model.head_start();
        let count = model.manifest().layers.len().saturating_sub(first_layer);
        for (index, layer) in model.layer_range(first_layer, count).enumerate() {
            self.head_widest = self.head_widest.max(layer.outputs);
            if index == 0 {
                self.head_first = layer.outputs;
            }
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
        let before = blocking.alignment().saturating_sub(1);
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

/// Multiply-accumulates, added up.
#[derive(Default)]
pub(crate) struct Macs(pub u64);

impl Macs {
    /// Those of a product: `[rows, inputs] x [inputs, outputs]`.
    pub fn add(&mut self, rows: usize, inputs: usize, outputs: usize) {
        let each = (rows as u64).saturating_mul(inputs as u64).saturating_mul(outputs as u64);
        self.0 = self.0.saturating_add(each);
    }
}

/// Multiply-accumulates to score one candidate against histories of at most so many behaviours, user set.
pub(crate) fn candidate_macs(model: &Model<'_>, history: usize) -> u64 {
    let mut macs = Macs::default();
    for sequence in model.sequences() {
        let length = sequence.capacity.min(history);
        for (index, layer) in model.layer_range(sequence.first_layer, sequence.layers).enumerate() {
            if index == 0 {
                macs.add(length, sequence.key_width, layer.outputs);
                // The query's part and its own matrix, and the weighted sum of the keys.
                macs.add(2, sequence.paired_width, layer.outputs);
                macs.add(length, sequence.key_width, 1);
            } else {
                macs.add(length, layer.inputs, layer.outputs);
            }
        }
    }
    let (head, count) = (model.head_start(), model.manifest().layers.len());
    let (candidate, _) = model.field_range(Group::Candidate);
    for (index, layer) in model.layer_range(head, count.saturating_sub(head)).enumerate() {
        // Profile and context are multiplied once, when the user is set.
        let once = if index == 0 { model.widths((0, candidate)) } else { 0 };
        macs.add(1, layer.inputs.saturating_sub(once), layer.outputs);
    }
    macs.0
}
