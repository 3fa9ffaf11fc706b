//! What `inspect` says of a blob is true: multiply-accumulates, rounding, and what fits.

use din_core::{Blocking, Model};
use din_export::blob::calibration::random_requests;
use din_export::blob::{Embedding, ExportOptions, NumericPath, write};
use din_export::inspect::memory::Ram;
use din_export::inspect::{Inspection, inspect};
use din_export::weights::ModelWeights;
use din_tests::random_model::random_model;

/// A few requests are enough here, and quick.
fn options(weights: &ModelWeights, path: NumericPath, embedding: Embedding) -> ExportOptions {
    let requests = random_requests(weights, 32);
    ExportOptions { path, embedding: embedding.into(), requests, ..ExportOptions::default() }
}

fn blob(weights: &ModelWeights, path: NumericPath, embedding: Embedding) -> Vec<u8> {
    write(weights, &options(weights, path, embedding)).unwrap()
}

/// Random models that the integer path takes.
fn models() -> impl Iterator<Item = (u64, ModelWeights, Vec<u8>)> {
    (0..40).filter_map(|seed| {
        let weights = random_model(seed);
        let options = options(&weights, NumericPath::Integer, Embedding::Int8);
        let blob = write(&weights, &options).ok()?;
        Some((seed, weights, blob))
    })
}

/// Error feedback goes beyond the nearest integer: far in a single weight, but by 3 steps on average at most. Were a weight
/// decoded in another order, or a fraction forgotten, differences would be as large as the weights: dozens of steps.
#[test]
fn integer_weights_decode_to_within_a_few_steps_of_the_trained_ones() {
    let mut compared = 0;
    for (seed, weights, bytes) in models() {
        let model = Model::from_bytes(&bytes).unwrap();
        let from_steps = inspect(&model);
        let mut measured = from_steps.clone();
        measured.compare(&model, &weights).unwrap();
        for (index, (steps, found)) in from_steps.layers.iter().zip(&measured.layers).enumerate() {
            let (expected, rms) = (steps.rounding.rms, found.rounding.rms);
            assert!(rms <= expected * 16.0 + 1e-9, "seed {seed}, layer {index}: {rms} instead of {expected}");
            compared += 1;
        }
        for (steps, found) in from_steps.tables.iter().zip(&measured.tables) {
            assert!(found.rounding.max <= steps.rounding.max * 8.0, "seed {seed}, table {}", steps.name);
            assert_eq!(found.rounding.basis, "trained weights");
        }
    }
    assert!(compared > 100, "only {compared} layers");
}

#[test]
fn an_f32_blob_is_exact_and_other_weights_are_refused() {
    let (one, other) = (random_model(3), random_model(4));
    let bytes = blob(&one, NumericPath::F32, Embedding::F32);
    let model = Model::from_bytes(&bytes).unwrap();
    let mut inspection = inspect(&model);
    inspection.compare(&model, &one).unwrap();
    let errors = inspection.tables.iter().map(|table| table.rounding.max);
    let errors = errors.chain(inspection.layers.iter().map(|layer| layer.rounding.max));
    assert_eq!(errors.fold(0.0, f64::max), 0.0);
    let refused = inspection.compare(&model, &other).unwrap_err().to_string();
    assert!(refused.starts_with("the trained weights are of another model: "), "{refused}");
}

/// The figure that din-core itself gives for a full history, from models that differ in their capacities alone.
#[test]
fn multiply_accumulates_for_shorter_histories_are_those_of_models_that_look_back_less() {
    let mut compared = 0;
    for seed in 0..40 {
        let mut weights = random_model(seed);
        if weights.schema.sequences.is_empty() {
            continue;
        }
        for path in [NumericPath::F32, NumericPath::Integer] {
            let Ok(bytes) = write(&weights, &options(&weights, path, Embedding::F32)) else {
                continue;
            };
            let long = inspect(&Model::from_bytes(&bytes).unwrap());
            assert_eq!(long.arithmetic.candidate(usize::MAX), long.macs_per_candidate);
            let length =
                weights.schema.sequences.iter().map(|sequence| sequence.capacity / 2).min().unwrap().max(1);
            let capacities: Vec<usize> =
                weights.schema.sequences.iter().map(|sequence| sequence.capacity).collect();
            weights.schema.sequences.iter_mut().for_each(|sequence| sequence.capacity = length);
            let short = write(&weights, &options(&weights, path, Embedding::F32));
            if let Ok(bytes) = short {
                let short = inspect(&Model::from_bytes(&bytes).unwrap());
                assert_eq!(
                    long.arithmetic.candidate(length),
                    short.macs_per_candidate,
                    "seed {seed}, {path:?}"
                );
                compared += 1;
            }
            for (sequence, capacity) in weights.schema.sequences.iter_mut().zip(capacities) {
                sequence.capacity = capacity;
            }
        }
    }
    assert!(compared > 30, "only {compared} models");
}

#[test]
fn a_model_fits_to_the_byte() {
    let bytes = blob(&random_model(3), NumericPath::F32, Embedding::F32);
    let model = Model::from_bytes(&bytes).unwrap();
    let fit = |flash, ram| {
        let mut inspection: Inspection = inspect(&model);
        inspection.fit(flash, ram);
        inspection.fit
    };
    let needed = fit(Some(0), Some(0)).unwrap();
    let (flash, ram) = (needed.flash.unwrap().needed, needed.ram.unwrap().needed);
    assert!(flash > bytes.len() && ram > model.scratch_len_for(Blocking::SMALL) * 4);
    assert!(fit(Some(flash), Some(ram)).unwrap().fits && fit(Some(flash), None).unwrap().fits);
    assert!(!fit(Some(flash - 1), Some(ram)).unwrap().fits && !fit(Some(flash), Some(ram - 1)).unwrap().fits);
    assert_eq!(fit(None, None), None);
}

/// `din.h` has the sizes of its own storage types, which a compiler for 32-bit cores holds it to.
#[test]
fn the_views_take_what_their_storage_takes_in_c() {
    let header = include_str!("../../din-core/ffi/include/din.h").replace('\n', " ");
    let sizes =
        header.split(" bytes on 32-bit machines").filter_map(|before| before.split_whitespace().last());
    let sizes: Vec<usize> = sizes.filter_map(|size| size.parse().ok()).collect();
    let [of_model, of_integer_ranker, of_ranker] = sizes[..] else { panic!("{sizes:?}") };
    assert_eq!(of_ranker, of_integer_ranker);
    let bytes = blob(&random_model(3), NumericPath::F32, Embedding::F32);
    let model = Model::from_bytes(&bytes).unwrap();
    assert_eq!(Ram::of(&model, Blocking::SMALL).views, of_model + of_ranker);
}
