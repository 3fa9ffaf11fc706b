//! Scores of the golden blobs, the same bits by every kernel on every machine. `tests/run.sh` runs this on the host and,
//! emulated, on 64-bit and 32-bit Arm.
//!
//! What is compared is a CRC-32 of the logits of 40 random users with six candidates each.

use din_core::header::Header;
use din_core::manifest::FieldKind;
use din_core::{
    Behaviours, Field, Group, IntegerKernel, IntegerRanked, IntegerRanker, Kernel, Model, Ranker, User,
    Value, crc32, hash_text,
};

/// Blobs of the integer path, and what they score.
const INTEGER: [(&str, &[u8], u32); 2] = [
    ("paper-integer", include_bytes!("../../tests/goldens/paper-integer.din"), 0x58ba_4f09),
    ("everything-integer", include_bytes!("../../tests/goldens/everything-integer.din"), 0x43cf_6379),
];

/// Blobs of the f32 path, and what they score with the portable kernel.
const F32: [(&str, &[u8], u32); 2] = [
    ("paper-int8", include_bytes!("../../tests/goldens/paper-int8.din"), 0xf1c4_12aa),
    ("everything", include_bytes!("../../tests/goldens/everything.din"), 0x0a1a_346a),
];

/// Blobs of the integer path, one after the other.
const SMALL_INTEGER: &[u8] = include_bytes!("../../tests/goldens/small-integer.blobs");

/// What each of them scores.
const SMALL_INTEGER_SCORES: [u32; 20] = [
    0x53b7_8eff,
    0x502b_d6e0,
    0xbb57_264a,
    0xd219_f5a1,
    0x0c18_be62,
    0x9d72_a499,
    0x581e_389a,
    0x9c20_91ef,
    0x5059_89cb,
    0xe975_8fbb,
    0xa29e_6fd2,
    0xac95_191e,
    0xe1c4_4ab6,
    0x51cb_6f09,
    0xcb5f_61eb,
    0x555f_80c7,
    0xe3dd_bfdd,
    0x9134_3dc9,
    0x2a6e_0ad2,
    0x8479_fc5a,
];

/// Known and unknown ids and numbers, the same each time.
struct Values(u32);

/// Candidates of a slate.
const SLATE: usize = 6;

/// Draws a field's value.
type Draw = fn(&mut Values, &Model<'_>, &Field<'_>) -> Value;

impl Values {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % n
    }

    fn number(&mut self) -> Value {
        Value::Number(self.below(601) as f32 / 100.0 - 3.0)
    }

    /// A number, or an id that models often have.
    fn usual(&mut self, _: &Model<'_>, field: &Field<'_>) -> Value {
        if self.below(20) == 0 {
            return Value::Missing;
        }
        match field.kind {
            FieldKind::Numeric => self.number(),
            _ if self.below(4) == 0 => {
                Value::Id(hash_text(["comedy", "drama", "news"][self.below(3) as usize]))
            }
            _ => Value::Id(self.below(64).into()),
        }
    }

    /// A number, an id of the field's table, or none.
    fn known(&mut self, model: &Model<'_>, field: &Field<'_>) -> Value {
        let Some(table) = field.table.map(|index| model.table(index)) else { return self.number() };
        table.id(self.below(table.rows())).map_or(Value::Missing, Value::Id)
    }

    fn all<'m>(
        &mut self,
        model: &Model<'_>,
        draw: Draw,
        fields: impl Iterator<Item = Field<'m>>,
    ) -> Vec<Value> {
        fields.map(|field| draw(self, model, &field)).collect()
    }
}

