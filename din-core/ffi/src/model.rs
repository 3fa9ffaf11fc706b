//! Storage of a model, and what a blob says about itself.

use crate::error::din_error::{self, *};
use crate::error::{details_of_blob, din_details, din_text};
use crate::memory::{Span, slice};
use core::ffi::c_void;
use core::mem::MaybeUninit;
use din_core::manifest::FieldKind;
use din_core::{Field, Group, LoadError, Model, Sequence};

/// Words of a `din_model`, after its first eight bytes.
pub const DIN_MODEL_WORDS: usize = 76;

/// A model, read in place from a blob. Storage of the caller's, 312 bytes on 32-bit machines, which `din_model_init`
/// initialises.
///
/// It must stay where it is, and the blob unchanged where that is, while the model or a ranker of it is used. After
/// `din_model_init` it is only read: any number of rankers, on any threads, may share it.
#[derive(Debug)]
#[repr(C)]
pub struct din_model {
    opaque: u64,
    words: [usize; DIN_MODEL_WORDS],
}

/// What a `din_model` holds.
#[repr(C)]
pub(crate) struct Cell {
    /// Says that this was initialised, here: see `tag_at`.
    tag: u64,
    /// Tells blobs apart.
    stamp: u64,
    error: Option<LoadError>,
    /// Initialised if the tag is that of a model.
    model: MaybeUninit<Model<'static>>,
}

const _: () = assert!(size_of::<Cell>() <= size_of::<din_model>());
const _: () = assert!(align_of::<Cell>() <= align_of::<din_model>());
#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<din_model>() == 312, "as its documentation says");
// No more room than a later version might need.
const _: () = assert!(size_of::<din_model>() < size_of::<Cell>() * 3 / 2);

const LOADED: u64 = 0x6d6f_6465_6c21_4449;
const REFUSED: u64 = 0x7265_6675_7365_4449;

/// A magic number, mixed with where it lies: a copy of it elsewhere is another number.
pub(crate) fn tag_at<T>(magic: u64, storage: *const T) -> u64 {
    magic ^ (storage.addr() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Checks a blob and makes a model of it. One pass over the blob; nothing of it is copied. The blob may lie anywhere, in
/// flash for one; at a multiple of 64 its weights are read fastest by large processors. `blob_len` is exactly its length.
///
/// The storage need not be initialised, and may be initialised again; then rankers of it must be, too.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_OVERLAP: nothing was changed. DIN_ERROR_BLOB_...:
/// the blob was refused, `din_model_error` has the numbers, and the model is not initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_model_init(
    model: *mut din_model,
    blob: *const c_void,
    blob_len: usize,
) -> din_error {
    let storage = match Span::of(model, 1) {
        Ok(span) => span,
        Err(error) => return error,
    };
    if blob.is_null() {
        return DIN_ERROR_NULL;
    }
    let blob = blob.cast::<u8>();
    if let Err(error) = Span::of(blob, blob_len).and_then(|blob| blob.is_apart_from(&[storage])) {
        return error;
    }
    // SAFETY: the caller's promise, which is for as long as the model is used: the header says so.
    let bytes = match unsafe { slice::<'static, u8>(blob, blob_len) } {
        Ok(bytes) => bytes,
        Err(error) => return error,
    };
    let cell = model.cast::<Cell>();
    let loaded = Model::from_bytes(bytes);
    // SAFETY: not null, aligned, as large as a cell; and the caller's promise. Written member by member: the model goes
    // where it stays at once.
    unsafe {
        (&raw mut (*cell).error).write(loaded.as_ref().err().copied());
        match &loaded {
            Ok(model) => {
                (&raw mut (*cell).model).cast::<Model<'static>>().write(*model);
                (&raw mut (*cell).stamp).write(stamp(model));
                (&raw mut (*cell).tag).write(tag_at(LOADED, cell));
                DIN_OK
            }
            Err(error) => {
                (&raw mut (*cell).tag).write(tag_at(REFUSED, cell));
                details_of_blob(*error).error
            }
        }
    }
}

/// Of a blob: another one has another stamp, unless it has the same bytes in the same place.
fn stamp(model: &Model<'_>) -> u64 {
    let header = model.header();
    (u64::from(header.body_crc) << 32)
        ^ header.total_len.rotate_left(16)
        ^ model.bytes().as_ptr().addr() as u64
}

/// A model in storage of the caller's, and its stamp.
///
/// # Safety
/// The storage is null or readable, and if it was initialised, the blob is as it was then.
pub(crate) unsafe fn open<'m>(storage: *const din_model) -> Result<(&'m Model<'m>, u64), din_error> {
    Span::of(storage, 1)?;
    let cell = storage.cast::<Cell>();
    // SAFETY: not null, aligned. Volatile, because the storage may never have been written.
    let tag = unsafe { (&raw const (*cell).tag).read_volatile() };
    if tag != tag_at(LOADED, cell) {
        return Err(DIN_ERROR_NOT_INITIALIZED);
    }
    // SAFETY: the tag says that `din_model_init` wrote a model here.
    let cell = unsafe { &*cell };
    // SAFETY: likewise.
    Ok((unsafe { cell.model.assume_init_ref() }, cell.stamp))
}

