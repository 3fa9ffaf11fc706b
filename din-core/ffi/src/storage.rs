//! Storage of a ranker of either path, and what both do with it: each function of the header is a line that calls one here.

use crate::error::din_error::{self, *};
use crate::error::{Failure, Refusal, details_of_refusal, din_details};
use crate::memory::{Span, output};
use crate::model::{din_model, open as open_model, tag_at, write};
use crate::value::{din_user, din_value, values, with_user};
use core::ffi::c_void;
use core::mem::MaybeUninit;
use din_core::{Group, Model, ScoreError, User, Value};

/// Words of a `din_ranker` or a `din_integer_ranker`, after its first eight bytes.
pub const DIN_RANKER_WORDS: usize = 24;

/// A ranker of din-core, f32 or integer.
pub(crate) trait Path: Sized + 'static {
    /// What the header calls it.
    type Storage;
    /// Says that storage holds one of this path.
    const MAGIC: u64;
    /// Of scratch memory.
    type Number: Copy + Default + 'static;
    type Score: Copy + Default;
    type Logit: Copy;
    type Entry: Copy + Default;
    type Weight: Copy + Default;

    fn new(model: &'static Model<'static>, scratch: &'static mut [Self::Number]) -> Result<Self, ScoreError>;
    fn model(&self) -> &'static Model<'static>;
    fn set_user(&mut self, user: &User<'_>) -> Result<(), ScoreError>;
    fn score(&mut self, candidate: &[Value]) -> Result<Self::Score, ScoreError>;
    fn logit(&mut self, candidate: &[Value]) -> Result<Self::Logit, ScoreError>;
    fn score_slate(&mut self, slate: &[Value], scores: &mut [Self::Score]) -> Result<(), ScoreError>;
    fn rank_slate(&mut self, slate: &[Value], top: &mut [Self::Entry]) -> Result<usize, ScoreError>;
    fn attention(&mut self, sequence: usize) -> &[Self::Weight];
    /// For the details of a self-test.
    fn bits(score: Self::Score) -> u32;
}

/// What storage holds.
#[repr(C)]
pub(crate) struct Cell<P> {
    /// Says that this was initialised, here, by this path: see `tag_at`.
    tag: u64,
    /// Of the model's blob.
    stamp: u64,
    model: *const din_model,
    scratch: Span,
    progress: Progress,
    refusal: Option<Refusal>,
    /// Initialised if the tag is that of a ranker.
    ranker: MaybeUninit<P>,
}

/// Turns the tag of a ranker into that of one whose initialisation was refused: its refusal can be read, nothing else.
const REFUSED: u64 = 0xffff;

/// How far a ranker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    NoUser,
    UserSet,
    Scored,
}

impl<P: Path> Cell<P> {
    /// For the storage type of each path to evaluate when compiling.
    pub const FITS: () = {
        assert!(size_of::<Self>() <= size_of::<P::Storage>());
        assert!(align_of::<Self>() <= align_of::<P::Storage>());
        assert!(size_of::<P::Number>() == 4);
        // No more room than a later version might need.
        assert!(size_of::<P::Storage>() < size_of::<Self>() * 3 / 2);
    };

    /// Memory that a call may write to: nothing that it reads may be there.
    fn written(&self) -> [Span; 2] {
        [Span::of(self, 1).unwrap_or(Span::NONE), self.scratch]
    }

    /// Memory that is the library's: no result may be written there.
    fn taken(&mut self) -> [Span; 4] {
        let blob = self.ranker().model().bytes();
        let [own, scratch] = self.written();
        let of_model = Span::of(self.model, 1).unwrap_or(Span::NONE);
        [own, scratch, of_model, Span::of(blob.as_ptr(), blob.len()).unwrap_or(Span::NONE)]
    }

    const fn ranker(&mut self) -> &mut P {
        // SAFETY: a `&mut Cell` comes from `open`, which checks the tag.
        unsafe { self.ranker.assume_init_mut() }
    }

    /// Where `count` results of a call go: memory that is nobody else's.
    fn place<T>(&mut self, to: *mut T, count: usize) -> Result<Span, din_error> {
        let span = Span::of(to, count)?;
        span.is_apart_from(&self.taken())?;
        Ok(span)
    }
}

