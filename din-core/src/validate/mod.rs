//! The one pass that makes a blob trustworthy. What it admits, scoring relies on.

mod integer;

use crate::bytes::{F32s, range};
use crate::checksum::crc32;
use crate::error::LoadError;
use crate::fixed::{is_finite, is_positive};
use crate::header::{HEADER_LEN, Header, section_start};
use crate::manifest::{
    Activation, FieldKind, FieldRecord, MAX_CAPACITY, MAX_FIELDS, MAX_LAYERS, MAX_SEQUENCES, MAX_WIDTH,
    Manifest, NONE, Record, Records, RowEncoding, VocabularyKind,
};
use crate::model::{Group, Model, Sequence};
use crate::table::Table;

/// Bytes of numbers that are looked at together.
const BLOCK: usize = 256;

/// Checks lengths and the body's checksum, and decodes the manifest.
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
    let (manifest, rest) = postcard::take_from_bytes::<Manifest<'_>>(encoded)
        .map_err(|_| LoadError::Malformed { part: "manifest" })?;
    if !rest.is_empty() && !header.is_later_minor() {
        return Err(LoadError::Malformed { part: "end of the manifest" });
    }
    Ok(manifest)
}

/// Checks everything else.
pub(crate) fn contents(model: &Model<'_>) -> Result<(), LoadError> {
    let manifest = model.manifest();
    well_formed(manifest.tables)?;
    well_formed(manifest.fields)?;
    well_formed(manifest.sequences)?;
    well_formed(manifest.layers)?;
    well_formed(manifest.sections)?;
    well_formed(manifest.parts)?;
    well_formed(manifest.integer_layers)?;
    well_formed(manifest.fixed)?;
    in_range("number of sequences", manifest.sequences.len() as u64 + 1, MAX_SEQUENCES as u64 + 1)?;
    in_range("number of tables", manifest.tables.len() as u64 + 1, MAX_FIELDS as u64 + 1)?;
    in_range("number of fields", manifest.fields.len() as u64, MAX_FIELDS as u64)?;
    sections(model)?;

    let mut sections = SectionCounter::default();
    for (index, record) in manifest.tables.iter().enumerate() {
        table(model, index, &record, &mut sections)?;
    }
    fields(model)?;
    names(model)?;
    if model.header().is_integer() {
        integer_layers(model, &mut sections)?;
    } else {
        f32_layers(model, &mut sections)?;
    }
    item_bias(model, &mut sections)?;
    // A later minor version may have added sections that only it refers to.
    if !model.header().is_later_minor() {
        equal("number of sections", 0, sections.next.into(), manifest.sections.len() as u64)?;
    }
    Ok(())
}

fn f32_layers(model: &Model<'_>, sections: &mut SectionCounter) -> Result<(), LoadError> {
    let manifest = model.manifest();
    let unused = [manifest.parts.len(), manifest.integer_layers.len(), manifest.fixed.len()];
    equal("integer records of an f32 blob", 0, 0, unused.iter().sum::<usize>() as u64)?;
    let mut layer = 0;
    for (index, sequence) in model.sequences().enumerate() {
        self::sequence(model, index, &sequence)?;
        layers(model, sequence.first_layer, sequence.layers, unit_inputs(&sequence), sections)?;
        layer += sequence.layers;
    }
    let head_inputs = head_inputs(model);
    let head_layers = manifest.layers.len().saturating_sub(layer);
    in_range("number of head layers", head_layers as u64, MAX_LAYERS as u64)?;
    layers(model, layer, head_layers, head_inputs, sections)
}

fn integer_layers(model: &Model<'_>, sections: &mut SectionCounter) -> Result<(), LoadError> {
    let manifest = model.manifest();
    equal("f32 layers of an integer blob", 0, 0, manifest.layers.len() as u64)?;
    integer::fixed(model)?;
    let mut cursor = integer::Cursor::default();
    let mut layer = 0;
    for (index, sequence) in model.sequences().enumerate() {
        self::sequence(model, index, &sequence)?;
        integer::unit(model, index, &sequence, &mut cursor, sections)?;
        layer += sequence.layers;
    }
    let head_layers = manifest.integer_layers.len().saturating_sub(layer);
    in_range("number of head layers", head_layers as u64, MAX_LAYERS as u64)?;
    integer::head(model, head_layers, &mut cursor, sections)?;
    equal("number of parts", 0, cursor.part as u64, manifest.parts.len() as u64)
}

fn well_formed<R: Record>(records: Records<'_, R>) -> Result<(), LoadError> {
    if records.is_well_formed() { Ok(()) } else { Err(LoadError::Malformed { part: R::NAME }) }
}

