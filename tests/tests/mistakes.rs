//! Mistakes of other implementations, each with a test that it is not made here.
//!
//! | mistake | tests |
//! |---|---|
//! | batch statistics at inference | [`statistics_at_inference_are_the_stored_ones`] |
//! | moving statistics never updated | `moving_statistics_are_updated` in `training_behaviour.rs` |
//! | Dice normalised across features | [`dice_treats_each_unit_by_its_own_statistics`] |
//! | Dice over padded positions | [`room_for_more_behaviours_changes_nothing`], `dice_statistics_ignore_padding` in `training_behaviour.rs` |
//! | a scalar alpha | [`every_unit_has_an_alpha_of_its_own`], [`an_alpha_for_all_units_is_refused`] |
//! | padding id 0 that is also an item | [`id_0_is_an_item_like_any_other`] |
//! | attention over one padded slot | [`an_empty_history_gives_nothing_to_attend_to`] |
//! | ids in f32 | [`ids_that_f32_cannot_tell_apart_have_scores_of_their_own`], [`ids_survive_json`] |
//! | history taken from the future | `histories_are_what_the_user_saw_strictly_before_the_sample` in `din-export/tests/data_real.rs` |
//! | the attention of the positive reused for the negative | [`every_candidate_is_given_its_own_attention`] |
//! | validation on the test set | `the_test_split_has_no_influence` in `training_behaviour.rs` |

use din_core::{Model, Normaliser, Ranker, Value};
use din_export::blob::{self, ExportError, ExportOptions};
use din_export::schema::{Field, FieldKind, Schema, Vocabulary};
use din_export::weights::{Activation, AttentionNormalisation, Layer, ModelWeights, PoolingWeights};
use din_tests::golden::attention_shape;
use din_tests::random::Random;
use din_tests::request::Request;
use din_tests::shape::{ActivationShape, ModelShape, PoolingShape};

/// Dice everywhere: in the activation unit and in the head.
fn dice_model() -> ModelWeights {
    attention_shape(ActivationShape::Dice, ActivationShape::Dice).fill("dice", &mut Random::new(11))
}

fn scores(weights: &ModelWeights, request: &Request) -> Vec<f32> {
    let bytes = blob::write(weights, &ExportOptions::default()).unwrap();
    request.scores(&Model::from_bytes(&bytes).unwrap()).unwrap()
}

/// User 3, these clicks and this slate, each as item ids of category 1.
fn request(clicks: &[u64], slate: &[u64]) -> Request {
    let pairs = |items: &[u64]| items.iter().map(|item| vec![Value::Id(*item), Value::Id(1)]).collect();
    Request {
        profile: vec![Value::Id(3)],
        context: Vec::new(),
        histories: vec![pairs(clicks)],
        slate: pairs(slate),
    }
}

/// Two numbers, one layer of two units that passes them through, and `logit = f0(x0) + 100 f1(x1)`.
fn two_units(activation: Activation) -> ModelWeights {
    let number = |name: &str| Field { name: name.to_owned(), kind: FieldKind::Numeric(Normaliser::IDENTITY) };
    let layer = |outputs, weight: &[f32], activation| Layer {
        inputs: 2,
        outputs,
        weight: weight.to_vec(),
        bias: vec![0.0; outputs],
        batch_norm: None,
        activation,
    };
    ModelWeights {
        name: "two units".to_owned(),
        schema: Schema { candidate: vec![number("x0"), number("x1")], ..Schema::default() },
        tables: Vec::new(),
        pooling: Vec::new(),
        product: false,
        head: vec![layer(2, &[1.0, 0.0, 0.0, 1.0], activation), layer(1, &[1.0, 100.0], Activation::Linear)],
        item_bias: None,
    }
}

fn two_unit_logit(weights: &ModelWeights, x: [f32; 2]) -> f64 {
    let bytes = blob::write(weights, &ExportOptions::default()).unwrap();
    let model = Model::from_bytes(&bytes).unwrap();
    let mut scratch = vec![0.0; model.scratch_len()];
    let mut ranker = Ranker::new(&model, &mut scratch).unwrap();
    ranker.set_user(&din_core::User::default()).unwrap();
    ranker.logit(&x.map(Value::Number)).unwrap().into()
}

fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-4, "{found} {expected}");
}

/// A slate of outliers would move the mean of any batch that they were part of.
#[test]
fn statistics_at_inference_are_the_stored_ones() {
    let model = dice_model();
    let alone = scores(&model, &request(&[1, 2, 3], &[7]));
    let among_others = scores(&model, &request(&[1, 2, 3], &[7, 55, 55, 55, 21, 0, 60]));
    assert_eq!(alone[0], among_others[0]);
}

#[test]
fn dice_treats_each_unit_by_its_own_statistics() {
    let (mean, variance, alpha) = ([0.5, -4.0], [1.0, 9.0], [0.1, 0.9]);
    let weights = two_units(Activation::Dice {
        alpha: alpha.to_vec(),
        mean: mean.to_vec(),
        variance: variance.to_vec(),
        gamma: vec![1.0; 2],
        beta: vec![0.0; 2],
        epsilon: 1e-8,
    });
    // Equation 3 of the paper, unit by unit.
    let dice = |unit: usize, s: f32| {
        let (s, mean, variance) = (f64::from(s), f64::from(mean[unit]), f64::from(variance[unit]));
        let p = 1.0 / (1.0 + (-(s - mean) / (variance + 1e-8).sqrt()).exp());
        p * s + (1.0 - p) * f64::from(alpha[unit]) * s
    };
    for x in [[0.3, 1.5], [0.3, -20.0], [-2.0, 1.5], [4.0, 4.0]] {
        assert_near(two_unit_logit(&weights, x), dice(0, x[0]) + 100.0 * dice(1, x[1]));
    }
}

