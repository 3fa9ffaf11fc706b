//! Files that are whole or not there.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file could not be written; what was there before is untouched.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot write: {source}", file.display())]
pub struct WriteError {
    /// The file.
    pub file: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// Writes beside the file and renames, so that a reader sees the old content or the new, never a part.
///
/// # Errors
/// Where the directory cannot be made or written to, or the disk is full.
pub fn write(file: &Path, content: &[u8]) -> Result<(), WriteError> {
    write_together(&[(file.to_owned(), content.to_vec())])
}

/// As [`write()`], for files that belong together: all are on disk before the first is renamed, in the order given.
///
/// # Errors
/// As [`write()`]; if a file cannot be renamed, those before it that were new are removed again.
pub fn write_together(files: &[(PathBuf, Vec<u8>)]) -> Result<(), WriteError> {
    let staged = files.iter().map(|(file, content)| stage(file, content)).collect::<Result<Vec<_>, _>>()?;
    let mut created: Vec<&Path> = Vec::new();
    for (beside, (file, _)) in staged.into_iter().zip(files) {
        let is_new = !file.exists();
        if let Err(error) = beside.persist(file) {
            for file in created {
                // The first error is the one to report.
                let _ = std::fs::remove_file(file);
            }
            return Err(WriteError { file: file.clone(), source: error.error });
        }
        if is_new {
            created.push(file);
        }
    }
    Ok(())
}

/// Makes a folder and finds out whether it can be written to, before long work that ends there.
///
/// # Errors
/// Where it cannot.
pub fn prepare(folder: &Path) -> Result<(), WriteError> {
    stage(&folder.join("file"), &[]).map(drop)
}

/// As [`write()`], for content that is too large to be in memory twice: `content` writes it piece by piece. Survives a loss
/// of power: file and folder are synchronised.
///
/// # Errors
/// Those of `content`, and as [`write()`]; what was there before is untouched.
pub fn write_with<E: From<std::io::Error>>(
    file: &Path,
    content: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), E>,
) -> Result<(), E> {
    let directory = folder_of(file);
    std::fs::create_dir_all(directory)?;
    let mut beside = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(directory)?;
    let mut out = BufWriter::new(beside.as_file_mut());
    content(&mut out)?;
    out.flush()?;
    drop(out);
    beside.as_file().sync_all()?;
    allow_reading(beside.as_file())?;
    beside.persist(file).map_err(|error| error.error)?;
    // A folder cannot be opened everywhere; where it can, the new name is made to last.
    if let Ok(folder) = File::open(directory) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Start of the names of files that are not finished: what a killed process leaves behind.
pub const TEMPORARY: &str = ".din-";

/// A temporary file with the content, in the folder of `file`.
fn stage(file: &Path, content: &[u8]) -> Result<tempfile::NamedTempFile, WriteError> {
    let failed = |source| WriteError { file: file.to_owned(), source };
    let directory = folder_of(file);
    std::fs::create_dir_all(directory).map_err(failed)?;
    let mut beside = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(directory).map_err(failed)?;
    beside.write_all(content).map_err(failed)?;
    beside.as_file().sync_all().map_err(failed)?;
    allow_reading(beside.as_file()).map_err(failed)?;
    Ok(beside)
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Temporary files are private; a result is not.
#[cfg(unix)]
fn allow_reading(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn allow_reading(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("model.din");
        write(&file, b"old").unwrap();
        let error = write(&file.join("below"), b"new").unwrap_err();
        assert!(error.to_string().contains("below"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_content_that_fails_half_way_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("large");
        write_with::<std::io::Error>(&file, |out| out.write_all(b"old")).unwrap();
        let error = write_with::<std::io::Error>(&file, |out| {
            out.write_all(b"new")?;
            Err(std::io::ErrorKind::StorageFull.into())
        });
        assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        assert_eq!(std::fs::read(&file).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn files_that_belong_together_are_all_there_or_none() {
        let directory = tempfile::tempdir().unwrap();
        let blocked = directory.path().join("blocked");
        std::fs::create_dir(&blocked).unwrap();
        let first = directory.path().join("first");
        write_together(&[(first.clone(), vec![1]), (blocked, vec![2])]).unwrap_err();
        assert!(!first.exists());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
