//! A line of JSON, read straight into the values of a model: no tree of it is built, and the buffers are used again.
//!
//! The format is that of `din-export rank`: `{"profile": {...}, "context": {...}, "history": [{...}, ...],
//! "candidates": [{...}, ...]}`; with several sequences `"history": {"NAME": [...], ...}`. Absent and null is missing.

use din_core::manifest::{FieldKind, VocabularyKind};
use din_core::{Behaviours, Field, Group, Model, User, Value, hash_text};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Id,
    Text,
    Number,
}

/// A field by its name.
#[derive(Clone, Copy, Debug)]
pub struct NamedField<'a> {
    name: &'a str,
    takes: Takes,
}

/// Where the values of a model stand.
#[derive(Clone, Debug, Default)]
pub struct Layout<'a> {
    profile: Vec<NamedField<'a>>,
    context: Vec<NamedField<'a>>,
    pub candidate: Vec<NamedField<'a>>,
    /// With the fields of a behaviour.
    sequences: Vec<(&'a str, Vec<NamedField<'a>>)>,
}

impl<'a> Layout<'a> {
    /// Of a loaded model.
    pub fn of(model: &Model<'a>) -> Self {
        let named = |field: Field<'a>| {
            let vocabulary = field.table.map(|table| model.table(table).vocabulary());
            let takes = match (field.kind, vocabulary) {
                (FieldKind::Numeric, _) => Takes::Number,
                (_, Some(VocabularyKind::HashedText)) => Takes::Text,
                _ => Takes::Id,
            };
            NamedField { name: field.name, takes }
        };
        let group = |group| model.fields(group).map(named).collect();
        let sequence = |sequence: din_core::Sequence<'a>| {
            (sequence.name(), model.behaviour_fields(&sequence).map(named).collect())
        };
        Self {
            profile: group(Group::Profile),
            context: group(Group::Context),
            candidate: group(Group::Candidate),
            sequences: model.sequences().map(sequence).collect(),
        }
    }
}

/// One user and the candidates to rank.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    profile: Vec<Value>,
    context: Vec<Value>,
    /// For each sequence, `[behaviours, fields]`.
    histories: Vec<Vec<Value>>,
    /// `[candidates, fields]`
    pub slate: Vec<Value>,
}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, and at which column.
    pub fn read(&mut self, line: &[u8], layout: &Layout<'_>) -> Result<(), serde_json::Error> {
        for (values, fields) in [(&mut self.profile, &layout.profile), (&mut self.context, &layout.context)] {
            values.clear();
            values.resize(fields.len(), Value::Missing);
        }
        self.histories.resize(layout.sequences.len(), Vec::new());
        self.histories.iter_mut().for_each(Vec::clear);
        self.slate.clear();
        let mut json = serde_json::Deserializer::from_slice(line);
        Root { layout, request: self }.deserialize(&mut json)?;
        json.end()
    }

    /// Calls `then` with the user as din-core takes it.
    pub fn with_user<R>(&self, then: impl FnOnce(&User<'_>) -> R) -> R {
        let histories: Vec<Behaviours<'_>> =
            self.histories.iter().map(|values| Behaviours::new(values)).collect();
        then(&User { profile: &self.profile, context: &self.context, histories: &histories })
    }
}

/// A seed is its own visitor here.
macro_rules! deserialize_any {
    ($seed:ident, $value:ty) => {
        impl<'de> DeserializeSeed<'de> for $seed<'_, '_> {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.deserialize_any(self)
            }
        }
    };
}

/// The request itself.
struct Root<'r, 'l> {
    layout: &'r Layout<'l>,
    request: &'r mut Request,
}

deserialize_any!(Root, ());

impl<'de> Visitor<'de> for Root<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request: an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        const KEYS: [&str; 4] = ["profile", "context", "history", "candidates"];
        let Self { layout, request } = self;
        let mut has_candidates = false;
        while let Some(key) = map.next_key_seed(Key { what: "key", names: &mut KEYS.into_iter() })? {
            match key {
                0 | 1 => {
                    let (out, fields) = match key {
                        0 => (&mut request.profile, &layout.profile),
                        _ => (&mut request.context, &layout.context),
                    };
                    out.clear();
                    map.next_value_seed(Object { fields, out, or_null: true })?;
                }
                2 => map.next_value_seed(Histories { layout, out: &mut request.histories })?,
                _ => {
                    request.slate.clear();
                    map.next_value_seed(Rows {
                        fields: &layout.candidate,
                        out: &mut request.slate,
                        or_null: false,
                    })?;
                    has_candidates = true;
                }
            }
        }
        if has_candidates { Ok(()) } else { Err(A::Error::missing_field("candidates")) }
    }
}

