//! The header, and what it says of the rest.

use super::{error_of, error_of_bytes, good, malformed, out_of_range, parts};
use din_core::header::{HEADER_LEN, Header, MINOR};
use din_core::{LoadError, Model};
use din_export::blob::Embedding;
use din_tests::forge::{EncodedLists, load_and_score, repair};

#[test]
fn another_magic_number_is_no_blob() {
    assert_eq!(error_of_bytes(0, b"\x89PNG\r\n\x1a\n"), LoadError::BadMagic);
}

#[test]
fn another_major_version_is_refused() {
    assert_eq!(error_of_bytes(8, &[2, 0]), LoadError::UnsupportedMajor { found: 2, supported: 1 });
}

#[test]
fn an_unknown_required_feature_is_refused() {
    let bits = 1 << 31;
    assert_eq!(
        error_of(|parts| parts.header.required_features = bits),
        LoadError::UnsupportedFeatures { bits }
    );
}

#[test]
fn an_unknown_optional_feature_is_ignored() {
    let expected = load_and_score(&good(Embedding::F32));
    let mut parts = parts();
    parts.header.optional_features = u32::MAX;
    assert_eq!(load_and_score(&parts.assemble()), expected);
}

#[test]
fn a_later_minor_version_may_append_to_the_manifest() {
    let mut parts = parts();
    parts.header.minor = MINOR + 1;
    parts.appended = vec![1, 2, 3, 4, 5];
    assert_eq!(load_and_score(&parts.assemble()), load_and_score(&good(Embedding::F32)));
}

#[test]
fn a_later_minor_version_may_have_sections_of_its_own() {
    let mut parts = parts();
    parts.header.minor = MINOR + 1;
    parts.sections.push(vec![7; 20]);
    assert_eq!(load_and_score(&parts.assemble()), load_and_score(&good(Embedding::F32)));
}

#[test]
fn this_minor_version_may_not() {
    assert_eq!(malformed(error_of(|parts| parts.appended = vec![0])), "end of the manifest");
}

/// 16 bytes more, so that sections stay aligned; their offsets are in the manifest and move with them.
fn with_longer_header() -> Vec<u8> {
    let moved = |lists: &mut EncodedLists| lists.sections.iter_mut().for_each(|section| section.offset += 16);
    let blob = parts().assemble_with(moved);
    let mut bytes = [&blob[..HEADER_LEN], &[0xAB; 16], &blob[HEADER_LEN..]].concat();
    let header = Header {
        minor: MINOR + 1,
        header_len: 80,
        total_len: bytes.len() as u64,
        ..Header::parse(&blob).unwrap()
    };
    bytes[..HEADER_LEN].copy_from_slice(&header.to_bytes());
    repair(&mut bytes);
    bytes
}

#[test]
fn a_later_minor_version_may_have_a_longer_header() {
    assert_eq!(load_and_score(&with_longer_header()), load_and_score(&good(Embedding::F32)));
}

#[test]
fn what_a_later_header_adds_is_under_the_body_s_checksum() {
    let mut bytes = with_longer_header();
    bytes[70] ^= 1;
    assert!(matches!(load_and_score(&bytes), Err(LoadError::BodyChecksum { .. })));
}

#[test]
fn a_header_length_under_64_is_refused() {
    assert_eq!(out_of_range(error_of_bytes(12, &63_u32.to_le_bytes())), "header length");
}

#[test]
fn a_total_length_other_than_the_bytes_given_is_refused() {
    let len = good(Embedding::F32).len() as u64;
    let short = error_of_bytes(16, &(len + 1).to_le_bytes());
    assert_eq!(short, LoadError::TooShort { needed: len + 1, found: len });
    let long = error_of_bytes(16, &(len - 1).to_le_bytes());
    assert_eq!(long, LoadError::TooLong { needed: len - 1, found: len });
}

#[test]
fn lengths_that_exceed_the_total_are_refused() {
    for at in [12, 24, 28] {
        assert_eq!(out_of_range(error_of_bytes(at, &u32::MAX.to_le_bytes())), "header length", "at {at}");
    }
}

#[test]
fn a_manifest_that_is_cut_does_not_decode() {
    let len = Model::from_bytes(&good(Embedding::F32)).unwrap().manifest_len() as u32;
    assert_eq!(malformed(error_of_bytes(24, &(len - 1).to_le_bytes())), "manifest");
    assert_eq!(malformed(error_of_bytes(24, &0_u32.to_le_bytes())), "manifest");
}

#[test]
fn checksums_that_fail_are_named() {
    let mut bytes = good(Embedding::F32);
    bytes[40] ^= 1;
    assert!(matches!(load_and_score(&bytes), Err(LoadError::HeaderChecksum { .. })));
    let mut bytes = good(Embedding::F32);
    *bytes.last_mut().unwrap() ^= 1;
    assert!(matches!(load_and_score(&bytes), Err(LoadError::BodyChecksum { .. })));
}

#[test]
fn a_longer_header_needs_a_later_minor_version() {
    let error = error_of_bytes(12, &80_u32.to_le_bytes());
    assert_eq!(out_of_range(error), "header length");
}
