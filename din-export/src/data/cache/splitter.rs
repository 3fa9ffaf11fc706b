//! The split of a row when it passes, for splits that need to have seen all rows too.

use super::ids::Ids;
use crate::data::coded::{RawValue, times};
use crate::data::error::DataError;
use crate::data::frame::{Frame, Pieces, Requests};
use crate::data::split::{LastPositions, Part, by_column, by_time, quantile_index, validate_from};
use crate::job::{Job, SplitConfig};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Tells the split of each row.
pub(super) struct Splitter<'j> {
    job: &'j Job,
    /// Where validation begins, if that was found in the data; by time also where the test begins.
    valid_from: Option<i64>,
    test_from: Option<i64>,
    positions: Option<LastPositions>,
}

impl<'j> Splitter<'j> {
    /// Reads the times of all rows once, where the split depends on them. `users` are numbered as they come.
    pub(super) fn new(
        job: &'j Job,
        files: &[PathBuf],
        scratch: &Path,
        users: &mut Ids,
    ) -> Result<Self, DataError> {
        let mut own = Self { job, valid_from: None, test_from: None, positions: None };
        match &job.split {
            SplitConfig::Column { valid_last: Some(stretch), .. } => {
                let mut last = None;
                own.pass(files, |_, part, time| {
                    if part == Part::Train {
                        last = last.max(Some(time));
                    }
                    Ok(())
                })?;
                if let (Some(last), Some(unit)) = (last, job.data.time_unit) {
                    own.valid_from = Some(last - stretch.steps(unit) + 1);
                }
            }
            SplitConfig::Column { valid_fraction: Some(share), .. } => {
                let mut times = Times::create(scratch)?;
                own.pass(files, |_, part, time| if part == Part::Train { times.push(time) } else { Ok(()) })?;
                own.valid_from = times.quantile(1.0 - share)?;
            }
            SplitConfig::Time { valid_from: Some(valid), test_from: Some(test), .. } => {
                (own.valid_from, own.test_from) = (Some(*valid), Some(*test));
            }
            SplitConfig::Time { valid_fraction, test_fraction, .. } => {
                let (valid, test) = (valid_fraction.unwrap_or(0.0), test_fraction.unwrap_or(0.0));
                let mut times = Times::create(scratch)?;
                own.pass(files, |_, _, time| times.push(time))?;
                own.valid_from = times.quantile(1.0 - valid - test)?;
                own.test_from = times.quantile(1.0 - test)?;
            }
            SplitConfig::LastPosition { valid_share, seed } => {
                let mut positions = LastPositions::default();
                own.pass(files, |user, _, time| {
                    positions.observe(users.code(&user)?, time);
                    Ok(())
                })?;
                positions.choose(*valid_share, *seed);
                own.positions = Some(positions);
            }
            SplitConfig::Column { .. } => {}
        }
        Ok(own)
    }

