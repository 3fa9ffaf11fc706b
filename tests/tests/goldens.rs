//! Golden blobs: the format, the writer and the scores of a released version.

use din_core::{Kernel, Model};
use din_tests::golden::{Expectations, Golden, folder, score_bits};
use din_tests::tolerance;
use std::fs;

fn stored(golden: &Golden) -> (Vec<u8>, Expectations) {
    let bytes = fs::read(golden.blob_path()).unwrap();
    let text = fs::read_to_string(golden.expectations_path()).unwrap();
    (bytes, serde_json::from_str(&text).unwrap())
}

#[test]
fn the_writer_still_gives_every_golden_its_bytes() {
    for golden in Golden::all() {
        let (bytes, _) = stored(&golden);
        assert!(golden.bytes() == bytes, "{}: the writer gives other bytes than the golden's", golden.name);
        assert!(golden.bytes() == golden.bytes(), "{}: written twice, other bytes", golden.name);
    }
}

/// The portable kernel, `exp` and `sigmoid` are made of +, -, * and /, which IEEE 754 rounds the same way everywhere, in an
/// order that is the code's: no host may give other bits.
#[test]
fn scores_of_goldens_by_the_portable_kernel_have_the_same_bits_on_every_host() {
    for golden in Golden::all() {
        let (bytes, expectations) = stored(&golden);
        let model = Model::from_bytes(&bytes).unwrap();
        assert!(!expectations.cases.is_empty());
        for case in &expectations.cases {
            let scores = case.request.scores_by(Kernel::Portable, &model).unwrap();
            assert_eq!(score_bits(&scores), case.score_bits, "{}", golden.name);
        }
    }
}

#[test]
fn scores_of_goldens_are_near_the_oracle_s() {
    for golden in Golden::all() {
        let (bytes, expectations) = stored(&golden);
        let model = Model::from_bytes(&bytes).unwrap();
        for case in &expectations.cases {
            for kernel in Kernel::all() {
                let scores = case.request.scores_by(kernel, &model).unwrap();
                assert_eq!(scores.len(), case.oracle.len());
                for (score, truth) in scores.iter().zip(&case.oracle) {
                    let error = (f64::from(*score) - truth).abs();
                    assert!(error < tolerance::SCORE, "{}, {kernel:?}: {score} {truth}", golden.name);
                }
            }
        }
    }
}

#[test]
fn every_file_beside_the_goldens_belongs_to_one_and_is_small() {
    let (goldens, integer) = (Golden::all(), Golden::integer());
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let owned =
            goldens.iter().any(|golden| [golden.blob_path(), golden.expectations_path()].contains(&path));
        let owned = owned || integer.iter().any(|golden| golden.blob_path() == path);
        let owned = owned || path == Golden::small_integer_path();
        assert!(owned || path.ends_with("README.md"), "{} belongs to no golden", path.display());
        let len = fs::metadata(&path).unwrap().len();
        assert!(len < 60_000, "{} has {len} bytes", path.display());
    }
}
