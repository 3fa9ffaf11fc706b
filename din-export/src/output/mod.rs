//! Files that are whole or not there, and folders that one process at a time writes to.

mod file;
mod own_folder;

pub use file::{TEMPORARY, WriteError, prepare, write, write_together, write_with};
pub use own_folder::{FolderError, OwnFolder};
