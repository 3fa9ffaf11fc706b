//! What an application hands over: raw values, not rows.

use crate::hash::hash_text;
use serde::{Deserialize, Serialize};

/// One raw field value.
///
/// Its layout is that of a C struct, for `din-ffi`: the variant's index as a u32, the number (4 bytes), the id (8 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[repr(u32)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Value {
    /// Nothing known: row 0 of a categorical field, 0 for a numeric one.
    #[default]
    Missing,
    /// An integer id, or [`hash_text`] of a string id.
    Id(u64),
    /// A number, before the normaliser.
    Number(f32),
    /// A number in Q16.16, `raw / 65536`, before the normaliser: for machines without floating point.
    Fixed(i32),
}

impl Value {
    /// A string id, by its hash.
    #[must_use]
    pub const fn text(text: &str) -> Self {
        Self::Id(hash_text(text))
    }
}

impl From<u64> for Value {
    fn from(id: u64) -> Self {
        Self::Id(id)
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}
