//! The server that the conformance suite asks.
//!
//! ```text
//! conformance-server stdio
//! conformance-server sse  [IP:PORT]
//! conformance-server http [IP:PORT]
//! ```
//!
//! Over HTTP it says on stdout where it listens; port 0, the default, takes a free one. It ends when it is killed.
//! `MCP_TRACES` names a directory for traces of its connections.
#![allow(clippy::print_stdout, reason = "who starts it reads there where it listens")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use mcp_tests::conformance::server::{Fixture, modern_tools, serve_on};
use mcp_tests::conformance::trace::{Rules, Side, Traces};
use mcp_transport::core::Tap;
use mcp_transport::http::{Route, Router, RouterOptions, Server, ServerOptions};
use mcp_transport::streamable_http::proto::ToolTable;
use mcp_transport::{
    CloseReason, Context, Listener, Options, SseOptions, SseServer, StreamableOptions, StreamableServer, own,
};

type Failure = Box<dyn std::error::Error>;
type MakeTap = dyn Fn(&Context) -> Arc<dyn Tap> + Send + Sync;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        ["stdio"] => stdio().await,
        ["sse", address @ ..] => sse(address).await,
        ["http", address @ ..] => http(address).await,
        _ => Err("say `stdio`, `sse [IP:PORT]` or `http [IP:PORT]`".into()),
    }
}

/// One client, until it has gone.
async fn stdio() -> Result<(), Failure> {
    // One of the revisions that it serves has batches.
    let mut options = Options::default().with_batches();
    options.tap = Traces::wanted(Side::Server, Rules::Stdio).map(|traces| traces.tap("stdio"));
    let connection = own(options)?;
    match &*serve_on(connection, Arc::default()).await {
        CloseReason::PeerClosed => Ok(()),
        reason => Err(reason.to_string().into()),
    }
}

/// HTTP+SSE: each event stream is a session, and each session a connection.
async fn sse(address: &[&str]) -> Result<(), Failure> {
    let mut options = SseOptions::default();
    options.tap = taps();
    let (sse, sessions) = SseServer::new(options);
    listen(address, "/sse", sse.routes(), sessions).await
}

/// Streamable HTTP: each legacy session is a connection, and everybody of the modern era is on one more.
async fn http(address: &[&str]) -> Result<(), Failure> {
    let tools = ToolTable::default();
    tools.learn(modern_tools().to_string().as_bytes());
    let mut options = StreamableOptions::default();
    options.tools = Some(Arc::new(tools));
    options.tap = taps();
    let (http, sessions) = StreamableServer::new(options);
    listen(address, "/mcp", http.routes(), sessions).await
}

/// Makes the taps of sessions, and of the connection that has none.
fn taps() -> Option<Arc<MakeTap>> {
    let traces = Traces::wanted(Side::Server, Rules::StreamableHttp)?;
    Some(Arc::new(move |context| {
        traces.tap(if context.session.is_some() { "session" } else { "sessionless" })
    }))
}

/// Says where, and serves whoever comes.
async fn listen(
    address: &[&str],
    path: &str,
    routes: impl IntoIterator<Item = Route>,
    sessions: impl Listener + 'static,
) -> Result<(), Failure> {
    let address: SocketAddr = match address {
        [] => "127.0.0.1:0".parse()?,
        [address] => address.parse().map_err(|_| format!("{address:?} is no IP:PORT"))?,
        [_, extra, ..] => return Err(format!("{extra:?} is too much").into()),
    };
    let router = Router::new(RouterOptions::default(), routes);
    let server = Server::bind(address, ServerOptions::default()).await?;
    println!("http://{}{path}", server.local_addr());
    tokio::spawn(accept(sessions));
    server.serve(router).await?;
    Ok(())
}

async fn accept(mut sessions: impl Listener) {
    let fixture = Arc::new(Fixture::default());
    while let Some(session) = sessions.accept().await {
        match session {
            Ok(connection) => drop(tokio::spawn(serve_on(connection, Arc::clone(&fixture)))),
            Err(error) => eprintln!("conformance-server: {error}"),
        }
    }
}
