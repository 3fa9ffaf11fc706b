//! A search that is stopped or killed finds what an unbroken one finds, and its best job trains to the figure in the table.

mod small_log;

use serde_json::Value;
use small_log::{JOB, command, errors, folder, json, succeed};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// What is added to the job.
const SEARCH: &str = r#"
[model.unit]
hidden = [8]
[model.head]
hidden = [8]
item_bias = "item"
[training]
epochs = 6
batch_size = 32
dropout = 0.1
[tune]
trials = 9
rungs = [1, 3]
seeds = 2
[tune.ranges]
tables.item.dim = { choice = [2, 4, 8] }
model.unit.hidden = { choice = [[4], [8, 4]] }
model.head.activation = { choice = ["prelu", "dice"] }
training.optimizer.learning_rate = { log_uniform = [1e-3, 3e-2] }
training.regularization = { choice = [{ kind = "none" }, { kind = "mini_batch_aware", lambda = 10.0 }] }
"#;

fn job() -> String {
    format!("{JOB}{SEARCH}")
}

const TUNE: [&str; 6] = ["--threads", "2", "tune", "job.toml", "-o", "found"];

fn tune(folder: &Path, output: &str) -> Command {
    command(folder, &["--json", "--threads", "2", "tune", "job.toml", "-o", output])
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

fn ledger_lines(output: &Path) -> usize {
    read(&output.join("trials.jsonl")).lines().count()
}

/// Before its first trial is in the ledger too: what it saved is of the old job.
#[test]
fn a_job_that_was_edited_does_not_go_on_with_the_search_of_before() {
    let folder = folder(&job());
    let path = folder.path();
    let mut child = tune(path, "found").spawn().unwrap();
    while child.try_wait().unwrap().is_none() && ledger_lines(&path.join("found")) < 1 {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let edited = job().replace("epochs = ", "epochs = 1");
    assert_ne!(edited, job());
    std::fs::write(path.join("job.toml"), edited).unwrap();
    let refused = tune(path, "found").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(errors(&refused).contains("trials.jsonl was made with other settings"), "{}", errors(&refused));
    // As the message says.
    std::fs::remove_file(path.join("found/trials.jsonl")).unwrap();
    let removed = succeed(tune(path, "found").output().unwrap());
    assert!(removed.stdout == succeed(tune(path, "fresh").output().unwrap()).stdout);
}

#[test]
fn a_search_killed_again_and_again_finds_what_an_unbroken_one_finds() {
    let folder = folder(&job());
    let path = folder.path();
    let unbroken = succeed(tune(path, "unbroken").output().unwrap());
    // Killed as soon as so many trials are in the ledger.
    let mut kills = 0;
    for trials in [0, 2, 5, 8, 11] {
        let mut child = tune(path, "broken").spawn().unwrap();
        while child.try_wait().unwrap().is_none() && ledger_lines(&path.join("broken")) < 1 + trials {
            std::thread::sleep(Duration::from_millis(1));
        }
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 0, "it was never killed");
    let last = succeed(tune(path, "broken").output().unwrap());
    assert!(last.stdout == unbroken.stdout, "after {kills} kills");
    assert_eq!(read(&path.join("broken/best.toml")), read(&path.join("unbroken/best.toml")));
    // What is finished is not trained again, and nothing is left that only a search in progress needs.
    let again = succeed(tune(path, "broken").output().unwrap());
    assert!(again.stdout == last.stdout && !errors(&again).contains("/9 trial"), "{}", errors(&again));
    assert!(!path.join("broken/trials").exists());
}

#[test]
fn how_many_trials_run_side_by_side_does_not_matter() {
    let folder = folder(&job());
    let path = folder.path();
    let two = succeed(tune(path, "two").output().unwrap());
    let one = ["--json", "--threads", "1", "tune", "job.toml", "-o", "one"];
    assert!(succeed(command(path, &one).output().unwrap()).stdout == two.stdout);
}

#[test]
fn the_best_job_trains_to_the_figure_that_the_table_says() {
    let folder = folder(&job());
    let path = folder.path();
    let report = json(path, &TUNE);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 9);
    // A third of a third came to the end, and the best of them was trained with both seeds.
    let at = |rung: u64| rows.iter().filter(|row| row["rung"] == rung).count();
    assert_eq!((at(1), at(2), at(3)), (6, 2, 1));
    let best = &rows[0];
    assert_eq!((&best["trial"], best["figures"].as_array().unwrap().len()), (&report["best"], 2));
    // From a folder of its own, where nothing but the file tells where the data are.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(path.join("found/best.toml"), elsewhere.path().join("best.toml")).unwrap();
    for (index, seed) in ["1", "2"].into_iter().enumerate() {
        let arguments = ["train", "best.toml", "-o", "model", "--seed", seed];
        let trained = json(elsewhere.path(), &arguments);
        let epoch = trained["best_epoch"].as_u64().unwrap() as usize;
        assert_eq!(trained["epochs"][epoch - 1]["valid"]["auc"], best["figures"][index], "seed {seed}");
        if index == 0 {
            assert_eq!(trained["epochs"][epoch - 1]["valid"], best["valid"]);
        }
    }
}

#[test]
fn the_table_is_of_validation_and_the_job_itself_is_among_the_trials() {
    let folder = folder(&job().replace("trials = 9", "trials = 1").replace("seeds = 2", "seeds = 1"));
    let path = folder.path();
    let report = json(path, &TUNE);
    let trained = json(path, &["train", "job.toml", "-o", "model"]);
    let epoch = trained["best_epoch"].as_u64().unwrap() as usize;
    assert_eq!(report["rows"][0]["valid"], trained["epochs"][epoch - 1]["valid"]);
    let text = succeed(command(path, &["tune", "job.toml", "-o", "found"]).output().unwrap());
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("| trial | epochs |") && text.ends_with("din-export train found/best.toml\n"),
        "{text}"
    );
}

