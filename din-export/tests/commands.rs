//! The command line as a user meets it: one clear line, an exit code, and nothing half-written.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const JOB: &str = r#"
name = "small"
[data]
samples = "samples.csv"
label = "label"
user = "user"
[tables.item]
dim = 2
[[candidate]]
name = "item"
table = "item"
[[context]]
name = "hour"
numeric = {}
[split]
kind = "column"
column = "split"
train = "train"
valid = "valid"
test = "test"
[model]
pooling = "none"
[training]
epochs = 1
"#;

const SAMPLES: &str = "split,user,item,hour,label\n\
    train,1,5,1,1\ntrain,1,6,2,0\ntrain,2,5,3,0\ntrain,2,6,4,1\n\
    valid,1,5,5,1\nvalid,1,6,6,0\ntest,2,5,7,1\ntest,2,6,8,0\n";

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_din-export")).current_dir(folder).args(arguments).output().unwrap()
}

/// A folder with a job and its samples.
fn folder(job: &str, samples: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("job.toml"), job).unwrap();
    std::fs::write(folder.path().join("samples.csv"), samples).unwrap();
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The one error line of a training that must fail and leave nothing.
fn refusal(job: &str, samples: &str) -> String {
    let folder = folder(job, samples);
    let output = run(folder.path(), &["train", "job.toml", "-o", "model"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert_eq!(files(&folder.path().join("model")), [] as [PathBuf; 0]);
    let errors = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = errors.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((lines.len(), errors.lines().last()), (1, lines.first().copied()), "{errors}");
    lines[0].to_owned()
}

#[test]
fn bad_data_is_one_line_that_names_file_and_place_and_nothing_is_written() {
    let missing_column = refusal(&JOB.replace("\"label\"", "\"lable\""), SAMPLES);
    assert!(missing_column.contains("lable") && missing_column.contains("`label`"), "{missing_column}");
    let missing_file = refusal(&JOB.replace("samples.csv", "sample.csv"), SAMPLES);
    assert!(missing_file.contains("sample.csv"), "{missing_file}");
    let bad_label = refusal(JOB, &SAMPLES.replace("train,2,5,3,0", "train,2,5,3,2"));
    assert!(
        bad_label.contains("samples.csv") && bad_label.contains('3') && bad_label.contains("`2`"),
        "{bad_label}"
    );
    let bad_number = refusal(JOB, &SAMPLES.replace("train,2,5,3,0", "train,2,5,NaN,0"));
    assert!(bad_number.contains("samples.csv") && bad_number.contains("hour"), "{bad_number}");
    let empty_split =
        refusal(&JOB.replace("valid = \"valid\"", "valid = \"vlid\"\nignore = \"valid\""), SAMPLES);
    assert!(empty_split.contains("valid"), "{empty_split}");
    let unknown_key = refusal(&JOB.replace("epochs", "epoch"), SAMPLES);
    assert!(unknown_key.contains("epoch") && unknown_key.contains("`epochs`"), "{unknown_key}");
}

#[test]
fn a_trained_folder_evaluates_exports_inspects_and_ranks() {
    let folder = folder(JOB, SAMPLES);
    let path = folder.path();
    let succeed = |arguments: &[&str]| {
        let output = run(path, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let trained = succeed(&["--json", "train", "job.toml", "-o", "model"]);
    let evaluated = succeed(&["--json", "eval", "model/model.din", "job.toml"]);
    assert_eq!(trained["test"]["log_loss"], evaluated["log_loss"]);
    let mut exported = succeed(&["--json", "export", "model", "--embedding", "int8", "-o", "small.din"]);
    let lost = exported.as_object_mut().unwrap().remove("row_errors").unwrap();
    assert!(lost[0]["max"].as_f64().unwrap() > 0.0 && lost[0]["table"] == "item", "{lost}");
    assert_eq!(succeed(&["--json", "inspect", "small.din"]), exported);
    let request = r#"{"context": {"hour": 3}, "candidates": [{"item": 5}, {"item": 6}, {"item": 99}]}"#;
    std::fs::write(path.join("requests.jsonl"), request).unwrap();
    let ranked = succeed(&["--json", "rank", "small.din", "requests.jsonl"]);
    assert_eq!(ranked["scores"].as_array().unwrap().len(), 3);

    std::fs::write(path.join("requests.jsonl"), r#"{"candidates": [{"itm": 5}]}"#).unwrap();
    let refused = run(path, &["rank", "small.din", "requests.jsonl"]);
    assert_eq!(refused.status.code(), Some(1));
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert!(errors.contains("`itm`") && errors.contains("`item`"), "{errors}");
}

#[test]
fn the_model_that_ships_trains_on_validation_samples_too() {
    // Item 7 is in a validation sample alone.
    let folder = folder(JOB, &format!("{SAMPLES}valid,1,7,5,1\n"));
    let train = |more: &[&str]| {
        let output = run(folder.path(), &[&["train", "job.toml", "-o", "model"], more].concat());
        assert!(output.status.success(), "{output:?}");
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap())
    };
    let [result, progress] = train(&[]);
    assert!(result.starts_with("best epoch 1\nvalidation: ") && progress.contains("(best so far)"));
    assert!(progress.contains("4 training, 3 validation"), "{progress}");
    let [result, progress] = train(&["--final", "3"]);
    let start = "3 epochs, validation samples too\nvalidation (trained on): ";
    assert!(result.starts_with(start) && result.contains("\ntest: "), "{result}");
    assert!(progress.contains("7 training, 3 validation") && !progress.contains("best so far"), "{progress}");
    let metrics = std::fs::read_to_string(folder.path().join("model/metrics.json")).unwrap();
    assert!(metrics.contains("\"train_on_valid\": true"), "{metrics}");
    // What measures a blob asks it with every id that it has learnt.
    let json = |arguments: &[&str]| {
        let output = run(folder.path(), arguments);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    };
    let budget =
        ["--json", "export", "model", "--calibrate", "job.toml", "-o", "fit.din", "--budget", "1MiB"];
    let reference = &json(&budget)["reference"];
    json(&["--json", "export", "model", "--embedding", "f32", "-o", "f32.din"]);
    let evaluated = json(&["--json", "eval", "f32.din", "job.toml", "--split", "valid"]);
    assert_eq!(reference["figures"]["log_loss"], evaluated["log_loss"], "{reference}");
    assert_eq!(run(folder.path(), &["train", "job.toml", "--final", "0"]).status.code(), Some(2));
}

#[test]
fn a_garbage_blob_is_refused_by_name() {
    let folder = folder(JOB, SAMPLES);
    std::fs::write(folder.path().join("garbage.din"), [7; 200]).unwrap();
    let output = run(folder.path(), &["inspect", "garbage.din"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors, "error: garbage.din: not a DIN blob: wrong magic number\n");
}

#[test]
fn a_budget_chooses_what_fits_and_refuses_what_loses_too_much() {
    let folder = folder(&format!("{JOB}\n[export]\nembedding = \"int8\"\nversion = 7\n"), SAMPLES);
    let path = folder.path();
    assert!(run(path, &["train", "job.toml", "-o", "model"]).status.success());
    // What the job says of the export stays with the model.
    let output = run(path, &["--json", "export", "model", "-o", "own.din"]);
    let own: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&own["model_version"], &own["tables"][0]["encoding"]), (&7.into(), &"int8".into()), "{own}");

    let budget = |bytes: &str, more: &[&str]| {
        let arguments =
            ["--json", "export", "model", "--calibrate", "job.toml", "-o", "fit.din", "--budget", bytes];
        run(path, &[&arguments, more].concat())
    };
    let output = budget("1MiB", &[]);
    assert!(output.status.success(), "{output:?}");
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let chosen = &all["choices"][all["chosen"].as_u64().unwrap() as usize];
    assert_eq!(std::fs::metadata(path.join("fit.din")).unwrap().len(), chosen["bytes"].as_u64().unwrap());
    let losses = all["choices"].as_array().unwrap().iter();
    let least = losses.filter_map(|choice| choice["figures"]["rms_change"].as_f64()).fold(f64::MAX, f64::min);
    assert_eq!(chosen["figures"]["rms_change"], least);

    std::fs::remove_file(path.join("fit.din")).unwrap();
    let refused = |output: std::process::Output, part: &str| {
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && text.contains(part), "{text}");
        assert!(!path.join("fit.din").exists());
    };
    refused(budget("1kB", &[]), "no blob fits 1000 bytes: the smallest");
    refused(budget("1MiB", &["--max-auc-loss", "-1"]), "AUC against f32, more than -1");
    let output = run(path, &["export", "model", "--embedding", "itme=int8"]);
    refused(output, "table `itme`, which the model does not have; it has item");
}

#[test]
fn a_blob_is_timed_by_kernel_threads_and_size() {
    let folder = folder(JOB, SAMPLES);
    let path = folder.path();
    assert!(run(path, &["train", "job.toml", "-o", "model"]).status.success());
    let bench = ["bench", "model/model.din", "--time", "0"];
    let output = run(path, &[&bench[..], &["--json", "--slates", "1,7", "--threads", "1,2"]].concat());
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows: Vec<(u64, f64)> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["threads"].as_u64().unwrap(), row["slate"].as_f64().unwrap()))
        .collect();
    assert_eq!(rows, [(1, 1.0), (1, 7.0), (2, 1.0), (2, 7.0)], "{report}");

    let request = r#"{"context": {"hour": 3}, "candidates": [{"item": 5}, {"item": 6}, {"item": 99}]}"#;
    std::fs::write(path.join("requests.jsonl"), format!("{request}\n{request}\n")).unwrap();
    let own = ["--requests", "requests.jsonl", "--kernel", "portable", "--threads", "1"];
    let output = run(path, &[&bench[..], &own].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("portable")).count(), 1, "{text}");

    let unknown = run(path, &[&bench[..], &["--kernel", "portabel"]].concat());
    assert_eq!(unknown.status.code(), Some(1));
    let errors = String::from_utf8(unknown.stderr).unwrap();
    assert!(errors.contains("`portabel`") && errors.contains("there are portable"), "{errors}");
    let several = run(path, &["--threads", "1,2", "inspect", "model/model.din"]);
    assert_eq!(several.status.code(), Some(2), "{several:?}");
}
