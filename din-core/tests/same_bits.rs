//! Scores of the golden blobs, the same bits by every kernel on every machine. `tests/run.sh` runs this on the host and,
//! emulated, on 64-bit and 32-bit Arm.
//!
//! What is compared is a CRC-32 of the logits of 40 random users with six candidates each.

use din_core::manifest::FieldKind;
use din_core::{
    Behaviours, Field, Group, IntegerKernel, IntegerRanker, Kernel, Model, Ranker, User, Value, crc32,
    hash_text,
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

/// Known and unknown ids and numbers, the same each time.
struct Values(u32);

impl Values {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % n
    }

    fn of(&mut self, field: &Field<'_>) -> Value {
        if self.below(20) == 0 {
            return Value::Missing;
        }
        match field.kind {
            FieldKind::Numeric => Value::Number(self.below(601) as f32 / 100.0 - 3.0),
            _ if self.below(4) == 0 => {
                Value::Id(hash_text(["comedy", "drama", "news"][self.below(3) as usize]))
            }
            _ => Value::Id(self.below(64).into()),
        }
    }

    fn all<'m>(&mut self, fields: impl Iterator<Item = Field<'m>>) -> Vec<Value> {
        fields.map(|field| self.of(&field)).collect()
    }
}

/// Calls `score` with each user and a slate: the CRC-32 of the bytes that it gives.
fn crc_of(model: &Model<'_>, mut score: impl FnMut(&User<'_>, &[Vec<Value>]) -> Vec<u8>) -> u32 {
    let mut values = Values(7);
    let mut bytes = Vec::new();
    for _ in 0..40 {
        let (profile, context) =
            (values.all(model.fields(Group::Profile)), values.all(model.fields(Group::Context)));
        let histories: Vec<Vec<Value>> = model
            .sequences()
            .map(|sequence| {
                let length = values.below(sequence.capacity() as u32 + 2);
                (0..length).flat_map(|_| values.all(model.behaviour_fields(&sequence))).collect()
            })
            .collect();
        let histories: Vec<Behaviours<'_>> = histories.iter().map(|values| Behaviours::new(values)).collect();
        let slate: Vec<Vec<Value>> = (0..6).map(|_| values.all(model.fields(Group::Candidate))).collect();
        bytes.extend(score(&User { profile: &profile, context: &context, histories: &histories }, &slate));
    }
    assert!(bytes.chunks(4).any(|logit| logit != &bytes[..4]), "every candidate has one score");
    crc32(&bytes)
}

#[test]
fn integer_scores_have_the_same_bits_by_every_kernel_on_every_machine() {
    for (name, blob, expected) in INTEGER {
        let model = Model::from_bytes(blob).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        for kernel in IntegerKernel::all() {
            let mut ranker = IntegerRanker::new(&model, &mut scratch).unwrap();
            ranker.use_kernel(kernel);
            let found = crc_of(&model, |user, slate| {
                ranker.set_user(user).unwrap();
                slate.iter().flat_map(|values| ranker.logit(values).unwrap().to_le_bytes()).collect()
            });
            assert_eq!(found, expected, "{name} by {}: {found:#010x}", kernel.name());
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
        let found = crc_of(&model, |user, slate| {
            ranker.set_user(user).unwrap();
            slate.iter().flat_map(|values| ranker.logit(values).unwrap().to_le_bytes()).collect()
        });
        assert_eq!(found, expected, "{name}: {found:#010x}");
    }
}
