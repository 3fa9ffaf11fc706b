//! The whole network: inputs, pooling of each sequence, head, loss.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::attention::Attention;
use super::embedding::Embedding;
use super::error::NetworkError;
use super::inputs::{Batch, InputBuffers, Layout, Lookup};
use super::layer::{Dropout, Layer, Mlp, MlpBuffers};
use super::loss::{binary_cross_entropy, binary_cross_entropy_gradient};
use super::parameter::Parameter;
use super::pooling::{Pooling, Weighting};
use super::real::Real;
use super::sparse_gradient::Source;
use super::unit::ActivationUnit;
use crate::config::model::{ModelConfig, PoolingKind};
use crate::data::dataset::FieldColumn;
use crate::schema::{FieldKind, Schema, Vocabulary};

/// A Deep Interest Network: `logit = head([profile, context, pooled, candidate (, pooled * candidate)]) + item bias`.
///
/// # Source
/// Zhou et al., KDD 2018, section 4.
#[derive(Clone, Debug)]
pub struct Network<T> {
    /// For people.
    pub name: String,
    pub(super) schema: Schema,
    /// Where the head's input comes from.
    pub(super) layout: Layout,
    /// One for each table of the schema.
    pub(super) tables: Vec<Embedding<T>>,
    /// One for each sequence of the schema.
    pub(super) pooling: Vec<Pooling<T>>,
    pub(super) head: Mlp<T>,
    pub(super) item_bias: Option<ItemBias<T>>,
}

/// A number for each row of one candidate field's table, added to the logit.
#[derive(Clone, Debug)]
pub struct ItemBias<T> {
    /// Index of the candidate field.
    pub field: usize,
    /// One wide.
    pub values: Embedding<T>,
}

/// What a forward pass in training needs beyond the batch.
#[derive(Debug)]
pub struct TrainingMode<'a> {
    /// Share of the old value that the moving statistics keep.
    pub moving_average: f64,
    /// Of the head's hidden units.
    pub dropout: Option<Dropout<'a>>,
}

/// Buffers of a forward and a backward pass, allocated once and reused from step to step.
#[derive(Clone, Debug, Default)]
pub struct Workspace<T> {
    inputs: InputBuffers<T>,
    head: MlpBuffers<T>,
    logits: Vec<T>,
}

impl<T: Real> Network<T> {
    /// A new network: embeddings normal with deviation `embedding_init` (row 0 zero where it stands for unknown ids), dense
    /// weights Glorot uniform, biases and the item bias zero. The same seed gives the same network.
    ///
    /// With [`PoolingKind::None`] the network's schema has no sequences, nor the tables that they alone used.
    ///
    /// # Errors
    /// If the schema or the configuration describes no network: see [`NetworkError`].
    pub fn new(
        schema: &Schema,
        config: &ModelConfig,
        embedding_init: f64,
        seed: u64,
    ) -> Result<Self, NetworkError> {
        let schema = match config.pooling {
            PoolingKind::None => super::inputs::without_sequences(schema),
            _ => schema.clone(),
        };
        check_widths(config)?;
        let layout = Layout::new(&schema, config.head.product)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let item_bias = match &config.head.item_bias {
            Some(name) => Some(new_item_bias(&schema, name)?),
            None => None,
        };
        let tables = schema
            .tables
            .iter()
            .map(|table| {
                let vocabulary = &table.vocabulary;
                let unknown = has_unknown_row(vocabulary);
                Embedding::normal(vocabulary.rows(), table.dim, embedding_init, unknown, &mut rng)
            })
            .collect();
        let pooling = schema
            .sequences
            .iter()
            .map(|sequence| new_pooling(schema.key_width(sequence), config, &mut rng))
            .collect();
        let mut layers = Vec::new();
        let mut inputs = layout.width();
        for &outputs in &config.head.hidden {
            let head = &config.head;
            layers.push(Layer::hidden(inputs, outputs, head.activation, head.batch_norm, &mut rng));
            inputs = outputs;
        }
        layers.push(Layer::output(inputs, &mut rng));
        Ok(Self { name: "din".to_owned(), schema, layout, tables, pooling, head: Mlp { layers }, item_bias })
    }

    /// What the network reads.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// One for each table of the schema.
    #[must_use]
    pub fn tables(&self) -> &[Embedding<T>] {
        &self.tables
    }

    /// As [`Self::tables`], to be stepped.
    pub fn tables_mut(&mut self) -> &mut [Embedding<T>] {
        &mut self.tables
    }

    /// The item bias, if there is one.
    pub fn item_bias_mut(&mut self) -> Option<&mut ItemBias<T>> {
        self.item_bias.as_mut()
    }

