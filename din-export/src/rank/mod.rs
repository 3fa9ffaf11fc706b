//! Ranks requests given as JSON lines, with din-core.
//!
//! A request: `{"profile": {...}, "context": {...}, "history": [{"item": 390, "category": 59}, ...],
//! "candidates": [{...}, ...]}`, histories oldest first; a model with several sequences takes
//! `"history": {"NAME": [...], ...}`. A field that is absent or null is missing. The answer:
//! `{"scores": [...]}` in the order of the candidates, and with explanations
//! `"attention": {"NAME": [[weight of each behaviour] for each candidate]}`.

pub mod request;

pub use crate::request::Request;
pub use request::RequestError;

use din_core::{Behaviours, Model, Ranker, ScoreError, User};
use serde::Serialize;
use std::collections::BTreeMap;

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Click probabilities, in the order of the candidates.
    pub scores: Vec<f32>,
    /// For each sequence with attention, for each candidate, the weight of each behaviour used, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention: Option<BTreeMap<String, Vec<Vec<f32>>>>,
}

/// A ranker with scratch memory of its own.
pub struct JsonRanker<'m> {
    model: &'m Model<'m>,
    scratch: Vec<f32>,
}

impl<'m> JsonRanker<'m> {
    /// For a loaded model.
    #[must_use]
    pub fn new(model: &'m Model<'m>) -> Self {
        Self { model, scratch: vec![0.0; model.scratch_len()] }
    }

    /// Scores every candidate of a request.
    ///
    /// # Errors
    /// [`RequestError::Refused`] with din-core's reason; a request that was parsed for this model has none but numbers
    /// that are not finite.
    pub fn answer(&mut self, request: &Request, explain: bool) -> Result<Answer, RequestError> {
        self.score(request, explain).map_err(RequestError::Refused)
    }

    fn score(&mut self, request: &Request, explain: bool) -> Result<Answer, ScoreError> {
        let mut ranker = Ranker::new(self.model, &mut self.scratch)?;
        let histories: Vec<Behaviours<'_>> =
            request.histories.iter().map(|values| Behaviours::new(values)).collect();
        ranker.set_user(&User {
            profile: &request.profile,
            context: &request.context,
            histories: &histories,
        })?;
        let mut attention = BTreeMap::<String, Vec<Vec<f32>>>::new();
        let mut scores = Vec::with_capacity(request.candidates.len());
        for candidate in &request.candidates {
            scores.push(ranker.score(candidate)?);
            if explain {
                for (index, sequence) in
                    self.model.sequences().enumerate().filter(|(_, sequence)| sequence.is_attention())
                {
                    let weights = ranker.attention(index).to_vec();
                    attention.entry(sequence.name().to_owned()).or_default().push(weights);
                }
            }
        }
        Ok(Answer { scores, attention: explain.then_some(attention) })
    }
}
