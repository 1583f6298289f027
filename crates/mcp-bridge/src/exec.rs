//! A child on its way to its program: on Linux children are started through this program itself.
//!
//! ```text
//! bridge ──fork, exec──▶ mcp-bridge __exec PID FILES PROGRAM ARGS… ── "kill me when my parent dies"
//!                                                                  └──exec──▶ PROGRAM ARGS…
//! ```
//!
//! A bridge that is killed can end nobody any more, so the kernel does it. The wish has to be made by the child itself,
//! between fork and exec; doing it there in the bridge's own process would take unsafe code.
//! The signal follows the thread that started the child: that is the main thread, on which the runtime runs.
//!
//! The program gets environment, directory, descriptors and process group as they were made for it, since nothing here
//! changes them, and the bound on descriptors that the bridge was started with and has raised for itself.
//! A program with set-user-ID, or one that takes the wish back, gets away; what the child starts itself is not killed
//! either, and sees the end of its input.

#[cfg(not(target_os = "linux"))]
use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::io::{self, Write};
    use std::os::unix::process::{CommandExt, parent_id};
    use std::path::Path;
    use std::process::{Command, ExitCode, id};
    use std::sync::OnceLock;

    use mcp_transport::CommandSpec;
    use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};

    /// No subcommand of the command line: nobody is to call it by hand.
    const WORD: &str = "__exec";
    /// This program, also when its file was replaced or removed since it started.
    const OURSELVES: &str = "/proc/self/exe";
    /// Descriptors that are enough for any number of sessions that one thread serves.
    const ENOUGH: u64 = 65_536;

    /// The bound on descriptors that we were started with, once it was raised; `None` is no bound.
    static BOUND: OnceLock<Option<u64>> = OnceLock::new();

    /// Lets this process have more descriptors, if it may: a session takes five, and 1,024 is the usual bound.
    pub(crate) fn raise_descriptors() {
        let bound = getrlimit(Resource::Nofile);
        let wanted = bound.maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
        if bound.current.is_some_and(|current| current < wanted)
            && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..bound }).is_ok()
        {
            let _ = BOUND.set(bound.current);
        }
    }

    /// What to start so that `program` is started, and dies with us.
    pub(crate) fn through_us(program: &OsString, args: &[OsString]) -> CommandSpec {
        if !Path::new(OURSELVES).exists() {
            return CommandSpec::new(program).args(args);
        }
        let files = BOUND.get().copied().flatten().map(|bound| bound.to_string()).unwrap_or_default();
        CommandSpec::new(OURSELVES).arg(WORD).arg(id().to_string()).arg(files).arg(program).args(args)
    }

    /// Becomes the program, if that is what we were started for. It returns then only when that fails, with the status
    /// that shells have for it.
    pub(crate) fn run() -> Option<ExitCode> {
        let mut words = std::env::args_os().skip(1);
        if words.next()? != WORD {
            return None;
        }
        let parent = words.next().and_then(|pid| pid.to_str()?.parse::<u32>().ok());
        let files = words.next().and_then(|files| files.to_str()?.parse::<u64>().ok());
        let (Some(parent), Some(program)) = (parent, words.next()) else {
            return Some(ExitCode::from(2));
        };
        if let Some(files) = files {
            let bound = Rlimit { current: Some(files), ..getrlimit(Resource::Nofile) };
            // Lowering it is always allowed; a program that has more than it needs is not worth a word.
            let _ = setrlimit(Resource::Nofile, bound);
        }
        if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
            return Some(complain(125, &format!("no parent-death signal: {error}")));
        }
        // It may have died before the wish was made.
        if parent_id() != parent {
            return Some(ExitCode::from(125));
        }
        let error = Command::new(&program).args(words).exec();
        let status = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
        Some(complain(status, &format!("cannot start `{}`: {error}", program.display())))
    }

    fn complain(status: u8, line: &str) -> ExitCode {
        // stderr is a pipe of the bridge; when that is gone, nobody is left to be told.
        let _ = writeln!(io::stderr(), "mcp-bridge: {line}");
        ExitCode::from(status)
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{raise_descriptors, run, through_us};

/// Elsewhere nobody is started this way.
#[cfg(not(target_os = "linux"))]
pub(crate) fn run() -> Option<ExitCode> {
    None
}

/// Elsewhere the bound stays.
#[cfg(not(target_os = "linux"))]
pub(crate) fn raise_descriptors() {}

/// Elsewhere a child outlives a bridge that was killed until it sees the end of its input.
#[cfg(not(target_os = "linux"))]
pub(crate) fn through_us(
    program: &std::ffi::OsString,
    args: &[std::ffi::OsString],
) -> mcp_transport::CommandSpec {
    mcp_transport::CommandSpec::new(program).args(args)
}
