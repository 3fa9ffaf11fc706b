//! Layers and numeric fields of the integer path.

use super::{Activation, Cursor, Record};
#[cfg(doc)]
use super::{Manifest, NONE};
use crate::subject::Subject;
use serde::{Deserialize, Serialize};

/// What a layer of the integer path adds up from one run of inputs: `rshift(sum_d x_d W8[d,h], shift) m[h]`.
///
/// With a base, the part of a unit's first layer over the key's D inputs, whose weights depend on the query q:
/// `base[d,h] + rshift(W8[d,h] q_d, 8)`, the second term for the P paired inputs alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Inputs; D with a base.
    #[serde(with = "postcard::fixint::le")]
    pub inputs: u32,
    /// Section of W8, i8: `[ceil(inputs / 4)][outputs][4]`, the four of inputs d, d+2, d+1, d+3, so that the even and the
    /// odd bytes of a word are inputs side by side. Missing inputs are 0. With a base, P inputs.
    #[serde(with = "postcard::fixint::le")]
    pub weight: u16,
    /// Section of the base, i16: `[ceil(inputs / 2)][outputs][2]`, a missing input 0; or [`NONE`].
    #[serde(with = "postcard::fixint::le")]
    pub base: u16,
    /// Section of the multipliers m: an i16 for each output.
    #[serde(with = "postcard::fixint::le")]
    pub multipliers: u16,
    /// Of the sum, 0 to 30.
    pub shift: u8,
}

impl Record for PartRecord {
    const SIZE: usize = 11;
    const SUBJECT: Subject = Subject::Part;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            inputs: from.u32(),
            weight: from.u16(),
            base: from.u16(),
            multipliers: from.u16(),
            shift: from.u8(),
        })
    }
}

/// A layer of the integer path: `z = sat16((addend + parts) >> shift)`, then the activation. A last layer's result is not
/// saturated: Q16.16 of the head's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegerLayerRecord {
    /// Results.
    #[serde(with = "postcard::fixint::le")]
    pub outputs: u32,
    /// What follows.
    pub activation: Activation,
    /// The next so many of [`Manifest::parts`]. First layer of a unit: query, then pair. First layer of the head: user,
    /// interest vector of each sequence, candidate, product of each sequence where [`Manifest::product`] says so.
    pub parts: u8,
    /// Section of the addend, i32 for each output: the bias and the rounding constant `2^(shift-1)`.
    #[serde(with = "postcard::fixint::le")]
    pub addend: u16,
    /// Section of the activation's parameters, runs of `outputs` numbers; or [`NONE`]. `PRelu`: alpha, i16 Q2.13. Dice:
    /// b i32, a i16, alpha i16 Q2.13, e u8.
    #[serde(with = "postcard::fixint::le")]
    pub parameters: u16,
    /// Of the sum, 0 to 30.
    pub shift: u8,
    /// A z of 1 is worth `2^-fraction`; 12 before a sigmoid, whose result has 15.
    pub fraction: i8,
}

impl Record for IntegerLayerRecord {
    const SIZE: usize = 12;
    const SUBJECT: Subject = Subject::IntegerLayer;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            outputs: from.u32(),
            activation: from.choice(Activation::ALL)?,
            parts: from.u8(),
            addend: from.u16(),
            parameters: from.u16(),
            shift: from.u8(),
            fraction: from.i8(),
        })
    }
}

/// How a raw number in Q16.16 becomes an input of the integer path:
/// `clamp(rshift((t - mean) multiplier, shift), -limit, limit)`, t the number after the field's transform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedRecord {
    /// Q16.16.
    #[serde(with = "postcard::fixint::le")]
    pub mean: i32,
    /// Of the difference.
    #[serde(with = "postcard::fixint::le")]
    pub multiplier: i32,
    /// Of the product, 0 to 62.
    pub shift: u8,
    /// The largest magnitude of the input, up to 32767.
    #[serde(with = "postcard::fixint::le")]
    pub limit: u16,
    /// An input of 1 is worth `2^-fraction`.
    pub fraction: i8,
}

impl Record for FixedRecord {
    const SIZE: usize = 12;
    const SUBJECT: Subject = Subject::FixedField;

    #[inline]
    fn read(from: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            mean: from.i32(),
            multiplier: from.i32(),
            shift: from.u8(),
            limit: from.u16(),
            fraction: from.i8(),
        })
    }
}
