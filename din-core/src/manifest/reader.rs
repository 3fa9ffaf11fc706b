//! Reads a manifest as postcard does, in a third of the code of a decoder.

use super::{ItemBiasRecord, Manifest};
use crate::bytes::u16_at;
use crate::records::Records;

impl<'a> Manifest<'a> {
    /// Reads a manifest and what follows it, as postcard does: a decoder for this one value is a third of the code.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut from = Lists(bytes);
        let manifest = Self {
            name: from.text()?,
            names: from.text()?,
            tables: Records::new(from.list()?),
            fields: Records::new(from.list()?),
            profile_fields: from.u16()?,
            context_fields: from.u16()?,
            candidate_fields: from.u16()?,
            sequences: Records::new(from.list()?),
            layers: Records::new(from.list()?),
            product: from.bool()?,
            item_bias: match from.bool()? {
                true => Some(ItemBiasRecord { field: from.u16()?, values: from.u16()? }),
                false => None,
            },
            sections: Records::new(from.list()?),
            parts: Records::new(from.list()?),
            integer_layers: Records::new(from.list()?),
            fixed: Records::new(from.list()?),
        };
        Some((manifest, from.0))
    }
}

/// What is left of a manifest's bytes.
struct Lists<'a>(&'a [u8]);

impl<'a> Lists<'a> {
    #[inline(never)]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    #[inline(never)]
    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16_at(bytes, 0))
    }

    fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Bytes behind their number: seven bits to a byte, the lowest first, and the eighth says that more follow.
    #[inline(never)]
    fn list(&mut self) -> Option<&'a [u8]> {
        let (mut len, mut shift) = (0_usize, 0_u32);
        loop {
            let byte = self.u8()?;
            let bits = usize::from(byte & 0x7f);
            len |= bits.checked_shl(shift)?;
            if bits.wrapping_shl(shift).wrapping_shr(shift) != bits {
                return None;
            }
            if byte < 0x80 {
                return self.take(len);
            }
            shift = shift.wrapping_add(7);
        }
    }

    #[inline(never)]
    fn text(&mut self) -> Option<&'a str> {
        core::str::from_utf8(self.list()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_postcard_reads_it() {
        let read = |bytes: &[u8]| {
            let ours =
                Manifest::read(bytes).map(|(manifest, rest)| (std::format!("{manifest:?}"), rest.len()));
            let postcard = postcard::take_from_bytes::<Manifest<'_>>(bytes).ok();
            let theirs = postcard.map(|(manifest, rest)| (std::format!("{manifest:?}"), rest.len()));
            assert_eq!(ours, theirs, "{bytes:?}");
            ours.is_some()
        };
        let long = [7; 300];
        let manifest = Manifest {
            name: "n\u{e9}",
            names: "abc",
            tables: Records::new(&long),
            fields: Records::new(&[1, 2]),
            profile_fields: 258,
            context_fields: 3,
            candidate_fields: 4,
            sequences: Records::new(&[]),
            layers: Records::new(&[9]),
            product: true,
            item_bias: Some(ItemBiasRecord { field: 5, values: 6 }),
            sections: Records::new(&[]),
            parts: Records::new(&[4]),
            integer_layers: Records::new(&[]),
            fixed: Records::new(&[8, 8]),
        };
        for manifest in [manifest, Manifest { item_bias: None, tables: Records::new(&[]), ..manifest }] {
            let mut buffer = [0; 512];
            let len = postcard::to_slice(&manifest, &mut buffer).unwrap().len();
            assert!(read(&buffer[..len]));
            assert!((0..len).all(|cut| !read(&buffer[..cut])));
            // Every byte changed to what decoders trip over.
            for (at, byte) in (0..len).flat_map(|at| [0, 1, 2, 0x7f, 0x80, 0x81, 0xff].map(|byte| (at, byte)))
            {
                let mut changed = buffer;
                changed[at] = byte;
                read(&changed[..len]);
            }
        }
        for len in 0..12 {
            for last in [0, 1, 2, 0x7f] {
                let mut length = [0x80; 64];
                length[len] = last;
                read(&length);
            }
        }
    }
}
