//! `connect`: a remote server as a stdio server.

use std::time::Duration;

use mcp_transport::core::relay_within;
use mcp_transport::{CloseReason, Limits, Options, own};
use tokio::runtime::Builder;

use crate::exit::Exit;
use crate::peer::why;
use crate::race::{First, race};
use crate::report::{PATIENCE, Report};
use crate::signals::Signals;
use crate::{log, remote, values};

/// Makes a remote server a stdio server
///
/// What comes in on stdin goes to the server, and what the server says goes to stdout, byte for byte.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status:
  0         our client has closed stdin, and everything was answered
  2         the server could not be reached, or refused
  3         the server ended the session; what was asked of it was answered with an error
  130, 143  interrupted (INT, TERM)

Example:
  mcp-bridge connect http://127.0.0.1:8808/mcp --header-file token.txt")]
pub(crate) struct Args {
    /// The server, such as http://127.0.0.1:8808/mcp; how it is spoken to is found out
    url: String,
    #[command(flatten)]
    remote: remote::Args,
    /// The longest message, in either direction
    #[arg(long, value_name = "BYTES", default_value = "16777216", value_parser = values::bytes)]
    max_message: usize,
    /// How long the server may take to answer a request, progress or not; then our client is told, and the request is
    /// cancelled; 0 is for as long as it wants
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = values::seconds_or_never)]
    request_timeout: Duration,
}

/// Runs the command.
pub(crate) fn run(args: Args, log: &log::Args) -> Exit {
    let Ok(report) = Report::start(log.format(), PATIENCE) else { return Exit::Failed };
    log.start(log::QUIET, &report);
    let exit = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(connect(&args, &report));
            // A stdin that is a terminal is read by a thread that nobody waits for.
            runtime.shutdown_background();
            exit
        }
        Err(error) => fail(&report, &format!("no runtime: {error}")),
    };
    report.finish();
    exit
}

fn fail(report: &Report, line: &str) -> Exit {
    report.complain(line);
    Exit::Failed
}

async fn connect(args: &Args, report: &Report) -> Exit {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(report, &format!("signals cannot be handled: {error}")),
    };
    let limits = Limits::default().with_max_message(args.max_message);
    let remote = match remote::remote(&args.url, &args.remote, limits) {
        Ok(remote) => remote,
        Err(line) => return fail(report, &line),
    };
    // Stdin is left alone until there is somebody to pass it on to.
    let server = match race(signals.next(), remote.connect()).await {
        First::One(interrupted) => return interrupted,
        First::Other(Ok(server)) => server.connection,
        First::Other(Err(error)) => return fail(report, &why(&error).line),
    };
    let client = match own(Options::new("stdio").with_limits(limits)) {
        Ok(client) => client,
        Err(error) => return fail(report, &error.to_string()),
    };
    // A signal ends both at once: who sends it is done with us.
    let relayed = match race(signals.next(), relay_within(client, server, Some(args.request_timeout))).await {
        First::One(interrupted) => return interrupted,
        First::Other(relayed) => relayed,
    };
    match (&*relayed.front, &*relayed.back) {
        // The client came to its end first, and then the session was closed from here.
        (_, CloseReason::ClosedHere) => Exit::Answered,
        (_, CloseReason::PeerClosed) => {
            report.complain("the server ended the session");
            Exit::Lost
        }
        (_, reason) => {
            report.complain(&format!("the session broke: {reason}"));
            Exit::Lost
        }
    }
}
