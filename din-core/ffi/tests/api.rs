//! What the functions give is what din-core gives, for goldens of both paths. How they are misused is tested from C:
//! `tests/c/misuse.c`.

use din_core::manifest::FieldKind;
use din_core::{
    Behaviours, Field, Group, IntegerRanked, IntegerRanker, Model, Ranked, Ranker, User, Value, hash_text,
};
use din_ffi::din_error::{DIN_ERROR_SELF_TEST, DIN_OK};
use din_ffi::*;
use std::mem::{MaybeUninit, zeroed};

const CANDIDATES: usize = 11;
const TOP: usize = 4;

/// A request in the same memory for both.
struct Request {
    profile: Vec<din_value>,
    context: Vec<din_value>,
    histories: Vec<Vec<din_value>>,
    slate: Vec<din_value>,
}

fn value(value: Value) -> din_value {
    let of = |kind: din_kind, bits, id| din_value { kind: kind as u32, bits, id };
    match value {
        Value::Missing => of(din_kind::DIN_KIND_MISSING, 0, 0),
        Value::Id(id) => of(din_kind::DIN_KIND_ID, 0, id),
        Value::Number(number) => of(din_kind::DIN_KIND_NUMBER, number.to_bits(), 0),
        Value::Fixed(number) => of(din_kind::DIN_KIND_FIXED, number.cast_unsigned(), 0),
    }
}

/// Values that the fields take, different ones for each row.
fn values<'m>(fields: impl Iterator<Item = Field<'m>>, row: usize) -> Vec<Value> {
    let value = |(index, field): (usize, Field<'_>)| match (field.kind, (row + index) % 7) {
        (_, 6) => Value::Missing,
        (FieldKind::Numeric, turn) if turn % 2 == 0 => Value::Number(row as f32 / 3.0 - 1.0),
        (FieldKind::Numeric, _) => Value::Fixed(row as i32 * 20_000 - 65_536),
        (_, 5) => Value::text(["comedy", "drama", "news"][row % 3]),
        _ => Value::Id((row * 5 + index) as u64 % 60),
    };
    fields.enumerate().map(value).collect()
}

fn rows(of: impl Fn(usize) -> Vec<Value>, count: usize) -> Vec<din_value> {
    (0..count).flat_map(of).map(value).collect()
}

impl Request {
    fn new(model: &Model<'_>) -> Self {
        let history = |sequence: &din_core::Sequence<'_>| {
            rows(|row| values(model.behaviour_fields(sequence), row), sequence.capacity() + 2)
        };
        Self {
            profile: rows(|row| values(model.fields(Group::Profile), row + 1), 1),
            context: rows(|row| values(model.fields(Group::Context), row + 2), 1),
            histories: model.sequences().map(|sequence| history(&sequence)).collect(),
            slate: rows(|row| values(model.fields(Group::Candidate), row), CANDIDATES),
        }
    }
}

/// The same memory as din-core sees it.
fn as_values(values: &[din_value]) -> Vec<Value> {
    let value = |value: &din_value| match value.kind {
        1 => Value::Id(value.id),
        2 => Value::Number(f32::from_bits(value.bits)),
        3 => Value::Fixed(value.bits.cast_signed()),
        _ => Value::Missing,
    };
    values.iter().map(value).collect()
}

/// What a ranker says of a request.
#[derive(Debug, PartialEq)]
struct Said<S, L> {
    scores: Vec<S>,
    logit: L,
    top: Vec<(usize, L, S)>,
    attention: Vec<Vec<L>>,
}

