//! One line of JSON, as the values that a model reads.

use crate::job::nearest::Suggestion;
use crate::request::Request;
use din_core::manifest::{FieldKind, VocabularyKind};
use din_core::{Field, Group, Model, ScoreError, Value, hash_text};
use serde_json::{Map, Value as Json};

/// Why a request cannot be ranked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A key that requests, or the model, do not have.
    #[error("unknown {what} `{found}`{suggestion}")]
    Unknown {
        /// Key, field or sequence.
        what: String,
        /// What was found.
        found: String,
        /// What could be written instead.
        suggestion: Suggestion,
    },
    /// A value of the wrong type.
    #[error("{what} is {found}, expected {expected}")]
    WrongType {
        /// Which value.
        what: String,
        /// What was found.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// din-core refuses it.
    #[error("{0}")]
    Refused(ScoreError),
}

const KEYS: [&str; 4] = ["profile", "context", "history", "candidates"];

impl Request {
    /// Reads one line of JSON for a model.
    ///
    /// # Errors
    /// [`RequestError::Syntax`], [`RequestError::Unknown`], [`RequestError::WrongType`].
    pub fn parse(line: &str, model: &Model<'_>) -> Result<Self, RequestError> {
        let json: Json = serde_json::from_str(line)?;
        let request = object(&json, "request")?;
        if let Some(found) = request.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(unknown("key", found, KEYS));
        }
        let group = |group: Group, name: &str| match request.get(name) {
            None | Some(Json::Null) => values(&Map::new(), &fields(model, group), model, name),
            Some(json) => values(object(json, name)?, &fields(model, group), model, name),
        };
        let candidate_fields = fields(model, Group::Candidate);
        let candidates = match request.get("candidates") {
            None => return Err(wrong_type("candidates", &Json::Null, "an array of objects")),
            Some(json) => array(json, "candidates")?,
        };
        let candidates = candidates.iter().enumerate().map(|(index, json)| {
            let what = format!("candidate {index}");
            values(object(json, &what)?, &candidate_fields, model, &what)
        });
        Ok(Self {
            profile: group(Group::Profile, "profile")?,
            context: group(Group::Context, "context")?,
            histories: histories(request.get("history"), model)?,
            candidates: candidates.collect::<Result<_, _>>()?,
        })
    }
}

fn fields<'a>(model: &Model<'a>, group: Group) -> Vec<Field<'a>> {
    model.fields(group).collect()
}

fn histories(json: Option<&Json>, model: &Model<'_>) -> Result<Vec<Vec<Value>>, RequestError> {
    let names: Vec<&str> = model.sequences().map(|sequence| sequence.name()).collect();
    let behaviours: Vec<Option<&Json>> = match json {
        None | Some(Json::Null) => vec![None; names.len()],
        Some(json @ Json::Array(items)) if names.len() == 1 || items.is_empty() => {
            vec![Some(json); names.len()]
        }
        Some(Json::Object(by_name)) => {
            if let Some(found) = by_name.keys().find(|key| !names.contains(&key.as_str())) {
                return Err(unknown("sequence", found, names));
            }
            names.iter().map(|name| by_name.get(*name)).collect()
        }
        Some(other) if names.len() == 1 => return Err(wrong_type("history", other, "an array of objects")),
        Some(other) => return Err(wrong_type("history", other, "an object with an array for each sequence")),
    };
    let mut histories = Vec::new();
    for (sequence, json) in model.sequences().zip(behaviours) {
        let fields: Vec<Field<'_>> = model.behaviour_fields(&sequence).collect();
        let mut history = Vec::new();
        let items = json.filter(|json| !json.is_null()).map_or(Ok(&[][..]), |json| array(json, "history"))?;
        for (index, item) in items.iter().enumerate() {
            let what = format!("behaviour {index} of `{}`", sequence.name());
            history.extend(values(object(item, &what)?, &fields, model, &what)?);
        }
        histories.push(history);
    }
    Ok(histories)
}

/// One value for each field, [`Value::Missing`] where there is none.
fn values(
    json: &Map<String, Json>,
    fields: &[Field<'_>],
    model: &Model<'_>,
    what: &str,
) -> Result<Vec<Value>, RequestError> {
    if let Some(found) = json.keys().find(|key| fields.iter().all(|field| field.name != key.as_str())) {
        return Err(unknown(&format!("field of {what}:"), found, fields.iter().map(|field| field.name)));
    }
    let value = |field: &Field<'_>| {
        json.get(field.name).map_or(Ok(Value::Missing), |json| value(json, field, model, what))
    };
    fields.iter().map(value).collect()
}

fn value(json: &Json, field: &Field<'_>, model: &Model<'_>, what: &str) -> Result<Value, RequestError> {
    let expected = match (json, field.kind) {
        (Json::Null, _) => return Ok(Value::Missing),
        (Json::Number(number), FieldKind::Numeric) => {
            return Ok(Value::Number(number.as_f64().unwrap_or(f64::NAN) as f32));
        }
        (_, FieldKind::Numeric) => "a number",
        (json, _) => {
            let is_text = field
                .table
                .is_some_and(|table| model.table(table).vocabulary() == VocabularyKind::HashedText);
            match json {
                Json::String(text) if is_text => return Ok(Value::text(text)),
                // An integer vocabulary takes the digits too; a text one, a number's digits as the exporter saw them.
                Json::Number(number) if is_text => return Ok(Value::Id(hash_text(&number.to_string()))),
                Json::Number(number) if number.is_u64() => {
                    return Ok(Value::Id(number.as_u64().unwrap_or_default()));
                }
                Json::String(text) => {
                    if let Ok(id) = text.parse() {
                        return Ok(Value::Id(id));
                    }
                }
                _ => {}
            }
            if is_text { "a string" } else { "an integer from 0 to 2^64 - 1" }
        }
    };
    Err(wrong_type(&format!("field `{}` of {what}", field.name), json, expected))
}

fn object<'j>(json: &'j Json, what: &str) -> Result<&'j Map<String, Json>, RequestError> {
    json.as_object().ok_or_else(|| wrong_type(what, json, "an object"))
}

fn array<'j>(json: &'j Json, what: &str) -> Result<&'j [Json], RequestError> {
    json.as_array().map(Vec::as_slice).ok_or_else(|| wrong_type(what, json, "an array of objects"))
}

fn wrong_type(what: &str, found: &Json, expected: &'static str) -> RequestError {
    let found = match found {
        Json::Null => "missing".to_owned(),
        Json::Array(_) => "an array".to_owned(),
        Json::Object(_) => "an object".to_owned(),
        other => other.to_string(),
    };
    RequestError::WrongType { what: what.to_owned(), found, expected }
}

fn unknown<'a>(what: &str, found: &str, valid: impl IntoIterator<Item = &'a str>) -> RequestError {
    let suggestion = Suggestion::new(found, valid);
    RequestError::Unknown { what: what.to_owned(), found: found.to_owned(), suggestion }
}
