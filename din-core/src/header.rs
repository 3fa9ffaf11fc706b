//! The fixed part at the front of a blob.
//!
//! | offset | bytes | holds |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 2 | format major version: another one is refused |
//! | 10 | 2 | format minor version: a higher one only adds |
//! | 12 | 4 | header length: 64, or more in a later minor version |
//! | 16 | 8 | total length of the blob |
//! | 24 | 4 | length of the manifest, which follows the header |
//! | 28 | 4 | length of the signature at the end of the blob; 0 if there is none |
//! | 32 | 4 | required features: an unknown bit is refused |
//! | 36 | 4 | optional features: unknown bits are ignored |
//! | 40 | 8 | model id |
//! | 48 | 8 | model version, for updates: only ever raised |
//! | 56 | 4 | CRC-32 of everything from byte 64 on, the signature excepted |
//! | 60 | 4 | CRC-32 of bytes 0 to 59 |
//!
//! All little-endian. The manifest is followed by zeros up to the first section; sections start where
//! [`section_start`] says, with zeros before them.

use crate::bytes::{range, u16_at, u32_at, u64_at};
use crate::checksum::crc32;
use crate::error::LoadError;
use crate::subject::Subject;

/// First bytes of every blob: not text, and damaged by a transfer that changes line ends.
pub const MAGIC: [u8; 8] = *b"\x89DIN\r\n\x1a\n";
/// The format that this library reads and writes; minor versions only add.
pub const MAJOR: u16 = 1;
/// See [`MAJOR`].
pub const MINOR: u16 = 0;
/// Bytes of the header.
pub const HEADER_LEN: usize = 64;
/// Sections start at multiples of this many bytes from the blob's start.
pub const ALIGNMENT: usize = 16;
/// Sections of at least [`LARGE_SECTION`] bytes start at multiples of this many: a cache line, so that no vector of a
/// large layer's weights lies across two where the blob itself lies at such an address.
pub const LARGE_ALIGNMENT: usize = 64;
/// See [`LARGE_ALIGNMENT`].
pub const LARGE_SECTION: usize = 4096;
/// Required feature: the blob holds the integer path, to be read by the integer ranker.
pub const FEATURE_INTEGER: u32 = 1;
/// Required-feature bits that this library has.
pub const KNOWN_FEATURES: u32 = FEATURE_INTEGER;

/// Where a section of `len` bytes starts when everything before it ends at `end`, both from the blob's start.
#[must_use]
pub const fn section_start(end: usize, len: usize) -> usize {
    let alignment = if len >= LARGE_SECTION { LARGE_ALIGNMENT } else { ALIGNMENT };
    let before = alignment.saturating_sub(1);
    end.saturating_add(before) & !before
}

/// The decoded header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Format minor version; the major one is always [`MAJOR`].
    pub minor: u16,
    /// Bytes of the whole blob.
    pub total_len: u64,
    /// Bytes of the header.
    pub header_len: u32,
    /// Bytes of the manifest.
    pub manifest_len: u32,
    /// Bytes of the signature.
    pub signature_len: u32,
    /// Features without which the blob cannot be read.
    pub required_features: u32,
    /// Features that may be ignored.
    pub optional_features: u32,
    /// Which model this is: two blobs with the same id are versions of one model.
    pub model_id: u64,
    /// Which version of it.
    pub model_version: u64,
    /// Of everything between byte 64 and the signature.
    pub body_crc: u32,
}

