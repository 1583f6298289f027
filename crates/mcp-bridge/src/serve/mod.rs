//! `serve`: a stdio server for clients of HTTP, of every revision.
//!
//! ```text
//! run ── listen: where, for whom ──▶ Router ── /sse, /message ──▶ session ── one child each, or the demo
//!   │                                      └── /mcp ──▶ session, or sessionless ── one child for all
//!   └── signals ──▶ drain           └── /healthz, /readyz (health)
//! ```

mod access;
mod child_log;
mod health;
mod listen;
mod session;
mod sessionless;
mod share;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mcp_transport::http::{Router, RouterOptions, Server, ServerControl, ServerOptions, ServerTls};
use mcp_transport::streamable_http::proto::ToolTable;
use mcp_transport::streamable_http::{Answers, Legacy, MemoryEventStore};
use mcp_transport::{Error, Limits, SseOptions, SseServer, StreamableOptions, StreamableServer};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::exit::Exit;
use crate::peer::text_of;
use crate::race::{First, race, race_mut};
use crate::report::{NO_PATIENCE, Report};
use crate::signals::Signals;
use crate::{exec, launch, log, values};
use access::Gate;
use session::{Backend, Sessions};

/// What is logged where nobody says what: what goes wrong, the sessions, and what the children say.
const DEFAULT_LOG: &str = "warn,mcp_bridge=info";
/// What a drain may take beyond its grace: the steps of a child's ladder, and the last answers on their way.
const AFTER_GRACE: Duration = Duration::from_secs(5);

/// Makes a stdio server reachable over Streamable HTTP and HTTP+SSE
///
/// Each session has a child of its own, started when the session opens and ended with it. Requests of 2026-07-28 have
/// no session and share one more child, if the server speaks that revision. Nothing that comes over HTTP has a part in
/// what is started.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
mcp-bridge serve [OPTIONS] -- COMMAND [ARGS]...
       mcp-bridge serve [OPTIONS] --demo",
    after_help = "\
Paths, behind --path-prefix:
  /mcp      Streamable HTTP, every revision: POST, GET, DELETE
  /sse      GET: opens a session, an event stream
  /message  POST: a message into a session
  /healthz  GET: 200 while the program runs
  /readyz   GET: 200 while it takes new sessions, 503 once it does not
  /.well-known/oauth-protected-resource
            GET: where tokens are to be had, with --jwt-audience URL; without --path-prefix before it

HUP reads the certificates again.

INT and TERM end it in good order: no new sessions, what was accepted is finished within --shutdown-grace, children see
the end of their input, then TERM, then KILL (4 s at most). A second signal ends it at once.

Exit status:
  0         ended by a signal, in good order
  2         it could not start
  130, 143  ended by a second signal (INT, TERM)

Examples:
  mcp-bridge serve --demo
  mcp-bridge serve -- npx -y @modelcontextprotocol/server-everything stdio
  mcp-bridge serve --listen 0.0.0.0:8808 --tls-cert cert.pem --tls-key key.pem --bearer-file tokens -- some-server

