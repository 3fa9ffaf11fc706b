//! `din-export tune`

use super::data::Data;
use super::progress::{Progress, duration};
use super::stop::StopSignals;
use super::{CommandResult, JobArguments, load_job};
use din_export::job::tune::Searched;
use din_export::output::{self, OwnFolder};
use din_export::runs::RunsError;
use din_export::training::{memory, selection_figure};
use din_export::tune::search::Place;
use din_export::tune::{Event, Record, Search, Trial, TrialResult, TuneError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Folder for best.toml, the table in tune.json, and what is done: the same command goes on where it was stopped
    #[arg(long, short, value_name = "DIR", default_value = "din-tune")]
    output: PathBuf,
    /// Search even if trials side by side need more memory than is available
    #[arg(long)]
    over_memory: bool,
}

pub fn run(arguments: &Arguments, json: bool) -> CommandResult {
    let job = load_job(&arguments.job)?;
    // What the ranges allow is known before any data are read.
    let search = Search::new(&job, rayon::current_num_threads())?;
    let folder = OwnFolder::open(&arguments.output)?;
    let progress = Progress::new();
    let data = Data::open(&job, arguments.job.data.as_deref(), &progress)?;
    progress.line(&data.samples_text());
    let need = search.memory_need(data.source());
    let (workers, threads) = search.workers();
    progress.line(&format!(
        "{} trials, {workers} at a time on {threads} thread(s) each, which need {need}",
        search.trials().len()
    ));
    if !arguments.over_memory {
        need.check(memory::available())?;
    }
    let signals = StopSignals::watch()?;
    let view = View::new(&progress, &search);
    let place = Place { source: data.source(), folder: &folder, stop: signals.flag() };
    let report = match search.run(place, &|event| view.show(&event)) {
        Err(TuneError::Runs(RunsError::Stopped)) => {
            return Err(signals.stopped_between(&arguments.output).into());
        }
        report => report?,
    };
    drop(signals);
    let directory = arguments.job.data.clone().unwrap_or_else(|| job.data_directory());
    let best = arguments.output.join("best.toml");
    output::write_together(&[
        (best.clone(), report.job_file(&std::path::absolute(Path::new(".").join(directory))?).into_bytes()),
        (arguments.output.join("tune.json"), serde_json::to_vec_pretty(&report)?),
    ])?;
    drop(progress);
    super::print(
        json,
        &report,
        &format!("{report}\nThe best trial is {}: din-export train {}\n", report.best, best.display()),
    )
}

/// Shows where a search stands.
struct View<'a> {
    progress: &'a Progress,
    search: &'a Search<'a>,
    rung: Mutex<Rung>,
}

struct Rung {
    name: String,
    begun: Instant,
    /// Trials that were done before.
    known: usize,
    done: usize,
    total: usize,
    best: Option<(f64, usize)>,
}

impl<'a> View<'a> {
    fn new(progress: &'a Progress, search: &'a Search<'a>) -> Self {
        let rung =
            Rung { name: String::new(), begun: Instant::now(), known: 0, done: 0, total: 0, best: None };
        Self { progress, search, rung: Mutex::new(rung) }
    }

    fn show(&self, event: &Event<'_>) {
        let Ok(mut rung) = self.rung.lock() else { return };
        match *event {
            Event::Rung { rung: index, trials, epochs } => {
                let goal =
                    epochs.map_or_else(|| "to the end".to_owned(), |epochs| format!("to epoch {epochs}"));
                let name = format!("rung {}: {trials} trials {goal}", index + 1);
                self.progress.line(&name);
                *rung = Rung { name, begun: Instant::now(), known: 0, done: 0, total: trials, best: None };
            }
            Event::Epoch { trial, report } => {
                let what = || {
                    let metric = trial.job.training.select_on;
                    let figure = selection_figure(metric, &report.valid).unwrap_or(f64::NAN);
                    format!(
                        "trial {}, epoch {}: {:.4}; {}",
                        trial.index,
                        report.epoch,
                        metric.shown(figure),
                        rung.text(trial)
                    )
                };
                self.progress.advance(rung.done as u64, rung.total as u64, what);
            }
            Event::Reached { trial, record, done, known, .. } => {
                rung.done = done;
                rung.known += usize::from(known);
                if let Some(figure) = record.figure()
                    && rung.best.is_none_or(|(best, _)| figure > best)
                {
                    rung.best = Some((figure, trial.index));
                }
                if !known {
                    self.progress.line(&self.line(trial, record, &rung));
                }
                self.progress.advance(rung.done as u64, rung.total as u64, || rung.text(trial));
            }
            _ => {}
        }
    }

    fn line(&self, trial: &Trial, record: &Record, rung: &Rung) -> String {
        let names = self.search.searched().iter().map(Searched::short_name);
        let settings: Vec<String> =
            names.zip(&trial.settings).map(|(name, value)| format!("{name} {value}")).collect();
        let settings = if trial.index == 0 { "as the job is".to_owned() } else { settings.join(", ") };
        let result = match &record.result {
            TrialResult::Failed(problem) => format!("failed: {problem}"),
            TrialResult::Reached { figure, best_epoch, epochs, .. } => {
                let metric = trial.job.training.select_on;
                format!("{} {:.4} (epoch {best_epoch} of {epochs})", metric.name(), metric.shown(*figure))
            }
        };
        format!(
            "{}/{} trial {}, seed {}: {result}; {settings}",
            rung.done, rung.total, trial.index, record.seed
        )
    }
}

impl Rung {
    fn text(&self, trial: &Trial) -> String {
        let best = match self.best {
            None => "none done yet".to_owned(),
            Some((figure, of)) => {
                format!("best {:.4} (trial {of})", trial.job.training.select_on.shown(figure))
            }
        };
        let done = (self.done - self.known) as f64;
        let left = (self.total - self.done) as f64;
        let time = if done > 0.0 {
            format!(", {} left on this rung", duration(self.begun.elapsed().as_secs_f64() / done * left))
        } else {
            String::new()
        };
        format!("{}, {best}{time}", self.name)
    }
}
