//! What is scored: drawn from the blob's own vocabularies, or a user's requests.

use crate::request::Request;
use din_core::manifest::FieldKind;
use din_core::{Field, Group, Model, Table, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Requests that are timed together.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Candidates of a request, on average.
    pub slate: f64,
    /// Behaviours of a request's longest sequence that count, on average.
    pub history: f64,
    /// At least one, each with a candidate.
    pub requests: Vec<Request>,
}

impl Workload {
    /// Requests of someone who has them; those without a candidate are left out. `None` where none is left.
    #[must_use]
    pub fn of(model: &Model<'_>, requests: Vec<Request>) -> Option<Self> {
        let requests: Vec<Request> =
            requests.into_iter().filter(|request| !request.candidates.is_empty()).collect();
        let mean = |number: &dyn Fn(&Request) -> usize| {
            requests.iter().map(number).sum::<usize>() as f64 / requests.len() as f64
        };
        let slate = mean(&|request| request.candidates.len());
        let history = mean(&|request| longest_history(model, request));
        (!requests.is_empty()).then_some(Self { slate, history, requests })
    }

    /// `count` requests with `slate` candidates and `history` behaviours in each sequence, as far as its capacity goes:
    /// every id of a vocabulary is as likely as another, numbers are drawn from [-1, 1). The same for the same model.
    #[must_use]
    pub fn random(model: &Model<'_>, slate: usize, history: usize, count: usize) -> Self {
        let mut draw = Draw { model, random: ChaCha8Rng::seed_from_u64(0x0be9_c4e5) };
        let mut request = || {
            let behaviours = |sequence: &din_core::Sequence<'_>| sequence.capacity().min(history);
            Request {
                profile: draw.group(Group::Profile),
                context: draw.group(Group::Context),
                histories: model
                    .sequences()
                    .map(|sequence| {
                        let fields: Vec<Field<'_>> = model.behaviour_fields(&sequence).collect();
                        (0..behaviours(&sequence)).flat_map(|_| draw.values(&fields)).collect()
                    })
                    .collect(),
                candidates: (0..slate).map(|_| draw.group(Group::Candidate)).collect(),
            }
        };
        let requests: Vec<Request> = (0..count).map(|_| request()).collect();
        let longest = requests.first().map_or(0, |request| longest_history(model, request));
        Self { slate: slate as f64, history: longest as f64, requests }
    }
}

/// Behaviours of a request's longest history that count.
pub fn longest_history(model: &Model<'_>, request: &Request) -> usize {
    let lengths = model.sequences().zip(&request.histories).map(|(sequence, history)| {
        let fields = model.behaviour_fields(&sequence).count();
        (history.len() / fields.max(1)).min(sequence.capacity())
    });
    lengths.max().unwrap_or(0)
}

struct Draw<'m> {
    model: &'m Model<'m>,
    random: ChaCha8Rng,
}

impl Draw<'_> {
    fn group(&mut self, group: Group) -> Vec<Value> {
        let fields: Vec<Field<'_>> = self.model.fields(group).collect();
        self.values(&fields)
    }

    fn values(&mut self, fields: &[Field<'_>]) -> Vec<Value> {
        fields.iter().map(|field| self.value(field)).collect()
    }

    fn value(&mut self, field: &Field<'_>) -> Value {
        match (field.kind, field.table.map(|index| self.model.table(index))) {
            (FieldKind::Categorical, Some(table)) => self.id(&table),
            _ => Value::Number(self.random.random_range(-1.0..1.0)),
        }
    }

    /// Any known id.
    fn id(&mut self, table: &Table<'_>) -> Value {
        let first_known = u32::from(table.id(0).is_none());
        if table.rows() <= first_known {
            return Value::Missing;
        }
        let row = self.random.random_range(first_known..table.rows());
        table.id(row).map_or(Value::Missing, Value::Id)
    }
}
