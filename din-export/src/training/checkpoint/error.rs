//! Why a run cannot be saved or resumed.

use std::path::PathBuf;

/// Why a run cannot be saved or resumed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The disk is full, or the folder cannot be written to.
    #[error("{}: cannot write the checkpoint: {source}{}", file.display(), last_good(last.as_ref()))]
    Write {
        /// The checkpoint.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// An older one, which is whole.
        last: Option<PathBuf>,
    },
    /// A weight, a moment or a statistic left the range of f32.
    #[error(
        "the {part} holds a number that is not finite; lower `optimizer.learning_rate` or set `optimizer.clip_norm`{}",
        last_good(last.as_ref())
    )]
    NotFinite {
        /// Which.
        part: String,
        /// The last checkpoint before that.
        last: Option<PathBuf>,
    },
    /// A checkpoint cannot be read.
    #[error("{}: cannot read the checkpoint: {source}", file.display())]
    Read {
        /// The checkpoint.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No checkpoint is whole.
    #[error("{}: the checkpoint is torn, and so is every older one; start again without --resume", file.display())]
    AllTorn {
        /// The newest.
        file: PathBuf,
    },
    /// Another job.
    #[error(
        "{}: the run was started with other settings of `model` or `training`; resume it with those, or start another one \
         in a folder of its own",
        file.display()
    )]
    OtherJob {
        /// The checkpoint.
        file: PathBuf,
    },
    /// Other data.
    #[error(
        "{}: the run was started on other data; resume it on those, or start another one in a folder of its own",
        file.display()
    )]
    OtherData {
        /// The checkpoint.
        file: PathBuf,
    },
    /// Another version of the program wrote it.
    #[error("{}: the checkpoint does not hold the state of this model; another version wrote it", file.display())]
    Shape {
        /// The checkpoint.
        file: PathBuf,
    },
    /// There is a run that nobody said to resume.
    #[error(
        "{}: holds checkpoints of a run that is not finished; continue it with --resume, or remove the folder",
        folder.display()
    )]
    Unfinished {
        /// Of the checkpoints.
        folder: PathBuf,
    },
}

fn last_good(last: Option<&PathBuf>) -> String {
    last.map_or_else(String::new, |file| format!("; the last good checkpoint is {}", file.display()))
}