COMMAND inherits HOME, LOGNAME, PATH, SHELL, TERM and USER; give it more with --env or --pass-env."
)]
pub(crate) struct Args {
    #[command(flatten)]
    listen: listen::Args,
    #[command(flatten)]
    access: access::Args,
    /// Serve the demo server that is built in
    #[arg(long, conflicts_with = "command")]
    demo: bool,
    /// Send a comment on a stream that has been silent for so long, so that proxies keep it; 0 is never
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = values::seconds_or_never)]
    keep_alive: Duration,
    /// The longest body of a POST; one that is longer is answered with 413
    #[arg(long, value_name = "BYTES", default_value = "4194304", value_parser = values::bytes)]
    max_body: usize,
    /// The longest message, in either direction
    #[arg(long, value_name = "BYTES", default_value = "16777216", value_parser = values::bytes)]
    max_message: usize,
    /// Sessions at once at /mcp, and as many at /sse, each with a child; one more is answered with 503
    #[arg(long, value_name = "N", default_value = "256", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_sessions: u32,
    /// How long a new session may stay without a message
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = values::seconds)]
    session_timeout: Duration,
    /// Serve Streamable HTTP without sessions: all clients share one child, and nobody can be asked back
    #[arg(long)]
    stateless: bool,
    /// Answer on Streamable HTTP in JSON only, never with an event stream
    #[arg(long)]
    json_response: bool,
    /// Bytes of events that are kept for clients that come back, all sessions together; 0 keeps none
    #[arg(long, value_name = "BYTES", default_value = "67108864", value_parser = values::bytes_or_none)]
    event_store_bytes: usize,
    /// How long COMMAND may take to answer a request, progress or not; then the client is told, and the request is
    /// cancelled; 0 is for as long as it wants
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = values::seconds_or_never)]
    request_timeout: Duration,
    /// How long accepted requests may take when the program is to end; then they are answered with an error
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = values::seconds)]
    shutdown_grace: Duration,
    #[command(flatten)]
    launch: launch::Args,
}

impl Args {
    fn sse(&self) -> SseOptions {
        let mut options = SseOptions::default();
        options.limits = options
            .limits
            .with_max_message(self.max_message)
            .with_drain(self.shutdown_grace.saturating_add(AFTER_GRACE));
        options.max_sessions = self.max_sessions as usize;
        options.first_message = self.session_timeout;
        options.keep_alive = self.keep_alive;
        options
    }

    fn streamable(&self, tools: &Arc<ToolTable>) -> StreamableOptions {
        let mut options = StreamableOptions::default();
        let limits = options
            .limits
            .with_max_message(self.max_message)
            .with_drain(self.shutdown_grace.saturating_add(AFTER_GRACE));
        options.limits = limits;
        options.sessionless_limits = limits.with_max_in_flight(options.sessionless_limits.max_in_flight);
        options.max_sessions = self.max_sessions as usize;
        options.first_message = self.session_timeout;
        options.keep_alive = self.keep_alive;
        options.tools = Some(tools.clone());
        if self.stateless {
            options.legacy = Legacy::Stateless;
        }
        if self.json_response {
            options.answers = Answers::Json;
        }
        options.store = match self.event_store_bytes {
            0 => None,
            bytes => Some(Arc::new(MemoryEventStore::with_total(bytes))),
        };
        options
    }

    /// Every route that there is, behind `gate`.
    fn router(
        &self,
        settings: RouterOptions,
        gate: &Gate,
        sse: &SseServer,
        streamable: &StreamableServer,
        control: &ServerControl,
    ) -> Router {
        let max_body = self.max_body.min(self.max_message);
        // Those without a body take none.
        let routes = sse.routes().into_iter().chain(streamable.routes());
        let routes = routes.map(|route| route.max_body(max_body));
        let own = health::routes(control).into_iter().chain(gate.routes());
        Router::new(gate.before(settings), routes.chain(own))
    }
}

/// Runs the command.
pub(crate) fn run(args: Args, log: &log::Args) -> Exit {
    let Ok(report) = Report::start(log.format(), NO_PATIENCE) else { return Exit::Failed };
    log.start(DEFAULT_LOG, &report);
    exec::raise_descriptors();
    // One thread, and the first: the children are killed when the thread that started them ends.
    let exit = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(serve(args, &report));
            // Children that are still there die here.
            runtime.shutdown_background();
            exit.unwrap_or_else(|line| {
                report.complain(&line);
                Exit::Failed
            })
        }
        Err(error) => {
            report.complain(&format!("no runtime: {error}"));
            Exit::Failed
        }
    };
    report.finish();
    exit
}

