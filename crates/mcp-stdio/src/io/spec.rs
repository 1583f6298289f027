//! What to start, and how it is to end.

use std::error::Error as StdError;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::env::Environment;

/// Lines of stderr kept by default: a stack trace's worth.
const TAIL_LINES: usize = 20;

/// What to start: a program and its arguments, never a shell line.
///
/// Stdin and stdout are always pipes. The child leads a process group of its own.
///
/// `Debug` shows the program, the number of arguments and the names of variables: arguments and
/// values often hold secrets.
///
/// ```
/// use mcp_stdio::io::{CommandSpec, Ladder, StderrMode};
/// use std::time::Duration;
///
/// let spec = CommandSpec::new("my-server")
///     .args(["--root", "/srv/data"])
///     .env("LOG", "debug")
///     .env_allow(["SSL_CERT_FILE"])
///     .stderr(StderrMode::Capture)
///     .ladder(Ladder::default().after_eof(Duration::from_secs(5)));
/// # let _ = spec;
/// ```
#[derive(Clone)]
pub struct CommandSpec {
    program: OsString,
    args: Vec<OsString>,
    directory: Option<PathBuf>,
    environment: Environment,
    stderr: StderrMode,
    tail_lines: usize,
    ladder: Ladder,
}

impl CommandSpec {
    /// Starts with the program's name or path.
    ///
    /// A name without a slash is looked up in the `PATH` that the child gets.
    /// A relative path with a slash counts from [`current_dir`](Self::current_dir).
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            directory: None,
            environment: Environment::default(),
            stderr: StderrMode::Capture,
            tail_lines: TAIL_LINES,
            ladder: Ladder::default(),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets the directory that the child starts in; by default it is ours.
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets one variable, over whatever is inherited under that name.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.set(name.into(), value.into());
        self
    }

    /// Adds names to the list of variables that are inherited.
    ///
    /// The list starts as [`DEFAULT_ENV`](super::DEFAULT_ENV).
    /// A listed variable whose value starts with `()` is not inherited: some shells would run
    /// it. After [`env_inherit_all`](Self::env_inherit_all) the list is just these names.
    #[must_use]
    pub fn env_allow<N: Into<OsString>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.environment.allow(names.into_iter().map(Into::into));
        self
    }

    /// Lets the child inherit every variable, tokens and keys of this process included.
    #[must_use]
    pub fn env_inherit_all(mut self) -> Self {
        self.environment.inherit_all();
        self
    }

    /// Lets the child inherit nothing; variables set by [`env`](Self::env) stay.
    ///
    /// Names can be added again by [`env_allow`](Self::env_allow).
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.environment.inherit_none();
        self
    }

    /// Sets what becomes of the child's stderr; by default [`StderrMode::Capture`].
    #[must_use]
    pub fn stderr(mut self, mode: StderrMode) -> Self {
        self.stderr = mode;
        self
    }

    /// Sets how many of the last lines of stderr are kept, each of at most 1 KiB.
    ///
    /// 20 by default; 0 keeps none.
    #[must_use]
    pub fn stderr_tail_lines(mut self, lines: usize) -> Self {
        self.tail_lines = lines;
        self
    }

    /// Sets the waits of the shutdown.
    #[must_use]
    pub fn ladder(mut self, ladder: Ladder) -> Self {
        self.ladder = ladder;
        self
    }

    /// The program, as given.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    pub(super) fn stderr_mode(&self) -> (&StderrMode, usize) {
        (&self.stderr, self.tail_lines)
    }

    pub(super) fn shutdown_ladder(&self) -> Ladder {
        self.ladder
    }

    /// Starts the process. Its pipes are in the result, its group has its id.
    pub(super) fn start(&self) -> io::Result<std::process::Child> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.environment.resolve(std::env::vars_os()))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(match self.stderr {
                StderrMode::Inherit => Stdio::inherit(),
                StderrMode::Capture | StderrMode::Lines(_) => Stdio::piped(),
            });
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.spawn().map_err(|source| {
            let kind = source.kind();
            let text = self.explain(kind);
            io::Error::new(kind, SpawnError { text, source })
        })
    }

    /// Says what could not be started and which of its parts is to blame.
    ///
    /// The system has one answer for a missing program, a missing directory and a missing
    /// interpreter, so this looks again.
    fn explain(&self, kind: io::ErrorKind) -> String {
        let program = self.program.display();
        if let Some(directory) = &self.directory {
            let shown = directory.display();
            match std::fs::metadata(directory) {
                Ok(found) if !found.is_dir() => {
                    return format!("cannot start `{program}`: `{shown}` is not a directory");
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return format!("cannot start `{program}`: working directory `{shown}` does not exist");
                }
                Err(_) => {
                    return format!(
                        "cannot start `{program}`: working directory `{shown}` cannot be entered"
                    );
                }
                Ok(_) => {}
            }
        }
        let path = self.program_path();
        match kind {
            io::ErrorKind::NotFound if path.as_ref().is_some_and(|path| path.exists()) => {
                format!("cannot start `{program}`: its interpreter (`#!` line) does not exist")
            }
            io::ErrorKind::NotFound if path.is_some() => {
                format!("cannot start `{program}`: no such program")
            }
            io::ErrorKind::NotFound => {
                format!("cannot start `{program}`: no such program in PATH")
            }
            io::ErrorKind::PermissionDenied => {
                format!("cannot start `{program}`: not executable, or not allowed to this user")
            }
            _ => format!("cannot start `{program}`"),
        }
    }

    /// Where the program is, when it was given as a path.
    fn program_path(&self) -> Option<PathBuf> {
        let path = Path::new(&self.program);
        if path.components().count() < 2 && !path.has_root() {
            return None;
        }
        Some(match &self.directory {
            Some(directory) => directory.join(path),
            None => path.to_path_buf(),
        })
    }
}

