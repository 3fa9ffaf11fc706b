//! What a training run promises: determinism, statistics, early stopping, and that it learns.

use din_core::Normaliser;
use din_export::config::model::{ActivationKind, HeadConfig, ModelConfig, PoolingKind, UnitConfig};
use din_export::config::training::{OptimizerConfig, OptimizerKind, SelectionMetric, TrainingConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::metrics::Metrics;
use din_export::network::{Batch, Network, TrainingMode, Workspace};
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::training::{Event, Trained, TrainingError, evaluate, predict, train};
use din_export::weights::{Activation, AttentionNormalisation, Layer, ModelWeights, PoolingWeights};

const ITEMS: u32 = 40;
const CAPACITY: u32 = 6;

/// Reproducible numbers below `n` (Knuth's linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as u32) % n
    }
}

/// Random histories of 0 to 6 items. With `learnable`, a sample is positive if its candidate is in its history, which holds
/// for half of the samples: neither the candidate nor the history alone says anything. Otherwise labels are noise.
fn dataset(samples: u32, learnable: bool) -> Dataset {
    let mut numbers = Numbers(7);
    let item = || Field { name: "item".to_owned(), kind: FieldKind::Categorical { table: 0 } };
    let hour = Field { name: "hour".to_owned(), kind: FieldKind::Numeric(Normaliser::IDENTITY) };
    let schema = Schema {
        tables: vec![
            TableSpec {
                name: "item".to_owned(),
                dim: 8,
                vocabulary: Vocabulary::Dense { first: 0, first_row: 0, count: ITEMS },
            },
            TableSpec {
                name: "action".to_owned(),
                dim: 2,
                vocabulary: Vocabulary::Dense { first: 0, first_row: 0, count: 3 },
            },
        ],
        profile: Vec::new(),
        context: vec![hour],
        candidate: vec![item()],
        sequences: vec![SequenceSpec {
            name: "clicks".to_owned(),
            capacity: CAPACITY as usize,
            fields: vec![
                BehaviourField { field: item(), pair: Some(0) },
                BehaviourField {
                    field: Field { name: "action".to_owned(), kind: FieldKind::Categorical { table: 1 } },
                    pair: None,
                },
            ],
        }],
    };
    let (mut pool, mut spans, mut candidates, mut labels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..samples {
        let start = pool.len() as u32;
        let length = numbers.below(CAPACITY + 1);
        pool.extend((0..length).map(|_| numbers.below(ITEMS)));
        spans.push((start, start + length));
        let own = &pool[start as usize..];
        let positive = numbers.below(2) == 1 && !own.is_empty();
        let candidate = if positive {
            own[numbers.below(length) as usize]
        } else {
            loop {
                let other = numbers.below(ITEMS);
                if !own.contains(&other) {
                    break other;
                }
            }
        };
        candidates.push(candidate);
        let label = if learnable { positive } else { numbers.below(2) == 1 };
        labels.push(f32::from(u8::from(label)));
    }
    let actions = pool.iter().map(|_| numbers.below(3)).collect();
    let samples_of = Samples {
        labels,
        users: (0..samples).map(|sample| sample / 10).collect(),
        profile: Vec::new(),
        context: vec![FieldColumn::Numbers((0..samples).map(|_| numbers.below(24) as f32 / 24.0).collect())],
        candidate: vec![FieldColumn::Rows(candidates)],
        histories: vec![Histories { pool: vec![FieldColumn::Rows(pool), FieldColumn::Rows(actions)], spans }],
    };
    let cut = samples * 4 / 5;
    Dataset {
        schema,
        samples: samples_of,
        train: (0..cut).collect(),
        valid: (cut..samples).collect(),
        test: vec![],
    }
}

fn model(pooling: PoolingKind) -> ModelConfig {
    ModelConfig {
        pooling,
        unit: UnitConfig { hidden: vec![16, 8], ..UnitConfig::default() },
        head: HeadConfig { hidden: vec![16, 8], ..HeadConfig::default() },
    }
}

fn config(epochs: usize) -> TrainingConfig {
    TrainingConfig {
        epochs,
        batch_size: 64,
        patience: 0,
        embedding_init: 0.3,
        optimizer: OptimizerConfig { learning_rate: 0.01, ..OptimizerConfig::default() },
        ..TrainingConfig::default()
    }
}

fn quietly(
    dataset: &Dataset,
    model: &ModelConfig,
    config: &TrainingConfig,
) -> Result<Trained, TrainingError> {
    train(dataset, model, config, &mut |_| {})
}

fn auc(metrics: &Metrics) -> f64 {
    metrics.auc.unwrap()
}

#[test]
fn attention_learns_what_sum_pooling_and_no_history_cannot() {
    let dataset = dataset(5000, true);
    let best = |pooling| {
        let trained = quietly(&dataset, &model(pooling), &config(12)).unwrap();
        let losses: Vec<f64> = trained.epochs.iter().map(|epoch| epoch.train_loss).collect();
        (auc(&trained.epochs[trained.best_epoch - 1].valid), losses)
    };
    let (attention, losses) = best(PoolingKind::Attention);
    assert!(losses[11] < 0.5 * losses[0], "the loss goes down: {losses:?}");
    let (sum, none) = (best(PoolingKind::Sum).0, best(PoolingKind::None).0);
    println!("valid AUC: attention {attention:.3}, sum {sum:.3}, none {none:.3}");
    assert!(attention > 0.95 && attention > sum + 0.05 && none < 0.6, "{attention} {sum} {none}");
}

#[test]
fn a_seed_determines_the_weights() {
    let dataset = dataset(600, true);
    let with = |seed| {
        let config = TrainingConfig { seed, dropout: 0.2, ..config(2) };
        quietly(&dataset, &model(PoolingKind::Attention), &config).unwrap().weights
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn the_number_of_threads_does_not_change_the_weights() {
    let dataset = dataset(600, true);
    let with = |threads, activation, normalisation| {
        let mut model = model(PoolingKind::Attention);
        model.unit.activation = activation;
        model.unit.normalisation = normalisation;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let optimizer = OptimizerConfig { clip_norm: 0.01, ..config(2).optimizer };
        let config = TrainingConfig { optimizer, ..config(2) };
        pool.install(|| quietly(&dataset, &model, &config).unwrap().weights)
    };
    for (activation, normalisation) in [
        (ActivationKind::Sigmoid, AttentionNormalisation::None),
        (ActivationKind::Dice, AttentionNormalisation::Softmax),
    ] {
        let one = with(1, activation, normalisation);
        assert_eq!(one, with(2, activation, normalisation));
        assert_eq!(one, with(5, activation, normalisation));
    }
}

#[test]
fn early_stopping_returns_the_best_validation_epoch() {
    let dataset = dataset(400, false);
    for select_on in [
        SelectionMetric::Auc,
        SelectionMetric::Gauc,
        SelectionMetric::Uauc,
        SelectionMetric::AucAndUauc,
        SelectionMetric::LogLoss,
    ] {
        let config = TrainingConfig { patience: 3, select_on, ..config(30) };
        let mut seen = Vec::new();
        let trained = train(&dataset, &model(PoolingKind::Sum), &config, &mut |event| {
            if let Event::Epoch { report, network, .. } = event {
                assert_eq!(evaluate(network, &dataset.samples, &dataset.valid), report.valid);
                seen.push(report.clone());
            }
        })
        .unwrap();
        assert_eq!(seen, trained.epochs);
        let figure = |metrics: &Metrics| match select_on {
            SelectionMetric::Auc => metrics.auc.unwrap(),
            SelectionMetric::Gauc => metrics.gauc.unwrap().weighted,
            SelectionMetric::Uauc => metrics.gauc.unwrap().unweighted,
            SelectionMetric::AucAndUauc => (metrics.auc.unwrap() + metrics.gauc.unwrap().unweighted) / 2.0,
            SelectionMetric::LogLoss => -metrics.log_loss,
        };
        let best = seen.iter().map(|epoch| figure(&epoch.valid)).fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(figure(&seen[trained.best_epoch - 1].valid), best);
        assert_eq!(seen.len(), trained.best_epoch + 3, "labels are noise: it stops early");
        let network = Network::<f32>::from_weights(&trained.weights).unwrap();
        assert_eq!(evaluate(&network, &dataset.samples, &dataset.valid), seen[trained.best_epoch - 1].valid);
    }
}

#[test]
fn the_test_split_has_no_influence() {
    let mut dataset = dataset(600, true);
    let without = quietly(&dataset, &model(PoolingKind::Attention), &config(2)).unwrap();
    dataset.test = dataset.valid.split_off(60);
    let all_valid = quietly(&dataset, &model(PoolingKind::Attention), &config(2)).unwrap();
    dataset.test = vec![599];
    let other_test = quietly(&dataset, &model(PoolingKind::Attention), &config(2)).unwrap();
    assert_eq!(all_valid.weights, other_test.weights);
    assert_eq!(without.epochs[0].train_loss, all_valid.epochs[0].train_loss);
}

#[test]
fn a_score_does_not_depend_on_who_shares_the_batch() {
    let dataset = dataset(300, true);
    let trained = quietly(&dataset, &model(PoolingKind::Attention), &config(2)).unwrap();
    let network = Network::<f32>::from_weights(&trained.weights).unwrap();
    let together = predict(&network, &dataset.samples, &dataset.valid);
    for (&sample, score) in dataset.valid.iter().zip(together) {
        let alone = predict(&network, &dataset.samples, &[sample])[0];
        assert!((alone - score).abs() < 1e-6, "{alone} {score}");
    }
}

fn dice_of(layer: &Layer) -> (&[f32], &[f32]) {
    match &layer.activation {
        Activation::Dice { mean, variance, .. } => (mean, variance),
        other => panic!("{other:?} is no Dice"),
    }
}

fn forward(network: &mut Network<f32>, samples: &Samples, indices: &[u32]) -> Vec<f32> {
    let mut workspace = Workspace::default();
    let mut mode = TrainingMode { moving_average: 0.9, dropout: None };
    network.forward_train(Batch { samples, indices }, &mut mode, &mut workspace);
    workspace.logits().to_vec()
}

#[test]
fn moving_statistics_are_updated() {
    let dataset = dataset(50, true);
    let mut network = Network::<f32>::new(&dataset.schema, &model(PoolingKind::None), 0.5, 1).unwrap();
    let before: ModelWeights = network.to_weights();
    assert_eq!(dice_of(&before.head[0]), (&[0.0; 16][..], &[1.0; 16][..]));
    let indices: Vec<u32> = (0..50).collect();
    forward(&mut network, &dataset.samples, &indices);
    let after = network.to_weights();
    // The first batch sets them: the mean and biased variance of W [hour, item] + b over its rows.
    let (FieldColumn::Numbers(hours), FieldColumn::Rows(items)) =
        (&dataset.samples.context[0], &dataset.samples.candidate[0])
    else {
        panic!("the dataset has other columns")
    };
    let layer = &before.head[0];
    for unit in 0..16 {
        let weight = &layer.weight[unit * 9..(unit + 1) * 9];
        let values: Vec<f64> = (0..50)
            .map(|sample| {
                let row = &before.tables[0][items[sample] as usize * 8..][..8];
                let inputs = std::iter::once(&hours[sample]).chain(row);
                inputs.zip(weight).map(|(x, w)| f64::from(x * w)).sum()
            })
            .collect();
        let mean = values.iter().sum::<f64>() / 50.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 50.0;
        let (means, variances) = dice_of(&after.head[0]);
        assert!((f64::from(means[unit]) - mean).abs() < 1e-5);
        assert!((f64::from(variances[unit]) - variance).abs() < 1e-5);
    }
}

/// In training mode, with a Dice activation unit: samples without history and a larger capacity, which would both add rows to
/// a padded batch, change neither the unit's statistics nor, hence, the interest vectors of the others.
#[test]
fn dice_statistics_ignore_padding() {
    let mut dataset = dataset(50, true);
    let mut model = model(PoolingKind::Attention);
    model.unit.activation = ActivationKind::Dice;
    // The head has no batch statistics here, so that logits depend on others through the unit alone.
    model.head.activation = ActivationKind::Sigmoid;
    let spans = &dataset.samples.histories[0].spans;
    let (empty, full): (Vec<u32>, Vec<u32>) =
        (0..50).partition(|&sample| spans[sample as usize].0 == spans[sample as usize].1);
    assert!(!empty.is_empty());
    let run = |dataset: &Dataset, indices: &[u32]| {
        let mut network = Network::<f32>::new(&dataset.schema, &model, 0.5, 1).unwrap();
        let logits = forward(&mut network, &dataset.samples, indices);
        let PoolingWeights::Attention { layers, .. } = network.to_weights().pooling.remove(0) else {
            panic!("attention was configured")
        };
        let (mean, variance) = dice_of(&layers[0]);
        (logits, mean.to_vec(), variance.to_vec())
    };
    let alone = run(&dataset, &full);
    let with_empty = run(&dataset, &[full.clone(), empty].concat());
    assert_eq!((&alone.1, &alone.2), (&with_empty.1, &with_empty.2));
    for (a, b) in alone.0.iter().zip(&with_empty.0) {
        assert!((a - b).abs() < 1e-6);
    }
    dataset.schema.sequences[0].capacity = 500;
    assert_eq!(alone, run(&dataset, &full));
}

#[test]
fn a_batch_without_any_behaviour_is_trained_on() {
    let mut dataset = dataset(200, true);
    dataset.samples.histories[0].spans.fill((0, 0));
    let mut model = model(PoolingKind::Attention);
    model.unit.activation = ActivationKind::Dice;
    let trained = quietly(&dataset, &model, &config(2)).unwrap();
    assert!(trained.epochs.iter().all(|epoch| epoch.train_loss.is_finite()));
}

#[test]
fn a_model_without_pooling_exports_no_sequences_and_no_unused_tables() {
    let dataset = dataset(50, true);
    let network = Network::<f32>::new(&dataset.schema, &model(PoolingKind::None), 0.5, 1).unwrap();
    let weights = network.to_weights();
    assert!(weights.schema.sequences.is_empty() && weights.pooling.is_empty());
    let names: Vec<&str> = weights.schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["item"]);
    weights.check().unwrap();
}

#[test]
fn weights_survive_a_round_trip() {
    let dataset = dataset(50, true);
    let mut model = model(PoolingKind::Attention);
    model.head.batch_norm = true;
    model.head.product = true;
    model.head.item_bias = Some("item".to_owned());
    let weights = Network::<f32>::new(&dataset.schema, &model, 0.5, 1).unwrap().to_weights();
    weights.check().unwrap();
    assert_eq!(Network::<f32>::from_weights(&weights).unwrap().to_weights(), weights);
}

#[test]
fn a_diverging_run_stops_with_epoch_and_step() {
    let optimizer =
        OptimizerConfig { kind: OptimizerKind::Sgd, learning_rate: 1e30, ..OptimizerConfig::default() };
    let config = TrainingConfig { optimizer, ..config(2) };
    let error = quietly(&dataset(600, true), &model(PoolingKind::Attention), &config).unwrap_err();
    let TrainingError::Diverged { epoch: 1, step: 2.., diagnosis: Some(diagnosis), .. } = &error else {
        panic!("{error}")
    };
    assert!(!diagnosis.number.is_finite() || diagnosis.number > 1e10, "{diagnosis:?}");
    assert!(error.to_string().starts_with("epoch 1, step "), "{error}");
}

#[test]
fn an_exploding_loss_stops_before_it_is_not_a_number() {
    let optimizer =
        OptimizerConfig { kind: OptimizerKind::Sgd, learning_rate: 1e3, ..OptimizerConfig::default() };
    let config = TrainingConfig { optimizer, max_loss: 5.0, ..config(2) };
    let error = quietly(&dataset(600, true), &model(PoolingKind::Attention), &config).unwrap_err();
    assert!(matches!(error, TrainingError::Diverged { loss: 5.0..1e30, .. }), "{error}");
    assert!(error.to_string().contains("lower `optimizer.learning_rate` (it is 1e3)"), "{error}");
}

/// What the diagnosis says of the first ten samples after one number of the network was spoilt.
fn diagnosis(part: &str, index: usize, value: f32) -> String {
    use din_export::network::state::Part;
    use din_export::training::diagnosis::diagnose;
    let dataset = dataset(50, true);
    let mut network = Network::<f32>::new(&dataset.schema, &model(PoolingKind::Attention), 0.5, 1).unwrap();
    let mut state = network.state_mut();
    let names: Vec<String> = state.iter().map(|(name, _)| name.clone()).collect();
    match state.iter_mut().find(|(name, _)| name == part) {
        Some((_, Part::Numbers(numbers))) => numbers[index] = value,
        _ => panic!("no {part} in {names:?}"),
    }
    drop(state);
    let indices: Vec<u32> = (0..10).collect();
    diagnose(&network, Batch { samples: &dataset.samples, indices: &indices }).unwrap().to_string()
}

#[test]
fn the_first_place_that_is_not_finite_is_named() {
    let text = diagnosis("weight of layer 1 of the head", 3, f32::NAN);
    assert!(
        text.contains("a weight that is not finite: NaN in the weights of layer 1 of the head"),
        "{text}"
    );
    let text = diagnosis("bias of layer 0 of the head", 0, 1e20);
    assert!(
        text.starts_with("the largest number: 1.0000000200408773e20 in the weights of layer 0"),
        "{text}"
    );
    let FieldColumn::Rows(rows) = &dataset(50, true).samples.candidate[0] else { panic!("items have ids") };
    let text = diagnosis("table `item`", 8 * rows[0] as usize, f32::INFINITY);
    assert!(text.contains(&format!("inf in row {} of table `item`", rows[0])), "{text}");
}

#[test]
fn clipping_bounds_a_step_and_leaves_small_gradients_alone() {
    let dataset = dataset(64, true);
    let moved = |clip_norm| {
        let optimizer = OptimizerConfig {
            kind: OptimizerKind::Sgd,
            learning_rate: 1.0,
            clip_norm,
            ..OptimizerConfig::default()
        };
        let config = TrainingConfig { optimizer, ..config(1) };
        let mut trainer =
            din_export::training::Trainer::new(&dataset, &model(PoolingKind::Attention), &config).unwrap();
        let before = trainer.network().to_weights();
        trainer.step(Batch { samples: &dataset.samples, indices: &dataset.train });
        let squares =
            |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum() };
        let after = trainer.network().to_weights();
        let tables: f64 = before.tables.iter().zip(&after.tables).map(|(a, b)| squares(a, b)).sum();
        let units = |weights: &ModelWeights| {
            let PoolingWeights::Attention { layers, .. } = &weights.pooling[0] else { panic!("attention") };
            layers.iter().chain(&weights.head).flat_map(dense_numbers).collect::<Vec<f32>>()
        };
        (tables + squares(&units(&before), &units(&after))).sqrt()
    };
    let norm = moved(0.0);
    assert!((moved(norm / 4.0) - norm / 4.0).abs() < 1e-3 * norm, "tables included");
    assert_eq!(moved(norm * 4.0), norm);
}

fn dense_numbers(layer: &Layer) -> Vec<f32> {
    let alpha = match &layer.activation {
        Activation::Dice { alpha, .. } | Activation::PRelu { alpha } => alpha.as_slice(),
        _ => &[],
    };
    [&layer.weight, &layer.bias, alpha].concat()
}

#[test]
fn unusable_configurations_and_splits_are_refused() {
    let dataset = dataset(50, true);
    let refused = |dataset: &Dataset, model: &ModelConfig, config: &TrainingConfig| {
        quietly(dataset, model, config).unwrap_err().to_string()
    };
    let good = model(PoolingKind::Attention);
    let zero_batch = TrainingConfig { batch_size: 0, ..config(1) };
    assert_eq!(refused(&dataset, &good, &zero_batch), "`batch_size` is 0: it must be at least 1");
    let no_valid = Dataset { valid: Vec::new(), ..dataset.clone() };
    assert_eq!(refused(&no_valid, &good, &config(1)), "the valid split has no samples");
    let mut one_class = dataset.clone();
    one_class.samples.labels.fill(1.0);
    assert!(refused(&one_class, &good, &config(1)).starts_with("the valid split has no AUC"));
    let mut bias = good.clone();
    bias.head.item_bias = Some("itm".to_owned());
    assert!(refused(&dataset, &bias, &config(1)).ends_with("those are: item"));
}
