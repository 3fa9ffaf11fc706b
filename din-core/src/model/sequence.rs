//! Behaviour sequences of a model.

use super::{Group, Model};
use crate::manifest::{NONE, Name, Pooling, text};

/// One behaviour sequence of a model.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    pub(crate) names: &'a str,
    pub(crate) name: Name,
    pub(crate) capacity: usize,
    pub(crate) pooling: Pooling,
    /// Range of the manifest's fields.
    pub(crate) first_field: usize,
    pub(crate) fields: usize,
    /// Range of the manifest's layers.
    pub(crate) first_layer: usize,
    pub(crate) layers: usize,
    /// D, width of the key.
    pub(crate) key_width: usize,
    /// P, width of the key's first part, which the candidate has too.
    pub(crate) paired_width: usize,
    /// Of integer blobs.
    pub(crate) fixed: FixedPooling,
}

/// How a sequence of the integer path is pooled: see [`SequenceRecord`](crate::manifest::SequenceRecord).
#[derive(Clone, Copy, Debug)]
pub(crate) struct FixedPooling {
    pub weight_limit: u16,
    pub weight_fraction: i8,
    pub pooled_shift: u8,
    pub product_shift: u8,
}

impl<'a> Sequence<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(self.names, self.name)
    }

    /// The most behaviours used; of a longer history the newest.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How keys are pooled.
    #[must_use]
    pub const fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Width D of the key vector.
    #[must_use]
    pub const fn key_width(&self) -> usize {
        self.key_width
    }

    /// Whether an activation unit weighs the behaviours.
    #[must_use]
    pub const fn is_attention(&self) -> bool {
        matches!(self.pooling, Pooling::Attention | Pooling::SoftmaxAttention)
    }
}

impl<'a> Model<'a> {
    /// Behaviour sequences.
    pub fn sequences(&self) -> impl Iterator<Item = Sequence<'a>> + Clone + use<'_, 'a> {
        (0..self.manifest.sequences.len()).map(|index| self.sequence(index))
    }

    /// The sequence with this index; past the last an empty one, which begins where that ends.
    #[inline(never)]
    pub(crate) fn sequence(&self, index: usize) -> Sequence<'a> {
        let record = |index| self.manifest.sequences.get(index).unwrap_or_default();
        let (candidate, fields) = self.field_range(Group::Candidate);
        let (mut first_field, mut first_layer) = (candidate.saturating_add(fields), 0_usize);
        for earlier in 0..index {
            let record = record(earlier);
            first_field = first_field.saturating_add(record.fields.into());
            first_layer = first_layer.saturating_add(record.layers.into());
        }
        let record = record(index);
        let fields = usize::from(record.fields);
        let is_paired = |index: &usize| self.field(*index).pair != NONE;
        let paired = (first_field..first_field.saturating_add(fields)).filter(is_paired);
        Sequence {
            names: self.manifest.names,
            name: record.name,
            capacity: usize::from(record.capacity),
            pooling: record.pooling,
            first_field,
            fields,
            first_layer,
            layers: usize::from(record.layers),
            key_width: self.widths((first_field, fields)),
            paired_width: paired.fold(0, |sum, index| sum.saturating_add(self.width(index))),
            fixed: FixedPooling {
                weight_limit: record.weight_limit,
                weight_fraction: record.weight_fraction,
                pooled_shift: record.pooled_shift,
                product_shift: record.product_shift,
            },
        }
    }

    /// Where in the candidate's inputs those fields begin that a sequence's are paired with, if they lie there side by side
    /// in the same order: then a query is a part of the candidate's vector.
    #[inline(never)]
    pub(crate) fn paired_together(&self, sequence: &Sequence<'_>) -> Option<usize> {
        let pair = |index: usize| {
            Some(usize::from(self.field(index).pair)).filter(|pair| *pair != usize::from(NONE))
        };
        let start = pair(sequence.first_field)?;
        let fields = sequence.first_field..sequence.first_field.saturating_add(sequence.fields);
        // Paired fields come first.
        let are_together = fields.map_while(pair).zip(start..).all(|(pair, next)| pair == next);
        let (first, _) = self.field_range(Group::Candidate);
        are_together.then(|| self.widths((first, start)))
    }
}
