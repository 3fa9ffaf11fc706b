//! What every function returns, and the numbers behind it.

use core::ffi::{CStr, c_char};
use din_core::{LoadError, ScoreError};

/// What every function returns: `DIN_OK` or why it did nothing. The numbers stay as they are; later versions add others.
///
/// `din_error_string` says each in words; for those from 16 on, `din_model_error`, `din_ranker_error` and
/// `din_integer_ranker_error` have the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum din_error {
    /// Done.
    DIN_OK = 0,

    /// A pointer is null where there must be something.
    DIN_ERROR_NULL = 1,
    /// A pointer is not aligned to what it points to.
    DIN_ERROR_MISALIGNED = 2,
    /// A length is larger than memory can be.
    DIN_ERROR_LENGTH = 3,
    /// Two pieces of memory that must be apart overlap.
    DIN_ERROR_OVERLAP = 4,
    /// The object was never initialised, or its initialisation failed, or it was moved, copied or overwritten.
    DIN_ERROR_NOT_INITIALIZED = 5,
    /// The ranker's model was initialised again, with another blob: initialise the ranker again, too.
    DIN_ERROR_MODEL_CHANGED = 6,
    /// The `kind` of a value is none of `din_kind`.
    DIN_ERROR_UNKNOWN_KIND = 7,
    /// There is no field, group or sequence with this index.
    DIN_ERROR_NO_SUCH_INDEX = 8,

    /// Blob: fewer bytes than its header says. `needed`, `found`: bytes.
    DIN_ERROR_BLOB_TOO_SHORT = 16,
    /// Blob: more bytes than its header says. `needed`, `found`: bytes.
    DIN_ERROR_BLOB_TOO_LONG = 17,
    /// Blob: the first bytes are those of something else.
    DIN_ERROR_BLOB_MAGIC = 18,
    /// Blob: another major version of the format. `needed`: supported, `found`: of the blob.
    DIN_ERROR_BLOB_VERSION = 19,
    /// Blob: it needs features that this library does not have. `found`: their bits.
    DIN_ERROR_BLOB_FEATURES = 20,
    /// Blob: its header is corrupt. `needed`: the CRC-32 in it, `found`: that of the bytes.
    DIN_ERROR_BLOB_HEADER_CHECKSUM = 21,
    /// Blob: it is corrupt. `needed`: the CRC-32 in its header, `found`: that of the bytes.
    DIN_ERROR_BLOB_CHECKSUM = 22,
    /// Blob: `what` does not decode.
    DIN_ERROR_BLOB_MALFORMED = 23,
    /// Blob: `what` is `found`, outside what the format allows; `needed`: the limit.
    DIN_ERROR_BLOB_OUT_OF_RANGE = 24,
    /// Blob: `what` of record `index` is `found`; `needed`: what the rest of the blob implies.
    DIN_ERROR_BLOB_MISMATCH = 25,
    /// Blob: number `index` of `what` is infinite, not a number, or not positive where it must be.
    DIN_ERROR_BLOB_NUMBER = 26,
    /// Blob: key `index` of the vocabulary of table `found` does not ascend.
    DIN_ERROR_BLOB_KEYS = 27,
    /// Blob: a reason that this header does not know.
    DIN_ERROR_BLOB = 31,

    /// The scratch memory is too small. `needed`, `found`: bytes.
    DIN_ERROR_SCRATCH_TOO_SMALL = 32,
    /// The blob holds the other numeric path: f32 for an integer ranker or the other way round.
    DIN_ERROR_WRONG_PATH = 33,
    /// No user is set, or the last user was refused.
    DIN_ERROR_NO_USER = 34,
    /// `what` has `needed` fields, `found` values were given (of a slate: not a multiple of it).
    DIN_ERROR_FIELD_COUNT = 35,
    /// The model has `needed` sequences, `found` histories were given.
    DIN_ERROR_SEQUENCE_COUNT = 36,
    /// History `index` has `found` values in a run, not a multiple of its `needed` fields.
    DIN_ERROR_RAGGED_HISTORY = 37,
    /// `what`, field `index`: an id for a number or a number for an id.
    DIN_ERROR_WRONG_KIND = 38,
    /// `what`, field `index`: a number that is infinite or not a number. For unknown there is DIN_MISSING.
    DIN_ERROR_NOT_FINITE = 39,
    /// There is room for `found` results, `needed` are to be written.
    DIN_ERROR_OUTPUT_TOO_SMALL = 40,
    /// There are no attention weights: no candidate was scored since the user was set.
    DIN_ERROR_NOT_SCORED = 41,
    /// Self-test: the score of candidate `index` is `found`, not `needed` (of f32 scores: their bits).
    DIN_ERROR_SELF_TEST = 42,
    /// A request refused for a reason that this header does not know.
    DIN_ERROR_SCORE = 47,
}

