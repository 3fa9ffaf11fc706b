//! `din-export rank`

use super::{CommandResult, load_model, read_blob};
use din_export::rank::{Answer, JsonRanker, Request};
use serde_json::json;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The blob
    model: PathBuf,
    /// JSON lines, a request each [default: standard input]
    requests: Option<PathBuf>,
    /// Print the best K candidates for people instead of every score as JSON
    #[arg(long, value_name = "K")]
    top: Option<usize>,
    /// Add the attention weight of each behaviour for each candidate
    #[arg(long)]
    explain: bool,
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let bytes = read_blob(&arguments.model)?;
    let model = load_model(&arguments.model, &bytes)?;
    let mut ranker = JsonRanker::new(&model);
    let input: Box<dyn BufRead> = match &arguments.requests {
        Some(file) => {
            let opened =
                File::open(file).map_err(|error| format!("{}: cannot read: {error}", file.display()))?;
            Box::new(BufReader::new(opened))
        }
        None => Box::new(std::io::stdin().lock()),
    };
    let mut out = std::io::stdout().lock();
    let mut refused = 0_usize;
    for (index, line) in input.lines().enumerate() {
        let line = line.map_err(|error| format!("request {}: {error}", index + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let request = Request::parse(&line, &model);
        let answer = request.and_then(|request| ranker.answer(&request, arguments.explain));
        match (answer, arguments.top) {
            (Ok(answer), Some(top)) if !json => {
                out.write_all(best(&answer, &line, top, index + 1).as_bytes())?;
            }
            (Ok(answer), _) => {
                serde_json::to_writer(&mut out, &answer)?;
                writeln!(out)?;
            }
            (Err(error), top) => {
                refused += 1;
                eprintln!("error: request {}: {error}", index + 1);
                // An answer for each request, so that the lines still correspond.
                if json || top.is_none() {
                    writeln!(out, "{}", json!({ "error": error.to_string() }))?;
                }
            }
        }
        out.flush()?;
    }
    if refused > 0 { Err(format!("{refused} requests were refused").into()) } else { Ok(()) }
}

/// The best candidates, best first, as the request wrote them; of equal scores the earlier.
fn best(answer: &Answer, line: &str, top: usize, number: usize) -> String {
    let request: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let mut order: Vec<usize> = (0..answer.scores.len()).collect();
    order.sort_by(|&a, &b| answer.scores[b].total_cmp(&answer.scores[a]));
    let mut text = format!("request {number}\n");
    for (place, &index) in order.iter().take(top).enumerate() {
        let candidate = &request["candidates"][index];
        let _ = writeln!(text, "{:>4}. {:.4}  {candidate}", place + 1, answer.scores[index]);
        for (name, weights) in answer.attention.iter().flatten() {
            // Behaviours used are the newest; the weights' end is the history's end.
            let history = match &request["history"] {
                serde_json::Value::Object(by_name) => {
                    by_name.get(name).and_then(|history| history.as_array())
                }
                other => other.as_array(),
            };
            let behaviours = history.map_or(&[][..], Vec::as_slice);
            let used = &weights[index];
            let offset = behaviours.len() - used.len();
            let mut by_weight: Vec<usize> = (0..used.len()).collect();
            by_weight.sort_by(|&a, &b| used[b].abs().total_cmp(&used[a].abs()));
            for &t in by_weight.iter().take(3) {
                let _ = writeln!(text, "        {:>+8.4}  {name} {}", used[t], behaviours[offset + t]);
            }
        }
    }
    text
}
