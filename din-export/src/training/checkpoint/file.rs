//! The bytes of a checkpoint.
//!
//! ```text
//! magic (8) || length of the header (u32) || header (postcard) || parts, in order || XXH3-64 of all before (u64)
//! ```
//!
//! All numbers are little-endian. How many bytes a part has follows from the network, so a file that does not end where
//! its parts do is of another network or torn.

use std::hash::Hasher;
use std::io::{self, Read, Write};

use twox_hash::XxHash3_64;

use crate::network::state::{NamedPart, Part};

/// Changes when the format does.
const MAGIC: [u8; 8] = *b"DINCKPT\x01";

/// Bytes handled at a time.
const CHUNK: usize = 1 << 16;

/// Why a checkpoint cannot be written.
#[derive(Debug)]
pub(super) enum EncodeError {
    /// The system refuses.
    Io(io::Error),
    /// The named part holds a number that is not finite: what would be saved cannot be continued.
    NotFinite(String),
}

impl From<io::Error> for EncodeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Passes bytes on and hashes them.
struct Hashed<T> {
    inner: T,
    hash: XxHash3_64,
}

impl<T> Hashed<T> {
    fn new(inner: T) -> Self {
        Self { inner, hash: XxHash3_64::new() }
    }
}

impl<T: Write> Hashed<T> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.write(bytes);
        self.inner.write_all(bytes)
    }
}

impl<T: Read> Hashed<T> {
    fn take(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.inner.read_exact(bytes)?;
        self.hash.write(bytes);
        Ok(())
    }
}