impl din_error {
    const WORDS: [(Self, &'static CStr); 34] = [
        (Self::DIN_OK, c"no error"),
        (Self::DIN_ERROR_NULL, c"null pointer"),
        (Self::DIN_ERROR_MISALIGNED, c"misaligned pointer"),
        (Self::DIN_ERROR_LENGTH, c"length larger than memory"),
        (Self::DIN_ERROR_OVERLAP, c"memory overlaps"),
        (Self::DIN_ERROR_NOT_INITIALIZED, c"object not initialised, or moved"),
        (Self::DIN_ERROR_MODEL_CHANGED, c"model initialised again since the ranker was"),
        (Self::DIN_ERROR_UNKNOWN_KIND, c"unknown kind of value"),
        (Self::DIN_ERROR_NO_SUCH_INDEX, c"no such field, group or sequence"),
        (Self::DIN_ERROR_BLOB_TOO_SHORT, c"blob too short"),
        (Self::DIN_ERROR_BLOB_TOO_LONG, c"blob too long"),
        (Self::DIN_ERROR_BLOB_MAGIC, c"not a DIN blob"),
        (Self::DIN_ERROR_BLOB_VERSION, c"blob of another major version"),
        (Self::DIN_ERROR_BLOB_FEATURES, c"blob needs unknown features"),
        (Self::DIN_ERROR_BLOB_HEADER_CHECKSUM, c"blob header is corrupt"),
        (Self::DIN_ERROR_BLOB_CHECKSUM, c"blob is corrupt"),
        (Self::DIN_ERROR_BLOB_MALFORMED, c"blob does not decode"),
        (Self::DIN_ERROR_BLOB_OUT_OF_RANGE, c"count or length in the blob out of range"),
        (Self::DIN_ERROR_BLOB_MISMATCH, c"parts of the blob do not agree"),
        (Self::DIN_ERROR_BLOB_NUMBER, c"unusable number in the blob"),
        (Self::DIN_ERROR_BLOB_KEYS, c"vocabulary of the blob not sorted"),
        (Self::DIN_ERROR_BLOB, c"blob refused"),
        (Self::DIN_ERROR_SCRATCH_TOO_SMALL, c"scratch memory too small"),
        (Self::DIN_ERROR_WRONG_PATH, c"blob is for the other numeric path"),
        (Self::DIN_ERROR_NO_USER, c"no user is set"),
        (Self::DIN_ERROR_FIELD_COUNT, c"wrong number of values"),
        (Self::DIN_ERROR_SEQUENCE_COUNT, c"wrong number of histories"),
        (Self::DIN_ERROR_RAGGED_HISTORY, c"history is not whole behaviours"),
        (Self::DIN_ERROR_WRONG_KIND, c"id for a number or number for an id"),
        (Self::DIN_ERROR_NOT_FINITE, c"number is not finite"),
        (Self::DIN_ERROR_OUTPUT_TOO_SMALL, c"too little room for results"),
        (Self::DIN_ERROR_NOT_SCORED, c"no candidate scored since the user was set"),
        (Self::DIN_ERROR_SELF_TEST, c"self-test failed"),
        (Self::DIN_ERROR_SCORE, c"request refused"),
    ];
}

/// An error in words: a constant, zero-terminated text, for any number.
#[unsafe(no_mangle)]
pub extern "C" fn din_error_string(error: i32) -> *const c_char {
    let mut text = c"unknown error";
    for (known, words) in &din_error::WORDS {
        if *known as i32 == error {
            text = words;
            break;
        }
    }
    text.as_ptr()
}

/// Text in place, in a blob or a constant: UTF-8, not zero-terminated. `printf("%.*s", (int)text.len, text.bytes)`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct din_text {
    /// Its bytes.
    pub bytes: *const c_char,
    /// How many.
    pub len: usize,
}

impl From<&str> for din_text {
    fn from(text: &str) -> Self {
        Self { bytes: text.as_ptr().cast(), len: text.len() }
    }
}

/// The numbers behind an error; see `din_error` for what they are. 0 and no text where an error has none.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct din_details {
    /// The error, `DIN_OK` if there was none.
    pub error: din_error,
    /// What it is about.
    pub what: din_text,
    /// Which one.
    pub index: u64,
    /// What was expected.
    pub needed: u64,
    /// What was there.
    pub found: u64,
}

impl din_details {
    pub(crate) fn new(error: din_error) -> Self {
        Self { error, what: "".into(), index: 0, needed: 0, found: 0 }
    }
}

/// What a ranker refuses a call for, with numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    Score(ScoreError),
    SelfTest { index: usize, expected: u32, found: u32 },
}

/// Why a call did nothing: its arguments, or something with numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Call(din_error),
    Refused(Refusal),
}

