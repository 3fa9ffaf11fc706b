//! The columns of a table, as text.

use super::csv_file::CsvFile;
use super::error::{DataError, Location};
use super::parquet_file::ParquetFile;
use super::shards;
use crate::job::OneOrMany;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A column of texts in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextColumn {
    /// The cells, one after the other.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl TextColumn {
    /// Appends a cell.
    pub fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    /// Appends a cell that `write` writes.
    pub fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.ends.push(self.text.len());
    }

    /// The cell of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.text[start..self.ends[row]]
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The cells, from the first row to the last.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// Why a column is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The job's key that names it, for errors.
    pub key: String,
    /// What joins the elements of a list column of a Parquet file.
    pub separator: String,
}

/// The columns that a job names in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests(BTreeMap<String, Request>);

impl Requests {
    /// Asks for a column on behalf of a key of the job.
    pub fn add(&mut self, column: &str, key: impl Into<String>) {
        self.add_list(column, key, " ");
    }

    /// Asks for a column that may be a list.
    pub fn add_list(&mut self, column: &str, key: impl Into<String>, separator: &str) {
        let request = || Request { key: key.into(), separator: separator.to_owned() };
        self.0.entry(column.to_owned()).or_insert_with(request);
    }

    /// The columns, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Request)> {
        self.0.iter().map(|(column, request)| (column.as_str(), request))
    }
}

/// One file of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    file: PathBuf,
    /// The frame's row that is the first of this file.
    first_row: usize,
    /// Rows of the file before that one.
    skipped: usize,
}

/// The columns of one or several files that were asked for, one below the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    parts: Vec<Part>,
    columns: BTreeMap<String, TextColumn>,
    rows: usize,
    /// For a frame whose rows repeat those of a file, the row of the file.
    origin: Option<Vec<usize>>,
}

impl Frame {
    /// Reads the columns that `requests` asks for. `key` is the job's key that names the files.
    ///
    /// # Errors
    /// `Unreadable`, `UnknownFormat`, `Malformed`, `NoRows` and `MissingColumn`.
    pub fn read(
        directory: &Path,
        files: &OneOrMany,
        key: &str,
        requests: &Requests,
    ) -> Result<Self, DataError> {
        let mut columns = vec![TextColumn::default(); requests.iter().len()];
        let mut parts = Vec::new();
        let mut rows = 0;
        for file in shards::expand(directory, files, key)? {
            let mut input = Input::open(&file, key, requests)?;
            let first_row = rows;
            loop {
                match input.read(&mut columns)? {
                    0 => break,
                    added => rows += added,
                }
            }
            if rows == first_row {
                return Err(DataError::NoRows { file });
            }
            parts.push(Part { file, first_row, skipped: 0 });
        }
        if parts.is_empty() {
            return Err(DataError::NoRows { file: directory.to_owned() });
        }
        Ok(Self::new(parts, requests, columns, rows))
    }

    fn new(parts: Vec<Part>, requests: &Requests, columns: Vec<TextColumn>, rows: usize) -> Self {
        let columns = requests.iter().map(|(name, _)| name.to_owned()).zip(columns).collect();
        Self { parts, columns, rows, origin: None }
    }

    /// A frame of the rows that `rows` lists, in that order, with the cells of one column replaced.
    ///
    /// # Panics
    /// If there is no such row or column, or not one cell for each row.
    #[must_use]
    pub fn repeat(&self, rows: Vec<usize>, replaced: &str, cells: TextColumn) -> Self {
        assert_eq!(rows.len(), cells.len(), "one cell for each row");
        assert!(self.columns.contains_key(replaced), "no column `{replaced}`");
        let mut columns = BTreeMap::from([(replaced.to_owned(), cells)]);
        for (name, column) in self.columns.iter().filter(|(name, _)| *name != replaced) {
            let mut repeated = TextColumn::default();
            rows.iter().for_each(|&row| repeated.push(column.get(row)));
            columns.insert(name.clone(), repeated);
        }
        Self { parts: self.parts.clone(), columns, rows: rows.len(), origin: Some(rows) }
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A column that was asked for.
    ///
    /// # Panics
    /// If it was not.
    #[must_use]
    pub fn column(&self, name: &str) -> &TextColumn {
        self.columns.get(name).unwrap_or_else(|| panic!("column `{name}` was not asked for"))
    }

    /// The first file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.parts[0].file
    }

    /// Where a row was read.
    #[must_use]
    pub fn location(&self, row: usize) -> Location {
        let row = self.origin.as_ref().map_or(row, |origin| origin[row]);
        let part = self.parts.partition_point(|part| part.first_row <= row) - 1;
        let part = &self.parts[part];
        Location { file: part.file.clone(), row: row - part.first_row + part.skipped + 1 }
    }
}