/// Writes a checkpoint.
pub(super) fn encode(
    out: impl Write,
    header: &[u8],
    parts: &mut [NamedPart<'_, f32>],
) -> Result<(), EncodeError> {
    let mut out = Hashed::new(out);
    out.put(&MAGIC)?;
    out.put(&(header.len() as u32).to_le_bytes())?;
    out.put(header)?;
    let mut bytes = Vec::with_capacity(CHUNK);
    for (name, part) in parts {
        match part {
            Part::Count(count) => out.put(&count.to_le_bytes())?,
            Part::Numbers(numbers) => {
                for chunk in numbers.chunks(CHUNK / 4) {
                    if !chunk.iter().all(|number| number.is_finite()) {
                        return Err(EncodeError::NotFinite(name.clone()));
                    }
                    bytes.clear();
                    bytes.extend(chunk.iter().flat_map(|number| number.to_le_bytes()));
                    out.put(&bytes)?;
                }
            }
        }
    }
    let hash = out.hash.finish();
    out.inner.write_all(&hash.to_le_bytes())?;
    out.inner.flush()?;
    Ok(())
}

/// Reads a whole checkpoint of `length` bytes and returns its header; `None` if it is torn: cut short, or not what was written.
pub(super) fn verify(input: impl Read, length: u64) -> io::Result<Option<Vec<u8>>> {
    let mut input = Hashed::new(input);
    let Some(header) = read_header(&mut input, length)? else { return Ok(None) };
    let Some(mut rest) = length.checked_sub((MAGIC.len() + 4 + header.len() + 8) as u64) else {
        return Ok(None);
    };
    let mut bytes = vec![0; CHUNK];
    while rest > 0 {
        let own = rest.min(CHUNK as u64) as usize;
        input.take(&mut bytes[..own])?;
        rest -= own as u64;
    }
    let expected = input.hash.finish();
    let mut found = [0; 8];
    input.inner.read_exact(&mut found)?;
    Ok((u64::from_le_bytes(found) == expected).then_some(header))
}

/// The header alone; the rest is not looked at.
pub(super) fn header(input: impl Read, length: u64) -> io::Result<Option<Vec<u8>>> {
    read_header(&mut Hashed::new(input), length)
}

/// Reads the parts of a checkpoint that [`verify`] has found whole. An error if it holds more or less than that.
pub(super) fn restore(
    input: impl Read,
    length: u64,
    parts: &mut [NamedPart<'_, f32>],
) -> io::Result<Result<(), WrongShape>> {
    let mut input = Hashed::new(input);
    let Some(header) = read_header(&mut input, length)? else { return Ok(Err(WrongShape)) };
    let expected: usize = parts.iter().map(|(_, part)| bytes_of(part)).sum();
    if length != (MAGIC.len() + 4 + header.len() + expected + 8) as u64 {
        return Ok(Err(WrongShape));
    }
    let mut bytes = vec![0; CHUNK];
    for (_, part) in parts {
        match part {
            Part::Count(count) => {
                input.take(&mut bytes[..8])?;
                **count = bytes[..8].try_into().map_or(0, u64::from_le_bytes);
            }
            Part::Numbers(numbers) => {
                for chunk in numbers.chunks_mut(CHUNK / 4) {
                    let bytes = &mut bytes[..4 * chunk.len()];
                    input.take(bytes)?;
                    for (number, bytes) in chunk.iter_mut().zip(bytes.as_chunks::<4>().0) {
                        *number = f32::from_le_bytes(*bytes);
                    }
                }
            }
        }
    }
    Ok(Ok(()))
}

/// The file holds more or less than the parts do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongShape;

/// Bytes of a part in a checkpoint.
pub(super) fn bytes_of(part: &Part<'_, f32>) -> usize {
    match part {
        Part::Count(_) => 8,
        Part::Numbers(numbers) => 4 * numbers.len(),
    }
}

/// `None` if this is no checkpoint, or not one of `length` bytes.
fn read_header(input: &mut Hashed<impl Read>, length: u64) -> io::Result<Option<Vec<u8>>> {
    let mut start = [0; 12];
    if length < start.len() as u64 {
        return Ok(None);
    }
    input.take(&mut start)?;
    let header = u32::from_le_bytes([start[8], start[9], start[10], start[11]]);
    if start[..8] != MAGIC || u64::from(header) > length {
        return Ok(None);
    }
    let mut bytes = vec![0; header as usize];
    input.take(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(numbers: &'a mut [f32], count: &'a mut u64) -> Vec<NamedPart<'a, f32>> {
        vec![("numbers".to_owned(), Part::Numbers(numbers)), ("count".to_owned(), Part::Count(count))]
    }

    fn example() -> (Vec<f32>, Vec<u8>) {
        let mut numbers: Vec<f32> = (0..20_000).map(|i| (i as f32 * 0.37).sin()).collect();
        let mut bytes = Vec::new();
        encode(&mut bytes, b"header", &mut parts(&mut numbers, &mut 7)).unwrap();
        (numbers, bytes)
    }

    #[test]
    fn what_was_written_comes_back_to_the_bit() {
        let (numbers, bytes) = example();
        let length = bytes.len() as u64;
        assert_eq!(verify(&bytes[..], length).unwrap().as_deref(), Some(&b"header"[..]));
        let (mut found, mut count) = (vec![0.0; numbers.len()], 0);
        restore(&bytes[..], length, &mut parts(&mut found, &mut count)).unwrap().unwrap();
        assert_eq!((found, count), (numbers, 7));
    }

    #[test]
    fn a_file_that_is_cut_or_changed_anywhere_is_torn() {
        let (_, bytes) = example();
        for at in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
            let cut = &bytes[..at];
            assert!(!matches!(verify(cut, at as u64), Ok(Some(_))), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(!matches!(verify(&changed[..], bytes.len() as u64), Ok(Some(_))), "changed at {at}");
        }
    }

    #[test]
    fn a_state_of_another_shape_is_refused_before_anything_is_restored() {
        let (_, bytes) = example();
        let (mut found, mut count) = (vec![0.0; 19_999], 0);
        let result = restore(&bytes[..], bytes.len() as u64, &mut parts(&mut found, &mut count)).unwrap();
        assert_eq!((result, count), (Err(WrongShape), 0));
        assert!(found.iter().all(|&number| number == 0.0));
    }

    #[test]
    fn a_state_that_is_not_finite_is_not_saved() {
        let mut numbers = vec![1.0; 20_000];
        numbers[19_999] = f32::NAN;
        let error = encode(Vec::new(), b"", &mut parts(&mut numbers, &mut 0)).unwrap_err();
        assert!(matches!(error, EncodeError::NotFinite(part) if part == "numbers"));
    }
}
