//! What our programs write down of their connections while the suite is there.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::runs::Run;

/// Names the directory to our programs, in their environment.
pub(super) const DIRECTORY: &str = "MCP_TRACES";

/// An empty directory for the traces of a run.
pub(super) fn begin(home: &Path, run: &Run) -> io::Result<PathBuf> {
    let directory = home.join(run.name);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(&directory)?,
    }
    Ok(directory)
}
