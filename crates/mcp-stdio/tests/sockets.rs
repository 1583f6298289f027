//! The same over sockets: who listens, who dials, and what is known of each other.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;

use mcp_jsonrpc::{Json, Response};
use mcp_stdio::{SocketClient, SocketListener};
use mcp_transport_core::{CloseReason, Connection, ErrorKind, Incoming, Listener, Options, Transport, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("in time")
}

fn path(test: &str) -> PathBuf {
    std::env::temp_dir().join(format!("mcp-stdio-{test}-{}.sock", std::process::id()))
}

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn echo(connection: Connection) -> std::sync::Arc<CloseReason> {
    serve(connection, |incoming| async move {
        if let Incoming::Request(exchange) = incoming {
            let (request, _context, responder) = exchange.into_parts();
            let params = Json::parse(request.params_raw().unwrap().to_vec()).unwrap();
            responder.respond(Response::json_result(&request.id(), &params));
        }
    })
    .await
}

#[tokio::test]
async fn many_clients_of_one_listener() {
    let path = path("many");
    let mut unix = SocketListener::unix(&path, Options::default()).unwrap();
    let mut tcp = SocketListener::tcp(LOOPBACK, Options::default()).await.unwrap();
    assert!(unix.local_addr().is_none());
    let address = tcp.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let connection = poll_fn(|cx| match unix.poll_accept(cx) {
                Poll::Pending => tcp.poll_accept(cx),
                ready => ready,
            });
            tokio::spawn(echo(connection.await.unwrap().unwrap()));
        }
    });
    // More than a pipe or a socket holds.
    let large = "x".repeat(1 << 20);
    let mut clients = Vec::new();
    for client in 0..10 {
        let mut transport = match client % 2 {
            0 => SocketClient::unix(&path),
            _ => SocketClient::tcp(address.to_string()),
        };
        let endpoint = within(transport.dial()).await.unwrap().spawn();
        assert_eq!(endpoint.control.context().transport, ["unix", "tcp"][client % 2]);
        let caller = mcp_transport_core::Caller::new(&endpoint.sender);
        let response = within(caller.request("echo", &[&*large])).await.unwrap();
        assert_eq!(response.result_raw().map(<[u8]>::len), Some(large.len() + 4));
        clients.push(endpoint);
    }
    drop(clients);
    serving.abort();
    let _ = serving.await;
    assert!(!path.exists(), "the file goes with the listener");
}

#[tokio::test]
async fn the_peer_of_a_tcp_connection_is_known() {
    let mut listener = SocketListener::tcp(LOOPBACK, Options::default()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).await.unwrap();
    let connection = within(listener.accept()).await.unwrap().unwrap();
    let context = connection.control().context().clone();
    assert_eq!((context.transport, context.peer), ("tcp", Some(client.local_addr().unwrap())));
    let options = Options::new("own name");
    let connection = SocketClient::tcp(address.to_string()).with_options(options).dial().await.unwrap();
    let context = connection.control().context().clone();
    assert_eq!((context.transport, context.peer), ("own name", Some(address)));
}

/// Half-close: who has said all still gets its answers.
#[tokio::test]
async fn the_end_of_one_direction_leaves_the_other() {
    let path = path("half");
    let mut listener = SocketListener::unix(&path, Options::default()).unwrap();
    let mut peer = UnixStream::connect(&path).await.unwrap();
    let serving = tokio::spawn(echo(within(listener.accept()).await.unwrap().unwrap()));
    peer.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[1]}").await.unwrap();
    peer.shutdown().await.unwrap();
    let mut text = String::new();
    within(peer.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[1]}\n");
    assert!(matches!(*within(serving).await.unwrap(), CloseReason::PeerClosed));
}

/// A reset is the end of the peer, and no failure of ours.
#[tokio::test]
async fn a_reset_is_a_peer_that_has_closed() {
    let mut listener = SocketListener::tcp(LOOPBACK, Options::default()).await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let serving = tokio::spawn(echo(within(listener.accept()).await.unwrap().unwrap()));
    // Closing with data unread resets; nothing is left to chance by a linger of zero.
    peer.set_zero_linger().unwrap();
    drop(peer);
    let reason = within(serving).await.unwrap();
    assert!(matches!(*reason, CloseReason::PeerClosed), "{reason:?}");
}

#[tokio::test]
async fn what_cannot_be_reached_or_bound_is_an_io_error() {
    let path = path("absent");
    let error = SocketClient::unix(&path).dial().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(std::error::Error::source(&error).is_some());
    let listener = SocketListener::tcp(LOOPBACK, Options::default()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = SocketListener::tcp(address, Options::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    drop(listener);
    let error = SocketClient::tcp(address.to_string()).dial().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");

    let listener = SocketListener::unix(&path, Options::default()).unwrap();
    let error = SocketListener::unix(&path, Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    // And the file of the one that stands is still there.
    assert!(path.exists());
    assert!(format!("{listener:?}").contains("absent"));
}

#[tokio::test]
async fn accepting_can_be_left_and_taken_up() {
    let path = path("left");
    let mut listener = SocketListener::unix(&path, Options::default()).unwrap();
    for _ in 0..10 {
        let mut accept = listener.accept();
        assert!(poll_fn(|cx| Poll::Ready(accept.as_mut().poll(cx))).await.is_pending());
    }
    let peer = UnixStream::connect(&path).await.unwrap();
    assert!(within(listener.accept()).await.unwrap().is_ok());
    drop(peer);
}
