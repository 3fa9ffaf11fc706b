//! A job's samples on disk, coded: for data that are larger than the memory, and read faster than text.
//!
//! | part | what |
//! |---|---|
//! | [`ids`] | ids numbered as they come, and their vocabularies |
//! | [`block`] | a few samples as bytes |
//! | `splitter`, `coder`, `spill`, `fits`, `build` | from files to blocks, in bounded memory |
//! | [`windows`] | blocks in random order, some at a time, read ahead |
//!
//! The cache is a folder, beside the data unless the job says otherwise, with one folder in it for each state of the data:
//! `blocks`, and `index`, which says what they mean and is written last. A state is what the files are called, how long
//! they are and when they were written, and what the job says of the data; its hash names the folder. A folder with an index
//! is whole: it was renamed to its name when it was.

pub mod block;
mod build;
mod coder;
mod fits;
pub mod ids;
mod spill;
mod splitter;
pub mod windows;

use super::dataset::{Dataset, Samples};
use super::error::DataError;
use super::load::LoadStep;
use super::shards;
use crate::config::model::ModelConfig;
use crate::job::export::ExportConfig;
use crate::job::{Job, OneOrMany, SourceConfig};
use crate::output;
use crate::schema::Schema;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::hash::Hasher;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use twox_hash::XxHash3_64;

/// Samples of a block, but for the last of a partition.
pub const BLOCK: usize = 1024;

/// Changes with the format: an older cache is made anew.
const VERSION: u32 = 1;

const BLOCKS: &str = "blocks";
const INDEX: &str = "index";

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BlockEntry {
    /// In the file of blocks.
    pub offset: u64,
    /// Bytes.
    pub length: u32,
    /// How many it holds.
    pub samples: u32,
    /// XXH3-64 of its bytes.
    pub hash: u64,
}

/// What a cache holds.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Index {
    schema: Schema,
    /// Training samples that contain each row, by table: `n_j` of mini-batch aware regularisation.
    counts: Vec<Vec<u32>>,
    /// Of the training, validation and test split.
    blocks: [Vec<BlockEntry>; 3],
}

/// A split of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose on.
    Valid,
    /// To report.
    Test,
}

/// The cached samples of a job.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    index: Index,
    identity: u64,
}

impl Cache {
    /// Opens the cache of a job whose `[data.stream]` asks for one, and makes it if there is none for the data as they are.
    ///
    /// `directory` overrides where the job says that its files are; `progress` hears of each step before it starts.
    ///
    /// # Errors
    /// Every variant of [`DataError`] that [`load`](super::load()) has, and `Cache` where the disk is full or cannot be written to.
    pub fn open(
        job: &Job,
        directory: Option<&Path>,
        progress: &mut dyn FnMut(LoadStep<'_>),
    ) -> Result<Self, DataError> {
        let directory = directory.map_or_else(|| job.data_directory(), Path::to_owned);
        let own = job.data.stream.as_ref().and_then(|stream| stream.cache.as_deref());
        let parent = directory.join(own.unwrap_or(".din-cache"));
        let folder = parent.join(format!("{:016x}", state(job, &directory)?));
        if let Some(cache) = Self::read(&folder)? {
            progress(LoadStep::Cached(&folder));
            return Ok(cache);
        }
        let failed = |error| DataError::cache(&parent, error);
        std::fs::create_dir_all(&parent).map_err(failed)?;
        remove_unfinished(&parent).map_err(failed)?;
        let prefix = format!("{}{}-", output::TEMPORARY, std::process::id());
        let beside = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent).map_err(failed)?;
        let index = build::build(job, &directory, beside.path(), progress)?;
        let bytes = postcard::to_stdvec(&(VERSION, &index)).expect("an index of plain numbers encodes");
        let hash = XxHash3_64::oneshot(&bytes).to_le_bytes();
        std::fs::write(beside.path().join(INDEX), [&bytes[..], &hash].concat()).map_err(failed)?;
        // Partitions that are left are small, but of no use.
        remove_scratch(beside.path()).map_err(failed)?;
        // Another run may have been faster: its cache is the same.
        let made = beside.keep();
        if std::fs::rename(&made, &folder).is_err() && !folder.join(INDEX).exists() {
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::rename(&made, &folder).map_err(failed)?;
        }
        let _ = std::fs::remove_dir_all(&made);
        Self::read(&folder)?.ok_or_else(|| DataError::CacheDamaged { file: folder.join(INDEX) })
    }

