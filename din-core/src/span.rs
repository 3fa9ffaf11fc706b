//! Spans of what takes time, for firmware that logs with defmt.

/// From its creation to its end something is done; with the feature `defmt` both are logged, at the level `trace`, and the
/// logger's timestamps say how long it took. Without the feature it is nothing.
#[must_use]
pub(crate) struct Span {
    #[cfg(feature = "defmt")]
    of: &'static str,
}

impl Span {
    #[cfg(feature = "defmt")]
    pub fn new(of: &'static str) -> Self {
        defmt::trace!("{=str} begins", of);
        Self { of }
    }

    #[cfg(not(feature = "defmt"))]
    pub const fn new(_: &'static str) -> Self {
        Self {}
    }
}

#[cfg(feature = "defmt")]
impl Drop for Span {
    fn drop(&mut self) {
        defmt::trace!("{=str} ends", self.of);
    }
}
