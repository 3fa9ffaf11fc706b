//! From trained weights to the bytes of a blob.

use super::calibration::{RANDOM_REQUESTS, Ranges, random_requests};
use super::embedding::{Embedding, Embeddings};
use super::forward::Network;
use super::integer::{self, IntegerError, IntegerModel};
use super::layout::Layout;
use super::options::{ExportOptions, NumericPath};
use super::rows::{self, PackedRows};
use super::sensitivity::{RowMoments, largest_change, row_moments};
use super::widening::{LARGEST_CHANGE, Widened, forms, small_tables};
use crate::request::Request;
use crate::schema::Schema;
use crate::weights::{ModelWeights, WeightsError};
use din_core::header::{HEADER_LEN, Header};
use din_core::{LoadError, Model};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// A model on its way to blobs: what several of them share is computed once.
pub struct Writer<'w> {
    network: Network<'w>,
    options: &'w ExportOptions,
    /// The options' requests, or drawn ones; empty until they are needed.
    requests: Vec<Request>,
    ranges: Option<Ranges>,
    moments: Option<Vec<RowMoments>>,
    packed: BTreeMap<(usize, Embedding), Arc<PackedRows>>,
    /// Largest changes of scores by packed tables.
    changes: BTreeMap<(usize, Embedding), f64>,
}

/// A blob, and how its tables came to be.
#[derive(Clone, Debug)]
pub struct Written {
    /// The bytes.
    pub blob: Vec<u8>,
    /// One for each table.
    pub tables: Vec<StoredTable>,
}

/// The rows of a table as the blob will have them.
#[derive(Clone, Debug)]
pub struct ChosenRows {
    /// Packed.
    pub rows: Arc<PackedRows>,
    /// Where their form is wider than what was asked.
    pub widened: Option<Widened>,
}

/// How a table is stored, and what that loses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredTable {
    /// Its name.
    pub table: String,
    /// Form of its rows.
    pub embedding: Embedding,
    /// Where that is wider than what was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widened: Option<Widened>,
    /// Against the trained rows.
    #[serde(flatten)]
    pub error: rows::RowError,
}

/// Writes a blob. The same input gives the same bytes, and the bytes load.
///
/// # Errors
/// As [`Writer::new`] and [`Writer::write`].
pub fn write(weights: &ModelWeights, options: &ExportOptions) -> Result<Vec<u8>, ExportError> {
    Ok(Writer::new(weights, options)?.write(options.path, &options.embedding)?.blob)
}

impl<'w> Writer<'w> {
    /// Folds a model. Path and row forms of the options are not looked at.
    ///
    /// # Errors
    /// [`ExportError::Shape`]
    pub fn new(weights: &'w ModelWeights, options: &'w ExportOptions) -> Result<Self, ExportError> {
        weights.check()?;
        Ok(Self {
            network: Network::new(weights),
            options,
            requests: Vec::new(),
            ranges: None,
            moments: None,
            packed: BTreeMap::new(),
            changes: BTreeMap::new(),
        })
    }

    /// Writes a blob. The same input gives the same bytes, and the bytes load.
    ///
    /// # Errors
    /// [`ExportError::UnknownTable`], [`ExportError::Overflow`], [`ExportError::Integer`], [`ExportError::TooLarge`];
    /// [`ExportError::Invalid`] for weights that are not finite.
    pub fn write(&mut self, path: NumericPath, embeddings: &Embeddings) -> Result<Written, ExportError> {
        let chosen = self.rows(embeddings)?;
        let packed: Vec<Arc<PackedRows>> = chosen.iter().map(|chosen| Arc::clone(&chosen.rows)).collect();
        let mut layout = Layout::new(self.network.weights)?;
        match path {
            NumericPath::F32 => layout.floats(&self.network, &packed)?,
            NumericPath::Integer => layout.integers(&self.integers(&packed)?, &packed)?,
        }
        let blob = layout.finish(self.options)?;
        Model::from_bytes(&blob)?;
        let weights = self.network.weights;
        let tables = weights.schema.tables.iter().zip(&weights.tables).zip(&chosen);
        let tables = tables.map(|((spec, values), ChosenRows { rows, widened })| StoredTable {
            table: spec.name.clone(),
            embedding: rows.embedding,
            widened: *widened,
            error: rows.error(values),
        });
        Ok(Written { blob, tables: tables.collect() })
    }

