//! What the raw sections of a blob mean: one postcard value, decoded in place.
//!
//! The lists in it are byte strings of fixed-width records, so that any record is found without walking the others and
//! nothing is copied to RAM. Field order is the format; later minor versions append.

mod reader;

use crate::subject::Subject;
use serde::{Deserialize, Serialize};

pub use crate::records::{Cursor, Record, Records};

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

/// How the numbers of an embedding row are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RowEncoding {
    /// Four bytes a number.
    #[default]
    F32,
    /// One signed byte a number, times the row's scale.
    Int8,
    /// Two bytes a number: IEEE half precision.
    F16,
    /// Half a byte a number, -8 to 7, times the row's scale; the low half first, rows start at bytes.
    Int4,
}

impl RowEncoding {
    /// Bytes of a row.
    #[must_use]
    pub const fn row_len(self, dim: usize) -> usize {
        match self {
            Self::F32 => dim.saturating_mul(4),
            Self::Int8 => dim,
            Self::F16 => dim.saturating_mul(2),
            Self::Int4 => dim.div_ceil(2),
        }
    }

    /// Whether each row has a scale.
    #[must_use]
    pub const fn is_scaled(self) -> bool {
        matches!(self, Self::Int8 | Self::Int4)
    }
}

/// How raw ids become rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum VocabularyKind {
    /// Consecutive integers.
    #[default]
    Dense,
    /// Sorted integer keys.
    Keys,
    /// Sorted hashes of strings.
    HashedText,
}

/// An embedding table and its vocabulary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Of the table.
    pub name: Name,
    /// Row 0 included.
    #[serde(with = "postcard::fixint::le")]
    pub rows: u32,
    /// Numbers in a row.
    #[serde(with = "postcard::fixint::le")]
    pub dim: u16,
    /// How they are stored.
    pub encoding: RowEncoding,
    /// Section of the rows: `rows * row_len` bytes.
    #[serde(with = "postcard::fixint::le")]
    pub values: u16,
    /// Section of the scales, for [`RowEncoding::is_scaled`], else [`NONE`]: an f32 for each row, of integer blobs a u16
    /// multiplier.
    #[serde(with = "postcard::fixint::le")]
    pub scales: u16,
    /// How raw ids become rows.
    pub vocabulary: VocabularyKind,
    /// Dense: the smallest id.
    #[serde(with = "postcard::fixint::le")]
    pub first_id: u64,
    /// Dense: the row of the smallest id, 0 or 1.
    pub first_row: u8,
    /// Section of the keys: a u64 for each row but row 0; [`NONE`] for [`VocabularyKind::Dense`].
    #[serde(with = "postcard::fixint::le")]
    pub keys: u16,
    /// Integer blobs (else 0): an input of 1 is worth `2^-fraction`.
    pub fraction: i8,
    /// Integer blobs: of the products of stored numbers and multiplier, 0 to 30.
    pub shift: u8,
    /// Integer blobs: the largest magnitude of an input, up to 32767.
    #[serde(with = "postcard::fixint::le")]
    pub limit: u16,
}

impl Record for TableRecord {
    const SIZE: usize = 30;
    const SUBJECT: Subject = Subject::Table;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            name: Name::read(from),
            rows: from.u32(),
            dim: from.u16(),
            encoding: from.choice([
                RowEncoding::F32,
                RowEncoding::Int8,
                RowEncoding::F16,
                RowEncoding::Int4,
            ])?,
            values: from.u16(),
            scales: from.u16(),
            vocabulary: from.choice([
                VocabularyKind::Dense,
                VocabularyKind::Keys,
                VocabularyKind::HashedText,
            ])?,
            first_id: from.u64(),
            first_row: from.u8(),
            keys: from.u16(),
            fraction: from.i8(),
            shift: from.u8(),
            limit: from.u16(),
        })
    }
}

/// Whether a field holds an id or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FieldKind {
    /// An id.
    #[default]
    Categorical,
    /// A number.
    Numeric,
}

/// One field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldRecord {
    /// Of the field.
    pub name: Name,
    /// Id or number.
    pub kind: FieldKind,
    /// Categorical: the table; else [`NONE`].
    #[serde(with = "postcard::fixint::le")]
    pub table: u16,
    /// Of a behaviour: the candidate field (index among those) it is compared with, or [`NONE`].
    #[serde(with = "postcard::fixint::le")]
    pub pair: u16,
    /// Numeric: how raw numbers become inputs.
    pub normaliser: crate::Normaliser,
}

