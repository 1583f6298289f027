//! What children are started from: the command line, and nothing that comes in later.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mcp_transport::CommandSpec;

use crate::exec;
use crate::values;

/// Where a name is looked for by a child that gets no `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// A command and what it is started with.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Set a variable of COMMAND's environment
    #[arg(long, value_name = "K=V", value_parser = values::variable)]
    env: Vec<(String, String)>,
    /// Give COMMAND the whole environment, secrets and all, and not just HOME, LOGNAME, PATH, SHELL, TERM and USER
    #[arg(long)]
    pass_env: bool,
    /// Start COMMAND in this directory
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// The server: a program and its arguments, never a shell line
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// A program to start, as often as it is wanted.
#[derive(Clone)]
pub(crate) struct Launch {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    pass_env: bool,
    cwd: Option<PathBuf>,
}

impl Args {
    /// Whether there is a command.
    pub(crate) fn is_given(&self) -> bool {
        !self.command.is_empty()
    }

    /// The command, or the demo server that is built in.
    pub(crate) fn launch(self, demo: bool) -> Result<Launch, String> {
        let (program, args) = if demo {
            let this =
                std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
            (this.into_os_string(), vec!["demo".into()])
        } else {
            let mut words = self.command.into_iter();
            let program = words.next().ok_or("whom to ask? Give a COMMAND after `--`, or `--demo`")?;
            (program, words.collect())
        };
        Ok(Launch { program, args, env: self.env, pass_env: self.pass_env, cwd: self.cwd })
    }
}

impl Launch {
    /// What to start, once it is clear that it is there.
    ///
    /// A child starts on its way through this program, and what goes wrong behind it comes as its exit; so what people
    /// get wrong is looked at before.
    pub(crate) fn spec(&self) -> Result<CommandSpec, String> {
        self.check().map_err(|why| format!("cannot start `{}`: {why}", self.program.display()))?;
        let mut spec = exec::through_us(&self.program, &self.args);
        if self.pass_env {
            spec = spec.env_inherit_all();
        }
        for (name, value) in &self.env {
            spec = spec.env(name, value);
        }
        if let Some(directory) = &self.cwd {
            spec = spec.current_dir(directory);
        }
        Ok(spec)
    }

    /// The program, as given.
    pub(crate) fn program(&self) -> &OsStr {
        &self.program
    }

    fn check(&self) -> Result<(), String> {
        if let Some(directory) = &self.cwd {
            let shown = directory.display();
            match fs::metadata(directory) {
                Ok(found) if !found.is_dir() => return Err(format!("`{shown}` is not a directory")),
                Ok(_) => {}
                Err(error) => return Err(format!("working directory `{shown}`: {error}")),
            }
        }
        let here = self.cwd.as_deref().unwrap_or(Path::new(""));
        if self.program.as_encoded_bytes().contains(&b'/') {
            let path = here.join(&self.program);
            return match fs::metadata(&path) {
                Ok(found) if is_executable(&found) => Ok(()),
                Ok(_) => Err("not executable".into()),
                Err(error) => Err(format!("no such program: {error}")),
            };
        }
        let path = self.path();
        let mut found =
            std::env::split_paths(&path).map(|directory| here.join(directory).join(&self.program));
        if found.any(|path| fs::metadata(path).is_ok_and(|found| is_executable(&found))) {
            Ok(())
        } else {
            Err("no such program in PATH".into())
        }
    }

    /// The `PATH` that the child gets.
    fn path(&self) -> OsString {
        let own = self.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.into());
        own.or_else(|| std::env::var_os("PATH")).unwrap_or_else(|| DEFAULT_PATH.into())
    }
}

fn is_executable(found: &fs::Metadata) -> bool {
    found.is_file() && found.permissions().mode() & 0o111 != 0
}
