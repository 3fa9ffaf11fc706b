//! The integer path.

use crate::error::{din_details, din_error};
use crate::model::din_model;
use crate::storage::{self, Cell, DIN_RANKER_WORDS, Path};
use crate::value::{din_user, din_value};
use core::ffi::c_void;
use din_core::{IntegerRanked, IntegerRanker, Model, ScoreError, User, Value};

/// Scores candidates for one user at a time, in integers: the same bits on every machine, no floating point between the
/// values and the score. The ranker of blobs of the integer path. Storage of the caller's, 104 bytes on 32-bit machines,
/// which `din_integer_ranker_init` initialises. For one thread at a time.
#[derive(Debug)]
#[repr(C)]
pub struct din_integer_ranker {
    opaque: u64,
    words: [usize; DIN_RANKER_WORDS],
}

const _: () = Cell::<IntegerRanker<'static, 'static>>::FITS;

/// One entry of a ranking.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct din_integer_ranked {
    /// Position in the slate.
    pub index: usize,
    /// In Q16.16, `logit / 65536`; orders the ranking.
    pub logit: i32,
    /// Click probability in Q16, `score / 65536`.
    pub score: u16,
}

const _: () = assert!(size_of::<din_integer_ranked>() == size_of::<IntegerRanked>());
const _: () =
    assert!(core::mem::offset_of!(din_integer_ranked, logit) == core::mem::offset_of!(IntegerRanked, logit));
const _: () =
    assert!(core::mem::offset_of!(din_integer_ranked, score) == core::mem::offset_of!(IntegerRanked, score));

impl Path for IntegerRanker<'static, 'static> {
    type Storage = din_integer_ranker;
    const MAGIC: u64 = 0x696e_745f_7261_6e6b;
    type Number = i32;
    type Score = u16;
    type Logit = i32;
    type Entry = IntegerRanked;
    type Weight = i32;

    fn new(model: &'static Model<'static>, scratch: &'static mut [i32]) -> Result<Self, ScoreError> {
        Self::new(model, scratch)
    }

    fn model(&self) -> &'static Model<'static> {
        self.model()
    }

    fn set_user(&mut self, user: &User<'_>) -> Result<(), ScoreError> {
        self.set_user(user)
    }

    fn score(&mut self, candidate: &[Value]) -> Result<u16, ScoreError> {
        self.score(candidate)
    }

    fn logit(&mut self, candidate: &[Value]) -> Result<i32, ScoreError> {
        self.logit(candidate)
    }

    fn score_slate(&mut self, slate: &[Value], scores: &mut [u16]) -> Result<(), ScoreError> {
        self.score_slate(slate, scores)
    }

    fn rank_slate(&mut self, slate: &[Value], top: &mut [IntegerRanked]) -> Result<usize, ScoreError> {
        self.rank_slate(slate, top)
    }

    fn attention(&mut self, sequence: usize) -> &[i32] {
        self.attention(sequence)
    }

    fn bits(score: u16) -> u32 {
        score.into()
    }
}

/// A ranker without a user. The blob must be of the integer path.
///
/// `scratch` is `scratch_bytes` bytes of memory, at least those of `din_model_info`, aligned to 4. Storage and scratch
/// memory need not be initialised; both are the library's until the ranker is used no more, and must stay where they are.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH; DIN_ERROR_OVERLAP of storage, scratch memory, model and blob;
/// DIN_ERROR_NOT_INITIALIZED of the model; DIN_ERROR_SCRATCH_TOO_SMALL; DIN_ERROR_WRONG_PATH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_init(
    ranker: *mut din_integer_ranker,
    model: *const din_model,
    scratch: *mut c_void,
    scratch_bytes: usize,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::init::<IntegerRanker<'_, '_>>(ranker, model, scratch, scratch_bytes) }
}

/// The numbers behind the last error from 16 on of this ranker, its initialisation included.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_error(
    ranker: *const din_integer_ranker,
    details: *mut din_details,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::last_error::<IntegerRanker<'_, '_>>(ranker, details) }
}

/// Sets the user: does the work that all candidates share. Of a history longer than its sequence's capacity the newest
/// behaviours count. Nothing of the user is kept, but for what was computed from it.
///
/// DIN_ERROR_FIELD_COUNT, DIN_ERROR_SEQUENCE_COUNT, DIN_ERROR_RAGGED_HISTORY, DIN_ERROR_WRONG_KIND, DIN_ERROR_NOT_FINITE:
/// no user is set any more. DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_UNKNOWN_KIND,
/// DIN_ERROR_OVERLAP (with storage or scratch memory), DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED: the last user
/// still is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_set_user(
    ranker: *mut din_integer_ranker,
    user: *const din_user,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::set_user::<IntegerRanker<'_, '_>>(ranker, user) }
}

