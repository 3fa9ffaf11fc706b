//! The fields of a model, and the inputs that they contribute.

use super::{Model, Sequence};
use crate::manifest::{FieldKind, FieldRecord, NONE, text};

/// A group of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Group {
    /// User features.
    Profile,
    /// Remaining features of a request.
    Context,
    /// Features of the item being scored.
    Candidate,
}

impl Group {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Context => "context",
            Self::Candidate => "candidate",
        }
    }
}

/// One field of a model.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// Id or number.
    pub kind: FieldKind,
    /// Index of its table; `None` for a number.
    pub table: Option<usize>,
    /// Of a behaviour's field: index of the candidate field it is compared with.
    pub pair: Option<usize>,
}

impl<'a> Model<'a> {
    /// The fields of a group.
    pub fn fields(&self, group: Group) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let (first, count) = self.field_range(group);
        self.view_fields(first, count)
    }

    /// The fields of a sequence's behaviours.
    pub fn behaviour_fields(&self, sequence: &Sequence<'_>) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.view_fields(sequence.first_field, sequence.fields)
    }

    fn view_fields(&self, first: usize, count: usize) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let (names, fields) = (self.manifest.names, self.manifest.fields);
        (first..first.saturating_add(count)).map_while(move |index| fields.get(index)).map(move |record| {
            Field {
                name: text(names, record.name),
                kind: record.kind,
                table: (record.table != NONE).then_some(usize::from(record.table)),
                pair: (record.pair != NONE).then_some(usize::from(record.pair)),
            }
        })
    }

    /// The field with this index, of a model that has it.
    #[inline(never)]
    pub(crate) fn field(&self, index: usize) -> FieldRecord {
        self.manifest.fields.get(index).unwrap_or_default()
    }

    /// First field and number of fields of a group.
    pub(crate) fn field_range(&self, group: Group) -> (usize, usize) {
        let [profile, context, candidate] =
            [self.manifest.profile_fields, self.manifest.context_fields, self.manifest.candidate_fields]
                .map(usize::from);
        match group {
            Group::Profile => (0, profile),
            Group::Context => (profile, context),
            Group::Candidate => (profile.saturating_add(context), candidate),
        }
    }

    /// Numeric ones among the fields before this one.
    pub(crate) fn numeric_before(&self, index: usize) -> usize {
        let kinds = (0..index).map(|index| self.field(index).kind);
        kinds.filter(|kind| *kind == FieldKind::Numeric).count()
    }

    /// Inputs that a field contributes.
    #[inline(never)]
    pub(crate) fn width(&self, index: usize) -> usize {
        let field = self.field(index);
        match field.kind {
            FieldKind::Categorical => {
                self.manifest.tables.get(usize::from(field.table)).map_or(0, |table| usize::from(table.dim))
            }
            FieldKind::Numeric => 1,
        }
    }

    /// Inputs that some fields contribute.
    #[inline(never)]
    pub(crate) fn widths(&self, (first, count): (usize, usize)) -> usize {
        (first..first.saturating_add(count)).fold(0, |sum, index| sum.saturating_add(self.width(index)))
    }
}
