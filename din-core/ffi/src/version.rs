//! Which library and which blob format this is.

use core::ffi::c_char;
use din_core::header;

/// Version of this header, `major << 16 | minor << 8 | patch`. `din_version()` is that of the library.
pub const DIN_VERSION: u32 = 0x0000_0100;

const _: () = assert!(is(env!("CARGO_PKG_VERSION_MAJOR"), DIN_VERSION >> 16));
const _: () = assert!(is(env!("CARGO_PKG_VERSION_MINOR"), DIN_VERSION >> 8 & 0xFF));
const _: () = assert!(is(env!("CARGO_PKG_VERSION_PATCH"), DIN_VERSION & 0xFF));

/// Whether a number in a text is this one.
const fn is(text: &str, number: u32) -> bool {
    matches!(u32::from_str_radix(text, 10), Ok(found) if found == number)
}

/// Version of the library, as `DIN_VERSION`. If they differ, the header belongs to another library.
#[unsafe(no_mangle)]
pub const extern "C" fn din_version() -> u32 {
    DIN_VERSION
}

/// Version of the library as text, "0.1.0".
#[unsafe(no_mangle)]
pub const extern "C" fn din_version_string() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The blob format that the library reads, `major << 16 | minor`. Blobs of another major version are refused; those of a
/// higher minor version are read.
#[unsafe(no_mangle)]
pub const extern "C" fn din_blob_version() -> u32 {
    (header::MAJOR as u32) << 16 | header::MINOR as u32
}
