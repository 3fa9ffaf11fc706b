//! Labels: 0 or 1, however they are spelt.

use super::error::DataError;
use super::frame::Frame;

/// The labels of a column.
///
/// # Errors
/// `Label` for anything but `0`, `1`, `0.0`, `1.0`, `true` and `false`.
pub fn labels(frame: &Frame, column: &str) -> Result<Vec<f32>, DataError> {
    let label = |(row, text): (usize, &str)| match text {
        "0" | "0.0" => Ok(0.0),
        "1" | "1.0" => Ok(1.0),
        text if text.eq_ignore_ascii_case("false") => Ok(0.0),
        text if text.eq_ignore_ascii_case("true") => Ok(1.0),
        _ => Err(DataError::Label {
            at: frame.location(row),
            column: column.to_owned(),
            found: text.to_owned(),
        }),
    };
    frame.column(column).iter().enumerate().map(label).collect()
}
