//! What the kernels that read by address check first: that every address is within its slice.

use super::{Parameters, Part, Product, Weights};

impl Product<'_> {
    /// Rows of `x` and `out`; `None` where a slice is too short or there is nothing to multiply.
    pub(super) fn rows(&self, x: &[i16], out: &[i16], stride: usize) -> Option<usize> {
        let rows = x.len().checked_div(self.inputs)?.min(out.len().div_ceil(stride.max(1)));
        let span = rows.saturating_sub(1).saturating_mul(stride).saturating_add(self.columns);
        let (group, len) = match self.weights {
            Weights::Quads(weights) => (4, weights.len()),
            Weights::Panel(panel) => (2, size_of_val(panel)),
        };
        let is_whole = self.inputs.div_ceil(group).saturating_mul(self.columns).saturating_mul(4) <= len
            && self.columns <= stride
            && (rows == 0 || span <= out.len())
            && self.multipliers.len() / 2 >= self.columns
            && self.start.len() >= self.columns;
        is_whole.then_some(rows)
    }
}

impl Weights<'_> {
    /// The first byte.
    pub(super) const fn as_ptr(&self) -> *const u8 {
        match self {
            Self::Quads(weights) => weights.as_ptr(),
            Self::Panel(panel) => panel.as_ptr().cast(),
        }
    }
}

impl Part<'_> {
    /// Rows of `x` and `t: [N, H]`; `None` where a slice is too short.
    pub(super) fn rows(&self, x: &[i16], t: &[i32]) -> Option<usize> {
        let rows = x.len().checked_div(self.inputs)?.min(t.len().checked_div(self.outputs)?);
        let is_whole = self.holds_weights(self.inputs) && self.multipliers.len() / 2 >= self.outputs;
        (is_whole && rows > 0).then_some(rows)
    }

    /// Whether there are weights for so many inputs.
    pub(super) fn holds_weights(&self, inputs: usize) -> bool {
        inputs.div_ceil(4).saturating_mul(self.outputs).saturating_mul(4) <= self.weight.len()
    }

    /// The queries to combine with columns `start .. start + columns`; `None` where a slice is too short.
    pub(super) fn queries(
        &self,
        queries: &[i16],
        start: usize,
        columns: usize,
        panels: &[i16],
    ) -> Option<Queries> {
        let pairs = self.inputs.div_ceil(2);
        let len = pairs.saturating_mul(columns).saturating_mul(2);
        let count = panels.len().checked_div(len)?;
        let paired = queries.len().checked_div(count)?;
        let is_whole = start.saturating_add(columns) <= self.outputs
            && pairs.saturating_mul(self.outputs).saturating_mul(4) <= self.base.len()
            && self.holds_weights(paired)
            && paired <= self.inputs;
        is_whole.then_some(Queries { count, paired, len })
    }
}

/// Queries and the room for their own matrices.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queries {
    pub count: usize,
    /// Inputs of a query.
    pub paired: usize,
    /// Of a query's own matrix.
    pub len: usize,
}

impl Parameters<'_> {
    /// Whether there are all four of so many outputs.
    pub(super) fn holds_dice(&self, outputs: usize) -> bool {
        let Self { b, a, alpha, e } = self;
        [b.len() / 4, a.len() / 2, alpha.len() / 2, e.len()].into_iter().all(|len| len >= outputs)
    }
}