impl Header {
    /// Reads and checks the header alone: what a bootloader needs before it copies the rest.
    ///
    /// # Errors
    /// [`LoadError::TooShort`] under 64 bytes, [`LoadError::BadMagic`], [`LoadError::UnsupportedMajor`],
    /// [`LoadError::HeaderChecksum`], [`LoadError::UnsupportedFeatures`], and [`LoadError::OutOfRange`] where the
    /// lengths cannot be.
    #[inline(never)]
    pub fn parse(bytes: &[u8]) -> Result<Self, LoadError> {
        let fixed = range(bytes, 0, HEADER_LEN);
        if fixed.is_empty() {
            return Err(LoadError::TooShort { needed: HEADER_LEN as u64, found: bytes.len() as u64 });
        }
        if !fixed.starts_with(&MAGIC) {
            return Err(LoadError::BadMagic);
        }
        let major = u16_at(fixed, 8);
        if major != MAJOR {
            return Err(LoadError::UnsupportedMajor { found: major, supported: MAJOR });
        }
        let (stored, computed) = (u32_at(fixed, 60), crc32(range(fixed, 0, 60)));
        if stored != computed {
            return Err(LoadError::HeaderChecksum { stored, computed });
        }
        let header = Self {
            minor: u16_at(fixed, 10),
            header_len: u32_at(fixed, 12),
            total_len: u64_at(fixed, 16),
            manifest_len: u32_at(fixed, 24),
            signature_len: u32_at(fixed, 28),
            required_features: u32_at(fixed, 32),
            optional_features: u32_at(fixed, 36),
            model_id: u64_at(fixed, 40),
            model_version: u64_at(fixed, 48),
            body_crc: u32_at(fixed, 56),
        };
        let unknown = header.required_features & !KNOWN_FEATURES;
        if unknown != 0 {
            return Err(LoadError::UnsupportedFeatures { bits: unknown });
        }
        let lengths = u64::from(header.header_len)
            .saturating_add(u64::from(header.manifest_len))
            .saturating_add(u64::from(header.signature_len));
        // Only a later minor version may have a longer header.
        let is_known = header.header_len as usize == HEADER_LEN || header.is_later_minor();
        if (header.header_len as usize) < HEADER_LEN || !is_known || lengths > header.total_len {
            return Err(LoadError::OutOfRange {
                what: Subject::HeaderLength,
                found: lengths,
                limit: header.total_len,
            });
        }
        Ok(header)
    }

    /// Whether a later minor version wrote the blob, which may have appended what this one does not know.
    pub(crate) const fn is_later_minor(&self) -> bool {
        self.minor > MINOR
    }

    /// Whether the blob holds the integer path.
    #[must_use]
    pub const fn is_integer(&self) -> bool {
        self.required_features & FEATURE_INTEGER != 0
    }

    /// The header's bytes, checksum included.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let parts: [&[u8]; 13] = [
            &MAGIC,
            &MAJOR.to_le_bytes(),
            &self.minor.to_le_bytes(),
            &self.header_len.to_le_bytes(),
            &self.total_len.to_le_bytes(),
            &self.manifest_len.to_le_bytes(),
            &self.signature_len.to_le_bytes(),
            &self.required_features.to_le_bytes(),
            &self.optional_features.to_le_bytes(),
            &self.model_id.to_le_bytes(),
            &self.model_version.to_le_bytes(),
            &self.body_crc.to_le_bytes(),
            &[0; 4],
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        let crc = crc32(range(&bytes, 0, 60)).to_le_bytes();
        for (to, from) in bytes.iter_mut().skip(60).zip(crc) {
            *to = from;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            minor: 3,
            total_len: 4096,
            header_len: 64,
            manifest_len: 100,
            signature_len: 8,
            optional_features: 5,
            model_id: 7,
            model_version: 9,
            body_crc: 11,
            ..Header::default()
        }
    }

    #[test]
    fn a_header_survives_the_round_trip() {
        assert_eq!(Header::parse(&header().to_bytes()), Ok(header()));
    }

    #[test]
    fn another_major_version_is_named_before_the_checksum_is_looked_at() {
        let mut bytes = header().to_bytes();
        bytes[8] = 2;
        assert_eq!(Header::parse(&bytes), Err(LoadError::UnsupportedMajor { found: 2, supported: 1 }));
    }

    #[test]
    fn an_unknown_required_feature_is_refused() {
        let bytes = Header { required_features: 0x8000_0000, ..header() }.to_bytes();
        assert_eq!(Header::parse(&bytes), Err(LoadError::UnsupportedFeatures { bits: 0x8000_0000 }));
    }

    #[test]
    fn lengths_that_exceed_the_total_are_refused() {
        let bytes = Header { signature_len: u32::MAX, ..header() }.to_bytes();
        assert!(matches!(Header::parse(&bytes), Err(LoadError::OutOfRange { .. })));
    }
}
