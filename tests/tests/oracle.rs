//! din-core against the f64 oracle, over random models and requests.

use din_core::manifest::Pooling;
use din_core::{Behaviours, History, Kernel, Model, Ranked, Ranker, ScoreError, User, Value};
use din_export::blob::{self, Embedding, ExportOptions};
use din_export::weights::ModelWeights;
use din_tests::dequantised::stored_rows;
use din_tests::golden::{attention_shape, everything_shape};
use din_tests::oracle::{self, Truth};
use din_tests::random::Random;
use din_tests::random_model::random_model;
use din_tests::request::{Ranking, Request};
use din_tests::shape::ActivationShape;
use din_tests::tolerance::{self, relative_error};

const MODELS: u64 = 400;
const REQUESTS: u64 = 4;

fn write(model: &ModelWeights, embedding: Embedding) -> Vec<u8> {
    blob::write(model, &ExportOptions { embedding: embedding.into(), ..ExportOptions::default() }).unwrap()
}

/// Every random model, with some requests.
fn for_each_case(mut then: impl FnMut(u64, &ModelWeights, &Request)) {
    for seed in 0..MODELS {
        let model = random_model(seed);
        let mut random = Random::new(seed ^ 0xCAFE);
        for _ in 0..REQUESTS {
            then(seed, &model, &Request::random(&model.schema, &mut random));
        }
    }
}

fn assert_close(seed: u64, bytes: &[u8], truth: &ModelWeights, request: &Request) {
    let model = Model::from_bytes(bytes).unwrap();
    let expected = oracle::score_all(truth, request);
    for kernel in Kernel::all() {
        let found = request.rank_all_by(kernel, &model).unwrap();
        assert_eq!(found.len(), expected.len());
        assert_near(seed, &found, &expected);
    }
}

fn assert_near(seed: u64, found: &[Ranking], expected: &[Truth]) {
    for (found, truth) in found.iter().zip(expected) {
        let difference = (f64::from(found.score) - truth.score).abs();
        assert!(difference < tolerance::SCORE, "model {seed}: {found:?} {truth:?}");
        let logit = relative_error(found.logit.into(), truth.logit);
        assert!(logit < tolerance::LOGIT, "model {seed}: logit {} {}, {logit:e}", found.logit, truth.logit);
        for (found, truth) in found.attention.iter().zip(&truth.attention) {
            assert_eq!(found.len(), truth.len(), "model {seed}: weights of a sequence");
            for (found, truth) in found.iter().zip(truth) {
                let difference = relative_error((*found).into(), *truth);
                assert!(difference < tolerance::ATTENTION, "model {seed}: weight {found} {truth}");
            }
        }
    }
}

#[test]
fn scores_and_attention_weights_equal_the_oracle_s() {
    for_each_case(|seed, model, request| assert_close(seed, &write(model, Embedding::F32), model, request));
}

#[test]
fn scores_with_packed_rows_equal_the_oracle_s_on_the_same_rows() {
    let mut changed = 0;
    for_each_case(|seed, model, request| {
        let embedding = [Embedding::F16, Embedding::Int8, Embedding::Int4][seed as usize % 3].into();
        // One request to calibrate on: what the rows are is not this test's matter.
        let requests = vec![request.for_export()];
        let options = ExportOptions { embedding, requests, ..ExportOptions::default() };
        let bytes = blob::write(model, &options).unwrap();
        let rows = stored_rows(model, &Model::from_bytes(&bytes).unwrap());
        changed += u64::from(rows != *model);
        assert_close(seed, &bytes, &rows, request);
    });
    assert!(changed > MODELS * REQUESTS / 2, "only {changed} models have rows that lose anything");
}

