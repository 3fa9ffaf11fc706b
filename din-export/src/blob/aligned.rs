//! A blob in memory, where its large sections begin cache lines.

use bytemuck::{Pod, Zeroable};
use din_core::header::LARGE_ALIGNMENT;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

/// A cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; LARGE_ALIGNMENT]);

/// Bytes that begin at a multiple of [`LARGE_ALIGNMENT`]. A blob scores the same at any address, and fastest here.
pub struct AlignedBytes {
    lines: Vec<Line>,
    len: usize,
}

impl AlignedBytes {
    fn zeros(len: usize) -> Self {
        Self { lines: vec![Line::zeroed(); len.div_ceil(LARGE_ALIGNMENT)], len }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }

    /// The content of a file.
    ///
    /// # Errors
    /// Those of opening and reading it.
    pub fn read(file: &Path) -> io::Result<Self> {
        let mut file = File::open(file)?;
        let len = usize::try_from(file.metadata()?.len())
            .map_err(|_| io::Error::other("larger than this machine's memory can be"))?;
        let mut bytes = Self::zeros(len);
        file.read_exact(bytes.bytes_mut())?;
        Ok(bytes)
    }
}

impl From<&[u8]> for AlignedBytes {
    fn from(bytes: &[u8]) -> Self {
        let mut aligned = Self::zeros(bytes.len());
        aligned.bytes_mut().copy_from_slice(bytes);
        aligned
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_begin_a_cache_line_and_are_those_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        for len in [0_usize, 1, 63, 64, 65, 5000] {
            let content: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
            let file = folder.path().join("blob");
            std::fs::write(&file, &content).unwrap();
            for aligned in [AlignedBytes::read(&file).unwrap(), AlignedBytes::from(&content[..])] {
                assert_eq!(&aligned[..], content);
                assert!(len == 0 || aligned.as_ptr().addr() % LARGE_ALIGNMENT == 0);
            }
        }
        assert!(AlignedBytes::read(&folder.path().join("none")).is_err());
    }
}
