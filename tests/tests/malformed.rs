//! One malformed blob for each check of the loader, under good checksums where those are not the point.

use din_core::header::{HEADER_LEN, Header, MINOR};
use din_core::manifest::{Activation, FieldKind, MAX_CAPACITY, NONE, RowEncoding, VocabularyKind};
use din_core::{LoadError, Model};
use din_export::blob::{self, Embedding, ExportOptions};
use din_tests::forge::{EncodedLists, Parts, load_and_score, repair};
use din_tests::golden::everything_shape;
use din_tests::random::Random;

fn good(embedding: Embedding) -> Vec<u8> {
    let weights = everything_shape().fill("everything", &mut Random::new(3));
    blob::write(&weights, &ExportOptions { embedding, ..ExportOptions::default() }).unwrap()
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
    what
}

fn out_of_range(error: LoadError) -> &'static str {
    let LoadError::OutOfRange { what, .. } = error else { panic!("{error:?}") };
    what
}

fn malformed(error: LoadError) -> &'static str {
    let LoadError::Malformed { part } = error else { panic!("{error:?}") };
    part
}

fn bad_number(error: LoadError) -> &'static str {
    let LoadError::BadNumber { what, .. } = error else { panic!("{error:?}") };
    what
}

#[test]
fn taking_apart_and_assembling_gives_the_same_bytes() {
    for embedding in [Embedding::F32, Embedding::Int8] {
        assert!(Parts::of(&good(embedding)).assemble() == good(embedding));
    }
}

// The header.

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
fn this_minor_version_may_not() {
    assert_eq!(malformed(error_of(|parts| parts.appended = vec![0])), "end of the manifest");
}

