//! What a few held-out users were really shown, ranked, with what the model looked at.

use super::Variant;
use super::run::{DemoError, Run, export};
use crate::blob::Embedding;
use crate::data::dataset::Dataset;
use crate::evaluation::{EvaluationError, RawSamples};
use crate::job::Job;
use crate::request::Request;
use crate::scoring::Scorer;
use din_core::{Group, Model, Value};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Users shown.
const USERS: usize = 3;
/// Candidates of a user, at most.
const CANDIDATES: usize = 6;
/// Behaviours named for a candidate.
const BEHAVIOURS: usize = 3;

/// One user's slate, best first.
#[derive(Clone, Debug, Serialize)]
pub struct Slate {
    /// Raw values of the profile, by field.
    pub user: String,
    /// Behaviours that counted.
    pub history_len: usize,
    /// Best first.
    pub candidates: Vec<Candidate>,
}

/// One candidate.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// Raw values by field.
    pub item: String,
    /// Click probability.
    pub score: f32,
    /// What the user did.
    pub clicked: bool,
    /// The behaviours with the largest weights.
    pub looked_at: Vec<Attention>,
}

/// One behaviour's weight.
#[derive(Clone, Debug, Serialize)]
pub struct Attention {
    /// Raw values by field.
    pub behaviour: String,
    /// How many behaviours before the newest: 0 is the newest.
    pub age: usize,
    /// Positive pulls the user's interest towards the behaviour, negative away.
    pub weight: f32,
}

/// Ranks the slates of the first users of the test split that have a history, clicks and non-clicks.
///
/// # Errors
/// [`DemoError::NoUsers`], or that of the blob.
pub fn choose(job: &Job, dataset: &Dataset, runs: &[Run]) -> Result<Vec<Slate>, DemoError> {
    let run = runs.iter().find(|run| run.variant == Variant::DinRegularized).ok_or(DemoError::NoUsers)?;
    let bytes = export(job, &run.weights, Embedding::Int8)?;
    let model = Model::from_bytes(&bytes).map_err(EvaluationError::from)?;
    let view = RawSamples::new(&model, dataset)?;
    let mut by_user = BTreeMap::<u32, Vec<u32>>::new();
    for &sample in &dataset.test {
        by_user.entry(dataset.samples.users[sample as usize]).or_default().push(sample);
    }
    let label = |sample: &u32| dataset.samples.labels[*sample as usize];
    let mut slates = Vec::new();
    for samples in by_user.values().filter(|samples| samples.len() >= CANDIDATES) {
        // One moment: what was shown first, scored with the history that the user had then.
        let slate = &samples[..CANDIDATES];
        let clicks = slate.iter().filter(|sample| label(sample) == 1.0).count();
        let has_history = view.histories(slate[0]).iter().any(|history| history.len() >= 20);
        if clicks == 0 || clicks == slate.len() || !has_history {
            continue;
        }
        slates.push(rank(&model, &view, slate, label)?);
        if slates.len() == USERS {
            return Ok(slates);
        }
    }
    if slates.is_empty() { Err(DemoError::NoUsers) } else { Ok(slates) }
}

fn rank(
    model: &Model<'_>,
    view: &RawSamples<'_>,
    samples: &[u32],
    label: impl Fn(&u32) -> f32,
) -> Result<Slate, DemoError> {
    let first = samples[0];
    let slate = samples.iter().map(|sample| view.candidate(*sample)).collect();
    let request = Request { candidates: slate, ..view.request(first) };
    let scored = Scorer::new(model)
        .explain(&request)
        .map_err(|source| EvaluationError::Score { sample: first, source })?;
    let history_len = scored.first().and_then(|scored| scored.attention.first()).map_or(0, Vec::len);
    let names: Vec<&str> = model.fields(Group::Candidate).map(|field| field.name).collect();
    let mut candidates = Vec::new();
    for ((sample, values), scored) in samples.iter().zip(&request.candidates).zip(scored) {
        let mut looked_at = Vec::new();
        for ((sequence, weights), history) in model.sequences().zip(&scored.attention).zip(&request.histories)
        {
            let names: Vec<&str> = model.behaviour_fields(&sequence).map(|field| field.name).collect();
            let history: Vec<&[Value]> = history.chunks_exact(names.len()).collect();
            let newest = &history[history.len() - weights.len()..];
            looked_at.extend(newest.iter().zip(weights).rev().enumerate().map(
                |(age, (behaviour, weight))| Attention {
                    behaviour: describe(&names, behaviour),
                    age,
                    weight: *weight,
                },
            ));
        }
        looked_at.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        looked_at.truncate(BEHAVIOURS);
        candidates.push(Candidate {
            item: describe(&names, values),
            score: scored.score,
            clicked: label(sample) == 1.0,
            looked_at,
        });
    }
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let names: Vec<&str> = model.fields(Group::Profile).map(|field| field.name).collect();
    Ok(Slate { user: describe(&names, &request.profile), history_len, candidates })
}

/// `video 17, tag 39`
fn describe(names: &[&str], values: &[Value]) -> String {
    let value = |value: &Value| match value {
        Value::Missing => "unknown".to_owned(),
        Value::Id(id) => id.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Fixed(number) => (f64::from(*number) / 65536.0).to_string(),
    };
    let fields: Vec<String> =
        names.iter().zip(values).map(|(name, v)| format!("{name} {}", value(v))).collect();
    fields.join(", ")
}

impl Slate {
    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}: {} behaviours known\n", self.user, self.history_len);
        for (place, candidate) in self.candidates.iter().enumerate() {
            let clicked = if candidate.clicked { "clicked" } else { "not clicked" };
            let _ = write!(
                text,
                "  {}. {:<24} {:>5.1} % likely to be clicked ({clicked})\n       looked most at ",
                place + 1,
                candidate.item,
                100.0 * candidate.score
            );
            let looked: Vec<String> = candidate.looked_at.iter().map(Attention::text).collect();
            let _ = writeln!(text, "{}", looked.join("; "));
        }
        text
    }
}

impl Attention {
    fn text(&self) -> String {
        let when = match self.age {
            0 => "the newest".to_owned(),
            1 => "1 before the newest".to_owned(),
            age => format!("{age} before the newest"),
        };
        format!("{} ({when}) weight {:+.2}", self.behaviour, self.weight)
    }
}
