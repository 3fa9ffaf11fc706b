//! The f32 path. Each item says that it is of the feature, for the header to have it behind DIN_F32.

use crate::error::{din_details, din_error};
use crate::model::din_model;
use crate::storage::{self, Cell, DIN_RANKER_WORDS, Path};
use crate::value::{din_user, din_value};
use core::ffi::c_void;
use din_core::{Model, Ranked, Ranker, ScoreError, User, Value};

/// Scores candidates for one user at a time, in f32: the ranker of blobs of the f32 path. Storage of the caller's, 104
/// bytes on 32-bit machines, which `din_ranker_init` initialises. For one thread at a time.
#[derive(Debug)]
#[cfg(feature = "f32")]
#[repr(C)]
pub struct din_ranker {
    opaque: u64,
    words: [usize; DIN_RANKER_WORDS],
}

const _: () = Cell::<Ranker<'static, 'static>>::FITS;

/// One entry of a ranking.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg(feature = "f32")]
#[repr(C)]
pub struct din_ranked {
    /// Position in the slate.
    pub index: usize,
    /// Orders the ranking: it still tells apart what the score, close to 1, rounds to the same number.
    pub logit: f32,
    /// Click probability, in (0, 1].
    pub score: f32,
}

const _: () = assert!(size_of::<din_ranked>() == size_of::<Ranked>());
const _: () = assert!(core::mem::offset_of!(din_ranked, logit) == core::mem::offset_of!(Ranked, logit));
const _: () = assert!(core::mem::offset_of!(din_ranked, score) == core::mem::offset_of!(Ranked, score));

impl Path for Ranker<'static, 'static> {
    type Storage = din_ranker;
    const MAGIC: u64 = 0x6633_325f_7261_6e6b;
    type Number = f32;
    type Score = f32;
    type Logit = f32;
    type Entry = Ranked;
    type Weight = f32;

    fn new(model: &'static Model<'static>, scratch: &'static mut [f32]) -> Result<Self, ScoreError> {
        Self::new(model, scratch)
    }

    fn model(&self) -> &'static Model<'static> {
        self.model()
    }

    fn set_user(&mut self, user: &User<'_>) -> Result<(), ScoreError> {
        self.set_user(user)
    }

    fn score(&mut self, candidate: &[Value]) -> Result<f32, ScoreError> {
        self.score(candidate)
    }

    fn logit(&mut self, candidate: &[Value]) -> Result<f32, ScoreError> {
        self.logit(candidate)
    }

    fn score_slate(&mut self, slate: &[Value], scores: &mut [f32]) -> Result<(), ScoreError> {
        self.score_slate(slate, scores)
    }

    fn rank_slate(&mut self, slate: &[Value], top: &mut [Ranked]) -> Result<usize, ScoreError> {
        self.rank_slate(slate, top)
    }

    fn attention(&mut self, sequence: usize) -> &[f32] {
        self.attention(sequence)
    }

    fn bits(score: f32) -> u32 {
        score.to_bits()
    }
}

/// A ranker without a user. The blob must be of the f32 path.
///
/// `scratch` is `scratch_bytes` bytes of memory, at least those of `din_model_info`, aligned to 4. Storage and scratch
/// memory need not be initialised; both are the library's until the ranker is used no more, and must stay where they are.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH; DIN_ERROR_OVERLAP of storage, scratch memory, model and blob;
/// DIN_ERROR_NOT_INITIALIZED of the model; DIN_ERROR_SCRATCH_TOO_SMALL; DIN_ERROR_WRONG_PATH.
#[cfg(feature = "f32")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_ranker_init(
    ranker: *mut din_ranker,
    model: *const din_model,
    scratch: *mut c_void,
    scratch_bytes: usize,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::init::<Ranker<'_, '_>>(ranker, model, scratch, scratch_bytes) }
}

/// The numbers behind the last error from 16 on of this ranker, its initialisation included.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
#[cfg(feature = "f32")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_ranker_error(ranker: *const din_ranker, details: *mut din_details) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::last_error::<Ranker<'_, '_>>(ranker, details) }
}

/// Sets the user: does the work that all candidates share. Of a history longer than its sequence's capacity the newest
/// behaviours count. Nothing of the user is kept, but for what was computed from it.
///
/// DIN_ERROR_FIELD_COUNT, DIN_ERROR_SEQUENCE_COUNT, DIN_ERROR_RAGGED_HISTORY, DIN_ERROR_WRONG_KIND, DIN_ERROR_NOT_FINITE:
/// no user is set any more. DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_UNKNOWN_KIND,
/// DIN_ERROR_OVERLAP (with storage or scratch memory), DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED: the last user
/// still is.
#[cfg(feature = "f32")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_ranker_set_user(ranker: *mut din_ranker, user: *const din_user) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::set_user::<Ranker<'_, '_>>(ranker, user) }
}

