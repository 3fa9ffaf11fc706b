//! One user and the candidates to rank, as raw values.

use din_core::{Behaviours, User, Value};

/// A request, ready for a ranker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// One value for each profile field.
    pub profile: Vec<Value>,
    /// One value for each context field.
    pub context: Vec<Value>,
    /// For each sequence, `[behaviours, fields]`, oldest first.
    pub histories: Vec<Vec<Value>>,
    /// For each candidate, one value for each field.
    pub candidates: Vec<Vec<Value>>,
}

impl Request {
    /// Calls `then` with the user as din-core takes it.
    pub fn with_user<R>(&self, then: impl FnOnce(&User<'_>) -> R) -> R {
        let histories: Vec<Behaviours<'_>> =
            self.histories.iter().map(|values| Behaviours::new(values)).collect();
        then(&User { profile: &self.profile, context: &self.context, histories: &histories })
    }
}