/// The ranker in some storage, if everything it refers to is still there, as far as that can be seen.
///
/// # Safety
/// The storage is null or readable; if it was initialised, nobody else uses it or its scratch memory during `'r`, and the
/// model's storage and blob are still there.
unsafe fn open<'r, P: Path>(storage: *mut P::Storage) -> Result<&'r mut Cell<P>, din_error> {
    Span::of(storage, 1)?;
    let cell = storage.cast::<Cell<P>>();
    // SAFETY: not null, aligned. Volatile, because the storage may never have been written.
    if unsafe { (&raw const (*cell).tag).read_volatile() } != tag_at(P::MAGIC, cell) {
        return Err(DIN_ERROR_NOT_INITIALIZED);
    }
    // SAFETY: the tag says that `init` wrote these members.
    let (model, stamp) = unsafe { ((*cell).model, (*cell).stamp) };
    // SAFETY: the caller's promise.
    match unsafe { open_model(model) } {
        // SAFETY: the tag says that `init` wrote all of it, and the stamp that what it borrows is what it was.
        Ok((_, found)) if found == stamp => Ok(unsafe { &mut *cell }),
        _ => Err(DIN_ERROR_MODEL_CHANGED),
    }
}

/// Opens the storage, makes the call, keeps what it was refused for.
///
/// # Safety
/// As `open`.
unsafe fn call<P: Path>(
    storage: *mut P::Storage,
    make: impl FnOnce(&mut Cell<P>) -> Result<(), Failure>,
) -> din_error {
    // SAFETY: the caller's promise.
    let cell = match unsafe { open::<P>(storage) } {
        Ok(cell) => cell,
        Err(error) => return error,
    };
    match make(cell) {
        Ok(()) => DIN_OK,
        Err(Failure::Call(error)) => error,
        Err(Failure::Refused(refusal)) => {
            cell.refusal = Some(refusal);
            details_of_refusal(refusal).error
        }
    }
}

/// Initialises storage.
///
/// # Safety
/// As the header says of `din_ranker_init`.
pub(crate) unsafe fn init<P: Path>(
    storage: *mut P::Storage,
    model: *const din_model,
    scratch: *mut c_void,
    scratch_bytes: usize,
) -> din_error {
    let () = Cell::<P>::FITS;
    let cell = storage.cast::<Cell<P>>();
    let check = || {
        let own = Span::of(storage, 1)?;
        // SAFETY: the caller's promise, which is for as long as the ranker is used: the header says so.
        let (opened, stamp) = unsafe { open_model(model) }?;
        let blob = Span::of(opened.bytes().as_ptr(), opened.bytes().len())?;
        let of_model = Span::of(model, 1)?;
        own.is_apart_from(&[of_model, blob])?;
        let start = scratch.cast::<P::Number>();
        let count = (scratch_bytes / 4).min(opened.scratch_len());
        if scratch.is_null() {
            return Err(DIN_ERROR_NULL);
        }
        let memory = Span::of(start, count)?;
        memory.is_apart_from(&[own, of_model, blob])?;
        // SAFETY: the caller's promise, likewise.
        let numbers = unsafe { output(start, count) }?;
        Ok((opened, stamp, memory, numbers))
    };
    let (opened, stamp, scratch, numbers) = match check() {
        Ok(checked) => checked,
        Err(error) => return error,
    };
    let made = P::new(opened, numbers);
    let (magic, error) = match &made {
        Ok(_) => (P::MAGIC, DIN_OK),
        Err(error) => (P::MAGIC ^ REFUSED, details_of_refusal(Refusal::Score(*error)).error),
    };
    let refusal = made.as_ref().err().map(|error| Refusal::Score(*error));
    let ranker = made.map_or_else(|_| MaybeUninit::uninit(), MaybeUninit::new);
    let tag = tag_at(magic, cell);
    // SAFETY: not null, aligned, as large as a cell (`FITS`), and the caller's promise.
    unsafe { cell.write(Cell { tag, stamp, model, scratch, progress: Progress::NoUser, refusal, ranker }) };
    error
}

