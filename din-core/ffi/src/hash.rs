//! CRC-32, and the hash that stands for a text.

use crate::memory::slice;
use core::ffi::{c_char, c_void};

/// CRC-32 of `len` bytes (IEEE 802.3, as in gzip and PNG), to compare scores between machines or to check a download: it
/// finds accidents, not attacks. 0 if `bytes` is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_crc32(bytes: *const c_void, len: usize) -> u32 {
    // SAFETY: the caller's promise of `len` bytes.
    unsafe { slice(bytes.cast::<u8>(), len) }.map_or(0, din_core::crc32)
}

/// The id that stands for a text, in fields whose vocabulary is of texts: the 64-bit FNV-1a hash of its `len` bytes of
/// UTF-8, without the terminating zero. Of a null pointer that of the empty text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn din_hash_text(text: *const c_char, len: usize) -> u64 {
    // SAFETY: the caller's promise of `len` bytes.
    let bytes = unsafe { slice(text.cast::<u8>(), len) };
    din_core::hash_bytes(bytes.unwrap_or_default())
}