impl fmt::Debug for CommandSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSpec")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("directory", &self.directory)
            .field("environment", &self.environment)
            .field("stderr", &self.stderr)
            .field("tail_lines", &self.tail_lines)
            .field("ladder", &self.ladder)
            .finish()
    }
}

/// The text of a failed start; the system's own error is its source.
#[derive(Debug)]
struct SpawnError {
    text: String,
    source: io::Error,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for SpawnError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}

/// What becomes of a child's stderr.
///
/// There is no mode that leaves the pipe to the user: one that nobody empties stops the child
/// as soon as it has written 64 KiB.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum StderrMode {
    /// Read and dropped but for the last lines, which tell how the child ended.
    #[default]
    Capture,
    /// As `Capture`, and each line is given to the function as it is completed.
    ///
    /// A line comes without its line break, is valid UTF-8 (what was not is replaced), and is cut
    /// at 1 KiB. Control characters are left in: escape them before showing them on a terminal.
    /// The function runs where the [`Child`](super::Child) is polled, so it must not block.
    Lines(Arc<dyn Fn(&str) + Send + Sync>),
    /// The child writes to our own stderr; no line is kept.
    Inherit,
}

impl fmt::Debug for StderrMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capture => "Capture",
            Self::Lines(_) => "Lines",
            Self::Inherit => "Inherit",
        })
    }
}

/// How long a child is waited for at each step of its shutdown.
///
/// The steps are those of the other MCP SDKs: end of input, TERM, KILL.
/// After the KILL the end is waited for 2 s at most, which only a process that hangs in the
/// kernel outlasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ladder {
    /// From the end of its input to TERM: 2 s by default.
    pub after_eof: Duration,
    /// From TERM to KILL: 2 s by default.
    pub after_term: Duration,
    /// From the exit of the child to the end of what it left: 100 ms by default.
    ///
    /// For this long stdout is still worth reading, since a grandchild may hold it, and
    /// processes left in the group may end by themselves.
    pub linger: Duration,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            after_eof: Duration::from_secs(2),
            after_term: Duration::from_secs(2),
            linger: Duration::from_millis(100),
        }
    }
}

impl Ladder {
    /// Sets the wait from the end of input to TERM.
    #[must_use]
    pub fn after_eof(mut self, wait: Duration) -> Self {
        self.after_eof = wait;
        self
    }

    /// Sets the wait from TERM to KILL.
    #[must_use]
    pub fn after_term(mut self, wait: Duration) -> Self {
        self.after_term = wait;
        self
    }

    /// Sets the wait from the exit to the end of what the child left.
    #[must_use]
    pub fn linger(mut self, wait: Duration) -> Self {
        self.linger = wait;
        self
    }
}