/// Otherwise the comparisons above would say less than they seem to.
#[test]
fn random_models_cover_the_family() {
    let models: Vec<ModelWeights> = (0..MODELS).map(random_model).collect();
    let blobs: Vec<Vec<u8>> = models.iter().map(|model| write(model, Embedding::F32)).collect();
    let views: Vec<Model<'_>> = blobs.iter().map(|bytes| Model::from_bytes(bytes).unwrap()).collect();
    let covered = |what: &str, count: usize| assert!(count >= 20, "{what}: only {count} models");
    for sequences in 0..4 {
        let count = views.iter().filter(|model| model.sequences().count() == sequences).count();
        covered(&format!("{sequences} sequences"), count);
    }
    for pooling in [Pooling::Sum, Pooling::Mean, Pooling::Attention, Pooling::SoftmaxAttention] {
        let has = |model: &&Model<'_>| model.sequences().any(|sequence| sequence.pooling() == pooling);
        covered(&format!("{pooling:?}"), views.iter().filter(has).count());
    }
    covered("product", models.iter().filter(|model| model.product).count());
    covered("item bias", models.iter().filter(|model| model.item_bias.is_some()).count());
    covered(
        "batch norm",
        models.iter().filter(|model| model.head.iter().any(|layer| layer.batch_norm.is_some())).count(),
    );
    let unpaired = |model: &&ModelWeights| {
        let mut fields = model.schema.sequences.iter().flat_map(|sequence| &sequence.fields);
        fields.any(|field| field.pair.is_none())
    };
    covered("unpaired fields", models.iter().filter(unpaired).count());
}

#[test]
fn a_score_depends_neither_on_its_neighbours_nor_on_the_order_of_the_slate() {
    for_each_case(|seed, model, request| {
        let bytes = write(model, Embedding::F32);
        let model = Model::from_bytes(&bytes).unwrap();
        let together = request.scores(&model).unwrap();
        let mut reversed = request.clone();
        reversed.slate.reverse();
        let mut backwards = reversed.scores(&model).unwrap();
        backwards.reverse();
        assert_eq!(together, backwards, "model {seed}");
        for (candidate, score) in request.slate.iter().zip(&together) {
            let alone = Request { slate: vec![candidate.clone()], ..request.clone() };
            assert_eq!(alone.scores(&model).unwrap(), [*score], "model {seed}");
        }
    });
}

#[test]
fn a_user_leaves_nothing_behind_for_the_next() {
    for_each_case(|seed, model, request| {
        let bytes = write(model, Embedding::F32);
        let view = Model::from_bytes(&bytes).unwrap();
        let mut scratch = vec![f32::NAN; view.scratch_len()];
        let mut ranker = Ranker::new(&view, &mut scratch).unwrap();
        let other = Request::random(&model.schema, &mut Random::new(seed ^ 77));
        for user in [&other, request] {
            user.with_user(|user| ranker.set_user(user)).unwrap();
            let scores: Vec<f32> =
                user.slate.iter().map(|candidate| ranker.score(candidate).unwrap()).collect();
            assert_eq!(scores, user.scores(&view).unwrap(), "model {seed}");
        }
    });
}

#[test]
fn a_slate_in_one_run_has_the_scores_of_its_candidates() {
    for_each_case(|_, model, request| {
        let bytes = write(model, Embedding::F32);
        let model = Model::from_bytes(&bytes).unwrap();
        let mut scratch = vec![0.0; model.scratch_len()];
        let mut ranker = Ranker::new(&model, &mut scratch).unwrap();
        request.with_user(|user| ranker.set_user(user)).unwrap();
        let mut scores = vec![0.0; request.slate.len()];
        ranker.score_slate(&request.slate.concat(), &mut scores).unwrap();
        assert_eq!(scores, request.scores(&model).unwrap());
    });
}