/// Rows of a piece.
const PIECE: usize = 1 << 15;

/// A file of a format that can be read.
enum Input {
    Csv(CsvFile),
    Parquet(Box<ParquetFile>),
}

impl Input {
    fn open(file: &Path, key: &str, requests: &Requests) -> Result<Self, DataError> {
        let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        match name.strip_suffix(".gz").unwrap_or(&name) {
            name if name.ends_with(".csv") => Ok(Self::Csv(CsvFile::open(file, key, requests)?)),
            name if name.ends_with(".parquet") => {
                Ok(Self::Parquet(Box::new(ParquetFile::open(file, key, requests, PIECE)?)))
            }
            _ => Err(DataError::UnknownFormat { file: file.to_owned() }),
        }
    }

    /// Appends a piece; returns its rows, 0 at the end.
    fn read(&mut self, columns: &mut [TextColumn]) -> Result<usize, DataError> {
        match self {
            Self::Csv(file) => file.read(PIECE, columns),
            Self::Parquet(file) => file.read(columns),
        }
    }
}

/// The rows of one or several files, as frames of at most 32,768 rows each, whose memory does not grow with the files.
pub struct Pieces {
    files: std::vec::IntoIter<PathBuf>,
    key: String,
    requests: Requests,
    /// The open file, and how many of its rows were read.
    current: Option<(PathBuf, Input, usize)>,
}

impl Pieces {
    /// Of these files.
    #[must_use]
    pub fn new(files: Vec<PathBuf>, key: &str, requests: Requests) -> Self {
        Self { files: files.into_iter(), key: key.to_owned(), requests, current: None }
    }

    fn piece(&mut self) -> Result<Option<Frame>, DataError> {
        loop {
            if self.current.is_none() {
                let Some(file) = self.files.next() else { return Ok(None) };
                let input = Input::open(&file, &self.key, &self.requests)?;
                self.current = Some((file, input, 0));
            }
            let Some((file, input, skipped)) = &mut self.current else { return Ok(None) };
            let mut columns = vec![TextColumn::default(); self.requests.iter().len()];
            let rows = input.read(&mut columns)?;
            if rows > 0 {
                let part = Part { file: file.clone(), first_row: 0, skipped: *skipped };
                *skipped += rows;
                return Ok(Some(Frame::new(vec![part], &self.requests, columns, rows)));
            }
            if *skipped == 0 {
                return Err(DataError::NoRows { file: file.clone() });
            }
            self.current = None;
        }
    }
}

impl Iterator for Pieces {
    type Item = Result<Frame, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.piece().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Requests, TextColumn};
    use crate::job::OneOrMany;

    /// A frame of two files with two and one rows.
    fn frame() -> (tempfile::TempDir, Frame) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.csv"), "item,user\n7,x\n8,y\n").unwrap();
        std::fs::write(directory.path().join("b.csv"), "user,item\nz,9\n").unwrap();
        let mut requests = Requests::default();
        requests.add("item", "data.item");
        requests.add("user", "data.user");
        let files = OneOrMany::Many(vec!["a.csv".into(), "b.csv".into()]);
        let frame = Frame::read(directory.path(), &files, "data.samples", &requests).unwrap();
        (directory, frame)
    }

    #[test]
    fn files_are_put_one_below_the_other_by_column_name() {
        let (_directory, frame) = frame();
        assert_eq!(frame.column("item").iter().collect::<Vec<_>>(), ["7", "8", "9"]);
        assert_eq!(frame.column("user").iter().collect::<Vec<_>>(), ["x", "y", "z"]);
    }

    #[test]
    fn a_location_is_in_the_file_that_holds_the_row() {
        let (directory, frame) = frame();
        let expected = format!("{}, row 1", directory.path().join("b.csv").display());
        assert_eq!(frame.location(2).to_string(), expected);
        assert_eq!(frame.location(1).row, 2);
    }

    #[test]
    fn repeated_rows_keep_their_location() {
        let (_directory, frame) = frame();
        let mut cells = TextColumn::default();
        ["5", "6"].iter().for_each(|cell| cells.push(cell));
        let repeated = frame.repeat(vec![1, 1], "item", cells);
        assert_eq!(repeated.column("user").iter().collect::<Vec<_>>(), ["y", "y"]);
        assert_eq!(repeated.column("item").iter().collect::<Vec<_>>(), ["5", "6"]);
        assert_eq!(repeated.location(0), frame.location(1));
    }
}
