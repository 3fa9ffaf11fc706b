//! Models in f32 as files: a safetensors file, and a TOML that says which tensor is which part.
//!
//! [`load`] brings in a model trained elsewhere, or one whose [`files`] were written.

mod description;
mod error;
mod save;

pub use error::ImportError;
pub use save::files;

use crate::job::export::ExportConfig;
use crate::job::file::explain;
use crate::job::nearest::Suggestion;
use crate::schema::{BehaviourField, Field, FieldKind, Schema, SequenceSpec, TableSpec, Vocabulary};
use crate::weights::{Activation, BatchNorm, ItemBias, Layer, ModelWeights, PoolingWeights};
use description::{
    ActivationParts, Description, FieldParts, LayerParts, PoolingParts, SequenceParts, TableParts,
};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// How blobs of a described model are written: its `[export]`.
///
/// # Errors
/// [`ImportError::Unreadable`], [`ImportError::Toml`].
pub fn export_config(description: &Path) -> Result<ExportConfig, ImportError> {
    read(description).map(|parts| parts.export)
}

fn read(description: &Path) -> Result<Description, ImportError> {
    let unreadable = |source| ImportError::Unreadable { file: description.to_owned(), source };
    let text = std::fs::read_to_string(description).map_err(unreadable)?;
    Ok(toml::from_str(&text).map_err(|error| explain(&error, &text, description))?)
}

/// Reads a description and the weights that it names.
///
/// # Errors
/// Every variant of [`ImportError`].
pub fn load(description: &Path) -> Result<ModelWeights, ImportError> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |source| ImportError::Unreadable { file, source }
    };
    let parts = read(description)?;
    let file = description.parent().unwrap_or(Path::new("")).join(&parts.weights);
    let bytes = std::fs::read(&file).map_err(unreadable(&file))?;
    let tensors = SafeTensors::deserialize(&bytes)
        .map_err(|error| ImportError::Weights { file: file.clone(), message: error.to_string() })?;
    let import = Import { description, file: &file, tensors };
    let weights = import.model(&parts)?;
    weights.check().map_err(|source| ImportError::Shape { file: description.to_owned(), source })?;
    Ok(weights)
}

struct Import<'a> {
    description: &'a Path,
    file: &'a Path,
    tensors: SafeTensors<'a>,
}

