//! The shape of a model: everything but its numbers, and how numbers are drawn for it.

use crate::random::Random;
use din_export::schema::Schema;
use din_export::weights::{
    Activation, AttentionNormalisation, BatchNorm, ItemBias, Layer, ModelWeights, PoolingWeights,
};

/// What follows a layer's affine part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationShape {
    /// Nothing.
    Linear,
    /// The logistic function.
    Sigmoid,
    /// Rectified.
    Relu,
    /// Rectified, with a slope for each unit.
    PRelu,
    /// As in the paper: gamma 1, beta 0, epsilon 1e-8.
    Dice,
    /// As some implementations learn it: with gamma and beta, epsilon 1e-3.
    AffineDice,
}

/// A hidden layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HiddenLayer {
    /// Units.
    pub outputs: usize,
    /// Whether batch normalisation stands before the activation.
    pub batch_norm: bool,
    /// What follows.
    pub activation: ActivationShape,
}

/// How a sequence is pooled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolingShape {
    /// The sum of the keys.
    Sum,
    /// Their mean.
    Mean,
    /// An activation unit: these layers, then a linear one of one unit.
    Attention(Vec<HiddenLayer>, AttentionNormalisation),
}

/// A model without its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelShape {
    /// What it reads.
    pub schema: Schema,
    /// One for each sequence.
    pub pooling: Vec<PoolingShape>,
    /// Whether the head also reads pooled * candidate.
    pub product: bool,
    /// Hidden layers of the head; a linear one of one unit follows.
    pub head: Vec<HiddenLayer>,
    /// The candidate field that has a bias for each row.
    pub item_bias: Option<usize>,
}

impl ModelShape {
    /// Width of the head's input.
    #[must_use]
    pub fn head_inputs(&self) -> usize {
        let schema = &self.schema;
        let fields = schema.profile.iter().chain(&schema.context).chain(&schema.candidate);
        let sequences = schema.sequences.iter().map(|sequence| {
            schema.key_width(sequence) + if self.product { schema.paired_width(sequence) } else { 0 }
        });
        schema.total_width(fields) + sequences.sum::<usize>()
    }

    /// Draws numbers of the sizes that a trained model has: activations stay around 1.
    ///
    /// # Panics
    /// If an item bias is asked for on a numeric field.
    #[must_use]
    pub fn fill(&self, name: &str, random: &mut Random) -> ModelWeights {
        let schema = &self.schema;
        let tables = schema.tables.iter();
        let tables =
            tables.map(|table| random.numbers(table.vocabulary.rows() * table.dim, 0.0, 0.7)).collect();
        let pooling = schema.sequences.iter().zip(&self.pooling).map(|(sequence, pooling)| match pooling {
            PoolingShape::Sum => PoolingWeights::Sum,
            PoolingShape::Mean => PoolingWeights::Mean,
            PoolingShape::Attention(hidden, normalisation) => PoolingWeights::Attention {
                layers: layers(4 * schema.key_width(sequence), hidden, random),
                normalisation: *normalisation,
            },
        });
        let pooling = pooling.collect();
        let head = layers(self.head_inputs(), &self.head, random);
        let item_bias = self.item_bias.map(|field| {
            let rows = match schema.candidate[field].kind {
                din_export::schema::FieldKind::Categorical { table } => {
                    schema.tables[table].vocabulary.rows()
                }
                din_export::schema::FieldKind::Numeric(_) => panic!("a numeric field has no rows"),
            };
            ItemBias { field, values: random.numbers(rows, 0.0, 0.5) }
        });
        let schema = schema.clone();
        ModelWeights {
            name: name.to_owned(),
            schema,
            tables,
            pooling,
            product: self.product,
            head,
            item_bias,
        }
    }
}

fn layers(inputs: usize, hidden: &[HiddenLayer], random: &mut Random) -> Vec<Layer> {
    let last = HiddenLayer { outputs: 1, batch_norm: false, activation: ActivationShape::Linear };
    let mut inputs = inputs;
    let layer = |shape: &HiddenLayer| {
        let layer = layer(inputs, shape, random);
        inputs = shape.outputs;
        layer
    };
    hidden.iter().chain([&last]).map(layer).collect()
}

fn layer(inputs: usize, shape: &HiddenLayer, random: &mut Random) -> Layer {
    let n = shape.outputs;
    let batch_norm = shape.batch_norm.then(|| BatchNorm {
        mean: random.numbers(n, 0.0, 0.3),
        variance: random.numbers(n, 1.0, 0.7),
        gamma: random.numbers(n, 1.0, 0.4),
        beta: random.numbers(n, 0.0, 0.3),
        epsilon: 1e-5,
    });
    let alpha = |random: &mut Random| random.numbers(n, 0.2, 0.4);
    let activation = match shape.activation {
        ActivationShape::Linear => Activation::Linear,
        ActivationShape::Sigmoid => Activation::Sigmoid,
        ActivationShape::Relu => Activation::Relu,
        ActivationShape::PRelu => Activation::PRelu { alpha: alpha(random) },
        ActivationShape::Dice => Activation::Dice {
            alpha: alpha(random),
            mean: random.numbers(n, 0.0, 0.4),
            variance: random.numbers(n, 0.6, 0.5),
            gamma: vec![1.0; n],
            beta: vec![0.0; n],
            epsilon: 1e-8,
        },
        ActivationShape::AffineDice => Activation::Dice {
            alpha: alpha(random),
            mean: random.numbers(n, 0.0, 0.4),
            variance: random.numbers(n, 0.6, 0.5),
            gamma: random.numbers(n, 1.0, 0.4),
            beta: random.numbers(n, 0.0, 0.3),
            epsilon: 1e-3,
        },
    };
    Layer {
        inputs,
        outputs: n,
        weight: random.numbers(inputs * n, 0.0, 1.7 / (inputs as f32).sqrt()),
        bias: random.numbers(n, 0.0, 0.3),
        batch_norm,
        activation,
    }
}