#[test]
fn a_bad_range_is_refused_before_any_data_are_read() {
    let cases = [
        (
            "1e-3, 3e-2",
            "3e-2, 1e-3",
            "`tune.ranges.training.optimizer.learning_rate` runs from 0.03 to 0.001",
        ),
        ("1e-3, 3e-2", "1e-3, inf", "`tune.ranges.training.optimizer.learning_rate` runs from 0.001 to inf"),
        (
            "[2, 4, 8]",
            "[2, 0]",
            "`tune.ranges.tables.item.dim` makes a job that is refused: `tables.item.dim` is 0",
        ),
        ("head.activation =", "head.activaton =", "the nearest valid name is `activation`"),
        (
            "lambda = 10.0",
            "lambda = -1.0",
            "`tune.ranges.training.regularization`: `regularization.lambda` is -1",
        ),
        ("trials = 9", "trails = 9", "line 37: unknown key `trails`; the nearest valid name is `trials`"),
    ];
    for (from, to, problem) in cases {
        let folder = folder(&job().replacen(from, to, 1));
        std::fs::remove_file(folder.path().join("samples.csv")).unwrap();
        let output = tune(folder.path(), "found").output().unwrap();
        let text = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.starts_with("error: job.toml") && text.contains(problem), "{text}");
        assert!(text.lines().count() == 1 && !folder.path().join("found").exists(), "{text}");
    }
}

#[test]
fn a_search_of_other_ranges_or_data_is_not_continued() {
    let folder = folder(&job().replace("trials = 9", "trials = 2"));
    let path = folder.path();
    succeed(tune(path, "found").output().unwrap());
    let before = read(&path.join("found/trials.jsonl"));
    let refused = |what: &str| {
        let output = tune(path, "found").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{what}");
        assert!(
            errors(&output).contains("was made with other settings or data"),
            "{what}: {}",
            errors(&output)
        );
        assert_eq!(read(&path.join("found/trials.jsonl")), before, "{what}");
    };
    let samples = read(&path.join("samples.csv"));
    std::fs::write(path.join("samples.csv"), samples.replacen(",1,", ",0,", 1)).unwrap();
    refused("data");
    std::fs::write(path.join("samples.csv"), samples).unwrap();
    std::fs::write(path.join("job.toml"), job()).unwrap();
    refused("trials");
}

#[test]
fn a_trial_whose_numbers_leave_their_range_fails_alone() {
    let job = job()
        .replace("training.optimizer.learning_rate = { log_uniform = [1e-3, 3e-2] }", "")
        .replace(
            "[tune.ranges]",
            "[tune.ranges]\ntraining.optimizer.learning_rate = { choice = [1e18, 2e18] }",
        )
        .replace("seeds = 2", "seeds = 1");
    let folder = folder(&job.replace("trials = 9", "trials = 3"));
    let output = succeed(tune(folder.path(), "found").output().unwrap());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["best"], 0);
    let problem = report["rows"][2]["problem"].as_str().unwrap();
    assert!(problem.contains("lower `optimizer.learning_rate`"), "{problem}");
}

#[test]
#[cfg(unix)]
fn a_signal_stops_the_search_with_its_exit_code_and_the_same_command_goes_on() {
    let folder = folder(&job().replace("epochs = 6", "epochs = 30\npatience = 0"));
    let path = folder.path();
    let child = tune(path, "found").spawn().unwrap();
    let start = Instant::now();
    while !path.join("found/trials.jsonl").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing was written");
        std::thread::yield_now();
    }
    succeed(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).output().unwrap());
    let stopped = child.wait_with_output().unwrap();
    assert_eq!(stopped.status.code(), Some(130), "{}", errors(&stopped));
    assert!(errors(&stopped).ends_with("stopped, saved in found; the same command goes on\n"));
    assert!(!path.join("found/best.toml").exists());
    succeed(tune(path, "found").output().unwrap());
    assert!(path.join("found/best.toml").exists());
}
