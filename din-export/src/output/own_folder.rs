//! A folder for results that one process at a time writes to.

use super::file::{WriteError, prepare};
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why a folder cannot be worked in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// It cannot be made or written to.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Two at once would mix what they write.
    #[error("{}: another din-export is at work in this folder; let it finish, or choose another --output", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
}

/// A folder for results, held until it is dropped or the process ends, whatever ends it.
///
/// The lock is on an empty file, `.lock`, which is there as long as the folder is held; a process that was killed leaves it,
/// unlocked.
#[derive(Debug)]
pub struct OwnFolder {
    path: PathBuf,
    lock: File,
}

impl OwnFolder {
    /// Makes the folder, finds out whether it can be written to, and takes it. Where the file system knows no locks, nothing
    /// keeps others out.
    ///
    /// # Errors
    /// Every variant of [`FolderError`].
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        prepare(path)?;
        let file = path.join(LOCK);
        let failed = |source| WriteError { file: file.clone(), source };
        loop {
            let lock = File::options().create(true).append(true).open(&file).map_err(failed)?;
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(FolderError::InUse { folder: path.to_owned() }),
                Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
                    return Err(failed(error).into());
                }
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            // Its owner may have removed it between the two, and another one made another.
            if is_at(&lock, &file) {
                return Ok(Self { path: path.to_owned(), lock });
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OwnFolder {
    /// Removes the file while it is locked, so that it is this one's own.
    fn drop(&mut self) {
        let file = self.path.join(LOCK);
        if is_at(&self.lock, &file) {
            // One that stays is not in the way.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// In the folder.
const LOCK: &str = ".lock";

/// Whether `path` names the open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::io::Result<std::fs::Metadata>| {
        metadata.map(|metadata| (metadata.dev(), metadata.ino())).ok()
    };
    identity(file.metadata()) == identity(std::fs::metadata(path))
}

/// Elsewhere an open file keeps its name.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("results");
        let own = OwnFolder::open(&folder).unwrap();
        assert!(matches!(OwnFolder::open(&folder), Err(FolderError::InUse { .. })));
        OwnFolder::open(&directory.path().join("others")).unwrap();
        drop(own);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        // What a killed process leaves.
        std::fs::write(folder.join(LOCK), b"").unwrap();
        OwnFolder::open(&folder).unwrap();
    }
}