/// The numbers behind the last `din_model_init` of this storage.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_model_error(model: *const din_model, details: *mut din_details) -> din_error {
    let read = || {
        let storage = Span::of(model, 1)?;
        let cell = model.cast::<Cell>();
        // SAFETY: not null, aligned. Volatile, because the storage may never have been written.
        let tag = unsafe { (&raw const (*cell).tag).read_volatile() };
        if tag != tag_at(LOADED, cell) && tag != tag_at(REFUSED, cell) {
            return Err(DIN_ERROR_NOT_INITIALIZED);
        }
        // SAFETY: the tag says that `din_model_init` wrote this.
        let error = unsafe { (*cell).error };
        // SAFETY: the caller's promise.
        unsafe { write(details, error.map_or_else(|| din_details::new(DIN_OK), details_of_blob), &[storage]) }
    };
    read().err().unwrap_or(DIN_OK)
}

/// Writes a result to the caller's memory, apart from some other.
///
/// # Safety
/// It is null, or there is a place for one.
pub(crate) unsafe fn write<T>(to: *mut T, result: T, others: &[Span]) -> Result<(), din_error> {
    Span::of(to, 1)?.is_apart_from(others)?;
    // SAFETY: not null, aligned, and the caller's promise.
    unsafe { to.write(result) };
    Ok(())
}

/// Which arithmetic a blob is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum din_path {
    /// Floating point: `din_ranker`.
    DIN_PATH_F32 = 0,
    /// Integers: `din_integer_ranker`.
    DIN_PATH_INTEGER = 1,
}

/// What a model is and needs.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct din_model_info {
    /// The name given at export.
    pub name: din_text,
    /// Which model this is: two blobs with the same id are versions of one model.
    pub model_id: u64,
    /// Which version of it: only ever raised.
    pub model_version: u64,
    /// Multiply-accumulates to score one candidate against full histories, user set.
    pub candidate_macs: u64,
    /// Bytes of scratch memory that a ranker needs.
    pub scratch_bytes: usize,
    /// Values of `din_user.profile`.
    pub profile_fields: usize,
    /// Values of `din_user.context`.
    pub context_fields: usize,
    /// Values of a candidate.
    pub candidate_fields: usize,
    /// Histories of `din_user.histories`.
    pub sequences: usize,
    /// `DIN_PATH_F32` or `DIN_PATH_INTEGER`.
    pub path: u32,
}

/// What a model is and needs.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_model_describe(model: *const din_model, info: *mut din_model_info) -> din_error {
    let describe = |model: &Model<'_>| {
        let path =
            if model.header().is_integer() { din_path::DIN_PATH_INTEGER } else { din_path::DIN_PATH_F32 };
        Ok(din_model_info {
            name: model.name().into(),
            model_id: model.header().model_id,
            model_version: model.header().model_version,
            candidate_macs: model.candidate_macs(),
            scratch_bytes: model.scratch_len().saturating_mul(4),
            profile_fields: model.fields(Group::Profile).count(),
            context_fields: model.fields(Group::Context).count(),
            candidate_fields: model.fields(Group::Candidate).count(),
            sequences: model.sequences().count(),
            path: path as u32,
        })
    };
    // SAFETY: the caller's promise.
    unsafe { answer(model, info, describe) }
}

