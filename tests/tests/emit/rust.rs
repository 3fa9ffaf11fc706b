//! The Rust module of `emit`, in a package of its own.

use super::{GOLDENS, emitted, golden, output, workshop, write};
use din_export::emit::{Emitted, Holder};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A library without std, warnings denied, that has every emitted module, and a program that runs their self-tests.
#[test]
fn emitted_modules_compile_without_std_and_pass_their_own_self_test() {
    let folder = workshop("emit-rust");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let core = root.join("din-core");
    let manifest = format!(
        "[package]\nname = \"emitted\"\nedition = \"2024\"\n\n[dependencies]\ndin-core = {{ path = {core:?} }}\n\n\
         [workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut library = "#![no_std]\n#![deny(warnings, missing_docs, unsafe_code)]\n//! Emitted.\n".to_owned();
    let mut program = "fn main() {\n".to_owned();
    let mut expected = String::new();
    for name in GOLDENS {
        let emitted = emitted(&golden(name), &name.replace('-', "_"), Holder::Rust);
        write(&folder.join("src"), &emitted);
        let module = &emitted.facts.prefix;
        library += &format!("pub mod {module};\n");
        program += &format!(
            "    let mut scratch: emitted::{module}::Scratch = [Default::default(); emitted::{module}::SCRATCH_LEN];\n    \
             println!(\"{{:?}}\", emitted::{module}::self_test(&mut scratch));\n"
        );
        expected += &match emitted.self_test.crc() {
            Some(crc) => format!("Ok({crc})\n"),
            None => "Ok(small)\n".to_owned(),
        };
        assert!(emitted.self_test.score_count() >= 16);
    }
    // A device that is off by one bit, and one whose flash lost a bit.
    for (module, path) in [("altered", "everything-integer"), ("off", "everything")] {
        let Emitted { files, .. } = emitted(&golden(path), module, Holder::Rust);
        for (name, content) in files {
            fs::write(folder.join("src").join(&name), alter_a_score(&name, content)).unwrap();
        }
        library += &format!("pub mod {module};\n");
        program += &format!(
            "    let mut scratch = [Default::default(); emitted::{module}::SCRATCH_LEN];\n    \
             println!(\"{{:?}}\", emitted::{module}::self_test(&mut scratch));\n"
        );
        expected += "Err(Differs { case: 0, candidate: 0 })\n";
    }
    fs::write(folder.join("src/lib.rs"), library).unwrap();
    fs::write(folder.join("src/main.rs"), program + "}\n").unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(&folder).args(["run", "--quiet", "--offline"]);
    command.env("CARGO_TARGET_DIR", folder.join("target")).env_remove("RUSTFLAGS");
    let found = output(command).lines().map(forget_differences).collect::<String>();
    assert_eq!(found, expected);
}

/// The first score of the first request, changed in its last place.
fn alter_a_score(name: &str, content: Vec<u8>) -> Vec<u8> {
    if !name.ends_with(".rs") {
        return content;
    }
    let text = String::from_utf8(content).unwrap();
    let (before, rest) = text.split_once("scores: &[").unwrap();
    let (score, after) = rest.split_once(',').unwrap();
    let altered = match score.parse::<u16>() {
        Ok(score) => (score ^ 1).to_string(),
        Err(_) => (score.parse::<f32>().unwrap() + 1e-4).to_string(),
    };
    format!("{before}scores: &[{altered},{after}").into_bytes()
}

/// The largest difference of an f32 self-test depends on the machine, within its tolerance.
fn forget_differences(line: &str) -> String {
    let difference = line.strip_prefix("Ok(").and_then(|rest| rest.strip_suffix(')'));
    match difference.filter(|number| number.contains(['.', 'e'])).map(|number| number.parse::<f32>().unwrap())
    {
        Some(difference) if difference <= 2e-5 => "Ok(small)\n".to_owned(),
        _ => format!("{line}\n"),
    }
}
