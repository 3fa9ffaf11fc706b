//! Embedding tables and vocabularies.

use super::checks::{Checked, Checks, Usable};
use crate::error::LoadError;
use crate::manifest::{MAX_WIDTH, RowEncoding, TableRecord, VocabularyKind};
use crate::subject::Subject;

impl Checks<'_, '_> {
    pub(super) fn tables(&mut self) -> Checked {
        for (index, record) in self.model.manifest().tables.iter().enumerate() {
            self.index = index;
            self.rows(&record)?;
            self.vocabulary(&record)?;
        }
        Ok(())
    }

    fn rows(&mut self, record: &TableRecord) -> Checked {
        let rows = record.rows as usize;
        self.in_range(Subject::TableRows, rows, u32::MAX as usize)?;
        self.in_range(Subject::TableWidth, record.dim.into(), MAX_WIDTH as usize)?;
        let row_len = record.encoding.row_len(record.dim.into());
        self.section(Subject::RowSection, record.values, rows.saturating_mul(row_len))?;
        let is_integer = self.model.header().is_integer();
        let is_scaled = record.encoding.is_scaled();
        if is_scaled {
            let len = rows.saturating_mul(if is_integer { 2 } else { 4 });
            self.section(Subject::ScaleSection, record.scales, len)?;
        } else {
            self.none(Subject::ScaleSection, record.scales)?;
        }
        let values = self.model.section(record.values);
        match record.encoding {
            RowEncoding::F32 => self.numbers(Subject::Rows, values, Usable::FINITE)?,
            RowEncoding::F16 => self.halves(values)?,
            RowEncoding::Int8 | RowEncoding::Int4 => {}
        }
        if is_integer {
            self.in_range(Subject::InputLimit, record.limit.into(), i16::MAX as usize)?;
            self.at_most(Subject::TableShift, record.shift.into(), 30)
        } else if is_scaled {
            self.numbers(Subject::RowScales, self.model.section(record.scales), Usable::POSITIVE)
        } else {
            Ok(())
        }
    }

    /// Halves whose exponent is not that of infinity and not-a-number.
    fn halves(&mut self, bytes: &[u8]) -> Checked {
        let bad = |half: &[u8; 2]| u16::from_le_bytes(*half) & 0x7c00 == 0x7c00;
        match bytes.as_chunks::<2>().0.iter().position(bad) {
            Some(index) => self.bad_number(Subject::Rows, index),
            None => Ok(()),
        }
    }

    fn vocabulary(&mut self, record: &TableRecord) -> Checked {
        if record.vocabulary == VocabularyKind::Dense {
            self.none(Subject::KeySection, record.keys)?;
            let first_row = u32::from(record.first_row);
            self.at_most(Subject::FirstRow, first_row as usize, record.rows.min(1) as usize)?;
            let ids = u64::from(record.rows.saturating_sub(first_row));
            if record.first_id.checked_add(ids).is_some() {
                return Ok(());
            }
            let (what, limit) = (Subject::FirstId, u64::MAX.saturating_sub(ids));
            return self.fail(LoadError::OutOfRange { what, found: record.first_id, limit });
        }
        let len = (record.rows as usize).saturating_sub(1).saturating_mul(8);
        self.section(Subject::KeySection, record.keys, len)?;
        let keys = self.model.section(record.keys).as_chunks::<8>().0;
        let mut earlier = None;
        for (index, key) in keys.iter().enumerate() {
            let key = Some(u64::from_le_bytes(*key));
            if earlier >= key {
                let table = u32::try_from(self.index).unwrap_or(u32::MAX);
                return self.fail(LoadError::KeysNotAscending { table, index: index as u64 });
            }
            earlier = key;
        }
        Ok(())
    }
}
