//! A model as files, so that [`load`](super::load) reads it back.

use super::description::{
    ActivationParts, Description, FieldParts, HeadParts, ItemBiasParts, LayerParts, NormParts, PoolingParts,
    SequenceParts, TableParts,
};
use crate::job::export::ExportConfig;
use crate::schema::{Field, FieldKind, Schema, Vocabulary};
use crate::weights::{Activation, AttentionNormalisation, Layer, ModelWeights, PoolingWeights};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the weights in a model's folder.
const WEIGHTS: &str = "weights.safetensors";

/// The files that [`load`](super::load) reads back: `weights.safetensors` and the description, `model.toml`.
#[must_use]
pub fn files(weights: &ModelWeights, export: &ExportConfig, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut tensors = Tensors::default();
    let description = Description { export: export.clone(), ..tensors.describe(weights) };
    let text = toml::to_string(&description).expect("a description of plain strings and numbers encodes");
    vec![(folder.join(WEIGHTS), tensors.encode()), (folder.join("model.toml"), text.into_bytes())]
}

#[derive(Default)]
struct Tensors(BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>);

impl Tensors {
    fn numbers(&mut self, name: String, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.0.insert(name.clone(), (Dtype::F32, shape.to_vec(), bytes));
        name
    }

    fn vector(&mut self, of: &str, part: &str, values: &[f32]) -> String {
        self.numbers(format!("{of}.{part}"), &[values.len()], values)
    }

    fn encode(&self) -> Vec<u8> {
        let views = self.0.iter().map(|(name, (dtype, shape, bytes))| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).expect("bytes as many as the shape says"))
        });
        safetensors::serialize(views, None).expect("tensors of a known layout encode")
    }

    fn describe(&mut self, weights: &ModelWeights) -> Description {
        let schema = &weights.schema;
        let fields = |fields: &[Field]| fields.iter().map(|field| field_parts(schema, field, None)).collect();
        let mut tables = BTreeMap::new();
        for (spec, values) in schema.tables.iter().zip(&weights.tables) {
            let (first_id, first_row, keys) = match &spec.vocabulary {
                Vocabulary::Dense { first, first_row, .. } => (*first, *first_row as u8, None),
                Vocabulary::Keys(keys) | Vocabulary::HashedText(keys) => (0, 0, Some(keys)),
            };
            let keys = keys.map(|keys| {
                let name = format!("tables.{}.keys", spec.name);
                let bytes = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
                self.0.insert(name.clone(), (Dtype::U64, vec![keys.len()], bytes));
                name
            });
            let shape = [spec.vocabulary.rows(), spec.dim];
            let tensor = self.numbers(format!("tables.{}", spec.name), &shape, values);
            let hashed_text = matches!(spec.vocabulary, Vocabulary::HashedText(_));
            tables.insert(spec.name.clone(), TableParts { tensor, first_id, first_row, keys, hashed_text });
        }
        let mut sequences = Vec::new();
        for (sequence, pooling) in schema.sequences.iter().zip(&weights.pooling) {
            let (pooling, normalisation, layers) = match pooling {
                PoolingWeights::Sum => (PoolingParts::Sum, AttentionNormalisation::None, &[][..]),
                PoolingWeights::Mean => (PoolingParts::Mean, AttentionNormalisation::None, &[][..]),
                PoolingWeights::Attention { layers, normalisation } => {
                    (PoolingParts::Attention, *normalisation, layers.as_slice())
                }
            };
            sequences.push(SequenceParts {
                name: sequence.name.clone(),
                capacity: sequence.capacity,
                fields: sequence
                    .fields
                    .iter()
                    .map(|field| field_parts(schema, &field.field, field.pair))
                    .collect(),
                pooling,
                normalisation,
                layers: self.layers(&format!("unit.{}", sequence.name), layers),
            });
        }
        let item_bias = weights.item_bias.as_ref().map(|bias| ItemBiasParts {
            field: schema.candidate[bias.field].name.clone(),
            tensor: self.numbers("item_bias".to_owned(), &[bias.values.len()], &bias.values),
        });
        Description {
            name: weights.name.clone(),
            weights: WEIGHTS.into(),
            tables,
            profile: fields(&schema.profile),
            context: fields(&schema.context),
            candidate: fields(&schema.candidate),
            sequences,
            head: HeadParts { product: weights.product, layers: self.layers("head", &weights.head) },
            item_bias,
            export: ExportConfig::default(),
        }
    }

    fn layers(&mut self, of: &str, layers: &[Layer]) -> Vec<LayerParts> {
        layers.iter().enumerate().map(|(index, layer)| self.layer(&format!("{of}.{index}"), layer)).collect()
    }

    fn layer(&mut self, of: &str, layer: &Layer) -> LayerParts {
        let weight = self.numbers(format!("{of}.weight"), &[layer.outputs, layer.inputs], &layer.weight);
        let bias = self.vector(of, "bias", &layer.bias);
        let batch_norm = layer.batch_norm.as_ref().map(|norm| NormParts {
            mean: self.vector(of, "norm.mean", &norm.mean),
            variance: self.vector(of, "norm.variance", &norm.variance),
            gamma: Some(self.vector(of, "norm.gamma", &norm.gamma)),
            beta: Some(self.vector(of, "norm.beta", &norm.beta)),
            epsilon: norm.epsilon,
        });
        let activation = match &layer.activation {
            Activation::Linear => ActivationParts::Linear,
            Activation::Sigmoid => ActivationParts::Sigmoid,
            Activation::Relu => ActivationParts::Relu,
            Activation::PRelu { alpha } => ActivationParts::Prelu { alpha: self.vector(of, "alpha", alpha) },
            Activation::Dice { alpha, mean, variance, gamma, beta, epsilon } => ActivationParts::Dice {
                alpha: self.vector(of, "dice.alpha", alpha),
                mean: self.vector(of, "dice.mean", mean),
                variance: self.vector(of, "dice.variance", variance),
                gamma: Some(self.vector(of, "dice.gamma", gamma)),
                beta: Some(self.vector(of, "dice.beta", beta)),
                epsilon: *epsilon,
            },
        };
        LayerParts { weight, bias, transposed: false, batch_norm, activation }
    }
}

fn field_parts(schema: &Schema, field: &Field, pair: Option<usize>) -> FieldParts {
    let (table, numeric) = match field.kind {
        FieldKind::Categorical { table } => (Some(schema.tables[table].name.clone()), None),
        FieldKind::Numeric(normaliser) => (None, Some(normaliser)),
    };
    let pair = pair.map(|pair| schema.candidate[pair].name.clone());
    FieldParts { name: field.name.clone(), table, numeric, pair }
}
