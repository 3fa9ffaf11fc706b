//! Embedding tables and their vocabularies.

#[cfg(doc)]
use super::NONE;
use super::{Cursor, Name, Record};
use crate::subject::Subject;
use serde::{Deserialize, Serialize};

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