impl Record for FieldRecord {
    const SIZE: usize = 21;
    const SUBJECT: Subject = Subject::Field;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            name: Name::read(from),
            kind: from.choice([FieldKind::Categorical, FieldKind::Numeric])?,
            table: from.u16(),
            pair: from.u16(),
            normaliser: crate::Normaliser::read(from)?,
        })
    }
}

/// How keys become an interest vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Pooling {
    /// Their sum.
    #[default]
    Sum,
    /// Their mean.
    Mean,
    /// Their sum, weighted by the activation unit.
    Attention,
    /// The same, after `softmax(weight / sqrt(D))`.
    SoftmaxAttention,
}

/// A behaviour sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceRecord {
    /// Of the sequence.
    pub name: Name,
    /// The most behaviours used.
    #[serde(with = "postcard::fixint::le")]
    pub capacity: u16,
    /// Fields of a behaviour: the next so many of [`Manifest::fields`], paired ones first.
    #[serde(with = "postcard::fixint::le")]
    pub fields: u16,
    /// How keys are pooled.
    pub pooling: Pooling,
    /// Layers of the activation unit: the next so many of [`Manifest::layers`] or [`Manifest::integer_layers`].
    pub layers: u8,
    /// Integer blobs (else 0), attention: the largest magnitude of an attention weight, or of the softmax's argument.
    #[serde(with = "postcard::fixint::le")]
    pub weight_limit: u16,
    /// Integer blobs: a weight (an argument) of 1 is worth `2^-weight_fraction`.
    pub weight_fraction: i8,
    /// Integer blobs: of the sum of (weighted) keys, 0 to 30.
    pub pooled_shift: u8,
    /// Integer blobs: of the product of interest vector and query, 0 to 30.
    pub product_shift: u8,
}

impl Record for SequenceRecord {
    const SIZE: usize = 14;
    const SUBJECT: Subject = Subject::Sequence;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            name: Name::read(from),
            capacity: from.u16(),
            fields: from.u16(),
            pooling: from.choice([
                Pooling::Sum,
                Pooling::Mean,
                Pooling::Attention,
                Pooling::SoftmaxAttention,
            ])?,
            layers: from.u8(),
            weight_limit: from.u16(),
            weight_fraction: from.i8(),
            pooled_shift: from.u8(),
            product_shift: from.u8(),
        })
    }
}

/// What follows the affine part of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Activation {
    /// Nothing.
    #[default]
    Linear,
    /// `1 / (1 + exp(-s))`.
    Sigmoid,
    /// `max(s, 0)`.
    Relu,
    /// `s` where positive, else `alpha s`; parameters: alpha.
    PRelu,
    /// `s (alpha + (1 - alpha) sigmoid(a s + b))`; parameters: a, b, alpha. Folded from the stored moving statistics:
    /// `a = 1 / sqrt(variance + eps)`, `b = -mean a`.
    Dice,
}

impl Activation {
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 5] = [Self::Linear, Self::Sigmoid, Self::Relu, Self::PRelu, Self::Dice];

    /// Parameters for each unit.
    #[must_use]
    pub const fn parameters(self) -> usize {
        match self {
            Self::Linear | Self::Sigmoid | Self::Relu => 0,
            Self::PRelu => 1,
            Self::Dice => 3,
        }
    }
}

/// A dense layer, its weight stored `[inputs, outputs]`: the outputs of one input side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Rows of the weight. First layer of a unit: `P + D + P` for `Wq + Wd`, `Wk - Wd`, `Wp` (folded).
    #[serde(with = "postcard::fixint::le")]
    pub inputs: u32,
    /// Columns of the weight.
    #[serde(with = "postcard::fixint::le")]
    pub outputs: u32,
    /// What follows.
    pub activation: Activation,
    /// Section of the weight: f32.
    #[serde(with = "postcard::fixint::le")]
    pub weight: u16,
    /// Section of the bias: an f32 for each output.
    #[serde(with = "postcard::fixint::le")]
    pub bias: u16,
    /// Section of the activation's parameters, one run of `outputs` f32 for each, or [`NONE`].
    #[serde(with = "postcard::fixint::le")]
    pub parameters: u16,
}