/// One behaviour sequence of a model.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct din_sequence_info {
    /// Its name.
    pub name: din_text,
    /// The most behaviours used; of a longer history the newest.
    pub capacity: usize,
    /// Values of a behaviour.
    pub fields: usize,
    /// Whether behaviours are weighed by attention: whether there are weights to explain a score with.
    pub has_attention: bool,
}

/// The sequence with this index, in the order of `din_user.histories`.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP, DIN_ERROR_NO_SUCH_INDEX.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_model_describe_sequence(
    model: *const din_model,
    sequence: usize,
    info: *mut din_sequence_info,
) -> din_error {
    let describe = |model: &Model<'_>| {
        let sequence = sequence_of(model, sequence)?;
        Ok(din_sequence_info {
            name: sequence.name().into(),
            capacity: sequence.capacity(),
            fields: model.behaviour_fields(&sequence).count(),
            has_attention: sequence.is_attention(),
        })
    };
    // SAFETY: the caller's promise.
    unsafe { answer(model, info, describe) }
}

/// A group of fields. Those of the behaviours of sequence s are group `DIN_GROUP_BEHAVIOUR + s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum din_group {
    /// User features.
    DIN_GROUP_PROFILE = 0,
    /// Remaining features of a request.
    DIN_GROUP_CONTEXT = 1,
    /// Features of the item being scored.
    DIN_GROUP_CANDIDATE = 2,
    /// Features of a behaviour of the first sequence.
    DIN_GROUP_BEHAVIOUR = 16,
}

/// One field of a model.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct din_field_info {
    /// Its name.
    pub name: din_text,
    /// Whether it takes numbers (`DIN_KIND_NUMBER`, `DIN_KIND_FIXED`); else ids. Both take `DIN_KIND_MISSING`.
    pub is_number: bool,
}

/// The field with this index of a group, in the order in which values are given. `group` is one of `din_group`, or
/// `DIN_GROUP_BEHAVIOUR + sequence`.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP, DIN_ERROR_NO_SUCH_INDEX.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_model_describe_field(
    model: *const din_model,
    group: u32,
    field: usize,
    info: *mut din_field_info,
) -> din_error {
    let describe = |model: &Model<'_>| {
        let field = field_of(model, group, field)?;
        Ok(din_field_info { name: field.name.into(), is_number: field.kind == FieldKind::Numeric })
    };
    // SAFETY: the caller's promise.
    unsafe { answer(model, info, describe) }
}

fn sequence_of<'m>(model: &Model<'m>, index: usize) -> Result<Sequence<'m>, din_error> {
    model.sequences().nth(index).ok_or(DIN_ERROR_NO_SUCH_INDEX)
}

fn field_of<'m>(model: &Model<'m>, group: u32, index: usize) -> Result<Field<'m>, din_error> {
    let group = match group {
        0 => Group::Profile,
        1 => Group::Context,
        2 => Group::Candidate,
        _ => {
            let sequence = group.checked_sub(din_group::DIN_GROUP_BEHAVIOUR as u32);
            let sequence = sequence_of(model, sequence.ok_or(DIN_ERROR_NO_SUCH_INDEX)? as usize)?;
            return model.behaviour_fields(&sequence).nth(index).ok_or(DIN_ERROR_NO_SUCH_INDEX);
        }
    };
    model.fields(group).nth(index).ok_or(DIN_ERROR_NO_SUCH_INDEX)
}

/// Writes what `describe` says about a model.
///
/// # Safety
/// As `open`; `info` is null or a place for one.
unsafe fn answer<T>(
    model: *const din_model,
    info: *mut T,
    describe: impl FnOnce(&Model<'_>) -> Result<T, din_error>,
) -> din_error {
    let answer = || {
        let storage = Span::of(model, 1)?;
        // SAFETY: the caller's promise.
        let (model, _) = unsafe { open(model) }?;
        let found = describe(model)?;
        // SAFETY: the caller's promise.
        unsafe { write(info, found, &[storage, Span::of(model.bytes().as_ptr(), model.bytes().len())?]) }
    };
    answer().err().unwrap_or(DIN_OK)
}