macro_rules! both {
    ($name:ident, $ranker:ident, $ranked:ident, $score:ty, $number:ty, $storage:ident, $entry:ident, $init:ident,
     $set_user:ident, $logit:ident, $score_slate:ident, $rank:ident, $attention:ident) => {
        fn $name(blob: &[u8]) -> [Said<$score, $number>; 2] {
            let model = Model::from_bytes(blob).unwrap();
            let request = Request::new(&model);
            let (slate, fields) = (as_values(&request.slate), model.fields(Group::Candidate).count());

            let histories: Vec<Vec<Value>> =
                request.histories.iter().map(|values| as_values(values)).collect();
            let runs: Vec<Behaviours<'_>> = histories.iter().map(|values| Behaviours::new(values)).collect();
            let (profile, context) = (as_values(&request.profile), as_values(&request.context));
            let mut scratch = vec![<$number>::default(); model.scratch_len()];
            let mut ranker = $ranker::new(&model, &mut scratch).unwrap();
            ranker.set_user(&User { profile: &profile, context: &context, histories: &runs }).unwrap();
            let mut scores = vec![<$score>::default(); CANDIDATES];
            ranker.score_slate(&slate, &mut scores).unwrap();
            let mut top = [$ranked::default(); TOP];
            assert_eq!(ranker.rank_slate(&slate, &mut top), Ok(TOP));
            let logit = ranker.logit(&slate[..fields]).unwrap();
            let attention = (0..runs.len()).map(|index| ranker.attention(index).to_vec()).collect();
            let top = top.iter().map(|entry| (entry.index, entry.logit, entry.score)).collect();
            let expected = Said { scores, logit, top, attention };

            // SAFETY: every pointer is to memory of this function's, with its length.
            let found = unsafe {
                let (mut storage, mut ranker): (MaybeUninit<din_model>, MaybeUninit<$storage>) =
                    (MaybeUninit::uninit(), MaybeUninit::uninit());
                let (storage, ranker) = (storage.as_mut_ptr(), ranker.as_mut_ptr());
                assert_eq!(din_model_init(storage, blob.as_ptr().cast(), blob.len()), DIN_OK);
                let mut scratch = vec![0_u32; model.scratch_len()];
                let bytes = scratch.len() * 4;
                assert_eq!($init(ranker, storage, scratch.as_mut_ptr().cast(), bytes), DIN_OK);
                // In two runs.
                let run = |values: &Vec<din_value>| {
                    let fields = values.len() / 2 / 6 * 6;
                    let (older, newer) = values.split_at(fields);
                    din_behaviours {
                        older: older.as_ptr(),
                        older_len: older.len(),
                        newer: newer.as_ptr(),
                        newer_len: newer.len(),
                    }
                };
                let histories: Vec<din_behaviours> = request.histories.iter().map(run).collect();
                let user = din_user {
                    profile: request.profile.as_ptr(),
                    profile_len: request.profile.len(),
                    context: request.context.as_ptr(),
                    context_len: request.context.len(),
                    histories: histories.as_ptr(),
                    histories_len: histories.len(),
                };
                assert_eq!($set_user(ranker, &raw const user), DIN_OK);
                let (slate, slate_len) = (request.slate.as_ptr(), request.slate.len());
                let mut scores = vec![<$score>::default(); CANDIDATES];
                assert_eq!($score_slate(ranker, slate, slate_len, scores.as_mut_ptr(), CANDIDATES), DIN_OK);
                let (mut top, mut kept): ([$entry; TOP], _) = (zeroed(), 0);
                let given = $rank(ranker, slate, slate_len, top.as_mut_ptr(), TOP, &raw mut kept);
                assert_eq!((given, kept), (DIN_OK, TOP));
                let mut logit = <$number>::default();
                assert_eq!($logit(ranker, slate, fields, &raw mut logit), DIN_OK);
                let attention = (0..histories.len()).map(|sequence| {
                    let (mut weights, mut len) = (vec![<$number>::default(); 64], 0);
                    let given = $attention(ranker, sequence, weights.as_mut_ptr(), 64, &raw mut len);
                    assert_eq!(given, DIN_OK);
                    weights.truncate(len);
                    weights
                });
                let attention = attention.collect();
                let top = top.iter().map(|entry| (entry.index, entry.logit, entry.score)).collect();
                Said { scores, logit, top, attention }
            };
            [expected, found]
        }
    };
}

both!(
    in_f32,
    Ranker,
    Ranked,
    f32,
    f32,
    din_ranker,
    din_ranked,
    din_ranker_init,
    din_ranker_set_user,
    din_ranker_logit,
    din_ranker_score_slate,
    din_ranker_rank,
    din_ranker_attention
);
both!(
    in_integers,
    IntegerRanker,
    IntegerRanked,
    u16,
    i32,
    din_integer_ranker,
    din_integer_ranked,
    din_integer_ranker_init,
    din_integer_ranker_set_user,
    din_integer_ranker_logit,
    din_integer_ranker_score_slate,
    din_integer_ranker_rank,
    din_integer_ranker_attention
);

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/goldens/{name}.din", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn f32_results_are_those_of_din_core() {
    for name in ["paper-int8", "everything", "sum-pooling"] {
        let [expected, found] = in_f32(&golden(name));
        assert_eq!(found, expected, "{name}");
        assert!(expected.scores.iter().any(|score| *score != expected.scores[0]), "{name}: one score");
    }
}

#[test]
fn integer_results_are_those_of_din_core() {
    for name in ["paper-integer", "everything-integer"] {
        let [expected, found] = in_integers(&golden(name));
        assert_eq!(found, expected, "{name}");
        assert!(expected.scores.iter().any(|score| *score != expected.scores[0]), "{name}: one score");
        assert!(expected.attention.iter().any(|weights| !weights.is_empty()), "{name}: no attention");
    }
}

/// Words for each number of the header, no words twice.
#[test]
fn every_error_has_words_of_its_own() {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/error.rs")).unwrap();
    let numbers = source.lines().filter_map(|line| {
        let (name, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        name.starts_with("DIN_").then(|| number.parse::<i32>().unwrap())
    });
    // SAFETY: the function gives a constant, zero-terminated text.
    let words = |error| unsafe { std::ffi::CStr::from_ptr(din_error_string(error)) }.to_str().unwrap();
    let mut seen = std::collections::BTreeSet::from([words(-1)]);
    let mut count = 0;
    for number in numbers {
        assert!(seen.insert(words(number)), "{number}: {}", words(number));
        count += 1;
    }
    assert!(count > 30, "{count}");
    assert_ne!(words(DIN_ERROR_SELF_TEST as i32), words(-1));
    assert_eq!(hash_text("a"), unsafe { din_hash_text(c"a".as_ptr(), 1) });
}
