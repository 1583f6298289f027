//! `call`: one question, one answer.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use mcp_transport::{Caller, CommandSpec, Era, ErrorCode, Json, Outcome, Request, Response, Revision};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::exit::{Exit, Failure};
use crate::handshake::{self, Hello, PROBE, error_text};
use crate::log;
use crate::params::Params;
use crate::peer::{Peer, why};
use crate::race::{First, race};
use crate::report::Report;

/// Asks an MCP server one question and prints its answer
///
/// Starts COMMAND, says hello in whichever era it speaks, sends the request, and prints the result on one line of
/// stdout as the server wrote it. Notifications, the server's own requests and its stderr go to stderr.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status:
  0         the server answered with a result
  1         the server answered with an error
  2         nothing could be asked, or no answer came
  130, 143  interrupted (INT, TERM); the child was ended first

Examples:
  mcp-bridge call tools/list --demo
  mcp-bridge call tools/call '{\"name\":\"add\",\"arguments\":{\"a\":2,\"b\":40}}' --demo
  mcp-bridge call tools/list -- npx -y @modelcontextprotocol/server-everything stdio

COMMAND inherits HOME, LOGNAME, PATH, SHELL, TERM and USER; give it more with --env.")]
pub(crate) struct Args {
    /// What to ask, such as `tools/list`; `initialize` and `server/discover` print the handshake's own result
    method: String,
    /// The params, a JSON object
    #[arg(value_name = "PARAMS-JSON")]
    params: Option<String>,
    /// Ask the demo server that is built in
    #[arg(long, conflicts_with = "command")]
    demo: bool,
    /// How long the whole call may take, with start and handshake; progress does not extend it
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// Set a variable of COMMAND's environment
    #[arg(long, value_name = "K=V", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Start COMMAND in this directory
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// The server: a program and its arguments, never a shell line
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "not a positive number of seconds".into())
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => Ok((name.into(), value.into())),
        _ => Err("not of the form K=V".into()),
    }
}

/// Runs the command.
pub(crate) fn run(args: Args, filter: &str) -> Exit {
    let report = match Report::start() {
        Ok(report) => report,
        Err(_) => return Exit::Failed,
    };
    let writer = report.clone();
    log::start(filter, move || writer.clone());
    let exit = match Call::check(args) {
        Ok(call) => run_call(&call, &report),
        Err(line) => {
            report.complain(&line);
            Exit::Failed
        }
    };
    report.finish();
    exit
}

fn run_call(call: &Call, report: &Report) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            report.complain(&format!("no runtime: {error}"));
            return Exit::Failed;
        }
    };
    let exit = runtime.block_on(call.run(report));
    // A reader of stdout that has stopped reading is not waited for. A child that is still there dies here.
    runtime.shutdown_background();
    exit
}

/// A question that makes sense, and whom to ask.
struct Call {
    method: String,
    params: Params,
    timeout: Duration,
    command: CommandSpec,
}

/// How far a call has come; outlives the future that works on it.
struct Progress {
    peer: Option<Peer>,
    /// What we wait for.
    waits_for: String,
}

impl Call {
    fn check(args: Args) -> Result<Self, String> {
        let params = Params::check(args.params.as_deref())?;
        let mut command = if args.demo {
            let this =
                std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
            CommandSpec::new(this).arg("demo")
        } else {
            let mut words = args.command.into_iter();
            let program = words.next().ok_or("whom to ask? Give a COMMAND after `--`, or `--demo`")?;
            CommandSpec::new(program).args(words)
        };
        for (name, value) in args.env {
            command = command.env(name, value);
        }
        if let Some(directory) = args.cwd {
            command = command.current_dir(directory);
        }
        Ok(Self { method: args.method, params, timeout: args.timeout, command })
    }

