//! What ships is what is measured: scores samples with din-core, through raw ids and the blob's vocabularies.

use crate::data::DataError;
use crate::data::cache::{Cache, Split};
use crate::data::dataset::{Dataset, FieldColumn, Histories};
use crate::job::nearest::Suggestion;
use crate::metrics::Metrics;
use crate::request::Request;
use crate::schema::{Field, FieldKind, Schema, Vocabulary};
use crate::scoring::Scorer;
use din_core::manifest::VocabularyKind;
use din_core::{Group, LoadError, Model, ScoreError, Value};
use rayon::prelude::*;
use serde::Serialize;
use std::time::Instant;

/// Why a blob cannot be evaluated on a dataset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The blob is refused.
    #[error("the blob does not load: {0}")]
    Load(#[from] LoadError),
    /// The model reads something that the job does not provide.
    #[error("the model reads the {what} `{name}`, which the job does not have{suggestion}")]
    Unknown {
        /// Field or sequence.
        what: String,
        /// Its name in the blob.
        name: String,
        /// What could have been meant.
        suggestion: Suggestion,
    },
    /// A field is an id on one side and a number on the other.
    #[error("field `{name}` is categorical in one of model and job, numeric in the other")]
    KindDiffers {
        /// Of the field.
        name: String,
    },
    /// The ids of a field are integers on one side and texts on the other, so that none would be found.
    #[error(
        "the ids of field `{name}` are {model} in the model but {found} in the data; \
         correct the data, or train and evaluate with the same `ids` of the field's table"
    )]
    IdsDiffer {
        /// Of the field.
        name: String,
        /// Kind of the model's ids.
        model: &'static str,
        /// Kind of the dataset's ids.
        found: &'static str,
    },
    /// The samples cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// din-core refuses a sample.
    #[error("sample {sample}: {source}")]
    Score {
        /// Index among the dataset's samples.
        sample: u32,
        /// Its reason.
        source: ScoreError,
    },
}

/// What a blob is worth on some samples.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Figures of the scores.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Time of a thread for a sample, its user's set-up included: every sample here is a slate of one.
    pub microseconds_per_sample: f64,
    /// Of each sample, in the order of the indices.
    #[serde(skip)]
    pub scores: Vec<f32>,
}

/// Scores samples with a blob, over the threads of the current rayon pool.
///
/// # Errors
/// Every variant of [`EvaluationError`].
pub fn evaluate(blob: &[u8], dataset: &Dataset, indices: &[u32]) -> Result<Evaluation, EvaluationError> {
    let model = Model::from_bytes(blob)?;
    let mut scored = Scored::default();
    scored.add(&model, dataset, indices)?;
    Ok(scored.finish())
}

/// As [`evaluate`], for samples on disk.
///
/// # Errors
/// Every variant of [`EvaluationError`].
pub fn evaluate_cached(blob: &[u8], cache: &Cache, split: Split) -> Result<Evaluation, EvaluationError> {
    let model = Model::from_bytes(blob)?;
    let mut scored = Scored::default();
    let mut dataset = Dataset { schema: cache.schema().clone(), ..Dataset::default() };
    cache.for_each_window(split, |samples| {
        let indices: Vec<u32> = (0..samples.labels.len() as u32).collect();
        dataset.samples = samples;
        scored.add(&model, &dataset, &indices)
    })?;
    Ok(scored.finish())
}

/// Scores, and what they are measured by.
#[derive(Default)]
struct Scored {
    scores: Vec<f32>,
    labels: Vec<f32>,
    users: Vec<u32>,
    /// Of threads.
    seconds: f64,
}

impl Scored {
    fn add(&mut self, model: &Model<'_>, dataset: &Dataset, indices: &[u32]) -> Result<(), EvaluationError> {
        let view = RawSamples::new(model, dataset)?;
        let start = Instant::now();
        let threads = rayon::current_num_threads();
        let chunk = indices.len().div_ceil(4 * threads).max(1);
        let scores: Vec<Vec<f32>> =
            indices.par_chunks(chunk).map(|indices| view.score(model, indices)).collect::<Result<_, _>>()?;
        self.seconds += start.elapsed().as_secs_f64() * threads.min(indices.len()) as f64;
        self.scores.extend(scores.concat());
        self.labels.extend(indices.iter().map(|&index| dataset.samples.labels[index as usize]));
        self.users.extend(indices.iter().map(|&index| dataset.samples.users[index as usize]));
        Ok(())
    }

    fn finish(self) -> Evaluation {
        Evaluation {
            metrics: Metrics::of(&self.scores, &self.labels, &self.users),
            microseconds_per_sample: self.seconds * 1e6 / self.scores.len().max(1) as f64,
            scores: self.scores,
        }
    }
}

/// One field of the blob: where the dataset has it.
struct Source<'d> {
    column: &'d FieldColumn,
    schema: &'d Schema,
    kind: &'d FieldKind,
}

impl Source<'_> {
    /// The raw value that an application would hand over.
    fn value(&self, index: usize) -> Value {
        match (self.column, self.kind) {
            (FieldColumn::Rows(rows), FieldKind::Categorical { table }) => {
                self.schema.tables[*table].vocabulary.key(rows[index]).map_or(Value::Missing, Value::Id)
            }
            (FieldColumn::Numbers(numbers), _) if !numbers[index].is_nan() => Value::Number(numbers[index]),
            _ => Value::Missing,
        }
    }
}

