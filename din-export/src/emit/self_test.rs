//! Requests with the scores that a device must give them.

use crate::request::Request;
use din_core::{IntegerRanker, Kernel, Model, Ranker, ScoreError, Value, crc32};

/// A request that cannot be part of a self-test.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request {request} of the self-test: {source}")]
pub struct SelfTestError {
    /// From 1.
    pub request: usize,
    /// din-core's reason to refuse it.
    pub source: ScoreError,
}

/// What the candidates of a request score.
#[derive(Clone, Debug, PartialEq)]
pub enum Scores {
    /// With the portable kernel; other kernels differ in the last bits.
    F32(Vec<f32>),
    /// Q16, the same on every machine.
    Integer(Vec<u16>),
}

/// A request and what it scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Histories no longer than the model looks back.
    pub request: Request,
    /// One for each candidate.
    pub scores: Scores,
}

/// What a device checks of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfTest {
    /// Each with a candidate.
    pub cases: Vec<Case>,
}

/// The most by which an f32 score may differ: each of two kernels is within 1e-5 of the exact result.
pub const TOLERANCE: f32 = 2e-5;

impl SelfTest {
    /// The first `cases` requests with their first `candidates`, scored. Requests without candidates are passed over.
    ///
    /// # Errors
    /// [`SelfTestError`]
    pub fn choose(
        model: &Model<'_>,
        requests: &[Request],
        cases: usize,
        candidates: usize,
    ) -> Result<Self, SelfTestError> {
        let usable = requests.iter().enumerate().filter(|(_, request)| !request.candidates.is_empty());
        let case = |(index, request): (usize, &Request)| {
            let request = shortened(model, request, candidates);
            let scores = score(model, &request);
            scores
                .map(|scores| Case { request, scores })
                .map_err(|source| SelfTestError { request: index + 1, source })
        };
        Ok(Self { cases: usable.take(cases).map(case).collect::<Result<_, _>>()? })
    }

    /// Candidates of all cases.
    #[must_use]
    pub fn score_count(&self) -> usize {
        self.cases.iter().map(|case| case.request.candidates.len()).sum()
    }

    /// Of the bytes of all integer scores, each a little-endian u16, in order; `None` of an f32 model.
    #[must_use]
    pub fn crc(&self) -> Option<u32> {
        let mut bytes = Vec::new();
        for case in &self.cases {
            let Scores::Integer(scores) = &case.scores else { return None };
            bytes.extend(scores.iter().flat_map(|score| score.to_le_bytes()));
        }
        Some(crc32(&bytes))
    }
}

/// Without what the model would not look at: behaviours before the newest `capacity`, candidates beyond the first few.
fn shortened(model: &Model<'_>, request: &Request, candidates: usize) -> Request {
    let mut request = request.clone();
    request.candidates.truncate(candidates);
    for (sequence, history) in model.sequences().zip(&mut request.histories) {
        let most = sequence.capacity() * model.behaviour_fields(&sequence).count();
        history.drain(..history.len().saturating_sub(most));
    }
    request
}

fn score(model: &Model<'_>, request: &Request) -> Result<Scores, ScoreError> {
    let slate: Vec<Value> = request.candidates.concat();
    let count = request.candidates.len();
    if model.header().is_integer() {
        let (mut scratch, mut scores) = (vec![0; model.scratch_len()], vec![0; count]);
        let mut ranker = IntegerRanker::new(model, &mut scratch)?;
        request.with_user(|user| ranker.set_user(user))?;
        ranker.score_slate(&slate, &mut scores)?;
        Ok(Scores::Integer(scores))
    } else {
        let (mut scratch, mut scores) = (vec![0.0; model.scratch_len()], vec![0.0; count]);
        let mut ranker = Ranker::new(model, &mut scratch)?;
        ranker.use_kernel(Kernel::Portable);
        request.with_user(|user| ranker.set_user(user))?;
        ranker.score_slate(&slate, &mut scores)?;
        Ok(Scores::F32(scores))
    }
}
