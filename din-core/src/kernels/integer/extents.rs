//! What the kernels that read by address check first: that every address is within its slice.

#[cfg(any(test, din_dsp, din_thumb))]
use super::Own;
use super::{Parameters, Part, Product, Weights};

/// Bytes of a matrix of words; more than any slice has where they are not counted by one multiplication.
const fn words(rows: usize, columns: usize) -> usize {
    if (rows | columns) >> (usize::BITS / 2 - 2) == 0 {
        rows.wrapping_mul(columns).wrapping_mul(4)
    } else {
        usize::MAX
    }
}

impl Product<'_> {
    /// Rows of `x` and `out`; `None` where a slice is too short or there is nothing to multiply.
    pub(super) fn rows(&self, x: &[i16], out: &[i16], stride: usize) -> Option<usize> {
        let rows = x.len().checked_div(self.inputs)?.min(out.len().div_ceil(stride.max(1)));
        let span = rows.saturating_sub(1).saturating_mul(stride).saturating_add(self.columns);
        let (group, len) = match self.weights {
            Weights::Quads(weights) => (4, weights.len()),
            #[cfg(din_panels)]
            Weights::Panel(panel) => (2, size_of_val(panel)),
        };
        let is_whole = words(self.inputs.div_ceil(group), self.columns) <= len
            && self.columns <= stride
            && span <= out.len()
            && self.multipliers.len() / 2 >= self.columns
            && self.start.len() >= self.columns;
        is_whole.then_some(rows)
    }
}

#[cfg(din_panels)]
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
        words(inputs.div_ceil(4), self.outputs) <= self.weight.len()
    }

    /// Whether there is the base of all inputs.
    fn holds_base(&self) -> bool {
        words(self.inputs.div_ceil(2), self.outputs) <= self.base.len()
    }

    /// The queries to combine with columns `start .. start + columns`; `None` where a slice is too short.
    #[cfg(din_panels)]
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
            && self.holds_base()
            && self.holds_weights(paired)
            && paired <= self.inputs;
        is_whole.then_some(Queries { count, paired, len })
    }
}

/// Queries and the room for their own matrices.
#[cfg(din_panels)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Queries {
    pub count: usize,
    /// Inputs of a query.
    pub paired: usize,
    /// Of a query's own matrix.
    pub len: usize,
}

#[cfg(any(test, din_dsp, din_thumb))]
impl Own<'_> {
    /// Candidates and rows of a product whose panel has room for some columns; `None` where a slice is too short.
    pub(super) fn rows(&self, x: &[i16], panel: &[i16], columns: usize) -> Option<OwnRows> {
        let part = &self.part;
        let candidates = self.starts.len().checked_div(part.outputs)?;
        let paired = self.queries.len().checked_div(candidates)?;
        let rows = x.len().checked_div(part.inputs)?;
        let is_whole = rows > 0
            && paired <= part.inputs
            && part.holds_base()
            && part.holds_weights(paired)
            && part.multipliers.len() / 2 >= part.outputs
            && part.inputs.next_multiple_of(2).saturating_mul(columns) <= panel.len();
        is_whole.then_some(OwnRows { candidates, paired, rows })
    }
}

/// What there is to multiply with the own matrices of some queries.
#[cfg(any(test, din_dsp, din_thumb))]
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnRows {
    pub candidates: usize,
    /// Inputs of a query.
    pub paired: usize,
    pub rows: usize,
}

#[cfg(any(test, din_dsp, din_thumb))]
impl OwnRows {
    /// Numbers of all candidates and rows, so many of each.
    pub(super) const fn of(&self, width: usize) -> usize {
        self.candidates.saturating_mul(self.rows).saturating_mul(width)
    }
}

impl Parameters<'_> {
    /// Whether there are all four of so many outputs.
    pub(super) fn holds_dice(&self, outputs: usize) -> bool {
        let Self { b, a, alpha, e } = self;
        b.len() / 4 >= outputs && a.len() / 2 >= outputs && alpha.len() / 2 >= outputs && e.len() >= outputs
    }
}
