//! What the integer quantiser makes of a model, run by an interpreter of the specification, against the f64 oracle.

use din_core::{IntegerKernel, IntegerRanker, Model};
use din_export::blob::calibration::random_requests;
use din_export::blob::forward::{Network, sigmoid};
use din_export::blob::gradient::row_gradients;
use din_export::blob::{self, Embedding, Embeddings, ExportOptions, NumericPath};
use din_export::import;
use din_export::request as export;
use din_export::weights::ModelWeights;
use din_tests::interpreter;
use din_tests::oracle;
use din_tests::random::Random;
use din_tests::random_model::random_model;
use din_tests::reference_model;
use din_tests::request::Request;
use std::collections::BTreeMap;

/// The largest and the mean magnitude of a difference.
fn differences(found: &[Vec<f64>], truth: &[Vec<f64>]) -> (f64, f64) {
    let each: Vec<f64> =
        found.iter().flatten().zip(truth.iter().flatten()).map(|(a, b)| (a - b).abs()).collect();
    assert_eq!(each.len(), truth.iter().map(Vec::len).sum::<usize>());
    (each.iter().copied().fold(0.0, f64::max), each.iter().sum::<f64>() / each.len() as f64)
}

/// What the blob's ranker says, whatever its kernel.
fn device_logits(
    weights: &ModelWeights,
    embeddings: &Embeddings,
    calibrate: &[export::Request],
    requests: &[export::Request],
) -> Vec<Vec<i64>> {
    let options = ExportOptions {
        path: NumericPath::Integer,
        embedding: embeddings.clone(),
        requests: calibrate.to_vec(),
        ..ExportOptions::default()
    };
    let blob = blob::write(weights, &options).unwrap();
    let model = Model::from_bytes(&blob).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut logits_by = |kernel: IntegerKernel| -> Vec<Vec<i64>> {
        let mut ranker = IntegerRanker::new(&model, &mut scratch).unwrap();
        ranker.use_kernel(kernel);
        let slate = |request: &export::Request| {
            request.with_user(|user| ranker.set_user(user)).unwrap();
            request.candidates.iter().map(|values| ranker.logit(values).unwrap().into()).collect()
        };
        requests.iter().map(slate).collect()
    };
    let logits = logits_by(IntegerKernel::Portable);
    for kernel in IntegerKernel::all() {
        assert_eq!(logits_by(kernel), logits, "{kernel:?}");
    }
    logits
}

#[test]
fn the_reference_in_integers_is_close_to_its_f64_scores() {
    let weights = import::load(&reference_model::description()).unwrap();
    let cases = reference_model::cases();
    let truth: Vec<Vec<f64>> = cases.iter().map(|case| case.scores.clone()).collect();
    let requests: Vec<_> = cases.iter().map(|case| case.request.for_export()).collect();
    let mixed = Embeddings {
        tables: BTreeMap::from([("category".to_owned(), Embedding::F16)]),
        ..Embeddings::exactly(Embedding::Int8)
    };
    let choices = [
        (Embedding::F32.into(), 0.004),
        (mixed, 0.004),
        (Embedding::Int8.into(), 0.008),
        (Embedding::Int4.into(), 0.1),
    ];
    for (embeddings, bound) in choices {
        let logits = interpreter::logits(&weights, &embeddings, &[], &requests);
        assert_eq!(device_logits(&weights, &embeddings, &[], &requests), logits);
        let (largest, mean) = differences(&interpreter::scores(&logits), &truth);
        println!("{}: largest {largest:.2e}, mean {mean:.2e}", embeddings.describe());
        assert!(largest < bound, "{}: {largest}", embeddings.describe());
    }
}

#[test]
fn random_models_in_integers_are_close_to_the_oracle() {
    let mut all = Vec::new();
    for seed in 0..150 {
        let weights = random_model(seed);
        let mut random = Random::new(seed ^ 0x517c);
        let requests: Vec<Request> = (0..8).map(|_| Request::random(&weights.schema, &mut random)).collect();
        let truth: Vec<Vec<f64>> = requests
            .iter()
            .map(|request| oracle::score_all(&weights, request).iter().map(|truth| truth.score).collect())
            .collect();
        let requests: Vec<_> = requests.iter().map(Request::for_export).collect();
        let embedding = Embedding::ALL[seed as usize % Embedding::ALL.len()].into();
        let logits = interpreter::logits(&weights, &embedding, &requests, &requests);
        assert_eq!(device_logits(&weights, &embedding, &requests, &requests), logits, "seed {seed}");
        let logits = interpreter::logits(&weights, &Embedding::F32.into(), &requests, &requests);
        let (largest, mean) = differences(&interpreter::scores(&logits), &truth);
        all.push((largest, mean, seed));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("largest {:?}, median {:?}", &all[..8], all[75]);
    assert!(all[0].0 < 0.05 && all[75].0 < 0.004, "{:?}", &all[..8]);
}

#[test]
fn the_calibrating_network_is_the_oracle() {
    for seed in 0..60 {
        let weights = random_model(seed);
        let mut random = Random::new(seed ^ 0xf0);
        let request = Request::random(&weights.schema, &mut random);
        let logits = Network::new(&weights).logits(&request.for_export(), &mut ());
        for (logit, truth) in logits.iter().zip(oracle::score_all(&weights, &request)) {
            assert!((sigmoid(*logit) - truth.score).abs() < 1e-6, "seed {seed}: {logit} {}", truth.logit);
        }
        assert!(!random_requests(&weights, 4).is_empty());
    }
}

/// The score of a request's only candidate.
fn score(weights: &ModelWeights, request: &export::Request) -> f64 {
    sigmoid(Network::new(weights).logits(request, &mut ())[0])
}

#[test]
fn row_gradients_are_those_of_finite_differences() {
    let mut checked = 0;
    for seed in 0..60 {
        let mut weights = random_model(seed);
        let mut random = Random::new(seed ^ 0x96ad);
        let mut request = Request::random(&weights.schema, &mut random).for_export();
        request.candidates.truncate(1);
        let mut gradients = None;
        row_gradients(&Network::new(&weights), &request, |found| gradients = Some(found.clone()));
        for ((table, row), gradient) in gradients.unwrap() {
            for (d, found) in gradient.iter().enumerate() {
                let at = row * gradient.len() + d;
                let trained = weights.tables[table][at];
                let ends = [trained - 1e-4, trained + 1e-4];
                let scores = ends.map(|end| {
                    weights.tables[table][at] = end;
                    score(&weights, &request)
                });
                weights.tables[table][at] = trained;
                let expected = (scores[1] - scores[0]) / (f64::from(ends[1]) - f64::from(ends[0]));
                let off = (found - expected).abs();
                assert!(off < 1e-5 + 1e-3 * expected.abs(), "seed {seed}, table {table}: {found} {expected}");
                checked += usize::from(expected.abs() > 1e-4);
            }
        }
    }
    assert!(checked > 1000, "{checked}");
}
