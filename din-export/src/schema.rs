//! What a model reads: tables, fields and behaviour sequences, shared by the data, the network and the blob.

use din_core::Normaliser;
use serde::{Deserialize, Serialize};

/// How raw ids become rows of a table. Row 0 stands for every id that the vocabulary does not hold.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum Vocabulary {
    /// Integer ids `first .. first + count` map to rows `first_row .. first_row + count`.
    Dense {
        /// The smallest known id.
        first: u64,
        /// Its row: 1 when row 0 is kept for unknown ids, 0 when row 0 is an id like any other.
        first_row: u32,
        /// How many ids there are.
        count: u32,
    },
    /// Strictly ascending integer keys; `keys[i]` has row `i + 1`.
    Keys(Vec<u64>),
    /// As `Keys`, but each key is `din_core::hash_text` of a string.
    HashedText(Vec<u64>),
}

impl Vocabulary {
    /// Rows of the table, row 0 included.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Dense { first_row, count, .. } => *first_row as usize + *count as usize,
            Self::Keys(keys) | Self::HashedText(keys) => keys.len() + 1,
        }
    }

    /// The raw id (or text hash) of a row, if it stands for exactly one.
    #[must_use]
    pub fn key(&self, row: u32) -> Option<u64> {
        match self {
            Self::Dense { first, first_row, count } => {
                let index = row.checked_sub(*first_row)?;
                (index < *count).then(|| first + u64::from(index))
            }
            Self::Keys(keys) | Self::HashedText(keys) => keys.get((row as usize).checked_sub(1)?).copied(),
        }
    }

    /// The row of a raw id (or text hash): 0 when unknown.
    #[must_use]
    pub fn row(&self, key: u64) -> u32 {
        match self {
            Self::Dense { first, first_row, count } => match key.checked_sub(*first) {
                Some(index) if index < u64::from(*count) => first_row + index as u32,
                _ => 0,
            },
            Self::Keys(keys) | Self::HashedText(keys) => {
                keys.binary_search(&key).map_or(0, |index| index as u32 + 1)
            }
        }
    }
}

/// One embedding table: every field that names it shares its rows.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct TableSpec {
    /// Unique among the tables.
    pub name: String,
    /// Numbers in a row.
    pub dim: usize,
    /// Raw id to row.
    pub vocabulary: Vocabulary,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum FieldKind {
    /// An id, embedded by the table with this index.
    Categorical {
        /// Index into [`Schema::tables`].
        table: usize,
    },
    /// A number, one input wide.
    Numeric(Normaliser),
}

/// One field of the profile, the context or the candidate.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Field {
    /// Unique within its group.
    pub name: String,
    /// Categorical or numeric.
    pub kind: FieldKind,
}

/// One field of a behaviour.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BehaviourField {
    /// Name and kind.
    pub field: Field,
    /// The candidate field it is compared with by the activation unit, of the same width; `None` compares with zero.
    pub pair: Option<usize>,
}

/// A behaviour sequence.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct SequenceSpec {
    /// Unique among the sequences.
    pub name: String,
    /// The most behaviours that are used; the oldest are dropped first.
    pub capacity: usize,
    /// Concatenated, in this order, to the key vector. Paired fields come first.
    pub fields: Vec<BehaviourField>,
}

/// Everything that a model reads.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Schema {
    /// Embedding tables.
    pub tables: Vec<TableSpec>,
    /// User features.
    pub profile: Vec<Field>,
    /// Remaining features of a request.
    pub context: Vec<Field>,
    /// Features of the item being scored.
    pub candidate: Vec<Field>,
    /// Behaviour sequences, each with its own pooling.
    pub sequences: Vec<SequenceSpec>,
}

impl Schema {
    /// The same fields and ids in tables of other widths, one for each table.
    #[must_use]
    pub fn with_dims(&self, dims: &[usize]) -> Self {
        let mut schema = self.clone();
        schema.tables.iter_mut().zip(dims).for_each(|(table, &dim)| table.dim = dim);
        schema
    }

    /// Inputs that a field contributes: the dim of its table, or 1.
    #[must_use]
    pub fn width(&self, field: &Field) -> usize {
        match field.kind {
            FieldKind::Categorical { table } => self.tables[table].dim,
            FieldKind::Numeric(_) => 1,
        }
    }

    /// Inputs that a group of fields contributes.
    #[must_use]
    pub fn total_width<'a>(&self, fields: impl IntoIterator<Item = &'a Field>) -> usize {
        fields.into_iter().map(|field| self.width(field)).sum()
    }

    /// Width D of a sequence's key vector.
    #[must_use]
    pub fn key_width(&self, sequence: &SequenceSpec) -> usize {
        self.total_width(sequence.fields.iter().map(|behaviour| &behaviour.field))
    }

    /// Width of the first part of a key vector, which the candidate has too.
    #[must_use]
    pub fn paired_width(&self, sequence: &SequenceSpec) -> usize {
        let paired = sequence.fields.iter().filter(|behaviour| behaviour.pair.is_some());
        self.total_width(paired.map(|behaviour| &behaviour.field))
    }
}
