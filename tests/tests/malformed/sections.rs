//! Where sections lie and what refers to them.

use super::{error_of, error_of_bytes, error_of_lists, good, mismatch, out_of_range};
use din_core::Model;
use din_export::blob::Embedding;
use din_tests::forge::{load_and_score, repair};

#[test]
fn a_misaligned_section_is_refused() {
    assert_eq!(mismatch(error_of_lists(|lists| lists.sections[2].offset += 1)), "section offset");
}

#[test]
fn overlapping_sections_are_refused() {
    let error = error_of_lists(|lists| lists.sections[2].offset = lists.sections[1].offset);
    assert_eq!(mismatch(error), "section offset");
}

#[test]
fn a_hole_between_sections_is_refused() {
    assert_eq!(mismatch(error_of_lists(|lists| lists.sections[2].offset += 16)), "section offset");
}

#[test]
fn a_section_that_runs_past_the_end_is_refused() {
    for len in [1 << 20, u64::MAX] {
        let error = error_of_lists(|lists| lists.sections.last_mut().unwrap().len = len);
        assert_eq!(mismatch(error), "section end");
    }
}

#[test]
fn bytes_after_the_last_section_are_refused() {
    let mut bytes = [good(Embedding::F32).as_slice(), &[0; 16]].concat();
    let len = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&len.to_le_bytes());
    repair(&mut bytes);
    assert_eq!(mismatch(load_and_score(&bytes).unwrap_err()), "end of the last section");
}

#[test]
fn padding_that_is_not_zero_is_refused() {
    let bytes = good(Embedding::F32);
    let manifest = *Model::from_bytes(&bytes).unwrap().manifest();
    let padded = manifest.sections.iter().find(|section| section.len % 16 != 0).unwrap();
    let error = error_of_bytes((padded.offset + padded.len) as usize, &[1]);
    assert_eq!(mismatch(error), "padding before section");
}

#[test]
fn a_section_that_nothing_refers_to_is_refused() {
    assert_eq!(mismatch(error_of(|parts| parts.sections.push(vec![0; 16]))), "number of sections");
}

#[test]
fn two_references_to_one_section_are_refused() {
    let error = error_of(|parts| parts.layers[0].bias = parts.layers[0].weight);
    assert_eq!(mismatch(error), "section of a bias");
}

#[test]
fn a_reference_past_the_last_section_is_refused() {
    // The list ends before the last reference, that of the item bias.
    let error = error_of(|parts| {
        parts.sections.pop();
    });
    assert_eq!(out_of_range(error), "section of the item bias");
}
