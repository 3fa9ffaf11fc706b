//! `[tables.*]`, `[[profile]]`, `[[context]]` and `[[candidate]]`: embedding tables and fields.

use din_core::Transform;
use serde::{Deserialize, Serialize};

/// How the raw ids of a table are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdKind {
    /// `Integer` if every id of the training split is a canonical integer, else `Text`.
    #[default]
    Auto,
    /// Integers from 0 to 2^64 - 1; anything else is an error.
    Integer,
    /// Any text, known by its 64-bit hash.
    Text,
}

/// `[tables.NAME]`: one embedding table; fields that name it share its rows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// Numbers in a row.
    pub dim: usize,
    /// An id gets a row of its own if at least so many training samples contain it, else it shares row 0. Default 1.
    ///
    /// With 1, no training sample has an unknown id, so that nothing trains row 0: it stays the zero vector (unless cells
    /// are empty, which have row 0 too). With 2 or more the rare ids train it, and an id that is new on the device gets
    /// what was learnt of them.
    #[serde(default = "one")]
    pub min_count: u32,
    /// How raw ids are read. Default `"auto"`.
    #[serde(default)]
    pub ids: IdKind,
}

/// serde takes defaults as functions.
fn one() -> u32 {
    1
}

/// What is applied to a number before it is centred and scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TransformKind {
    /// Nothing.
    #[default]
    Identity,
    /// `sign(x) ln(1 + |x|)`: for counts, durations and other long tails.
    Log1p,
}

impl From<TransformKind> for Transform {
    fn from(kind: TransformKind) -> Self {
        match kind {
            TransformKind::Identity => Self::Identity,
            TransformKind::Log1p => Self::Log1p,
        }
    }
}

/// `numeric = {...}`: a field that is a number. It is centred and scaled by its training samples.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NumericConfig {
    /// Applied first. Default `"identity"`.
    pub transform: TransformKind,
    /// The largest magnitude that comes out, in standard deviations; positive. Default 10.
    pub limit: f32,
}

impl Default for NumericConfig {
    fn default() -> Self {
        Self { transform: TransformKind::Identity, limit: 10.0 }
    }
}

/// `pair`: the candidate field that a behaviour field is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected the name of a candidate field, or false")]
pub enum Pair {
    /// The candidate field with this name.
    With(String),
    /// `false`: none.
    Off(bool),
}

/// A field of the profile, the context, the candidate, or a behaviour.
///
/// Its value is read from `column`, or, with `side`, from `column` of the side table's row whose key is in the
/// column `by`. For a behaviour, the columns outside a side table are those of the sequence's sources.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FieldConfig {
    /// Unique within its group; what a ranking request calls it.
    pub name: String,
    /// The embedding table of a categorical field.
    #[serde(default)]
    pub table: Option<String>,
    /// Makes it a numeric field.
    #[serde(default)]
    pub numeric: Option<NumericConfig>,
    /// The column that holds the value; the field's name when absent.
    #[serde(default)]
    pub column: Option<String>,
    /// The side table that holds the value.
    #[serde(default)]
    pub side: Option<String>,
    /// The column that holds the side table's key; called like the key when absent.
    #[serde(default)]
    pub by: Option<String>,
    /// For behaviour fields: the candidate field it is compared with. A categorical field is by default compared with
    /// the candidate field of the same table, of the same name if there are several.
    #[serde(default)]
    pub pair: Option<Pair>,
}

impl FieldConfig {
    /// The column that holds the value, in the samples or in the side table.
    #[must_use]
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }

    /// For a behaviour field, the index of the candidate field that the activation unit compares it with.
    #[must_use]
    pub fn paired_with(&self, candidate: &[Self]) -> Option<usize> {
        match &self.pair {
            Some(Pair::Off(_)) => None,
            Some(Pair::With(name)) => candidate.iter().position(|other| other.name == *name),
            None => {
                self.table.as_ref()?;
                let same_table = |other: &Self| other.table == self.table;
                let same_name = |other: &Self| same_table(other) && other.name == self.name;
                candidate.iter().position(same_name).or_else(|| candidate.iter().position(same_table))
            }
        }
    }
}