impl From<din_error> for Failure {
    fn from(error: din_error) -> Self {
        Self::Call(error)
    }
}

impl From<ScoreError> for Failure {
    fn from(error: ScoreError) -> Self {
        Self::Refused(Refusal::Score(error))
    }
}

pub(crate) fn details_of_blob(error: LoadError) -> din_details {
    let new = |error, needed, found| din_details { needed, found, ..din_details::new(error) };
    match error {
        LoadError::TooShort { needed, found } => new(din_error::DIN_ERROR_BLOB_TOO_SHORT, needed, found),
        LoadError::TooLong { needed, found } => new(din_error::DIN_ERROR_BLOB_TOO_LONG, needed, found),
        LoadError::BadMagic => new(din_error::DIN_ERROR_BLOB_MAGIC, 0, 0),
        LoadError::UnsupportedMajor { found, supported } => {
            new(din_error::DIN_ERROR_BLOB_VERSION, supported.into(), found.into())
        }
        LoadError::UnsupportedFeatures { bits } => new(din_error::DIN_ERROR_BLOB_FEATURES, 0, bits.into()),
        LoadError::OtherPath => new(din_error::DIN_ERROR_WRONG_PATH, 0, 0),
        LoadError::HeaderChecksum { stored, computed } => {
            new(din_error::DIN_ERROR_BLOB_HEADER_CHECKSUM, stored.into(), computed.into())
        }
        LoadError::BodyChecksum { stored, computed } => {
            new(din_error::DIN_ERROR_BLOB_CHECKSUM, stored.into(), computed.into())
        }
        LoadError::Malformed { part } => {
            din_details { what: part.name().into(), ..din_details::new(din_error::DIN_ERROR_BLOB_MALFORMED) }
        }
        LoadError::OutOfRange { what, found, limit } => din_details {
            what: what.name().into(),
            ..new(din_error::DIN_ERROR_BLOB_OUT_OF_RANGE, limit, found)
        },
        LoadError::Mismatch { what, index, expected, found } => {
            let numbers = new(din_error::DIN_ERROR_BLOB_MISMATCH, expected, found);
            din_details { what: what.name().into(), index: index.into(), ..numbers }
        }
        LoadError::BadNumber { what, index } => {
            let error = din_details::new(din_error::DIN_ERROR_BLOB_NUMBER);
            din_details { what: what.name().into(), index, ..error }
        }
        LoadError::KeysNotAscending { table, index } => {
            din_details { index, ..new(din_error::DIN_ERROR_BLOB_KEYS, 0, table.into()) }
        }
        _ => din_details::new(din_error::DIN_ERROR_BLOB),
    }
}

pub(crate) fn details_of_refusal(refusal: Refusal) -> din_details {
    let new = |error, needed: usize, found: usize| din_details {
        needed: needed as u64,
        found: found as u64,
        ..din_details::new(error)
    };
    let at = |error, what: &'static str, index: usize| din_details {
        what: what.into(),
        index: index as u64,
        ..din_details::new(error)
    };
    let error = match refusal {
        Refusal::SelfTest { index, expected, found } => {
            let (needed, found) = (expected.into(), found.into());
            return din_details { needed, found, ..at(din_error::DIN_ERROR_SELF_TEST, "", index) };
        }
        Refusal::Score(error) => error,
    };
    match error {
        ScoreError::ScratchTooSmall { needed, found } => {
            let bytes = |numbers: usize| numbers.saturating_mul(4);
            new(din_error::DIN_ERROR_SCRATCH_TOO_SMALL, bytes(needed), bytes(found))
        }
        ScoreError::WrongPath => new(din_error::DIN_ERROR_WRONG_PATH, 0, 0),
        ScoreError::NoUser => new(din_error::DIN_ERROR_NO_USER, 0, 0),
        ScoreError::FieldCount { group, needed, found } => {
            din_details { what: group.into(), ..new(din_error::DIN_ERROR_FIELD_COUNT, needed, found) }
        }
        ScoreError::SequenceCount { needed, found } => {
            new(din_error::DIN_ERROR_SEQUENCE_COUNT, needed, found)
        }
        ScoreError::RaggedHistory { sequence, fields, found } => {
            let numbers = new(din_error::DIN_ERROR_RAGGED_HISTORY, fields, found);
            din_details { index: sequence as u64, ..numbers }
        }
        ScoreError::WrongKind { group, field } => at(din_error::DIN_ERROR_WRONG_KIND, group, field),
        ScoreError::NotFinite { group, field } => at(din_error::DIN_ERROR_NOT_FINITE, group, field),
        ScoreError::OutputTooSmall { needed, found } => {
            new(din_error::DIN_ERROR_OUTPUT_TOO_SMALL, needed, found)
        }
        _ => new(din_error::DIN_ERROR_SCORE, 0, 0),
    }
}