/// One candidate's click probability, in Q16: `score / 65536`; `candidate`: one value for each candidate field.
///
/// It depends on model, user and candidate alone. DIN_ERROR_NO_USER, DIN_ERROR_FIELD_COUNT, DIN_ERROR_WRONG_KIND,
/// DIN_ERROR_NOT_FINITE; DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_UNKNOWN_KIND,
/// DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED. So do all functions that score.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_score(
    ranker: *mut din_integer_ranker,
    candidate: *const din_value,
    candidate_len: usize,
    score: *mut u16,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::score::<IntegerRanker<'_, '_>>(ranker, (candidate, candidate_len), score) }
}

/// One candidate's logit: the score before the sigmoid, in Q16.16: `logit / 65536`. It orders candidates whose
/// scores are rounded to the same number. Errors as `din_integer_ranker_score`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_logit(
    ranker: *mut din_integer_ranker,
    candidate: *const din_value,
    candidate_len: usize,
    logit: *mut i32,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::logit::<IntegerRanker<'_, '_>>(ranker, (candidate, candidate_len), logit) }
}

/// Scores a slate of N candidates, in its order. `slate`: [N, candidate fields] row-major, `slate_len` values; `scores`:
/// room for `scores_len`, at least N.
///
/// Errors as `din_integer_ranker_score`, at the first candidate that has one; DIN_ERROR_OUTPUT_TOO_SMALL. After an error the
/// scores are not specified.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_score_slate(
    ranker: *mut din_integer_ranker,
    slate: *const din_value,
    slate_len: usize,
    scores: *mut u16,
    scores_len: usize,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::score_slate::<IntegerRanker<'_, '_>>(ranker, (slate, slate_len), (scores, scores_len)) }
}

/// The best of a slate, best first; of equal logits the earlier candidate. `slate` as for `din_integer_ranker_score_slate`;
/// `top`: room for `top_len` entries; `kept`: how many of them were filled, the smaller of `top_len` and N.
///
/// Errors as `din_integer_ranker_score`, at the first candidate that has one. After an error `kept` is 0 and the entries are
/// not specified.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_rank(
    ranker: *mut din_integer_ranker,
    slate: *const din_value,
    slate_len: usize,
    top: *mut din_integer_ranked,
    top_len: usize,
    kept: *mut usize,
) -> din_error {
    // SAFETY: the caller's promise: see the header. The entry has the layout of din-core's.
    unsafe { storage::rank::<IntegerRanker<'_, '_>>(ranker, (slate, slate_len), (top.cast(), top_len), kept) }
}

/// Why the candidate that was scored last got its score: the attention weight of each behaviour of a sequence, oldest first.
/// To explain an entry of a ranking, score it again, then ask.
///
/// `weights`: room for `weights_len`, at most the sequence's capacity is needed; `len`: how many there are, those of the
/// newest behaviours; 0 for a sequence without attention.
/// A weight of 1 is 2 to the power that `din_integer_ranker_attention_fraction` gives.
///
/// DIN_ERROR_NO_USER, DIN_ERROR_NOT_SCORED, DIN_ERROR_NO_SUCH_INDEX, DIN_ERROR_OUTPUT_TOO_SMALL; DIN_ERROR_NULL,
/// DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_attention(
    ranker: *mut din_integer_ranker,
    sequence: usize,
    weights: *mut i32,
    weights_len: usize,
    len: *mut usize,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::attention::<IntegerRanker<'_, '_>>(ranker, sequence, (weights, weights_len), len) }
}

/// What the attention weights of a sequence count in: a weight of 1 is `2^fraction`. The fraction may be negative.
///
/// DIN_ERROR_NO_SUCH_INDEX; DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED,
/// DIN_ERROR_MODEL_CHANGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_attention_fraction(
    ranker: *mut din_integer_ranker,
    sequence: usize,
    fraction: *mut i32,
) -> din_error {
    let read = |ranker: &mut IntegerRanker<'static, 'static>| {
        ranker.model().sequences().nth(sequence).map(|_| ranker.attention_fraction(sequence).into())
    };
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::read::<IntegerRanker<'_, '_>, _>(ranker, fraction, read) }
}

/// Whether this machine scores as another did: sets the user, scores the slate, and compares with `expected`, `expected_len`
/// scores. The user stays set.
///
/// Errors as `din_integer_ranker_set_user` and `din_integer_ranker_score`; DIN_ERROR_FIELD_COUNT if the slate is not `expected_len`
/// candidates; DIN_ERROR_SELF_TEST at the first score that differs: `din_integer_ranker_error` has both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_integer_ranker_self_test(
    ranker: *mut din_integer_ranker,
    user: *const din_user,
    slate: *const din_value,
    slate_len: usize,
    expected: *const u16,
    expected_len: usize,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe {
        storage::self_test::<IntegerRanker<'_, '_>>(
            ranker,
            user,
            (slate, slate_len),
            (expected, expected_len),
            |found, expected| found == expected,
        )
    }
}
