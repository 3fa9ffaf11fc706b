//! The checkpoints of a run in their folder: the newest two, and the weights of the best epoch.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::file::{self, EncodeError};
use super::identity::Identity;
use crate::network::state::NamedPart;
use crate::output;
use crate::training::report::EpochReport;

/// Checkpoints that are kept: the newest, and one to fall back on should it be torn.
const KEPT: usize = 2;

/// Where a run stands, beside the numbers of network and optimiser.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct RunState {
    /// What is trained on what.
    pub identity: Identity,
    /// Of the thread pool.
    pub threads: usize,
    /// From 1; one more than the last where all are done.
    pub epoch: usize,
    /// Steps of the epoch that are done; the order of its samples follows from seed and epoch.
    pub step: usize,
    /// Steps since the run began.
    pub total_steps: u64,
    /// Over the epoch's samples so far.
    pub total_loss: f64,
    /// Samples of the epoch so far.
    pub samples: u64,
    /// Random words that dropout has drawn.
    pub dropout_position: u128,
    /// Of the epochs that are done.
    pub epochs: Vec<EpochReport>,
    /// Of them.
    pub best: Option<BestEpoch>,
}

/// The epoch that is best on the validation split.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct BestEpoch {
    /// From 1.
    pub epoch: usize,
    /// What it is chosen by; the larger, the better.
    pub figure: f64,
}

/// A folder of checkpoints.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// The newest whole checkpoint.
#[derive(Debug)]
pub struct Found {
    /// Where.
    pub file: PathBuf,
    /// Where the run stood.
    pub state: RunState,
    /// Newer ones, which are torn.
    pub torn: Vec<PathBuf>,
}

impl Folder {
    /// Need not exist yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Its checkpoints, oldest first, and the files with weights of best epochs.
    fn list(&self) -> Result<(Vec<PathBuf>, Vec<PathBuf>), CheckpointError> {
        let failed = |source| CheckpointError::Read { file: self.path.clone(), source };
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
            entries => entries.map_err(failed)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            files.push(entry.map_err(failed)?.path());
        }
        files.sort();
        let with = |extension: &str| {
            files
                .iter()
                .filter(|file| file.extension().is_some_and(|own| own == extension))
                .cloned()
                .collect()
        };
        Ok((with("checkpoint"), with("best")))
    }

    /// Whether there is something to resume.
    ///
    /// # Errors
    /// `Read`.
    pub fn holds_a_run(&self) -> Result<bool, CheckpointError> {
        Ok(!self.list()?.0.is_empty())
    }

    /// Writes a checkpoint and removes what it makes superfluous.
    ///
    /// # Errors
    /// `Write` and `NotFinite`; older checkpoints are untouched.
    pub fn save(
        &self,
        state: &RunState,
        parts: &mut [NamedPart<'_, f32>],
    ) -> Result<PathBuf, CheckpointError> {
        // Names sort as the run goes.
        let file = self.path.join(format!("{:06}-{:012}.checkpoint", state.epoch, state.step));
        self.write(&file, state, parts)?;
        self.tidy(state)?;
        Ok(file)
    }

    /// Writes the weights of an epoch that is the best so far; they stay as long as a checkpoint needs them.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn save_best(&self, epoch: usize, network: &mut [NamedPart<'_, f32>]) -> Result<(), CheckpointError> {
        self.write(&self.best_file(epoch), &epoch, network)
    }

    fn best_file(&self, epoch: usize) -> PathBuf {
        self.path.join(format!("{epoch:06}.best"))
    }

    fn write(
        &self,
        file: &Path,
        header: &impl Serialize,
        parts: &mut [NamedPart<'_, f32>],
    ) -> Result<(), CheckpointError> {
        let header = postcard::to_stdvec(header).expect("a header of numbers encodes");
        output::write_with(file, |out| file::encode(out, &header, parts)).map_err(|error| match error {
            EncodeError::NotFinite(part) => CheckpointError::NotFinite { part, last: self.last_good() },
            EncodeError::Io(source) => {
                CheckpointError::Write { file: file.to_owned(), source, last: self.last_good() }
            }
        })
    }

    /// The newest whole checkpoint, for an error about a newer one.
    fn last_good(&self) -> Option<PathBuf> {
        self.newest().ok().flatten().map(|found| found.file)
    }

    /// The newest whole checkpoint; `None` without any.
    ///
    /// # Errors
    /// `Read`, and `AllTorn` if there are checkpoints, but none is whole.
    pub fn newest(&self) -> Result<Option<Found>, CheckpointError> {
        let (files, _) = self.list()?;
        let mut torn = Vec::new();
        for file in files.into_iter().rev() {
            let (input, length) = open(&file)?;
            let header = match file::verify(input, length) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
                header => header.map_err(|source| CheckpointError::Read { file: file.clone(), source })?,
            };
            let state = header.map(|header| postcard::from_bytes(&header));
            match state {
                Some(Ok(state)) => return Ok(Some(Found { file, state, torn })),
                Some(Err(_)) => return Err(CheckpointError::Shape { file }),
                None => torn.push(file),
            }
        }
        match torn.into_iter().next() {
            None => Ok(None),
            Some(file) => Err(CheckpointError::AllTorn { file }),
        }
    }

    /// Restores what [`Self::newest`] found.
    ///
    /// # Errors
    /// `Read` and `Shape`.
    pub fn restore(&self, found: &Found, parts: &mut [NamedPart<'_, f32>]) -> Result<(), CheckpointError> {
        restore(&found.file, parts)
    }

    /// Restores what [`Self::save_best`] wrote.
    ///
    /// # Errors
    /// `Read`, `AllTorn` and `Shape`.
    pub fn restore_best(
        &self,
        epoch: usize,
        network: &mut [NamedPart<'_, f32>],
    ) -> Result<(), CheckpointError> {
        let file = self.best_file(epoch);
        let (input, length) = open(&file)?;
        match file::verify(input, length) {
            Ok(Some(_)) => restore(&file, network),
            Ok(None) => Err(CheckpointError::AllTorn { file }),
            Err(source) => Err(CheckpointError::Read { file, source }),
        }
    }

    /// Removes checkpoints beyond the newest, weights that none of those need, and what killed runs left half-written.
    fn tidy(&self, newest: &RunState) -> Result<(), CheckpointError> {
        let (checkpoints, best) = self.list()?;
        let old = checkpoints.len().saturating_sub(KEPT);
        for file in &checkpoints[..old] {
            remove(file)?;
        }
        let mut needed = vec![newest.best.map(|best| self.best_file(best.epoch))];
        for file in &checkpoints[old..] {
            let (input, length) = open(file)?;
            // One that cannot be read needs nothing.
            let header = file::header(input, length).ok().flatten();
            let state = header.and_then(|header| postcard::from_bytes::<RunState>(&header).ok());
            needed.push(state.and_then(|state| state.best).map(|best| self.best_file(best.epoch)));
        }
        for file in best.iter().filter(|file| !needed.contains(&Some((*file).clone()))) {
            remove(file)?;
        }
        self.remove_unfinished()
    }

    /// Removes files that a killed run was writing.
    fn remove_unfinished(&self) -> Result<(), CheckpointError> {
        let failed = |source| CheckpointError::Read { file: self.path.clone(), source };
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(output::TEMPORARY) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes all of it, as a run that is finished needs it no longer.
    ///
    /// # Errors
    /// `Write`.
    pub fn clear(&self) -> Result<(), CheckpointError> {
        match std::fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CheckpointError::Write { file: self.path.clone(), source: error, last: None })
            }
            _ => Ok(()),
        }
    }
}

