//! What a training run promises: determinism, early stopping, and that it learns.

mod learnable;

use din_export::config::model::{ActivationKind, ModelConfig, PoolingKind};
use din_export::config::training::{OptimizerConfig, OptimizerKind, SelectionMetric, TrainingConfig};
use din_export::data::dataset::Dataset;
use din_export::metrics::Metrics;
use din_export::network::{Batch, Network};
use din_export::training::{Event, evaluate, train};
use din_export::weights::{Activation, AttentionNormalisation, Layer, ModelWeights, PoolingWeights};
use learnable::{config, dataset, model, quietly};

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
fn where_validation_samples_train_every_epoch_is_run_and_the_last_one_kept() {
    let dataset = dataset(400, false);
    let chosen = TrainingConfig { patience: 1, ..config(6) };
    assert!(
        quietly(&dataset, &model(PoolingKind::Sum), &chosen).unwrap().epochs.len() < 6,
        "labels are noise"
    );
    let all = TrainingConfig { train_on_valid: true, ..chosen };
    let mut last = None;
    let trained = train(&dataset, &model(PoolingKind::Sum), &all, &mut |event| {
        if let Event::Epoch { network, .. } = event {
            last = Some(network.to_weights());
        }
    })
    .unwrap();
    assert_eq!((trained.best_epoch, trained.epochs.len(), Some(trained.weights)), (6, 6, last));
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
