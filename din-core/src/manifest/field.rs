//! Fields, and sequences of behaviours that are made of them.

use super::{Cursor, Name, Record};
#[cfg(doc)]
use super::{Manifest, NONE};
use crate::subject::Subject;
use serde::{Deserialize, Serialize};

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