fn in_range(what: &'static str, found: u64, limit: u64) -> Result<(), LoadError> {
    if (1..=limit).contains(&found) { Ok(()) } else { Err(LoadError::OutOfRange { what, found, limit }) }
}

fn equal(what: &'static str, index: usize, expected: u64, found: u64) -> Result<(), LoadError> {
    if expected == found {
        Ok(())
    } else {
        Err(LoadError::Mismatch { what, index: index as u32, expected, found })
    }
}

/// Sections follow each other from the manifest to the signature, with zeros before each up to where it may start.
fn sections(model: &Model<'_>) -> Result<(), LoadError> {
    let header = model.header();
    let end = header.total_len.saturating_sub(header.signature_len.into());
    let mut cursor = u64::from(header.header_len).saturating_add(header.manifest_len.into());
    for (index, section) in model.manifest().sections.iter().enumerate() {
        let start = section_start(cursor, section.len);
        equal("section offset", index, start, section.offset)?;
        zeros(model, index, cursor, start)?;
        cursor = start.saturating_add(section.len);
        if cursor > end {
            return Err(LoadError::Mismatch {
                what: "section end",
                index: index as u32,
                expected: end,
                found: cursor,
            });
        }
    }
    let count = model.manifest().sections.len();
    equal("end of the last section", count, end, section_start(cursor, 0))?;
    zeros(model, count, cursor, end)
}

fn zeros(model: &Model<'_>, index: usize, from: u64, to: u64) -> Result<(), LoadError> {
    let padding = range(model.bytes(), from as usize, to.saturating_sub(from) as usize);
    match padding.iter().find(|byte| **byte != 0) {
        Some(byte) => equal("padding before section", index, 0, (*byte).into()),
        None => Ok(()),
    }
}

/// Sections are referred to in order, each once.
#[derive(Default)]
struct SectionCounter {
    next: u16,
}

impl SectionCounter {
    /// Checks that a reference is the next section and that it has the length it must have.
    fn expect(
        &mut self,
        model: &Model<'_>,
        what: &'static str,
        index: usize,
        section: u16,
        len: u64,
    ) -> Result<(), LoadError> {
        equal(what, index, self.next.into(), section.into())?;
        if usize::from(section) >= model.manifest().sections.len() {
            let count = model.manifest().sections.len() as u64;
            return Err(LoadError::OutOfRange { what, found: section.into(), limit: count });
        }
        self.next = self.next.saturating_add(1);
        equal(what, index, len, model.section(section).len() as u64)
    }
}

fn none(what: &'static str, index: usize, section: u16) -> Result<(), LoadError> {
    equal(what, index, NONE.into(), section.into())
}

fn finite(what: &'static str, numbers: F32s<'_>) -> Result<(), LoadError> {
    usable(what, numbers, is_finite)
}

fn usable(what: &'static str, numbers: F32s<'_>, test: impl Fn(f32) -> bool) -> Result<(), LoadError> {
    let bad = |numbers: F32s<'_>| numbers.iter().position(|number| !test(number));
    // A loop without a way out becomes vectors.
    let holds_bad = |block: &[u8]| !F32s(block).iter().fold(true, |good, number| good & test(number));
    let bytes = numbers.0.chunks(BLOCK);
    match bytes.enumerate().find_map(|(index, block)| holds_bad(block).then_some((index, block))) {
        Some((block, bytes)) => {
            let before = (block as u64).saturating_mul(BLOCK as u64 / 4);
            let index = before.saturating_add(bad(F32s(bytes)).unwrap_or_default() as u64);
            Err(LoadError::BadNumber { what, index })
        }
        None => Ok(()),
    }
}

/// Halves whose exponent is not that of infinity and not-a-number.
fn finite_halves(what: &'static str, bytes: &[u8]) -> Result<(), LoadError> {
    let mut halves = bytes.as_chunks().0.iter().map(|half| u16::from_le_bytes(*half));
    match halves.position(|half| half & 0x7c00 == 0x7c00) {
        Some(index) => Err(LoadError::BadNumber { what, index: index as u64 }),
        None => Ok(()),
    }
}

