//! Size against accuracy: which numeric path and row forms fit a budget, and what each costs in accuracy.
//!
//! Every combination is written as a blob and scored by din-core on a job's validation split; the figures are of what
//! would ship.

use crate::blob::{self, Embedding, Embeddings, ExportError, ExportOptions, NumericPath, Writer, Written};
use crate::data::dataset::Dataset;
use crate::evaluation::{EvaluationError, RawSamples, evaluate};
use crate::inspect::inspect;
use crate::request::Request;
use crate::weights::ModelWeights;
use din_core::Model;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Training samples that calibrate the integer path and the rounding of rows.
pub const CALIBRATION_SAMPLES: usize = 512;

/// Up to so many tables every mixture of forms is tried, else each form for all tables and each table on its own in
/// another form.
const MIXED_TABLES: usize = 2;

/// Samples of a user whose order is compared.
const SAMPLES_OF_A_USER: usize = 64;

/// Why no blob can be chosen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TradeoffError {
    /// Writing a blob.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Measuring it.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// There is nothing to measure on.
    #[error("the validation split is empty, so nothing tells the choices apart")]
    NoSamples,
    /// Nothing fits.
    #[error("no blob fits {budget} bytes: the smallest, {path} with {embedding} rows, has {smallest}")]
    Budget {
        /// In bytes.
        budget: usize,
        /// Of the smallest blob, in bytes.
        smallest: usize,
        /// Its numeric path.
        path: &'static str,
        /// Its row forms.
        embedding: String,
    },
    /// The best that fits is not good enough.
    #[error("the best blob that fits, {choice}, loses {loss:.5} AUC against f32, more than {allowed}")]
    Accuracy {
        /// Path and row forms.
        choice: String,
        /// Of AUC.
        loss: f64,
        /// Of AUC.
        allowed: f64,
    },
}

/// One way to write a model, measured.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// Floats or integers.
    pub path: NumericPath,
    /// Form of the rows: of the tables that are not named in `tables`.
    pub embedding: Embedding,
    /// Of single tables.
    pub tables: BTreeMap<String, Embedding>,
    /// Of the blob.
    pub bytes: usize,
    /// RAM of a ranker.
    pub scratch_bytes: usize,
    /// What it is worth; absent where it does not fit.
    pub figures: Option<Figures>,
}

/// Accuracy on the validation split.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    /// Mean.
    pub log_loss: f64,
    /// None with one class.
    pub auc: Option<f64>,
    /// Weighted by impressions.
    pub gauc: Option<f64>,
    /// The largest magnitude of a score's difference to f32's.
    pub largest_change: f64,
    /// Root of the mean squared difference: what the choice goes by.
    pub rms_change: f64,
    /// Pairs of samples of one user whose order is the other way round than f32's, as a share of all pairs that f32
    /// orders.
    pub flipped: f64,
}

/// Every choice, and the one that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Tradeoff {
    /// In bytes.
    pub budget: usize,
    /// f32 rows and f32 layers, whether or not they fit.
    pub reference: Choice,
    /// In the order of their size.
    pub choices: Vec<Choice>,
    /// Index into `choices`: the least `rms_change` among those that fit, of equal ones the smallest. Not the lowest log
    /// loss: between choices this close to each other, chance decides that.
    pub chosen: usize,
    /// The chosen blob.
    #[serde(skip)]
    pub blob: Vec<u8>,
}

impl Choice {
    fn describe(&self) -> String {
        format!("{} with {} rows", self.path.name(), self.embeddings().describe())
    }

    /// The form of each table.
    #[must_use]
    pub fn embeddings(&self) -> Embeddings {
        Embeddings { default: self.embedding, tables: self.tables.clone(), widen: false }
    }
}

/// Requests of evenly spread samples of a dataset, to calibrate on. The model's fields are found by name.
///
/// # Errors
/// As [`RawSamples::new`]; a model that no blob can hold.
pub fn calibration_requests(
    weights: &ModelWeights,
    dataset: &Dataset,
    indices: &[u32],
) -> Result<Vec<Request>, TradeoffError> {
    let bytes = blob::write(weights, &ExportOptions::default())?;
    let model = Model::from_bytes(&bytes).map_err(EvaluationError::from)?;
    let view = RawSamples::new(&model, dataset)?;
    let count = indices.len().min(CALIBRATION_SAMPLES);
    Ok((0..count).map(|index| view.request(indices[index * indices.len() / count])).collect())
}

