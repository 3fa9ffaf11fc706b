//! A blob in the making: header, manifest, sections.

use super::ExportError;
use super::embedding::Embedding;
use super::fold::FoldedLayer;
use super::forward::Network;
use super::integer::packing::{pairs, parameters, quads};
use super::integer::{IntegerLayer, IntegerModel, IntegerPart, IntegerTable, Shifts};
use super::options::ExportOptions;
use super::rows::{PackedRows, little_endian};
use crate::schema::{BehaviourField, Field, FieldKind, Vocabulary};
use crate::weights::{AttentionNormalisation, ModelWeights, PoolingWeights};
use din_core::header::{FEATURE_INTEGER, HEADER_LEN, Header, MINOR, section_start};
use din_core::manifest::{
    self, FieldRecord, FixedRecord, IntegerLayerRecord, ItemBiasRecord, LayerRecord, MAX_CAPACITY, Manifest,
    NONE, Name, PartRecord, Pooling, Record, Records, SectionRecord, SequenceRecord, TableRecord,
    VocabularyKind,
};
use din_core::{Normaliser, crc32};
use std::sync::Arc;

/// Records and sections, in the order in which the loader expects them.
pub(super) struct Layout<'w> {
    weights: &'w ModelWeights,
    names: String,
    tables: Vec<TableRecord>,
    fields: Vec<FieldRecord>,
    sequences: Vec<SequenceRecord>,
    layers: Vec<LayerRecord>,
    parts: Vec<PartRecord>,
    integer_layers: Vec<IntegerLayerRecord>,
    fixed: Vec<FixedRecord>,
    item_bias: Option<ItemBiasRecord>,
    sections: Vec<Vec<u8>>,
    required_features: u32,
}

fn index(what: &str, found: usize) -> Result<u16, ExportError> {
    let limit = usize::from(NONE) - 1;
    if found > limit {
        return Err(ExportError::TooLarge { what: what.to_owned(), found, limit });
    }
    Ok(found as u16)
}

impl<'w> Layout<'w> {
    /// With what the schema says; no rows and no layer yet.
    pub(super) fn new(weights: &'w ModelWeights) -> Result<Self, ExportError> {
        let mut layout = Self {
            weights,
            names: String::new(),
            tables: Vec::new(),
            fields: Vec::new(),
            sequences: Vec::new(),
            layers: Vec::new(),
            parts: Vec::new(),
            integer_layers: Vec::new(),
            fixed: Vec::new(),
            item_bias: None,
            sections: Vec::new(),
            required_features: 0,
        };
        layout.tables()?;
        layout.fields()?;
        layout.sequences()?;
        Ok(layout)
    }

    /// The model in floats.
    pub(super) fn floats(
        &mut self,
        network: &Network<'_>,
        packed: &[Arc<PackedRows>],
    ) -> Result<(), ExportError> {
        for (table, packed) in packed.iter().enumerate() {
            self.rows(table, packed, little_endian(&packed.scales))?;
        }
        for layer in network.units.iter().flatten().chain(&network.head) {
            self.layer(layer)?;
        }
        self.item_bias(little_endian)
    }

    /// The model in integers.
    pub(super) fn integers(
        &mut self,
        model: &IntegerModel,
        packed: &[Arc<PackedRows>],
    ) -> Result<(), ExportError> {
        self.required_features |= FEATURE_INTEGER;
        for (table, (packed, integers)) in packed.iter().zip(&model.tables).enumerate() {
            let multipliers = integers.multipliers.iter().flat_map(|m| m.to_le_bytes()).collect();
            self.rows(table, packed, multipliers)?;
            let IntegerTable { fraction, shift, limit, .. } = *integers;
            let record = &mut self.tables[table];
            *record = TableRecord { fraction, shift, limit, ..*record };
        }
        for (record, shifts) in self.sequences.iter_mut().zip(&model.shifts) {
            let Shifts { weight_limit, weight_fraction, pooled_shift, product_shift } = *shifts;
            *record =
                SequenceRecord { weight_limit, weight_fraction, pooled_shift, product_shift, ..*record };
        }
        self.fixed = model.fixed.iter().map(|field| field.record()).collect();
        for layer in model.units.iter().flatten().chain(&model.head) {
            self.integer_layer(layer)?;
        }
        self.item_bias(|_| model.item_bias.iter().flat_map(|bias| bias.to_le_bytes()).collect())
    }

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