fn table(
    model: &Model<'_>,
    index: usize,
    record: &crate::manifest::TableRecord,
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    in_range("rows of a table", record.rows.into(), u32::MAX.into())?;
    in_range("width of a table", record.dim.into(), MAX_WIDTH.into())?;
    let rows = u64::from(record.rows);
    let row_len = record.encoding.row_len(record.dim.into()) as u64;
    sections.expect(model, "section of rows", index, record.values, rows.saturating_mul(row_len))?;
    let table: Table<'_> = model.view_table(record);
    if record.encoding.is_scaled() {
        let width = if model.header().is_integer() { 2 } else { 4 };
        sections.expect(model, "section of scales", index, record.scales, rows.saturating_mul(width))?;
    } else {
        none("section of scales", index, record.scales)?;
    }
    match record.encoding {
        RowEncoding::F32 => finite("embedding rows", F32s(table.values))?,
        RowEncoding::F16 => finite_halves("embedding rows", table.values)?,
        RowEncoding::Int8 | RowEncoding::Int4 if model.header().is_integer() => {}
        RowEncoding::Int8 | RowEncoding::Int4 => {
            usable("row scales", F32s(table.scales), is_positive)?;
        }
    }
    if let Some(fixed) = table.fixed {
        in_range("limit of inputs", fixed.limit.into(), i16::MAX as u64)?;
        in_range("shift of a table", u64::from(fixed.shift) + 1, 31)?;
    }
    match record.vocabulary {
        VocabularyKind::Dense => {
            none("section of keys", index, record.keys)?;
            if record.first_row > 1 || u32::from(record.first_row) > record.rows {
                return Err(LoadError::OutOfRange {
                    what: "first row",
                    found: record.first_row.into(),
                    limit: 1,
                });
            }
            let ids = rows.saturating_sub(record.first_row.into());
            let past_last = record.first_id.checked_add(ids);
            past_last.map(|_| ()).ok_or(LoadError::OutOfRange {
                what: "first id",
                found: record.first_id,
                limit: u64::MAX.saturating_sub(ids),
            })
        }
        VocabularyKind::Keys | VocabularyKind::HashedText => {
            sections.expect(
                model,
                "section of keys",
                index,
                record.keys,
                rows.saturating_sub(1).saturating_mul(8),
            )?;
            let keys = table.keys.as_chunks::<8>().0.iter().map(|key| u64::from_le_bytes(*key));
            match keys.clone().zip(keys.skip(1)).position(|(key, next)| key >= next) {
                Some(at) => Err(LoadError::KeysNotAscending { table: index as u32, index: at as u64 + 1 }),
                None => Ok(()),
            }
        }
    }
}

/// Every name is a range of the names' text, not empty, and unique among its like.
fn names(model: &Model<'_>) -> Result<(), LoadError> {
    let manifest = model.manifest();
    let fields = |first: usize, count: usize| {
        let field = |index| manifest.fields.get(first.saturating_add(index));
        distinct(&|index| field(index).filter(|_| index < count).map(|record| manifest.text(record.name)))
    };
    distinct(&|index| manifest.tables.get(index).map(|record| manifest.text(record.name)))?;
    distinct(&|index| manifest.sequences.get(index).map(|record| manifest.text(record.name)))?;
    for group in [Group::Profile, Group::Context, Group::Candidate] {
        let (first, count) = model.field_range(group);
        fields(first, count)?;
    }
    model.sequences().try_for_each(|sequence| fields(sequence.first_field, sequence.fields))
}

fn distinct<'a>(name: &dyn Fn(usize) -> Option<&'a str>) -> Result<(), LoadError> {
    let mut index = 0_usize;
    while let Some(own) = name(index) {
        if own.is_empty() || (0..index).any(|earlier| name(earlier) == Some(own)) {
            return Err(LoadError::Malformed { part: "names" });
        }
        index = index.saturating_add(1);
    }
    Ok(())
}

fn fields(model: &Model<'_>) -> Result<(), LoadError> {
    let manifest = model.manifest();
    let grouped = [manifest.profile_fields, manifest.context_fields, manifest.candidate_fields]
        .into_iter()
        .chain(manifest.sequences.iter().map(|sequence| sequence.fields))
        .fold(0_u64, |sum, count| sum + u64::from(count));
    equal("number of fields", 0, grouped, manifest.fields.len() as u64)?;
    let (first, count) = model.field_range(Group::Candidate);
    let behaviours = first.saturating_add(count);
    for (index, record) in manifest.fields.iter().enumerate() {
        field(manifest, index, &record)?;
        if index < behaviours {
            none("pair of a field", index, record.pair)?;
        }
    }
    Ok(())
}

fn field(manifest: &Manifest<'_>, index: usize, record: &FieldRecord) -> Result<(), LoadError> {
    match record.kind {
        FieldKind::Categorical => {
            let (table, tables) = (u64::from(record.table), manifest.tables.len() as u64);
            in_range("table of a field", table + 1, tables)
        }
        FieldKind::Numeric => {
            none("table of a field", index, record.table)?;
            let crate::Normaliser { mean, scale, limit, .. } = record.normaliser;
            let usable = is_finite(mean) && is_finite(scale) && is_positive(limit);
            if usable {
                Ok(())
            } else {
                Err(LoadError::BadNumber { what: "normaliser", index: index as u64 })
            }
        }
    }
}