#[test]
fn ranking_is_sorting_with_ties_to_the_earlier() {
    for_each_case(|seed, model, request| {
        let bytes = write(model, Embedding::F32);
        let model = Model::from_bytes(&bytes).unwrap();
        // Every candidate twice: each pair of copies is a tie.
        let slate = [request.slate.clone(), request.slate.clone()].concat();
        let request = Request { slate, ..request.clone() };
        let scores = request.scores(&model).unwrap();
        let mut expected: Vec<usize> = (0..scores.len()).collect();
        expected.sort_by(|a, b| scores[*b].total_cmp(&scores[*a])); // stable
        let mut scratch = vec![0.0; model.scratch_len()];
        let mut ranker = Ranker::new(&model, &mut scratch).unwrap();
        request.with_user(|user| ranker.set_user(user)).unwrap();
        let slate = || request.slate.iter().map(Vec::as_slice);
        let mut some = heapless::Vec::<Ranked, 3>::new();
        ranker.rank(slate(), &mut some).unwrap();
        let mut all = heapless::Vec::<Ranked, 16>::new();
        ranker.rank(slate(), &mut all).unwrap();
        assert!(all.iter().map(|ranked| ranked.index).eq(expected.iter().copied()), "model {seed}");
        assert_eq!(some[..], all[..3], "model {seed}");
        assert!(all.iter().all(|ranked| ranked.score == scores[ranked.index]), "model {seed}");
    });
}

/// The ring holds more than the sequence uses, so that which run is the older one matters.
#[test]
fn a_ring_scores_as_the_plain_run_of_its_behaviours() {
    let mut shape = attention_shape(ActivationShape::Sigmoid, ActivationShape::Dice);
    shape.schema.sequences[0].capacity = 3;
    let bytes = write(&shape.fill("ring", &mut Random::new(6)), Embedding::F32);
    let view = Model::from_bytes(&bytes).unwrap();
    let mut scratch = vec![0.0; view.scratch_len()];
    let mut ranker = Ranker::new(&view, &mut scratch).unwrap();
    for pushed in 0..14_u64 {
        let mut ring = History::<5, 2>::new();
        let behaviour = |item| [Value::Id(item), Value::Id(1)];
        (1..=pushed).for_each(|item| ring.push(behaviour(item)));
        let plain: Vec<Value> = (1..=pushed).flat_map(behaviour).collect();
        let mut score = |behaviours| {
            let (profile, histories) = ([Value::Id(1)], [behaviours]);
            let user = User { profile: &profile, histories: &histories, ..User::default() };
            ranker.set_user(&user).unwrap();
            ranker.score(&behaviour(30)).unwrap()
        };
        assert_eq!(score(ring.behaviours()), score(Behaviours::new(&plain)), "{pushed} pushed");
    }
}

/// One sequence of one field, which the candidate has too.
fn one_sequence_model() -> ModelWeights {
    let suits = |model: &ModelWeights| {
        let schema = &model.schema;
        let ids = schema
            .candidate
            .iter()
            .all(|field| matches!(field.kind, din_export::schema::FieldKind::Categorical { .. }));
        let plain = schema.profile.is_empty() && schema.context.is_empty() && schema.candidate.len() == 1;
        ids && plain && schema.sequences.len() == 1 && schema.sequences[0].fields.len() == 1
    };
    (0..).map(random_model).find(suits).unwrap()
}

#[test]
fn after_a_user_that_was_refused_there_is_no_user() {
    let model = one_sequence_model();
    let bytes = write(&model, Embedding::F32);
    let view = Model::from_bytes(&bytes).unwrap();
    let mut scratch = vec![0.0; view.scratch_len()];
    let mut ranker = Ranker::new(&view, &mut scratch).unwrap();
    let candidate = [Value::Id(1)];
    assert_eq!(ranker.score(&candidate), Err(ScoreError::NoUser));
    let empty = [Behaviours::default()];
    ranker.set_user(&User { histories: &empty, ..User::default() }).unwrap();
    assert!(ranker.score(&candidate).is_ok());
    let number = [Value::Number(1.0)];
    let wrong = [Behaviours::new(&number)];
    let refused = ranker.set_user(&User { histories: &wrong, ..User::default() });
    assert_eq!(refused, Err(ScoreError::WrongKind { group: "behaviour", field: 0 }));
    assert_eq!(ranker.score(&candidate), Err(ScoreError::NoUser));
    assert_eq!(ranker.history_len(0), 0);
    assert!(ranker.attention(0).is_empty());
}

