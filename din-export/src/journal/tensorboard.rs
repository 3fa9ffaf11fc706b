//! Event files that TensorBoard reads.
//!
//! A file is a sequence of records, `length (u64) || masked CRC-32C of the length || data || masked CRC-32C of the data`,
//! little-endian; the data of each is a protocol buffer `Event`, of which scalars need few fields:
//!
//! ```text
//! Event   { wall_time: double = 1, step: int64 = 2, file_version: string = 3, summary: Summary = 5, session_log: SessionLog = 7 }
//! Summary { value: repeated Value = 1 }    Value { tag: string = 1, simple_value: float = 2 }
//! SessionLog { status: enum = 1 (START = 1) }
//! ```
//!
//! Written here because that is all there is to it: the crates for it bring a protocol buffer compiler and an image library,
//! or are no longer kept.
//!
//! # Source
//! TensorFlow: `core/lib/io/record_writer.h`, `core/util/event.proto`, `core/framework/summary.proto`.

use super::JournalError;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An event file, open at its end.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// A new file in a folder that is made if need be. Where a run goes on after so many steps, TensorBoard is told to
    /// forget what older files say of later ones; where it begins, older files are removed.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn create(folder: &Path, after: Option<u64>) -> Result<Self, JournalError> {
        let failed = |source| JournalError { file: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        if after.is_none() {
            for entry in std::fs::read_dir(folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                    std::fs::remove_file(entry.path()).map_err(failed)?;
                }
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // TensorBoard reads the files of a folder in the order of their names.
        let name = format!("{PREFIX}{:010}.{:09}.din-export", now.as_secs(), now.subsec_nanos());
        let path = folder.join(name);
        let file = File::create(&path).map_err(failed)?;
        let mut events = Self { path, file };
        let mut version = Vec::new();
        put_bytes(&mut version, 3, b"brain.Event:2");
        events.event(0, &version)?;
        if let Some(step) = after {
            let mut start = Vec::new();
            put_varint(&mut start, 1, 1);
            let mut session = Vec::new();
            put_bytes(&mut session, 7, &start);
            events.event(step + 1, &session)?;
        }
        Ok(events)
    }

    /// Numbers at a step, each under a tag.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn scalars(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<(), JournalError> {
        let mut summary = Vec::new();
        for (tag, value) in scalars {
            let mut scalar = Vec::new();
            put_bytes(&mut scalar, 1, tag.as_bytes());
            scalar.push(2 << 3 | FIXED_32);
            scalar.extend((*value as f32).to_le_bytes());
            put_bytes(&mut summary, 1, &scalar);
        }
        let mut content = Vec::new();
        put_bytes(&mut content, 5, &summary);
        self.event(step, &content)
    }

    /// One record: `content` after time and step.
    fn event(&mut self, step: u64, content: &[u8]) -> Result<(), JournalError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut event = vec![1 << 3 | FIXED_64];
        event.extend(now.to_le_bytes());
        put_varint(&mut event, 2, step);
        event.extend(content);
        let failed = |source| JournalError { file: self.path.clone(), source };
        self.file.write_all(&record(&event)).map_err(failed)
    }
}

const PREFIX: &str = "events.out.tfevents.";

/// Wire types of protocol buffers.
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const BYTES: u8 = 2;
const FIXED_32: u8 = 5;

fn put_varint(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3 | VARINT);
    varint(out, value);
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | BYTES);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Data in its frame.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    record
}

/// A checksum of data that hold checksums themselves would be weak, so the format turns and shifts it.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: events are few and small.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_format() {
        // RFC 3720, B.4, and the check value of CRC-32C.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    /// What `tensorboard.summary.writer.record_writer.RecordWriter` (PyPI, tensorboard 2.21.0) writes for `b"din"`.
    const RECORD: [u8; 19] = [3, 0, 0, 0, 0, 0, 0, 0, 176, 153, 73, 14, 100, 105, 110, 246, 32, 197, 254];

    #[test]
    fn a_record_has_the_bytes_that_tensorboard_writes() {
        assert_eq!(record(b"din"), RECORD);
    }

    #[test]
    fn a_resumed_run_tells_to_forget_what_came_after_and_a_new_one_removes_it() {
        let directory = tempfile::tempdir().unwrap();
        let count = || std::fs::read_dir(directory.path()).unwrap().count();
        EventFile::create(directory.path(), None).unwrap().scalars(300, &[("train/loss", 0.5)]).unwrap();
        let resumed = EventFile::create(directory.path(), Some(300)).unwrap();
        // The second event: time, step 301, session log with status 1.
        let bytes = std::fs::read(&resumed.path).unwrap();
        let second = &bytes[16 + bytes[0] as usize..];
        let data = &second[12..12 + second[0] as usize];
        assert_eq!(data[9..], [0x10, 0xad, 0x02, 0x3a, 0x02, 0x08, 0x01]);
        assert_eq!(count(), 2);
        EventFile::create(directory.path(), None).unwrap();
        assert_eq!(count(), 1);
    }
}
