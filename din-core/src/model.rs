//! A validated view of a blob.

mod fields;
mod sequence;

use crate::blocking::Blocking;
use crate::bytes::{F32s, range};
use crate::error::LoadError;
use crate::header::Header;
use crate::integer;
use crate::layer::Layer;
#[cfg(doc)]
use crate::manifest::NONE;
use crate::manifest::{LayerRecord, Manifest, SectionRecord, TableRecord};
use crate::sizes::{Sizes, candidate_macs};
use crate::span::Span;
use crate::table::{Fixed, Table};
use crate::validate;

pub use fields::{Field, Group};
pub use sequence::Sequence;

/// A model read in place from a blob's bytes: a few pointers, whatever the blob's size.
///
/// Every check is made once, by [`Model::from_bytes`]; scoring with a model that loaded cannot fail on the model.
///
/// The steps of loading and scoring are functions that are not inlined: their frames share the stack.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    bytes: &'a [u8],
    header: Header,
    manifest: Manifest<'a>,
    sizes: AllSizes,
}

/// Those of a model's path, once it is checked.
#[derive(Clone, Copy, Debug)]
enum AllSizes {
    Unknown,
    F32(Sizes),
    Integer(integer::sizes::Sizes),
}

impl<'a> Model<'a> {
    /// Checks a blob and gives the view. One linear pass; nothing is copied.
    ///
    /// # Errors
    /// Those of [`Header::parse`]; [`LoadError::TooShort`] or [`LoadError::TooLong`] where the bytes are not as many as
    /// the header says; [`LoadError::BodyChecksum`]; [`LoadError::Malformed`] where the manifest does not decode;
    /// [`LoadError::OutOfRange`] and [`LoadError::Mismatch`] where counts, shapes, references or section bounds are
    /// wrong; [`LoadError::BadNumber`] for an infinite or not-a-number weight or a scale that is not positive;
    /// [`LoadError::KeysNotAscending`] for an unsorted vocabulary.
    ///
    /// # Panics
    /// Never, whatever the bytes.
    #[inline(never)]
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let _span = Span::new("load");
        let mut model = Self::read(bytes)?;
        if model.header.is_integer() { model.check_integer() } else { model.check_f32() }?;
        Ok(model)
    }

    /// [`from_bytes`](Self::from_bytes) of integer blobs alone: what only those of the f32 path need is not linked.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes); [`LoadError::OtherPath`] for a blob of the f32 path.
    #[inline(never)]
    pub fn from_integer_bytes(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let _span = Span::new("load");
        let mut model = Self::read(bytes)?;
        if !model.header.is_integer() {
            return Err(LoadError::OtherPath);
        }
        model.check_integer()?;
        Ok(model)
    }

    /// [`from_bytes`](Self::from_bytes) of blobs of the f32 path alone: what only integer ones need is not linked.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes); [`LoadError::OtherPath`] for an integer blob.
    #[inline(never)]
    pub fn from_f32_bytes(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let _span = Span::new("load");
        let mut model = Self::read(bytes)?;
        if model.header.is_integer() {
            return Err(LoadError::OtherPath);
        }
        model.check_f32()?;
        Ok(model)
    }

    fn read(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let header = Header::parse(bytes)?;
        Ok(Self { bytes, header, manifest: validate::manifest(bytes, &header)?, sizes: AllSizes::Unknown })
    }

    fn check_integer(&mut self) -> Result<(), LoadError> {
        validate::contents(self, validate::integer_layers)?;
        self.sizes = AllSizes::Integer(integer::sizes::Sizes::of(self, Blocking::NATIVE));
        Ok(())
    }

    fn check_f32(&mut self) -> Result<(), LoadError> {
        validate::contents(self, validate::f32_layers)?;
        self.sizes = AllSizes::F32(Sizes::of(self, Blocking::NATIVE));
        Ok(())
    }

    /// The blob's header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The blob's manifest.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest<'a> {
        &self.manifest
    }

    /// The whole blob.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The name given at export.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.manifest.name
    }

    /// The signature and the bytes it signs (all before it); both as they came, nothing is verified here.
    #[must_use]
    pub fn signature(&self) -> (&'a [u8], &'a [u8]) {
        let signed = self.bytes.len().saturating_sub(self.header.signature_len as usize);
        (range(self.bytes, signed, self.header.signature_len as usize), range(self.bytes, 0, signed))
    }

    /// Numbers of scratch memory that a ranker needs here, of four bytes each: f32 for a [`Ranker`](crate::Ranker), i32
    /// for an [`IntegerRanker`](crate::IntegerRanker).
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        match &self.sizes {
            AllSizes::Unknown => 0,
            AllSizes::F32(sizes) => sizes.scratch,
            AllSizes::Integer(sizes) => sizes.scratch(Blocking::NATIVE),
        }
    }

    /// The same on machines of another [`Blocking`].
    #[must_use]
    pub fn scratch_len_for(&self, blocking: Blocking) -> usize {
        if self.header.is_integer() {
            integer::sizes::Sizes::of(self, blocking).scratch(blocking)
        } else {
            Sizes::of(self, blocking).scratch
        }
    }

    /// Multiply-accumulates to score one candidate against full histories, user set.
    #[must_use]
    pub fn candidate_macs(&self) -> u64 {
        self.candidate_macs_for(usize::MAX)
    }

    /// The same against histories of at most so many behaviours.
    #[must_use]
    pub fn candidate_macs_for(&self, history: usize) -> u64 {
        if self.header.is_integer() {
            integer::sizes::candidate_macs(self, history)
        } else {
            candidate_macs(self, history)
        }
    }

    /// Of an integer blob.
    pub(crate) const fn integer_sizes(&self) -> &integer::sizes::Sizes {
        if let AllSizes::Integer(sizes) = &self.sizes { sizes } else { &integer::sizes::Sizes::NONE }
    }

    /// Of a blob of the f32 path.
    pub(crate) const fn sizes(&self) -> &Sizes {
        if let AllSizes::F32(sizes) = &self.sizes { sizes } else { &Sizes::NONE }
    }

    /// Tables.
    pub fn tables(&self) -> impl Iterator<Item = Table<'a>> {
        let model = *self;
        (0..self.manifest.tables.len()).map(move |index| model.table(index))
    }

    /// The table with this index; an empty one if there is none.
    #[must_use]
    pub fn table(&self, index: usize) -> Table<'a> {
        self.manifest.tables.get(index).map_or_else(Table::default, |record| self.view_table(&record))
    }

    pub(crate) fn view_table(&self, record: &TableRecord) -> Table<'a> {
        Table {
            names: self.manifest.names,
            name: record.name,
            rows: record.rows,
            dim: usize::from(record.dim),
            encoding: record.encoding,
            values: self.section(record.values),
            scales: self.section(record.scales),
            vocabulary: record.vocabulary,
            first_id: record.first_id,
            first_row: record.first_row,
            keys: self.section(record.keys),
            fixed: self.header.is_integer().then_some(Fixed {
                fraction: record.fraction,
                shift: record.shift,
                limit: record.limit,
            }),
        }
    }

    /// Layers: those of each activation unit in the order of the sequences, then the head's.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'a>> {
        self.layer_range(0, self.manifest.layers.len())
    }

    pub(crate) fn layer_range(
        &self,
        first: usize,
        count: usize,
    ) -> impl Iterator<Item = Layer<'a>> + use<'a> {
        let model = *self;
        (first..first.saturating_add(count)).map(move |index| model.layer(index))
    }

    /// The layer with this index; an empty one if there is none.
    #[must_use]
    pub fn layer(&self, index: usize) -> Layer<'a> {
        self.manifest.layers.get(index).map_or_else(Layer::default, |record| self.view_layer(&record))
    }

    pub(crate) fn view_layer(&self, record: &LayerRecord) -> Layer<'a> {
        Layer {
            inputs: record.inputs as usize,
            outputs: record.outputs as usize,
            activation: record.activation,
            weight: F32s(self.section(record.weight)),
            bias: F32s(self.section(record.bias)),
            parameters: F32s(self.section(record.parameters)),
        }
    }

    /// Index of the head's first layer.
    #[must_use]
    pub fn head_start(&self) -> usize {
        self.sequence(self.manifest.sequences.len()).first_layer
    }

    /// The bytes of a section; none for [`NONE`].
    #[inline(never)]
    pub(crate) fn section(&self, index: u16) -> &'a [u8] {
        let Some(SectionRecord { offset, len }) = self.manifest.sections.get_inline(usize::from(index))
        else {
            return &[];
        };
        match (usize::try_from(offset), usize::try_from(len)) {
            (Ok(offset), Ok(len)) => range(self.bytes, offset, len),
            _ => &[],
        }
    }

    /// Bytes of the manifest's records and names together.
    #[must_use]
    pub const fn manifest_len(&self) -> usize {
        self.header.manifest_len as usize
    }
}
