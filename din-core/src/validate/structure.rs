//! Where sections lie, what names are, and which fields there are.

use super::checks::{Checked, Checks, Usable};
use crate::header::section_start;
use crate::manifest::{FieldKind, MAX_CAPACITY, MAX_FIELDS, MAX_LAYERS, MAX_WIDTH, NONE, Name};
use crate::model::{Group, Sequence};
use crate::subject::Subject;

impl Checks<'_, '_> {
    /// Sections follow each other from the manifest to the signature, with zeros before each up to where it may start.
    pub(super) fn sections(&mut self) -> Checked {
        let header = self.model.header();
        let end = self.model.bytes().len().saturating_sub(header.signature_len as usize);
        let mut cursor = (header.header_len as usize).saturating_add(header.manifest_len as usize);
        for (index, section) in self.model.manifest().sections.iter().enumerate() {
            self.index = index;
            let [offset, len] =
                [section.offset, section.len].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
            let start = section_start(cursor, len);
            self.equal(Subject::SectionOffset, start, offset)?;
            self.zeros(cursor, start)?;
            cursor = start.saturating_add(len);
            if cursor > end {
                return self.equal(Subject::SectionEnd, end, cursor);
            }
        }
        self.index = self.model.manifest().sections.len();
        self.equal(Subject::EndOfLastSection, end, section_start(cursor, 0))?;
        self.zeros(cursor, end)
    }

    /// Fields of profile, context and candidate, then of each sequence's behaviours.
    fn group_len(&self, group: usize) -> Option<usize> {
        let manifest = self.model.manifest();
        let count = match group {
            0 => manifest.profile_fields,
            1 => manifest.context_fields,
            2 => manifest.candidate_fields,
            _ => manifest.sequences.get(group.wrapping_sub(3))?.fields,
        };
        Some(count.into())
    }

    /// Every name is a range of the names' text, not empty, and unique among its like.
    pub(super) fn names(&mut self) -> Checked {
        let manifest = self.model.manifest();
        self.distinct(manifest.tables.len(), &|index| manifest.tables.get(index).map(|record| record.name))?;
        self.distinct(manifest.sequences.len(), &|index| {
            manifest.sequences.get(index).map(|record| record.name)
        })?;
        let (mut first, mut group) = (0_usize, 0_usize);
        while let Some(count) = self.group_len(group) {
            self.distinct(count, &|index| {
                manifest.fields.get(first.saturating_add(index)).map(|record| record.name)
            })?;
            first = first.saturating_add(count);
            group = group.saturating_add(1);
        }
        Ok(())
    }

    #[inline(never)]
    fn distinct(&mut self, count: usize, name: &dyn Fn(usize) -> Option<Name>) -> Checked {
        let text = |index| self.model.manifest().text(name(index).unwrap_or_default());
        for index in 0..count {
            let own = text(index);
            if own.is_empty() || (0..index).any(|earlier| text(earlier) == own) {
                return self.malformed(Subject::Names);
            }
        }
        Ok(())
    }

    pub(super) fn fields(&mut self) -> Checked {
        let manifest = self.model.manifest();
        let groups = (0..).map_while(|group| self.group_len(group));
        let grouped = groups.fold(0, usize::saturating_add);
        self.index = 0;
        self.equal(Subject::FieldCount, grouped, manifest.fields.len())?;
        let (first, count) = self.model.field_range(Group::Candidate);
        let behaviours = first.saturating_add(count);
        for (index, record) in manifest.fields.iter().enumerate() {
            self.index = index;
            match record.kind {
                FieldKind::Categorical => {
                    let table = usize::from(record.table).saturating_add(1);
                    self.in_range(Subject::FieldTable, table, manifest.tables.len())?;
                }
                FieldKind::Numeric => {
                    self.none(Subject::FieldTable, record.table)?;
                    let crate::Normaliser { mean, scale, limit, .. } = record.normaliser;
                    let usable = Usable::FINITE.holds(mean.to_bits())
                        && Usable::FINITE.holds(scale.to_bits())
                        && Usable::POSITIVE.holds(limit.to_bits());
                    if !usable {
                        return self.bad_number(Subject::Normaliser, index);
                    }
                }
            }
            if index < behaviours {
                self.none(Subject::FieldPair, record.pair)?;
            }
        }
        Ok(())
    }

    /// Capacity, fields and number of layers of a sequence.
    pub(super) fn sequence(&mut self, index: usize, sequence: &Sequence<'_>) -> Checked {
        self.index = index;
        self.in_range(Subject::Capacity, sequence.capacity, MAX_CAPACITY as usize)?;
        self.in_range(Subject::BehaviourFields, sequence.fields, MAX_FIELDS)?;
        self.in_range(Subject::KeyWidth, sequence.key_width, MAX_WIDTH as usize)?;
        if sequence.is_attention() {
            self.in_range(Subject::UnitLayers, sequence.layers, MAX_LAYERS)?;
        } else {
            self.equal(Subject::UnitLayers, 0, sequence.layers)?;
        }
        let (first_candidate, candidates) = self.model.field_range(Group::Candidate);
        let mut unpaired = false;
        for field in sequence.first_field..sequence.first_field.saturating_add(sequence.fields) {
            let record = self.model.field(field);
            if record.pair == NONE {
                unpaired = true;
                continue;
            }
            if unpaired {
                return self.malformed(Subject::PairedFieldOrder);
            }
            let pair = usize::from(record.pair);
            self.in_range(Subject::FieldPair, pair.saturating_add(1), candidates)?;
            let candidate = first_candidate.saturating_add(pair);
            if self.model.field(candidate).kind != record.kind {
                return self.malformed(Subject::PairedFieldKind);
            }
            self.equal(Subject::PairWidth, self.model.width(candidate), self.model.width(field))?;
        }
        Ok(())
    }
}