    /// `None` if there is none in this folder, or one of another version.
    fn read(folder: &Path) -> Result<Option<Self>, DataError> {
        let file = folder.join(INDEX);
        let bytes = match std::fs::read(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|error| DataError::cache(&file, error))?,
        };
        let damaged = || DataError::CacheDamaged { file: file.clone() };
        let (bytes, hash) = bytes.split_last_chunk::<8>().ok_or_else(damaged)?;
        let identity = XxHash3_64::oneshot(bytes);
        if identity != u64::from_le_bytes(*hash) {
            return Err(damaged());
        }
        let (version, rest): (u32, _) = postcard::take_from_bytes(bytes).map_err(|_| damaged())?;
        if version != VERSION {
            return Ok(None);
        }
        let index = postcard::from_bytes(rest).map_err(|_| damaged())?;
        Ok(Some(Self { folder: folder.to_owned(), index, identity }))
    }

    /// What the columns mean.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.index.schema
    }

    /// Training samples that contain each row of a table.
    #[must_use]
    pub fn counts(&self) -> &[Vec<u32>] {
        &self.index.counts
    }

    /// A hash of everything in it.
    #[must_use]
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// The blocks of a split.
    #[must_use]
    pub fn blocks(&self, split: Split) -> &[BlockEntry] {
        &self.index.blocks[split as usize]
    }

    /// Samples of a split.
    #[must_use]
    pub fn samples(&self, split: Split) -> u64 {
        self.blocks(split).iter().map(|block| u64::from(block.samples)).sum()
    }

    /// A reader of its blocks.
    ///
    /// # Errors
    /// `Cache` if the file cannot be opened.
    pub fn reader(&self) -> Result<BlockReader, DataError> {
        let path = self.folder.join(BLOCKS);
        let file = File::open(&path).map_err(|error| DataError::cache(&path, error))?;
        Ok(BlockReader { path, file, bytes: Vec::new() })
    }

    /// A dataset of the first training samples, about so many: for what looks at a few.
    ///
    /// # Errors
    /// `Cache` and `CacheDamaged`.
    pub fn first_samples(&self, count: usize) -> Result<Dataset, DataError> {
        let mut samples = block::empty(self.schema());
        let mut reader = self.reader()?;
        for block in self.blocks(Split::Train).iter().take(count.div_ceil(BLOCK)) {
            reader.append(block, &mut samples)?;
        }
        let train = (0..samples.labels.len() as u32).collect();
        Ok(Dataset { schema: self.schema().clone(), samples, train, ..Dataset::default() })
    }

    /// Passes over the samples of a split, some blocks at a time, in the order of the cache.
    ///
    /// # Errors
    /// `Cache`, `CacheDamaged`, and those of `visit`.
    pub fn for_each_window<E: From<DataError>>(
        &self,
        split: Split,
        mut visit: impl FnMut(Samples) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reader = self.reader()?;
        for blocks in self.blocks(split).chunks(64) {
            let mut samples = block::empty(self.schema());
            for block in blocks {
                reader.append(block, &mut samples)?;
            }
            visit(samples)?;
        }
        Ok(())
    }
}

/// Reads blocks.
#[derive(Debug)]
pub struct BlockReader {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
}

impl BlockReader {
    /// Appends a block's samples.
    ///
    /// # Errors
    /// `Cache` and `CacheDamaged`.
    pub fn append(&mut self, block: &BlockEntry, samples: &mut Samples) -> Result<(), DataError> {
        self.bytes.resize(block.length as usize, 0);
        let Self { path, file, bytes } = self;
        let read = file.seek(SeekFrom::Start(block.offset)).and_then(|_| file.read_exact(bytes));
        read.map_err(|error| DataError::cache(path, error))?;
        let is_whole = XxHash3_64::oneshot(bytes) == block.hash;
        let damaged = || DataError::CacheDamaged { file: path.clone() };
        Some(()).filter(|()| is_whole).and_then(|()| block::append(bytes, samples)).ok_or_else(damaged)
    }
}

/// Removes what killed processes were making; their number is in the name. Where it cannot be told who lives, all stays.
fn remove_unfinished(parent: &Path) -> std::io::Result<()> {
    if !Path::new("/proc/self").exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(output::TEMPORARY).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn remove_scratch(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != BLOCKS && entry.file_name() != INDEX {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A hash of what the cache is made of.
fn state(job: &Job, directory: &Path) -> Result<u64, DataError> {
    // What is said of model, training, search, export and of the cache itself does not change the samples.
    let mut data = job.clone();
    data.model = ModelConfig::default();
    data.training = data.training.deciding_samples();
    data.export = ExportConfig::default();
    (data.tune, data.compare) = (None, None);
    data.data.stream = None;
    data.name.clear();
    let mut hash = XxHash3_64::new();
    hash.write_u32(VERSION);
    hash.write(serde_json::to_string(&data).expect("a job encodes as JSON").as_bytes());
    let logs =
        job.sequences.iter().flat_map(|sequence| &sequence.sources).filter_map(|source| match source {
            SourceConfig::Log { file: Some(file), .. } => Some(("sequence.source.file", file)),
            _ => None,
        });
    let sides = job.side.values().map(|side| ("side.file", &side.file));
    let samples: (&str, &OneOrMany) = ("data.samples", &job.data.samples);
    for (key, names) in std::iter::once(samples).chain(sides).chain(logs) {
        for file in shards::expand(directory, names, key)? {
            let unreadable =
                |source| DataError::Unreadable { file: file.clone(), key: key.to_owned(), source };
            let metadata = file.metadata().map_err(unreadable)?;
            let time =
                metadata.modified().map_err(unreadable)?.duration_since(UNIX_EPOCH).unwrap_or_default();
            hash.write(file.strip_prefix(directory).unwrap_or(&file).to_string_lossy().as_bytes());
            hash.write_u64(metadata.len());
            hash.write_u128(time.as_nanos());
        }
    }
    Ok(hash.finish())
}
