//! The newest model that loads, and answers.

use crate::blob::{Identity, Loaded, View, load};
use crate::latency::Latencies;
use crate::request::Request;
use din_core::{IntegerRanker, Ranker, ScoreError};
use serde::Serialize;
use serde_json::json;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Instant;

/// The longest request, in bytes: a client must not fill the memory.
const LONGEST_LINE: u64 = 16 << 20;

/// What all connections share.
pub struct Server {
    path: PathBuf,
    copy: bool,
    current: RwLock<Arc<Loaded>>,
    /// The file that was looked at last, loaded or refused; `None` while there is none.
    seen: Mutex<Option<Identity>>,
    latencies: Mutex<Latencies>,
}

/// As `din-export rank` writes it: an f32 in its own digits, which a `json!` of it would not be.
#[derive(Serialize)]
struct Answer<'a> {
    scores: &'a [f32],
}

/// What a connection keeps between its requests.
#[derive(Default)]
struct Worker {
    request: Request,
    floats: Vec<f32>,
    integers: Vec<i32>,
    scores: Vec<f32>,
    integer_scores: Vec<u16>,
}

impl Server {
    /// Loads the first model.
    ///
    /// # Errors
    /// A line that says why it cannot be loaded.
    pub fn new(path: &Path, copy: bool) -> Result<Self, String> {
        let (seen, loaded) = load(path, copy);
        let loaded = loaded.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            copy,
            current: RwLock::new(Arc::new(loaded)),
            seen: Mutex::new(seen),
            latencies: Mutex::new(Latencies::new()),
        })
    }

    /// Latencies so far.
    pub fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model to answer with.
    pub fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Loads the file if it is another one than was looked at last. While one thread does, the others go on with the old.
    fn renew(&self) {
        let mut seen = match self.seen.try_lock() {
            Ok(seen) => seen,
            Err(TryLockError::Poisoned(seen)) => seen.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let there = Identity::at(&self.path).ok();
        if *seen == there {
            return;
        }
        let (found, loaded) = load(&self.path, self.copy);
        *seen = found;
        let path = self.path.display();
        match loaded {
            Ok(loaded) => {
                eprintln!("{path}: replaced: {loaded}");
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
            }
            Err(error) => eprintln!("{path}: refused: {error}; still serving {}", self.current()),
        }
    }

    /// Answers each line until there is no further one.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn serve(&self, mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
        let mut worker = Worker::default();
        let (mut line, mut answer) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            if input.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let start = Instant::now();
            let is_too_long = line.len() as u64 > LONGEST_LINE;
            self.renew();
            answer.clear();
            let scored = if is_too_long {
                Err(format!("request longer than {LONGEST_LINE} bytes"))
            } else {
                worker.score(self.current().borrow_dependent(), &line)
            };
            match &scored {
                Ok(()) => serde_json::to_writer(&mut answer, &Answer { scores: &worker.scores })?,
                Err(error) => serde_json::to_writer(&mut answer, &json!({ "error": error }))?,
            }
            answer.push(b'\n');
            output.write_all(&answer)?;
            output.flush()?;
            self.latencies().record(start.elapsed(), scored.is_err());
            if is_too_long {
                return Ok(());
            }
        }
    }
}

impl Worker {
    /// Scores the candidates of a request; the scores are in `self.scores`.
    fn score(&mut self, view: &View<'_>, line: &[u8]) -> Result<(), String> {
        let request = &mut self.request;
        request.read(line, &view.layout).map_err(|error| error.to_string())?;
        let count = request.slate.len() / view.layout.candidate.len().max(1);
        let model = &view.model;
        let scored = if model.header().is_integer() {
            self.integers.resize(model.scratch_len(), 0);
            self.integer_scores.resize(count, 0);
            let (scratch, scores) = (&mut self.integers, &mut self.integer_scores);
            let result: Result<(), ScoreError> = IntegerRanker::new(model, scratch).and_then(|mut ranker| {
                request.with_user(|user| ranker.set_user(user))?;
                ranker.score_slate(&request.slate, scores)
            });
            self.scores.clear();
            self.scores.extend(scores.iter().map(|score| f32::from(*score) / 65_536.0));
            result
        } else {
            self.floats.resize(model.scratch_len(), 0.0);
            self.scores.resize(count, 0.0);
            let (scratch, scores) = (&mut self.floats, &mut self.scores);
            Ranker::new(model, scratch).and_then(|mut ranker| {
                request.with_user(|user| ranker.set_user(user))?;
                ranker.score_slate(&request.slate, scores)
            })
        };
        scored.map_err(|error| error.to_string())
    }
}