    /// The packed rows of each table.
    ///
    /// # Errors
    /// [`ExportError::UnknownTable`], [`ExportError::Overflow`].
    pub fn rows(&mut self, embeddings: &Embeddings) -> Result<Vec<ChosenRows>, ExportError> {
        let schema = &self.network.weights.schema;
        check_tables(schema, embeddings)?;
        let mut chosen = Vec::new();
        for (index, spec) in schema.tables.iter().enumerate() {
            let rows = self.pack(index, embeddings.of(&spec.name))?;
            chosen.push(ChosenRows { rows, widened: None });
        }
        if embeddings.widen {
            for table in small_tables(schema) {
                if !embeddings.tables.contains_key(&schema.tables[table].name) {
                    chosen[table] = self.widen(table, embeddings.default)?;
                }
            }
        }
        Ok(chosen)
    }

    /// A small table in the narrowest form that costs little.
    fn widen(&mut self, table: usize, asked: Embedding) -> Result<ChosenRows, ExportError> {
        let forms = forms(asked);
        let mut widened = None;
        for &embedding in forms {
            let rows = match self.pack(table, embedding) {
                // Numbers beyond f16 are kept as asked.
                Err(ExportError::Overflow(_)) if embedding != asked => {
                    return Ok(ChosenRows { rows: self.pack(table, asked)?, widened: None });
                }
                rows => rows?,
            };
            if forms.last() == Some(&embedding) {
                return Ok(ChosenRows { rows, widened });
            }
            let change = match self.changes.get(&(table, embedding)) {
                Some(change) => *change,
                None => largest_change(&self.network, &self.requests, table, &rows),
            };
            self.changes.insert((table, embedding), change);
            if change <= LARGEST_CHANGE {
                return Ok(ChosenRows { rows, widened });
            }
            widened.get_or_insert(Widened { asked, change });
        }
        unreachable!("every form has a last one")
    }

    /// The layers in integers, for tables that are packed so.
    ///
    /// # Errors
    /// As [`integer::quantize`].
    pub fn integers(&mut self, packed: &[Arc<PackedRows>]) -> Result<IntegerModel, IntegerError> {
        self.draw_requests();
        let ranges = self.ranges.get_or_insert_with(|| Ranges::measure(&self.network, &self.requests));
        integer::quantize(&self.network, packed, ranges)
    }

    fn pack(&mut self, table: usize, embedding: Embedding) -> Result<Arc<PackedRows>, ExportError> {
        if let Some(packed) = self.packed.get(&(table, embedding)) {
            return Ok(Arc::clone(packed));
        }
        if matches!(embedding, Embedding::Int8 | Embedding::Int4) && self.moments.is_none() {
            self.draw_requests();
            self.moments = Some(row_moments(&self.network, &self.requests));
        }
        let weights = self.network.weights;
        let (spec, values) = (&weights.schema.tables[table], &weights.tables[table]);
        let moments = self.moments.as_ref().map(|moments| &moments[table]);
        let packed = Arc::new(rows::pack(&spec.name, values, spec.dim, embedding, moments)?);
        self.packed.insert((table, embedding), Arc::clone(&packed));
        Ok(packed)
    }

    fn draw_requests(&mut self) {
        if self.requests.is_empty() {
            self.requests = match self.options.requests.as_slice() {
                [] => random_requests(self.network.weights, RANDOM_REQUESTS),
                given => given.to_vec(),
            };
        }
    }
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
fn check_tables(schema: &Schema, embeddings: &Embeddings) -> Result<(), ExportError> {
    let tables: Vec<&str> = schema.tables.iter().map(|spec| spec.name.as_str()).collect();
    match embeddings.tables.keys().find(|name| !tables.contains(&name.as_str())) {
        Some(name) => Err(ExportError::UnknownTable { name: name.clone(), tables: tables.join(", ") }),
        None => Ok(()),
    }
}
