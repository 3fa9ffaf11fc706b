//! Columns as distinct values and codes, so that each value is parsed and looked up once.

use super::error::{DataError, Location};
use super::frame::{Frame, TextColumn};
use super::side::SideTable;
use std::collections::HashMap;

/// A value and where it was first seen.
#[derive(Clone, Copy, Debug)]
pub struct RawValue<'a> {
    /// As it is in the file, without white space around it; empty when missing.
    pub text: &'a str,
    frame: &'a Frame,
    row: usize,
}

impl<'a> RawValue<'a> {
    /// A cell, or part of one, of a frame's row.
    #[must_use]
    pub fn new(text: &'a str, frame: &'a Frame, row: usize) -> Self {
        Self { text: text.trim(), frame, row }
    }

    /// The same place with another text: what a look-up found there.
    #[must_use]
    pub fn with_text(self, text: &'a str) -> Self {
        Self { text, ..self }
    }

    /// As a number of a column, NaN where missing.
    ///
    /// # Errors
    /// `Value` for anything that is neither empty nor a finite number.
    pub fn number(&self, column: &str) -> Result<f32, DataError> {
        if self.text.is_empty() {
            return Ok(f32::NAN);
        }
        self.text.parse().ok().filter(|number: &f32| number.is_finite()).ok_or_else(|| DataError::Value {
            at: self.location(),
            found: self.text.to_owned(),
            place: format!("in numeric column `{column}`"),
            expected: "a finite number, or an empty cell where it is not known",
        })
    }

    /// Where it was first seen.
    #[must_use]
    pub fn location(&self) -> Location {
        self.frame.location(self.row)
    }
}

/// Numbers distinct texts in the order in which they come.
#[derive(Clone, Debug, Default)]
pub struct Interner<'a> {
    index: HashMap<&'a str, u32>,
    distinct: Vec<RawValue<'a>>,
}

impl<'a> Interner<'a> {
    /// The number of a text, a new one if it is new.
    pub fn code(&mut self, value: RawValue<'a>) -> u32 {
        *self.index.entry(value.text).or_insert_with(|| {
            self.distinct.push(value);
            self.distinct.len() as u32 - 1
        })
    }

    /// The number of a text that was seen, white space around it aside.
    #[must_use]
    pub fn known(&self, text: &str) -> Option<u32> {
        self.index.get(text.trim()).copied()
    }

    /// The texts, by number.
    #[must_use]
    pub fn distinct(&self) -> &[RawValue<'a>] {
        &self.distinct
    }
}

/// A column: `distinct[codes[i]]` is entry i.
#[derive(Clone, Debug, Default)]
pub struct Coded<'a> {
    interner: Interner<'a>,
    codes: Vec<u32>,
}

impl<'a> Coded<'a> {
    /// All cells of a frame's column.
    #[must_use]
    pub fn from_column(frame: &'a Frame, column: &'a TextColumn) -> Self {
        let mut coded = Self::default();
        for (row, text) in column.iter().enumerate() {
            coded.push(RawValue::new(text, frame, row));
        }
        coded
    }

    /// Appends an entry.
    pub fn push(&mut self, value: RawValue<'a>) {
        let code = self.interner.code(value);
        self.codes.push(code);
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// For each entry the number of its value.
    #[must_use]
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The values, numbered by first appearance.
    #[must_use]
    pub fn interner(&self) -> &Interner<'a> {
        &self.interner
    }

    /// The column that results from looking every entry up in a side table; missing where it has no row.
    #[must_use]
    pub fn through(&self, side: &SideTable<'a>, column: &str) -> Self {
        let mut interner = Interner::default();
        let translate = |value: &RawValue<'a>| {
            let found = side.value(value.text, column);
            interner.code(found.unwrap_or(value.with_text("")))
        };
        let translated: Vec<u32> = self.interner.distinct.iter().map(translate).collect();
        let codes = self.codes.iter().map(|&code| translated[code as usize]).collect();
        Self { interner, codes }
    }

    /// The entries as numbers, NaN where missing.
    ///
    /// # Errors
    /// `Value` for anything that is neither empty nor a finite number.
    pub fn numbers(&self, column: &str) -> Result<Vec<f32>, DataError> {
        let number = |value: &RawValue<'_>| value.number(column);
        let numbers: Vec<f32> = self.interner.distinct.iter().map(number).collect::<Result<_, _>>()?;
        Ok(self.codes.iter().map(|&code| numbers[code as usize]).collect())
    }
}

/// The integers of a time column.
///
/// # Errors
/// `Value` for anything else, an empty cell included.
pub fn times(frame: &Frame, column: &str) -> Result<Vec<i64>, DataError> {
    let time = |(row, text): (usize, &str)| {
        // Whole numbers with a fraction of zero come from tools that keep all numbers as reals.
        let whole = text.trim();
        let whole = whole.strip_suffix(".0").unwrap_or(whole);
        whole.parse().map_err(|_| DataError::Value {
            at: frame.location(row),
            found: text.to_owned(),
            place: format!("in time column `{column}`"),
            expected: "a whole number, such as a timestamp in seconds",
        })
    };
    frame.column(column).iter().enumerate().map(time).collect()
}
