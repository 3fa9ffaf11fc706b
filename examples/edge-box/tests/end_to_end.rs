//! The box as a user runs it: requests in, answers out, models replaced while it serves.
//!
//! `DIN_EDGE_BOX` names another program with its arguments to test: `tests/tests/devices.rs` runs one built for 64-bit Arm
//! in an emulator.

use din_core::Model;
use din_export::rank::{JsonRanker, Request};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// Every kind of field and value; histories by name.
const REQUEST: &str = r#"{"profile": {"age": 0.5, "favourite": "drama"}, "context": {"hour": 7}, "history": {"clicks": [{"item": 5, "price": 1.25, "action": 2}, {"item": "2", "price": null}], "views": [{"item": 1}], "likes": null}, "candidates": [{"item": 5, "category": "news", "price": 3}, {"item": 16777217}, {}]}"#;

/// Further ones that must be read as `din-export rank` reads them.
const ODD: [&str; 5] = [
    r#"{"candidates": []}"#,
    r#"{"history": [], "profile": null, "candidates": [{"category": 5}, {"category": -1.5}, {"item": 18446744073709551615}]}"#,
    r#"{"candidates": [{"price": 1e30}], "history": {"clicks": []}}"#,
    r#" {"candidates":[{"price":-2}],"context":{"hour":1.5e1},"profile":{"age":null}} "#,
    r#"{"candidates": [{"item": "\u0035"}], "profile": {"favourite": "com\u0065dy"}}"#,
];

/// Ones that both refuse.
const BAD: [&str; 12] = [
    "{",
    "[]",
    "{}",
    r#"{"candidates": [{}]} {}"#,
    r#"{"candidates": [null]}"#,
    r#"{"candidates": null}"#,
    r#"{"candidates": [{"itm": 5}]}"#,
    r#"{"candidate": [{}]}"#,
    r#"{"candidates": [{"item": -5}]}"#,
    r#"{"candidates": [{"item": 5.0}]}"#,
    r#"{"candidates": [{"price": "5"}]}"#,
    r#"{"candidates": [{}], "history": [{"item": 5}]}"#,
];

fn golden(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/goldens/{name}.din"))).unwrap()
}

/// What din-export answers.
fn expected(name: &str, line: &str) -> Option<Vec<f32>> {
    let blob = golden(name);
    let model = Model::from_bytes(&blob).unwrap();
    let request = Request::parse(line, &model).ok()?;
    JsonRanker::new(&model).answer(&request, false).ok().map(|answer| answer.scores)
}

/// Integer scores to the bit; f32 ones may come of another kernel.
fn assert_answers(text: &str, name: &str, line: &str) {
    let answer: Value = serde_json::from_str(text).unwrap();
    match expected(name, line) {
        None => assert!(answer["error"].is_string() && answer["scores"].is_null(), "{line}: {answer}"),
        Some(expected) => {
            let scores = answer["scores"].as_array().unwrap_or_else(|| panic!("{line}: {answer}"));
            let allowed = if name.ends_with("integer") { 0.0 } else { 2e-5 };
            assert_eq!(scores.len(), expected.len(), "{line}: {answer}");
            if allowed == 0.0 {
                let digits = serde_json::to_string(&expected).unwrap();
                assert_eq!(text, format!("{{\"scores\":{digits}}}"));
            }
            for (score, expected) in scores.iter().zip(expected) {
                assert!((score.as_f64().unwrap() as f32 - expected).abs() <= allowed, "{line}: {answer}");
            }
        }
    }
}

/// A running box.
struct EdgeBox {
    child: Child,
    input: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    messages: Lines<BufReader<ChildStderr>>,
}

impl EdgeBox {
    fn start(arguments: &[&str]) -> Self {
        let own = env!("CARGO_BIN_EXE_din-edge-box").to_owned();
        let program = std::env::var("DIN_EDGE_BOX").unwrap_or(own);
        let mut words = program.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output, errors) =
            (child.stdin.take(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (answers, messages) = (BufReader::new(output).lines(), BufReader::new(errors).lines());
        Self { child, input, answers, messages }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
        self.answers.next().unwrap().unwrap()
    }

    fn assert_message(&mut self, part: &str) {
        let message = self.messages.next().unwrap().unwrap();
        assert!(message.contains(part), "{message}, expected {part}");
    }

    /// The rest of standard error once it has ended by itself, well.
    fn end(mut self) -> Vec<String> {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
        self.messages.map(Result::unwrap).collect()
    }
}

/// A folder with a model, and how it is replaced: written beside, renamed.
struct Place(TempDir);

impl Place {
    fn new(blob: &[u8]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.put(blob);
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("model.din")
    }

