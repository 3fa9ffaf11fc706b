//! Columns of a Parquet file, as the text that a CSV file would hold.

use super::csv_file::indices;
use super::error::DataError;
use super::frame::{Requests, TextColumn};
use arrow_array::cast::AsArray;
use arrow_array::types as arrow;
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use std::fmt::{Display, Write};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A Parquet file, read piece by piece.
///
/// Numbers are written as Rust does (12.0 as `12`), times as their number of steps, nulls as nothing, and lists with
/// the request's separator between their elements.
pub struct ParquetFile {
    file: PathBuf,
    requests: Requests,
    batches: ParquetRecordBatchReader,
}

impl ParquetFile {
    /// Reads the schema. Pieces have at most `limit` rows.
    ///
    /// # Errors
    /// `Unreadable`, `Malformed` and `MissingColumn`.
    pub fn open(file: &Path, key: &str, requests: &Requests, limit: usize) -> Result<Self, DataError> {
        let batches = open(file, key, requests, limit)?;
        Ok(Self { file: file.to_owned(), requests: requests.clone(), batches })
    }

    /// Appends a piece of the requested columns to `columns`, in the order of the requests; returns how many rows, 0 at the
    /// end.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn read(&mut self, columns: &mut [TextColumn]) -> Result<usize, DataError> {
        let malformed = |error: &dyn Display| malformed(&self.file, error);
        let Some(batch) = self.batches.next() else { return Ok(0) };
        let batch = batch.map_err(|error| malformed(&error))?;
        for ((name, request), column) in self.requests.iter().zip(columns.iter_mut()) {
            // A projection keeps the file's order, so columns are found by name.
            let array = batch.column_by_name(name).ok_or_else(|| malformed(&"a column is missing"))?;
            append(array.as_ref(), &request.separator, column).map_err(|kind| {
                malformed(&format!("column `{name}` holds {kind}, which is not supported"))
            })?;
        }
        Ok(batch.num_rows())
    }
}

fn malformed(file: &Path, error: &dyn Display) -> DataError {
    let problem = format!("cannot be read as Parquet: {error}");
    DataError::Malformed { file: file.to_owned(), line: None, problem }
}

fn open(
    file: &Path,
    key: &str,
    requests: &Requests,
    limit: usize,
) -> Result<ParquetRecordBatchReader, DataError> {
    let malformed = |error: &dyn Display| malformed(file, error);
    let input = File::open(file).map_err(|source| DataError::Unreadable {
        file: file.to_owned(),
        key: key.to_owned(),
        source,
    })?;
    // Without the writer's own schema, a dictionary of texts is simply texts.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(input, options)
        .map_err(|error| malformed(&error))?;
    let names: Vec<&str> = builder.schema().fields().iter().map(|field| field.name().as_str()).collect();
    let roots = indices(file, requests, &names)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let builder = builder.with_projection(mask).with_batch_size(limit);
    builder.build().map_err(|error| malformed(&error))
}

/// Appends the cells of an array; the error is a data type that cannot be written as text.
fn append(array: &dyn Array, separator: &str, column: &mut TextColumn) -> Result<(), DataType> {
    for row in 0..array.len() {
        let mut written = Ok(());
        column.push_with(|text| written = write_cell(array, row, separator, text));
        written?;
    }
    Ok(())
}