#[test]
fn every_unit_has_an_alpha_of_its_own() {
    let weights = two_units(Activation::PRelu { alpha: vec![0.25, -0.5] });
    assert_near(two_unit_logit(&weights, [-1.0, -1.0]), -0.25 + 50.0);
    assert_near(two_unit_logit(&weights, [-1.0, 2.0]), -0.25 + 200.0);
}

#[test]
fn an_alpha_for_all_units_is_refused() {
    let weights = two_units(Activation::PRelu { alpha: vec![0.25] });
    let error = blob::write(&weights, &ExportOptions::default()).unwrap_err();
    assert!(matches!(error, ExportError::Shape(_)), "{error}");
}

#[test]
fn room_for_more_behaviours_changes_nothing() {
    for normalisation in [AttentionNormalisation::None, AttentionNormalisation::Softmax] {
        let mut model = dice_model();
        let PoolingWeights::Attention { normalisation: own, .. } = &mut model.pooling[0] else {
            unreachable!()
        };
        *own = normalisation;
        let request = request(&[5, 9, 5], &[7, 5, 9]);
        model.schema.sequences[0].capacity = 3;
        let exact = scores(&model, &request);
        for capacity in [4, 5, 50, 1000] {
            model.schema.sequences[0].capacity = capacity;
            assert_eq!(scores(&model, &request), exact, "capacity {capacity}, {normalisation:?}");
        }
    }
}

/// Whether row 0 is kept for unknown ids (first row 1) or is an item itself (first row 0).
#[test]
fn id_0_is_an_item_like_any_other() {
    for first_row in [0, 1] {
        let mut shape = attention_shape(ActivationShape::Sigmoid, ActivationShape::Dice);
        shape.schema.tables[1].vocabulary = Vocabulary::Dense { first: 0, first_row, count: 60 };
        let model = shape.fill("item 0", &mut Random::new(12));
        let score = |clicks: &[u64]| scores(&model, &request(clicks, &[7]))[0];
        assert_ne!(score(&[0]), score(&[]), "a click on item 0 is a click");
        assert_ne!(score(&[0, 0]), score(&[0]), "and so is a second one");
        assert_ne!(score(&[4, 0]), score(&[4]));
        assert_eq!(score(&[0]) == score(&[999]), first_row == 0, "first row {first_row}");
    }
}

#[test]
fn an_empty_history_gives_nothing_to_attend_to() {
    let normalised = |normalisation| {
        let shape = attention_shape(ActivationShape::Dice, ActivationShape::Dice);
        let unit = PoolingShape::Attention(
            vec![din_tests::shape::HiddenLayer {
                outputs: 9,
                batch_norm: false,
                activation: ActivationShape::Dice,
            }],
            normalisation,
        );
        ModelShape { pooling: vec![unit], ..shape }.fill("empty", &mut Random::new(13))
    };
    for normalisation in [AttentionNormalisation::None, AttentionNormalisation::Softmax] {
        let mut model = normalised(normalisation);
        let attended = scores(&model, &request(&[], &[7, 8]));
        let row_0_attended = scores(&model, &request(&[999], &[7, 8]));
        assert_ne!(attended, row_0_attended, "one unknown behaviour is more than none");
        for pooling in [PoolingWeights::Sum, PoolingWeights::Mean] {
            model.pooling[0] = pooling;
            assert_eq!(scores(&model, &request(&[], &[7, 8])), attended, "whatever the pooling");
        }
    }
}

/// 2^24 and 2^24 + 1 are one number in f32.
#[test]
fn ids_that_f32_cannot_tell_apart_have_scores_of_their_own() {
    const FIRST: u64 = 1 << 24;
    assert_eq!(FIRST as f32, (FIRST + 1) as f32);
    let vocabularies = [
        Vocabulary::Dense { first: FIRST - 5, first_row: 1, count: 60 },
        Vocabulary::Keys((FIRST - 5..FIRST + 55).collect()),
        Vocabulary::Keys(vec![FIRST, FIRST + 1, u64::MAX - 1, u64::MAX]),
    ];
    for vocabulary in vocabularies {
        let mut shape = attention_shape(ActivationShape::Sigmoid, ActivationShape::Dice);
        shape.schema.tables[1].vocabulary = vocabulary;
        let model = shape.fill("large ids", &mut Random::new(14));
        let slate = scores(&model, &request(&[FIRST], &[FIRST, FIRST + 1]));
        assert_ne!(slate[0], slate[1], "as candidates");
        let other = scores(&model, &request(&[FIRST + 1], &[FIRST, FIRST + 1]));
        assert_ne!(slate, other, "as behaviours");
    }
}

/// Ids keep all their bits on the way through JSON too.
#[test]
fn ids_survive_json() {
    for id in [(1 << 24) + 1, (1 << 53) + 1, u64::MAX] {
        let text = serde_json::to_string(&Value::Id(id)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), Value::Id(id));
    }
}

#[test]
fn every_candidate_is_given_its_own_attention() {
    let model = dice_model();
    let bytes = blob::write(&model, &ExportOptions::default()).unwrap();
    let view = Model::from_bytes(&bytes).unwrap();
    let rank = |slate: &[u64]| request(&[1, 2, 3, 4], slate).rank_all(&view).unwrap();
    let (positive, negative) = (rank(&[7]), rank(&[31]));
    assert_ne!(positive[0].attention, negative[0].attention);
    let both = rank(&[7, 31, 7]);
    assert_eq!(both[1], negative[0], "the negative, scored after the positive");
    assert_eq!([&both[0], &both[2]], [&positive[0]; 2]);
}