    async fn run(&self, report: &Report) -> Exit {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => {
                report.complain(&format!("signals cannot be handled: {error}"));
                return Exit::Failed;
            }
        };
        let mut progress = Progress { peer: None, waits_for: "the child".into() };
        let asked = race(signals.next(), timeout(self.timeout, self.ask(&mut progress, report))).await;
        let exit = match asked {
            First::One(exit) => exit,
            First::Other(Ok(Ok(response))) => tell(response, &mut signals, report).await,
            First::Other(Ok(Err(failure))) => complain(failure, report),
            First::Other(Err(_)) => {
                let silence = progress.peer.as_ref().map(Peer::silence).unwrap_or_default();
                let (seconds, what) = (self.timeout.as_secs_f64(), &progress.waits_for);
                complain(Failure::new(format!("no answer to {what} within {seconds} s{silence}")), report)
            }
        };
        let Some(peer) = progress.peer else { return exit };
        // A signal while the child is being ended is heeded at once: the runtime drops it, which kills it.
        match race(signals.next(), peer.end()).await {
            First::One(interrupted) => interrupted,
            First::Other(()) => exit,
        }
    }

    /// Starts, greets, asks.
    async fn ask(&self, progress: &mut Progress, report: &Report) -> Result<Response, Failure> {
        let dial = || Peer::dial(self.command.clone(), self.timeout, report);
        let caller = progress.peer.insert(dial().await?).caller().clone();
        match self.method.as_str() {
            "initialize" => {
                progress.waits_for = "`initialize`".into();
                let ours = handshake::opening(Revision::LATEST_LEGACY).map_err(|error| why(&error))?;
                let request = self.request(Some(self.params.as_given().unwrap_or(&ours)))?;
                let response = relay(&caller, &request).await?;
                if !response.is_error() {
                    caller.notify("notifications/initialized", &()).await.map_err(|error| why(&error))?;
                }
                return Ok(response);
            }
            "server/discover" => return self.question(&caller, Revision::LATEST, progress).await,
            _ => {}
        }
        progress.waits_for = "`server/discover` and `initialize`".into();
        // However short the call, there is to be time for both.
        match handshake::hello(&caller, PROBE.min(self.timeout / 2)).await? {
            Hello::Ready(revision) => self.question(&caller, revision, progress).await,
            Hello::Died(failure) => {
                let line = failure.line;
                report.say(&format!("! asked `server/discover`, {line}: once more, with `initialize`"));
                drop(caller);
                if let Some(dead) = progress.peer.take() {
                    dead.end().await;
                }
                progress.waits_for = "`initialize`".into();
                let caller = progress.peer.insert(dial().await?).caller().clone();
                let revision = handshake::initialize(&caller, Revision::LATEST_LEGACY).await?;
                self.question(&caller, revision, progress).await
            }
        }
    }

    async fn question(
        &self,
        caller: &Caller,
        revision: Revision,
        progress: &mut Progress,
    ) -> Result<Response, Failure> {
        progress.waits_for = format!("`{}`", self.method);
        let request = match revision.era() {
            Era::Legacy => self.request(self.params.as_given())?,
            Era::Modern => {
                let params = self.params.with_meta(revision).map_err(Failure::new)?;
                self.request(Some(&params))?
            }
        };
        relay(caller, &request).await
    }

    fn request(&self, params: Option<&Json>) -> Result<Request, Failure> {
        match params {
            Some(params) => {
                Request::with_json_params(0, &self.method, params).map_err(|error| why(&error.into()))
            }
            None => Ok(Request::new(0, &self.method)),
        }
    }
}

async fn relay(caller: &Caller, request: &Request) -> Result<Response, Failure> {
    caller.relay(request).await.map_err(|error| why(&error))
}

/// Prints the answer: a result on stdout, an error on stderr.
async fn tell(response: Response, signals: &mut Signals, report: &Report) -> Exit {
    if let Outcome::Error(error) = response.outcome() {
        let ErrorCode(code) = error.code();
        report.complain(&format!("the server answered with error {code}: {}", error.message()));
        report.say(&format!("< error {}", error_text(&response).unwrap_or_default()));
        return Exit::Refused;
    }
    // On a thread of its own, so that a reader who does not read leaves us our signals.
    let printing = tokio::task::spawn_blocking(move || print(response));
    match race(signals.next(), printing).await {
        First::One(interrupted) => interrupted,
        First::Other(Ok(Ok(()))) => Exit::Answered,
        First::Other(Ok(Err(error))) => {
            complain(Failure::new(format!("cannot write the answer: {error}")), report)
        }
        First::Other(Err(_)) => complain(Failure::new("cannot write the answer"), report),
    }
}

/// The result on one line: raw line breaks stand only between tokens.
fn print(response: Response) -> io::Result<()> {
    let mut line = response.result_raw().unwrap_or_default().to_vec();
    line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}

fn complain(failure: Failure, report: &Report) -> Exit {
    report.complain(&failure.line);
    if let Some(error) = failure.error {
        report.say(&format!("< error {error}"));
    }
    Exit::Failed
}

/// The signals by which a user ends a program.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Exit {
        match race(self.interrupt.recv(), self.terminate.recv()).await {
            First::One(_) => Exit::Interrupted(2),
            First::Other(_) => Exit::Interrupted(15),
        }
    }
}