impl Record for LayerRecord {
    const SIZE: usize = 15;
    const SUBJECT: Subject = Subject::Layer;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            inputs: from.u32(),
            outputs: from.u32(),
            activation: from.choice(Activation::ALL)?,
            weight: from.u16(),
            bias: from.u16(),
            parameters: from.u16(),
        })
    }
}

/// What a layer of the integer path adds up from one run of inputs: `rshift(sum_d x_d W8[d,h], shift) m[h]`.
///
/// With a base, the part of a unit's first layer over the key's D inputs, whose weights depend on the query q:
/// `base[d,h] + rshift(W8[d,h] q_d, 8)`, the second term for the P paired inputs alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Inputs; D with a base.
    #[serde(with = "postcard::fixint::le")]
    pub inputs: u32,
    /// Section of W8, i8: `[ceil(inputs / 4)][outputs][4]`, the four of inputs d, d+2, d+1, d+3, so that the even and the
    /// odd bytes of a word are inputs side by side. Missing inputs are 0. With a base, P inputs.
    #[serde(with = "postcard::fixint::le")]
    pub weight: u16,
    /// Section of the base, i16: `[ceil(inputs / 2)][outputs][2]`, a missing input 0; or [`NONE`].
    #[serde(with = "postcard::fixint::le")]
    pub base: u16,
    /// Section of the multipliers m: an i16 for each output.
    #[serde(with = "postcard::fixint::le")]
    pub multipliers: u16,
    /// Of the sum, 0 to 30.
    pub shift: u8,
}

impl Record for PartRecord {
    const SIZE: usize = 11;
    const SUBJECT: Subject = Subject::Part;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            inputs: from.u32(),
            weight: from.u16(),
            base: from.u16(),
            multipliers: from.u16(),
            shift: from.u8(),
        })
    }
}

/// A layer of the integer path: `z = sat16((addend + parts) >> shift)`, then the activation. A last layer's result is not
/// saturated: Q16.16 of the head's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegerLayerRecord {
    /// Results.
    #[serde(with = "postcard::fixint::le")]
    pub outputs: u32,
    /// What follows.
    pub activation: Activation,
    /// The next so many of [`Manifest::parts`]. First layer of a unit: query, then pair. First layer of the head: user,
    /// interest vector of each sequence, candidate, product of each sequence where [`Manifest::product`] says so.
    pub parts: u8,
    /// Section of the addend, i32 for each output: the bias and the rounding constant `2^(shift-1)`.
    #[serde(with = "postcard::fixint::le")]
    pub addend: u16,
    /// Section of the activation's parameters, runs of `outputs` numbers; or [`NONE`]. `PRelu`: alpha, i16 Q2.13. Dice:
    /// b i32, a i16, alpha i16 Q2.13, e u8.
    #[serde(with = "postcard::fixint::le")]
    pub parameters: u16,
    /// Of the sum, 0 to 30.
    pub shift: u8,
    /// A z of 1 is worth `2^-fraction`; 12 before a sigmoid, whose result has 15.
    pub fraction: i8,
}

impl Record for IntegerLayerRecord {
    const SIZE: usize = 12;
    const SUBJECT: Subject = Subject::IntegerLayer;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            outputs: from.u32(),
            activation: from.choice(Activation::ALL)?,
            parts: from.u8(),
            addend: from.u16(),
            parameters: from.u16(),
            shift: from.u8(),
            fraction: from.i8(),
        })
    }
}

/// How a raw number in Q16.16 becomes an input of the integer path:
/// `clamp(rshift((t - mean) multiplier, shift), -limit, limit)`, t the number after the field's transform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedRecord {
    /// Q16.16.
    #[serde(with = "postcard::fixint::le")]
    pub mean: i32,
    /// Of the difference.
    #[serde(with = "postcard::fixint::le")]
    pub multiplier: i32,
    /// Of the product, 0 to 62.
    pub shift: u8,
    /// The largest magnitude of the input, up to 32767.
    #[serde(with = "postcard::fixint::le")]
    pub limit: u16,
    /// An input of 1 is worth `2^-fraction`.
    pub fraction: i8,
}

impl Record for FixedRecord {
    const SIZE: usize = 12;
    const SUBJECT: Subject = Subject::FixedField;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            mean: from.i32(),
            multiplier: from.i32(),
            shift: from.u8(),
            limit: from.u16(),
            fraction: from.i8(),
        })
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
