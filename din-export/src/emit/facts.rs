//! Every constant of a model, once for both languages.

use super::identifiers::{NameError, check, identifiers};
use din_core::manifest::{FieldKind, VocabularyKind};
use din_core::{Blocking, Field, Group, Model, crc32};

/// What an application hands over for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// An integer id.
    Id,
    /// The hash of a string id.
    Text,
    /// A number.
    Number,
}

impl Takes {
    /// For comments.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Id => "an integer id",
            Self::Text => "the hash of a string",
            Self::Number => "a number",
        }
    }
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFacts {
    /// In the model.
    pub name: String,
    /// In code, lower case.
    pub identifier: String,
    /// Its values.
    pub takes: Takes,
}

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceFacts {
    /// In the model.
    pub name: String,
    /// In code, lower case.
    pub identifier: String,
    /// The most behaviours used.
    pub capacity: usize,
    /// Of a behaviour.
    pub fields: Vec<FieldFacts>,
}

/// The constants of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Of files and symbols.
    pub prefix: String,
    /// Of the model, given at export.
    pub name: String,
    /// Which model this is.
    pub model_id: u64,
    /// Which version of it.
    pub model_version: u64,
    /// Of the format.
    pub format: (u16, u16),
    /// Whether the integer ranker reads it.
    pub is_integer: bool,
    /// Bytes.
    pub blob_len: usize,
    /// Of all of them.
    pub blob_crc: u32,
    /// Numbers of scratch memory on 32-bit cores.
    pub scratch_len_32: usize,
    /// Numbers of scratch memory on 64-bit processors.
    pub scratch_len_64: usize,
    /// Profile, context and candidate with their fields.
    pub groups: [(&'static str, Vec<FieldFacts>); 3],
    /// In the order in which histories are handed over.
    pub sequences: Vec<SequenceFacts>,
}

impl Facts {
    /// Of a loaded model; `prefix` names files and symbols.
    ///
    /// # Errors
    /// [`NameError`] for a prefix that is no identifier.
    pub fn of(model: &Model<'_>, prefix: &str) -> Result<Self, NameError> {
        check(prefix)?;
        let header = model.header();
        let sequences: Vec<_> = model.sequences().collect();
        let names = identifiers(sequences.iter().map(din_core::Sequence::name));
        let sequence = |(sequence, identifier): (&din_core::Sequence<'_>, String)| SequenceFacts {
            name: sequence.name().to_owned(),
            identifier,
            capacity: sequence.capacity(),
            fields: fields(model, model.behaviour_fields(sequence)),
        };
        let group = |group| fields(model, model.fields(group));
        Ok(Self {
            prefix: prefix.to_owned(),
            name: model.name().to_owned(),
            model_id: header.model_id,
            model_version: header.model_version,
            format: (din_core::header::MAJOR, header.minor),
            is_integer: header.is_integer(),
            blob_len: model.bytes().len(),
            blob_crc: crc32(model.bytes()),
            scratch_len_32: model.scratch_len_for(Blocking::SMALL),
            scratch_len_64: model.scratch_len_for(Blocking::LARGE),
            groups: [
                ("profile", group(Group::Profile)),
                ("context", group(Group::Context)),
                ("candidate", group(Group::Candidate)),
            ],
            sequences: sequences.iter().zip(names).map(sequence).collect(),
        })
    }

    /// The type of scratch memory and what reads it, for comments.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        if self.is_integer { "integer" } else { "f32" }
    }
}

fn fields<'a>(model: &Model<'_>, fields: impl Iterator<Item = Field<'a>>) -> Vec<FieldFacts> {
    let fields: Vec<_> = fields.collect();
    let names = identifiers(fields.iter().map(|field| field.name));
    let describe = |(field, identifier): (&Field<'_>, String)| {
        let vocabulary = field.table.map(|table| model.table(table).vocabulary());
        let takes = match (field.kind, vocabulary) {
            (FieldKind::Numeric, _) => Takes::Number,
            (_, Some(VocabularyKind::HashedText)) => Takes::Text,
            _ => Takes::Id,
        };
        FieldFacts { name: field.name.to_owned(), identifier, takes }
    };
    fields.iter().zip(names).map(describe).collect()
}
