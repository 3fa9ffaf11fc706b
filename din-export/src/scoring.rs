//! One request, scored by din-core along the numeric path of its blob.

use crate::request::Request;
use din_core::{Model, Ranker, ScoreError, Value};

/// One candidate's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// Click probability.
    pub score: f32,
    /// For each sequence the weight of each behaviour used, oldest first; empty for sum and mean pooling.
    pub attention: Vec<Vec<f32>>,
}

/// A ranker with scratch memory of its own.
pub struct Scorer<'m> {
    model: &'m Model<'m>,
    scratch: Vec<f32>,
}

impl<'m> Scorer<'m> {
    /// For a loaded model.
    #[must_use]
    pub fn new(model: &'m Model<'m>) -> Self {
        Self { model, scratch: vec![0.0; model.scratch_len()] }
    }

    /// The scores of a request's candidates, in their order.
    ///
    /// # Errors
    /// din-core's reason to refuse the request.
    pub fn scores(&mut self, request: &Request) -> Result<Vec<f32>, ScoreError> {
        let slate: Vec<Value> = request.candidates.concat();
        let mut scores = vec![0.0; request.candidates.len()];
        let mut ranker = Ranker::new(self.model, &mut self.scratch)?;
        request.with_user(|user| ranker.set_user(user))?;
        ranker.score_slate(&slate, &mut scores)?;
        Ok(scores)
    }

    /// The scores, and what the model looked at for each.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn explain(&mut self, request: &Request) -> Result<Vec<Scored>, ScoreError> {
        let sequences = self.model.sequences().count();
        let mut ranker = Ranker::new(self.model, &mut self.scratch)?;
        request.with_user(|user| ranker.set_user(user))?;
        let explain = |candidate: &Vec<Value>| {
            let score = ranker.score(candidate)?;
            let attention = (0..sequences).map(|index| ranker.attention(index).to_vec()).collect();
            Ok(Scored { score, attention })
        };
        request.candidates.iter().map(explain).collect()
    }
}
