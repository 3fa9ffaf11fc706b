//! Every gradient against finite differences, in f64.
//!
//! `cargo test -p din-tests --test gradients -- --nocapture` prints the largest relative error of each layer type.
//!
//! The difference is `(8 (L(w+h) - L(w-h)) - (L(w+2h) - L(w-2h))) / (12 h)`, whose error is of order h^4: with h = 3e-4 both
//! that and rounding stay near 1e-12, so that the bound of 1e-6 is about mistakes and nothing else. The relative error of a
//! number is taken against its own size, or against a thousandth of the largest gradient of its tensor if that is more.

use din_core::{Normaliser, Transform};
use din_export::config::model::{ActivationKind, HeadConfig, ModelConfig, PoolingKind, UnitConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::network::activation::Activation;
use din_export::network::batch_norm::BatchNorm;
use din_export::network::layer::{Layer, Mlp, MlpBuffers};
use din_export::network::linear::Linear;
use din_export::network::{Batch, Network, TrainingMode, Workspace};
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::weights::AttentionNormalisation;

const LARGEST_RELATIVE_ERROR: f64 = 1e-6;
const STEP: f64 = 3e-4;
/// Gradients smaller than this are compared by their difference: that of a bias before batch normalisation is nothing but
/// rounding.
const SMALLEST: f64 = 1e-5;

/// Reproducible numbers in [-1, 1), far from 0 and from each other often enough.
fn noise(seed: usize, index: usize) -> f64 {
    let mut x = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (index as u64 + 1);
    for _ in 0..3 {
        x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    (x >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn noises(seed: usize, length: usize) -> Vec<f64> {
    (0..length).map(|index| noise(seed, index)).collect()
}

/// dL/dw at w, L being computed by `loss` from what is added to w.
fn difference(mut loss: impl FnMut(f64) -> f64) -> f64 {
    let near = loss(STEP) - loss(-STEP);
    let far = loss(2.0 * STEP) - loss(-2.0 * STEP);
    (8.0 * near - far) / (12.0 * STEP)
}

fn relative_error(analytic: &[f64], numeric: &[f64]) -> f64 {
    assert_eq!(analytic.len(), numeric.len());
    let largest = analytic.iter().chain(numeric).fold(0.0_f64, |a, b| a.max(b.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let error = |(a, n): (&f64, &f64)| (a - n).abs() / a.abs().max(n.abs()).max(1e-3 * largest).max(SMALLEST);
    analytic.iter().zip(numeric).map(error).fold(0.0, f64::max)
}

fn report(what: &str, error: f64) {
    println!("{what:<52} {error:9.2e}");
    assert!(error < LARGEST_RELATIVE_ERROR, "{what}: {error:e}");
}

/// Of `L = sum(c * layer(x))`, c fixed: parameters and input.
fn layer_error(layer: Layer<f64>) -> f64 {
    let (n, inputs, outputs) = (7, layer.linear.inputs, layer.linear.outputs);
    let mut mlp = Mlp { layers: vec![layer] };
    let mut input = noises(1, n * inputs);
    let factors = noises(2, n * outputs);
    let mut buffers = MlpBuffers::default();
    let loss = |mlp: &mut Mlp<f64>, input: &[f64]| -> f64 {
        let mut buffers = MlpBuffers::default();
        mlp.forward_train(input, n, 0.9, None, &mut buffers);
        buffers.layers[0].values.iter().zip(&factors).map(|(y, c)| y * c).sum()
    };
    mlp.forward_train(&input, n, 0.9, None, &mut buffers);
    buffers.layers[0].gradient.clone_from(&factors);
    let mut input_gradient = vec![0.0; input.len()];
    mlp.backward(&input, &mut input_gradient, &mut buffers);

    let mut worst = 0.0_f64;
    let gradients: Vec<Vec<f64>> = mlp.parameters_mut().map(|parameter| parameter.gradient.clone()).collect();
    for (which, analytic) in gradients.iter().enumerate() {
        let numeric: Vec<f64> = (0..analytic.len())
            .map(|index| {
                difference(|shift| {
                    let at = |mlp: &mut Mlp<f64>, by| {
                        mlp.parameters_mut().nth(which).unwrap().values[index] += by;
                    };
                    let old = mlp.parameters_mut().nth(which).unwrap().values[index];
                    at(&mut mlp, shift);
                    let loss = loss(&mut mlp, &input);
                    mlp.parameters_mut().nth(which).unwrap().values[index] = old;
                    loss
                })
            })
            .collect();
        worst = worst.max(relative_error(analytic, &numeric));
    }
    let numeric: Vec<f64> = (0..input.len())
        .map(|index| {
            difference(|shift| {
                let old = input[index];
                input[index] += shift;
                let loss = loss(&mut mlp, &input);
                input[index] = old;
                loss
            })
        })
        .collect();
    worst.max(relative_error(&input_gradient, &numeric))
}

fn layer(kind: Option<ActivationKind>, batch_norm: bool) -> Layer<f64> {
    let (inputs, outputs) = (5, 6);
    let mut activation = kind.map_or(Activation::Linear, |kind| Activation::new(kind, outputs));
    if let Some(alpha) = activation.parameter_mut() {
        alpha.values = noises(3, outputs);
    }
    let batch_norm = batch_norm.then(|| {
        let mut norm = BatchNorm::new(outputs);
        norm.gamma.values = noises(4, outputs);
        norm.beta.values = noises(5, outputs);
        norm
    });
    let linear = Linear::new(inputs, outputs, noises(6, inputs * outputs), noises(7, outputs));
    Layer { linear, batch_norm, activation }
}

#[test]
fn gradients_of_each_dense_layer_type() {
    report("linear", layer_error(layer(None, false)));
    report("linear, sigmoid", layer_error(layer(Some(ActivationKind::Sigmoid), false)));
    report("linear, ReLU", layer_error(layer(Some(ActivationKind::Relu), false)));
    report("linear, PReLU (alpha per unit)", layer_error(layer(Some(ActivationKind::Prelu), false)));
    report("linear, Dice (through batch statistics)", layer_error(layer(Some(ActivationKind::Dice), false)));
    report("linear, batch norm", layer_error(layer(None, true)));
    report("linear, batch norm, Dice", layer_error(layer(Some(ActivationKind::Dice), true)));
}

fn categorical(name: &str, table: usize) -> Field {
    Field { name: name.to_owned(), kind: FieldKind::Categorical { table } }
}

fn numeric(name: &str) -> Field {
    let normaliser = Normaliser { transform: Transform::Log1p, mean: 0.5, scale: 1.5, limit: 4.0 };
    Field { name: name.to_owned(), kind: FieldKind::Numeric(normaliser) }
}

/// Six samples with one empty history, ids repeated within a history, between histories, with the candidate and between two
/// fields of one table, a numeric pair, an unpaired field, and table rows that nothing reads.
fn dataset() -> Dataset {
    let table = |name: &str, dim, count| TableSpec {
        name: name.to_owned(),
        dim,
        vocabulary: Vocabulary::Dense { first: 0, first_row: 1, count },
    };
    let behaviour = |field, pair| BehaviourField { field, pair };
    let schema = Schema {
        tables: vec![table("user", 2, 4), table("item", 3, 9), table("category", 2, 4)],
        profile: vec![categorical("user", 0), numeric("age")],
        context: vec![numeric("hour"), categorical("last_item", 1)],
        candidate: vec![categorical("category", 2), categorical("item", 1), numeric("price")],
        sequences: vec![
            SequenceSpec {
                name: "clicks".to_owned(),
                capacity: 4,
                fields: vec![
                    behaviour(categorical("item", 1), Some(1)),
                    behaviour(numeric("price"), Some(2)),
                    behaviour(categorical("category", 2), Some(0)),
                    behaviour(numeric("gap"), None),
                ],
            },
            SequenceSpec {
                name: "buys".to_owned(),
                capacity: 3,
                fields: vec![behaviour(categorical("item", 1), Some(1))],
            },
        ],
    };
    let rows = |rows: &[u32]| FieldColumn::Rows(rows.to_vec());
    let numbers = |seed, n| FieldColumn::Numbers(noises(seed, n).iter().map(|&x| 2.0 * x as f32).collect());
    let samples = Samples {
        labels: vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0],
        users: vec![0, 0, 1, 1, 2, 2],
        profile: vec![rows(&[1, 1, 2, 2, 0, 0]), numbers(20, 6)],
        context: vec![numbers(21, 6), rows(&[1, 2, 0, 4, 5, 1])],
        candidate: vec![rows(&[1, 2, 3, 1, 2, 0]), rows(&[1, 2, 3, 1, 5, 0]), numbers(22, 6)],
        histories: vec![
            Histories {
                pool: vec![
                    rows(&[1, 2, 2, 3, 1, 5, 0, 7]),
                    numbers(23, 8),
                    rows(&[1, 1, 2, 3, 3, 0, 1, 2]),
                    numbers(24, 8),
                ],
                spans: vec![(0, 4), (1, 3), (4, 4), (4, 8), (2, 6), (7, 8)],
            },
            Histories {
                pool: vec![rows(&[2, 6, 6, 1])],
                spans: vec![(0, 3), (0, 0), (1, 4), (3, 4), (2, 2), (0, 1)],
            },
        ],
    };
    Dataset { schema, samples, train: (0..6).collect(), ..Dataset::default() }
}

/// Of the loss of the whole model: dense parameters, all rows of all tables, the item bias.
fn model_error(config: &ModelConfig) -> f64 {
    let dataset = dataset();
    let batch = Batch { samples: &dataset.samples, indices: &dataset.train };
    let mut network = Network::<f64>::new(&dataset.schema, config, 1.0, 3).unwrap();
    for (which, parameter) in network.parameters_mut().enumerate() {
        for (index, value) in parameter.values.iter_mut().enumerate() {
            *value += 0.5 * noise(100 + which, index);
        }
    }
    if let Some(bias) = network.item_bias_mut() {
        bias.values.values = noises(50, bias.values.values.len());
    }
    let mut workspace = Workspace::default();
    let loss = |network: &mut Network<f64>, workspace: &mut Workspace<f64>| {
        network.forward_train(batch, &mut TrainingMode { moving_average: 0.9, dropout: None }, workspace)
    };
    loss(&mut network, &mut workspace);
    network.backward(batch, &mut workspace);

    let mut worst = 0.0_f64;
    // Sparse gradients, spread out: rows that the batch does not touch must have none.
    let mut tensors: Vec<Vec<f64>> =
        network.parameters_mut().map(|parameter| parameter.gradient.clone()).collect();
    let dense = tensors.len();
    let bias = network.item_bias_mut().map(|bias| bias.values.clone());
    for table in network.tables().iter().chain(&bias) {
        let mut gradient = vec![0.0; table.values.len()];
        for (row, own) in table.gradient.rows() {
            gradient[row as usize * table.dim..][..table.dim].copy_from_slice(own);
        }
        tensors.push(gradient);
    }
    let tables = network.tables().len();
    for (which, analytic) in tensors.iter().enumerate() {
        let value = |network: &mut Network<f64>, index: usize, set: Option<f64>| -> f64 {
            let values = if which < dense {
                &mut network.parameters_mut().nth(which).unwrap().values
            } else if which < dense + tables {
                &mut network.tables_mut()[which - dense].values
            } else {
                &mut network.item_bias_mut().unwrap().values.values
            };
            let old = values[index];
            values[index] = set.unwrap_or(old);
            old
        };
        let numeric: Vec<f64> = (0..analytic.len())
            .map(|index| {
                difference(|shift| {
                    let old = value(&mut network, index, None);
                    value(&mut network, index, Some(old + shift));
                    let loss = loss(&mut network, &mut workspace);
                    value(&mut network, index, Some(old));
                    loss
                })
            })
            .collect();
        worst = worst.max(relative_error(analytic, &numeric));
    }
    worst
}

/// A model whose head is linear, so that what is before it is what is checked.
fn shallow(pooling: PoolingKind) -> ModelConfig {
    ModelConfig {
        pooling,
        unit: UnitConfig { hidden: vec![4, 3], ..UnitConfig::default() },
        head: HeadConfig { hidden: Vec::new(), ..HeadConfig::default() },
    }
}

#[test]
fn gradients_of_embeddings_and_of_each_pooling() {
    report("embedding, shared tables, numeric inputs", model_error(&shallow(PoolingKind::None)));
    report("sum pooling", model_error(&shallow(PoolingKind::Sum)));
    report("mean pooling", model_error(&shallow(PoolingKind::Mean)));
    let with = |activation, normalisation| {
        let mut config = shallow(PoolingKind::Attention);
        config.unit.activation = activation;
        config.unit.normalisation = normalisation;
        model_error(&config)
    };
    use ActivationKind::{Dice, Prelu, Relu, Sigmoid};
    use AttentionNormalisation::{None, Softmax};
    report("attention, sigmoid unit", with(Sigmoid, None));
    report("attention, ReLU unit", with(Relu, None));
    report("attention, PReLU unit", with(Prelu, None));
    report("attention, Dice unit (over real behaviours)", with(Dice, None));
    report("attention, sigmoid unit, softmax", with(Sigmoid, Softmax));
    report("attention, Dice unit, softmax", with(Dice, Softmax));
}

#[test]
fn gradients_of_the_head_s_options() {
    let mut config = shallow(PoolingKind::Attention);
    config.head.item_bias = Some("item".to_owned());
    report("item bias", model_error(&config));
    let mut config = shallow(PoolingKind::Sum);
    config.head.product = true;
    report("product of interest and candidate", model_error(&config));
}

#[test]
fn gradients_of_the_whole_model() {
    for (name, activation, batch_norm, normalisation) in [
        ("whole model, Dice head", ActivationKind::Dice, false, AttentionNormalisation::None),
        ("whole model, PReLU head, softmax", ActivationKind::Prelu, false, AttentionNormalisation::Softmax),
        ("whole model, batch norm and ReLU head", ActivationKind::Relu, true, AttentionNormalisation::None),
    ] {
        let config = ModelConfig {
            pooling: PoolingKind::Attention,
            unit: UnitConfig { hidden: vec![5, 4], activation: ActivationKind::Sigmoid, normalisation },
            head: HeadConfig {
                hidden: vec![6, 4],
                activation,
                batch_norm,
                product: true,
                item_bias: Some("item".to_owned()),
            },
        };
        report(name, model_error(&config));
    }
}
