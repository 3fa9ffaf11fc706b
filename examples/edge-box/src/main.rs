//! Ranks JSON-line requests with a blob that may be replaced while it serves: what a set-top box or a gateway runs.
//!
//! ```sh
//! din-edge-box model.din < requests.jsonl                  # a line of JSON in, a line of JSON out
//! din-edge-box model.din --socket /run/din.sock --every 60 # every connection likewise, latencies each minute
//! ```
//!
//! Requests are those of `din-export rank`. Nothing of din-export is linked: its data frames and trainer have no place on a
//! box.
//!
//! | module | concept |
//! |---|---|
//! | `blob` | a file, mapped or copied, and the model in it |
//! | `request` | a line of JSON, read straight into the values of a model |
//! | `latency` | percentiles |
//! | `server` | the newest model that loads; answers |
//!
//! # Replacing the model
//!
//! Write the new blob beside the old one and rename it, as `din-export` does: `mv new.din model.din`. Before each request the
//! box looks at the file (one `stat`, about a microsecond, against tens for a slate): the request after the rename is
//! answered by the new model. No watcher: inotify misses bind mounts and network file systems, and would need a thread to
//! tell what the next request finds out anyway. A file that does not load is refused with a message, once, and the old
//! model keeps serving; so does it if the file is removed.
//!
//! The file is mapped: processes share its pages, and only what is looked up stays in memory. The mapping keeps the old
//! file alive after a rename. Overwriting the file in place, instead, changes or cuts off what is mapped: a changed weight
//! is a wrong score, and a cut-off page ends the process (SIGBUS). Where that can happen, `--copy` reads the file to memory.
#![deny(unsafe_code)] // allowed where the file is mapped, with the reason there

mod blob;
mod latency;
mod request;
mod server;

use clap::Parser;
use server::Server;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::error::Error;
use std::io::{BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Ranks requests, JSON lines as `din-export rank` takes them, with a blob that may be replaced while it serves.
#[derive(Parser)]
#[command(name = "din-edge-box", version, about)]
struct Arguments {
    /// The blob; replace it by rename
    model: PathBuf,
    /// Serve connections to this Unix socket instead of standard input
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print latency percentiles of the last N seconds to standard error, every N seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    /// Read the blob to memory instead of mapping it: for a file that may be overwritten in place
    #[arg(long)]
    copy: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let server = Arc::new(Server::new(&arguments.model, arguments.copy)?);
    eprintln!("{}: {}", arguments.model.display(), server.current());
    let listener = arguments.socket.as_deref().map(bind).transpose()?;
    end_on_signals(&server, arguments.socket.clone())?;
    if let Some(seconds) = arguments.every {
        let server = Arc::clone(&server);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(seconds));
                if let Some(line) = server.latencies().last_interval() {
                    eprintln!("last {seconds} s: {line}");
                }
            }
        });
    }
    match listener {
        None => {
            let result = server.serve(std::io::stdin().lock(), std::io::stdout().lock());
            eprintln!("{}", server.latencies().total());
            match result {
                // The reader of our answers has seen enough.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                result => Ok(result?),
            }
        }
        Some(listener) => {
            eprintln!("listening");
            for connection in listener.incoming() {
                let (server, connection) = (Arc::clone(&server), connection?);
                std::thread::spawn(move || {
                    // A client that goes away ends its own thread, nothing else.
                    let _ = serve_connection(&server, &connection);
                });
            }
            Ok(())
        }
    }
}

fn serve_connection(server: &Server, connection: &UnixStream) -> std::io::Result<()> {
    server.serve(BufReader::new(connection), connection)
}

/// A socket at a path where there is none, or one that nobody listens to any more.
fn bind(path: &Path) -> Result<UnixListener, String> {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err() {
        // The next line says what is wrong if it could not be removed.
        let _ = std::fs::remove_file(path);
    }
    UnixListener::bind(path).map_err(|error| format!("{}: cannot listen: {error}", path.display()))
}

/// Prints the latencies and ends the process when it is told to end.
fn end_on_signals(server: &Arc<Server>, socket: Option<PathBuf>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let server = Arc::clone(server);
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            eprintln!("{}", server.latencies().total());
            if let Some(path) = socket {
                let _ = std::fs::remove_file(path);
            }
            let _ = std::io::stderr().flush();
            std::process::exit(0);
        }
    });
    Ok(())
}
