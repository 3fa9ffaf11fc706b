//! Decay of embedding rows: equations 4 to 7 of the DIN paper, against numbers worked out by hand.

use din_export::config::model::{ActivationKind, HeadConfig, ModelConfig, PoolingKind, UnitConfig};
use din_export::config::training::{
    OptimizerConfig, OptimizerKind, RegularizationConfig, RegularizationKind, TrainingConfig,
};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::network::{Batch, Network};
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::training::Trainer;

const DIM: usize = 2;
const ITEMS: usize = 8;
const RATE: f64 = 0.5;
const LAMBDA: f64 = 0.4;

/// One table, shared by the profile, the candidate and the behaviours.
///
/// | sample | profile | candidate | history | split |
/// |---|---|---|---|---|
/// | 0 | 6 | 1 | 2 2 1 | train |
/// | 1 | 6 | 2 | 1 | train |
/// | 2 | 1 | 1 | | train |
/// | 3 | 6 | 3 | 4 4 4 2 | train |
/// | 4 | 5 | 5 | 1 5 | valid |
///
/// Rows 0 and 7 never appear, row 5 appears outside the training split alone.
fn dataset() -> Dataset {
    let item = || Field { name: "item".to_owned(), kind: FieldKind::Categorical { table: 0 } };
    let schema = Schema {
        tables: vec![TableSpec {
            name: "item".to_owned(),
            dim: DIM,
            vocabulary: Vocabulary::Dense { first: 1, first_row: 1, count: ITEMS as u32 - 1 },
        }],
        profile: vec![item()],
        context: Vec::new(),
        candidate: vec![item()],
        sequences: vec![SequenceSpec {
            name: "clicks".to_owned(),
            capacity: 4,
            fields: vec![BehaviourField { field: item(), pair: Some(0) }],
        }],
    };
    let samples = Samples {
        labels: vec![1.0, 0.0, 1.0, 0.0, 1.0],
        users: vec![0; 5],
        profile: vec![FieldColumn::Rows(vec![6, 6, 1, 6, 5])],
        context: Vec::new(),
        candidate: vec![FieldColumn::Rows(vec![1, 2, 1, 3, 5])],
        histories: vec![Histories {
            pool: vec![FieldColumn::Rows(vec![2, 2, 1, 4, 4, 4, 2, 1, 5])],
            spans: vec![(0, 3), (2, 3), (3, 3), (3, 7), (7, 9)],
        }],
    };
    Dataset { schema, samples, train: vec![0, 1, 2, 3], valid: vec![4], test: Vec::new() }
}

/// `n_j`, counted by hand from the table above: training samples that contain row j.
const SAMPLES_CONTAINING: [u32; ITEMS] = [0, 3, 3, 1, 1, 0, 3, 0];

/// The epoch's batches, and the rows that each contains.
const BATCHES: [([u32; 2], [bool; ITEMS]); 2] = [
    ([0, 1], [false, true, true, false, false, false, true, false]),
    ([2, 3], [false, true, true, true, true, false, true, false]),
];

fn model() -> ModelConfig {
    ModelConfig {
        pooling: PoolingKind::Attention,
        unit: UnitConfig { hidden: vec![3], ..UnitConfig::default() },
        head: HeadConfig { hidden: vec![4], activation: ActivationKind::Relu, ..HeadConfig::default() },
    }
}

fn config(kind: RegularizationKind, optimizer: OptimizerKind) -> TrainingConfig {
    TrainingConfig {
        embedding_init: 1.0,
        optimizer: OptimizerConfig { kind: optimizer, learning_rate: RATE, ..OptimizerConfig::default() },
        regularization: RegularizationConfig { kind, lambda: LAMBDA },
        ..TrainingConfig::default()
    }
}

/// A network whose head has only dead units, so that the data moves no embedding: what changes is decay.
fn insensitive_trainer(kind: RegularizationKind, optimizer: OptimizerKind) -> Trainer {
    let (dataset, config) = (dataset(), config(kind, optimizer));
    let network = Network::<f32>::new(&dataset.schema, &model(), 1.0, 1).unwrap();
    let mut weights = network.to_weights();
    weights.head[0].bias.fill(-1e3);
    Trainer::resume(Network::from_weights(&weights).unwrap(), &dataset, &config).unwrap()
}

fn step(trainer: &mut Trainer, indices: &[u32]) {
    let samples = dataset().samples;
    assert!(trainer.step(Batch { samples: &samples, indices }).is_finite());
}

fn assert_decayed(before: &[f32], after: &[f32], kept: impl Fn(usize) -> f64) {
    for row in 0..ITEMS {
        for j in row * DIM..(row + 1) * DIM {
            let expected = f64::from(before[j]) * kept(row);
            let error = (f64::from(after[j]) - expected).abs();
            assert!(error < 1e-6, "row {row}: {} became {}, not {expected}", before[j], after[j]);
        }
    }
}