/// Writes and measures every combination, and chooses.
///
/// `options` gives model id, version and calibration; its path and row forms are replaced.
///
/// # Errors
/// Every variant of [`TradeoffError`] but [`TradeoffError::Accuracy`], which is [`Tradeoff::check`]'s.
pub fn search(
    weights: &ModelWeights,
    dataset: &Dataset,
    options: &ExportOptions,
    budget: usize,
    on_progress: &mut dyn FnMut(&str),
) -> Result<Tradeoff, TradeoffError> {
    if dataset.valid.is_empty() {
        return Err(TradeoffError::NoSamples);
    }
    let mut writer = Writer::new(weights, options)?;
    let reference_blob = writer.write(NumericPath::F32, &Embedding::F32.into())?;
    let reference_scores = evaluate(&reference_blob.blob, dataset, &dataset.valid)?.scores;
    let pairs = Pairs::of(dataset, &reference_scores);
    let measure = |blob: &[u8]| -> Result<Figures, TradeoffError> {
        let evaluation = evaluate(blob, dataset, &dataset.valid)?;
        let pairs_of_scores = evaluation.scores.iter().zip(&reference_scores);
        let changes: Vec<f64> = pairs_of_scores.map(|(a, b)| f64::from(a - b).abs()).collect();
        let squares: f64 = changes.iter().map(|change| change * change).sum();
        Ok(Figures {
            log_loss: evaluation.metrics.log_loss,
            auc: evaluation.metrics.auc,
            gauc: evaluation.metrics.gauc.map(|gauc| gauc.weighted),
            largest_change: changes.iter().copied().fold(0.0, f64::max),
            rms_change: (squares / changes.len() as f64).sqrt(),
            flipped: pairs.flipped(&evaluation.scores),
        })
    };
    let mut reference = choice(NumericPath::F32, Embedding::F32, &reference_blob)?;
    reference.figures = Some(measure(&reference_blob.blob)?);

    let mut choices: Vec<Choice> = Vec::new();
    for path in NumericPath::ALL {
        for embedding in mixtures(weights) {
            let written = match writer.write(path, &embedding) {
                Ok(written) => written,
                // f16 too narrow, or integers: the others may do.
                Err(error @ (ExportError::Overflow(_) | ExportError::Integer(_))) => {
                    on_progress(&format!("{} with {} rows: {error}", path.name(), embedding.describe()));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let mut choice = choice(path, embedding.default, &written)?;
            // What the rule for small tables chooses may be a mixture like another.
            if choices.iter().any(|other| (other.path, other.embeddings()) == (path, choice.embeddings())) {
                continue;
            }
            if written.blob.len() <= budget {
                on_progress(&format!("measuring {}", choice.describe()));
                choice.figures = Some(measure(&written.blob)?);
            }
            choices.push(choice);
        }
    }
    choices.sort_by_key(|choice| choice.bytes);
    let change = |choice: &Choice| choice.figures.map(|figures| figures.rms_change);
    let best = (0..choices.len())
        .filter_map(|index| change(&choices[index]).map(|change| (index, change)))
        // `<`: of equal ones the first, which is the smallest.
        .reduce(|best, next| if next.1 < best.1 { next } else { best });
    let Some((chosen, _)) = best else {
        let smallest = choices.first().unwrap_or(&reference);
        return Err(TradeoffError::Budget {
            budget,
            smallest: smallest.bytes,
            path: smallest.path.name(),
            embedding: smallest.embeddings().describe(),
        });
    };
    let blob = writer.write(choices[chosen].path, &choices[chosen].embeddings())?.blob;
    Ok(Tradeoff { budget, reference, choices, chosen, blob })
}

fn choice(path: NumericPath, embedding: Embedding, written: &Written) -> Result<Choice, TradeoffError> {
    let model = Model::from_bytes(&written.blob).map_err(EvaluationError::from)?;
    let others = written.tables.iter().filter(|stored| stored.embedding != embedding);
    Ok(Choice {
        path,
        embedding,
        tables: others.map(|stored| (stored.table.clone(), stored.embedding)).collect(),
        bytes: written.blob.len(),
        scratch_bytes: inspect(&model).scratch_bytes,
        figures: None,
    })
}

/// The row forms to try.
fn mixtures(weights: &ModelWeights) -> Vec<Embeddings> {
    let tables: Vec<&str> = weights.schema.tables.iter().map(|spec| spec.name.as_str()).collect();
    let mut mixtures: Vec<Embeddings> = Embedding::ALL.into_iter().map(Embeddings::exactly).collect();
    mixtures.extend([Embedding::Int8, Embedding::Int4].map(Embeddings::from));
    if tables.len() < 2 {
        return mixtures;
    }
    let named = |embedding: Embedding, default: Embedding, table: &str| Embeddings {
        tables: BTreeMap::from([(table.to_owned(), embedding)]),
        ..Embeddings::exactly(default)
    };
    let others = if tables.len() <= MIXED_TABLES { &tables[..1] } else { &tables[..] };
    for table in others {
        for default in Embedding::ALL {
            let own = Embedding::ALL.into_iter().filter(|own| *own != default);
            mixtures.extend(own.map(|own| named(own, default, table)));
        }
    }
    mixtures
}

/// Samples of one user that f32 puts in an order.
struct Pairs(Vec<(usize, usize)>);

impl Pairs {
    fn of(dataset: &Dataset, scores: &[f32]) -> Self {
        let mut by_user = BTreeMap::<u32, Vec<usize>>::new();
        for (place, sample) in dataset.valid.iter().enumerate() {
            let own = by_user.entry(dataset.samples.users[*sample as usize]).or_default();
            if own.len() < SAMPLES_OF_A_USER {
                own.push(place);
            }
        }
        let mut pairs = Vec::new();
        for own in by_user.values() {
            for (index, &a) in own.iter().enumerate() {
                let others = own[index + 1..].iter().filter(|b| scores[a] != scores[**b]);
                pairs.extend(others.map(|&b| if scores[a] < scores[b] { (a, b) } else { (b, a) }));
            }
        }
        Self(pairs)
    }

    fn flipped(&self, scores: &[f32]) -> f64 {
        let flipped = self.0.iter().filter(|(low, high)| scores[*low] > scores[*high]).count();
        flipped as f64 / self.0.len().max(1) as f64
    }
}

impl Tradeoff {
    /// Refuses a choice that loses too much AUC.
    ///
    /// # Errors
    /// [`TradeoffError::Accuracy`]
    pub fn check(&self, allowed: f64) -> Result<(), TradeoffError> {
        let chosen = &self.choices[self.chosen];
        let auc = |choice: &Choice| choice.figures.and_then(|figures| figures.auc);
        let loss = auc(&self.reference).zip(auc(chosen)).map_or(0.0, |(reference, own)| reference - own);
        if loss > allowed {
            return Err(TradeoffError::Accuracy { choice: chosen.describe(), loss, allowed });
        }
        Ok(())
    }
}

impl fmt::Display for Tradeoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<36} {:>10} {:>9} {:>9} {:>8} {:>8} {:>9} {:>9} {:>8}",
            "path, rows", "bytes", "scratch", "log loss", "AUC", "GAUC", "change", "rms", "flipped"
        )?;
        let row = |f: &mut fmt::Formatter<'_>, choice: &Choice, mark: &str| {
            let name = format!("{}, {}", choice.path.name(), choice.embeddings().describe());
            write!(f, "{name:<36} {:>10} {:>9}", choice.bytes, choice.scratch_bytes)?;
            let Some(figures) = &choice.figures else {
                return writeln!(f, " does not fit");
            };
            let figure =
                |figure: Option<f64>| figure.map_or_else(|| "none".to_owned(), |x| format!("{x:.5}"));
            writeln!(
                f,
                " {:>9.5} {:>8} {:>8} {:>9.6} {:>9.6} {:>6.3} %{mark}",
                figures.log_loss,
                figure(figures.auc),
                figure(figures.gauc),
                figures.largest_change,
                figures.rms_change,
                100.0 * figures.flipped
            )
        };
        for (index, choice) in self.choices.iter().enumerate() {
            row(f, choice, if index == self.chosen { "  <- chosen" } else { "" })?;
        }
        writeln!(
            f,
            "change, rms: largest and root mean square difference of a score to f32; flipped: pairs of one user in another \
             order than f32's"
        )?;
        row(f, &self.reference, "  (reference)")
    }
}
