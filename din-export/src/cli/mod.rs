//! A thin command line over the library: one file a command.

mod bench;
mod compare;
mod data;
mod demo;
mod emit;
mod eval;
mod export;
mod import;
mod inspect;
mod progress;
mod rank;
mod size;
mod stop;
mod train;
mod tune;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use din_core::Model;
use din_export::blob::AlignedBytes;
use din_export::job::Job;
use din_export::rank::Request;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a command returns: its error is printed as one line.
type CommandResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Trains a Deep Interest Network on interaction logs and exports the blob that din-core ranks with.
#[derive(Parser)]
#[command(name = "din-export", version, about)]
struct Cli {
    /// Print machine-readable JSON on stdout, progress and errors on stderr
    #[arg(long, global = true)]
    json: bool,
    /// Threads to compute with; `bench` takes several numbers, 1,2,4, and times each [default: one for each core; of bench
    /// one, and one for each core]
    #[arg(long, global = true, value_name = "N", value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..))]
    threads: Vec<u16>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train on real clicks, compare with the baselines, and rank for held-out users
    Demo(demo::Arguments),
    /// Train the model of a job and export it
    Train(train::Arguments),
    /// Search the ranges of a job for the settings that are best on its validation split
    Tune(tune::Arguments),
    /// Train variants of a job with several seeds each, and print what they are worth as a table
    Compare(compare::Arguments),
    /// Measure a blob on a job's data, with din-core
    Eval(eval::Arguments),
    /// Write a trained model as a blob
    Export(export::Arguments),
    /// Show what a blob holds and needs
    Inspect(inspect::Arguments),
    /// Write what a firmware includes: the blob as source code, its sizes, and a self-test
    Emit(emit::Arguments),
    /// Rank requests given as JSON lines
    Rank(rank::Arguments),
    /// Make a blob of a model trained elsewhere
    Import(import::Arguments),
    /// Time a blob: candidates per second, and how much of the processor's arithmetic that uses
    Bench(bench::Arguments),
}

/// Where a job comes from.
#[derive(clap::Args)]
struct JobArguments {
    /// The job's TOML file
    #[arg(value_name = "JOB")]
    job: PathBuf,
    /// Folder of the data files [default: what the job says]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Parses the arguments and runs the command; 0 is success, 1 a failure, 2 a wrong command line, 130 and 143 a run that
/// SIGINT and SIGTERM stopped.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.threads.len() > 1 && !matches!(cli.command, Command::Bench(_)) {
        let message = "`bench` alone takes several numbers of threads";
        Cli::command().error(ErrorKind::TooManyValues, message).exit();
    }
    if let [threads] = cli.threads[..] {
        // The global pool is built once, here, so this cannot fail on an existing one.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global();
    }
    let result = match &cli.command {
        Command::Demo(arguments) => demo::run(arguments, cli.json),
        Command::Train(arguments) => train::run(arguments, cli.json),
        Command::Tune(arguments) => tune::run(arguments, cli.json),
        Command::Compare(arguments) => compare::run(arguments, cli.json),
        Command::Eval(arguments) => eval::run(arguments, cli.json),
        Command::Export(arguments) => export::run(arguments, cli.json),
        Command::Inspect(arguments) => inspect::run(arguments, cli.json),
        Command::Emit(arguments) => emit::run(arguments, cli.json),
        Command::Rank(arguments) => rank::run(arguments, cli.json),
        Command::Import(arguments) => import::run(arguments, cli.json),
        Command::Bench(arguments) => bench::run(arguments, &cli.threads, cli.json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output has seen enough: that is no failure of ours.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) if error.is::<stop::Stopped>() => {
            eprintln!("{error}");
            ExitCode::from(error.downcast_ref().map_or(1, stop::Stopped::exit_code))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Prints a result: its JSON on one line, or its text for people.
fn print(json: bool, value: &impl serde::Serialize, text: &str) -> CommandResult {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, value)?;
        writeln!(out)?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: cannot read: {error}", file.display()))
}

fn read_blob(file: &Path) -> Result<AlignedBytes, String> {
    AlignedBytes::read(file).map_err(|error| format!("{}: cannot read: {error}", file.display()))
}

fn load_model<'a>(file: &Path, bytes: &'a [u8]) -> Result<Model<'a>, String> {
    Model::from_bytes(bytes).map_err(|error| format!("{}: {error}", file.display()))
}

/// Requests of a file, JSON lines as `rank` takes them.
fn read_requests(file: &Path, model: &Model<'_>) -> CommandResult<Vec<Request>> {
    let text =
        String::from_utf8(read(file)?).map_err(|error| format!("{}: not UTF-8: {error}", file.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let requests = lines.map(|(index, line)| {
        Request::parse(line, model)
            .map_err(|error| format!("{}, line {}: {error}", file.display(), index + 1))
    });
    let requests = requests.collect::<Result<Vec<_>, _>>()?;
    if requests.is_empty() { Err(format!("{}: has no request", file.display()).into()) } else { Ok(requests) }
}

/// The description of a folder that `train` made, or one that was named itself.
fn description(trained: &Path) -> PathBuf {
    if trained.is_dir() { trained.join("model.toml") } else { trained.to_owned() }
}

fn load_job(arguments: &JobArguments) -> Result<Job, din_export::job::JobError> {
    Job::load(&arguments.job)
}