async fn serve(args: Args, report: &Report) -> Result<Exit, String> {
    // From here on a signal is heard.
    let mut signals = Signals::new().map_err(|error| format!("signals cannot be handled: {error}"))?;
    let tls = args.access.tls()?;
    let certified = tls.as_ref().map(ServerTls::names).unwrap_or_default();
    args.listen.check(args.access.authenticates(), &certified)?;
    let gate = args.access.gate(args.listen.is_loopback())?;
    let (sse, opened) = SseServer::new(args.sse());
    let tools = Arc::new(ToolTable::default());
    let (streamable, also_opened) = StreamableServer::new(args.streamable(&tools));
    let prefix = args.listen.prefix()?;
    let options = ServerOptions::default()
        .with_drain(args.shutdown_grace.saturating_add(AFTER_GRACE))
        .with_allow_unauthenticated(args.listen.allow_unauthenticated);
    let address = args.listen.address;
    let bound = Server::bind(address, options).await;
    let mut server = bound.map_err(|error| format!("cannot listen on {address}: {}", cause(&error)))?;
    let address = server.local_addr();
    let control = server.control();

    if let Some(tls) = &tls {
        server = server.with_tls(tls.clone());
    }

    let settings = args.listen.router(address.port(), &certified)?.prefix(&prefix);
    let router = args.router(settings, &gate, &sse, &streamable, &control);

    let limits = Limits::default().with_max_message(args.max_message);
    let backend =
        if args.demo { Backend::Demo } else { Backend::command(args.launch.launch(false)?, limits)? };
    let sessions = Sessions {
        backend,
        control: control.clone(),
        grace: args.shutdown_grace,
        answer: Some(args.request_timeout),
        // As many for each of the two bindings, and as many again on their way out, of sessions that have ended.
        children: args.max_sessions as usize * 4,
        tools,
    };
    // The drain of the server waits for the sessions, so that what is left of it waits with them.
    let (done, all_done) = oneshot::channel();
    server.on_drain(move || {
        sse.shutdown();
        streamable.shutdown();
        Box::pin(async {
            // An error is as good: it means that nobody is left.
            let _ = all_done.await;
        })
    });
    let scheme = if tls.is_some() { "https" } else { "http" };
    let names = args.listen.names(address, &certified);
    let urls: Vec<String> = names.iter().map(|name| format!("{scheme}://{name}{prefix}")).collect();
    let paths = |url: &String| format!("{url}/mcp and {url}/sse");
    let shown: Vec<String> = urls.iter().map(paths).collect();
    report.say(&format!("mcp-bridge: listening on {}", shown.join(", ")));
    let mut serving = pin!(async {
        let accepting = tokio::spawn(async {
            sessions.accept(vec![Box::new(opened), Box::new(also_opened)]).await;
            let _ = done.send(());
        });
        let drained = server.serve(router).await;
        // The streams have ended, and children may still be on their way out.
        let _ = accepting.await;
        drained
    });
    let renewing = tokio::spawn(renew(tls));
    let ended = race_mut(pin!(signals.next()), serving.as_mut()).await;
    renewing.abort();
    match ended {
        First::One(_) => {}
        First::Other(Ok(_)) => return Err("the server has ended by itself".into()),
        First::Other(Err(error)) => return Err(format!("the server has failed: {}", cause(&error))),
    }
    report.say("mcp-bridge: draining; a second signal ends it at once");
    control.shutdown();
    match race(signals.next(), serving).await {
        First::One(interrupted) => Ok(interrupted),
        First::Other(Ok(_)) => Ok(Exit::Answered),
        First::Other(Err(error)) => Err(format!("the server has failed: {}", cause(&error))),
    }
}

/// Reads the certificates again at each HUP, for ever. Without TLS there is nothing to read, and HUP ends the program
/// as it always has.
async fn renew(tls: Option<ServerTls>) {
    let Some(tls) = tls else { return };
    let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        let tls = tls.clone();
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Err(error)) => tracing::error!("the certificate stays as it was: {}", text_of(&error)),
            _ => tracing::info!("the certificate was read again"),
        }
    }
}

/// What an error comes from, which says more than that it failed.
fn cause(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