fn open(file: &Path) -> Result<(BufReader<File>, u64), CheckpointError> {
    let failed = |source| CheckpointError::Read { file: file.to_owned(), source };
    let input = File::open(file).map_err(failed)?;
    let length = input.metadata().map_err(failed)?.len();
    Ok((BufReader::with_capacity(1 << 16, input), length))
}

fn restore(file: &Path, parts: &mut [NamedPart<'_, f32>]) -> Result<(), CheckpointError> {
    let (input, length) = open(file)?;
    match file::restore(input, length, parts) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(file::WrongShape)) => Err(CheckpointError::Shape { file: file.to_owned() }),
        Err(source) => Err(CheckpointError::Read { file: file.to_owned(), source }),
    }
}

fn remove(file: &Path) -> Result<(), CheckpointError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CheckpointError::Write { file: file.to_owned(), source: error, last: None })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::state::Part;

    fn state(epoch: usize, step: usize, best: Option<usize>) -> RunState {
        RunState {
            identity: Identity { job: 1, data: 2 },
            threads: 1,
            epoch,
            step,
            total_steps: 9,
            total_loss: 0.1 + 0.2,
            samples: 64,
            dropout_position: 1 << 70,
            epochs: Vec::new(),
            best: best.map(|epoch| BestEpoch { epoch, figure: 0.7 }),
        }
    }

    fn save(folder: &Folder, state: &RunState, value: f32) -> PathBuf {
        folder.save(state, &mut [("x".to_owned(), Part::Numbers(&mut [value; 4]))]).unwrap()
    }

    fn value(folder: &Folder, found: &Found) -> f32 {
        let mut numbers = [0.0; 4];
        folder.restore(found, &mut [("x".to_owned(), Part::Numbers(&mut numbers))]).unwrap();
        numbers[0]
    }

    #[test]
    fn a_torn_checkpoint_is_named_and_the_one_before_it_used() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(directory.path());
        assert!(folder.newest().unwrap().is_none());
        save(&folder, &state(1, 5, None), 1.0);
        let newest = save(&folder, &state(2, 3, None), 2.0);
        let found = folder.newest().unwrap().unwrap();
        assert_eq!((value(&folder, &found), found.state), (2.0, state(2, 3, None)));
        let bytes = std::fs::read(&newest).unwrap();
        std::fs::write(&newest, &bytes[..bytes.len() - 5]).unwrap();
        let found = folder.newest().unwrap().unwrap();
        assert_eq!((value(&folder, &found), found.torn), (1.0, vec![newest.clone()]));
        std::fs::write(&found.file, b"").unwrap();
        assert!(folder.newest().unwrap_err().to_string().contains("000002-000000000003.checkpoint"));
    }

    #[test]
    fn two_checkpoints_stay_and_the_weights_that_they_need() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::new(&directory.path().join("checkpoints"));
        std::fs::create_dir(directory.path().join("checkpoints")).unwrap();
        std::fs::write(directory.path().join("checkpoints/.din-left"), b"half").unwrap();
        for epoch in 1..=4 {
            folder.save_best(epoch, &mut []).unwrap();
            save(&folder, &state(epoch + 1, 0, Some(epoch)), 0.0);
        }
        let (checkpoints, best) = folder.list().unwrap();
        let names = |files: Vec<PathBuf>| -> Vec<String> {
            files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(checkpoints), ["000004-000000000000.checkpoint", "000005-000000000000.checkpoint"]);
        assert_eq!(names(best), ["000003.best", "000004.best"]);
        assert_eq!(std::fs::read_dir(&folder.path).unwrap().count(), 4);
        folder.clear().unwrap();
        assert!(!folder.holds_a_run().unwrap());
    }
}