/// Calls `score` with each user and a slate: the CRC-32 of the bytes that it gives.
fn crc_of(model: &Model<'_>, draw: Draw, mut score: impl FnMut(&User<'_>, &[Vec<Value>]) -> Vec<u8>) -> u32 {
    let mut values = Values(7);
    let mut bytes = Vec::new();
    for _ in 0..40 {
        let profile = values.all(model, draw, model.fields(Group::Profile));
        let context = values.all(model, draw, model.fields(Group::Context));
        let histories: Vec<Vec<Value>> = model
            .sequences()
            .map(|sequence| {
                let length = values.below(sequence.capacity() as u32 + 2);
                let fields = (0..length).flat_map(|_| model.behaviour_fields(&sequence));
                values.all(model, draw, fields)
            })
            .collect();
        let histories: Vec<Behaviours<'_>> = histories.iter().map(|values| Behaviours::new(values)).collect();
        let slate: Vec<Vec<Value>> =
            (0..SLATE).map(|_| values.all(model, draw, model.fields(Group::Candidate))).collect();
        bytes.extend(score(&User { profile: &profile, context: &context, histories: &histories }, &slate));
    }
    assert!(bytes.chunks(4).any(|logit| logit != &bytes[..4]), "every candidate has one score");
    crc32(&bytes)
}

/// What a blob scores by a kernel.
fn integer_crc(blob: &[u8], draw: Draw, kernel: IntegerKernel) -> u32 {
    let model = Model::from_bytes(blob).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut ranker = IntegerRanker::new(&model, &mut scratch).unwrap();
    ranker.use_kernel(kernel);
    crc_of(&model, draw, |user, slate| {
        ranker.set_user(user).unwrap();
        let logits: Vec<i32> = slate.iter().map(|values| ranker.logit(values).unwrap()).collect();
        let mut together = [IntegerRanked::default(); SLATE];
        ranker.rank_slate(&slate.concat(), &mut together).unwrap();
        together.sort_by_key(|ranked| ranked.index);
        assert!(together.iter().map(|ranked| ranked.logit).eq(logits.iter().copied()), "{}", kernel.name());
        logits.into_iter().flat_map(i32::to_le_bytes).collect()
    })
}

#[test]
fn integer_scores_have_the_same_bits_by_every_kernel_on_every_machine() {
    for (name, blob, expected) in INTEGER {
        for kernel in IntegerKernel::all() {
            let found = integer_crc(blob, Values::usual, kernel);
            assert_eq!(found, expected, "{name} by {}: {found:#010x}", kernel.name());
        }
    }
}

/// Histories of several blocks, and models drawn over the whole family: layers of any width, so that a kernel's vectors
/// seldom fit, each blob also at addresses that no word of it suits. (That a Cortex-M0 would fault where a word is read from
/// such an address, no emulator of single programs shows.)
#[test]
fn small_integer_models_score_the_same_bits_wherever_they_lie() {
    let mut rest = SMALL_INTEGER;
    let mut blobs = Vec::new();
    while !rest.is_empty() {
        let len = Header::parse(rest).unwrap().total_len as usize;
        let (blob, after) = rest.split_at(len);
        blobs.push(blob);
        rest = after;
    }
    let found: Vec<u32> =
        blobs.iter().map(|blob| integer_crc(blob, Values::known, IntegerKernel::best())).collect();
    assert!(found == SMALL_INTEGER_SCORES, "{found:#010x?}");
    for (index, (blob, expected)) in blobs.into_iter().zip(found).enumerate() {
        for offset in 0..4 {
            let mut room = vec![0; blob.len() + 4];
            let start = (offset + 4 - room.as_ptr().addr() % 4) % 4;
            let moved = &mut room[start..start + blob.len()];
            moved.copy_from_slice(blob);
            for kernel in IntegerKernel::all() {
                let found = integer_crc(moved, Values::known, kernel);
                assert_eq!(found, expected, "blob {index} by {} at {offset}", kernel.name());
            }
        }
    }
}

#[test]
fn f32_scores_by_the_portable_kernel_have_the_same_bits_on_every_machine() {
    for (name, blob, expected) in F32 {
        let model = Model::from_bytes(blob).unwrap();
        let mut scratch = vec![0.0; model.scratch_len()];
        let mut ranker = Ranker::new(&model, &mut scratch).unwrap();
        ranker.use_kernel(Kernel::Portable);
        let found = crc_of(&model, Values::usual, |user, slate| {
            ranker.set_user(user).unwrap();
            slate.iter().flat_map(|values| ranker.logit(values).unwrap().to_le_bytes()).collect()
        });
        assert_eq!(found, expected, "{name}: {found:#010x}");
    }
}