impl Import<'_> {
    fn model(&self, parts: &Description) -> Result<ModelWeights, ImportError> {
        let mut schema = Schema::default();
        let mut tables = Vec::new();
        for (name, table) in &parts.tables {
            let (spec, values) = self.table(name, table)?;
            schema.tables.push(spec);
            tables.push(values);
        }
        schema.profile = self.fields(&schema, &parts.profile)?;
        schema.context = self.fields(&schema, &parts.context)?;
        schema.candidate = self.fields(&schema, &parts.candidate)?;
        let mut pooling = Vec::new();
        for sequence in &parts.sequences {
            let spec = self.sequence(&schema, sequence)?;
            pooling.push(match sequence.pooling {
                PoolingParts::Sum => PoolingWeights::Sum,
                PoolingParts::Mean => PoolingWeights::Mean,
                PoolingParts::Attention => PoolingWeights::Attention {
                    layers: self.layers(&sequence.layers)?,
                    normalisation: sequence.normalisation,
                },
            });
            schema.sequences.push(spec);
        }
        let item_bias = match &parts.item_bias {
            None => None,
            Some(bias) => Some(ItemBias {
                field: self.position(
                    "candidate field",
                    &bias.field,
                    schema.candidate.iter().map(|f| &*f.name),
                )?,
                values: self.numbers(&bias.tensor)?.1,
            }),
        };
        Ok(ModelWeights {
            name: parts.name.clone(),
            tables,
            pooling,
            product: parts.head.product,
            head: self.layers(&parts.head.layers)?,
            item_bias,
            schema,
        })
    }

    fn table(&self, name: &str, parts: &TableParts) -> Result<(TableSpec, Vec<f32>), ImportError> {
        let (shape, values) = self.numbers(&parts.tensor)?;
        let &[rows, dim] = shape.as_slice() else {
            return Err(self.unusable(&parts.tensor, &format!("of shape {shape:?}"), "[rows, dim]"));
        };
        if rows == 0 || dim == 0 {
            return Err(self.unusable(&parts.tensor, &format!("of shape {shape:?}"), "at least [1, 1]"));
        }
        let vocabulary = match &parts.keys {
            Some(keys) if parts.hashed_text => Vocabulary::HashedText(self.keys(keys, rows)?),
            Some(keys) => Vocabulary::Keys(self.keys(keys, rows)?),
            None => Vocabulary::Dense {
                first: parts.first_id,
                first_row: parts.first_row.into(),
                count: (rows as u32).saturating_sub(parts.first_row.into()),
            },
        };
        Ok((TableSpec { name: name.to_owned(), dim, vocabulary }, values))
    }

    /// Keys of rows 1 and up.
    fn keys(&self, tensor: &str, rows: usize) -> Result<Vec<u64>, ImportError> {
        let view = self.tensor(tensor)?;
        if !matches!(view.dtype(), Dtype::U64 | Dtype::I64) || view.shape() != [rows.saturating_sub(1)] {
            let found = format!("{:?} of shape {:?}", view.dtype(), view.shape());
            return Err(self.unusable(
                tensor,
                &found,
                &format!("U64 or I64 of shape [{}]", rows.saturating_sub(1)),
            ));
        }
        Ok(view.data().as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }

    fn fields(&self, schema: &Schema, parts: &[FieldParts]) -> Result<Vec<Field>, ImportError> {
        parts.iter().map(|field| self.field(schema, field)).collect()
    }

    fn field(&self, schema: &Schema, parts: &FieldParts) -> Result<Field, ImportError> {
        let kind = match (&parts.table, parts.numeric) {
            (Some(table), None) => FieldKind::Categorical {
                table: self.position("table", table, schema.tables.iter().map(|table| &*table.name))?,
            },
            (None, Some(normaliser)) => FieldKind::Numeric(normaliser),
            _ => {
                let message = format!("field `{}` needs either `table` or `numeric`", parts.name);
                return Err(ImportError::Description { file: self.description.to_owned(), message });
            }
        };
        Ok(Field { name: parts.name.clone(), kind })
    }

    fn sequence(&self, schema: &Schema, parts: &SequenceParts) -> Result<SequenceSpec, ImportError> {
        let mut fields = Vec::new();
        for field in &parts.fields {
            let candidates = schema.candidate.iter().map(|field| &*field.name);
            let pair = field
                .pair
                .as_ref()
                .map(|pair| self.position("candidate field", pair, candidates))
                .transpose()?;
            fields.push(BehaviourField { field: self.field(schema, field)?, pair });
        }
        if !fields.is_sorted_by_key(|field| field.pair.is_none()) {
            let message = format!("sequence `{}`: fields with a pair must come first", parts.name);
            return Err(ImportError::Description { file: self.description.to_owned(), message });
        }
        Ok(SequenceSpec { name: parts.name.clone(), capacity: parts.capacity, fields })
    }

    fn layers(&self, parts: &[LayerParts]) -> Result<Vec<Layer>, ImportError> {
        parts.iter().map(|layer| self.layer(layer)).collect()
    }

    fn layer(&self, parts: &LayerParts) -> Result<Layer, ImportError> {
        let (shape, stored) = self.numbers(&parts.weight)?;
        let &[rows, columns] = shape.as_slice() else {
            return Err(self.unusable(&parts.weight, &format!("of shape {shape:?}"), "a matrix"));
        };
        let (outputs, inputs) = if parts.transposed { (columns, rows) } else { (rows, columns) };
        let weight = if parts.transposed {
            (0..outputs)
                .flat_map(|o| (0..inputs).map(move |i| (i, o)))
                .map(|(i, o)| stored[i * outputs + o])
                .collect()
        } else {
            stored
        };
        let batch_norm = match &parts.batch_norm {
            None => None,
            Some(norm) => Some(BatchNorm {
                mean: self.vector(&norm.mean, outputs)?,
                variance: self.vector(&norm.variance, outputs)?,
                gamma: self.vector_or(norm.gamma.as_deref(), outputs, 1.0)?,
                beta: self.vector_or(norm.beta.as_deref(), outputs, 0.0)?,
                epsilon: norm.epsilon,
            }),
        };
        let activation = match &parts.activation {
            ActivationParts::Linear => Activation::Linear,
            ActivationParts::Sigmoid => Activation::Sigmoid,
            ActivationParts::Relu => Activation::Relu,
            ActivationParts::Prelu { alpha } => Activation::PRelu { alpha: self.vector(alpha, outputs)? },
            ActivationParts::Dice { alpha, mean, variance, gamma, beta, epsilon } => Activation::Dice {
                alpha: self.vector(alpha, outputs)?,
                mean: self.vector(mean, outputs)?,
                variance: self.vector(variance, outputs)?,
                gamma: self.vector_or(gamma.as_deref(), outputs, 1.0)?,
                beta: self.vector_or(beta.as_deref(), outputs, 0.0)?,
                epsilon: *epsilon,
            },
        };
        let bias = self.vector(&parts.bias, outputs)?;
        Ok(Layer { inputs, outputs, weight, bias, batch_norm, activation })
    }

    fn vector_or(&self, tensor: Option<&str>, len: usize, default: f32) -> Result<Vec<f32>, ImportError> {
        tensor.map_or_else(|| Ok(vec![default; len]), |tensor| self.vector(tensor, len))
    }

    fn vector(&self, tensor: &str, len: usize) -> Result<Vec<f32>, ImportError> {
        let (shape, values) = self.numbers(tensor)?;
        if values.len() != len {
            return Err(self.unusable(tensor, &format!("of shape {shape:?}"), &format!("[{len}]")));
        }
        Ok(values)
    }

    fn numbers(&self, tensor: &str) -> Result<(Vec<usize>, Vec<f32>), ImportError> {
        let view = self.tensor(tensor)?;
        let values = match view.dtype() {
            Dtype::F32 => view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            Dtype::F64 => {
                view.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect()
            }
            other => return Err(self.unusable(tensor, &format!("{other:?}"), "F32 or F64")),
        };
        Ok((view.shape().to_vec(), values))
    }

    fn tensor(&self, name: &str) -> Result<safetensors::tensor::TensorView<'_>, ImportError> {
        self.tensors.tensor(name).map_err(|_| ImportError::Unknown {
            file: self.file.to_owned(),
            what: "tensor",
            name: name.to_owned(),
            suggestion: Suggestion::new(name, self.tensors.names()),
        })
    }

    fn position<'n>(
        &self,
        what: &'static str,
        name: &str,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<usize, ImportError> {
        names.clone().position(|candidate| candidate == name).ok_or_else(|| ImportError::Unknown {
            file: self.description.to_owned(),
            what,
            name: name.to_owned(),
            suggestion: Suggestion::new(name, names),
        })
    }

    fn unusable(&self, tensor: &str, found: &str, expected: &str) -> ImportError {
        ImportError::Tensor {
            file: self.file.to_owned(),
            tensor: tensor.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        }
    }
}