    /// [`NONE`] for no bytes.
    fn optional_section(&mut self, bytes: Vec<u8>) -> Result<u16, ExportError> {
        if bytes.is_empty() { Ok(NONE) } else { self.section(bytes) }
    }

    fn tables(&mut self) -> Result<(), ExportError> {
        for spec in &self.weights.schema.tables {
            let (vocabulary, first_id, first_row) = match &spec.vocabulary {
                // The loader admits first rows 0 and 1 alone.
                Vocabulary::Dense { first, first_row, .. } => {
                    (VocabularyKind::Dense, *first, u8::try_from(*first_row).unwrap_or(u8::MAX))
                }
                Vocabulary::Keys(_) => (VocabularyKind::Keys, 0, 0),
                Vocabulary::HashedText(_) => (VocabularyKind::HashedText, 0, 0),
            };
            let record = TableRecord {
                name: self.name(&spec.name)?,
                rows: spec.vocabulary.rows() as u32,
                dim: index(&format!("width of table `{}`", spec.name), spec.dim)?,
                vocabulary,
                first_id,
                first_row,
                ..TableRecord::default()
            };
            self.tables.push(record);
        }
        Ok(())
    }

    /// The sections of a table.
    fn rows(&mut self, table: usize, packed: &PackedRows, scales: Vec<u8>) -> Result<(), ExportError> {
        let values = self.section(packed.values.clone())?;
        let scales = self.optional_section(scales)?;
        let keys = match &self.weights.schema.tables[table].vocabulary {
            Vocabulary::Dense { .. } => NONE,
            Vocabulary::Keys(keys) | Vocabulary::HashedText(keys) => {
                self.section(keys.iter().flat_map(|key| key.to_le_bytes()).collect())?
            }
        };
        let record = &mut self.tables[table];
        *record = TableRecord { encoding: encoding(packed.embedding), values, scales, keys, ..*record };
        Ok(())
    }

