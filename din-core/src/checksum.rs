//! CRC-32 (IEEE 802.3, reflected, as in gzip and PNG): finds accidents, not attacks.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

const POLYNOMIAL: u32 = 0xEDB8_8320;

/// Tables for `W` bytes at a time: `TABLES[k][b]` is byte b followed by k zero bytes.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // at compile time: what fails does not compile
const fn tables<const W: usize, const ENTRIES: usize>(bits: u32) -> [[u32; ENTRIES]; W] {
    let mut tables = [[0; ENTRIES]; W];
    let mut entry = 0;
    while entry < ENTRIES {
        let mut crc = entry as u32;
        let mut k = 0;
        while k < W {
            let mut bit = 0;
            while bit < bits {
                crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
                bit += 1;
            }
            tables[k][entry] = crc;
            k += 1;
        }
        entry += 1;
    }
    tables
}

/// The CRC-32 of some bytes.
///
/// By the processor's instructions for it, found at run time with the feature `std`, else when compiling: carry-less
/// multiplication on x86-64, CRC-32 itself on 64-bit Arm. Elsewhere 64-bit processors take eight bytes a step from 8 KiB of
/// tables, and 32-bit devices half a byte a step from 64 bytes.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    !update(u32::MAX, bytes)
}

#[cfg(target_pointer_width = "64")]
fn update(crc: u32, bytes: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    let by_instructions = x86_64::update(crc, bytes);
    #[cfg(target_arch = "aarch64")]
    let by_instructions = aarch64::update(crc, bytes);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let by_instructions: Option<u32> = None;
    by_instructions.unwrap_or_else(|| sliced(crc, bytes))
}

#[cfg(not(target_pointer_width = "64"))]
use nibbles as update;

#[cfg(any(test, not(target_pointer_width = "64")))]
fn nibbles(mut crc: u32, bytes: &[u8]) -> u32 {
    static TABLE: [[u32; 16]; 1] = tables::<1, 16>(4);
    for &byte in bytes {
        crc ^= u32::from(byte);
        crc = (crc >> 4) ^ entry(&TABLE[0], crc & 0xF);
        crc = (crc >> 4) ^ entry(&TABLE[0], crc & 0xF);
    }
    crc
}

#[cfg(any(test, target_pointer_width = "64"))]
fn sliced(mut crc: u32, bytes: &[u8]) -> u32 {
    static TABLES: [[u32; 256]; 8] = tables::<8, 256>(8);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let low = u32::from_le_bytes([word[0], word[1], word[2], word[3]]) ^ crc;
        crc = 0;
        for (k, byte) in low.to_le_bytes().into_iter().chain([word[4], word[5], word[6], word[7]]).enumerate()
        {
            if let Some(table) = TABLES.get(7_usize.wrapping_sub(k)) {
                crc ^= entry(table, u32::from(byte));
            }
        }
    }
    for &byte in rest {
        crc = (crc >> 8) ^ entry(&TABLES[0], (crc ^ u32::from(byte)) & 0xFF);
    }
    crc
}

fn entry(table: &[u32], index: u32) -> u32 {
    table.get(index as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the CRC catalogue: CRC-32/ISO-HDLC of "123456789".
    #[test]
    fn matches_the_catalogue_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(!nibbles(u32::MAX, b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn every_form_gives_the_device_form_s_sum_at_every_length_and_address() {
        let bytes: [u8; 400] = core::array::from_fn(|i| (i * i * 37 + 11 * i + 5) as u8);
        for len in 0..bytes.len() - 16 {
            let bytes = &bytes[len % 16..][..len];
            let expected = nibbles(0x1234_5678, bytes);
            assert_eq!(sliced(0x1234_5678, bytes), expected, "length {len}");
            assert_eq!(update(0x1234_5678, bytes), expected, "length {len}");
        }
    }
}