/// The fields and sequences that a model reads, in a dataset, as raw values.
pub struct RawSamples<'d> {
    profile: Vec<Source<'d>>,
    context: Vec<Source<'d>>,
    candidate: Vec<Source<'d>>,
    sequences: Vec<(Vec<Source<'d>>, &'d Histories)>,
}

impl<'d> RawSamples<'d> {
    /// Finds everything that the model reads, by name.
    ///
    /// # Errors
    /// [`EvaluationError::Unknown`], [`EvaluationError::KindDiffers`], [`EvaluationError::IdsDiffer`].
    pub fn new(model: &Model<'_>, dataset: &'d Dataset) -> Result<Self, EvaluationError> {
        let schema = &dataset.schema;
        let find = |what: &str,
                    field: &din_core::Field<'_>,
                    fields: &mut dyn Iterator<Item = (&'d Field, &'d FieldColumn)>| {
            let fields: Vec<_> = fields.collect();
            let Some((own, column)) = fields.iter().find(|(own, _)| own.name == field.name) else {
                let suggestion = Suggestion::new(field.name, fields.iter().map(|(own, _)| own.name.as_str()));
                let name = field.name.to_owned();
                return Err(EvaluationError::Unknown { what: format!("{what} field"), name, suggestion });
            };
            let is_number = field.kind == din_core::manifest::FieldKind::Numeric;
            if is_number != matches!(own.kind, FieldKind::Numeric(_)) {
                return Err(EvaluationError::KindDiffers { name: field.name.to_owned() });
            }
            if let (Some(theirs), FieldKind::Categorical { table }) = (field.table, &own.kind) {
                same_ids(field.name, &model.table(theirs), &schema.tables[*table].vocabulary)?;
            }
            Ok(Source { column, schema, kind: &own.kind })
        };
        let group = |what: &str, group: Group, fields: &'d [Field], columns: &'d [FieldColumn]| {
            let sources =
                model.fields(group).map(|field| find(what, &field, &mut fields.iter().zip(columns)));
            sources.collect::<Result<Vec<_>, _>>()
        };
        let samples = &dataset.samples;
        let mut sequences = Vec::new();
        for sequence in model.sequences() {
            let names = schema.sequences.iter().map(|own| own.name.as_str());
            let index = names.clone().position(|name| name == sequence.name()).ok_or_else(|| {
                let suggestion = Suggestion::new(sequence.name(), names);
                EvaluationError::Unknown {
                    what: "sequence".to_owned(),
                    name: sequence.name().to_owned(),
                    suggestion,
                }
            })?;
            let (own, histories) = (&schema.sequences[index], &samples.histories[index]);
            let sources = model.behaviour_fields(&sequence).map(|field| {
                let mut fields = own.fields.iter().map(|behaviour| &behaviour.field).zip(&histories.pool);
                find("behaviour", &field, &mut fields)
            });
            sequences.push((sources.collect::<Result<_, _>>()?, histories));
        }
        Ok(Self {
            profile: group("profile", Group::Profile, &schema.profile, &samples.profile)?,
            context: group("context", Group::Context, &schema.context, &samples.context)?,
            candidate: group("candidate", Group::Candidate, &schema.candidate, &samples.candidate)?,
            sequences,
        })
    }

    /// A sample's candidate values.
    #[must_use]
    pub fn candidate(&self, sample: u32) -> Vec<Value> {
        values(&self.candidate, sample)
    }

    /// A sample's histories, `[behaviours, fields]` for each sequence.
    #[must_use]
    pub fn histories(&self, sample: u32) -> Vec<Vec<Value>> {
        let history = |(sources, histories): &(Vec<Source<'_>>, &Histories)| {
            let (start, end) = histories.spans[sample as usize];
            (start..end)
                .flat_map(|index| sources.iter().map(move |source| source.value(index as usize)))
                .collect()
        };
        self.sequences.iter().map(history).collect()
    }

    /// A sample as a request of one candidate.
    #[must_use]
    pub fn request(&self, sample: u32) -> Request {
        Request {
            profile: values(&self.profile, sample),
            context: values(&self.context, sample),
            histories: self.histories(sample),
            candidates: vec![self.candidate(sample)],
        }
    }

    fn score(&self, model: &Model<'_>, indices: &[u32]) -> Result<Vec<f32>, EvaluationError> {
        let mut scorer = Scorer::new(model);
        let score = |&sample: &u32| {
            let scores = scorer.scores(&self.request(sample));
            scores.map(|scores| scores[0]).map_err(|source| EvaluationError::Score { sample, source })
        };
        indices.iter().map(score).collect()
    }
}

/// Refuses integers on one side with hashed texts on the other. A side without any known id has no kind.
fn same_ids(name: &str, theirs: &din_core::Table<'_>, own: &Vocabulary) -> Result<(), EvaluationError> {
    let kind = |is_text| if is_text { "texts" } else { "integers" };
    let model = theirs.vocabulary() == VocabularyKind::HashedText;
    let found = matches!(own, Vocabulary::HashedText(_));
    let is_empty = own.rows() <= 1 || (theirs.rows() <= 1 && theirs.vocabulary() != VocabularyKind::Dense);
    if model == found || is_empty {
        return Ok(());
    }
    Err(EvaluationError::IdsDiffer { name: name.to_owned(), model: kind(model), found: kind(found) })
}

fn values(sources: &[Source<'_>], sample: u32) -> Vec<Value> {
    sources.iter().map(|source| source.value(sample as usize)).collect()
}
