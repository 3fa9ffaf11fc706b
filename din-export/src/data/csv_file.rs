//! Columns of a CSV file, gzipped or not.

use super::error::DataError;
use super::frame::{Requests, TextColumn};
use crate::job::nearest::Suggestion;
use flate2::bufread::MultiGzDecoder;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A CSV file, read piece by piece: UTF-8, separated by commas, quoted with `"`, a header first. Whether it is gzipped is
/// told by the first bytes.
pub struct CsvFile {
    file: PathBuf,
    reader: csv::Reader<Box<dyn Read + Send>>,
    /// Of the requested columns.
    indices: Vec<usize>,
    record: csv::StringRecord,
}

impl CsvFile {
    /// Reads the header.
    ///
    /// # Errors
    /// `Unreadable`, `Malformed` and `MissingColumn`.
    pub fn open(file: &Path, key: &str, requests: &Requests) -> Result<Self, DataError> {
        let mut reader = csv::Reader::from_reader(open(file, key)?);
        let header = reader.headers().map_err(|error| malformed(file, error))?.clone();
        let indices = indices(file, requests, &header.iter().collect::<Vec<_>>())?;
        Ok(Self { file: file.to_owned(), reader, indices, record: csv::StringRecord::new() })
    }

    /// Appends at most so many rows of the requested columns to `columns`, in the order of the requests; returns how many,
    /// 0 at the end.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn read(&mut self, limit: usize, columns: &mut [TextColumn]) -> Result<usize, DataError> {
        let Self { file, reader, indices, record } = self;
        let mut rows = 0;
        while rows < limit && reader.read_record(record).map_err(|error| malformed(file, error))? {
            for (column, &index) in columns.iter_mut().zip(&*indices) {
                column.push(&record[index]);
            }
            rows += 1;
        }
        Ok(rows)
    }
}

/// The bytes of a file, unzipped.
fn open(file: &Path, key: &str) -> Result<Box<dyn Read + Send>, DataError> {
    let unreadable = |source| DataError::Unreadable { file: file.to_owned(), key: key.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 16, File::open(file).map_err(unreadable)?);
    let gzipped = reader.fill_buf().map_err(unreadable)?.starts_with(&GZIP);
    Ok(if gzipped { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) })
}

/// Where each requested column is among `names`.
///
/// # Errors
/// `MissingColumn`, and `Malformed` if a name appears twice.
pub(super) fn indices(file: &Path, requests: &Requests, names: &[&str]) -> Result<Vec<usize>, DataError> {
    let mut seen = BTreeSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(**name)) {
        let problem = format!("column `{name}` appears twice; give each its own name");
        return Err(DataError::Malformed { file: file.to_owned(), line: Some(1), problem });
    }
    let index = |(column, request): (&str, &super::frame::Request)| {
        names.iter().position(|name| *name == column).ok_or_else(|| DataError::MissingColumn {
            file: file.to_owned(),
            column: column.to_owned(),
            key: request.key.clone(),
            suggestion: Suggestion::new(column, names.iter().copied()),
        })
    };
    requests.iter().map(index).collect()
}

/// csv's error, in our words.
fn malformed(file: &Path, error: csv::Error) -> DataError {
    let line = error.position().map(csv::Position::line);
    let problem = match error.into_kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("found {len} fields, expected {expected_len} as in the header")
        }
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8; save the file as UTF-8".to_owned(),
        csv::ErrorKind::Io(source) => format!("the file is damaged or cut short: {source}"),
        _ => "the file is not CSV".to_owned(),
    };
    DataError::Malformed { file: file.to_owned(), line, problem }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Requests, TextColumn};
    use super::CsvFile;
    use std::io::Write;

    /// What reading column `b` of a file with these bytes gives.
    fn read_b(bytes: &[u8]) -> Result<TextColumn, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("small.csv");
        std::fs::write(&file, bytes).unwrap();
        let mut requests = Requests::default();
        requests.add("b", "data.label");
        let mut columns = [TextColumn::default()];
        let folder = format!("{}/", directory.path().display());
        CsvFile::open(&file, "data.samples", &requests)
            .and_then(|mut csv| {
                // Row by row: pieces of any size give the same.
                while csv.read(1, &mut columns)? > 0 {}
                Ok(())
            })
            .map_err(|error| error.to_string().replace(&folder, ""))?;
        let [column] = columns;
        Ok(column)
    }

    #[test]
    fn a_gzipped_file_reads_as_its_text() {
        let text = b"a,b\n1,2\n3,\"4,5\"\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(text).unwrap();
        let column = read_b(&gzip.finish().unwrap()).unwrap();
        assert_eq!(column.iter().collect::<Vec<_>>(), ["2", "4,5"]);
        assert_eq!(column, read_b(text).unwrap());
    }

    #[test]
    fn a_row_with_too_many_fields_names_its_line() {
        let error = read_b(b"a,b\n1,2\n3,4,5\n").unwrap_err();
        assert_eq!(error, "small.csv, line 3: found 3 fields, expected 2 as in the header");
    }

    #[test]
    fn a_missing_column_names_the_key_and_the_nearest_column() {
        let error = read_b(b"a,bb\n1,2\n").unwrap_err();
        assert_eq!(
            error,
            "small.csv: no column `b`, which `data.label` names; the nearest valid name is `bb`"
        );
    }

    #[test]
    fn a_column_that_appears_twice_is_refused() {
        let error = read_b(b"b,b\n1,2\n").unwrap_err();
        assert_eq!(error, "small.csv, line 1: column `b` appears twice; give each its own name");
    }

    #[test]
    fn a_gzip_file_that_is_cut_short_is_refused() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(b"a,b\n1,2\n").unwrap();
        let bytes = gzip.finish().unwrap();
        let error = read_b(&bytes[..bytes.len() - 9]).unwrap_err();
        assert!(error.starts_with("small.csv"), "{error}");
        assert!(error.contains("damaged or cut short"), "{error}");
    }
}
