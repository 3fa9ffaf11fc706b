//! Blobs taken apart, changed and put together again, with checksums that hold: what stands behind the checksums is
//! only tested by blobs that pass them.

use din_core::header::{ALIGNMENT, HEADER_LEN, Header, section_start};
use din_core::manifest::{
    FieldRecord, ItemBiasRecord, LayerRecord, Manifest, Record, Records, SectionRecord, SequenceRecord,
    TableRecord,
};
use din_core::{LoadError, Model, Value, crc32};

use crate::request::Request;

/// A blob in parts. Changing one leaves the others as they are, consistent or not.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Lengths and checksums in it are recomputed by [`assemble`](Self::assemble).
    pub header: Header,
    /// Of the model.
    pub name: String,
    /// All other names.
    pub names: String,
    /// Tables.
    pub tables: Vec<TableRecord>,
    /// Fields of all groups.
    pub fields: Vec<FieldRecord>,
    /// Fields of profile, context and candidate.
    pub group_sizes: [u16; 3],
    /// Sequences.
    pub sequences: Vec<SequenceRecord>,
    /// Layers.
    pub layers: Vec<LayerRecord>,
    /// The manifest's flag.
    pub product: bool,
    /// The manifest's item bias.
    pub item_bias: Option<ItemBiasRecord>,
    /// What later minor versions append to the manifest.
    pub appended: Vec<u8>,
    /// Contents of the sections.
    pub sections: Vec<Vec<u8>>,
    /// After the last section.
    pub signature: Vec<u8>,
}

/// The lists of a manifest as bytes, ready to be spoilt.
#[derive(Clone, Debug)]
pub struct EncodedLists {
    /// Of [`TableRecord`].
    pub tables: Vec<u8>,
    /// Of [`FieldRecord`].
    pub fields: Vec<u8>,
    /// Of [`SequenceRecord`].
    pub sequences: Vec<u8>,
    /// Of [`LayerRecord`].
    pub layers: Vec<u8>,
    /// Of [`SectionRecord`], with the right offsets.
    pub sections: Vec<SectionRecord>,
}

impl Parts {
    /// Takes a good blob apart.
    ///
    /// # Panics
    /// If it does not load.
    #[must_use]
    pub fn of(blob: &[u8]) -> Self {
        let model = Model::from_bytes(blob).expect("a good blob");
        let manifest = model.manifest();
        let section = |record: SectionRecord| {
            let start = record.offset as usize;
            blob[start..start + record.len as usize].to_vec()
        };
        Self {
            header: *model.header(),
            name: manifest.name.to_owned(),
            names: manifest.names.to_owned(),
            tables: manifest.tables.iter().collect(),
            fields: manifest.fields.iter().collect(),
            group_sizes: [manifest.profile_fields, manifest.context_fields, manifest.candidate_fields],
            sequences: manifest.sequences.iter().collect(),
            layers: manifest.layers.iter().collect(),
            product: manifest.product,
            item_bias: manifest.item_bias,
            appended: Vec::new(),
            sections: manifest.sections.iter().map(section).collect(),
            signature: model.signature().0.to_vec(),
        }
    }

    /// The blob of these parts.
    #[must_use]
    pub fn assemble(&self) -> Vec<u8> {
        self.assemble_with(|_| {})
    }

    /// The blob of these parts, its lists changed just before they are written. Sections lie where they belong,
    /// whatever the list of them says.
    ///
    /// # Panics
    /// Never: records encode.
    #[must_use]
    pub fn assemble_with(&self, change: impl FnOnce(&mut EncodedLists)) -> Vec<u8> {
        let mut lists = EncodedLists {
            tables: encode(&self.tables),
            fields: encode(&self.fields),
            sequences: encode(&self.sequences),
            layers: encode(&self.layers),
            sections: self
                .sections
                .iter()
                .map(|bytes| SectionRecord { offset: 0, len: bytes.len() as u64 })
                .collect(),
        };
        let manifest_len = self.manifest(&lists).len();
        let mut end = HEADER_LEN + manifest_len;
        let mut offsets = Vec::new();
        for (record, bytes) in lists.sections.iter_mut().zip(&self.sections) {
            let start = section_start(end, bytes.len());
            record.offset = start as u64;
            offsets.push(start);
            end = start + bytes.len();
        }
        change(&mut lists);
        let mut blob = vec![0; HEADER_LEN];
        blob.extend(self.manifest(&lists));
        for (offset, bytes) in offsets.into_iter().zip(&self.sections) {
            blob.resize(offset.max(blob.len()), 0);
            blob.extend_from_slice(bytes);
        }
        blob.resize(blob.len().next_multiple_of(ALIGNMENT), 0);
        blob.extend_from_slice(&self.signature);
        let header = Header {
            header_len: HEADER_LEN as u32,
            total_len: blob.len() as u64,
            manifest_len: self.manifest(&lists).len() as u32,
            signature_len: self.signature.len() as u32,
            ..self.header
        };
        blob[..HEADER_LEN].copy_from_slice(&header.to_bytes());
        repair(&mut blob);
        blob
    }

