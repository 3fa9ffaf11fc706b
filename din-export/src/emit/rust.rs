//! The Rust module of a model: needs din-core alone, and neither `std` nor an allocator.

use super::ALIGNMENT;
use super::facts::{Facts, FieldFacts, SequenceFacts};
use super::self_test::{Case, Scores, SelfTest, TOLERANCE};
use din_core::Value;
use std::fmt::Write as _;

/// Columns of generated code.
const WIDTH: usize = 110;

/// The whole file.
pub fn module(facts: &Facts, self_test: &SelfTest) -> String {
    let mut text = front(facts);
    text += &constants(facts);
    for (group, fields) in &facts.groups {
        text += &format!(
            "/// Fields of the {group}: where each value stands in the slice that is handed over.\n"
        );
        text += &format!("pub mod {group} {{\n{}}}\n\n", indent(&field_constants(fields)));
    }
    text += "/// Behaviour sequences: where each history stands, how long it is, and where each value of a behaviour stands.\n";
    text += &format!(
        "pub mod sequence {{\n{}}}\n\n",
        indent(&facts.sequences.iter().enumerate().map(sequence).collect::<Vec<_>>().join("\n"))
    );
    text += &blob(facts);
    text += &self_test_code(facts, self_test);
    text
}

fn front(facts: &Facts) -> String {
    let Facts { prefix, name, model_version, blob_len, .. } = facts;
    format!(
        "//! {}, version {model_version}, for the {} path of din-core: {blob_len} bytes.\n\
         //!\n\
         //! Written by `din-export emit`, beside `{prefix}.din`, which it includes. Emit it again rather than change it.\n\
         #![allow(dead_code)] // a firmware need not use every constant\n\n\
         use din_core::{{Behaviours, {}, ScoreError, User, Value}};\n\n",
        one_line(name),
        facts.path(),
        if facts.is_integer { "IntegerRanker, LoadError, Model" } else { "LoadError, Model, Ranker" }
    )
}

/// Text for a comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Facts {
    const fn number(&self) -> &'static str {
        if self.is_integer { "i32" } else { "f32" }
    }

    const fn score(&self) -> &'static str {
        if self.is_integer { "u16" } else { "f32" }
    }
}

fn constants(facts: &Facts) -> String {
    let (major, minor) = facts.format;
    format!(
        "/// Of the model, given at export.\n\
         pub const NAME: &str = {:?};\n\
         /// Which model this is: blobs with this id are versions of one model.\n\
         pub const MODEL_ID: u64 = {:#018x};\n\
         /// Which version of it.\n\
         pub const MODEL_VERSION: u64 = {};\n\
         /// Of the blob's format: major and minor.\n\
         pub const FORMAT: (u16, u16) = ({major}, {minor});\n\
         /// Whether the integer ranker reads it.\n\
         pub const IS_INTEGER: bool = {};\n\
         /// Bytes of the blob.\n\
         pub const BLOB_LEN: usize = {};\n\
         /// CRC-32 of all of them.\n\
         pub const BLOB_CRC32: u32 = {:#010x};\n\
         /// Numbers of scratch memory that a ranker needs on this machine, four bytes each.\n\
         pub const SCRATCH_LEN: usize = if cfg!(target_pointer_width = \"64\") {{ {} }} else {{ {} }};\n\
         /// Scratch memory.\n\
         pub type Scratch = [{}; SCRATCH_LEN];\n\
         /// Behaviour sequences: histories that are handed over.\n\
         pub const SEQUENCES: usize = {};\n\n",
        facts.name,
        facts.model_id,
        facts.model_version,
        facts.is_integer,
        facts.blob_len,
        facts.blob_crc,
        facts.scratch_len_64,
        facts.scratch_len_32,
        facts.number(),
        facts.sequences.len()
    )
}

/// How many fields there are, where each stands, and what they are called.
fn field_constants(fields: &[FieldFacts]) -> String {
    let mut text = format!("/// How many.\npub const FIELDS: usize = {};\n", fields.len());
    for (index, field) in fields.iter().enumerate() {
        let _ = write!(
            text,
            "/// `{}`: {}.\npub const {}: usize = {index};\n",
            one_line(&field.name),
            field.takes.description(),
            field.identifier.to_uppercase()
        );
    }
    let names: Vec<String> = fields.iter().map(|field| format!("{:?}", field.name)).collect();
    let _ = write!(
        text,
        "/// What they are called in requests and job files.\npub const NAMES: [&str; FIELDS] = {};\n",
        wrapped("[", &names, "]")
    );
    text
}

