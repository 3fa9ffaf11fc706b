//! Lists of fixed-width postcard records, read in place.

pub use crate::bytes::Cursor;
use crate::chunks::count;
use crate::subject::Subject;
use core::marker::PhantomData;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A record of the manifest: always the same number of bytes.
pub trait Record: Serialize + Copy {
    /// Bytes of its postcard form.
    const SIZE: usize;
    /// What it is called in errors.
    const SUBJECT: Subject;

    /// Reads a record's fields in their order; `None` where one holds none of its values.
    ///
    /// That a record is fixed-width little-endian numbers makes it postcard and lets it be read without a decoder: a
    /// ranker looks some up for each candidate.
    fn read(from: &mut Cursor<'_>) -> Option<Self>;
}

/// A list of records, decoded one at a time.
pub struct Records<'a, R> {
    bytes: &'a [u8],
    record: PhantomData<R>,
}

impl<R> Clone for Records<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Records<'_, R> {}

impl<R> core::fmt::Debug for Records<'_, R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Records({} bytes)", self.bytes.len())
    }
}

impl<'a, R: Record> Records<'a, R> {
    /// Over the concatenated postcard forms of records.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, record: PhantomData }
    }

    /// Whole records.
    #[must_use]
    pub const fn len(&self) -> usize {
        count(self.bytes.len(), R::SIZE)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record with this index, if there is one and it decodes.
    #[must_use]
    #[inline(never)]
    pub fn get(&self, index: usize) -> Option<R> {
        self.get_inline(index)
    }

    /// [`get`](Self::get), inlined: for what is looked up most.
    #[inline(always)]
    pub(crate) fn get_inline(&self, index: usize) -> Option<R> {
        let start = index.checked_mul(R::SIZE)?;
        let bytes = self.bytes.get(start..)?.get(..R::SIZE)?;
        R::read(&mut Cursor::new(bytes))
    }

    /// Every record, in order.
    pub fn iter(&self) -> impl Iterator<Item = R> + Clone + use<'a, R> {
        let records = *self;
        (0..records.len()).map_while(move |index| records.get(index))
    }

    /// Whether the bytes are whole records that all decode.
    pub(crate) fn is_well_formed(&self) -> bool {
        let count = (0..).take_while(|index| self.get(*index).is_some()).count();
        count.wrapping_mul(R::SIZE) == self.bytes.len()
    }
}

impl<R> Serialize for Records<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.bytes)
    }
}

impl<'de: 'a, 'a, R> Deserialize<'de> for Records<'a, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&'a [u8]>::deserialize(deserializer)?;
        Ok(Self { bytes, record: PhantomData })
    }
}
