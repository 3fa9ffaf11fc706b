//! Lays out a blob: header, manifest, sections.

use super::embedding::{Embedding, Embeddings};
use super::fold::{self, FoldedLayer};
use super::integer::IntegerError;
use super::options::{ExportOptions, NumericPath};
use super::rows;
use crate::schema::{BehaviourField, Field, FieldKind, TableSpec, Vocabulary};
use crate::weights::{AttentionNormalisation, ModelWeights, PoolingWeights, WeightsError};
use din_core::header::{ALIGNMENT, HEADER_LEN, Header, MINOR};
use din_core::manifest::{
    self, FieldRecord, ItemBiasRecord, LayerRecord, MAX_CAPACITY, Manifest, NONE, Name, Pooling, Record,
    Records, SectionRecord, SequenceRecord, TableRecord, VocabularyKind,
};
use din_core::{LoadError, Model, Normaliser, crc32};
use serde::Serialize;

/// Why a model cannot be written as a blob.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A tensor has another shape than the rest of the model implies.
    #[error(transparent)]
    Shape(#[from] WeightsError),
    /// A limit of the format.
    #[error("{what} is {found}, the blob format allows at most {limit}")]
    TooLarge {
        /// Of what.
        what: String,
        /// In the model.
        found: usize,
        /// Of the format.
        limit: usize,
    },
    /// A form was chosen for a table that there is not.
    #[error(
        "a form of embedding rows was chosen for table `{name}`, which the model does not have; it has {tables}"
    )]
    UnknownTable {
        /// What was found.
        name: String,
        /// What there is.
        tables: String,
    },
    /// A number that its table's form cannot hold.
    #[error(transparent)]
    Overflow(#[from] rows::Overflow),
    /// The form is not part of the format yet.
    #[error("this version of the format does not have the integer path")]
    Unwritable,
    /// The integer path cannot hold the model.
    #[error(transparent)]
    Integer(#[from] IntegerError),
    /// A weight is not finite; training would have stopped, so this is an import's.
    #[error("the model does not make a valid blob: {0}")]
    Invalid(#[from] LoadError),
}

/// Writes a blob. The same input gives the same bytes, and the bytes load.
///
/// # Errors
/// [`ExportError::Shape`], [`ExportError::TooLarge`]; [`ExportError::Invalid`] for weights that are not finite.
pub fn write(weights: &ModelWeights, options: &ExportOptions) -> Result<Vec<u8>, ExportError> {
    weights.check()?;
    check_tables(weights, &options.embedding)?;
    if options.path == NumericPath::Integer {
        return Err(ExportError::Unwritable);
    }
    let mut layout = Layout::default();
    layout.tables(weights, &options.embedding)?;
    layout.fields(weights)?;
    layout.sequences(weights)?;
    for layer in &weights.head {
        layout.layer(&fold::layer(layer))?;
    }
    let item_bias = match &weights.item_bias {
        Some(bias) => {
            let values = layout.section(rows::little_endian(&bias.values))?;
            Some(ItemBiasRecord { field: index("item bias field", bias.field)?, values })
        }
        None => None,
    };
    let bytes = layout.finish(weights, item_bias, options)?;
    Model::from_bytes(&bytes)?;
    Ok(bytes)
}

/// What the form of one table's rows loses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableError {
    /// Of the table.
    pub table: String,
    /// Of its rows.
    pub embedding: Embedding,
    /// Against the trained rows.
    #[serde(flatten)]
    pub error: rows::RowError,
}

/// What the forms of the rows lose, for each table.
///
/// # Errors
/// [`ExportError::Overflow`]
pub fn row_errors(weights: &ModelWeights, embeddings: &Embeddings) -> Result<Vec<TableError>, ExportError> {
    let tables = weights.schema.tables.iter().zip(&weights.tables);
    let error = |(spec, values): (&TableSpec, &Vec<f32>)| {
        let embedding = embeddings.of(&spec.name);
        let packed = rows::pack(&spec.name, values, spec.dim, embedding)?;
        Ok(TableError { table: spec.name.clone(), embedding, error: packed.error(values) })
    };
    tables.map(error).collect()
}

/// Appends a signature over everything before it; `sign` gets those bytes, with the final header, and returns exactly
/// `len` bytes. An existing signature is replaced.
///
/// # Errors
/// [`ExportError::Invalid`] if the bytes are no blob, [`ExportError::TooLarge`] if `sign` does not keep to its length.
pub fn attach_signature(
    blob: &[u8],
    len: u32,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<Vec<u8>, ExportError> {
    let (_, signed) = Model::from_bytes(blob)?.signature();
    let mut bytes = signed.to_vec();
    let total_len = bytes.len() as u64 + u64::from(len);
    let header = Header { signature_len: len, total_len, ..Header::parse(blob)? };
    bytes[..HEADER_LEN].copy_from_slice(&header.to_bytes());
    let signature = sign(&bytes);
    if signature.len() != len as usize {
        let what = "signature length".to_owned();
        return Err(ExportError::TooLarge { what, found: signature.len(), limit: len as usize });
    }
    bytes.extend(signature);
    Ok(bytes)
}

/// Refuses a form for a table that there is not.
fn check_tables(weights: &ModelWeights, embeddings: &Embeddings) -> Result<(), ExportError> {
    let tables: Vec<&str> = weights.schema.tables.iter().map(|spec| spec.name.as_str()).collect();
    match embeddings.tables.keys().find(|name| !tables.contains(&name.as_str())) {
        Some(name) => Err(ExportError::UnknownTable { name: name.clone(), tables: tables.join(", ") }),
        None => Ok(()),
    }
}

/// A blob in the making.
#[derive(Default)]
struct Layout {
    names: String,
    tables: Vec<TableRecord>,
    fields: Vec<FieldRecord>,
    sequences: Vec<SequenceRecord>,
    layers: Vec<LayerRecord>,
    sections: Vec<Vec<u8>>,
}

fn index(what: &str, found: usize) -> Result<u16, ExportError> {
    let limit = usize::from(NONE) - 1;
    if found > limit {
        return Err(ExportError::TooLarge { what: what.to_owned(), found, limit });
    }
    Ok(found as u16)
}

impl Layout {
    fn name(&mut self, name: &str) -> Result<Name, ExportError> {
        let start = index("length of all names", self.names.len())?;
        let too_long = ExportError::TooLarge {
            what: format!("length of the name `{name}`"),
            found: name.len(),
            limit: 255,
        };
        let len = u8::try_from(name.len()).map_err(|_| too_long)?;
        self.names.push_str(name);
        Ok(Name { start, len })
    }

    fn section(&mut self, bytes: Vec<u8>) -> Result<u16, ExportError> {
        let number = index("number of sections", self.sections.len())?;
        self.sections.push(bytes);
        Ok(number)
    }

    fn tables(&mut self, weights: &ModelWeights, embeddings: &Embeddings) -> Result<(), ExportError> {
        for (spec, values) in weights.schema.tables.iter().zip(&weights.tables) {
            let name = self.name(&spec.name)?;
            let embedding = embeddings.of(&spec.name);
            let packed = rows::pack(&spec.name, values, spec.dim, embedding)?;
            let values = self.section(packed.values)?;
            let scales = match embedding {
                Embedding::F32 | Embedding::F16 => NONE,
                Embedding::Int8 | Embedding::Int4 => self.section(rows::little_endian(&packed.scales))?,
            };
            let (vocabulary, first_id, first_row, keys) = match &spec.vocabulary {
                Vocabulary::Dense { first, first_row, .. } => {
                    // The loader admits 0 and 1 alone.
                    let first_row = u8::try_from(*first_row).unwrap_or(u8::MAX);
                    (VocabularyKind::Dense, *first, first_row, None)
                }
                Vocabulary::Keys(keys) => (VocabularyKind::Keys, 0, 0, Some(keys)),
                Vocabulary::HashedText(keys) => (VocabularyKind::HashedText, 0, 0, Some(keys)),
            };
            let keys = match keys {
                Some(keys) => self.section(keys.iter().flat_map(|key| key.to_le_bytes()).collect())?,
                None => NONE,
            };
            self.tables.push(TableRecord {
                name,
                rows: spec.vocabulary.rows() as u32,
                dim: index(&format!("width of table `{}`", spec.name), spec.dim)?,
                encoding: encoding(embedding),
                values,
                scales,
                vocabulary,
                first_id,
                first_row,
                keys,
                ..TableRecord::default()
            });
        }
        Ok(())
    }

    fn fields(&mut self, weights: &ModelWeights) -> Result<(), ExportError> {
        let schema = &weights.schema;
        for field in schema.profile.iter().chain(&schema.context).chain(&schema.candidate) {
            self.field(field, None)?;
        }
        for BehaviourField { field, pair } in schema.sequences.iter().flat_map(|sequence| &sequence.fields) {
            self.field(field, *pair)?;
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, pair: Option<usize>) -> Result<(), ExportError> {
        let name = self.name(&field.name)?;
        let (kind, table, normaliser) = match field.kind {
            FieldKind::Categorical { table } => {
                (manifest::FieldKind::Categorical, index("number of tables", table)?, Normaliser::IDENTITY)
            }
            FieldKind::Numeric(normaliser) => (manifest::FieldKind::Numeric, NONE, normaliser),
        };
        let pair = pair.map_or(Ok(NONE), |pair| index("paired field", pair))?;
        self.fields.push(FieldRecord { name, kind, table, pair, normaliser });
        Ok(())
    }

    fn sequences(&mut self, weights: &ModelWeights) -> Result<(), ExportError> {
        for (sequence, pooling) in weights.schema.sequences.iter().zip(&weights.pooling) {
            let name = self.name(&sequence.name)?;
            if sequence.capacity > MAX_CAPACITY as usize {
                let what = format!("capacity of sequence `{}`", sequence.name);
                let limit = MAX_CAPACITY as usize;
                return Err(ExportError::TooLarge { what, found: sequence.capacity, limit });
            }
            let first_layer = self.layers.len();
            let pooling = match pooling {
                PoolingWeights::Sum => Pooling::Sum,
                PoolingWeights::Mean => Pooling::Mean,
                PoolingWeights::Attention { layers, normalisation } => {
                    for (index, layer) in layers.iter().enumerate() {
                        let folded = match index {
                            0 => fold::unit_first_layer(&weights.schema, sequence, layer),
                            _ => fold::layer(layer),
                        };
                        self.layer(&folded)?;
                    }
                    match normalisation {
                        AttentionNormalisation::None => Pooling::Attention,
                        AttentionNormalisation::Softmax => Pooling::SoftmaxAttention,
                    }
                }
            };
            self.sequences.push(SequenceRecord {
                name,
                capacity: sequence.capacity as u16,
                fields: index("fields of a behaviour", sequence.fields.len())?,
                pooling,
                layers: (self.layers.len() - first_layer) as u8,
                ..SequenceRecord::default()
            });
        }
        Ok(())
    }

    fn layer(&mut self, layer: &FoldedLayer) -> Result<(), ExportError> {
        let weight = self.section(rows::little_endian(&layer.weight))?;
        let bias = self.section(rows::little_endian(&layer.bias))?;
        let parameters = if layer.parameters.is_empty() {
            NONE
        } else {
            self.section(rows::little_endian(&layer.parameters))?
        };
        self.layers.push(LayerRecord {
            inputs: layer.inputs as u32,
            outputs: layer.outputs as u32,
            activation: layer.activation,
            weight,
            bias,
            parameters,
        });
        Ok(())
    }

    fn finish(
        self,
        weights: &ModelWeights,
        item_bias: Option<ItemBiasRecord>,
        options: &ExportOptions,
    ) -> Result<Vec<u8>, ExportError> {
        // Records are of fixed width, so the manifest's length is known before the offsets are.
        let mut sections: Vec<SectionRecord> =
            self.sections.iter().map(|bytes| SectionRecord { offset: 0, len: bytes.len() as u64 }).collect();
        let manifest_len = self.manifest(weights, item_bias, &sections)?.len();
        let mut cursor = (HEADER_LEN + manifest_len).next_multiple_of(ALIGNMENT);
        for (record, bytes) in sections.iter_mut().zip(&self.sections) {
            record.offset = cursor as u64;
            cursor = (cursor + bytes.len()).next_multiple_of(ALIGNMENT);
        }
        let mut blob = vec![0; HEADER_LEN];
        blob.extend(self.manifest(weights, item_bias, &sections)?);
        for (record, bytes) in sections.iter().zip(&self.sections) {
            blob.resize(record.offset as usize, 0);
            blob.extend_from_slice(bytes);
        }
        blob.resize(cursor, 0);
        let header = Header {
            minor: MINOR,
            total_len: blob.len() as u64,
            header_len: HEADER_LEN as u32,
            manifest_len: manifest_len as u32,
            model_id: if options.model_id == 0 {
                din_core::hash_text(&weights.name)
            } else {
                options.model_id
            },
            model_version: options.model_version,
            body_crc: crc32(&blob[HEADER_LEN..]),
            ..Header::default()
        };
        blob[..HEADER_LEN].copy_from_slice(&header.to_bytes());
        Ok(blob)
    }

    fn manifest(
        &self,
        weights: &ModelWeights,
        item_bias: Option<ItemBiasRecord>,
        sections: &[SectionRecord],
    ) -> Result<Vec<u8>, ExportError> {
        let (tables, fields, sequences) =
            (encode(&self.tables), encode(&self.fields), encode(&self.sequences));
        let (layers, sections) = (encode(&self.layers), encode(sections));
        let manifest = Manifest {
            name: &weights.name,
            names: &self.names,
            tables: Records::new(&tables),
            fields: Records::new(&fields),
            profile_fields: index("profile fields", weights.schema.profile.len())?,
            context_fields: index("context fields", weights.schema.context.len())?,
            candidate_fields: index("candidate fields", weights.schema.candidate.len())?,
            sequences: Records::new(&sequences),
            layers: Records::new(&layers),
            product: weights.product,
            item_bias,
            sections: Records::new(&sections),
            parts: Records::new(&[]),
            integer_layers: Records::new(&[]),
            fixed: Records::new(&[]),
        };
        Ok(postcard::to_stdvec(&manifest).expect("a manifest of plain records encodes"))
    }
}

fn encode<R: Record>(records: &[R]) -> Vec<u8> {
    records.iter().flat_map(|record| postcard::to_stdvec(record).expect("a plain record encodes")).collect()
}

const fn encoding(embedding: Embedding) -> manifest::RowEncoding {
    match embedding {
        Embedding::F32 => manifest::RowEncoding::F32,
        Embedding::F16 => manifest::RowEncoding::F16,
        Embedding::Int8 => manifest::RowEncoding::Int8,
        Embedding::Int4 => manifest::RowEncoding::Int4,
    }
}
