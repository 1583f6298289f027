//! `call`: one question, one answer.

use std::io::{self, Write};
use std::time::Duration;

use mcp_transport::{Caller, Era, ErrorCode, Json, Limits, Outcome, Request, Response, Revision};
use tokio::time::timeout;

use crate::exit::{Exit, Failure};
use crate::handshake::{self, Hello, PROBE, error_text};
use crate::params::Params;
use crate::peer::{DRAIN, Peer, Target, why};
use crate::race::{First, race};
use crate::report::{PATIENCE, Report};
use crate::signals::Signals;
use crate::{launch, log, remote, values};

/// Asks an MCP server one question and prints its answer
///
/// Starts COMMAND, or finds out what is at URL, says hello, sends the request, and prints the result on one
/// line of stdout as the server wrote it. Notifications, the server's own requests and its stderr go to stderr.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
mcp-bridge call [OPTIONS] METHOD [PARAMS-JSON] -- COMMAND [ARGS]...
       mcp-bridge call [OPTIONS] METHOD [PARAMS-JSON] --demo
       mcp-bridge call [OPTIONS] URL METHOD [PARAMS-JSON]",
    after_help = "\
Exit status:
  0         the server answered with a result
  1         the server answered with an error
  2         nothing could be asked, or no answer came
  130, 143  interrupted (INT, TERM); the child was ended first

Examples:
  mcp-bridge call tools/list --demo
  mcp-bridge call tools/call '{\"name\":\"add\",\"arguments\":{\"a\":2,\"b\":40}}' --demo
  mcp-bridge call tools/list -- npx -y @modelcontextprotocol/server-everything stdio
  mcp-bridge call http://127.0.0.1:8808/mcp tools/list

COMMAND inherits HOME, LOGNAME, PATH, SHELL, TERM and USER; give it more with --env."
)]
pub(crate) struct Args {
    /// Whom to ask, if it begins with http:// or https://; else the METHOD
    #[arg(value_name = "URL")]
    first: String,
    /// What to ask, such as `tools/list`; `initialize` and `server/discover` print the handshake's own result
    #[arg(value_name = "METHOD")]
    second: Option<String>,
    /// The params, a JSON object
    #[arg(value_name = "PARAMS-JSON")]
    third: Option<String>,
    /// Ask the demo server that is built in
    #[arg(long, conflicts_with = "command")]
    demo: bool,
    /// How long the whole call may take, with start and handshake; progress does not extend it
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = values::seconds)]
    timeout: Duration,
    #[command(flatten)]
    remote: remote::Args,
    #[command(flatten)]
    launch: launch::Args,
}

/// Runs the command.
pub(crate) fn run(args: Args, log: &log::Args) -> Exit {
    let Ok(report) = Report::start(log.format(), PATIENCE) else { return Exit::Failed };
    log.start(log::QUIET, &report);
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
    target: Target,
}

/// How far a call has come; outlives the future that works on it.
struct Progress {
    peer: Option<Peer>,
    /// What we wait for.
    waits_for: String,
}

impl Call {
    fn check(args: Args) -> Result<Self, String> {
        let (url, method, params) = match (args.first, args.second, args.third) {
            (url, method, params) if remote::is_url(&url) => (Some(url), method, params),
            (method, params, None) => (None, Some(method), params),
            (_, _, Some(_)) => {
                return Err("three words, and the first is no URL; a command goes after `--`".into());
            }
        };
        let method = method.ok_or("what to ask? Give a METHOD after the URL")?;
        let params = Params::check(params.as_deref())?;
        let target = match url {
            Some(_) if args.demo || args.launch.is_given() => {
                return Err("either a URL is asked, or a COMMAND or the demo".into());
            }
            Some(url) => {
                let limits = Limits::default().with_drain(DRAIN);
                Target::Url(Box::new(remote::remote(&url, &args.remote, limits)?))
            }
            None if args.remote.is_given() => return Err("headers go to a URL, and there is none".into()),
            None => Target::Command(args.launch.launch(args.demo)?),
        };
        Ok(Self { method, params, timeout: args.timeout, target })
    }

    async fn run(&self, report: &Report) -> Exit {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => {
                report.complain(&format!("signals cannot be handled: {error}"));
                return Exit::Failed;
            }
        };
        let mut progress = Progress { peer: None, waits_for: self.target.start().into() };
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
        let dial = || Peer::dial(&self.target, self.timeout, report);
        let peer = progress.peer.insert(dial().await?);
        let (caller, era) = (peer.caller().clone(), peer.era());
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
        if era == Some(Era::Modern) {
            return self.question(&caller, Revision::LATEST, progress).await;
        }
        if era == Some(Era::Legacy) {
            progress.waits_for = "`initialize`".into();
            let revision = handshake::initialize(&caller, Revision::LATEST_LEGACY).await?;
            return self.question(&caller, revision, progress).await;
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
