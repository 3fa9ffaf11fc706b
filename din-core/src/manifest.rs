//! What the raw sections of a blob mean: one postcard value, decoded in place.
//!
//! The lists in it are byte strings of fixed-width records, so that any record is found without walking the others and
//! nothing is copied to RAM. Field order is the format; later minor versions append.

mod field;
mod integer;
mod layer;
mod reader;
mod table;

use crate::subject::Subject;
use serde::{Deserialize, Serialize};

pub use crate::records::{Cursor, Record, Records};
pub use field::{FieldKind, FieldRecord, Pooling, SequenceRecord};
pub use integer::{FixedRecord, IntegerLayerRecord, PartRecord};
pub use layer::{Activation, LayerRecord};
pub use table::{RowEncoding, TableRecord, VocabularyKind};

/// Stands for "none" where a record refers to another.
pub const NONE: u16 = u16::MAX;

/// Widest layer, key, or table row.
pub const MAX_WIDTH: u32 = 8192;
/// Most behaviours of a sequence.
pub const MAX_CAPACITY: u32 = 32_768;
/// Most sequences.
pub const MAX_SEQUENCES: usize = 8;
/// Most hidden and output layers of one multilayer perceptron.
pub const MAX_LAYERS: usize = 8;
/// Most fields in all groups together.
pub const MAX_FIELDS: usize = 1024;

/// A name: a range of [`Manifest::names`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// First byte.
    #[serde(with = "postcard::fixint::le")]
    pub start: u16,
    /// Bytes.
    pub len: u8,
}

impl Name {
    fn read(from: &mut Cursor<'_>) -> Self {
        Self { start: from.u16(), len: from.u8() }
    }
}

/// Where a section lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionRecord {
    /// From the blob's start; a multiple of [`ALIGNMENT`](crate::header::ALIGNMENT).
    #[serde(with = "postcard::fixint::le")]
    pub offset: u64,
    /// Without the padding.
    #[serde(with = "postcard::fixint::le")]
    pub len: u64,
}

impl Record for SectionRecord {
    const SIZE: usize = 16;
    const SUBJECT: Subject = Subject::Section;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self { offset: from.u64(), len: from.u64() })
    }
}

/// The bias that each row of one candidate field adds to the logit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemBiasRecord {
    /// Index among the candidate fields; a categorical one.
    #[serde(with = "postcard::fixint::le")]
    pub field: u16,
    /// Section: an f32 for each row of the field's table; of integer blobs an i32, Q16.16.
    #[serde(with = "postcard::fixint::le")]
    pub values: u16,
}

/// The manifest.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Manifest<'a> {
    /// Of the model, for people.
    pub name: &'a str,
    /// Every other name, one after the other.
    pub names: &'a str,
    /// Embedding tables.
    #[serde(borrow)]
    pub tables: Records<'a, TableRecord>,
    /// Profile fields, then context, candidate, and the behaviour fields of each sequence.
    #[serde(borrow)]
    pub fields: Records<'a, FieldRecord>,
    /// How many of them are of the profile.
    #[serde(with = "postcard::fixint::le")]
    pub profile_fields: u16,
    /// How many are of the context.
    #[serde(with = "postcard::fixint::le")]
    pub context_fields: u16,
    /// How many are of the candidate.
    #[serde(with = "postcard::fixint::le")]
    pub candidate_fields: u16,
    /// Behaviour sequences.
    #[serde(borrow)]
    pub sequences: Records<'a, SequenceRecord>,
    /// Layers of each activation unit, then of the head; none in integer blobs.
    #[serde(borrow)]
    pub layers: Records<'a, LayerRecord>,
    /// Whether the head also reads pooled * candidate.
    pub product: bool,
    /// Added to the logit.
    pub item_bias: Option<ItemBiasRecord>,
    /// Raw sections, in the order in which tables, layers and item bias refer to them.
    #[serde(borrow)]
    pub sections: Records<'a, SectionRecord>,
    /// Parts of the integer layers, in their order; this list and those below are empty in f32 blobs.
    #[serde(borrow)]
    pub parts: Records<'a, PartRecord>,
    /// Layers of each activation unit, then of the head, for the integer path.
    #[serde(borrow)]
    pub integer_layers: Records<'a, IntegerLayerRecord>,
    /// Of each numeric field, in the order of [`fields`](Self::fields).
    #[serde(borrow)]
    pub fixed: Records<'a, FixedRecord>,
}

