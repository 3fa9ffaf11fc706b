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

use crate::scoring::Scorer;
use din_core::{Model, ScoreError};
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

/// Answers requests with a model.
pub struct JsonRanker<'m> {
    model: &'m Model<'m>,
    scorer: Scorer<'m>,
}

impl<'m> JsonRanker<'m> {
    /// For a loaded model.
    #[must_use]
    pub fn new(model: &'m Model<'m>) -> Self {
        Self { model, scorer: Scorer::new(model) }
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
        if !explain {
            return Ok(Answer { scores: self.scorer.scores(request)?, attention: None });
        }
        let mut answer = Answer { scores: Vec::new(), attention: Some(BTreeMap::new()) };
        for scored in self.scorer.explain(request)? {
            answer.scores.push(scored.score);
            for (sequence, weights) in self.model.sequences().zip(scored.attention) {
                if let (true, Some(attention)) = (sequence.is_attention(), &mut answer.attention) {
                    attention.entry(sequence.name().to_owned()).or_default().push(weights);
                }
            }
        }
        Ok(answer)
    }
}