fn sequence((index, sequence): (usize, &SequenceFacts)) -> String {
    let inner = format!(
        "/// Where its history stands.\n\
         pub const INDEX: usize = {index};\n\
         /// The most behaviours that the model looks back.\n\
         pub const CAPACITY: usize = {};\n\
         {}\
         /// A history that keeps what the model looks back.\n\
         pub type History = din_core::History<CAPACITY, FIELDS>;\n",
        sequence.capacity,
        field_constants(&sequence.fields)
    );
    let (name, identifier) = (one_line(&sequence.name), &sequence.identifier);
    format!("/// `{name}`\npub mod {identifier} {{\n{}}}\n", indent(&inner))
}

fn blob(facts: &Facts) -> String {
    let prefix = &facts.prefix;
    // What the other path's blobs need is not linked.
    let load = if facts.is_integer { "from_integer_bytes" } else { "from_f32_bytes" };
    format!(
        "/// Where large sections begin cache lines, if there is a cache. A blob scores the same at any address.\n\
         #[repr(C, align({ALIGNMENT}))]\n\
         struct Aligned([u8; BLOB_LEN]);\n\n\
         static ALIGNED: Aligned = Aligned(*include_bytes!(\"{prefix}.din\"));\n\n\
         /// The blob, in flash.\n\
         pub static BLOB: &[u8; BLOB_LEN] = &ALIGNED.0;\n\n\
         /// Checks the blob and gives the view that a ranker reads: once, at start.\n\
         ///\n\
         /// # Errors\n\
         /// Where the flash does not hold what was written, or din-core is older than the blob.\n\
         pub fn load() -> Result<Model<'static>, LoadError> {{\n    Model::{load}(BLOB)\n}}\n\n"
    )
}

fn self_test_code(facts: &Facts, self_test: &SelfTest) -> String {
    let count = self_test.score_count();
    let mut text = format!(
        "/// Requests of the self-test.\n\
         pub const SELF_TEST_CASES: usize = {};\n\
         /// Scores that it compares.\n\
         pub const SELF_TEST_SCORES: usize = {count};\n",
        self_test.cases.len()
    );
    text += &match self_test.crc() {
        Some(crc) => format!(
            "/// CRC-32 of these scores, each a little-endian u16: the same on every machine.\n\
             pub const SELF_TEST_CRC32: u32 = {crc:#010x};\n\n"
        ),
        None => format!(
            "/// The most by which a score may differ: kernels add in different orders.\n\
             pub const SELF_TEST_TOLERANCE: f32 = {TOLERANCE:?};\n\n"
        ),
    };
    text += ERROR;
    text += &format!(
        "/// A request with the scores that the exporter's machine gave it.\n\
         struct Case {{\n    \
             profile: &'static [Value],\n    \
             context: &'static [Value],\n    \
             histories: [&'static [Value]; SEQUENCES],\n    \
             candidates: &'static [[Value; candidate::FIELDS]],\n    \
             scores: &'static [{}],\n\
         }}\n\n",
        facts.score()
    );
    text += if facts.is_integer { INTEGER_SELF_TEST } else { F32_SELF_TEST };
    let cases: String = self_test.cases.iter().map(case).collect();
    text += &format!("static CASES: [Case; SELF_TEST_CASES] = [\n{}];\n", indent(&cases));
    text
}

const ERROR: &str = "\
/// What a self-test can find.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SelfTestError {
    /// The blob is refused.
    Load(LoadError),
    /// A request is refused: too little scratch memory.
    Score(ScoreError),
    /// A candidate scores something else.
    Differs {
        /// Index of the request.
        case: usize,
        /// Index of its candidate.
        candidate: usize,
    },
}

impl From<LoadError> for SelfTestError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<ScoreError> for SelfTestError {
    fn from(error: ScoreError) -> Self {
        Self::Score(error)
    }
}

";

