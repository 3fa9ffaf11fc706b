//! CRC-32 (IEEE 802.3, reflected, as in gzip and PNG): finds accidents, not attacks.

const POLYNOMIAL: u32 = 0xEDB8_8320;

/// Tables for `W` bytes at a time: `TABLES[k][b]` is byte b followed by k zero bytes.
#[allow(clippy::indexing_slicing)] // evaluated at compile time: out of range would not compile
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
/// Hosts take eight bytes a step from 8 KiB of tables; 32-bit devices take half a byte a step from 64 bytes.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    #[cfg(target_pointer_width = "64")]
    return sliced(bytes);
    #[cfg(not(target_pointer_width = "64"))]
    return nibbles(bytes);
}

#[cfg(any(test, not(target_pointer_width = "64")))]
fn nibbles(bytes: &[u8]) -> u32 {
    static TABLE: [[u32; 16]; 1] = tables::<1, 16>(4);
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        crc = (crc >> 4) ^ entry(&TABLE[0], crc & 0xF);
        crc = (crc >> 4) ^ entry(&TABLE[0], crc & 0xF);
    }
    !crc
}

#[cfg(any(test, target_pointer_width = "64"))]
fn sliced(bytes: &[u8]) -> u32 {
    static TABLES: [[u32; 256]; 8] = tables::<8, 256>(8);
    let mut crc = u32::MAX;
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
    !crc
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
        assert_eq!(nibbles(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn the_device_form_equals_the_host_form_at_every_length() {
        let bytes: [u8; 67] = core::array::from_fn(|i| (i * 37 + 11) as u8);
        for len in 0..bytes.len() {
            assert_eq!(nibbles(&bytes[..len]), sliced(&bytes[..len]), "length {len}");
        }
    }
}
