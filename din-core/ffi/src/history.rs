//! A ring of behaviours in memory of the caller's.

use crate::error::din_error::{self, *};
use crate::memory::Span;
use crate::value::{din_behaviours, din_value, values};
use core::ptr::null_mut;

/// The newest behaviours of one sequence, in an array of the caller's. Its members are the library's to change; the object
/// and the array may be saved and restored as bytes, if `values` is set to where the array then lies.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct din_history {
    /// [capacity, fields]
    pub values: *mut din_value,
    /// Behaviours that the array holds.
    pub capacity: usize,
    /// Values of a behaviour.
    pub fields: usize,
    /// Row that the next behaviour goes to.
    pub next: usize,
    /// Behaviours held.
    pub len: usize,
}

/// An empty history of behaviours of `fields` values each, in an array of `len` values: it keeps the newest
/// `len / fields`. The array stays the caller's, and must stay where it is while the history is used.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_LENGTH, DIN_ERROR_OVERLAP; DIN_ERROR_OUTPUT_TOO_SMALL if the array
/// does not hold one behaviour.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_history_init(
    history: *mut din_history,
    values: *mut din_value,
    len: usize,
    fields: usize,
) -> din_error {
    let checked = Span::of(history, 1).and_then(|object| Span::of(values, len)?.is_apart_from(&[object]));
    if let Err(error) = checked {
        return error;
    }
    let Some(capacity) = len.checked_div(fields).filter(|capacity| *capacity > 0) else {
        return DIN_ERROR_OUTPUT_TOO_SMALL;
    };
    // SAFETY: not null, aligned, and the caller's promise.
    unsafe { history.write(din_history { values, capacity, fields, next: 0, len: 0 }) };
    DIN_OK
}

/// Adds the newest behaviour, one value for each field; a full history drops the oldest.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_OVERLAP; DIN_ERROR_NOT_INITIALIZED; DIN_ERROR_FIELD_COUNT unless
/// `fields` is that of `din_history_init`; DIN_ERROR_UNKNOWN_KIND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_history_push(
    history: *mut din_history,
    behaviour: *const din_value,
    fields: usize,
) -> din_error {
    let push = || {
        // SAFETY: the caller's promise.
        let (mut ring, object) = unsafe { read(history) }?;
        if fields != ring.fields {
            return Err(DIN_ERROR_FIELD_COUNT);
        }
        let to = ring.row(ring.next);
        let array = Span::of(ring.values, ring.capacity.wrapping_mul(fields))?;
        // SAFETY: the caller's promise. Checked, but copied as it came.
        unsafe { values(behaviour, fields, &[array, object]) }?;
        // SAFETY: a row of the caller's array, apart from the behaviour.
        unsafe { behaviour.copy_to_nonoverlapping(to, fields) };
        ring.next = ring.next.wrapping_add(1);
        if ring.next == ring.capacity {
            ring.next = 0;
        }
        ring.len = ring.len.wrapping_add(1).min(ring.capacity);
        // SAFETY: checked by `read`.
        unsafe { history.write(ring) };
        Ok(())
    };
    push().err().unwrap_or(DIN_OK)
}

/// The behaviours held, oldest first, as `din_user.histories` takes them; they point into the array, so push nothing until
/// they were read.
///
/// DIN_ERROR_NULL, DIN_ERROR_MISALIGNED, DIN_ERROR_NOT_INITIALIZED, DIN_ERROR_OVERLAP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_history_behaviours(
    history: *const din_history,
    behaviours: *mut din_behaviours,
) -> din_error {
    let view = || {
        // SAFETY: the caller's promise.
        let (ring, object) = unsafe { read(history) }?;
        let array = Span::of(ring.values, ring.capacity.wrapping_mul(ring.fields))?;
        Span::of(behaviours, 1)?.is_apart_from(&[object, array])?;
        // The row after the newest: the newest may fill the array to its end.
        let end = if ring.next == 0 { ring.capacity } else { ring.next };
        // Behaviours from there to the array's end, if the ring went round.
        let before = ring.len.saturating_sub(end);
        let after = ring.len.wrapping_sub(before);
        let older = if before > 0 { ring.row(ring.capacity.wrapping_sub(before)) } else { null_mut() };
        let view = din_behaviours {
            older,
            older_len: before.wrapping_mul(ring.fields),
            newer: ring.row(end.wrapping_sub(after)),
            newer_len: after.wrapping_mul(ring.fields),
        };
        // SAFETY: checked, and the caller's promise.
        unsafe { behaviours.write(view) };
        Ok(())
    };
    view().err().unwrap_or(DIN_OK)
}

impl din_history {
    const fn row(&self, index: usize) -> *mut din_value {
        self.values.wrapping_add(index.wrapping_mul(self.fields))
    }
}

/// The object, if its members are those of a history, and where it lies.
///
/// # Safety
/// It is null or a `din_history`.
unsafe fn read(history: *const din_history) -> Result<(din_history, Span), din_error> {
    let object = Span::of(history, 1)?;
    // SAFETY: not null, aligned, and the caller's promise.
    let ring = unsafe { history.read() };
    let is_whole = ring.fields > 0
        && ring.next < ring.capacity
        && ring.len <= ring.capacity
        && ring.capacity.checked_mul(ring.fields).is_some_and(|len| Span::of(ring.values, len).is_ok());
    if is_whole { Ok((ring, object)) } else { Err(DIN_ERROR_NOT_INITIALIZED) }
}
