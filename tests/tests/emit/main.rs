//! What `din-export emit` writes compiles, and its self-test passes where it must and fails where it must.

use din_core::{Blocking, Model};
use din_export::emit::{EmitOptions, Emitted, Holder, emit};
use din_tests::golden::{Golden, folder};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod c;
mod rust;

/// Blobs that between them have every kind of value, vocabulary and pooling, on both paths, with and without histories.
const GOLDENS: [&str; 5] = ["everything", "everything-integer", "paper-int8", "paper-integer", "no-history"];

fn golden(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.din"))).unwrap()
}

fn emitted(blob: &[u8], name: &str, holder: Holder) -> Emitted {
    let options = EmitOptions { name: name.to_owned(), holders: vec![holder], ..EmitOptions::default() };
    emit(&Model::from_bytes(blob).unwrap(), &[], &options).unwrap()
}

fn write(folder: &Path, emitted: &Emitted) {
    for (name, content) in &emitted.files {
        fs::write(folder.join(name), content).unwrap();
    }
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{text}{errors}");
    text.into_owned()
}

/// An empty folder that stays the same over runs, so that its build is not repeated.
fn workshop(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(folder.join("src"));
    fs::create_dir_all(folder.join("src")).unwrap();
    folder
}

#[test]
fn emitted_sizes_are_those_of_each_kind_of_machine() {
    for golden in Golden::all() {
        let blob = golden.bytes();
        let model = Model::from_bytes(&blob).unwrap();
        let facts = emitted(&blob, "model", Holder::Rust).facts;
        assert_eq!(facts.scratch_len_32, model.scratch_len_for(Blocking::SMALL), "{}", golden.name);
        assert_eq!(facts.scratch_len_64, model.scratch_len_for(Blocking::LARGE), "{}", golden.name);
        assert!(facts.scratch_len_32 < facts.scratch_len_64);
        assert_eq!(facts.blob_len, blob.len());
    }
}
