//! From the files of a job to the blocks of its cache, in memory that does not grow with the files.
//!
//! 1. Where the split depends on all rows, one pass over users and times ([`Splitter`]).
//! 2. Every file is read once, in pieces: ids become numbers in the order in which they come, rows go to the partition of
//!    their user on disk ([`Spill`]).
//! 3. Partition by partition, histories are built and the training samples of each id counted; that gives the vocabularies
//!    and normalisers.
//! 4. Partition by partition again, numbers of ids become rows, and samples become blocks.

use super::coder::{Coder, SequencePlan, ahead};
use super::fits::Fits;
use super::spill::{Partitions, Spill, is_of};
use super::splitter::Splitter;
use super::{BLOCK, BlockEntry, Index, block};
use crate::data::counts::Counts;
use crate::data::error::DataError;
use crate::data::files::{sample_requests, side_frames};
use crate::data::frame::Pieces;
use crate::data::load::{LoadStep, remap_rows};
use crate::data::shards;
use crate::data::side::SideTable;
use crate::job::Job;
use crate::schema::Schema;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_64;

/// Bytes of the samples' files for one partition: as Parquet of narrow rows some 150 MB in memory.
const PARTITION: u64 = 16 << 20;

/// Files that are open together at most.
const OPEN_FILES: usize = 512;

/// Rows between two lines of progress.
const PROGRESS: u64 = 5_000_000;

/// Writes the blocks of a job into a folder, and returns what is where.
pub(super) fn build(
    job: &Job,
    directory: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(LoadStep<'_>),
) -> Result<Index, DataError> {
    let files = shards::expand(directory, &job.data.samples, "data.samples")?;
    let side_frames = side_frames(job, directory, progress)?;
    let mut sides = BTreeMap::new();
    for (name, frame) in &side_frames {
        sides.insert(name.as_str(), SideTable::new(frame, &job.side[name].key)?);
    }
    let mut coder = Coder::new(job, &sides);
    progress(LoadStep::Reading("samples"));
    let splitter = Splitter::new(job, &files, folder, &mut coder.users)?;
    let bytes: u64 = files.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
    let most = OPEN_FILES / (1 + coder.sequences.len());
    let partitions = (bytes / PARTITION + 1).min(most as u64) as usize;
    let kinds = coder.sequences.iter().map(SequencePlan::kind).collect();
    let mut spill = Spill::create(folder, partitions, kinds)?;
    ahead(Pieces::new(files.clone(), "data.samples", sample_requests(job)), |piece| {
        let before = spill.samples;
        coder.samples(&piece, &splitter, &mut spill)?;
        if before / PROGRESS < spill.samples / PROGRESS {
            progress(LoadStep::Coded { rows: spill.samples });
        }
        Ok(())
    })?;
    coder.logs(directory, &mut spill, progress)?;
    let schema = coder.schema();
    let spilled = spill.finish(job.training.train_on_valid)?;
    progress(LoadStep::Vocabularies);
    let mut counts = Counts::new(&schema);
    let mut fits = Fits::new(job);
    for partition in 0..spilled.count {
        let dataset = spilled.load(partition, &schema)?;
        counts.add(&schema, &dataset.samples, dataset.train.iter().copied());
        fits.add(&dataset);
    }
    let (vocabularies, rows) = coder.choose_rows(&counts)?;
    drop((coder, counts));
    let mut schema = schema;
    schema.tables.iter_mut().zip(vocabularies).for_each(|(table, own)| table.vocabulary = own);
    fits.finish(&mut schema);
    progress(LoadStep::Blocks);
    let (blocks, counts) = write_blocks(&spilled, &schema, &rows, folder)?;
    for (split, blocks) in [("train", &blocks[0]), ("valid", &blocks[1]), ("test", &blocks[2])] {
        if blocks.is_empty() {
            return Err(DataError::EmptySplit { file: job.file.clone(), split });
        }
    }
    Ok(Index { schema, counts, blocks })
}

/// The blocks of each split, and the counts of the final rows.
type Written = ([Vec<BlockEntry>; 3], Vec<Vec<u32>>);

fn write_blocks(
    spilled: &Partitions,
    schema: &Schema,
    rows: &[Vec<u32>],
    folder: &Path,
) -> Result<Written, DataError> {
    let path: PathBuf = folder.join(super::BLOCKS);
    let failed = |error| DataError::cache(&path, error);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(failed)?);
    let mut blocks = [const { Vec::new() }; 3];
    let mut offset = 0;
    // Anew: a sample that contains several ids of row 0 contains it once.
    let mut counts = Counts::new(schema);
    for partition in 0..spilled.count {
        let mut dataset = spilled.load(partition, schema)?;
        spilled.remove(partition);
        for (table, rows) in rows.iter().enumerate() {
            remap_rows(schema, &mut dataset.samples, |kind| is_of(kind, table), rows);
        }
        counts.add(schema, &dataset.samples, dataset.train.iter().copied());
        let splits = [&dataset.train, &dataset.valid, &dataset.test];
        for (blocks, indices) in blocks.iter_mut().zip(splits) {
            for indices in indices.chunks(BLOCK) {
                let bytes = block::encode(&block::extract(&dataset.samples, indices, schema));
                out.write_all(&bytes).map_err(failed)?;
                let (length, samples) = (bytes.len() as u32, indices.len() as u32);
                blocks.push(BlockEntry { offset, length, samples, hash: XxHash3_64::oneshot(&bytes) });
                offset += bytes.len() as u64;
            }
        }
    }
    out.flush().map_err(failed)?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok((blocks, counts.into_tables()))
}