    fn put(&self, blob: &[u8]) {
        let beside = self.0.path().join("beside");
        fs::write(&beside, blob).unwrap();
        fs::rename(&beside, self.path()).unwrap();
    }
}

#[test]
fn the_request_after_a_rename_is_answered_by_the_new_model_and_a_corrupt_one_is_refused() {
    for options in [&[][..], &["--copy"]] {
        let place = Place::new(&golden("everything"));
        let path = place.path();
        let mut edge_box = EdgeBox::start(&[&[path.to_str().unwrap()], options].concat());
        edge_box.assert_message("everything version 0, f32 path");
        assert_answers(&edge_box.ask(REQUEST), "everything", REQUEST);

        place.put(&golden("everything-integer"));
        assert_answers(&edge_box.ask(REQUEST), "everything-integer", REQUEST);
        edge_box.assert_message("replaced: everything-integer version 0, integer path");

        let mut corrupt = golden("everything");
        corrupt[200] ^= 1;
        for broken in [&corrupt[..], &corrupt[..100], b""] {
            place.put(broken);
            for _ in 0..2 {
                assert_answers(&edge_box.ask(REQUEST), "everything-integer", REQUEST);
            }
            edge_box.assert_message("refused: ");
        }
        fs::remove_file(&path).unwrap();
        assert_answers(&edge_box.ask(REQUEST), "everything-integer", REQUEST);
        edge_box.assert_message("still serving everything-integer");

        place.put(&golden("everything"));
        assert_answers(&edge_box.ask(REQUEST), "everything", REQUEST);
        edge_box.assert_message("replaced: everything version 0");
        let rest = edge_box.end();
        assert!(rest.len() == 1 && rest[0].starts_with("latency p50 "), "{rest:?}");
        assert!(rest[0].contains(" max ") && rest[0].ends_with("; 10 requests"), "{rest:?}");
    }
}

#[test]
fn requests_are_read_as_din_export_reads_them() {
    let place = Place::new(&golden("everything"));
    let mut edge_box = EdgeBox::start(&[place.path().to_str().unwrap()]);
    for line in ODD.into_iter().chain([REQUEST]) {
        assert!(expected("everything", line).is_some(), "{line}");
        assert_answers(&edge_box.ask(line), "everything", line);
    }
    for line in BAD {
        assert!(expected("everything", line).is_none(), "{line}");
        assert_answers(&edge_box.ask(line), "everything", line);
        // Nothing of a refused request is left.
        assert_answers(&edge_box.ask(ODD[1]), "everything", ODD[1]);
    }
    let rest = edge_box.end();
    let counts = format!("; {} requests, {} of them refused", ODD.len() + 1 + 2 * BAD.len(), BAD.len());
    assert!(rest.last().unwrap().ends_with(&counts), "{rest:?}");

    // One sequence: its history needs no name.
    let place = Place::new(&golden("paper"));
    let mut edge_box = EdgeBox::start(&[place.path().to_str().unwrap()]);
    let history: Vec<Value> = (1..20).map(|item| json!({ "item": item, "category": item % 5 })).collect();
    for history in [json!(history), json!({ "clicks": history }), json!([]), json!(null)] {
        let line = json!({ "profile": { "user": 3 }, "history": history, "candidates": [{ "item": 7 }] });
        let line = line.to_string();
        assert_answers(&edge_box.ask(&line), "paper", &line);
    }
    edge_box.end();
}

#[test]
fn a_socket_serves_many_and_the_box_ends_when_told_with_its_latencies() {
    let place = Place::new(&golden("everything-integer"));
    let (path, socket) = (place.path(), place.0.path().join("din.sock"));
    let arguments = [path.to_str().unwrap(), "--socket", socket.to_str().unwrap(), "--every", "1"];
    let mut edge_box = EdgeBox::start(&arguments);
    edge_box.assert_message("everything-integer");
    edge_box.assert_message("listening");
    let mut clients: Vec<_> = (0..3).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    for _ in 0..4 {
        for client in &mut clients {
            writeln!(client, "{REQUEST}").unwrap();
        }
        for client in &clients {
            let mut answer = String::new();
            BufReader::new(client).read_line(&mut answer).unwrap();
            assert_answers(answer.trim_end(), "everything-integer", REQUEST);
        }
    }
    drop(clients);
    edge_box.assert_message("last 1 s: latency p50 ");
    let told = Command::new("kill").args(["-INT", &edge_box.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let rest = edge_box.end();
    assert!(rest.last().unwrap().ends_with("; 12 requests"), "{rest:?}");
    assert!(!socket.exists());
}

#[test]
fn a_model_that_does_not_load_at_start_is_one_line_and_exit_code_1() {
    let place = Place::new(&golden("paper")[..500]);
    let mut edge_box = EdgeBox::start(&[place.path().to_str().unwrap()]);
    edge_box.assert_message("model.din: blob too short");
    assert_eq!(edge_box.child.wait().unwrap().code(), Some(1));
}
