//! Tables, vocabularies and numbers.

use super::{bad_number, error_of, error_of_bytes, good, malformed, mismatch, out_of_range, parts};
use din_core::manifest::{RowEncoding, VocabularyKind};
use din_core::{LoadError, Model, Subject};
use din_export::blob::{self, Embedding, ExportError, ExportOptions};
use din_export::schema::Vocabulary;
use din_tests::forge::{Parts, load_and_score};
use din_tests::golden::everything_shape;
use din_tests::random::Random;

#[test]
fn a_table_with_another_number_of_rows_is_refused() {
    assert_eq!(mismatch(error_of(|parts| parts.tables[0].rows += 1)), "section of rows");
    assert_eq!(out_of_range(error_of(|parts| parts.tables[0].rows = 0)), "rows of a table");
}

#[test]
fn a_table_of_another_width_is_refused() {
    assert_eq!(mismatch(error_of(|parts| parts.tables[0].dim += 1)), "section of rows");
    assert_eq!(out_of_range(error_of(|parts| parts.tables[0].dim = 0)), "width of a table");
}

#[test]
fn int8_rows_without_scales_are_refused() {
    // The same bytes, four numbers in place of one: everything fits but the scales.
    let error = error_of(|parts| {
        parts.tables[0].encoding = RowEncoding::Int8;
        parts.tables[0].dim *= 4;
    });
    assert_eq!(mismatch(error), "section of scales");
}

#[test]
fn keys_that_do_not_ascend_are_refused() {
    let section = usize::from(parts().tables[0].keys);
    let key = |index: usize| index * 8..index * 8 + 8;
    let error = error_of(|parts| parts.sections[section].copy_within(key(1), 16));
    assert_eq!(error, LoadError::KeysNotAscending { table: 0, index: 2 });
    let error = error_of(|parts| parts.sections[section][key(3)].fill(0));
    assert_eq!(error, LoadError::KeysNotAscending { table: 0, index: 3 });
}

#[test]
fn a_dense_vocabulary_that_overflows_is_refused() {
    let dense = parts().tables.iter().position(|table| table.vocabulary == VocabularyKind::Dense).unwrap();
    assert_eq!(out_of_range(error_of(|parts| parts.tables[dense].first_row = 2)), "first row");
    assert_eq!(out_of_range(error_of(|parts| parts.tables[dense].first_id = u64::MAX - 1)), "first id");
}

/// 256 would be 0 in the one byte that the blob has for it.
#[test]
fn the_writer_refuses_a_first_row_that_a_blob_cannot_hold() {
    for first_row in [2, 256, 257] {
        let mut shape = everything_shape();
        shape.schema.tables[2].vocabulary = Vocabulary::Dense { first: 0, first_row, count: 4 };
        let weights = shape.fill("first row", &mut Random::new(3));
        let error = blob::write(&weights, &ExportOptions::default()).unwrap_err();
        assert!(matches!(error, ExportError::Invalid(LoadError::OutOfRange { .. })), "{first_row}: {error}");
    }
}

#[test]
fn keys_of_a_dense_vocabulary_and_a_dense_one_with_keys_are_refused() {
    let error = error_of(|parts| parts.tables[0].vocabulary = VocabularyKind::Dense);
    assert_eq!(mismatch(error), "section of keys");
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let bytes = good(Embedding::F32);
    let manifest = *Model::from_bytes(&bytes).unwrap().manifest();
    let (table, layer) = (manifest.tables.get(0).unwrap(), manifest.layers.get(0).unwrap());
    let bias = manifest.item_bias.unwrap();
    for (section, what) in [
        (table.values, "embedding rows"),
        (layer.weight, "weights"),
        (layer.bias, "biases"),
        (layer.parameters, "activation parameters"),
        (bias.values, "item bias"),
    ] {
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let at = manifest.sections.get(section.into()).unwrap().offset as usize;
            assert_eq!(bad_number(error_of_bytes(at, &number.to_le_bytes())), what);
        }
    }
}

#[test]
fn scales_that_are_not_positive_are_refused() {
    let parts = Parts::of(&good(Embedding::Int8));
    let section = usize::from(parts.tables[1].scales);
    for scale in [0.0, -0.0, -1.0, f32::NAN, f32::INFINITY] {
        let mut parts = parts.clone();
        parts.sections[section][4..8].copy_from_slice(&f32::to_le_bytes(scale));
        let error = load_and_score(&parts.assemble()).unwrap_err();
        assert_eq!(error, LoadError::BadNumber { what: Subject::RowScales, index: 1 }, "scale {scale}");
    }
}

#[test]
fn normalisers_that_are_not_finite_are_refused() {
    let changes: [fn(&mut din_core::Normaliser); 4] = [
        |normaliser| normaliser.mean = f32::NAN,
        |normaliser| normaliser.scale = f32::INFINITY,
        |normaliser| normaliser.limit = 0.0,
        |normaliser| normaliser.limit = f32::NAN,
    ];
    for change in changes {
        assert_eq!(bad_number(error_of(|parts| change(&mut parts.fields[0].normaliser))), "normaliser");
    }
}

#[test]
fn an_item_bias_of_a_field_that_is_not_the_candidate_s_is_refused() {
    let error = error_of(|parts| parts.item_bias.as_mut().unwrap().field = 3);
    assert_eq!(out_of_range(error), "field of the item bias");
    let error = error_of(|parts| parts.item_bias.as_mut().unwrap().field = 2);
    assert_eq!(malformed(error), "field of the item bias");
}

/// Numbers are checked a block at a time.
#[test]
fn a_number_that_is_not_finite_is_named_by_its_place() {
    let parts = Parts::of(&good(Embedding::F32));
    let weights = parts.layers.iter().map(|layer| usize::from(layer.weight));
    let section = weights.max_by_key(|section| parts.sections[*section].len()).unwrap();
    let count = parts.sections[section].len() / 4;
    assert!(count > 64, "{count} weights are one block");
    for place in [0, 63, 64, count - 1] {
        let mut parts = parts.clone();
        parts.sections[section][4 * place..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
        let error = load_and_score(&parts.assemble()).unwrap_err();
        assert_eq!(error, LoadError::BadNumber { what: Subject::Weights, index: place as u64 });
    }
}
