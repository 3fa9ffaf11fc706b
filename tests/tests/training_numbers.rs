//! The numbers inside a network in training: statistics of a batch, and where they leave their range.

mod learnable;

use din_export::config::model::{ActivationKind, PoolingKind};
use din_export::config::training::{OptimizerConfig, OptimizerKind, TrainingConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Samples};
use din_export::network::{Batch, Network, TrainingMode, Workspace};
use din_export::training::{TrainingError, predict};
use din_export::weights::{Activation, Layer, ModelWeights, PoolingWeights};
use learnable::{config, dataset, model, quietly};

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