    /// Every dense parameter, in a fixed order.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter<T>> {
        let units = self.pooling.iter_mut().filter_map(|pooling| match &mut pooling.weighting {
            Weighting::Attention(attention) => Some(&mut attention.unit),
            Weighting::Sum | Weighting::Mean => None,
        });
        units.flat_map(ActivationUnit::parameters_mut).chain(self.head.parameters_mut())
    }

    /// The mean binary cross-entropy of a batch, with batch statistics, which are folded into the moving ones.
    pub fn forward_train(
        &mut self,
        batch: Batch<'_>,
        mode: &mut TrainingMode<'_>,
        workspace: &mut Workspace<T>,
    ) -> f64 {
        let Workspace { inputs, head, .. } = workspace;
        let lookup = Lookup { layout: &self.layout, schema: &self.schema, tables: &self.tables, batch };
        inputs.gather(lookup);
        for (sequence, pooling) in self.pooling.iter_mut().enumerate() {
            inputs.pool(sequence, lookup, |queries, gather, pooled, buffers| {
                pooling.forward_train(queries, gather, mode.moving_average, pooled, buffers);
            });
        }
        inputs.write_pooled(&self.layout);
        let n = batch.indices.len();
        self.head.forward_train(inputs.head(), n, mode.moving_average, mode.dropout.as_mut(), head);
        self.write_logits(batch, workspace);
        binary_cross_entropy(&workspace.logits, &batch.samples.labels, batch.indices)
    }

    /// The logits of a batch: each depends on its own sample alone, since moving statistics stand in for the batch's.
    pub fn forward_eval<'w>(&self, batch: Batch<'_>, workspace: &'w mut Workspace<T>) -> &'w [T] {
        let Workspace { inputs, head, .. } = workspace;
        let lookup = Lookup { layout: &self.layout, schema: &self.schema, tables: &self.tables, batch };
        inputs.gather(lookup);
        for (sequence, pooling) in self.pooling.iter().enumerate() {
            inputs.pool(sequence, lookup, |queries, gather, pooled, buffers| {
                pooling.forward_eval(queries, gather, pooled, buffers);
            });
        }
        inputs.write_pooled(&self.layout);
        self.head.forward_eval(inputs.head(), batch.indices.len(), head);
        self.write_logits(batch, workspace);
        &workspace.logits
    }

    /// The gradients of the last [`Self::forward_train`]'s loss with respect to every parameter, dense and sparse; `batch` and
    /// `workspace` are those of that call. The gradients of the step before are forgotten.
    pub fn backward(&mut self, batch: Batch<'_>, workspace: &mut Workspace<T>) {
        let Workspace { inputs, head, logits } = workspace;
        let Some(last) = head.layers.last_mut() else { return };
        binary_cross_entropy_gradient(logits, &batch.samples.labels, batch.indices, &mut last.gradient);
        if let Some(bias) = &mut self.item_bias
            && let FieldColumn::Rows(rows) = &batch.samples.candidate[bias.field]
        {
            let gradient = &last.gradient;
            bias.values.gradient.set(&[Source { rows, at: batch.indices, gradient, stride: 1, column: 0 }]);
        }
        inputs.backward_head(|input, gradient| self.head.backward(input, gradient, head));
        inputs.read_pooled_gradient(&self.layout);
        for (sequence, pooling) in self.pooling.iter_mut().enumerate() {
            inputs.pool_backward(sequence, pooling);
        }
        inputs.scatter(&self.layout, &self.schema, &mut self.tables, batch);
    }

    fn write_logits(&self, batch: Batch<'_>, workspace: &mut Workspace<T>) {
        let Some(last) = workspace.head.layers.last() else { return };
        workspace.logits.clear();
        workspace.logits.extend_from_slice(&last.values);
        if let Some(bias) = &self.item_bias
            && let FieldColumn::Rows(rows) = &batch.samples.candidate[bias.field]
        {
            for (logit, &sample) in workspace.logits.iter_mut().zip(batch.indices) {
                *logit += bias.values.row(rows[sample as usize])[0];
            }
        }
    }
}

impl<T> Workspace<T> {
    /// Of the last forward pass: `[B]`.
    #[must_use]
    pub fn logits(&self) -> &[T] {
        &self.logits
    }
}

/// Whether row 0 stands for unknown ids and for nothing else.
fn has_unknown_row(vocabulary: &Vocabulary) -> bool {
    match vocabulary {
        Vocabulary::Dense { first_row, .. } => *first_row > 0,
        Vocabulary::Keys(_) | Vocabulary::HashedText(_) => true,
    }
}

fn check_widths(config: &ModelConfig) -> Result<(), NetworkError> {
    if config.head.hidden.contains(&0) {
        return Err(NetworkError::EmptyLayer { part: "head" });
    }
    if config.pooling == PoolingKind::Attention {
        if config.unit.hidden.is_empty() {
            return Err(NetworkError::NoHiddenUnitLayer);
        }
        if config.unit.hidden.contains(&0) {
            return Err(NetworkError::EmptyLayer { part: "activation unit" });
        }
    }
    Ok(())
}

fn new_pooling<T: Real>(width: usize, config: &ModelConfig, rng: &mut ChaCha8Rng) -> Pooling<T> {
    let weighting = match config.pooling {
        PoolingKind::Attention => Weighting::Attention(Box::new(Attention {
            unit: ActivationUnit::new(width, &config.unit, rng),
            normalisation: config.unit.normalisation,
        })),
        PoolingKind::Mean => Weighting::Mean,
        PoolingKind::Sum | PoolingKind::None => Weighting::Sum,
    };
    Pooling { width, weighting }
}

fn new_item_bias<T: Real>(schema: &Schema, name: &str) -> Result<ItemBias<T>, NetworkError> {
    let table_of = |kind: &FieldKind| match *kind {
        FieldKind::Categorical { table } => Some(table),
        FieldKind::Numeric(_) => None,
    };
    let found = schema.candidate.iter().position(|field| field.name == name);
    if let Some(field) = found
        && let Some(table) = table_of(&schema.candidate[field].kind)
    {
        let rows = schema.tables[table].vocabulary.rows();
        return Ok(ItemBias { field, values: Embedding::new(vec![T::zero(); rows], 1) });
    }
    let known: Vec<&str> = schema
        .candidate
        .iter()
        .filter(|field| table_of(&field.kind).is_some())
        .map(|field| field.name.as_str())
        .collect();
    Err(NetworkError::ItemBias { name: name.to_owned(), known: known.join(", ") })
}
