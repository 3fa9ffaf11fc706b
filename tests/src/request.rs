//! One user and a slate: made up at random, and scored by din-core.

use crate::random::Random;
use din_core::{Behaviours, Kernel, Model, Ranker, ScoreError, User, Value};
use din_export::schema::{Field, FieldKind, Schema, Vocabulary};
use serde::{Deserialize, Serialize};

/// What an application would hand over, in raw values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// One value for each profile field.
    pub profile: Vec<Value>,
    /// One value for each context field.
    pub context: Vec<Value>,
    /// For each sequence its behaviours, oldest first.
    pub histories: Vec<Vec<Vec<Value>>>,
    /// The candidates.
    pub slate: Vec<Vec<Value>>,
}

/// What din-core makes of one candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Before the sigmoid.
    pub logit: f32,
    /// After it.
    pub score: f32,
    /// For each sequence the attention weights, oldest behaviour first; empty for sum and mean pooling.
    pub attention: Vec<Vec<f32>>,
}

impl Request {
    /// A request that has everything that happens: unknown ids, missing values, histories that are empty, short, full,
    /// and longer than the capacity.
    pub fn random(schema: &Schema, random: &mut Random) -> Self {
        let mut values = |fields: &[Field]| -> Vec<Value> {
            fields.iter().map(|field| random_value(schema, field, random)).collect()
        };
        let (profile, context) = (values(&schema.profile), values(&schema.context));
        let slate = (0..5).map(|_| values(&schema.candidate)).collect();
        let histories = schema.sequences.iter().map(|sequence| {
            let length = match random.below(6) {
                0 => 0,
                1 => sequence.capacity,
                2 => sequence.capacity + random.within(1..=4),
                _ => random.within(1..=sequence.capacity),
            };
            let mut behaviour = || -> Vec<Value> {
                let fields = sequence.fields.iter();
                fields.map(|behaviour| random_value(schema, &behaviour.field, random)).collect()
            };
            (0..length).map(|_| behaviour()).collect()
        });
        let histories = histories.collect();
        Self { profile, context, histories, slate }
    }

    /// Each history in one run of values.
    #[must_use]
    pub fn flat_histories(&self) -> Vec<Vec<Value>> {
        self.histories.iter().map(|history| history.concat()).collect()
    }

    /// Calls `then` with the user as din-core takes it.
    pub fn with_user<R>(&self, then: impl FnOnce(&User<'_>) -> R) -> R {
        let flat = self.flat_histories();
        let histories: Vec<Behaviours<'_>> = flat.iter().map(|values| Behaviours::new(values)).collect();
        then(&User { profile: &self.profile, context: &self.context, histories: &histories })
    }

    /// As din-export takes it.
    #[must_use]
    pub fn for_export(&self) -> din_export::request::Request {
        din_export::request::Request {
            profile: self.profile.clone(),
            context: self.context.clone(),
            histories: self.flat_histories(),
            candidates: self.slate.clone(),
        }
    }

    /// Scores the slate with din-core.
    ///
    /// # Errors
    /// Those of [`Ranker::set_user`] and [`Ranker::score`].
    pub fn rank_all(&self, model: &Model<'_>) -> Result<Vec<Ranking>, ScoreError> {
        self.rank_all_by(Kernel::best(), model)
    }

    /// The same with a kernel of choice.
    ///
    /// # Errors
    /// As [`rank_all`](Self::rank_all).
    pub fn rank_all_by(&self, kernel: Kernel, model: &Model<'_>) -> Result<Vec<Ranking>, ScoreError> {
        let mut scratch = vec![0.0; model.scratch_len()];
        let mut ranker = Ranker::new(model, &mut scratch)?;
        ranker.use_kernel(kernel);
        self.with_user(|user| ranker.set_user(user))?;
        let sequences = model.sequences().count();
        let rank = |candidate: &Vec<Value>| {
            let (logit, score) = (ranker.logit(candidate)?, ranker.score(candidate)?);
            let attention = (0..sequences).map(|index| ranker.attention(index).to_vec()).collect();
            Ok(Ranking { logit, score, attention })
        };
        self.slate.iter().map(rank).collect()
    }

    /// The scores alone.
    ///
    /// # Errors
    /// As [`rank_all`](Self::rank_all).
    pub fn scores(&self, model: &Model<'_>) -> Result<Vec<f32>, ScoreError> {
        self.scores_by(Kernel::best(), model)
    }

    /// The same with a kernel of choice.
    ///
    /// # Errors
    /// As [`rank_all`](Self::rank_all).
    pub fn scores_by(&self, kernel: Kernel, model: &Model<'_>) -> Result<Vec<f32>, ScoreError> {
        Ok(self.rank_all_by(kernel, model)?.iter().map(|ranking| ranking.score).collect())
    }
}

fn random_value(schema: &Schema, field: &Field, random: &mut Random) -> Value {
    if random.chance(5) {
        return Value::Missing;
    }
    match field.kind {
        FieldKind::Numeric(_) => Value::Number(random.around_zero(3.0)),
        FieldKind::Categorical { table } => {
            let vocabulary = &schema.tables[table].vocabulary;
            if random.chance(10) {
                return Value::Id(unknown_id(vocabulary, random));
            }
            let row = random.below(vocabulary.rows()) as u32;
            vocabulary.key(row).map_or(Value::Missing, Value::Id)
        }
    }
}

/// Just outside a dense range, or anywhere between keys.
fn unknown_id(vocabulary: &Vocabulary, random: &mut Random) -> u64 {
    match vocabulary {
        Vocabulary::Dense { first, count, .. } => {
            let end = first + u64::from(*count);
            random.one_of(&[first.wrapping_sub(1), end, end + (1 << 32), u64::MAX])
        }
        Vocabulary::Keys(keys) | Vocabulary::HashedText(keys) => {
            let mut id = random.one_of(&[0, u64::MAX, keys[0] ^ 1]);
            while keys.contains(&id) {
                id = random.bits();
            }
            id
        }
    }
}