/// # Safety
/// As `open`; `details` is null or a place for them.
pub(crate) unsafe fn last_error<P: Path>(storage: *const P::Storage, details: *mut din_details) -> din_error {
    let read = || {
        let own = Span::of(storage, 1)?;
        let cell = storage.cast::<Cell<P>>();
        // SAFETY: not null, aligned. Volatile, because the storage may never have been written.
        let tag = unsafe { (&raw const (*cell).tag).read_volatile() };
        if tag != tag_at(P::MAGIC, cell) && tag != tag_at(P::MAGIC ^ REFUSED, cell) {
            return Err(DIN_ERROR_NOT_INITIALIZED);
        }
        // SAFETY: either tag says that `init` wrote this member.
        let refusal = unsafe { (*cell).refusal };
        let found = refusal.map_or_else(|| din_details::new(DIN_OK), details_of_refusal);
        // SAFETY: the caller's promise.
        unsafe { write(details, found, &[own]) }
    };
    read().err().unwrap_or(DIN_OK)
}

/// # Safety
/// As `open` and `with_user`.
pub(crate) unsafe fn set_user<P: Path>(storage: *mut P::Storage, user: *const din_user) -> din_error {
    let set = |cell: &mut Cell<P>| {
        let written = cell.written();
        // SAFETY: the caller's promise.
        unsafe {
            with_user(user, &written, |user| {
                cell.progress = Progress::NoUser;
                cell.ranker().set_user(user)?;
                cell.progress = Progress::UserSet;
                Ok(())
            })
        }
    };
    // SAFETY: the caller's promise.
    unsafe { call(storage, set) }
}

