//! A job on a small log, in which users like items that are near to them; some items are rare. And the program on it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Data, fields and split of the job.
pub const JOB: &str = r#"
name = "small log"
[data]
samples = "samples.csv"
label = "label"
user = "user"
time = "time"
[tables.item]
dim = 4
[[candidate]]
name = "item"
table = "item"
[[sequence]]
name = "clicked"
capacity = 8
[[sequence.field]]
name = "item"
table = "item"
[[sequence.source]]
kind = "log"
where = { column = "label", equals = "1" }
[split]
kind = "time"
valid_fraction = 0.2
test_fraction = 0.1
"#;

/// A folder with the log and `job.toml`.
pub fn folder(job: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "user,item,label,time\n".to_owned();
    let mut state = 1_u64;
    for time in 0..3000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (user, item) = ((state >> 33) % 50, (state >> 43) % 60 * ((state >> 23) % 60) / 60);
        let label = u8::from(user.abs_diff(item) < 20 && !(state >> 53).is_multiple_of(5));
        text += &format!("{user},{item},{label},{time}\n");
    }
    std::fs::write(folder.path().join("samples.csv"), text).unwrap();
    std::fs::write(folder.path().join("job.toml"), job).unwrap();
    folder
}

/// The program, in a folder.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_din-export"));
    command.current_dir(folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn succeed(output: Output) -> Output {
    assert!(output.status.success(), "{}", errors(&output));
    output
}

/// What a command prints with --json.
pub fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = succeed(command(folder, &[&["--json"], arguments].concat()).output().unwrap());
    serde_json::from_slice(&output.stdout).unwrap()
}
