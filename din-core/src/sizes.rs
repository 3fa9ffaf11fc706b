//! How much memory and arithmetic a model needs.

use crate::kernels::ROWS;
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
    /// Widest output of any unit's layers, times the behaviours of a block.
    pub unit_block: usize,
    /// Widest paired part of a key, times the behaviours of a block.
    pub product_block: usize,
    /// Widest output of a unit's first layer.
    pub query: usize,
    /// Widest key.
    pub pooled: usize,
    /// All of it, and what is kept for each sequence.
    pub scratch: usize,
    /// Multiply-accumulates a candidate.
    pub candidate_macs: u64,
}

impl Sizes {
    /// Of a model that was checked.
    pub fn of(model: &Model<'_>) -> Self {
        let mut sizes = Self::default();
        for sequence in model.sequences() {
            let unit = model.layer_range(sequence.first_layer, sequence.layers);
            add_sequence(&mut sizes, &sequence, unit);
        }
        add_head(model, &mut sizes);
        sizes
    }
}

/// Numbers that a ranker keeps for a sequence once the user is set.
pub(crate) fn kept_for_sequence(sequence: &Sequence<'_>, unit_first: usize) -> usize {
    if sequence.is_attention() {
        // keys [T, D], their part of the first layer [T, H], attention weights [T]
        let row = sequence.key_width.saturating_add(unit_first).saturating_add(1);
        sequence.capacity.saturating_mul(row)
    } else {
        sequence.key_width
    }
}

fn add_sequence<'a>(sizes: &mut Sizes, sequence: &Sequence<'_>, unit: impl Iterator<Item = Layer<'a>>) {
    let (mut widest, mut first, mut macs) = (0, 0, 0_u64);
    for (index, layer) in unit.enumerate() {
        widest = widest.max(layer.outputs);
        let mut inputs = layer.inputs;
        if index == 0 {
            first = layer.outputs;
            inputs = sequence.paired_width;
        }
        macs = macs.saturating_add(inputs as u64 * layer.outputs as u64);
    }
    if sequence.is_attention() {
        let query = sequence.paired_width as u64 * first as u64;
        let behaviour = macs.saturating_add(sequence.key_width as u64);
        sizes.candidate_macs =
            sizes.candidate_macs.saturating_add((sequence.capacity as u64).saturating_mul(behaviour) + query);
    }
    sizes.unit_block = sizes.unit_block.max(widest.saturating_mul(ROWS));
    sizes.product_block = sizes.product_block.max(sequence.paired_width.saturating_mul(ROWS));
    sizes.query = sizes.query.max(first);
    sizes.pooled = sizes.pooled.max(sequence.key_width);
    sizes.scratch = sizes.scratch.saturating_add(kept_for_sequence(sequence, first));
}

fn add_head(model: &Model<'_>, sizes: &mut Sizes) {
    let (start, fields) = model.field_range(Group::Candidate);
    sizes.candidate =
        model.field_records(start, fields).fold(0, |sum, field| sum.saturating_add(model.width(&field)));
    let all = model.manifest().fields.iter();
    sizes.widest_row = all.fold(0, |widest, field| widest.max(model.width(&field)));
    let user: u64 = model.field_records(0, start).map(|field| model.width(&field) as u64).sum();
    let first_layer = model.head_start();
    let count = model.manifest().layers.len().saturating_sub(first_layer);
    for (index, layer) in model.layer_range(first_layer, count).enumerate() {
        sizes.head_widest = sizes.head_widest.max(layer.outputs);
        let mut inputs = layer.inputs as u64;
        if index == 0 {
            sizes.head_first = layer.outputs;
            inputs = inputs.saturating_sub(user);
        }
        sizes.candidate_macs =
            sizes.candidate_macs.saturating_add(inputs.saturating_mul(layer.outputs as u64));
    }
    let each_candidate = [
        sizes.head_first,
        sizes.widest_row.max(sizes.pooled),
        sizes.candidate,
        sizes.head_widest,
        sizes.head_widest,
        sizes.query,
        sizes.pooled,
        sizes.pooled,
        sizes.unit_block,
        sizes.unit_block,
        sizes.product_block,
    ];
    sizes.scratch = each_candidate.into_iter().fold(sizes.scratch, usize::saturating_add);
}
