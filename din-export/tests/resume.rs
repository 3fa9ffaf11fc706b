//! A run that is stopped, killed or out of disk continues to the very same weights, by the real program.

#[allow(dead_code, reason = "nothing here reads what --json prints")]
mod small_log;

use small_log::{JOB, command, errors, succeed};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What is added to the job.
const TRAINING: &str = r#"
[model.unit]
hidden = [8]
activation = "dice"
[model.head]
hidden = [8]
batch_norm = true
item_bias = "item"
[training]
epochs = 4
patience = 0
batch_size = 32
dropout = 0.2
[training.optimizer]
clip_norm = 1.0
[training.regularization]
kind = "mini_batch_aware"
"#;

fn folder() -> tempfile::TempDir {
    small_log::folder(&format!("{JOB}{TRAINING}"))
}

/// Training into a folder of that name, on one thread.
fn train(folder: &Path, output: &str, more: &[&str]) -> Command {
    let mut command = command(folder, &["--threads", "1", "train", "job.toml", "-o", output]);
    command.args(more);
    command
}

fn weights(folder: &Path, output: &str) -> Vec<u8> {
    std::fs::read(folder.join(output).join("weights.safetensors")).unwrap()
}

fn checkpoints(folder: &Path, output: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join(output).join("checkpoints")).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "checkpoint"));
    files.sort();
    files
}

/// Starts a run and waits until it has saved twice.
fn start_until_saved(folder: &Path, output: &str, more: &[&str]) -> std::process::Child {
    let before = checkpoints(folder, output);
    let child = train(folder, output, more).spawn().unwrap();
    let start = Instant::now();
    while checkpoints(folder, output).len() < 2
        || checkpoints(folder, output)[0] <= *before.last().unwrap_or(&PathBuf::new())
    {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing was saved");
        std::thread::yield_now();
    }
    child
}

#[test]
fn a_run_killed_again_and_again_ends_with_the_weights_of_an_unbroken_one() {
    let folder = folder();
    let path = folder.path();
    let start = Instant::now();
    succeed(train(path, "unbroken", &["--checkpoint-every", "never"]).output().unwrap());
    let unbroken = start.elapsed();
    let mut kills = 0;
    // Each life is a little longer than the last, so that the run gets through in the end.
    let mut life = unbroken / 5;
    let last = loop {
        let mut child = train(path, "broken", &["--checkpoint-every", "7steps", "--resume"]).spawn().unwrap();
        std::thread::sleep(life);
        life += unbroken / 10;
        if child.try_wait().unwrap().is_some() {
            break child.wait_with_output().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    };
    succeed(last);
    assert!(kills >= 3, "only {kills} kills");
    assert!(weights(path, "broken") == weights(path, "unbroken"), "after {kills} kills");
    assert_eq!(checkpoints(path, "broken"), [] as [PathBuf; 0]);
}

#[test]
#[cfg(unix)]
fn a_signal_saves_and_stops_with_its_exit_code() {
    let folder = folder();
    let path = folder.path();
    succeed(train(path, "unbroken", &[]).output().unwrap());
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let child = start_until_saved(path, "broken", &["--checkpoint-every", "5steps", "--resume"]);
        succeed(Command::new("kill").args(["-s", signal, &child.id().to_string()]).output().unwrap());
        let stopped = child.wait_with_output().unwrap();
        let text = errors(&stopped);
        assert_eq!(stopped.status.code(), Some(code), "{text}");
        assert!(text.ends_with(".checkpoint; continue with --resume\n"), "{text}");
    }
    // Nobody loses a run by forgetting to resume it.
    let refused = train(path, "broken", &[]).output().unwrap();
    let text = errors(&refused);
    assert!(refused.status.code() == Some(1) && text.contains("continue it with --resume"), "{text}");
    succeed(train(path, "broken", &["--resume"]).output().unwrap());
    assert!(weights(path, "broken") == weights(path, "unbroken"));
}

