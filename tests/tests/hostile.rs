//! Hostile bytes: whatever they are, loading gives an error or a model that scores; it never panics.
//!
//! The named cases, one for each check of the loader, are in `malformed.rs`.

use din_core::header::HEADER_LEN;
use din_core::{LoadError, Model};
use din_export::blob::{self, Embedding, ExportOptions};
use din_tests::forge::{load_and_score, repair};
use din_tests::golden::everything_shape;
use din_tests::random::Random;
use proptest::prelude::*;
use std::panic::catch_unwind;

const SIGNATURE: [u8; 21] = *b"stands for a signatur";

/// Small, and with every part that a blob can have.
fn everything(embedding: Embedding) -> Vec<u8> {
    let weights = everything_shape().fill("everything", &mut Random::new(3));
    let options = ExportOptions {
        embedding: embedding.into(),
        model_id: 7,
        model_version: 3,
        ..ExportOptions::default()
    };
    let bytes = blob::write(&weights, &options).unwrap();
    blob::attach_signature(&bytes, SIGNATURE.len() as u32, |_| SIGNATURE.to_vec()).unwrap()
}

/// What became of hostile bytes; a panic fails the test and says where.
fn outcome(bytes: &[u8], what: &str) -> Result<Vec<f32>, LoadError> {
    catch_unwind(|| load_and_score(bytes)).unwrap_or_else(|_| panic!("panic after {what}"))
}

#[test]
fn the_blob_itself_loads_and_scores() {
    for embedding in [Embedding::F32, Embedding::Int8] {
        assert!(outcome(&everything(embedding), "nothing").is_ok());
    }
}

#[test]
fn every_bit_flipped_is_rejected_or_cannot_matter() {
    for embedding in [Embedding::F32, Embedding::Int8] {
        let blob = everything(embedding);
        let scores = load_and_score(&blob).unwrap();
        let signature = blob.len() - SIGNATURE.len();
        for at in 0..blob.len() {
            for bit in 0..8 {
                let mut bytes = blob.clone();
                bytes[at] ^= 1 << bit;
                match outcome(&bytes, &format!("bit {bit} of byte {at}")) {
                    Err(_) => assert!(at < signature, "the signature is not ours to check"),
                    Ok(found) => {
                        assert!(at >= signature, "bit {bit} of byte {at} was not noticed");
                        assert_eq!(found, scores);
                    }
                }
            }
        }
    }
}

#[test]
fn every_truncation_and_every_extension_is_rejected() {
    let blob = everything(Embedding::Int8);
    for len in 0..blob.len() {
        let error = outcome(&blob[..len], &format!("truncation to {len}")).unwrap_err();
        let needed = if len < HEADER_LEN { HEADER_LEN } else { blob.len() };
        assert_eq!(error, LoadError::TooShort { needed: needed as u64, found: len as u64 });
    }
    let longer = [blob.as_slice(), &[0]].concat();
    let (needed, found) = (blob.len() as u64, longer.len() as u64);
    assert_eq!(outcome(&longer, "extension").unwrap_err(), LoadError::TooLong { needed, found });
}

/// With the checksums recomputed, so that the checks behind them have to hold.
#[test]
fn every_byte_changed_under_good_checksums_is_rejected_or_scores() {
    for embedding in [Embedding::F32, Embedding::Int8] {
        let blob = everything(embedding);
        let (mut rejected, mut admitted) = (0, 0);
        for at in 0..blob.len() {
            let old = blob[at];
            let values =
                (0..8).map(|bit| old ^ (1 << bit)).chain([0, 1, 0x7F, 0x80, 0xFF, old.wrapping_add(1)]);
            for value in values.filter(|value| *value != old) {
                let mut bytes = blob.clone();
                bytes[at] = value;
                repair(&mut bytes);
                match outcome(&bytes, &format!("byte {at} set to {value}")) {
                    Ok(_) => admitted += 1,
                    Err(LoadError::HeaderChecksum { .. }) => panic!("byte {at}: the header was not repaired"),
                    Err(_) => rejected += 1,
                }
            }
        }
        // Other weights make another valid model; other lengths, shapes and references do not.
        assert!(rejected > 1000 && admitted > 1000, "{rejected} rejected, {admitted} admitted");
    }
}

#[test]
fn every_truncation_under_good_checksums_is_rejected() {
    let blob = everything(Embedding::F32);
    for len in HEADER_LEN..blob.len() {
        let mut bytes = blob[..len].to_vec();
        bytes[16..24].copy_from_slice(&(len as u64).to_le_bytes());
        repair(&mut bytes);
        assert!(outcome(&bytes, &format!("truncation to {len}")).is_err(), "{len} bytes were enough");
    }
}

/// Somewhere in the header and the manifest, where a change means most.
fn meaningful_len(blob: &[u8]) -> usize {
    HEADER_LEN + Model::from_bytes(blob).unwrap().manifest_len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(load_and_score(&bytes).is_err());
    }

    #[test]
    fn garbage_behind_a_good_header_is_rejected(garbage in proptest::collection::vec(any::<u8>(), 0..600)) {
        let blob = everything(Embedding::F32);
        let mut bytes = [&blob[..HEADER_LEN], &garbage].concat();
        let len = bytes.len() as u64;
        bytes[16..24].copy_from_slice(&len.to_le_bytes());
        bytes[24..28].copy_from_slice(&(garbage.len() as u32 / 2).to_le_bytes());
        bytes[28..32].copy_from_slice(&[0; 4]);
        repair(&mut bytes);
        prop_assert!(load_and_score(&bytes).is_err());
    }

    #[test]
    fn several_changes_in_the_manifest_are_rejected_or_score(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = everything(Embedding::Int8);
        let len = meaningful_len(&bytes);
        for (at, value) in changes {
            bytes[at.index(len)] = value;
        }
        repair(&mut bytes);
        let _ = load_and_score(&bytes);
    }

    #[test]
    fn runs_copied_over_others_are_rejected_or_score(
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        len in 1_usize..64,
    ) {
        let mut bytes = everything(Embedding::F32);
        let end = meaningful_len(&bytes) - len;
        let from = from.index(end);
        bytes.copy_within(from..from + len, to.index(end));
        repair(&mut bytes);
        let _ = load_and_score(&bytes);
    }
}
