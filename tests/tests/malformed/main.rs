//! One malformed blob for each check of the loader, under good checksums where those are not the point.

mod contents;
mod header;
mod records;
mod sections;

use din_core::LoadError;
use din_export::blob::{self, Embedding, ExportOptions};
use din_tests::forge::{EncodedLists, Parts, load_and_score, repair};
use din_tests::golden::everything_shape;
use din_tests::random::Random;

fn good(embedding: Embedding) -> Vec<u8> {
    let weights = everything_shape().fill("everything", &mut Random::new(3));
    blob::write(&weights, &ExportOptions { embedding: embedding.into(), ..ExportOptions::default() }).unwrap()
}

fn parts() -> Parts {
    Parts::of(&good(Embedding::F32))
}

/// The error of a blob with one part changed.
fn error_of(change: impl FnOnce(&mut Parts)) -> LoadError {
    let mut parts = parts();
    change(&mut parts);
    load_and_score(&parts.assemble()).expect_err("a malformed blob loaded")
}

/// The error of a blob with its encoded lists changed.
fn error_of_lists(change: impl FnOnce(&mut EncodedLists)) -> LoadError {
    load_and_score(&parts().assemble_with(change)).expect_err("a malformed blob loaded")
}

/// The error of a blob with some bytes changed and the checksums repaired.
fn error_of_bytes(at: usize, value: &[u8]) -> LoadError {
    let mut bytes = good(Embedding::F32);
    bytes[at..at + value.len()].copy_from_slice(value);
    repair(&mut bytes);
    load_and_score(&bytes).expect_err("a malformed blob loaded")
}

fn mismatch(error: LoadError) -> &'static str {
    let LoadError::Mismatch { what, .. } = error else { panic!("{error:?}") };
    what.name()
}

fn out_of_range(error: LoadError) -> &'static str {
    let LoadError::OutOfRange { what, .. } = error else { panic!("{error:?}") };
    what.name()
}

fn malformed(error: LoadError) -> &'static str {
    let LoadError::Malformed { part } = error else { panic!("{error:?}") };
    part.name()
}

fn bad_number(error: LoadError) -> &'static str {
    let LoadError::BadNumber { what, .. } = error else { panic!("{error:?}") };
    what.name()
}

#[test]
fn taking_apart_and_assembling_gives_the_same_bytes() {
    for embedding in [Embedding::F32, Embedding::Int8] {
        assert!(Parts::of(&good(embedding)).assemble() == good(embedding));
    }
}