    fn manifest(&self, lists: &EncodedLists) -> Vec<u8> {
        let [profile_fields, context_fields, candidate_fields] = self.group_sizes;
        let sections = encode(&lists.sections);
        let manifest = Manifest {
            name: &self.name,
            names: &self.names,
            tables: Records::new(&lists.tables),
            fields: Records::new(&lists.fields),
            profile_fields,
            context_fields,
            candidate_fields,
            sequences: Records::new(&lists.sequences),
            layers: Records::new(&lists.layers),
            product: self.product,
            item_bias: self.item_bias,
            sections: Records::new(&sections),
            parts: Records::new(&[]),
            integer_layers: Records::new(&[]),
            fixed: Records::new(&[]),
        };
        let mut bytes = postcard::to_stdvec(&manifest).expect("a manifest encodes");
        bytes.extend_from_slice(&self.appended);
        bytes
    }
}

fn encode<R: Record>(records: &[R]) -> Vec<u8> {
    records.iter().flat_map(|record| postcard::to_stdvec(record).expect("a record encodes")).collect()
}

/// Recomputes both checksums; the body ends where the header's own signature length says, sensible or not.
pub fn repair(blob: &mut [u8]) {
    if blob.len() < HEADER_LEN {
        return;
    }
    let number =
        |at: usize| u32::from_le_bytes([blob[at], blob[at + 1], blob[at + 2], blob[at + 3]]) as usize;
    let signature_len = number(28);
    let body = HEADER_LEN..blob.len().saturating_sub(signature_len);
    let body_crc = crc32(blob.get(body).unwrap_or_default());
    blob[56..60].copy_from_slice(&body_crc.to_le_bytes());
    let header_crc = crc32(&blob[..60]);
    blob[60..64].copy_from_slice(&header_crc.to_le_bytes());
}

/// Loads bytes that someone spoilt. Where they load, scores them with values that suit the model's own fields.
///
/// # Errors
/// What the loader says.
///
/// # Panics
/// If a model that loaded cannot score, or gives something else than a probability.
pub fn load_and_score(bytes: &[u8]) -> Result<Vec<f32>, LoadError> {
    let model = Model::from_bytes(bytes)?;
    let scores = request_for(&model)
        .scores(&model)
        .expect("scoring with a model that loaded cannot fail on the model");
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    Ok(scores)
}

/// A request made from what a model says of itself: small ids, full histories.
fn request_for(model: &Model<'_>) -> Request {
    use din_core::Group;
    use din_core::manifest::FieldKind;
    let value = |field: din_core::Field<'_>, seed: usize| match field.kind {
        FieldKind::Categorical => Value::Id(seed as u64),
        _ => Value::Number(seed as f32 * 0.75 - 1.0),
    };
    let values = |group, seed| model.fields(group).map(|field| value(field, seed)).collect::<Vec<_>>();
    let histories = model.sequences().map(|sequence| {
        let behaviour = |t| model.behaviour_fields(&sequence).map(|field| value(field, t)).collect();
        (0..sequence.capacity().min(9)).map(behaviour).collect()
    });
    Request {
        histories: histories.collect(),
        profile: values(Group::Profile, 1),
        context: values(Group::Context, 2),
        slate: (0..3).map(|seed| values(Group::Candidate, seed)).collect(),
    }
}
