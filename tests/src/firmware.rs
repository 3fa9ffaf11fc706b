//! What the firmwares of `examples/firmware` are given, and what they must log.

use crate::device::variable;
use crate::reference_model::{SLATE, cases, description};
use crate::request::Request;
use din_core::{
    Blocking, IntegerKernel, IntegerRanked, IntegerRanker, Kernel, Model, Ranked, Ranker, ScoreError, Value,
    crc32,
};
use din_export::blob::{Embedding, ExportOptions, NumericPath, Writer};
use din_export::import;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The cases that are ranked; their histories have 20, 7, 16 and 3 behaviours.
const CASES: [usize; 4] = [5, 1, 2, 8];

/// The folder of the firmwares.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/firmware")
}

/// Names the emulator and the processor of a Cortex-M33 to `cargo`: it passes over a section of the configuration whose name
/// has a dot, where a variable names that target too.
pub fn name_board(command: &mut Command, target: &str) {
    if target.starts_with("thumbv8m.main") {
        command.env(format!("CARGO_TARGET_{}_RUNNER", variable(target)), "./qemu mps2-an505");
        command.env(format!("CARGO_TARGET_{}_RUSTFLAGS", variable(target)), "-C target-cpu=cortex-m33");
    }
}

/// The blob of one path that the firmwares hold.
#[must_use]
pub fn blob_path(path: NumericPath) -> PathBuf {
    folder().join(format!("model/edge-profile-{}.din", path.name()))
}

/// That blob, int8 rows, as the writer makes it today: what `din-export import` writes, and another host's may differ in
/// a weight's last bit.
///
/// # Panics
/// If the reference cannot be imported.
#[must_use]
pub fn blob(path: NumericPath) -> Vec<u8> {
    let weights = import::load(&description()).expect("the reference can be imported");
    let options = ExportOptions { embedding: Embedding::Int8.into(), ..ExportOptions::default() };
    let mut writer = Writer::new(&weights, &options).expect("the reference can be written");
    writer.write(path, &options.embedding).expect("the reference can be written").blob
}

/// What is ranked.
#[must_use]
pub fn requests() -> Vec<Request> {
    let cases = cases();
    CASES.iter().map(|index| cases[*index].request.clone()).collect()
}

/// `model/requests.rs`: the requests as Rust, ids alone.
#[must_use]
pub fn requests_source() -> String {
    let requests = requests();
    let mut source = format!(
        "//! Requests of the edge-profile cases. `cargo run -p din-tests --bin renew-firmware` writes this file.\n\n\
         /// Candidates of a slate.\npub const SLATE: usize = {SLATE};\n\n\
         /// A user, what they did, oldest first, and a slate: ids of items with their categories.\n\
         pub struct Request {{\n    /// Of the user.\n    pub user: u16,\n    /// Of the behaviours.\n    \
         pub history: &'static [[u16; 2]],\n    /// Of the candidates.\n    pub slate: [[u16; 2]; SLATE],\n}}\n\n\
         /// What is ranked.\npub static REQUESTS: [Request; {}] = [\n",
        requests.len()
    );
    for request in &requests {
        let _ = write!(
            source,
            "    Request {{\n        user: {},\n        history: &{:?},\n        slate: {:?},\n    }},\n",
            id(&request.profile[0]),
            ids(&request.histories[0]),
            ids(&request.slate)
        );
    }
    source + "];\n"
}

/// Numbers of scratch memory that a path needs on a 32-bit core.
///
/// # Panics
/// If the firmware's blob does not load.
#[must_use]
pub fn scratch_len(path: NumericPath) -> usize {
    let blob = fs::read(blob_path(path)).expect("the blob is part of the example");
    Model::from_bytes(&blob).expect("the firmware's blob loads").scratch_len_for(Blocking::SMALL)
}

/// `model/sizes.rs`: what each path needs on a 32-bit core.
///
/// # Panics
/// If a firmware's blob does not load.
#[must_use]
pub fn sizes_source() -> String {
    let capacity = requests().iter().map(|request| request.histories[0].len()).max().unwrap_or_default();
    format!(
        "//! What the models need. `cargo run -p din-tests --bin renew-firmware` writes this file.\n\n\
         /// Numbers of scratch memory, integer path.\npub const INTEGER_SCRATCH: usize = {};\n\
         /// Numbers of scratch memory, f32 path.\npub const F32_SCRATCH: usize = {};\n\
         /// Behaviours that are looked at.\npub const HISTORY: usize = {capacity};\n",
        scratch_len(NumericPath::Integer),
        scratch_len(NumericPath::F32)
    )
}

fn id(value: &Value) -> u64 {
    match value {
        Value::Id(id) => *id,
        other => panic!("the reference has ids alone, not {other:?}"),
    }
}

fn ids(rows: &[Vec<Value>]) -> Vec<Vec<u64>> {
    rows.iter().map(|row| row.iter().map(id).collect()).collect()
}

/// What every firmware logs of the integer path.
///
/// # Errors
/// Those of scoring.
///
/// # Panics
/// If the blob does not load.
pub fn integer_log(blob: &[u8], kernel: IntegerKernel) -> Result<String, ScoreError> {
    let model = Model::from_bytes(blob).expect("the firmware's blob loads");
    let mut scratch = vec![0; model.scratch_len()];
    let mut ranker = IntegerRanker::new(&model, &mut scratch)?;
    ranker.use_kernel(kernel);
    let (mut log, mut bytes) = (String::new(), Vec::new());
    for request in requests() {
        request.with_user(|user| ranker.set_user(user))?;
        let mut scores = [0; SLATE];
        ranker.score_slate(&request.slate.concat(), &mut scores)?;
        let _ = writeln!(log, "user {}: {scores:?}", id(&request.profile[0]));
        let mut top = heapless::Vec::<IntegerRanked, 3>::new();
        ranker.rank(request.slate.iter().map(Vec::as_slice), &mut top)?;
        for ranked in top {
            let _ = writeln!(log, "  candidate {} with logit {}", ranked.index, ranked.logit);
        }
        bytes.extend(scores.map(u16::to_le_bytes).into_iter().flatten());
    }
    let _ = writeln!(log, "crc-32 of the scores: {:#010x}", crc32(&bytes));
    Ok(log)
}

/// What a firmware with a floating-point unit logs of the f32 path.
///
/// # Errors
/// Those of scoring.
///
/// # Panics
/// If the blob does not load.
pub fn f32_log(blob: &[u8]) -> Result<String, ScoreError> {
    let model = Model::from_bytes(blob).expect("the firmware's blob loads");
    let mut scratch = vec![0.0; model.scratch_len()];
    let mut ranker = Ranker::new(&model, &mut scratch)?;
    ranker.use_kernel(Kernel::Portable);
    let (mut log, mut bytes) = (String::new(), Vec::new());
    for request in requests() {
        request.with_user(|user| ranker.set_user(user))?;
        let mut scores = [0.0_f32; SLATE];
        ranker.score_slate(&request.slate.concat(), &mut scores)?;
        let _ = writeln!(log, "user {}: {scores:?}", id(&request.profile[0]));
        let mut top = heapless::Vec::<Ranked, 3>::new();
        ranker.rank(request.slate.iter().map(Vec::as_slice), &mut top)?;
        for ranked in top {
            let _ = writeln!(log, "  candidate {} with logit {}", ranked.index, ranked.logit);
        }
        bytes.extend(scores.map(f32::to_le_bytes).into_iter().flatten());
    }
    let _ = writeln!(log, "crc-32 of the scores: {:#010x}", crc32(&bytes));
    Ok(log)
}
