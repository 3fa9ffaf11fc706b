//! Values, histories and users, read where the caller has them.

use crate::error::din_error;
use crate::memory::{Span, slice};
use din_core::manifest::MAX_SEQUENCES;
use din_core::{Behaviours, User, Value};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum din_kind {
    /// Nothing known: row 0 of a field of ids, 0 for a numeric one.
    DIN_KIND_MISSING = 0,
    /// `id`: an integer id, or `din_hash_text` of a text.
    DIN_KIND_ID = 1,
    /// `bits`: those of a float, before the normaliser.
    DIN_KIND_NUMBER = 2,
    /// `bits`: a number in Q16.16 (an int32_t, the number times 65536), before the normaliser: for machines without
    /// floating point.
    DIN_KIND_FIXED = 3,
}

/// One raw field value. Write `DIN_ID(7)`, `DIN_FIXED(-32768)` or `DIN_MISSING` in initialisers; call `din_id`,
/// `din_number`, `din_fixed` or `din_missing` elsewhere.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct din_value {
    /// One of `din_kind`.
    pub kind: u32,
    /// The number.
    pub bits: u32,
    /// The id.
    pub id: u64,
}

// A `Value` has the layout of its variants' structs, { u32, number } and { u32, id }, that is of a `din_value`.
const _: () = assert!(size_of::<din_value>() == size_of::<Value>());
const _: () = assert!(align_of::<din_value>() == align_of::<Value>());

/// Behaviours, oldest first, in up to two runs, because a ring is seldom in one piece: `older`, then `newer`. Each run is
/// row-major, [behaviours, fields]; its length counts values, and is a multiple of the sequence's fields. An empty run may
/// be null.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct din_behaviours {
    /// The older run; empty if all are in one run.
    pub older: *const din_value,
    /// Values in it.
    pub older_len: usize,
    /// The newer run.
    pub newer: *const din_value,
    /// Values in it.
    pub newer_len: usize,
}

/// What a request says about the user. Nothing of it is kept after the call that reads it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct din_user {
    /// One value for each profile field.
    pub profile: *const din_value,
    /// How many.
    pub profile_len: usize,
    /// One value for each context field.
    pub context: *const din_value,
    /// How many.
    pub context_len: usize,
    /// One history for each sequence of the model.
    pub histories: *const din_behaviours,
    /// How many.
    pub histories_len: usize,
}

/// Values in place, apart from some memory that is written while they are read.
///
/// # Safety
/// There are so many, which nobody changes during `'a`.
pub(crate) unsafe fn values<'a>(
    start: *const din_value,
    count: usize,
    written: &[Span],
) -> Result<&'a [Value], din_error> {
    Span::of(start, count)?.is_apart_from(written)?;
    for index in 0..count {
        // SAFETY: within the memory; not null, aligned. The kind alone is looked at: what a kind does not use, the caller
        // need not have initialised.
        let kind = unsafe { (&raw const (*start.wrapping_add(index)).kind).read() };
        if kind > din_kind::DIN_KIND_FIXED as u32 {
            return Err(din_error::DIN_ERROR_UNKNOWN_KIND);
        }
    }
    // SAFETY: same size and alignment, and every kind is the discriminant of a variant whose payload is where the header
    // has it and takes any bits.
    unsafe { slice(start.cast::<Value>(), count) }
}

/// Calls `then` with a user as din-core takes it.
///
/// # Safety
/// The user is null or a `din_user` whose pointers and lengths describe memory that nobody changes during the call.
pub(crate) unsafe fn with_user<E: From<din_error>>(
    user: *const din_user,
    written: &[Span],
    then: impl FnOnce(&User<'_>) -> Result<(), E>,
) -> Result<(), E> {
    Span::of(user, 1)?.is_apart_from(written)?;
    // SAFETY: not null, aligned, and the caller's promise.
    let user = unsafe { user.read() };
    // One more than a model can have: a longer list is refused for its length all the same.
    let mut histories = [Behaviours::default(); MAX_SEQUENCES + 1];
    let count = user.histories_len.min(histories.len());
    Span::of(user.histories, user.histories_len)?.is_apart_from(written)?;
    // SAFETY: the caller's promise.
    let given = unsafe { slice(user.histories, count) }?;
    for (to, from) in histories.iter_mut().zip(given) {
        // SAFETY: the caller's promise, of each run.
        unsafe {
            to.older = values(from.older, from.older_len, written)?;
            to.newer = values(from.newer, from.newer_len, written)?;
        }
    }
    // SAFETY: the caller's promise, of both groups.
    let (profile, context) = unsafe {
        (values(user.profile, user.profile_len, written)?, values(user.context, user.context_len, written)?)
    };
    let histories = histories.get(..count).unwrap_or_default();
    then(&User { profile, context, histories })
}

#[cfg(test)]
mod tests {
    use super::*;
    use din_kind::*;

    #[test]
    fn a_value_in_c_is_the_value_of_din_core() {
        let value = |kind, bits, id| din_value { kind: kind as u32, bits, id };
        let given = [
            value(DIN_KIND_MISSING, 7, 9),
            value(DIN_KIND_ID, 7, u64::MAX - 1),
            value(DIN_KIND_NUMBER, 1.5_f32.to_bits(), 9),
            value(DIN_KIND_FIXED, (-65536_i32).cast_unsigned(), 9),
        ];
        // SAFETY: four values of this function's.
        let read = unsafe { values(given.as_ptr(), given.len(), &[]) };
        let expected = [Value::Missing, Value::Id(u64::MAX - 1), Value::Number(1.5), Value::Fixed(-65536)];
        assert_eq!(read, Ok(&expected[..]));
    }

    #[test]
    fn a_kind_that_there_is_not_is_refused() {
        let given = [din_value { kind: 4, bits: 0, id: 0 }];
        // SAFETY: one value of this function's.
        let read = unsafe { values(given.as_ptr(), given.len(), &[]) };
        assert_eq!(read, Err(din_error::DIN_ERROR_UNKNOWN_KIND));
    }
}
