//! The one pass that makes a blob trustworthy. What it admits, scoring relies on.
//!
//! | module | concept |
//! |---|---|
//! | `checks` | what every check is made of |
//! | `structure` | sections, names and fields |
//! | `tables` | embedding tables and vocabularies |
//! | `layers` | layers of the f32 path |
//! | `integer` | layers of the integer path, whose sums cannot leave 32 bits |

mod checks;
mod integer;
mod layers;
mod structure;
mod tables;

use crate::bytes::range;
use crate::checksum::crc32;
use crate::error::LoadError;
use crate::header::{HEADER_LEN, Header};
use crate::manifest::{FieldKind, MAX_FIELDS, MAX_SEQUENCES, Manifest, Record, Records};
use crate::model::{Group, Model};
use crate::subject::Subject;
use checks::{Checked, Checks, Failed, Usable};

pub(crate) use integer::layers as integer_layers;
pub(crate) use layers::layers as f32_layers;

/// Checks lengths and the body's checksum, and decodes the manifest.
#[inline(never)]
pub(crate) fn manifest<'a>(bytes: &'a [u8], header: &Header) -> Result<Manifest<'a>, LoadError> {
    let (needed, found) = (header.total_len, bytes.len() as u64);
    if needed > found {
        return Err(LoadError::TooShort { needed, found });
    }
    if needed < found {
        return Err(LoadError::TooLong { needed, found });
    }
    let body_len = bytes.len().saturating_sub(HEADER_LEN).saturating_sub(header.signature_len as usize);
    let computed = crc32(range(bytes, HEADER_LEN, body_len));
    if computed != header.body_crc {
        return Err(LoadError::BodyChecksum { stored: header.body_crc, computed });
    }
    let encoded = range(bytes, header.header_len as usize, header.manifest_len as usize);
    let (manifest, rest) = Manifest::read(encoded).ok_or(LoadError::Malformed { part: Subject::Manifest })?;
    if !rest.is_empty() && !header.is_later_minor() {
        return Err(LoadError::Malformed { part: Subject::EndOfManifest });
    }
    Ok(manifest)
}

/// Checks everything else of a model whose layers `layers` checks.
#[inline(never)]
pub(crate) fn contents(
    model: &Model<'_>,
    layers: fn(&mut Checks<'_, '_>) -> Checked,
) -> Result<(), LoadError> {
    let mut checks = Checks::new(model);
    match checks.contents(layers) {
        Ok(()) => Ok(()),
        Err(Failed) => Err(checks.error),
    }
}

impl Checks<'_, '_> {
    fn contents(&mut self, layers: fn(&mut Checks<'_, '_>) -> Checked) -> Checked {
        let manifest = self.model.manifest();
        self.well_formed(manifest.tables)?;
        self.well_formed(manifest.fields)?;
        self.well_formed(manifest.sequences)?;
        self.well_formed(manifest.layers)?;
        self.well_formed(manifest.sections)?;
        self.well_formed(manifest.parts)?;
        self.well_formed(manifest.integer_layers)?;
        self.well_formed(manifest.fixed)?;
        self.at_most(Subject::SequenceCount, manifest.sequences.len(), MAX_SEQUENCES)?;
        self.at_most(Subject::TableCount, manifest.tables.len(), MAX_FIELDS)?;
        self.in_range(Subject::FieldCount, manifest.fields.len(), MAX_FIELDS)?;
        self.sections()?;
        self.tables()?;
        self.fields()?;
        self.names()?;
        layers(self)?;
        self.item_bias()?;
        // A later minor version may have added sections that only it refers to.
        if self.model.header().is_later_minor() {
            return Ok(());
        }
        self.index = 0;
        self.equal(Subject::SectionCount, self.section.into(), manifest.sections.len())
    }

    fn well_formed<R: Record>(&mut self, records: Records<'_, R>) -> Checked {
        if records.is_well_formed() { Ok(()) } else { self.malformed(R::SUBJECT) }
    }

    fn item_bias(&mut self) -> Checked {
        let Some(bias) = self.model.manifest().item_bias else { return Ok(()) };
        let (first, count) = self.model.field_range(Group::Candidate);
        self.in_range(Subject::ItemBiasField, usize::from(bias.field).saturating_add(1), count)?;
        let field = self.model.field(first.saturating_add(bias.field.into()));
        if field.kind != FieldKind::Categorical {
            return self.malformed(Subject::ItemBiasField);
        }
        let rows = self.model.manifest().tables.get(field.table.into()).map_or(0, |table| table.rows);
        self.index = 0;
        self.section(Subject::ItemBiasSection, bias.values, (rows as usize).saturating_mul(4))?;
        if self.model.header().is_integer() {
            return Ok(());
        }
        self.numbers(Subject::ItemBias, self.model.section(bias.values), Usable::FINITE)
    }
}