/// Scores: `compute` gets the ranker and the values, which are apart from all that is written, and from the results'
/// place.
///
/// # Safety
/// As `open`; there are so many values.
unsafe fn compute<P: Path>(
    storage: *mut P::Storage,
    (start, len): (*const din_value, usize),
    place: impl FnOnce(&mut Cell<P>) -> Result<Span, din_error>,
    compute: impl FnOnce(&mut P, &[Value]) -> Result<(), Failure>,
) -> din_error {
    let score = |cell: &mut Cell<P>| {
        let results = place(cell)?;
        let [own, scratch] = cell.written();
        // SAFETY: the caller's promise.
        let values = unsafe { values(start, len, &[own, scratch, results]) }?;
        if cell.progress == Progress::NoUser {
            return Err(ScoreError::NoUser.into());
        }
        cell.progress = Progress::UserSet;
        compute(cell.ranker(), values)?;
        if !values.is_empty() {
            cell.progress = Progress::Scored;
        }
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { call(storage, score) }
}

/// # Safety
/// As `compute`; `to` is null or a place for a result.
unsafe fn one<P: Path, T>(
    storage: *mut P::Storage,
    candidate: (*const din_value, usize),
    to: *mut T,
    score: impl FnOnce(&mut P, &[Value]) -> Result<T, ScoreError>,
) -> din_error {
    let write = |ranker: &mut P, candidate: &[Value]| {
        let result = score(ranker, candidate)?;
        // SAFETY: not null, aligned, apart from everything (`place`), and the caller's promise.
        unsafe { to.write(result) };
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { compute(storage, candidate, |cell| cell.place(to, 1), write) }
}

/// # Safety
/// As `one`.
pub(crate) unsafe fn score<P: Path>(
    storage: *mut P::Storage,
    candidate: (*const din_value, usize),
    score: *mut P::Score,
) -> din_error {
    // SAFETY: the caller's promise.
    unsafe { one(storage, candidate, score, P::score) }
}

/// # Safety
/// As `one`.
pub(crate) unsafe fn logit<P: Path>(
    storage: *mut P::Storage,
    candidate: (*const din_value, usize),
    logit: *mut P::Logit,
) -> din_error {
    // SAFETY: the caller's promise.
    unsafe { one(storage, candidate, logit, P::logit) }
}

/// # Safety
/// As `compute`; there is memory for so many scores, which nobody else uses during the call.
pub(crate) unsafe fn score_slate<P: Path>(
    storage: *mut P::Storage,
    slate: (*const din_value, usize),
    (to, room): (*mut P::Score, usize),
) -> din_error {
    let all = |ranker: &mut P, slate: &[Value]| {
        // SAFETY: apart from everything (`place`), and the caller's promise.
        ranker.score_slate(slate, unsafe { output(to, room) }?)?;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { compute(storage, slate, |cell: &mut Cell<P>| cell.place(to, room), all) }
}

/// # Safety
/// As `compute`; there is memory for so many entries, which nobody else uses during the call; `kept` is null or a place
/// for a number.
pub(crate) unsafe fn rank<P: Path>(
    storage: *mut P::Storage,
    slate: (*const din_value, usize),
    (to, room): (*mut P::Entry, usize),
    kept: *mut usize,
) -> din_error {
    let place = |cell: &mut Cell<P>| {
        let top = cell.place(to, room)?;
        cell.place(kept, 1)?.is_apart_from(&[top, Span::of(slate.0, slate.1)?])?;
        // SAFETY: not null, aligned, apart from everything, and the caller's promise. Also for who looks at it after an
        // error.
        unsafe { kept.write(0) };
        Ok(top)
    };
    let best = |ranker: &mut P, slate: &[Value]| {
        // SAFETY: apart from everything, and the caller's promise.
        let count = ranker.rank_slate(slate, unsafe { output(to, room) }?)?;
        // SAFETY: as before.
        unsafe { kept.write(count) };
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { compute(storage, slate, place, best) }
}

/// # Safety
/// As `open`; there is memory for so many weights, which nobody else uses; `len` is null or a place for a number.
pub(crate) unsafe fn attention<P: Path>(
    storage: *mut P::Storage,
    sequence: usize,
    (weights, room): (*mut P::Weight, usize),
    len: *mut usize,
) -> din_error {
    let copy = |cell: &mut Cell<P>| {
        let place = cell.place(weights, room)?;
        cell.place(len, 1)?.is_apart_from(&[place])?;
        match cell.progress {
            Progress::NoUser => return Err(ScoreError::NoUser.into()),
            Progress::UserSet => return Err(DIN_ERROR_NOT_SCORED.into()),
            Progress::Scored => {}
        }
        if cell.ranker().model().sequences().nth(sequence).is_none() {
            return Err(DIN_ERROR_NO_SUCH_INDEX.into());
        }
        let from = cell.ranker().attention(sequence);
        if room < from.len() {
            return Err(ScoreError::OutputTooSmall { needed: from.len(), found: room }.into());
        }
        // SAFETY: there is room, apart from everything, and the caller's promise.
        for (to, from) in unsafe { output(weights, from.len()) }?.iter_mut().zip(from) {
            *to = *from;
        }
        // SAFETY: not null, aligned, apart from everything, and the caller's promise.
        unsafe { len.write(from.len()) };
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { call(storage, copy) }
}

/// What a ranker says about itself; nothing if there is no such thing.
///
/// # Safety
/// As `open`; `to` is null or a place for it.
pub(crate) unsafe fn read<P: Path, T>(
    storage: *mut P::Storage,
    to: *mut T,
    read: impl FnOnce(&mut P) -> Option<T>,
) -> din_error {
    let answer = |cell: &mut Cell<P>| {
        let found = read(cell.ranker()).ok_or(DIN_ERROR_NO_SUCH_INDEX)?;
        // SAFETY: the caller's promise.
        Ok(unsafe { write(to, found, &cell.taken()) }?)
    };
    // SAFETY: the caller's promise.
    unsafe { call(storage, answer) }
}

/// Sets the user, scores the slate and compares.
///
/// # Safety
/// As `set_user` and `compute`; there are `count` expected scores.
pub(crate) unsafe fn self_test<P: Path>(
    storage: *mut P::Storage,
    user: *const din_user,
    (slate, slate_len): (*const din_value, usize),
    (expected, count): (*const P::Score, usize),
    is_equal: impl Fn(P::Score, P::Score) -> bool,
) -> din_error {
    // SAFETY: the caller's promise.
    let error = unsafe { set_user::<P>(storage, user) };
    if error != DIN_OK {
        return error;
    }
    let compare = |cell: &mut Cell<P>| {
        let written = cell.written();
        Span::of(expected, count)?.is_apart_from(&written)?;
        // SAFETY: the caller's promise.
        let (values, expected) =
            unsafe { (values(slate, slate_len, &written)?, crate::memory::slice(expected, count)?) };
        let fields = cell.ranker().model().fields(Group::Candidate).count();
        if Some(values.len()) != fields.checked_mul(count) {
            let needed = fields.saturating_mul(count);
            return Err(ScoreError::FieldCount { group: "slate", needed, found: values.len() }.into());
        }
        for (index, (candidate, expected)) in values.chunks_exact(fields.max(1)).zip(expected).enumerate() {
            let found = cell.ranker().score(candidate)?;
            if !is_equal(found, *expected) {
                let (expected, found) = (P::bits(*expected), P::bits(found));
                return Err(Failure::Refused(Refusal::SelfTest { index, expected, found }));
            }
        }
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { call(storage, compare) }
}
