//! How the program ends.

use std::process::ExitCode;

/// What the exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The server answered with a result, or everything was served to its end.
    Answered,
    /// The server answered with an error.
    Refused,
    /// Nothing could be asked, or no answer came.
    Failed,
    /// The session ended before its client did.
    Lost,
    /// A signal with this number ended it.
    Interrupted(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Answered => Self::SUCCESS,
            Exit::Refused => Self::from(1),
            Exit::Failed => Self::from(2),
            Exit::Lost => Self::from(3),
            // As a shell tells it.
            Exit::Interrupted(signal) => Self::from(128 + signal),
        }
    }
}

/// Why nothing could be asked: one line for people, and the server's own error where there is one.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) line: String,
    pub(crate) error: Option<String>,
}

impl Failure {
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), error: None }
    }
}
