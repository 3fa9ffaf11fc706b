//! How a raw number becomes a model input.

use crate::bytes::Cursor;
use serde::{Deserialize, Serialize};

/// What is applied to a raw number before it is centred and scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Transform {
    /// The number itself.
    #[default]
    Identity,
    /// `sign(x) ln(1 + |x|)`: for counts, durations and other long tails.
    Log1p,
}

/// Maps a raw number to the model's input: `clamp((t(x) - mean) * scale, -limit, limit)`.
///
/// Missing and not-a-number inputs become 0, the value of an average sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Normaliser {
    /// Applied first.
    pub transform: Transform,
    /// Subtracted after the transform.
    pub mean: f32,
    /// Multiplied last; 1 / standard deviation of the training samples.
    pub scale: f32,
    /// The largest magnitude that comes out; finite and positive.
    pub limit: f32,
}

impl Default for Normaliser {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl Normaliser {
    /// Leaves numbers as they are, up to a magnitude of 1e6.
    pub const IDENTITY: Self = Self { transform: Transform::Identity, mean: 0.0, scale: 1.0, limit: 1e6 };

    pub(crate) fn read(from: &mut Cursor<'_>) -> Option<Self> {
        let transform = from.choice([Transform::Identity, Transform::Log1p])?;
        Some(Self { transform, mean: from.f32(), scale: from.f32(), limit: from.f32() })
    }

    /// The model input for a raw number.
    #[must_use]
    pub fn apply(&self, raw: f32) -> f32 {
        let transformed = match self.transform {
            Transform::Identity => raw,
            Transform::Log1p => libm::copysignf(libm::log1pf(libm::fabsf(raw)), raw),
        };
        let value = (transformed - self.mean) * self.scale;
        // Unlike `clamp` without a panic for a limit that is no number.
        if value.is_nan() { 0.0 } else { value.max(-self.limit).min(self.limit) }
    }
}