    /// Passes over users, parts by column (if the split has one) and times.
    fn pass(
        &self,
        files: &[PathBuf],
        mut visit: impl FnMut(RawValue<'_>, Part, i64) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut requests = Requests::default();
        requests.add(&self.job.data.user, "data.user");
        let time = self.job.data.time.as_deref().unwrap_or_default();
        requests.add(time, "data.time");
        if let SplitConfig::Column { column, .. } = &self.job.split {
            requests.add(column, "split.column");
        }
        for piece in Pieces::new(files.to_vec(), "data.samples", requests) {
            let piece = piece?;
            let parts = self.column_parts(&piece)?;
            let users = piece.column(&self.job.data.user);
            for (row, time) in times(&piece, time)?.into_iter().enumerate() {
                let part = parts.as_ref().map_or(Part::Train, |parts| parts[row]);
                visit(RawValue::new(users.get(row), &piece, row), part, time)?;
            }
        }
        Ok(())
    }

    fn column_parts(&self, piece: &Frame) -> Result<Option<Vec<Part>>, DataError> {
        let SplitConfig::Column { column, train, valid, test, ignore, .. } = &self.job.split else {
            return Ok(None);
        };
        let named = [
            (Some(train), Part::Train),
            (valid.as_ref(), Part::Valid),
            (Some(test), Part::Test),
            (ignore.as_ref(), Part::Unused),
        ];
        by_column(piece, column, &named).map(Some)
    }

    /// Of the rows of a piece; `users` and `times`: one for each, `times` empty if the job has none.
    pub(super) fn parts(&self, piece: &Frame, users: &[u32], times: &[i64]) -> Result<Vec<Part>, DataError> {
        if let Some(positions) = &self.positions {
            return Ok(users.iter().zip(times).map(|(&user, &time)| positions.part(user, time)).collect());
        }
        match self.column_parts(piece)? {
            None => {
                Ok(by_time(times, self.valid_from.unwrap_or(i64::MAX), self.test_from.unwrap_or(i64::MAX)))
            }
            Some(mut parts) => {
                if let Some(from) = self.valid_from {
                    validate_from(&mut parts, times, from);
                }
                Ok(parts)
            }
        }
    }
}

/// Times on disk, of which any quantile can be found in bounded memory.
struct Times {
    file: BufWriter<File>,
    folder: PathBuf,
    count: u64,
}

impl Times {
    fn create(folder: &Path) -> Result<Self, DataError> {
        let file = tempfile::tempfile_in(folder).map_err(|error| DataError::cache(folder, error))?;
        Ok(Self { file: BufWriter::new(file), folder: folder.to_owned(), count: 0 })
    }

    fn push(&mut self, time: i64) -> Result<(), DataError> {
        self.count += 1;
        // With the sign turned, unsigned numbers are in the order of the times.
        let ordered = (time as u64) ^ (1 << 63);
        self.file.write_all(&ordered.to_le_bytes()).map_err(|error| DataError::cache(&self.folder, error))
    }

    /// The time at which a share of them has passed; `None` without any.
    fn quantile(&mut self, share: f64) -> Result<Option<i64>, DataError> {
        let Some(index) = quantile_index(self.count as usize, share) else { return Ok(None) };
        let found = self.nth(index as u64).map_err(|error| DataError::cache(&self.folder, error))?;
        Ok(Some((found ^ (1 << 63)) as i64))
    }

    /// The one that would be at `index` if they were sorted: digit by digit, 16 bits each, from the highest.
    fn nth(&mut self, mut index: u64) -> io::Result<u64> {
        self.file.flush()?;
        let mut found = 0_u64;
        for shift in [48, 32, 16, 0] {
            let mut counts = vec![0_u64; 1 << 16];
            self.file.get_mut().seek(SeekFrom::Start(0))?;
            let mut input = BufReader::with_capacity(1 << 16, self.file.get_mut());
            let mut bytes = [0; 8];
            for _ in 0..self.count {
                input.read_exact(&mut bytes)?;
                let time = u64::from_le_bytes(bytes);
                if shift == 48 || time >> (shift + 16) == found >> (shift + 16) {
                    counts[(time >> shift & 0xffff) as usize] += 1;
                }
            }
            let mut digit = 0;
            while index >= counts[digit] {
                index -= counts[digit];
                digit += 1;
            }
            found |= (digit as u64) << shift;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_on_disk_is_that_of_the_sorted_times() {
        let folder = tempfile::tempdir().unwrap();
        let mut all: Vec<i64> = (0..1000_i64).map(|i| (i * 7919 % 1000 - 500).pow(5) * 31).collect();
        all.extend([i64::MIN, i64::MAX, 0, 0, -1]);
        let mut times = Times::create(folder.path()).unwrap();
        all.iter().for_each(|&time| times.push(time).unwrap());
        all.sort_unstable();
        for share in [0.0, 0.1, 0.5, 0.899, 1.0] {
            let index = quantile_index(all.len(), share).unwrap();
            assert_eq!(times.quantile(share).unwrap(), Some(all[index]), "{share}");
        }
    }
}
