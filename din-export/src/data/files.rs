//! The files of a job, read once each.

use super::error::DataError;
use super::frame::{Frame, Requests};
use super::history::log_columns;
use super::load::LoadStep;
use crate::job::{FieldConfig, Job, SequenceConfig, SourceConfig, SplitConfig};
use std::collections::BTreeMap;
use std::path::Path;

/// The tables of a job, with the columns that it names.
#[derive(Clone, Debug)]
pub struct Files {
    /// `data.samples`.
    pub samples: Frame,
    /// Side tables, by name.
    pub sides: BTreeMap<String, Frame>,
    /// Logs in files of their own, by the name of their sequence.
    pub logs: BTreeMap<String, Frame>,
}

impl Files {
    /// Reads them.
    ///
    /// # Errors
    /// `Unreadable`, `UnknownFormat`, `Malformed`, `NoRows` and `MissingColumn`.
    pub fn read(
        job: &Job,
        directory: &Path,
        progress: &mut dyn FnMut(LoadStep<'_>),
    ) -> Result<Self, DataError> {
        progress(LoadStep::Reading("samples"));
        let samples = Frame::read(directory, &job.data.samples, "data.samples", &sample_requests(job))?;
        let sides = side_frames(job, directory, progress)?;
        let mut logs = BTreeMap::new();
        for sequence in &job.sequences {
            for source in &sequence.sources {
                if let SourceConfig::Log { file: Some(file), .. } = source {
                    progress(LoadStep::Reading(&sequence.name));
                    let requests = log_requests(job, sequence, source);
                    let key = format!("sequence.{}.source.file", sequence.name);
                    logs.insert(sequence.name.clone(), Frame::read(directory, file, &key, &requests)?);
                }
            }
        }
        Ok(Self { samples, sides, logs })
    }
}

/// The side tables of a job, by name.
pub(super) fn side_frames(
    job: &Job,
    directory: &Path,
    progress: &mut dyn FnMut(LoadStep<'_>),
) -> Result<BTreeMap<String, Frame>, DataError> {
    let mut sides = BTreeMap::new();
    for (name, side) in &job.side {
        progress(LoadStep::Reading(name));
        let key = format!("side.{name}.file");
        sides.insert(name.clone(), Frame::read(directory, &side.file, &key, &side_requests(job, name))?);
    }
    Ok(sides)
}

/// The columns that a job names in a log that is read by itself.
pub(super) fn log_requests(job: &Job, sequence: &SequenceConfig, source: &SourceConfig) -> Requests {
    let mut requests = Requests::default();
    request_log(job, sequence, source, &mut requests);
    requests
}

/// Every field of the profile, the context and the candidate, with the key of the job that defines it.
fn sample_fields(job: &Job) -> impl Iterator<Item = (String, &FieldConfig)> {
    let groups = [("profile", &job.profile), ("context", &job.context), ("candidate", &job.candidate)];
    groups.into_iter().flat_map(|(group, fields)| {
        fields.iter().map(move |field| (format!("{group}.{}", field.name), field))
    })
}

/// Every field of a behaviour, with the key of the job that defines it.
fn behaviour_fields(sequence: &SequenceConfig) -> impl Iterator<Item = (String, &FieldConfig)> {
    let key = |field: &FieldConfig| format!("sequence.{}.{}", sequence.name, field.name);
    sequence.fields.iter().map(move |field| (key(field), field))
}

/// The columns that a job names in the samples.
pub(super) fn sample_requests(job: &Job) -> Requests {
    let mut requests = Requests::default();
    requests.add(&job.data.user, "data.user");
    let (label, time) = (&job.data.label, &job.data.time);
    label.iter().for_each(|column| requests.add(column, "data.label"));
    time.iter().for_each(|column| requests.add(column, "data.time"));
    job.negatives.iter().for_each(|negatives| requests.add(&negatives.item, "negatives.item"));
    if let SplitConfig::Column { column, .. } = &job.split {
        requests.add(column, "split.column");
    }
    for (key, field) in sample_fields(job) {
        requests.add(job.sample_column(field), key);
    }
    for sequence in &job.sequences {
        for source in &sequence.sources {
            match source {
                SourceConfig::List { separator, .. } => {
                    request_lists(job, sequence, source, separator, &mut requests);
                }
                SourceConfig::Log { file: None, .. } => request_log(job, sequence, source, &mut requests),
                _ => {}
            }
        }
    }
    requests
}

/// The columns that a job names in a side table.
fn side_requests(job: &Job, name: &str) -> Requests {
    let mut requests = Requests::default();
    requests.add(&job.side[name].key, format!("side.{name}.key"));
    let behaviours = job.sequences.iter().flat_map(behaviour_fields);
    for (key, field) in sample_fields(job).chain(behaviours) {
        if field.side.as_deref() == Some(name) {
            requests.add(field.column(), key);
        }
    }
    for sequence in &job.sequences {
        for source in &sequence.sources {
            if let SourceConfig::UserList { side, separator, .. } = source
                && side == name
            {
                request_lists(job, sequence, source, separator, &mut requests);
            }
        }
    }
    requests
}

/// The list columns of a source.
fn request_lists(
    job: &Job,
    sequence: &SequenceConfig,
    source: &SourceConfig,
    separator: &str,
    requests: &mut Requests,
) {
    for (key, field) in behaviour_fields(sequence) {
        requests.add_list(source.column(job.sample_column(field)), key, separator);
    }
}

/// The columns of a log.
fn request_log(job: &Job, sequence: &SequenceConfig, source: &SourceConfig, requests: &mut Requests) {
    let key = format!("sequence.{}.source", sequence.name);
    let (user, time) = log_columns(job, source);
    requests.add(user, format!("{key}.user"));
    requests.add(time, format!("{key}.time"));
    if let SourceConfig::Log { condition: Some(condition), .. } = source {
        requests.add(&condition.column, format!("{key}.where"));
    }
    for (key, field) in behaviour_fields(sequence) {
        requests.add(source.column(job.sample_column(field)), key);
    }
}
