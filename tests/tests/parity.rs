//! The trainer beside `PyTorch`: from the same weights, on the same batches, the same losses.
//!
//! The golden is `tests/reference/trainer/steps.safetensors`, which `steps.py` beside it makes.

use din_export::config::training::{OptimizerConfig, OptimizerKind, TrainingConfig};
use din_export::data::dataset::{Dataset, FieldColumn, Histories, Samples};
use din_export::network::{Batch, Network};
use din_export::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use din_export::training::Trainer;
use din_export::weights::{Activation, AttentionNormalisation, Layer, ModelWeights, PoolingWeights};
use safetensors::SafeTensors;

/// The golden's losses are made in f64 and the trainer's in f32.
const LARGEST_DIFFERENCE: f64 = 1e-5;

struct Golden<'a>(SafeTensors<'a>);

impl Golden<'_> {
    fn words<const N: usize>(&self, name: &str) -> Vec<[u8; N]> {
        let tensor = self.0.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        tensor.data().as_chunks().0.to_vec()
    }

    fn weight(&self, name: &str) -> Vec<f32> {
        self.words(&format!("weight.{name}")).into_iter().map(f32::from_le_bytes).collect()
    }

    /// Rows and columns of a weight.
    fn shape(&self, name: &str) -> [usize; 2] {
        let tensor = self.0.tensor(&format!("weight.{name}")).unwrap();
        tensor.shape().try_into().unwrap()
    }

    fn ids(&self, name: &str) -> Vec<u32> {
        self.words(&format!("batch.{name}")).into_iter().map(u32::from_le_bytes).collect()
    }

    fn losses(&self, rule: &str) -> Vec<f64> {
        self.words(&format!("loss.{rule}")).into_iter().map(f64::from_le_bytes).collect()
    }

    fn layer(&self, name: &str, activation: Activation) -> Layer {
        let [outputs, inputs] = self.shape(&format!("{name}.weight"));
        let weight = self.weight(&format!("{name}.weight"));
        let bias = self.weight(&format!("{name}.bias"));
        Layer { inputs, outputs, weight, bias, batch_norm: None, activation }
    }

    fn dice(&self, index: usize) -> Activation {
        let alpha = self.weight(&format!("alpha.{index}"));
        let width = alpha.len();
        Activation::Dice {
            alpha,
            mean: vec![0.0; width],
            variance: vec![1.0; width],
            gamma: vec![1.0; width],
            beta: vec![0.0; width],
            epsilon: 1e-8,
        }
    }

    fn model(&self) -> ModelWeights {
        let names = ["user", "item", "category"];
        let tables = names.map(|name| {
            let [rows, dim] = self.shape(&format!("table.{name}.weight"));
            let vocabulary = Vocabulary::Dense { first: 0, first_row: 0, count: rows as u32 };
            TableSpec { name: name.to_owned(), dim, vocabulary }
        });
        let field =
            |table: usize| Field { name: names[table].to_owned(), kind: FieldKind::Categorical { table } };
        let behaviour = |table, pair| BehaviourField { field: field(table), pair: Some(pair) };
        let schema = Schema {
            tables: tables.to_vec(),
            profile: vec![field(0)],
            context: Vec::new(),
            candidate: vec![field(1), field(2)],
            sequences: vec![SequenceSpec {
                name: "history".to_owned(),
                capacity: 9,
                fields: vec![behaviour(1, 0), behaviour(2, 1)],
            }],
        };
        let unit = vec![
            self.layer("unit.0", Activation::Sigmoid),
            self.layer("unit.1", Activation::Sigmoid),
            self.layer("unit.2", Activation::Linear),
        ];
        ModelWeights {
            name: "parity".to_owned(),
            schema,
            tables: names.map(|name| self.weight(&format!("table.{name}.weight"))).to_vec(),
            pooling: vec![PoolingWeights::Attention {
                layers: unit,
                normalisation: AttentionNormalisation::None,
            }],
            product: false,
            head: vec![
                self.layer("head.0", self.dice(0)),
                self.layer("head.1", self.dice(1)),
                self.layer("head.2", Activation::Linear),
            ],
            item_bias: None,
        }
    }

    /// All batches end to end; the pool holds what is beyond a history's end too.
    fn samples(&self) -> Samples {
        let column = |name: &str| FieldColumn::Rows(self.ids(name));
        let lengths = self.ids("length");
        let capacity = (self.ids("history_item").len() / lengths.len()) as u32;
        let starts = (0..).step_by(capacity as usize);
        Samples {
            labels: self.ids("label").into_iter().map(|label| label as f32).collect(),
            users: vec![0; lengths.len()],
            profile: vec![column("user")],
            context: Vec::new(),
            candidate: vec![column("item"), column("category")],
            histories: vec![Histories {
                pool: vec![column("history_item"), column("history_category")],
                spans: starts.zip(&lengths).map(|(start, length)| (start, start + length)).collect(),
            }],
        }
    }
}

#[test]
fn losses_over_twenty_steps_are_those_of_pytorch() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/reference/trainer/steps.safetensors"));
    let bytes = bytes.unwrap();
    let golden = Golden(SafeTensors::deserialize(&bytes).unwrap());
    let samples = golden.samples();
    let lengths = samples.histories[0].spans.iter().map(|(start, end)| end - start);
    assert!(lengths.clone().any(|length| length == 0) && lengths.max() == Some(9), "ragged");
    let train: Vec<u32> = (0..samples.labels.len() as u32).collect();
    for (rule, kind, learning_rate) in
        [("sgd", OptimizerKind::Sgd, 1.0), ("adam", OptimizerKind::Adam, 0.005)]
    {
        let network = Network::from_weights(&golden.model()).unwrap();
        let dataset = Dataset {
            schema: network.schema().clone(),
            samples: samples.clone(),
            train: train.clone(),
            ..Dataset::default()
        };
        let optimizer = OptimizerConfig { kind, learning_rate, ..OptimizerConfig::default() };
        let config = TrainingConfig { optimizer, ..TrainingConfig::default() };
        let mut trainer = Trainer::resume(network, &dataset, &config).unwrap();
        let losses = golden.losses(rule);
        assert_eq!(losses.len(), 20);
        let batches = dataset.train.chunks(24).cycle();
        let mut largest = 0.0_f64;
        for (step, (indices, expected)) in batches.zip(&losses).enumerate() {
            let loss = trainer.step(Batch { samples: &dataset.samples, indices });
            largest = largest.max((loss - expected).abs());
            assert!(largest < LARGEST_DIFFERENCE, "{rule}, step {step}: {loss}, PyTorch {expected}");
        }
        println!("{rule}: losses {:.4} to {:.4}, largest difference {largest:.1e}", losses[0], losses[15]);
        assert!(
            (losses[15] - losses[0]).abs() > 0.005,
            "the first batch, three times later: the steps go somewhere"
        );
    }
}