/// The position of a key among the names that there are.
struct Key<'r, 'n> {
    what: &'static str,
    names: &'r mut dyn Iterator<Item = &'n str>,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        let unknown = || E::custom(format_args!("unknown {} `{key}`", self.what));
        let mut names = self.names;
        Iterator::position(&mut names, |name| name == key).ok_or_else(unknown)
    }
}

/// One value for each field, missing where the object has none.
struct Object<'r, 'l> {
    fields: &'r [NamedField<'l>],
    out: &'r mut Vec<Value>,
    or_null: bool,
}

deserialize_any!(Object, ());

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a value for each field")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if !self.or_null {
            return Err(E::invalid_type(serde::de::Unexpected::Unit, &self));
        }
        self.out.extend(self.fields.iter().map(|_| Value::Missing));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { fields, out, .. } = self;
        let start = out.len();
        out.extend(fields.iter().map(|_| Value::Missing));
        let names = || fields.iter().map(|field| field.name);
        while let Some(index) = map.next_key_seed(Key { what: "field", names: &mut names() })? {
            out[start + index] = map.next_value_seed(One { field: &fields[index] })?;
        }
        Ok(())
    }
}

/// An array of objects.
struct Rows<'r, 'l> {
    fields: &'r [NamedField<'l>],
    out: &'r mut Vec<Value>,
    or_null: bool,
}

deserialize_any!(Rows, ());

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.or_null { Ok(()) } else { Err(E::invalid_type(serde::de::Unexpected::Unit, &self)) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let Self { fields, out, .. } = self;
        while rows.next_element_seed(Object { fields, out, or_null: false })?.is_some() {}
        Ok(())
    }
}

/// An array for the only sequence, or an array for each by its name.
struct Histories<'r, 'l> {
    layout: &'r Layout<'l>,
    out: &'r mut [Vec<Value>],
}

deserialize_any!(Histories, ());

impl<'de> Visitor<'de> for Histories<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.layout.sequences.len() {
            1 => "an array of objects",
            _ => "an object with an array for each sequence",
        })
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.out.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        match (self.layout.sequences.as_slice(), &mut *self.out) {
            ([(_, fields)], [out]) => {
                out.clear();
                Rows { fields, out, or_null: false }.visit_seq(rows)
            }
            _ if rows.next_element::<IgnoredAny>()?.is_none() => Ok(()),
            _ => Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { layout, out } = self;
        let names = || layout.sequences.iter().map(|(name, _)| *name);
        while let Some(index) = map.next_key_seed(Key { what: "sequence", names: &mut names() })? {
            out[index].clear();
            map.next_value_seed(Rows {
                fields: &layout.sequences[index].1,
                out: &mut out[index],
                or_null: true,
            })?;
        }
        Ok(())
    }
}

/// One value.
struct One<'r, 'l> {
    field: &'r NamedField<'l>,
}

deserialize_any!(One, Value);

impl Visitor<'_> for One<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.field.takes {
            Takes::Id => "an integer from 0 to 2^64 - 1",
            Takes::Text => "a string",
            Takes::Number => "a number",
        };
        write!(f, "{kind} for field `{}`", self.field.name)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Missing)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(match self.field.takes {
            Takes::Id => Value::Id(number),
            // The digits, as the exporter saw them in the data.
            Takes::Text => Value::Id(hash_text(&number.to_string())),
            Takes::Number => Value::Number(number as f64 as f32),
        })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        match self.field.takes {
            Takes::Id => Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self)),
            Takes::Text => Ok(Value::Id(hash_text(&number.to_string()))),
            Takes::Number => Ok(Value::Number(number as f64 as f32)),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        match self.field.takes {
            Takes::Id => Err(E::invalid_type(serde::de::Unexpected::Float(number), &self)),
            Takes::Text => {
                let text = serde_json::Number::from_f64(number).map(|number| number.to_string());
                Ok(Value::Id(hash_text(&text.unwrap_or_default())))
            }
            Takes::Number => Ok(Value::Number(number as f32)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        let refused = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
        match self.field.takes {
            Takes::Id => text.parse().map(Value::Id).map_err(|_| refused()),
            Takes::Text => Ok(Value::text(text)),
            Takes::Number => Err(refused()),
        }
    }
}
