//! Fields, sequences and layers.

use super::{error_of, error_of_lists, malformed, mismatch, out_of_range, parts};
use din_core::manifest::{Activation, FieldKind, MAX_CAPACITY, NONE};
use din_tests::forge::{EncodedLists, Parts};

/// The name of a list, and what spoils it.
type SpoiltList = (&'static str, fn(&mut EncodedLists));

#[test]
fn a_list_that_is_not_whole_records_is_refused() {
    let lists: [SpoiltList; 4] = [
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
    let lists: [SpoiltList; 4] = [
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
        // The last sequence has one field, the last.
        parts.sequences[2].fields = 0;
        parts.fields.pop();
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
    assert_eq!(malformed(error_of(|parts| parts.fields[first].pair = 2)), "kinds of paired fields");
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

#[test]
fn names_that_are_empty_or_no_text_or_taken_are_refused() {
    let changes: [fn(&mut Parts); 6] = [
        |parts| parts.tables[1].name = parts.tables[0].name,
        |parts| parts.fields[1].name = parts.fields[0].name,
        |parts| parts.sequences[1].name = parts.sequences[0].name,
        |parts| parts.sequences[0].name.len = 0,
        |parts| parts.fields[0].name.start = u16::MAX,
        |parts| parts.tables[2].name.len = 255,
    ];
    for change in changes {
        assert_eq!(malformed(error_of(change)), "names");
    }
}
