//! The files that a job's names stand for: one each, all that match a pattern, or all of a folder.

use super::error::DataError;
use crate::job::OneOrMany;
use std::path::{Path, PathBuf};

/// Expands names: a folder stands for its data files, `*` and `?` in the last part of a path for what matches; both in the
/// order of their names.
///
/// # Errors
/// `NoFiles` where nothing matches; `Unreadable` where a folder cannot be read.
pub fn expand(directory: &Path, names: &OneOrMany, key: &str) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for name in names.as_slice() {
        let path = directory.join(name);
        let last = path.file_name().map_or_else(String::new, |last| last.to_string_lossy().into_owned());
        if path.is_dir() {
            files.extend(matching(&path, key, is_data)?);
        } else if last.contains(['*', '?']) && !path.exists() {
            let folder = path.parent().unwrap_or(directory);
            files.extend(matching(folder, key, |name| matches(last.as_bytes(), name.as_bytes()))?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// Whether a file's name says that it holds data.
fn is_data(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    !name.starts_with('.') && (name.ends_with(".csv") || name.ends_with(".parquet"))
}

fn matching(folder: &Path, key: &str, accepts: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| DataError::Unreadable { file: folder.to_owned(), key: key.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if accepts(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    if files.is_empty() {
        return Err(DataError::NoFiles { folder: folder.to_owned(), key: key.to_owned() });
    }
    files.sort();
    Ok(files)
}

/// Whether a name matches a pattern: `*` is any number of bytes, `?` one.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches(rest, name) || name.split_first().is_some_and(|(_, name)| matches(pattern, name))
        }
        (Some((b'?', rest)), Some((_, name))) => matches(rest, name),
        (Some((own, rest)), Some((other, name))) => own == other && matches(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_folders_stand_for_their_files_in_order_of_name() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("log")).unwrap();
        for name in ["log/day-2.csv", "log/day-1.csv", "log/day-10.csv.gz", "log/_SUCCESS", "log/.day-3.csv"]
        {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let names = |pattern: &str| -> Vec<String> {
            let files = expand(directory.path(), &OneOrMany::One(pattern.into()), "data.samples").unwrap();
            let name = |file: PathBuf| file.file_name().unwrap().to_string_lossy().into_owned();
            files.into_iter().map(name).collect()
        };
        assert_eq!(names("log"), ["day-1.csv", "day-10.csv.gz", "day-2.csv"]);
        assert_eq!(names("log/day-?.csv"), ["day-1.csv", "day-2.csv"]);
        assert_eq!(names("log/*1*"), ["day-1.csv", "day-10.csv.gz"]);
        assert_eq!(names("log/day-1.csv"), ["day-1.csv"]);
        let error =
            expand(directory.path(), &OneOrMany::One("log/week-*".into()), "data.samples").unwrap_err();
        assert!(error.to_string().ends_with("log: no file matches what `data.samples` names"), "{error}");
    }
}
