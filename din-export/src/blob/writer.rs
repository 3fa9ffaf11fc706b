//! From trained weights to the bytes of a blob.

use super::calibration::Ranges;
use super::embedding::{Embedding, Embeddings};
use super::forward::Network;
use super::integer::{self, IntegerError};
use super::layout::Layout;
use super::options::{ExportOptions, NumericPath};
use super::rows;
use crate::schema::TableSpec;
use crate::weights::{ModelWeights, WeightsError};
use din_core::header::{HEADER_LEN, Header};
use din_core::{LoadError, Model};
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
    let packed = rows::pack_tables(weights, &options.embedding)?;
    let network = Network::new(weights);
    let mut layout = Layout::new(weights)?;
    match options.path {
        NumericPath::F32 => layout.floats(&network, packed, &options.embedding)?,
        NumericPath::Integer => {
            let ranges = Ranges::measure(&network, &options.requests);
            let model = integer::quantize(&network, &packed, &options.embedding, &ranges)?;
            layout.integers(&model, packed, &options.embedding)?;
        }
    }
    let bytes = layout.finish(options)?;
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