/// Writes one cell.
fn write_cell(array: &dyn Array, row: usize, separator: &str, out: &mut String) -> Result<(), DataType> {
    if array.is_null(row) {
        return Ok(());
    }
    match array.data_type() {
        DataType::Null => {}
        DataType::Utf8 => out.push_str(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => out.push_str(array.as_string::<i64>().value(row)),
        DataType::Utf8View => out.push_str(array.as_string_view().value(row)),
        DataType::Boolean => write_display(array.as_boolean().value(row), out),
        DataType::Int8 => write_number::<arrow::Int8Type>(array, row, out),
        DataType::Int16 => write_number::<arrow::Int16Type>(array, row, out),
        DataType::Int32 => write_number::<arrow::Int32Type>(array, row, out),
        DataType::Int64 => write_number::<arrow::Int64Type>(array, row, out),
        DataType::UInt8 => write_number::<arrow::UInt8Type>(array, row, out),
        DataType::UInt16 => write_number::<arrow::UInt16Type>(array, row, out),
        DataType::UInt32 => write_number::<arrow::UInt32Type>(array, row, out),
        DataType::UInt64 => write_number::<arrow::UInt64Type>(array, row, out),
        DataType::Float32 => write_number::<arrow::Float32Type>(array, row, out),
        DataType::Float64 => write_number::<arrow::Float64Type>(array, row, out),
        DataType::Date32 => write_number::<arrow::Date32Type>(array, row, out),
        DataType::Timestamp(TimeUnit::Second, _) => {
            write_number::<arrow::TimestampSecondType>(array, row, out);
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            write_number::<arrow::TimestampMillisecondType>(array, row, out);
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            write_number::<arrow::TimestampMicrosecondType>(array, row, out);
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            write_number::<arrow::TimestampNanosecondType>(array, row, out);
        }
        DataType::List(_) => return write_list(&array.as_list::<i32>().value(row), separator, out),
        DataType::LargeList(_) => return write_list(&array.as_list::<i64>().value(row), separator, out),
        other => return Err(other.clone()),
    }
    Ok(())
}

/// Writes the elements of a list.
fn write_list(elements: &dyn Array, separator: &str, out: &mut String) -> Result<(), DataType> {
    for row in 0..elements.len() {
        if row > 0 {
            out.push_str(separator);
        }
        write_cell(elements, row, separator, out)?;
    }
    Ok(())
}

/// Writes a value of a primitive type.
fn write_number<T: ArrowPrimitiveType<Native: Display>>(array: &dyn Array, row: usize, out: &mut String) {
    write_display(array.as_primitive::<T>().value(row), out);
}

/// Writes anything that displays.
fn write_display(value: impl Display, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Requests, TextColumn};
    use super::ParquetFile;
    use arrow_array::types::Int64Type;
    use arrow_array::{
        ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    };
    use parquet::arrow::ArrowWriter;
    use std::fs::File;
    use std::path::Path;
    use std::sync::Arc;

    fn write(file: &Path, columns: Vec<(&str, ArrayRef)>) {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        )
        .unwrap();
        let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn values_read_as_the_text_of_a_csv_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("small.parquet");
        let lists = [Some(vec![Some(3), Some(4)]), None, Some(vec![])];
        write(
            &file,
            vec![
                ("id", Arc::new(Int64Array::from(vec![Some(7), None, Some(-1)]))),
                ("text", Arc::new(StringArray::from(vec![Some("a b"), Some(""), None]))),
                ("skipped", Arc::new(Int64Array::from(vec![0, 0, 0]))),
                ("real", Arc::new(Float64Array::from(vec![12.0, 0.5, -0.25]))),
                ("flag", Arc::new(BooleanArray::from(vec![true, false, true]))),
                ("list", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))),
            ],
        );
        let mut requests = Requests::default();
        for column in ["flag", "id", "real", "text"] {
            requests.add(column, "data.x");
        }
        requests.add_list("list", "data.x", "|");
        let mut columns = vec![TextColumn::default(); 5];
        let mut input = ParquetFile::open(&file, "data.samples", &requests, 2).unwrap();
        let pieces = [(); 3].map(|()| input.read(&mut columns).unwrap());
        assert_eq!(pieces, [2, 1, 0]);
        let expected = [
            ["true", "false", "true"],
            ["7", "", "-1"],
            ["3|4", "", ""],
            ["12", "0.5", "-0.25"],
            ["a b", "", ""],
        ];
        for ((column, expected), (name, _)) in columns.iter().zip(expected).zip(requests.iter()) {
            assert_eq!(column.iter().collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_not_parquet_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("small.parquet");
        std::fs::write(&file, "item,user\n1,2\n").unwrap();
        let error = ParquetFile::open(&file, "data.samples", &Requests::default(), 1);
        let error = error.err().unwrap().to_string();
        assert!(error.contains("small.parquet: cannot be read as Parquet: "), "{error}");
    }
}
