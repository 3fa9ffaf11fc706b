//! A file, mapped or copied, and the model in it.

use crate::request::Layout;
use din_core::Model;
use memmap2::Mmap;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The content of a file.
pub enum Bytes {
    Mapped(Mmap),
    Copied(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Copied(bytes) => bytes,
        }
    }
}

/// What tells a file from the one that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            len: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
        }
    }

    /// Of the file that is there now.
    pub fn at(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|file| Self::of(&file))
    }
}

/// A loaded model and where its values stand in a request.
pub struct View<'a> {
    pub model: Model<'a>,
    pub layout: Layout<'a>,
}

self_cell::self_cell!(
    /// The bytes of a blob and the view of them.
    pub struct Loaded {
        owner: Bytes,

        #[covariant]
        dependent: View,
    }
);

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.borrow_dependent().model;
        let path = if model.header().is_integer() { "integer" } else { "f32" };
        let (version, bytes) = (model.header().model_version, model.bytes().len());
        write!(f, "{} version {version}, {path} path, {bytes} bytes", model.name())
    }
}

/// Opens and checks a blob.
///
/// # Errors
/// A line that says what is wrong, without the file's name. The identity is that of the file, loaded or not, where it
/// could be opened.
pub fn load(path: &Path, copy: bool) -> (Option<Identity>, Result<Loaded, String>) {
    let opened = File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    let (mut file, metadata) = match opened {
        Ok(opened) => opened,
        Err(error) => return (None, Err(format!("cannot read: {error}"))),
    };
    let bytes = if copy { read(&mut file) } else { map(&file) };
    let loaded = bytes.map_err(|error| format!("cannot read: {error}")).and_then(|bytes| {
        Loaded::try_new(bytes, |bytes| {
            let model = Model::from_bytes(bytes).map_err(|error| error.to_string())?;
            Ok(View { layout: Layout::of(&model), model })
        })
    });
    (Some(Identity::of(&metadata)), loaded)
}

fn read(file: &mut File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Bytes::Copied(bytes))
}

#[allow(unsafe_code)]
fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: the mapped bytes must not change while they are borrowed. Files are replaced by rename, which leaves the
    // mapped one as it is; that nobody writes to it in place is the operator's part (see the front page), and `--copy` is
    // for where it cannot be had. What din-core reads is bounded by the slice, whatever the bytes turn into.
    unsafe { Mmap::map(file) }.map(Bytes::Mapped)
}