const INTEGER_SELF_TEST: &str = "\
/// Scores the requests of the self-test and compares every bit; gives the CRC-32 of the scores, to print and to compare
/// with [`SELF_TEST_CRC32`] and with other machines.
///
/// # Errors
/// [`SelfTestError`]
pub fn self_test(scratch: &mut [i32]) -> Result<u32, SelfTestError> {
    let model = load()?;
    let mut ranker = IntegerRanker::new(&model, scratch)?;
    let mut bytes = [0_u8; 2 * SELF_TEST_SCORES];
    let mut found = bytes.chunks_exact_mut(2);
    for (index, case) in CASES.iter().enumerate() {
        let histories = case.histories.map(Behaviours::new);
        ranker.set_user(&User { profile: case.profile, context: case.context, histories: &histories })?;
        for (candidate, (values, expected)) in case.candidates.iter().zip(case.scores).enumerate() {
            let score = ranker.score(values)?;
            if score != *expected {
                return Err(SelfTestError::Differs { case: index, candidate });
            }
            if let Some(found) = found.next() {
                found.copy_from_slice(&score.to_le_bytes());
            }
        }
    }
    Ok(din_core::crc32(&bytes))
}

";

const F32_SELF_TEST: &str = "\
/// Scores the requests of the self-test and compares; gives the largest difference, at most [`SELF_TEST_TOLERANCE`].
///
/// # Errors
/// [`SelfTestError`]
pub fn self_test(scratch: &mut [f32]) -> Result<f32, SelfTestError> {
    let model = load()?;
    let mut ranker = Ranker::new(&model, scratch)?;
    let mut largest = 0.0_f32;
    for (index, case) in CASES.iter().enumerate() {
        let histories = case.histories.map(Behaviours::new);
        ranker.set_user(&User { profile: case.profile, context: case.context, histories: &histories })?;
        for (candidate, (values, expected)) in case.candidates.iter().zip(case.scores).enumerate() {
            let score = ranker.score(values)?;
            let difference = if score > *expected { score - expected } else { expected - score };
            if difference.is_nan() || difference > SELF_TEST_TOLERANCE {
                return Err(SelfTestError::Differs { case: index, candidate });
            }
            largest = largest.max(difference);
        }
    }
    Ok(largest)
}

";

fn case(case: &Case) -> String {
    let request = &case.request;
    let run = |values: &[Value]| wrapped("&[", &literals(values), "]");
    let histories: Vec<String> = request.histories.iter().map(|history| run(history)).collect();
    let candidates: Vec<String> =
        request.candidates.iter().map(|values| wrapped("[", &literals(values), "]")).collect();
    let scores: Vec<String> = match &case.scores {
        Scores::F32(scores) => scores.iter().map(|score| format!("{score:?}")).collect(),
        Scores::Integer(scores) => scores.iter().map(u16::to_string).collect(),
    };
    let fields = format!(
        "profile: {},\ncontext: {},\nhistories: {},\ncandidates: {},\nscores: {},\n",
        run(&request.profile),
        run(&request.context),
        wrapped("[", &histories, "]"),
        wrapped("&[", &candidates, "]"),
        wrapped("&[", &scores, "]")
    );
    format!("Case {{\n{}}},\n", indent(&fields))
}

/// Values as source; `{:?}` of an f32 reads back as the same number.
fn literals(values: &[Value]) -> Vec<String> {
    values.iter().map(|value| format!("Value::{value:?}")).collect()
}

/// Items between brackets: on one line, or filled into several.
pub(super) fn wrapped(open: &str, items: &[String], close: &str) -> String {
    let one_line = format!("{open}{}{close}", items.join(", "));
    if one_line.len() + 24 <= WIDTH && !one_line.contains('\n') {
        return one_line;
    }
    let (mut text, mut line) = (format!("{open}\n"), String::new());
    for item in items {
        if !line.is_empty() && (line.len() + item.len() + 20 > WIDTH || item.contains('\n')) {
            text += &format!("    {}\n", line.trim_end());
            line.clear();
        }
        line += &format!("{}, ", item.replace('\n', "\n    "));
    }
    if !line.is_empty() {
        text += &format!("    {}\n", line.trim_end());
    }
    text + close
}

/// Every line four columns further.
pub(super) fn indent(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}
