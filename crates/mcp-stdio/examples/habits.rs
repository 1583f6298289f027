//! A stdio server with every habit that a server can have; the tests of the crate run it.
//!
//! Words on the command line: `multi` for a runtime of several threads, `ticker` for a task that never ends, `roomy`
//! for 4,096 requests in flight, `hasty` for a drain of 200 ms, `small` for messages of at most 4 KiB, `torrent` for a
//! child that writes notifications to the same stdout for ever, `listener` to be accepted instead of taken,
//! `relay PATH` to be no server and pass on what comes from either side to the Unix socket.

use std::sync::Arc;
use std::time::Duration;

use mcp_jsonrpc::{ErrorCode, ErrorObject, Json, Response};
use mcp_stdio::StdioListener;
use mcp_stdio::io::OwnStdio;
use mcp_transport_core::{
    Connection, Control, Error, ErrorKind, Exchange, Health, Incoming, Limits, Listener, Options, serve,
};
use tokio::io::AsyncWriteExt;

fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word| words.iter().any(|given| given == word);
    let runtime = if has("multi") {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()
    } else {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    };
    let runtime = runtime.map_err(|error| Error::io("no runtime", error))?;
    let mut limits = Limits::default();
    if has("roomy") {
        limits = limits.with_max_in_flight(4096);
    }
    if has("hasty") {
        limits = limits.with_drain(Duration::from_millis(200));
    }
    if has("small") {
        limits = limits.with_max_message(4096);
    }
    if has("torrent") {
        torrent().map_err(|error| Error::io("no torrent", error))?;
    }
    if let [word, path] = &words[..]
        && word == "relay"
    {
        return runtime.block_on(relay(path)).map_err(|error| Error::io("the relay broke", error));
    }
    runtime.block_on(async {
        if has("ticker") {
            tokio::spawn(async {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
        let options = Options::default().with_limits(limits);
        let connection = if has("listener") { accepted(options).await? } else { mcp_stdio::own(options)? };
        let control = Arc::new(connection.control());
        let reason = serve(connection, |incoming| {
            let control = control.clone();
            async move {
                match incoming {
                    Incoming::Request(exchange) => answer(exchange, &control).await,
                    Incoming::Malformed(malformed, _) => eprintln!("{malformed}"),
                    _ => {}
                }
            }
        })
        .await;
        eprintln!("end: {reason}");
        eprintln!("health: {}", shown(&control.health()));
        Ok(())
    })
}

/// Each direction ends by itself.
async fn relay(path: &str) -> std::io::Result<()> {
    let (mut stdin, mut stdout) = OwnStdio::take()?.split();
    let (mut from, mut to) = tokio::net::UnixStream::connect(path).await?.into_split();
    let out = async {
        tokio::io::copy(&mut stdin, &mut to).await?;
        to.shutdown().await
    };
    let back = async {
        tokio::io::copy(&mut from, &mut stdout).await?;
        stdout.shutdown().await
    };
    tokio::try_join!(out, back).map(drop)
}

/// The one connection of a listener, which then has no other.
async fn accepted(options: Options) -> Result<Connection, Error> {
    let mut listener = StdioListener::new(options);
    let Some(connection) = listener.accept().await else {
        return Err(Error::new(ErrorKind::Internal, "nothing was accepted"));
    };
    if let Err(error) = mcp_stdio::own(Options::default()) {
        eprintln!("own: {error}");
        eprintln!("second: {:?}", error.kind());
    }
    match listener.accept().await {
        None => connection,
        Some(_) => Err(Error::new(ErrorKind::Internal, "there was a second connection")),
    }
}

/// Through a pipe of 1 MiB, so that there is always more to read than one read can take.
fn torrent() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::pipe::fcntl_setpipe_size(std::io::stdout(), 1 << 20)?;
    let line = r#"{"jsonrpc":"2.0","method":"torrent"}"#;
    // Ended with our group.
    std::process::Command::new("yes").arg(line).spawn().map(drop)
}

async fn answer(exchange: Exchange, control: &Control) {
    let method = exchange.request().method().into_owned();
    match &*method {
        "echo" => {
            let (request, _context, responder) = exchange.into_parts();
            if let Ok(params) = Json::parse(request.params_raw().unwrap_or(b"null").to_vec()) {
                responder.respond(Response::json_result(&request.id(), &params));
            }
        }
        "late" => {
            let millis: Vec<u64> = exchange.request().params().unwrap_or_default();
            let wait = Duration::from_millis(millis.first().copied().unwrap_or(0));
            tokio::select! {
                () = tokio::time::sleep(wait) => exchange.finish("late"),
                () = exchange.responder().cancelled() => {}
            }
        }
        // Does not look whether anybody still waits.
        "stubborn" => {
            let millis: Vec<u64> = exchange.request().params().unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(millis.first().copied().unwrap_or(0))).await;
            exchange.finish("stubborn");
        }
        "never" => exchange.responder().cancelled().await,
        "print" => {
            stray();
            exchange.finish("printed");
        }
        "ask" => {
            let asked = exchange.responder().caller().request("question", &()).await;
            match asked {
                Ok(response) => exchange.finish(&response.is_error()),
                Err(error) => eprintln!("asked: {error}"),
            }
        }
        "exit" => std::process::exit(3),
        "health" => exchange.finish(&shown(&control.health())),
        _ => exchange.fail(&ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no such method")),
    }
}

#[allow(clippy::print_stdout, reason = "the mistake that the guard is for")]
fn stray() {
    println!("stray print");
}

fn shown(health: &Health) -> String {
    format!(
        "in flight {}, malformed {}, refused {}, unmatched {}, dropped {}",
        health.in_flight, health.malformed, health.refused, health.unmatched, health.dropped
    )
}
