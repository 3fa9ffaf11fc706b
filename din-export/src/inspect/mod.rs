//! What a blob holds, for people and for machines.

use din_core::manifest::{
    Activation, FieldKind, IntegerLayerRecord, PartRecord, Pooling, RowEncoding, VocabularyKind,
};
use din_core::{Blocking, Field, Group, Model};
use serde::Serialize;
use std::fmt;

/// Everything about a blob but its numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// Given at export.
    pub name: String,
    /// Format version, `major.minor`.
    pub format: String,
    /// Which model this is.
    pub model_id: u64,
    /// Which version of it.
    pub model_version: u64,
    /// "f32" or "integer".
    pub path: &'static str,
    /// Bytes of the whole blob.
    pub bytes: usize,
    /// Bytes of header and manifest.
    pub manifest_bytes: usize,
    /// Bytes of the signature.
    pub signature_bytes: u32,
    /// Numbers of scratch, four bytes each, that a ranker needs on a 32-bit core.
    pub scratch_len: usize,
    /// Bytes of that scratch.
    pub scratch_bytes: usize,
    /// Bytes of scratch on a 64-bit processor, where more is computed together.
    pub scratch_bytes_64_bit: usize,
    /// Multiply-accumulates a candidate, histories full.
    pub macs_per_candidate: u64,
    /// Embedding tables.
    pub tables: Vec<TableInspection>,
    /// Profile fields.
    pub profile: Vec<FieldInspection>,
    /// Context fields.
    pub context: Vec<FieldInspection>,
    /// Candidate fields.
    pub candidate: Vec<FieldInspection>,
    /// Behaviour sequences.
    pub sequences: Vec<SequenceInspection>,
    /// Layers: of each unit in the order of the sequences, then of the head.
    pub layers: Vec<LayerInspection>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableInspection {
    /// Its name.
    pub name: String,
    /// Row 0 included.
    pub rows: u32,
    /// Numbers in a row.
    pub dim: usize,
    /// "f32", "f16", "int8" or "int4".
    pub encoding: &'static str,
    /// "dense", "keys" or "hashed text".
    pub vocabulary: &'static str,
    /// Bytes of rows and scales.
    pub bytes: usize,
    /// Bytes of keys.
    pub key_bytes: usize,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldInspection {
    /// Its name.
    pub name: String,
    /// Its table; absent for a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Of a behaviour's field: the candidate field that it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
}

/// One sequence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SequenceInspection {
    /// Its name.
    pub name: String,
    /// The most behaviours used.
    pub capacity: usize,
    /// "attention", "softmax attention", "sum" or "mean".
    pub pooling: &'static str,
    /// Width of the key.
    pub key_width: usize,
    /// Of a behaviour.
    pub fields: Vec<FieldInspection>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerInspection {
    /// Rows of the weight.
    pub inputs: usize,
    /// Columns of the weight.
    pub outputs: usize,
    /// "linear", "sigmoid", "relu", "prelu" or "dice".
    pub activation: &'static str,
    /// Bytes of weight, bias and parameters.
    pub bytes: usize,
}

/// Describes a loaded model.
#[must_use]
pub fn inspect(model: &Model<'_>) -> Inspection {
    let header = model.header();
    let fields = |group| model.fields(group).map(|field| describe(model, &field)).collect();
    Inspection {
        name: model.name().to_owned(),
        format: format!("{}.{}", din_core::header::MAJOR, header.minor),
        model_id: header.model_id,
        model_version: header.model_version,
        path: if header.is_integer() { "integer" } else { "f32" },
        bytes: model.bytes().len(),
        manifest_bytes: header.header_len as usize + model.manifest_len(),
        signature_bytes: header.signature_len,
        scratch_len: model.scratch_len_for(Blocking::SMALL),
        scratch_bytes: model.scratch_len_for(Blocking::SMALL) * 4,
        scratch_bytes_64_bit: model.scratch_len_for(Blocking::LARGE) * 4,
        macs_per_candidate: model.candidate_macs(),
        tables: model.tables().map(|table| describe_table(&table)).collect(),
        profile: fields(Group::Profile),
        context: fields(Group::Context),
        candidate: fields(Group::Candidate),
        sequences: model.sequences().map(|sequence| describe_sequence(model, &sequence)).collect(),
        layers: describe_layers(model),
    }
}

fn describe_table(table: &din_core::Table<'_>) -> TableInspection {
    TableInspection {
        name: table.name().to_owned(),
        rows: table.rows(),
        dim: table.dim(),
        encoding: match table.encoding() {
            RowEncoding::F32 => "f32",
            RowEncoding::Int8 => "int8",
            RowEncoding::F16 => "f16",
            RowEncoding::Int4 => "int4",
            _ => "unknown",
        },
        vocabulary: match table.vocabulary() {
            VocabularyKind::Dense => "dense",
            VocabularyKind::Keys => "keys",
            VocabularyKind::HashedText => "hashed text",
            _ => "unknown",
        },
        bytes: table.values_len(),
        key_bytes: table.keys_len(),
    }
}

fn describe(model: &Model<'_>, field: &Field<'_>) -> FieldInspection {
    let table = field.table.filter(|_| field.kind == FieldKind::Categorical);
    let pair = field.pair.and_then(|pair| model.fields(Group::Candidate).nth(pair));
    FieldInspection {
        name: field.name.to_owned(),
        table: table.map(|table| model.table(table).name().to_owned()),
        pair: pair.map(|pair| pair.name.to_owned()),
    }
}

fn describe_sequence(model: &Model<'_>, sequence: &din_core::Sequence<'_>) -> SequenceInspection {
    SequenceInspection {
        name: sequence.name().to_owned(),
        capacity: sequence.capacity(),
        pooling: match sequence.pooling() {
            Pooling::Sum => "sum",
            Pooling::Mean => "mean",
            Pooling::Attention => "attention",
            Pooling::SoftmaxAttention => "softmax attention",
            _ => "unknown",
        },
        key_width: sequence.key_width(),
        fields: model.behaviour_fields(sequence).map(|field| describe(model, &field)).collect(),
    }
}

fn describe_layers(model: &Model<'_>) -> Vec<LayerInspection> {
    if !model.header().is_integer() {
        let describe = |layer: din_core::Layer<'_>| LayerInspection {
            inputs: layer.inputs(),
            outputs: layer.outputs(),
            activation: activation_name(layer.activation()),
            bytes: layer.byte_len(),
        };
        return model.layers().map(describe).collect();
    }
    let manifest = model.manifest();
    let section_len = |index: u16| {
        let section = manifest.sections.get(index.into()).unwrap_or_default();
        section.len as usize
    };
    let mut parts = manifest.parts.iter();
    let describe = |layer: IntegerLayerRecord| {
        let own = section_len(layer.addend) + section_len(layer.parameters);
        let parts: Vec<_> = parts.by_ref().take(layer.parts.into()).collect();
        let of_part = |part: &PartRecord| {
            section_len(part.weight) + section_len(part.base) + section_len(part.multipliers)
        };
        LayerInspection {
            inputs: parts.iter().map(|part| part.inputs as usize).sum(),
            outputs: layer.outputs as usize,
            activation: activation_name(layer.activation),
            bytes: own + parts.iter().map(of_part).sum::<usize>(),
        }
    };
    manifest.integer_layers.iter().map(describe).collect()
}

fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::Linear => "linear",
        Activation::Sigmoid => "sigmoid",
        Activation::Relu => "relu",
        Activation::PRelu => "prelu",
        Activation::Dice => "dice",
        _ => "unknown",
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} version {} (id {:#018x}), format {}, {} path",
            self.name, self.model_version, self.model_id, self.format, self.path
        )?;
        writeln!(
            f,
            "{} bytes, {} of them header and manifest; {} bytes of scratch ({} numbers) on a 32-bit core, {} on a 64-bit \
             processor; {} multiply-accumulates a candidate",
            self.bytes,
            self.manifest_bytes,
            self.scratch_bytes,
            self.scratch_len,
            self.scratch_bytes_64_bit,
            self.macs_per_candidate
        )?;
        writeln!(
            f,
            "\n{:<24} {:>9} {:>5} {:>9} {:>12} {:>11} {:>10}",
            "table", "rows", "dim", "encoding", "vocabulary", "bytes", "key bytes"
        )?;
        for table in &self.tables {
            writeln!(
                f,
                "{:<24} {:>9} {:>5} {:>9} {:>12} {:>11} {:>10}",
                table.name,
                table.rows,
                table.dim,
                table.encoding,
                table.vocabulary,
                table.bytes,
                table.key_bytes
            )?;
        }
        writeln!(f)?;
        for (group, fields) in
            [("profile", &self.profile), ("context", &self.context), ("candidate", &self.candidate)]
        {
            writeln!(f, "{group}: {}", list(fields))?;
        }
        for sequence in &self.sequences {
            writeln!(
                f,
                "sequence {}: last {} behaviours, {} pooling, key {} wide: {}",
                sequence.name,
                sequence.capacity,
                sequence.pooling,
                sequence.key_width,
                list(&sequence.fields)
            )?;
        }
        writeln!(f, "\n{:<8} {:>7} {:>8} {:>11} {:>9}", "layer", "inputs", "outputs", "activation", "bytes")?;
        for (index, layer) in self.layers.iter().enumerate() {
            writeln!(
                f,
                "{index:<8} {:>7} {:>8} {:>11} {:>9}",
                layer.inputs, layer.outputs, layer.activation, layer.bytes
            )?;
        }
        Ok(())
    }
}

fn list(fields: &[FieldInspection]) -> String {
    if fields.is_empty() {
        return "none".to_owned();
    }
    let describe = |field: &FieldInspection| {
        let what =
            field.table.as_ref().map_or_else(|| "a number".to_owned(), |table| format!("table {table}"));
        let pair = field.pair.as_ref().map_or_else(String::new, |pair| format!(", compared with {pair}"));
        format!("{} ({what}{pair})", field.name)
    };
    fields.iter().map(describe).collect::<Vec<_>>().join(", ")
}