#[test]
fn the_decay_of_each_row_over_an_epoch_is_the_papers() {
    assert_eq!(dataset().samples_containing(0, &dataset().train), SAMPLES_CONTAINING);
    for optimizer in [OptimizerKind::Sgd, OptimizerKind::Adagrad, OptimizerKind::Adam] {
        let mut trainer = insensitive_trainer(RegularizationKind::MiniBatchAware, optimizer);
        let before = trainer.network().tables()[0].values.clone();
        for (indices, _) in BATCHES {
            step(&mut trainer, &indices);
        }
        assert_decayed(&before, &trainer.network().tables()[0].values, |row| {
            let batches = BATCHES.iter().filter(|(_, contains)| contains[row]).count();
            (0..batches)
                .fold(1.0, |kept, _| kept * (1.0 - RATE * LAMBDA / f64::from(SAMPLES_CONTAINING[row])))
        });
    }
}

#[test]
fn plain_l2_decays_each_touched_row_once_a_batch() {
    let mut trainer = insensitive_trainer(RegularizationKind::L2, OptimizerKind::Adam);
    let before = trainer.network().tables()[0].values.clone();
    for (indices, _) in BATCHES {
        step(&mut trainer, &indices);
    }
    assert_decayed(&before, &trainer.network().tables()[0].values, |row| {
        BATCHES.iter().filter(|(_, contains)| contains[row]).fold(1.0, |kept, _| kept * (1.0 - RATE * LAMBDA))
    });
}

#[test]
fn decay_adds_to_a_step_and_does_not_pass_through_the_optimiser() {
    for optimizer in [OptimizerKind::Sgd, OptimizerKind::Adagrad, OptimizerKind::Adam] {
        let stepped = |kind| {
            let mut trainer = Trainer::new(&dataset(), &model(), &config(kind, optimizer)).unwrap();
            let before = trainer.network().tables()[0].values.clone();
            step(&mut trainer, &BATCHES[0].0);
            (before, trainer.network().tables()[0].values.clone())
        };
        let (before, plain) = stepped(RegularizationKind::None);
        let (_, decayed) = stepped(RegularizationKind::MiniBatchAware);
        assert_ne!(before, plain, "the data does move the embeddings here");
        for (j, (plain, decayed)) in plain.iter().zip(&decayed).enumerate() {
            let row = j / DIM;
            let rate =
                if BATCHES[0].1[row] { RATE * LAMBDA / f64::from(SAMPLES_CONTAINING[row]) } else { 0.0 };
            let expected = rate * f64::from(before[j]);
            assert!((f64::from(plain - decayed) - expected).abs() < 1e-6, "row {row} of {optimizer:?}");
        }
    }
}

#[test]
fn a_step_changes_no_row_that_its_batch_does_not_contain() {
    let mut model = model();
    model.head.item_bias = Some("item".to_owned());
    let config = config(RegularizationKind::MiniBatchAware, OptimizerKind::Adam);
    let mut trainer = Trainer::new(&dataset(), &model, &config).unwrap();
    // Rows 3 and 4 get Adam moments here, which must not move them in the next step.
    step(&mut trainer, &BATCHES[1].0);
    let before = trainer.network().to_weights();
    step(&mut trainer, &BATCHES[0].0);
    let after = trainer.network().to_weights();
    for (row, contained) in BATCHES[0].1.into_iter().enumerate() {
        let span = row * DIM..(row + 1) * DIM;
        assert_eq!(before.tables[0][span.clone()] != after.tables[0][span], contained, "row {row}");
        let is_candidate = [1, 2].contains(&row);
        let bias =
            |weights: &din_export::weights::ModelWeights| weights.item_bias.as_ref().unwrap().values[row];
        assert_eq!(bias(&before) != bias(&after), is_candidate, "bias of row {row}");
    }
}

#[test]
fn behaviours_do_not_count_for_a_model_that_ignores_them() {
    // Without histories n is 2 for row 1 (samples 0 and 2), 1 for rows 2 and 3, 3 for row 6.
    let model = ModelConfig { pooling: PoolingKind::None, ..model() };
    let stepped = |kind| {
        let mut trainer = Trainer::new(&dataset(), &model, &config(kind, OptimizerKind::Sgd)).unwrap();
        let before = trainer.network().tables()[0].values.clone();
        step(&mut trainer, &[0, 1]);
        (before, trainer.network().tables()[0].values.clone())
    };
    let (before, plain) = stepped(RegularizationKind::None);
    let (_, decayed) = stepped(RegularizationKind::MiniBatchAware);
    for (row, n) in [(1, 2.0), (2, 1.0), (6, 3.0)] {
        let j = row * DIM;
        let expected = RATE * LAMBDA / n * f64::from(before[j]);
        assert!((f64::from(plain[j] - decayed[j]) - expected).abs() < 1e-6, "row {row}");
    }
}
