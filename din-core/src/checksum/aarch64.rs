//! By the processor's own instruction for this polynomial: eight bytes a step.
#![allow(clippy::arithmetic_side_effects)] // counts and addresses of blocks that lie within the bytes

use core::arch::aarch64::{__crc32b, __crc32d};

/// The checksum's state after some more bytes; `None` where the processor lacks the instruction, so that tables do it.
#[allow(unsafe_code)]
pub fn update(crc: u32, bytes: &[u8]) -> Option<u32> {
    // SAFETY: the processor has the instruction, the only condition.
    has_crc().then(|| unsafe { by_instruction(crc, bytes) })
}

#[cfg(feature = "std")]
fn has_crc() -> bool {
    std::arch::is_aarch64_feature_detected!("crc")
}

#[cfg(not(feature = "std"))]
const fn has_crc() -> bool {
    cfg!(target_feature = "crc")
}

#[target_feature(enable = "crc")]
fn by_instruction(mut crc: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        crc = __crc32d(crc, u64::from_le_bytes(*word));
    }
    for &byte in rest {
        crc = __crc32b(crc, byte);
    }
    crc
}