#[test]
fn a_later_minor_version_may_have_a_longer_header() {
    let mut bytes = good(Embedding::F32);
    let header = Header::parse(&bytes).unwrap();
    // 16 more bytes, so that sections stay aligned; their offsets are in the manifest, so move those too.
    let longer =
        parts().assemble_with(|lists| lists.sections.iter_mut().for_each(|section| section.offset += 16));
    bytes = [&longer[..HEADER_LEN], &[0xAB; 16], &longer[HEADER_LEN..]].concat();
    let header = Header { minor: MINOR + 1, header_len: 80, total_len: header.total_len + 16, ..header };
    bytes[..HEADER_LEN].copy_from_slice(&header.to_bytes());
    repair(&mut bytes);
    assert_eq!(load_and_score(&bytes), load_and_score(&good(Embedding::F32)));
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

// Sections.

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

// Records.

#[test]
fn a_list_that_is_not_whole_records_is_refused() {
    let lists: [(&str, fn(&mut EncodedLists)); 4] = [
        ("table", |lists| lists.tables.truncate(lists.tables.len() - 1)),
        ("field", |lists| lists.fields.push(0)),
        ("sequence", |lists| lists.sequences.push(0)),
        ("layer", |lists| lists.layers.truncate(lists.layers.len() - 1)),
    ];
    for (part, change) in lists {
        assert_eq!(malformed(error_of_lists(change)), part);
    }
}

#[test]
fn a_record_that_does_not_decode_is_refused() {
    // The bytes of enums: encoding, kind, pooling, activation.
    let lists: [(&str, fn(&mut EncodedLists)); 4] = [
        ("table", |lists| lists.tables[9] = 200),
        ("field", |lists| lists.fields[3] = 200),
        ("sequence", |lists| lists.sequences[7] = 100),
        ("layer", |lists| lists.layers[8] = 100),
    ];
    for (part, change) in lists {
        assert_eq!(malformed(error_of_lists(change)), part);
    }
}

#[test]
fn more_than_eight_sequences_are_refused() {
    let error = error_of(|parts| parts.sequences = parts.sequences.repeat(3));
    assert_eq!(out_of_range(error), "number of sequences");
}

#[test]
fn too_many_fields_are_refused() {
    let error = error_of(|parts| parts.fields = parts.fields.repeat(200));
    assert_eq!(out_of_range(error), "number of fields");
}

#[test]
fn group_sizes_that_do_not_add_up_are_refused() {
    assert_eq!(mismatch(error_of(|parts| parts.group_sizes[1] += 1)), "number of fields");
}

#[test]
fn too_many_layers_are_refused() {
    let error = error_of(|parts| {
        let last = parts.layers[parts.layers.len() - 1];
        parts.layers.extend([last; 9]);
    });
    assert_eq!(out_of_range(error), "number of head layers");
    assert_eq!(out_of_range(error_of(|parts| parts.sequences[0].layers = 9)), "layers of a unit");
}

#[test]
fn an_attention_without_a_unit_and_a_mean_with_one_are_refused() {
    assert_eq!(out_of_range(error_of(|parts| parts.sequences[0].layers = 0)), "layers of a unit");
    assert_eq!(mismatch(error_of(|parts| parts.sequences[2].layers = 1)), "layers of a unit");
}

#[test]
fn a_capacity_of_zero_or_above_the_limit_is_refused() {
    for capacity in [0, MAX_CAPACITY as u16 + 1] {
        let error = error_of(|parts| parts.sequences[1].capacity = capacity);
        assert_eq!(out_of_range(error), "capacity of a sequence");
    }
}

#[test]
fn a_behaviour_without_fields_is_refused() {
    let error = error_of(|parts| {
        parts.group_sizes[2] += parts.sequences[2].fields;
        parts.sequences[2].fields = 0;
        // The fields that are now the candidate's are the first after its own.
        parts.fields.iter_mut().for_each(|field| field.pair = NONE);
    });
    assert_eq!(out_of_range(error), "fields of a behaviour");
}

#[test]
fn a_field_of_a_table_that_does_not_exist_is_refused() {
    let error = error_of(|parts| {
        let tables = parts.tables.len() as u16;
        let field = parts.fields.iter_mut().find(|field| field.kind == FieldKind::Categorical);
        field.unwrap().table = tables;
    });
    assert_eq!(out_of_range(error), "table of a field");
}

#[test]
fn an_unpaired_field_before_a_paired_one_is_refused() {
    let error = error_of(|parts| {
        let first = parts.group_sizes.into_iter().sum::<u16>() as usize;
        parts.fields.swap(first, first + 2);
    });
    assert_eq!(malformed(error), "order of paired fields");
}

#[test]
fn a_pair_that_is_no_candidate_field_or_of_another_width_is_refused() {
    let first = parts().group_sizes.into_iter().sum::<u16>() as usize;
    assert_eq!(out_of_range(error_of(|parts| parts.fields[first].pair = 3)), "pair of a field");
    assert_eq!(mismatch(error_of(|parts| parts.fields[first].pair = 0)), "width of a pair");
    assert_eq!(mismatch(error_of(|parts| parts.fields[0].pair = 0)), "pair of a field");
}

#[test]
fn layers_that_do_not_fit_each_other_are_refused() {
    assert_eq!(mismatch(error_of(|parts| parts.layers[0].inputs += 1)), "inputs of a layer");
    assert_eq!(mismatch(error_of(|parts| parts.layers[0].outputs += 1)), "section of weights");
    assert_eq!(out_of_range(error_of(|parts| parts.layers[0].outputs = 0)), "outputs of a layer");
    assert_eq!(out_of_range(error_of(|parts| parts.layers[0].outputs = u32::MAX)), "outputs of a layer");
}

#[test]
fn the_last_layer_is_linear() {
    let error = error_of(|parts| parts.layers.last_mut().unwrap().activation = Activation::Relu);
    assert_eq!(mismatch(error), "activation of the last layer");
}

#[test]
fn an_activation_without_its_parameters_is_refused() {
    let error = error_of(|parts| parts.layers[0].parameters = NONE);
    assert_eq!(mismatch(error), "section of parameters");
    let error = error_of(|parts| parts.layers[0].activation = Activation::PRelu);
    assert_eq!(mismatch(error), "section of parameters");
    let error = error_of(|parts| parts.layers[0].activation = Activation::Relu);
    assert_eq!(mismatch(error), "section of parameters");
}

// Tables and their vocabularies.

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

#[test]
fn keys_of_a_dense_vocabulary_and_a_dense_one_with_keys_are_refused() {
    let error = error_of(|parts| parts.tables[0].vocabulary = VocabularyKind::Dense);
    assert_eq!(mismatch(error), "section of keys");
}

// Numbers.

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
        assert_eq!(error, LoadError::BadNumber { what: "row scales", index: 1 }, "scale {scale}");
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
    assert_eq!(mismatch(error), "section of the item bias");
}
