//! RAM and flash of a model, and whether they fit a device.

use super::Inspection;
use super::measured::{CODE_F32, CODE_INTEGER, STACK_F32, STACK_INTEGER};
use din_core::{Blocking, Model};
use serde::Serialize;

/// Bytes of a [`din_core::Value`], on every machine.
const VALUE: usize = size_of::<din_core::Value>();

/// What stays in RAM for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ram {
    /// Scratch memory of a ranker.
    pub scratch: usize,
    /// A [`din_core::History`] for each sequence, as long as the model looks back.
    pub histories: usize,
    /// The views of blob and ranker themselves.
    pub views: usize,
    /// Stack of loading, setting a user and ranking.
    pub stack: usize,
}

/// Of `Model` and a ranker, on a 32-bit core: `din_model` and `din_ranker` of the C interface hold as much, and a test
/// compares.
const VIEWS_32: usize = 416;

/// Stack, as painted and read back in QEMU on Cortex-M4F, edge-profile, opt-level s. A 64-bit processor's is taken for twice
/// as much.
const fn stack(is_integer: bool) -> usize {
    (if is_integer { STACK_INTEGER } else { STACK_F32 }) as usize
}

impl Ram {
    /// Of a loaded model.
    #[must_use]
    pub fn of(model: &Model<'_>, blocking: Blocking) -> Self {
        let values = |sequence: din_core::Sequence<'_>| {
            sequence.capacity() * model.behaviour_fields(&sequence).count() * VALUE
        };
        let factor = if blocking == Blocking::SMALL { 1 } else { 2 };
        Self {
            scratch: model.scratch_len_for(blocking) * 4,
            histories: model.sequences().map(values).sum(),
            views: VIEWS_32 * factor,
            stack: stack(model.header().is_integer()) * factor,
        }
    }

    /// All of it.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.scratch + self.histories + self.views + self.stack
    }
}

/// Flash of din-core's code and constants: what ranking adds to a firmware that only starts, on Cortex-M4F at opt-level s.
const fn code(is_integer: bool) -> usize {
    (if is_integer { CODE_INTEGER } else { CODE_F32 }) as usize
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Bytes that there are.
    pub available: usize,
    /// Bytes that are needed.
    pub needed: usize,
}

impl Limit {
    /// Whether they are enough.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.needed <= self.available
    }
}

/// Whether a model fits a device with a 32-bit core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// Blob and code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flash: Option<Limit>,
    /// Scratch memory, histories, views and stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ram: Option<Limit>,
    /// Both.
    pub fits: bool,
}

impl Inspection {
    /// Holds the model against what a device has left for it.
    pub fn fit(&mut self, flash: Option<usize>, ram: Option<usize>) {
        let flash =
            flash.map(|available| Limit { available, needed: self.bytes + code(self.path == "integer") });
        let ram = ram.map(|available| Limit { available, needed: self.ram.total() });
        if flash.is_some() || ram.is_some() {
            let fits = [flash, ram].into_iter().flatten().all(|limit| limit.fits());
            self.fit = Some(Fit { flash, ram, fits });
        }
    }
}
