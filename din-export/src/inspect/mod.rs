//! What a blob holds, for people and for machines.
//!
//! | module | concept |
//! |---|---|
//! | [`rounding`] | how far stored numbers are from trained ones |
//! | [`mod@arithmetic`] | multiply-accumulates, and an estimate of cycles on small cores |
//! | [`memory`] | RAM and flash, and whether they fit |
//! | `report` | the text for people |

pub mod arithmetic;
mod measured;
pub mod memory;
mod report;
pub mod rounding;

use arithmetic::{Arithmetic, CycleEstimate, arithmetic, cycle_estimates};
use din_core::manifest::{
    Activation, FieldKind, FixedRecord, IntegerLayerRecord, PartRecord, Pooling, RowEncoding, VocabularyKind,
};
use din_core::{Blocking, Field, Group, Model};
use memory::{Fit, Ram};
use rounding::RoundingError;
use serde::Serialize;

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
    /// What a firmware keeps in RAM for it, on a 32-bit core.
    pub ram: Ram,
    /// The same on a 64-bit processor.
    pub ram_64_bit: Ram,
    /// Multiply-accumulates a candidate, histories full.
    pub macs_per_candidate: u64,
    /// What they consist of.
    pub arithmetic: Arithmetic,
    /// Cycles a candidate, histories full, on small cores.
    pub cycles: Vec<CycleEstimate>,
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
    /// Bytes of the item bias.
    pub item_bias_bytes: u64,
    /// Whether it fits what was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
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
    /// How far its numbers are from the trained ones.
    pub rounding: RoundingError,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldInspection {
    /// Its name.
    pub name: String,
    /// Inputs that it contributes.
    pub width: usize,
    /// Its table; absent for a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Of a number in an integer blob: what a step is worth, after the normaliser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
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
    /// "head", or the sequence whose activation unit it belongs to.
    pub of: String,
    /// Rows of the weight.
    pub inputs: usize,
    /// Columns of the weight.
    pub outputs: usize,
    /// "linear", "sigmoid", "relu", "prelu" or "dice".
    pub activation: &'static str,
    /// Bytes of weight, bias and parameters.
    pub bytes: usize,
    /// How far its weights are from the trained ones, batch norm folded.
    pub rounding: RoundingError,
}

/// Describes a loaded model. How far its numbers are from the trained ones is what the blob itself tells:
/// [`Inspection::compare`] measures it.
#[must_use]
pub fn inspect(model: &Model<'_>) -> Inspection {
    let header = model.header();
    // In the order of the manifest's fixed-point forms: profile, context, candidate, behaviours.
    let mut fixed = model.manifest().fixed.iter();
    let mut describe = |field: Field<'_>| {
        let fixed = if field.kind == FieldKind::Numeric { fixed.next() } else { None };
        describe_field(model, &field, fixed)
    };
    let [profile, context, candidate] = [Group::Profile, Group::Context, Group::Candidate]
        .map(|group| model.fields(group).map(&mut describe).collect());
    let sequences = model.sequences().map(|sequence| {
        let fields = model.behaviour_fields(&sequence).map(&mut describe).collect();
        describe_sequence(&sequence, fields)
    });
    let sequences = sequences.collect();
    let sections = model.manifest().sections;
    let section_len = |index: u16| sections.get(index.into()).unwrap_or_default().len;
    let arithmetic = arithmetic(model);
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
        ram: Ram::of(model, Blocking::SMALL),
        ram_64_bit: Ram::of(model, Blocking::LARGE),
        macs_per_candidate: model.candidate_macs(),
        cycles: cycle_estimates(&arithmetic, header.is_integer()),
        arithmetic,
        tables: model
            .tables()
            .enumerate()
            .map(|(index, table)| describe_table(model, index, &table))
            .collect(),
        profile,
        context,
        candidate,
        sequences,
        layers: describe_layers(model),
        item_bias_bytes: model.manifest().item_bias.map_or(0, |bias| section_len(bias.values)),
        fit: None,
    }
}

fn describe_table(model: &Model<'_>, index: usize, table: &din_core::Table<'_>) -> TableInspection {
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
        rounding: rounding::of_table(model, index),
    }
}

fn describe_field(model: &Model<'_>, field: &Field<'_>, fixed: Option<FixedRecord>) -> FieldInspection {
    let table = field.table.filter(|_| field.kind == FieldKind::Categorical).map(|table| model.table(table));
    let pair = field.pair.and_then(|pair| model.fields(Group::Candidate).nth(pair));
    FieldInspection {
        name: field.name.to_owned(),
        width: table.map_or(1, |table| table.dim()),
        table: table.map(|table| table.name().to_owned()),
        step: fixed.map(|fixed| 2.0_f64.powi(-i32::from(fixed.fraction))),
        pair: pair.map(|pair| pair.name.to_owned()),
    }
}

fn describe_sequence(sequence: &din_core::Sequence<'_>, fields: Vec<FieldInspection>) -> SequenceInspection {
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
        fields,
    }
}

fn describe_layers(model: &Model<'_>) -> Vec<LayerInspection> {
    let units = model.sequences().zip(model.manifest().sequences.iter());
    let owners: Vec<String> =
        units.flat_map(|(sequence, record)| vec![sequence.name().to_owned(); record.layers.into()]).collect();
    let of = |index: usize| owners.get(index).cloned().unwrap_or_else(|| "head".to_owned());
    if !model.header().is_integer() {
        let describe = |(index, layer): (usize, din_core::Layer<'_>)| LayerInspection {
            of: of(index),
            inputs: layer.inputs(),
            outputs: layer.outputs(),
            activation: activation_name(layer.activation()),
            bytes: layer.byte_len(),
            rounding: RoundingError::EXACT,
        };
        return model.layers().enumerate().map(describe).collect();
    }
    let (manifest, errors) = (model.manifest(), rounding::of_layers(model));
    let section_len = |index: u16| manifest.sections.get(index.into()).unwrap_or_default().len as usize;
    let mut parts = manifest.parts.iter();
    let describe = |(index, layer): (usize, IntegerLayerRecord)| {
        let own = section_len(layer.addend) + section_len(layer.parameters);
        let parts: Vec<_> = parts.by_ref().take(layer.parts.into()).collect();
        let of_part = |part: &PartRecord| {
            section_len(part.weight) + section_len(part.base) + section_len(part.multipliers)
        };
        LayerInspection {
            of: of(index),
            inputs: parts.iter().map(|part| part.inputs as usize).sum(),
            outputs: layer.outputs as usize,
            activation: activation_name(layer.activation),
            bytes: own + parts.iter().map(of_part).sum::<usize>(),
            rounding: errors.get(index).copied().unwrap_or(RoundingError::EXACT),
        }
    };
    manifest.integer_layers.iter().enumerate().map(describe).collect()
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