fn sequence(model: &Model<'_>, index: usize, sequence: &Sequence<'_>) -> Result<(), LoadError> {
    in_range("capacity of a sequence", sequence.capacity as u64, MAX_CAPACITY.into())?;
    in_range("fields of a behaviour", sequence.fields as u64, MAX_FIELDS as u64)?;
    in_range("width of a key", sequence.key_width as u64, MAX_WIDTH.into())?;
    if sequence.is_attention() {
        in_range("layers of a unit", sequence.layers as u64, MAX_LAYERS as u64)?;
    } else {
        equal("layers of a unit", index, 0, sequence.layers as u64)?;
    }
    let (first_candidate, candidates) = model.field_range(Group::Candidate);
    let mut unpaired = false;
    for record in model.field_records(sequence.first_field, sequence.fields) {
        if record.pair == NONE {
            unpaired = true;
            continue;
        }
        if unpaired {
            return Err(LoadError::Malformed { part: "order of paired fields" });
        }
        let pair = usize::from(record.pair);
        in_range("pair of a field", pair as u64 + 1, candidates as u64)?;
        let candidate = model.field_records(first_candidate.saturating_add(pair), 1).next();
        let width = candidate.map_or(0, |candidate| model.width(&candidate));
        if candidate.is_none_or(|candidate| candidate.kind != record.kind) {
            return Err(LoadError::Malformed { part: "kinds of paired fields" });
        }
        equal("width of a pair", index, width as u64, model.width(&record) as u64)?;
    }
    Ok(())
}

/// The folded first layer reads the query, the key, and their product.
fn unit_inputs(sequence: &Sequence<'_>) -> u64 {
    2 * sequence.paired_width as u64 + sequence.key_width as u64
}

/// `[profile, context, pooled of each sequence, candidate (, product of each sequence)]`
fn head_inputs(model: &Model<'_>) -> u64 {
    let manifest = model.manifest();
    let (start, count) = model.field_range(Group::Candidate);
    let fields = model.field_records(0, start.saturating_add(count)).map(|field| model.width(&field) as u64);
    let sequences = model.sequences().map(|sequence| {
        let product = if manifest.product { sequence.paired_width } else { 0 };
        sequence.key_width as u64 + product as u64
    });
    fields.chain(sequences).fold(0, u64::saturating_add)
}

/// A chain of layers: the first of the given width, the last linear and one wide.
fn layers(
    model: &Model<'_>,
    first: usize,
    count: usize,
    inputs: u64,
    sections: &mut SectionCounter,
) -> Result<(), LoadError> {
    let mut inputs = inputs;
    for index in first..first.saturating_add(count) {
        let record = model.manifest().layers.get(index).ok_or(LoadError::Malformed { part: "layers" })?;
        equal("inputs of a layer", index, inputs, record.inputs.into())?;
        in_range("outputs of a layer", record.outputs.into(), MAX_WIDTH.into())?;
        let outputs = u64::from(record.outputs);
        let weight_len = inputs.saturating_mul(outputs).saturating_mul(4);
        sections.expect(model, "section of weights", index, record.weight, weight_len)?;
        sections.expect(model, "section of a bias", index, record.bias, outputs * 4)?;
        match record.activation.parameters() as u64 {
            0 => none("section of parameters", index, record.parameters)?,
            n => {
                sections.expect(model, "section of parameters", index, record.parameters, n * outputs * 4)?;
            }
        }
        let layer = model.view_layer(&record);
        finite("weights", layer.weight)?;
        finite("biases", layer.bias)?;
        finite("activation parameters", layer.parameters)?;
        if index + 1 == first.saturating_add(count) {
            equal("outputs of the last layer", index, 1, outputs)?;
            equal(
                "activation of the last layer",
                index,
                Activation::Linear as u64,
                record.activation as u64,
            )?;
        }
        inputs = outputs;
    }
    Ok(())
}

fn item_bias(model: &Model<'_>, sections: &mut SectionCounter) -> Result<(), LoadError> {
    let Some(bias) = model.manifest().item_bias else { return Ok(()) };
    let (first, count) = model.field_range(Group::Candidate);
    in_range("field of the item bias", u64::from(bias.field) + 1, count as u64)?;
    let field = model.field_records(first.saturating_add(bias.field.into()), 1).next();
    let field = field.filter(|field| field.kind == FieldKind::Categorical);
    let field = field.ok_or(LoadError::Malformed { part: "field of the item bias" })?;
    let table = model.manifest().tables.get(field.table.into());
    let rows = table.map_or(0, |table| u64::from(table.rows));
    sections.expect(model, "section of the item bias", 0, bias.values, rows.saturating_mul(4))?;
    if model.header().is_integer() { Ok(()) } else { finite("item bias", F32s(model.section(bias.values))) }
}
