//! The firmwares of `examples/firmware`: they log what the host scores, on every core. Those under QEMU need targets and an
//! emulator; plain `cargo test` lists them as ignored, `tests/run.sh` sets up what they need and runs them.

use din_core::manifest::{Activation, FieldKind, Pooling, RowEncoding, VocabularyKind};
use din_core::{
    Group, IntegerKernel, IntegerRanked, IntegerRanker, Model, Normaliser, Ranked, Ranker, ScoreError, User,
    Value,
};
use din_export::blob::NumericPath;
use din_export::emit::{EmitOptions, Holder, emit};
use din_tests::device::{cargo, target_dir};
use din_tests::firmware::{
    blob_path, f32_log, folder, integer_log, name_board, requests_source, scratch_len, sizes_source,
};
use din_tests::sizes;
use din_tests::stack_sum::CallGraph;
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Where this is built.
const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");

/// Held from the build of a firmware to where its file was read: builds of `measure` with other features write the same file.
static BUILT: Mutex<()> = Mutex::new(());

/// What a firmware logs.
fn log_of(target: &str, firmware: &str) -> String {
    log_with(cargo(&folder(), "run", target, "core", TEMPORARY), target, firmware)
}

fn log_with(mut command: Command, target: &str, firmware: &str) -> String {
    name_board(&mut command, target);
    let output = command.args(["--release", "--bin", firmware]).output().expect("cargo runs");
    let (log, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{log}\n{errors}");
    log.into_owned()
}

fn expected(firmware: &str) -> String {
    fs::read_to_string(folder().join(format!("expected/{firmware}.txt"))).expect("it is part of the example")
}

fn assert_scores(target: &str, firmware: &str) {
    assert_eq!(log_of(target, firmware), expected(firmware), "{firmware} on {target}");
}

/// The same words, and numbers within 1e-5: the f32 kernel of a Cortex-M4F rounds once where the host's portable one rounds
/// twice.
fn is_close(logged: &str, expected: &str) -> bool {
    let words = |line: &str| -> Vec<String> {
        line.split([' ', '[', ']', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (logged, expected) = (words(logged), words(expected));
    let alike = |(a, b): (&String, &String)| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-5,
        _ => a == b,
    };
    logged.len() == expected.len() && logged.iter().zip(&expected).all(alike)
}

#[test]
fn the_expected_scores_are_those_of_every_kernel_of_the_host() {
    let [integer, f32] =
        [NumericPath::Integer, NumericPath::F32].map(|path| fs::read(blob_path(path)).unwrap());
    for kernel in IntegerKernel::all() {
        assert_eq!(integer_log(&integer, kernel).unwrap(), expected("integer"), "{}", kernel.name());
    }
    let both = expected("integer") + &f32_log(&f32).unwrap();
    assert_eq!(both, expected("both"));
}

#[test]
fn the_sources_beside_the_blobs_belong_to_them() {
    let source = |name| fs::read_to_string(folder().join("model").join(name)).unwrap();
    assert_eq!(source("requests.rs"), requests_source());
    assert_eq!(source("sizes.rs"), sizes_source());
}

#[test]
#[ignore = "needs the target thumbv6m-none-eabi, QEMU and defmt-print; tests/run.sh runs it"]
fn a_cortex_m0_logs_the_scores_of_the_host() {
    assert_scores("thumbv6m-none-eabi", "integer");
}

#[test]
#[ignore = "needs the target thumbv7m-none-eabi, QEMU and defmt-print; tests/run.sh runs it"]
fn a_cortex_m3_logs_the_scores_of_the_host() {
    assert_scores("thumbv7m-none-eabi", "integer");
}

#[test]
#[ignore = "needs the target thumbv7em-none-eabihf, QEMU and defmt-print; tests/run.sh runs it"]
fn a_cortex_m4f_logs_the_scores_of_the_host_along_both_paths() {
    assert_scores("thumbv7em-none-eabihf", "integer");
    let (log, expected) = (log_of("thumbv7em-none-eabihf", "both"), expected("both"));
    assert_eq!(log.lines().count(), expected.lines().count(), "{log}");
    for (logged, expected) in
        log.lines().zip(expected.lines()).filter(|(_, line)| !line.starts_with("crc-32"))
    {
        assert!(is_close(logged, expected), "{logged}\n{expected}");
    }
}

#[test]
#[ignore = "needs the target thumbv8m.main-none-eabihf, QEMU and defmt-print; tests/run.sh runs it"]
fn a_cortex_m33_logs_the_scores_of_the_host() {
    assert_scores("thumbv8m.main-none-eabihf", "integer");
}

#[test]
#[ignore = "needs the target riscv32imc-unknown-none-elf, QEMU and defmt-print; tests/run.sh runs it"]
fn a_risc_v_without_floating_point_logs_the_scores_of_the_host() {
    assert_scores("riscv32imc-unknown-none-elf", "integer");
}

#[test]
fn what_inspect_takes_from_the_table_of_sizes_is_in_it() {
    let table = sizes::committed().expect("a table: renew-sizes writes it");
    assert_eq!(fs::read_to_string(sizes::source_path()).unwrap(), table.to_source());
}

/// The figures are those of one compiler: with another one the test says what has grown, and passes.
#[test]
#[ignore = "needs the targets of all firmwares, QEMU and defmt-print; tests/run.sh runs it"]
fn no_size_has_grown_since_the_table_was_written() {
    let built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let (measured, committed) = (sizes::measure(TEMPORARY).unwrap(), sizes::committed().unwrap());
    drop(built);
    let growth = measured.growth(&committed).join("\n");
    if measured.compiler != committed.compiler {
        println!("the table is of {}, this is {}:\n{growth}", committed.compiler, measured.compiler);
        return;
    }
    let command = "cargo run --release -p din-tests --bin renew-sizes";
    assert!(growth.is_empty(), "renew the table if that is meant ({command}):\n{growth}");
}

#[test]
#[ignore = "needs the target thumbv7em-none-eabihf, QEMU and defmt-print; tests/run.sh runs it"]
fn an_emitted_model_passes_its_self_test_on_a_cortex_m4f() {
    let blob = fs::read(blob_path(NumericPath::Integer)).unwrap();
    let options = EmitOptions { holders: vec![Holder::Rust], ..EmitOptions::default() };
    let emitted = emit(&Model::from_bytes(&blob).unwrap(), &[], &options).unwrap();
    let folder = Path::new(TEMPORARY).join("emitted-firmware");
    fs::create_dir_all(&folder).unwrap();
    for (name, content) in &emitted.files {
        fs::write(folder.join(name), content).unwrap();
    }
    let target = "thumbv7em-none-eabihf";
    let mut command = cargo(&self::folder(), "run", target, "core", TEMPORARY);
    command.env("EMITTED", &folder).args(["--features", "emitted"]);
    let log = log_with(command, target, "emitted");
    let (scores, crc) = (emitted.self_test.score_count(), emitted.self_test.crc().unwrap());
    assert_eq!(log.lines().last().unwrap(), format!("crc-32 of {scores} scores: {crc:#010x}"));
}

/// `Debug` on the host and `defmt::Format` on the device, of the same values as in `src/bin/formats.rs`.
fn formats(blob: &[u8]) -> Vec<String> {
    let debug = |value: &dyn Debug| format!("{value:?}");
    let model = Model::from_bytes(blob).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    // What a 32-bit core needs is another number.
    let too_small = ScoreError::ScratchTooSmall { needed: scratch_len(NumericPath::Integer), found: 3 };
    let mut ranker = IntegerRanker::new(&model, &mut scratch).unwrap();
    let user = |profile| User { profile, context: &[], histories: &[] };
    vec![
        debug(&Model::from_bytes(&[]).err()),
        debug(&Model::from_bytes(&blob[..100]).err()),
        debug(&Model::from_bytes(&blob[8..]).err()),
        debug(&Ranker::new(&model, &mut []).err()),
        debug(&Some(too_small)),
        debug(&ranker.score(&[]).err()),
        debug(&ranker.set_user(&user(&[])).err()),
        debug(&ranker.set_user(&user(&[Value::Number(0.5)])).err()),
        format!("{:?} {:?}", [Value::Missing, Value::Id(7), Value::Number(1.5)], Value::Fixed(-3)),
        debug(&IntegerRanked { index: 1, logit: -2, score: 3 }),
        debug(&Ranked { index: 1, logit: -2.5, score: 0.25 }),
        format!("{:?} {:?}", Group::Context, Normaliser::IDENTITY),
        format!("{:?} {:?} {:?}", RowEncoding::Int8, VocabularyKind::HashedText, FieldKind::Numeric),
        format!("{:?} {:?}", Pooling::SoftmaxAttention, Activation::PRelu),
    ]
}

#[test]
#[ignore = "needs the target thumbv6m-none-eabi, QEMU and defmt-print; tests/run.sh runs it"]
fn errors_and_public_types_are_logged_as_debug_shows_them() {
    let blob = fs::read(blob_path(NumericPath::Integer)).unwrap();
    let log = log_of("thumbv6m-none-eabi", "formats");
    assert_eq!(log.lines().collect::<Vec<_>>(), formats(&blob));
}

#[test]
#[ignore = "needs the target thumbv7m-none-eabi, QEMU and defmt-print; tests/run.sh runs it"]
fn spans_are_logged_at_the_level_trace_and_change_nothing_else() {
    let target = "thumbv7m-none-eabi";
    let mut command = cargo(&folder(), "run", target, "core", TEMPORARY);
    // Built beside the others, which would be built again for another level.
    command.env("DEFMT_LOG", "trace").env("CARGO_TARGET_DIR", target_dir(TEMPORARY).join("trace"));
    let log = log_with(command, target, "integer");
    let spans = ["load", "set user", "score block"].map(|of| [format!("{of} begins"), format!("{of} ends")]);
    let (spans_logged, rest): (Vec<_>, Vec<_>) =
        log.lines().partition(|line| spans.as_flattened().iter().any(|span| span == line));
    assert_eq!(rest.join("\n") + "\n", expected("integer"));
    // One model; for each user one begin and one end, and blocks of a slate that is scored and then ranked.
    let users = rest.iter().filter(|line| line.starts_with("user")).count();
    let count = |span: &str| spans_logged.iter().filter(|line| **line == span).count();
    assert_eq!(spans[0].each_ref().map(|span| count(span)), [1, 1], "{log}");
    assert_eq!(spans[1].each_ref().map(|span| count(span)), [users, users], "{log}");
    assert!(count(&spans[2][0]) >= 2 * users && count(&spans[2][0]) == count(&spans[2][1]), "{log}");
    // Spans do not overlap: what begins ends next.
    assert!(spans_logged.chunks(2).all(|pair| spans.iter().any(|span| span.as_slice() == pair)), "{log}");
}

/// The most that the stack can take is known before it runs: no recursion, and a sum of frames that painting stays below.
#[test]
#[ignore = "needs thumbv6m-none-eabi, thumbv7em-none-eabihf, QEMU, defmt-print and arm-none-eabi-objdump; tests/run.sh runs it"]
fn the_stack_is_bounded_by_the_sum_of_the_frames() {
    for (target, features) in [
        ("thumbv6m-none-eabi", "integer"),
        ("thumbv7em-none-eabihf", "integer"),
        ("thumbv7em-none-eabihf", "f32"),
    ] {
        let stack = target_dir(TEMPORARY).join("stack");
        let mut command = cargo(&folder(), "run", target, "core", TEMPORARY);
        // The compiler states frames of stable code too, if it is asked as one asks an unstable one.
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Z emit-stack-sizes");
        command.env("CARGO_TARGET_DIR", &stack).args(["--features", features]);
        let log = log_with(command, target, "measure");
        let line = log.lines().find_map(|line| line.strip_prefix(&format!("{features} stack "))).expect(&log);
        let painted: u64 = line.trim_end_matches(" bytes").parse().unwrap();
        let elf = stack.join(target).join("release/measure");
        let deepest = CallGraph::read(&elf).unwrap().deepest("Reset").unwrap();
        println!("{target} {features}: painted {painted}, summed {} bytes", deepest.bytes);
        deepest.calls.iter().for_each(|(name, frame)| println!("{frame:8} {name}"));
        assert!((1..=deepest.bytes).contains(&painted), "{painted} painted, {} summed", deepest.bytes);
    }
}

/// Calls of floating-point routines, and floating-point instructions, in what a firmware disassembles to.
fn float_lines(target: &str, firmware: &str, features: &str) -> Vec<String> {
    let _built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = cargo(&folder(), "build", target, "core", TEMPORARY);
    command.args(["--release", "--bin", firmware, "--features", features]);
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    let elf = target_dir(TEMPORARY).join(target).join("release").join(firmware);
    let output = Command::new("arm-none-eabi-objdump").arg("-dC").arg(elf).output().expect("objdump runs");
    let code = String::from_utf8_lossy(&output.stdout);
    assert!(code.lines().count() > 1000, "{firmware} was not disassembled: {code}");
    code.lines().filter(|line| is_float(line)).map(str::to_owned).collect()
}

/// `__aeabi_fadd`, `__aeabi_dmul`, `__aeabi_i2f`, `compiler_builtins::float::..`, `vadd.f32`, `vldr`.
fn is_float(line: &str) -> bool {
    let routine = line.split("__aeabi_").nth(1).is_some_and(|name| {
        let converts = ["i2f", "ui2f", "l2f", "ul2f", "i2d", "ui2d", "l2d", "ul2d"];
        name.starts_with(['f', 'd']) || converts.into_iter().any(|start| name.starts_with(start))
    });
    let instruction = line.split('\t').nth(2).is_some_and(|name| name.starts_with('v'));
    routine || instruction || line.contains("compiler_builtins::float") || line.contains("libm::")
}

#[test]
#[ignore = "needs the target thumbv6m-none-eabi and arm-none-eabi-objdump; tests/run.sh runs it"]
fn the_integer_firmware_of_a_cortex_m0_has_no_floating_point() {
    let found = float_lines("thumbv6m-none-eabi", "integer", "");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What the test above looks for is what floating point looks like.
#[test]
#[ignore = "needs the target thumbv6m-none-eabi and arm-none-eabi-objdump; tests/run.sh runs it"]
fn the_f32_path_shows_its_floating_point_on_a_cortex_m0_and_a_cortex_m4f() {
    let soft = float_lines("thumbv6m-none-eabi", "measure", "f32");
    let has = |name: &str, lines: &[String]| lines.iter().any(|line| line.contains(name));
    assert!(
        has("__aeabi_fmul", &soft) && has("__aeabi_fadd", &soft) && has("__aeabi_fcmp", &soft),
        "{soft:?}"
    );
    let hard = float_lines("thumbv7em-none-eabihf", "measure", "f32");
    assert!(has("vmul.f32", &hard) && has("vldr", &hard), "{hard:?}");
}
