//! `din-export emit`

use super::progress::Progress;
use super::{CommandResult, load_model, read_blob, read_requests};
use din_core::Model;
use din_export::data;
use din_export::emit::{self, EmitOptions, Emitted, Holder};
use din_export::evaluation::RawSamples;
use din_export::job::Job;
use din_export::output;
use din_export::request::Request;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// The blob
    model: PathBuf,
    /// The folder to write to
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Of the files, and prefix of everything in C
    #[arg(long, value_name = "NAME", default_value = "model")]
    name: String,
    /// Who brings the blob's bytes, and so for which language there are files: rust (a static), c (an array), assembler
    /// (C with `.incbin`: an object for the linker, made by your compiler)
    #[arg(long, value_name = "HOLDER", value_delimiter = ',', default_value = "rust,c")]
    blob: Vec<Holder>,
    /// Requests of the self-test, JSON lines as `rank` takes them [default: generated ones]
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// Take them from a job's test split
    #[arg(long, value_name = "JOB", alias = "calibrate", conflicts_with = "requests")]
    job: Option<PathBuf>,
    /// Folder of the job's data files [default: what the job says]
    #[arg(long, value_name = "DIR", requires = "job")]
    data: Option<PathBuf>,
    /// The most requests of the self-test
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    cases: u16,
    /// The most candidates of each
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    candidates: u16,
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let bytes = read_blob(&arguments.model)?;
    let model = load_model(&arguments.model, &bytes)?;
    let options = EmitOptions {
        name: arguments.name.clone(),
        holders: arguments.blob.clone(),
        cases: arguments.cases.into(),
        candidates: arguments.candidates.into(),
    };
    let (source, requests) = match (&arguments.requests, &arguments.job) {
        (Some(file), _) => ("requests", read_requests(file, &model)?),
        (_, Some(job)) => ("job", job_requests(job, arguments.data.as_deref(), &model, &options)?),
        _ => ("generated", Vec::new()),
    };
    let emitted = emit::emit(&model, &requests, &options)?;
    let files: Vec<_> =
        emitted.files.iter().map(|(name, content)| (arguments.output.join(name), content.clone())).collect();
    output::write_together(&files)?;
    let (value, text) = (describe(&emitted, &files, source), report(&emitted, &files, source));
    super::print(json, &value, &text)
}

/// Samples of a job's test split, evenly over it; each with its own candidate and those of the samples after it.
fn job_requests(
    job: &Path,
    folder: Option<&Path>,
    model: &Model<'_>,
    options: &EmitOptions,
) -> CommandResult<Vec<Request>> {
    let progress = Progress::new();
    let job = Job::load(job)?;
    let dataset = data::load(&job, folder, &mut |step| progress.begin(&step.to_string()))?;
    let view = RawSamples::new(model, &dataset)?;
    let split = [&dataset.test, &dataset.valid, &dataset.train].into_iter().find(|split| !split.is_empty());
    let samples = split.map_or(&[][..], Vec::as_slice);
    let count = options.cases.min(samples.len());
    let request = |index: usize| {
        let first = index * samples.len() / count;
        let mut request = view.request(samples[first]);
        let others = samples.iter().cycle().skip(first + 1).take(options.candidates.min(samples.len()) - 1);
        request.candidates.extend(others.map(|sample| view.candidate(*sample)));
        request
    };
    Ok((0..count).map(request).collect())
}

fn describe(emitted: &Emitted, files: &[(PathBuf, Vec<u8>)], source: &str) -> serde_json::Value {
    let Emitted { facts, self_test, .. } = emitted;
    let files = files.iter().map(|(file, content)| json!({ "file": file, "bytes": content.len() }));
    json!({
        "files": files.collect::<Vec<_>>(),
        "name": facts.name,
        "model_id": facts.model_id,
        "model_version": facts.model_version,
        "path": facts.path(),
        "blob_bytes": facts.blob_len,
        "blob_crc32": facts.blob_crc,
        "scratch_len": { "32_bit": facts.scratch_len_32, "64_bit": facts.scratch_len_64 },
        "self_test": {
            "source": source,
            "cases": self_test.cases.len(),
            "scores": self_test.score_count(),
            "crc32": self_test.crc(),
        },
    })
}

fn report(emitted: &Emitted, files: &[(PathBuf, Vec<u8>)], source: &str) -> String {
    let Emitted { facts, self_test, .. } = emitted;
    let mut text: String = files
        .iter()
        .map(|(file, content)| format!("{}: {} bytes\n", file.display(), content.len()))
        .collect();
    let origin = match source {
        "generated" => "generated requests; --requests FILE or --job JOB takes real ones",
        _ => "real requests",
    };
    text += &format!(
        "{}: {} bytes of blob, {} bytes of scratch on 32-bit cores, {} on 64-bit processors\n\
         self-test: {} scores of {} {origin}",
        facts.name,
        facts.blob_len,
        facts.scratch_len_32 * 4,
        facts.scratch_len_64 * 4,
        self_test.score_count(),
        self_test.cases.len()
    );
    if let Some(crc) = self_test.crc() {
        text += &format!("; CRC-32 {crc:#010x}");
    }
    text + "\n"
}
