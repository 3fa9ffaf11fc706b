//! What the programs that are timed beside other runtimes share: the line protocol, the clock, the model.

use std::error::Error;
use std::fs;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use din_export::weights::ModelWeights;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value as Json, json};

/// Requests, or batches, that a timed loop cycles through.
pub const TIMED: usize = 8;

/// Answers each line of the standard input with one line, until it says `quit`. `load` makes what is timed, and `call` is one
/// call of it, given the number of a request or batch.
///
/// # Errors
/// If a line is no JSON or an answer cannot be written; other errors become answers.
pub fn serve<T>(
    load: impl Fn(&Json) -> Result<(T, Json), Box<dyn Error>>,
    call: impl Fn(&mut T, usize) -> Result<f64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut loaded = None;
    for line in stdin().lock().lines() {
        let message: Json = serde_json::from_str(&line?)?;
        let answer = match (message["op"].as_str(), &mut loaded) {
            (Some("quit"), _) => return Ok(()),
            (Some("load"), slot) => load(&message).map(|(new, answer)| {
                *slot = Some(new);
                answer
            }),
            (Some("run"), Some(loaded)) => run(&message, |index| call(loaded, index)),
            _ => Err("expected load, run (after load) or quit".into()),
        };
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(stdout(), "{answer}")?;
        stdout().flush()?;
    }
    Ok(())
}

/// Times calls one by one; the first is not timed.
fn run(
    message: &Json,
    mut call: impl FnMut(usize) -> Result<f64, Box<dyn Error>>,
) -> Result<Json, Box<dyn Error>> {
    let shortest = Duration::from_secs_f64(message["min_time"].as_f64().unwrap_or(0.5));
    let fewest = message["min_iters"].as_u64().unwrap_or(3);
    let most = message["max_iters"].as_u64().unwrap_or(5000);
    call(0)?;
    let (mut wall, mut cpu, mut last) = (Vec::new(), Vec::new(), 0.0);
    let start = Instant::now();
    while (wall.len() as u64) < most && ((wall.len() as u64) < fewest || start.elapsed() < shortest) {
        let (before, cpu_before) = (Instant::now(), cpu_time());
        last = call(wall.len() % TIMED)?;
        cpu.push((cpu_time() - cpu_before).as_nanos() as u64);
        wall.push(before.elapsed().as_nanos() as u64);
    }
    Ok(json!({
        "wall_ns": wall, "cpu_ns": cpu, "last_loss": last, "rss_kb": resident("VmRSS"), "maxrss_kb": resident("VmHWM"),
    }))
}

/// A path in a message.
///
/// # Errors
/// If there is none of that name.
pub fn path(message: &Json, key: &str) -> Result<PathBuf, Box<dyn Error>> {
    Ok(message[key].as_str().map(PathBuf::from).ok_or_else(|| format!("no `{key}`"))?)
}

/// Of the process, all threads together.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Kilobytes, by a line of /proc/self/status; 0 where there is none.
#[must_use]
pub fn resident(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find(|found| found.starts_with(line));
    found.and_then(|found| found.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// The model, through the importer: a description like a user's, for the sizes of `config.json`.
///
/// # Errors
/// If a file is missing, or not what the importer expects.
pub fn weights(art: &Path, cache: &Path, capacity: usize) -> Result<ModelWeights, Box<dyn Error>> {
    let config: Json = serde_json::from_slice(&fs::read(art.join("config.json"))?)?;
    let layers = |key: &str| config[key].as_array().map_or(0, Vec::len);
    let mut text =
        format!("name = \"peer\"\nweights = {:?}\n", fs::canonicalize(art.join("weights.safetensors"))?);
    for (table, tensor) in [("user", "user_emb"), ("item", "item_emb"), ("category", "cat_emb")] {
        text += &format!("[tables.{table}]\ntensor = \"{tensor}.weight\"\nfirst_id = 0\nfirst_row = 0\n");
    }
    text += "[[profile]]\nname = \"user\"\ntable = \"user\"\n";
    text += "[[candidate]]\nname = \"item\"\ntable = \"item\"\n[[candidate]]\nname = \"category\"\ntable = \"category\"\n";
    text += &format!(
        "[[sequence]]\nname = \"history\"\npooling = \"attention\"\ncapacity = {capacity}\nfields = ["
    );
    for field in ["item", "category"] {
        text += &format!("{{ name = \"{field}\", table = \"{field}\", pair = \"{field}\" }}, ");
    }
    text += "]\n";
    for index in 0..=layers("att") {
        text +=
            &format!("[[sequence.layer]]\nweight = \"att.{index}.weight\"\nbias = \"att.{index}.bias\"\n");
        if index < layers("att") {
            text += "activation = \"sigmoid\"\n";
        }
    }
    for index in 0..=layers("fc") {
        text += &format!("[[head.layer]]\nweight = \"fc.{index}.weight\"\nbias = \"fc.{index}.bias\"\n");
        if index < layers("fc") {
            let dice = ["alpha", "mean", "var"].map(|part| format!("dice.{index}.{part}"));
            text += &format!(
                "[head.layer.activation.dice]\nalpha = {:?}\nmean = {:?}\nvariance = {:?}\nepsilon = {}\n",
                dice[0], dice[1], dice[2], config["dice_eps"]
            );
        }
    }
    fs::create_dir_all(cache)?;
    let description = cache.join(format!("din-import-{}.toml", std::process::id()));
    fs::write(&description, text)?;
    let weights = din_export::import::load(&description);
    fs::remove_file(&description)?;
    Ok(weights?)
}