    fn fields(&mut self) -> Result<(), ExportError> {
        let schema = &self.weights.schema;
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

    fn sequences(&mut self) -> Result<(), ExportError> {
        for (sequence, pooling) in self.weights.schema.sequences.iter().zip(&self.weights.pooling) {
            let name = self.name(&sequence.name)?;
            if sequence.capacity > MAX_CAPACITY as usize {
                let what = format!("capacity of sequence `{}`", sequence.name);
                let limit = MAX_CAPACITY as usize;
                return Err(ExportError::TooLarge { what, found: sequence.capacity, limit });
            }
            let (pooling, layers) = match pooling {
                PoolingWeights::Sum => (Pooling::Sum, 0),
                PoolingWeights::Mean => (Pooling::Mean, 0),
                PoolingWeights::Attention { layers, normalisation } => match normalisation {
                    AttentionNormalisation::None => (Pooling::Attention, layers.len()),
                    AttentionNormalisation::Softmax => (Pooling::SoftmaxAttention, layers.len()),
                },
            };
            let what = format!("layers of the unit of sequence `{}`", sequence.name);
            let too_many = ExportError::TooLarge { what, found: layers, limit: u8::MAX.into() };
            self.sequences.push(SequenceRecord {
                name,
                capacity: sequence.capacity as u16,
                fields: index("fields of a behaviour", sequence.fields.len())?,
                pooling,
                layers: u8::try_from(layers).map_err(|_| too_many)?,
                ..SequenceRecord::default()
            });
        }
        Ok(())
    }

    fn layer(&mut self, layer: &FoldedLayer) -> Result<(), ExportError> {
        let record = LayerRecord {
            inputs: layer.inputs as u32,
            outputs: layer.outputs as u32,
            activation: layer.activation,
            weight: self.section(little_endian(&layer.weight))?,
            bias: self.section(little_endian(&layer.bias))?,
            parameters: self.optional_section(little_endian(&layer.parameters))?,
        };
        self.layers.push(record);
        Ok(())
    }

    fn integer_layer(&mut self, layer: &IntegerLayer) -> Result<(), ExportError> {
        for part in &layer.parts {
            self.part(part, layer.outputs)?;
        }
        let too_many = |_| ExportError::TooLarge {
            what: "parts of a layer".to_owned(),
            found: layer.parts.len(),
            limit: u8::MAX.into(),
        };
        let record = IntegerLayerRecord {
            outputs: layer.outputs as u32,
            activation: layer.activation,
            parts: u8::try_from(layer.parts.len()).map_err(too_many)?,
            addend: self.section(layer.addend.iter().flat_map(|addend| addend.to_le_bytes()).collect())?,
            parameters: self.optional_section(parameters(&layer.parameters))?,
            shift: layer.shift,
            fraction: layer.fraction,
        };
        self.integer_layers.push(record);
        Ok(())
    }

    fn part(&mut self, part: &IntegerPart, outputs: usize) -> Result<(), ExportError> {
        let record = PartRecord {
            inputs: part.inputs as u32,
            weight: self.section(quads(&part.weight, outputs))?,
            base: match &part.base {
                Some(base) => self.section(pairs(base, outputs))?,
                None => NONE,
            },
            multipliers: self.section(part.multipliers.iter().flat_map(|m| m.to_le_bytes()).collect())?,
            shift: part.shift,
        };
        self.parts.push(record);
        Ok(())
    }

    fn item_bias(&mut self, bytes: impl Fn(&[f32]) -> Vec<u8>) -> Result<(), ExportError> {
        if let Some(bias) = &self.weights.item_bias {
            let values = self.section(bytes(&bias.values))?;
            self.item_bias = Some(ItemBiasRecord { field: index("item bias field", bias.field)?, values });
        }
        Ok(())
    }

    /// The blob's bytes.
    pub(super) fn finish(self, options: &ExportOptions) -> Result<Vec<u8>, ExportError> {
        // Records are of fixed width, so the manifest's length is known before the offsets are.
        let mut sections: Vec<SectionRecord> =
            self.sections.iter().map(|bytes| SectionRecord { offset: 0, len: bytes.len() as u64 }).collect();
        let manifest_len = self.manifest(&sections)?.len();
        let mut end = HEADER_LEN + manifest_len;
        for (record, bytes) in sections.iter_mut().zip(&self.sections) {
            let start = section_start(end, bytes.len());
            record.offset = start as u64;
            end = start + bytes.len();
        }
        let mut blob = vec![0; HEADER_LEN];
        blob.extend(self.manifest(&sections)?);
        for (record, bytes) in sections.iter().zip(&self.sections) {
            blob.resize(record.offset as usize, 0);
            blob.extend_from_slice(bytes);
        }
        blob.resize(section_start(end, 0), 0);
        let header = Header {
            minor: MINOR,
            total_len: blob.len() as u64,
            header_len: HEADER_LEN as u32,
            manifest_len: manifest_len as u32,
            required_features: self.required_features,
            model_id: if options.model_id == 0 {
                din_core::hash_text(&self.weights.name)
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

    fn manifest(&self, sections: &[SectionRecord]) -> Result<Vec<u8>, ExportError> {
        let schema = &self.weights.schema;
        let (tables, fields, sequences) =
            (encode(&self.tables), encode(&self.fields), encode(&self.sequences));
        let (layers, sections) = (encode(&self.layers), encode(sections));
        let (parts, integer_layers, fixed) =
            (encode(&self.parts), encode(&self.integer_layers), encode(&self.fixed));
        let manifest = Manifest {
            name: &self.weights.name,
            names: &self.names,
            tables: Records::new(&tables),
            fields: Records::new(&fields),
            profile_fields: index("profile fields", schema.profile.len())?,
            context_fields: index("context fields", schema.context.len())?,
            candidate_fields: index("candidate fields", schema.candidate.len())?,
            sequences: Records::new(&sequences),
            layers: Records::new(&layers),
            product: self.weights.product,
            item_bias: self.item_bias,
            sections: Records::new(&sections),
            parts: Records::new(&parts),
            integer_layers: Records::new(&integer_layers),
            fixed: Records::new(&fixed),
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