#[test]
fn a_torn_checkpoint_is_passed_over_and_other_data_are_refused() {
    let folder = folder();
    let path = folder.path();
    succeed(train(path, "unbroken", &[]).output().unwrap());
    let mut child = start_until_saved(path, "broken", &["--checkpoint-every", "5steps"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let text = std::fs::read_to_string(path.join("samples.csv")).unwrap();
    std::fs::write(path.join("samples.csv"), text.replacen(",1,", ",0,", 1)).unwrap();
    let refused = train(path, "broken", &["--resume"]).output().unwrap();
    assert!(errors(&refused).contains("started on other data"), "{refused:?}");
    std::fs::write(path.join("samples.csv"), text).unwrap();
    let refused = train(path, "broken", &["--resume", "--seed", "9"]).output().unwrap();
    assert!(errors(&refused).contains("other settings"), "{refused:?}");
    let refused = train(path, "broken", &["--resume", "--final", "2"]).output().unwrap();
    assert!(errors(&refused).contains("other settings"), "{refused:?}");
    let newest = checkpoints(path, "broken").pop().unwrap();
    let bytes = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
    let resumed = succeed(train(path, "broken", &["--resume"]).output().unwrap());
    assert!(errors(&resumed).contains("torn, using the one before"), "{resumed:?}");
    assert!(weights(path, "broken") == weights(path, "unbroken"));
}

/// The limit on a file's size stands for a disk that is full: the write fails in the same place.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_that_leaves_the_last_good_checkpoint() {
    let folder = folder();
    let path = folder.path();
    succeed(train(path, "unbroken", &[]).output().unwrap());
    let mut child = start_until_saved(path, "broken", &["--checkpoint-every", "5steps"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = checkpoints(path, "broken");
    let mut full = Command::new("sh");
    full.current_dir(path).args([
        "-c",
        "trap '' XFSZ; ulimit -f 4; exec \"$0\" --threads 1 train job.toml -o broken --resume \
         --checkpoint-every 5steps",
        env!("CARGO_BIN_EXE_din-export"),
    ]);
    let full = full.output().unwrap();
    let text = errors(&full);
    assert_eq!(full.status.code(), Some(1), "{text}");
    let last = before.last().unwrap().strip_prefix(path).unwrap();
    assert!(text.ends_with(&format!("the last good checkpoint is {}\n", last.display())), "{text}");
    assert_eq!(checkpoints(path, "broken"), before);
    succeed(train(path, "broken", &["--resume"]).output().unwrap());
    assert!(weights(path, "broken") == weights(path, "unbroken"));
}

/// On the clicks that ship, with Dice, Adam and mini-batch aware regularisation.
///
/// `cargo test --release -p din-export --test resume -- --ignored --nocapture`
#[test]
#[ignore = "trains 21 times on KuaiRand: minutes"]
fn killed_at_20_random_moments_and_resumed_the_weights_are_bit_identical_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/kuairand");
    let job = std::fs::read_to_string(shipped.join("job.toml")).unwrap();
    let job = job.replace("[data]\n", &format!("[data]\ndirectory = \"{}\"\n", shipped.display()));
    let job = job
        .replace("epochs = 5", "epochs = 2")
        .replace("batch_size = 256", "batch_size = 256\ndropout = 0.1");
    std::fs::write(path.join("job.toml"), job).unwrap();
    let start = Instant::now();
    succeed(train(path, "unbroken", &["--checkpoint-every", "never"]).output().unwrap());
    let mut longest = start.elapsed();
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let mut state = clock | 1;
    let mut kill = 1;
    while kill <= 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let life = longest.mul_f64((state >> 11) as f64 / (1_u64 << 53) as f64);
        let output = format!("broken-{kill}");
        let every = ["--checkpoint-every", "20steps", "--resume"];
        let mut child = train(path, &output, &every).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(life);
        if child.try_wait().unwrap().is_some() {
            // It was faster than the first one: no kill.
            longest = life;
            std::fs::remove_dir_all(path.join(&output)).unwrap();
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let text = errors(&succeed(train(path, &output, &every).output().unwrap()));
        let place = text
            .lines()
            .find_map(|line| line.split_once(": epoch ").filter(|_| line.starts_with("resuming")));
        let place = place.map_or("from the beginning".to_owned(), |(_, place)| format!("from epoch {place}"));
        println!(
            "kill {kill} after {:.2} s of {:.2}: resumed {place}",
            life.as_secs_f64(),
            longest.as_secs_f64()
        );
        assert!(weights(path, &output) == weights(path, "unbroken"), "kill {kill}, clock {clock}");
        kill += 1;
    }
}

#[test]
fn the_journal_of_a_broken_run_has_every_line_once() {
    let folder = folder();
    let path = folder.path();
    let job = std::fs::read_to_string(path.join("job.toml")).unwrap();
    std::fs::write(
        path.join("job.toml"),
        job.replace("[training]\n", "[training]\nlog_every = \"3steps\"\n"),
    )
    .unwrap();
    succeed(train(path, "unbroken", &[]).output().unwrap());
    let mut child = start_until_saved(path, "broken", &["--checkpoint-every", "5steps"]);
    child.kill().unwrap();
    child.wait().unwrap();
    succeed(train(path, "broken", &["--resume"]).output().unwrap());
    let lines = |output: &str| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path.join(output).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let epochs = |output: &str| -> Vec<serde_json::Value> {
        lines(output).into_iter().filter(|line| line["kind"] == "epoch").collect()
    };
    assert_eq!(epochs("broken"), epochs("unbroken"));
    assert_eq!(epochs("broken").len(), 4);
    let steps: Vec<u64> = lines("broken").iter().map(|line| line["total_steps"].as_u64().unwrap()).collect();
    assert!(steps.is_sorted() && steps.len() > 80, "{steps:?}");
    let files = std::fs::read_dir(path.join("broken/tensorboard")).unwrap().count();
    assert_eq!(files, 2);
}