impl<'a> Manifest<'a> {
    /// The text of a name; empty where the range is none.
    #[must_use]
    pub fn text(&self, name: Name) -> &'a str {
        text(self.names, name)
    }
}

/// The text of a name; empty where the range is none.
pub(crate) fn text(names: &str, name: Name) -> &str {
    let start = usize::from(name.start);
    names.get(start..start.saturating_add(usize::from(name.len))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_size<R: Record + for<'de> Deserialize<'de> + core::fmt::Debug + PartialEq>(record: R) {
        let mut buffer = [0; 64];
        let bytes = &*postcard::to_slice(&record, &mut buffer).unwrap();
        assert_eq!(bytes.len(), R::SIZE, "{}", R::SUBJECT);
        assert_eq!(Records::new(bytes).get(0), Some(record));
        // Any bytes at all, and as postcard reads them.
        let mut state = 1_u32;
        for _ in 0..20_000 {
            let bytes: [u8; 64] = core::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if state >> 30 == 0 { (state >> 24) as u8 } else { (state >> 24) as u8 % 6 }
            });
            let found = Records::<R>::new(&bytes[..R::SIZE]).get(0);
            let expected: Option<R> = postcard::from_bytes(&bytes[..R::SIZE]).ok();
            assert_eq!(std::format!("{found:?}"), std::format!("{expected:?}")); // a NaN equals none
        }
    }

    #[test]
    fn records_are_read_as_postcard_writes_them_and_have_their_stated_size() {
        assert_size(TableRecord::default());
        assert_size(TableRecord {
            rows: u32::MAX,
            dim: NONE,
            encoding: RowEncoding::Int8,
            values: NONE,
            vocabulary: VocabularyKind::HashedText,
            first_id: u64::MAX,
            first_row: 255,
            ..TableRecord::default()
        });
        let numeric = FieldRecord {
            name: Name { start: NONE, len: 255 },
            kind: FieldKind::Numeric,
            table: NONE,
            pair: NONE,
            normaliser: crate::Normaliser {
                transform: crate::Transform::Log1p,
                ..crate::Normaliser::IDENTITY
            },
        };
        assert_size(numeric);
        assert_size(SequenceRecord {
            capacity: NONE,
            pooling: Pooling::SoftmaxAttention,
            ..SequenceRecord::default()
        });
        assert_size(LayerRecord { inputs: u32::MAX, activation: Activation::Dice, ..LayerRecord::default() });
        assert_size(SectionRecord { offset: u64::MAX, len: u64::MAX });
        assert_size(TableRecord { fraction: i8::MIN, shift: 255, limit: NONE, ..TableRecord::default() });
        assert_size(SequenceRecord { weight_limit: NONE, weight_fraction: -1, ..SequenceRecord::default() });
        assert_size(PartRecord { inputs: u32::MAX, base: NONE, shift: 255, ..PartRecord::default() });
        assert_size(IntegerLayerRecord { outputs: u32::MAX, fraction: -1, ..IntegerLayerRecord::default() });
        assert_size(FixedRecord { mean: i32::MIN, multiplier: -1, shift: 255, ..FixedRecord::default() });
    }

    #[test]
    fn a_record_that_does_not_decode_is_found() {
        let bytes = [0; SectionRecord::SIZE * 2];
        assert!(Records::<SectionRecord>::new(&bytes).is_well_formed());
        assert!(!Records::<SectionRecord>::new(&bytes[..17]).is_well_formed());
        let mut layer = [0; LayerRecord::SIZE];
        layer[8] = 99;
        assert!(!Records::<LayerRecord>::new(&layer).is_well_formed());
    }
}
