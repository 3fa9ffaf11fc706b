//! A comparison measures what `train` measures, and goes on where it was killed.

mod small_log;

use din_export::output::OwnFolder;
use serde_json::Value;
use small_log::{JOB, command, errors, folder, json};
use std::time::Duration;

/// What is added to the job.
const VARIANTS: &str = r#"
[model.unit]
hidden = [8]
[model.head]
hidden = [8]
[training]
epochs = 3
patience = 0
batch_size = 32
[compare]
seeds = 2
base = "sum"
[[compare.variant]]
name = "sum"
model.pooling = "sum"
[[compare.variant]]
name = "wide"
tables.item.dim = 6
[[compare.variant]]
name = "filter"
tables.item.min_count = 40
"#;

fn job() -> String {
    format!("{JOB}{VARIANTS}")
}

#[test]
fn a_variant_is_measured_as_the_job_that_it_makes() {
    let ships = "[[compare.variant]]\nname = \"ships\"\ntraining.train_on_valid = true\n";
    let folder = folder(&(job() + ships));
    let path = folder.path();
    let report = json(path, &["compare", "job.toml", "-o", "compared", "--curves"]);
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 8);
    let jobs = [
        ("[model.unit]", "[model]\npooling = \"sum\"\n[model.unit]"),
        ("dim = 4", "dim = 6"),
        ("dim = 4", "dim = 4\nmin_count = 40"),
        ("epochs = 3", "epochs = 3\ntrain_on_valid = true"),
    ];
    for (index, (from, to)) in jobs.into_iter().enumerate() {
        std::fs::write(path.join("variant.toml"), job().replace(from, to)).unwrap();
        let trained = json(path, &["train", "variant.toml", "-o", "model", "--seed", "2"]);
        let run = &runs[2 * index + 1];
        assert_eq!(run["seed"], 2);
        for figure in ["log_loss", "auc", "gauc"] {
            assert_eq!(run["test"][figure], trained["test"][figure], "{figure} of {}", run["variant"]);
        }
        assert_eq!(run["epochs"], trained["epochs"], "{}", run["variant"]);
        assert_eq!(run["curve"].as_array().unwrap().len(), 3);
    }
    // The test splits of the curves are that of the table, though scored by the network in training.
    let auc = |value: &Value| value["auc"].as_f64().unwrap();
    for run in runs {
        let epoch = run["best_epoch"].as_u64().unwrap() as usize;
        let curve = &run["curve"][epoch - 1];
        assert!((auc(&curve["test"]) - auc(&run["test"])).abs() < 1e-4, "{run}");
        assert_ne!(curve["train"]["samples"], curve["test"]["samples"]);
    }
    let svg = std::fs::read_to_string(path.join("compared/curves.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(["sum", "wide", "filter"].iter().all(|name| svg.contains(&format!(">{name}</text>"))), "{svg}");
    let table = std::fs::read_to_string(path.join("compared/table.md")).unwrap();
    assert!(table.contains("| filter | ") && table.contains("GAUC over sum"), "{table}");
    assert!(table.contains("| ships | 3.0 | trained on | "), "{table}");
}

#[test]
fn a_comparison_that_was_killed_goes_on_and_an_added_variant_trains_alone() {
    let folder = folder(&job());
    let path = folder.path();
    let whole = json(path, &["compare", "job.toml", "-o", "whole"]);
    let lines =
        || std::fs::read_to_string(path.join("broken/runs.jsonl")).unwrap_or_default().lines().count();
    // Killed as soon as so many runs are in the ledger.
    let mut kills = 0;
    for runs in [0, 2, 4] {
        let mut child = command(path, &["compare", "job.toml", "-o", "broken"]).spawn().unwrap();
        while child.try_wait().unwrap().is_none() && lines() < 1 + runs {
            std::thread::sleep(Duration::from_millis(1));
        }
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 0, "it was never killed");
    assert_eq!(json(path, &["compare", "job.toml", "-o", "broken"]), whole, "after {kills} kills");
    assert_eq!(lines(), 1 + 6);
    let more = format!("{JOB}{VARIANTS}[[compare.variant]]\nname = \"mean\"\nmodel.pooling = \"mean\"\n");
    std::fs::write(path.join("job.toml"), &more).unwrap();
    let longer = json(path, &["compare", "job.toml", "-o", "broken"]);
    assert_eq!(longer["runs"].as_array().unwrap()[..6], whole["runs"].as_array().unwrap()[..]);
    assert_eq!(lines(), 1 + 8);
    // The widths of the first variant's tables are no matter of the others.
    let wider = more.replacen("model.pooling = \"sum\"", "model.pooling = \"sum\"\ntables.item.dim = 5", 1);
    std::fs::write(path.join("job.toml"), wider).unwrap();
    let wider = json(path, &["compare", "job.toml", "-o", "broken"]);
    assert_eq!(wider["runs"].as_array().unwrap()[2..], longer["runs"].as_array().unwrap()[2..]);
    assert_eq!(lines(), 1 + 10);
}

#[test]
fn a_variant_whose_numbers_leave_their_range_fails_alone() {
    let wild = "[[compare.variant]]\nname = \"wild\"\ntraining.optimizer.learning_rate = 1e18\n";
    let folder = folder(&job().replace(
        "[[compare.variant]]\nname = \"wide\"",
        &format!("{wild}[[compare.variant]]\nname = \"wide\""),
    ));
    let path = folder.path();
    let compare = ["--json", "compare", "job.toml", "-o", "compared", "--curves"];
    let output = command(path, &compare).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).ends_with("error: 1 of 4 variants failed: wild\n"), "{}", errors(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["table"]["rows"].as_array().unwrap();
    let failed = rows[1]["failed"].as_array().unwrap();
    assert_eq!((&rows[1]["variant"], failed.len(), &rows[1]["auc"]), (&"wild".into(), 2, &Value::Null));
    assert!(failed[0]["problem"].as_str().unwrap().contains("lower `optimizer.learning_rate`"), "{failed:?}");
    assert_eq!(report["runs"].as_array().unwrap().len(), 8);
    assert_eq!(report["curves"].as_array().unwrap().len(), 3);
    // What failed is not trained again.
    let again = command(path, &compare).output().unwrap();
    assert!(again.stdout == output.stdout && again.status.code() == Some(1));
    let lines = std::fs::read_to_string(path.join("compared/runs.jsonl")).unwrap().lines().count();
    assert_eq!(lines, 1 + 8);
    // The others are those of a comparison without it.
    std::fs::write(path.join("job.toml"), job()).unwrap();
    let without = json(path, &["compare", "job.toml", "-o", "without", "--curves"]);
    let own = without["table"]["rows"].as_array().unwrap();
    assert_eq!([&rows[0], &rows[2], &rows[3]], [&own[0], &own[1], &own[2]]);
}

#[test]
fn a_folder_in_which_another_is_at_work_is_refused() {
    let folder = folder(&format!("{}[tune]\ntrials = 1\n", job()));
    let path = folder.path();
    let own = OwnFolder::open(&path.join("shared")).unwrap();
    for name in ["compare", "tune", "train"] {
        let output = command(path, &[name, "job.toml", "-o", "shared"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        let problem = "error: shared: another din-export is at work in this folder; let it finish, or choose another --output\n";
        assert_eq!(errors(&output), problem, "{name}");
    }
    assert_eq!(std::fs::read_dir(path.join("shared")).unwrap().count(), 1, "nothing but the lock");
    drop(own);
    json(path, &["compare", "job.toml", "-o", "shared", "--seeds", "1"]);
}

#[test]
fn variants_of_a_file_stand_in_for_those_of_the_job() {
    let folder = folder(&job());
    let path = folder.path();
    std::fs::write(path.join("other.toml"), "[compare]\n[[compare.variant]]\nname = \"as it is\"\n").unwrap();
    let other = ["compare", "job.toml", "--variants", "other.toml", "--seeds", "1", "-o", "compared"];
    let report = json(path, &other);
    assert_eq!(report["table"]["base"], "as it is");
    assert_eq!(report["runs"].as_array().unwrap().len(), 1);
    for (text, problem) in [
        ("[compare]\n[[compare.variant]]\nname = \"a\"\nmodel.poling = 1\n", "has the unknown key `poling`"),
        ("[compare]\nsed = 2\n[[compare.variant]]\nname = \"a\"\n", "other.toml, line 2: unknown key `sed`"),
        ("[compare]\nvariant = []\n", "`compare.variant` is empty"),
    ] {
        std::fs::write(path.join("other.toml"), text).unwrap();
        let output = command(path, &other).output().unwrap();
        let text = errors(&output);
        assert!(output.status.code() == Some(1) && text.contains(problem), "{text}");
    }
}
