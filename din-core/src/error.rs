//! What can go wrong: once when a blob is loaded, once when an application scores with it.

use crate::subject::Subject;
use core::fmt;

/// Why a blob was refused. Nothing of a refused blob is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LoadError {
    /// There are fewer bytes than the header, or than the header says.
    TooShort {
        /// Bytes needed.
        needed: u64,
        /// Bytes given.
        found: u64,
    },
    /// There are more bytes than the header says.
    TooLong {
        /// Bytes that the header says.
        needed: u64,
        /// Bytes given.
        found: u64,
    },
    /// The first eight bytes are not the magic number: this is no blob.
    BadMagic,
    /// The blob has another major format version.
    UnsupportedMajor {
        /// Of the blob.
        found: u16,
        /// Of this library.
        supported: u16,
    },
    /// The blob needs features that this library does not have.
    UnsupportedFeatures {
        /// The unknown bits.
        bits: u32,
    },
    /// The blob is of the other path: f32 where only integer ones are taken, or the other way round.
    OtherPath,
    /// The header's own checksum fails.
    HeaderChecksum {
        /// In the header.
        stored: u32,
        /// Of its bytes.
        computed: u32,
    },
    /// The checksum of what follows the header fails.
    BodyChecksum {
        /// In the header.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// The manifest, or a record in it, does not decode.
    Malformed {
        /// Which part.
        part: Subject,
    },
    /// A count, width or length is zero or above its limit.
    OutOfRange {
        /// Of what.
        what: Subject,
        /// In the blob.
        found: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// Two things that must agree do not.
    Mismatch {
        /// What.
        what: Subject,
        /// Which one: index of the record.
        index: u32,
        /// The value that the rest of the blob implies.
        expected: u64,
        /// The value found.
        found: u64,
    },
    /// A number is infinite, not a number, or not positive where it must be.
    BadNumber {
        /// Of what.
        what: Subject,
        /// Index of the number.
        index: u64,
    },
    /// The keys of a vocabulary do not ascend strictly.
    KeysNotAscending {
        /// The table.
        table: u32,
        /// The first key that does not ascend.
        index: u64,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooShort { needed, found } => {
                write!(f, "blob too short: {needed} bytes needed, {found} given")
            }
            Self::TooLong { needed, found } => {
                write!(f, "blob too long: {needed} bytes expected, {found} given")
            }
            Self::BadMagic => write!(f, "not a DIN blob: wrong magic number"),
            Self::UnsupportedMajor { found, supported } => {
                write!(f, "blob has format major version {found}, this library reads {supported}")
            }
            Self::UnsupportedFeatures { bits } => {
                write!(f, "blob needs features this library does not have (bits {bits:#x})")
            }
            Self::OtherPath => write!(f, "the blob is for the other path: f32 or integer"),
            Self::HeaderChecksum { stored, computed } => {
                write!(f, "header is corrupt: checksum {computed:#010x}, stored {stored:#010x}")
            }
            Self::BodyChecksum { stored, computed } => {
                write!(f, "blob is corrupt: checksum {computed:#010x}, stored {stored:#010x}")
            }
            Self::Malformed { part } => write!(f, "{part} does not decode"),
            Self::OutOfRange { what, found, limit } => {
                write!(f, "{what} is {found}, outside what the format allows (limit {limit})")
            }
            Self::Mismatch { what, index, expected, found } => {
                write!(f, "{what} of record {index} is {found}, expected {expected}")
            }
            Self::BadNumber { what, index } => write!(f, "number {index} of {what} is not usable"),
            Self::KeysNotAscending { table, index } => {
                write!(f, "key {index} of the vocabulary of table {table} does not ascend")
            }
        }
    }
}

impl core::error::Error for LoadError {}

/// Why a request was refused. The model and the ranker stay usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ScoreError {
    /// The scratch memory is too small.
    ScratchTooSmall {
        /// Numbers needed: [`Model::scratch_len`](crate::Model::scratch_len).
        needed: usize,
        /// Numbers given.
        found: usize,
    },
    /// The blob holds the f32 path and the ranker is the integer one, or the other way round.
    WrongPath,
    /// Nothing was set, or the last [`set_user`](crate::Ranker::set_user) failed.
    NoUser,
    /// A group has another number of values than the model has fields.
    FieldCount {
        /// "profile", "context" or "candidate".
        group: &'static str,
        /// Fields of the model.
        needed: usize,
        /// Values given.
        found: usize,
    },
    /// There are more or fewer histories than the model has sequences.
    SequenceCount {
        /// Sequences of the model.
        needed: usize,
        /// Histories given.
        found: usize,
    },
    /// A run of a history is not a whole number of behaviours.
    RaggedHistory {
        /// Index of the sequence.
        sequence: usize,
        /// Values of one behaviour.
        fields: usize,
        /// Values in the run.
        found: usize,
    },
    /// An id was given where the model has a number, or the other way round.
    WrongKind {
        /// "profile", "context", "candidate" or "behaviour".
        group: &'static str,
        /// Index of the field in its group.
        field: usize,
    },
    /// A number is infinite or not a number; say [`Value::Missing`](crate::Value::Missing) for unknown.
    NotFinite {
        /// "profile", "context", "candidate" or "behaviour".
        group: &'static str,
        /// Index of the field in its group.
        field: usize,
    },
    /// There is room for fewer scores than there are candidates.
    OutputTooSmall {
        /// Candidates.
        needed: usize,
        /// Room.
        found: usize,
    },
}

impl fmt::Display for ScoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ScratchTooSmall { needed, found } => {
                write!(f, "scratch too small: {needed} numbers needed, {found} given")
            }
            Self::WrongPath => write!(f, "the blob is for the other path: f32 or integer"),
            Self::NoUser => write!(f, "no user is set"),
            Self::FieldCount { group, needed, found } => {
                write!(f, "{group} has {needed} fields, {found} values given")
            }
            Self::SequenceCount { needed, found } => {
                write!(f, "model has {needed} sequences, {found} histories given")
            }
            Self::RaggedHistory { sequence, fields, found } => {
                write!(f, "history {sequence} has {found} values, not a multiple of its {fields} fields")
            }
            Self::WrongKind { group, field } => {
                write!(f, "{group} field {field} was given an id for a number or a number for an id")
            }
            Self::NotFinite { group, field } => write!(f, "{group} field {field} is not a finite number"),
            Self::OutputTooSmall { needed, found } => {
                write!(f, "room for {found} scores, {needed} candidates given")
            }
        }
    }
}

impl core::error::Error for ScoreError {}
