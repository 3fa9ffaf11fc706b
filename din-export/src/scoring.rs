//! One request, scored by din-core along the numeric path of its blob.

use crate::request::Request;
use din_core::{IntegerRanker, Model, Ranker, ScoreError, Value};

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
    scratch: Scratch,
}

/// Of the model's path.
enum Scratch {
    F32(Vec<f32>),
    Integer(Vec<i32>),
}

impl<'m> Scorer<'m> {
    /// For a loaded model.
    #[must_use]
    pub fn new(model: &'m Model<'m>) -> Self {
        let scratch = if model.header().is_integer() {
            Scratch::Integer(vec![0; model.scratch_len()])
        } else {
            Scratch::F32(vec![0.0; model.scratch_len()])
        };
        Self { model, scratch }
    }

    /// The scores of a request's candidates, in their order.
    ///
    /// # Errors
    /// din-core's reason to refuse the request.
    pub fn scores(&mut self, request: &Request) -> Result<Vec<f32>, ScoreError> {
        let slate: Vec<Value> = request.candidates.concat();
        let count = request.candidates.len();
        match &mut self.scratch {
            Scratch::F32(scratch) => {
                let mut scores = vec![0.0; count];
                let mut ranker = Ranker::new(self.model, scratch)?;
                request.with_user(|user| ranker.set_user(user))?;
                ranker.score_slate(&slate, &mut scores)?;
                Ok(scores)
            }
            Scratch::Integer(scratch) => {
                let mut scores = vec![0; count];
                let mut ranker = IntegerRanker::new(self.model, scratch)?;
                request.with_user(|user| ranker.set_user(user))?;
                ranker.score_slate(&slate, &mut scores)?;
                Ok(scores.into_iter().map(real_score).collect())
            }
        }
    }

    /// The scores, and what the model looked at for each.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn explain(&mut self, request: &Request) -> Result<Vec<Scored>, ScoreError> {
        let sequences = 0..self.model.sequences().count();
        match &mut self.scratch {
            Scratch::F32(scratch) => {
                let mut ranker = Ranker::new(self.model, scratch)?;
                request.with_user(|user| ranker.set_user(user))?;
                let explain = |candidate: &Vec<Value>| {
                    let score = ranker.score(candidate)?;
                    let attention = sequences.clone().map(|index| ranker.attention(index).to_vec()).collect();
                    Ok(Scored { score, attention })
                };
                request.candidates.iter().map(explain).collect()
            }
            Scratch::Integer(scratch) => {
                let mut ranker = IntegerRanker::new(self.model, scratch)?;
                request.with_user(|user| ranker.set_user(user))?;
                let explain = |candidate: &Vec<Value>| {
                    let score = real_score(ranker.score(candidate)?);
                    let attention =
                        sequences.clone().map(|index| real_attention(&mut ranker, index)).collect();
                    Ok(Scored { score, attention })
                };
                request.candidates.iter().map(explain).collect()
            }
        }
    }
}

/// From Q16.
fn real_score(score: u16) -> f32 {
    f32::from(score) / 65_536.0
}

fn real_attention(ranker: &mut IntegerRanker<'_, '_>, sequence: usize) -> Vec<f32> {
    let unit = 2.0_f32.powi(-i32::from(ranker.attention_fraction(sequence)));
    ranker.attention(sequence).iter().map(|weight| *weight as f32 * unit).collect()
}