/// One candidate's click probability, in (0, 1]; `candidate`: one value for each candidate field.
///
/// It depends on model, user and candidate alone. DIN_ERROR_NO_USER, DIN_ERROR_FIELD_COUNT, DIN_ERROR_WRONG_KIND,
/// DIN_ERROR_NOT_FINITE; DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_UNKNOWN_KIND,
/// DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED. So do all functions that score.
#[cfg(feature = "f32")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_ranker_score(
    ranker: *mut din_ranker,
    candidate: *const din_value,
    candidate_len: usize,
    score: *mut f32,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::score::<Ranker<'_, '_>>(ranker, (candidate, candidate_len), score) }
}

/// One candidate's logit: the score before the sigmoid. It orders candidates whose scores are rounded to the same
/// number. Errors as `din_ranker_score`.
#[cfg(feature = "f32")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_ranker_logit(
    ranker: *mut din_ranker,
    candidate: *const din_value,
    candidate_len: usize,
    logit: *mut f32,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::logit::<Ranker<'_, '_>>(ranker, (candidate, candidate_len), logit) }
}

/// Scores a slate of N candidates, in its order. `slate`: [N, candidate fields] row-major, `slate_len` values; `scores`:
/// room for `scores_len`, at least N.
///
/// Errors as `din_ranker_score`, at the first candidate that has one; DIN_ERROR_OUTPUT_TOO_SMALL. After an error the
/// scores are not specified.
#[cfg(feature = "f32")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_ranker_score_slate(
    ranker: *mut din_ranker,
    slate: *const din_value,
    slate_len: usize,
    scores: *mut f32,
    scores_len: usize,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::score_slate::<Ranker<'_, '_>>(ranker, (slate, slate_len), (scores, scores_len)) }
}

/// The best of a slate, best first; of equal logits the earlier candidate. `slate` as for `din_ranker_score_slate`;
/// `top`: room for `top_len` entries; `kept`: how many of them were filled, the smaller of `top_len` and N.
///
/// Errors as `din_ranker_score`, at the first candidate that has one. After an error `kept` is 0 and the entries are
/// not specified.
#[cfg(feature = "f32")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_ranker_rank(
    ranker: *mut din_ranker,
    slate: *const din_value,
    slate_len: usize,
    top: *mut din_ranked,
    top_len: usize,
    kept: *mut usize,
) -> din_error {
    // SAFETY: the caller's promise: see the header. The entry has the layout of din-core's.
    unsafe { storage::rank::<Ranker<'_, '_>>(ranker, (slate, slate_len), (top.cast(), top_len), kept) }
}

/// Why the candidate that was scored last got its score: the attention weight of each behaviour of a sequence, oldest first.
/// To explain an entry of a ranking, score it again, then ask.
///
/// `weights`: room for `weights_len`, at most the sequence's capacity is needed; `len`: how many there are, those of the
/// newest behaviours; 0 for a sequence without attention.
///
/// DIN_ERROR_NO_USER, DIN_ERROR_NOT_SCORED, DIN_ERROR_NO_SUCH_INDEX, DIN_ERROR_OUTPUT_TOO_SMALL; DIN_ERROR_NULL,
/// DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_OVERLAP, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_MODEL_CHANGED.
#[cfg(feature = "f32")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_ranker_attention(
    ranker: *mut din_ranker,
    sequence: usize,
    weights: *mut f32,
    weights_len: usize,
    len: *mut usize,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe { storage::attention::<Ranker<'_, '_>>(ranker, sequence, (weights, weights_len), len) }
}

/// Whether this machine scores as another did: sets the user, scores the slate, and compares with `expected`, `expected_len`
/// scores, which may be off by `tolerance`: processors round f32 products differently, 1e-5 is plenty. The user stays
/// set.
///
/// Errors as `din_ranker_set_user` and `din_ranker_score`; DIN_ERROR_FIELD_COUNT if the slate is not `expected_len`
/// candidates; DIN_ERROR_SELF_TEST at the first score that differs: `din_ranker_error` has both.
#[cfg(feature = "f32")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_ranker_self_test(
    ranker: *mut din_ranker,
    user: *const din_user,
    slate: *const din_value,
    slate_len: usize,
    expected: *const f32,
    expected_len: usize,
    tolerance: f32,
) -> din_error {
    // SAFETY: the caller's promise: see the header.
    unsafe {
        storage::self_test::<Ranker<'_, '_>>(
            ranker,
            user,
            (slate, slate_len),
            (expected, expected_len),
            |found, expected| (found - expected).abs() <= tolerance,
        )
    }
}