#[test]
fn errors_say_what_was_needed_and_what_was_there() {
    let model = one_sequence_model();
    let bytes = write(&model, Embedding::F32);
    let view = Model::from_bytes(&bytes).unwrap();
    let needed = view.scratch_len();
    let mut short = vec![0.0; needed - 1];
    let error = Ranker::new(&view, &mut short).unwrap_err();
    assert_eq!(error, ScoreError::ScratchTooSmall { needed, found: needed - 1 });
    assert!(error.to_string().contains(&needed.to_string()), "{error}");

    let mut scratch = vec![0.0; needed];
    let mut ranker = Ranker::new(&view, &mut scratch).unwrap();
    let empty = [Behaviours::default(); 2];
    let profile = [Value::Id(1)];
    let refused = ranker.set_user(&User { profile: &profile, histories: &empty[..1], ..User::default() });
    assert_eq!(refused, Err(ScoreError::FieldCount { group: "profile", needed: 0, found: 1 }));
    let refused = ranker.set_user(&User { context: &profile, histories: &empty[..1], ..User::default() });
    assert_eq!(refused, Err(ScoreError::FieldCount { group: "context", needed: 0, found: 1 }));
    let refused = ranker.set_user(&User { histories: &empty, ..User::default() });
    assert_eq!(refused, Err(ScoreError::SequenceCount { needed: 1, found: 2 }));

    ranker.set_user(&User { histories: &empty[..1], ..User::default() }).unwrap();
    let two = [Value::Id(1); 2];
    assert_eq!(ranker.score(&two), Err(ScoreError::FieldCount { group: "candidate", needed: 1, found: 2 }));
    let refused = ranker.score(&[Value::Number(1.0)]);
    assert_eq!(refused, Err(ScoreError::WrongKind { group: "candidate", field: 0 }));
    let refused = ranker.score_slate(&two, &mut [0.0]);
    assert_eq!(refused, Err(ScoreError::OutputTooSmall { needed: 2, found: 1 }));
}

#[test]
fn a_history_that_is_no_whole_number_of_behaviours_is_refused() {
    let weights =
        attention_shape(ActivationShape::Sigmoid, ActivationShape::Dice).fill("two", &mut Random::new(1));
    let bytes = write(&weights, Embedding::F32);
    let view = Model::from_bytes(&bytes).unwrap();
    let mut scratch = vec![0.0; view.scratch_len()];
    let mut ranker = Ranker::new(&view, &mut scratch).unwrap();
    let (profile, values) = ([Value::Id(1)], [Value::Id(1); 3]);
    let histories = [Behaviours::new(&values)];
    let refused = ranker.set_user(&User { profile: &profile, histories: &histories, ..User::default() });
    assert_eq!(refused, Err(ScoreError::RaggedHistory { sequence: 0, fields: 2, found: 3 }));
}

#[test]
fn a_number_that_is_not_finite_is_refused() {
    let weights = everything_shape().fill("numbers", &mut Random::new(1));
    let bytes = write(&weights, Embedding::F32);
    let view = Model::from_bytes(&bytes).unwrap();
    let request = Request::random(&weights.schema, &mut Random::new(2));
    assert!(request.scores(&view).is_ok());
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut spoilt = request.clone();
        spoilt.slate[1][2] = Value::Number(number);
        assert_eq!(spoilt.scores(&view), Err(ScoreError::NotFinite { group: "candidate", field: 2 }));
        let mut spoilt = request.clone();
        spoilt.profile[0] = Value::Number(number);
        assert_eq!(spoilt.scores(&view), Err(ScoreError::NotFinite { group: "profile", field: 0 }));
    }
}
