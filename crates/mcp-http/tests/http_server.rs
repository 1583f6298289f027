//! The server over loopback: what only sockets show.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{io, pin::Pin};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::{Body, Frame};
use mcp_http::{
    Arrived, ConnectionEnd, ConnectionHandle, Drained, Reply, Route, Router, RouterOptions, Server,
    ServerControl, ServerOptions, Takes, event_stream_reply, text_reply,
};
use mcp_transport_core::{BoxFuture, Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SILENT: &[u8] = b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Generous: what is awaited comes much earlier, or the test fails.
const SOON: Duration = Duration::from_secs(20);

/// What the handlers share with the test.
#[derive(Default)]
struct Shared {
    ends: Mutex<Vec<Option<ConnectionEnd>>>,
    dropped: Notify,
    stop: AtomicBool,
    stopped: Notify,
    peers: Mutex<Vec<SocketAddr>>,
    streams: AtomicUsize,
}

struct Stream {
    shared: Arc<Shared>,
    connection: ConnectionHandle,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    first: bool,
    flood: bool,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if std::mem::take(&mut self.first) {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": open\n\n")))));
        }
        if self.flood {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))));
        }
        self.stopped.as_mut().poll(cx).map(|()| None)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Ok(mut ends) = self.shared.ends.lock() {
            ends.push(self.connection.end());
        }
        self.shared.streams.fetch_sub(1, Ordering::SeqCst);
        self.shared.dropped.notify_one();
    }
}

fn router(shared: &Arc<Shared>) -> Router {
    let stream = |flood| {
        let shared = shared.clone();
        Arc::new(move |arrived: Arrived| -> BoxFuture<'static, Reply> {
            let shared = shared.clone();
            shared.streams.fetch_add(1, Ordering::SeqCst);
            let connection = arrived.connection.unwrap();
            let waits = shared.clone();
            let stopped = Box::pin(async move {
                while !waits.stop.load(Ordering::SeqCst) {
                    let notified = waits.stopped.notified();
                    if waits.stop.load(Ordering::SeqCst) {
                        break;
                    }
                    notified.await;
                }
            });
            Box::pin(
                async move { event_stream_reply(Stream { shared, connection, stopped, first: true, flood }) },
            )
        })
    };
    let peers = shared.clone();
    let ok = move |arrived: Arrived| -> BoxFuture<'static, Reply> {
        peers.peers.lock().unwrap().push(arrived.peer.unwrap());
        Box::pin(async { text_reply(StatusCode::OK, "served\n") })
    };
    let slow = |_: Arrived| -> BoxFuture<'static, Reply> {
        Box::pin(async {
            sleep(Duration::from_millis(300)).await;
            text_reply(StatusCode::OK, "served\n")
        })
    };
    let panics =
        |_: Arrived| -> BoxFuture<'static, Reply> { Box::pin(async { panic!("a handler's fault") }) };
    let routes = [
        Route::new(Method::GET, "/x", Arc::new(ok.clone())),
        Route::new(Method::GET, "/slow", Arc::new(slow)),
        Route::new(Method::GET, "/panic", Arc::new(panics)),
        Route::new(Method::GET, "/silent", stream(false)),
        Route::new(Method::GET, "/flood", stream(true)),
        Route::new(Method::POST, "/post", Arc::new(ok)).takes(Takes::Bytes).max_body(1000),
    ];
    Router::new(RouterOptions::default(), routes)
}

struct Running {
    address: SocketAddr,
    control: ServerControl,
    shared: Arc<Shared>,
    task: JoinHandle<Result<Drained, Error>>,
}

impl Running {
    async fn new(options: ServerOptions) -> Self {
        Self::with(options, |_, _| {}).await
    }

    async fn with(options: ServerOptions, prepare: impl FnOnce(&mut Server, &Arc<Shared>)) -> Self {
        let shared = Arc::new(Shared::default());
        let mut server = Server::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
        prepare(&mut server, &shared);
        let (address, control) = (server.local_addr(), server.control());
        let task = tokio::spawn(server.serve(router(&shared)));
        Self { address, control, shared, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn get(&self) -> TcpStream {
        let mut client = self.connect().await;
        client.write_all(GET).await.unwrap();
        reads(&mut client, "served\n").await;
        client
    }

    async fn stream(&self, request: &[u8]) -> TcpStream {
        let mut client = self.connect().await;
        client.write_all(request).await.unwrap();
        reads(&mut client, ": open\n\n\r\n").await;
        client
    }

    async fn drained(self) -> Drained {
        timeout(SOON, self.task).await.expect("drains").unwrap().unwrap()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stopped.notify_waiters();
    }
}

/// Reads until something was said.
async fn reads(client: &mut TcpStream, what: &str) -> String {
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).contains(what) {
        let read = timeout(SOON, client.read_buf(&mut all)).await.expect("it says something").unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&all));
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// What comes until the end, which comes soon.
async fn rest(client: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let _ = timeout(SOON, client.read_to_end(&mut all)).await.expect("the connection is still open");
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn slow_connections_are_closed() {
    let short = Duration::from_millis(150);
    let options = ServerOptions::default().with_first_byte(short).with_head(short).with_idle(short);
    let server = Running::new(options).await;
    let start = Instant::now();
    assert_eq!(rest(&mut server.connect().await).await, "");
    assert!(start.elapsed() >= short);

    let mut trickles = server.connect().await;
    let start = Instant::now();
    for byte in GET {
        if trickles.write_all(&[*byte]).await.is_err() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(rest(&mut trickles).await, "");
    assert!(start.elapsed() < SOON);

    let mut idle = server.get().await;
    let start = Instant::now();
    assert_eq!(rest(&mut idle).await, "");
    assert!(start.elapsed() >= short / 2);

    // A stream is none of these.
    let mut stream = server.stream(SILENT).await;
    assert!(timeout(4 * short, stream.read_u8()).await.is_err(), "a silent stream was closed");
}

#[tokio::test]
async fn who_does_not_read_is_closed_with_a_reason() {
    let server = Running::new(ServerOptions::default().with_write_stall(Duration::from_millis(200))).await;
    let _reads_nothing = server.stream(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    timeout(SOON, server.shared.dropped.notified()).await.unwrap();
    assert_eq!(*server.shared.ends.lock().unwrap(), [Some(ConnectionEnd::WriteStalled)]);
}

#[tokio::test]
async fn a_time_without_end_is_one() {
    let never = Duration::MAX;
    let options = ServerOptions::default()
        .with_first_byte(never)
        .with_head(never)
        .with_idle(never)
        .with_write_stall(never)
        .with_drain(never);
    let server = Running::new(options).await;
    let mut client = server.get().await;
    client.write_all(GET).await.unwrap();
    reads(&mut client, "served\n").await;
    drop(client);
    server.control.shutdown();
    server.drained().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_peer() {
    let server = Running::new(ServerOptions::default()).await;
    let stream = server.stream(SILENT).await;
    drop(stream);
    timeout(SOON, server.shared.dropped.notified()).await.unwrap();
    assert_eq!(*server.shared.ends.lock().unwrap(), [None]);
    assert_eq!(server.shared.streams.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_peer_is_told_to_the_handler() {
    let server = Running::new(ServerOptions::default()).await;
    let client = server.get().await;
    assert_eq!(*server.shared.peers.lock().unwrap(), [client.local_addr().unwrap()]);
}

#[tokio::test]
async fn a_panic_costs_its_own_connection() {
    let server = Running::new(ServerOptions::default()).await;
    let mut other = server.get().await;
    let mut client = server.connect().await;
    client.write_all(b"GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(rest(&mut client).await, "");
    other.write_all(GET).await.unwrap();
    reads(&mut other, "served\n").await;
    server.get().await;
}

#[tokio::test]
async fn further_connections_wait_for_a_place() {
    let server = Running::new(ServerOptions::default().with_max_connections(2)).await;
    let (first, _second) = (server.get().await, server.get().await);
    let mut third = server.connect().await;
    third.write_all(GET).await.unwrap();
    assert!(timeout(Duration::from_millis(200), third.read_u8()).await.is_err(), "served beyond the limit");
    drop(first);
    reads(&mut third, "served\n").await;
}

/// The answer arrives although the client goes on sending what nobody will read.
#[tokio::test]
async fn a_refused_upload_gets_its_answer() {
    let server = Running::new(ServerOptions::default()).await;
    for (head, status) in [
        ("POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 600000\r\n\r\n", 413),
        ("POST /post HTTP/1.1\r\nHost: evil\r\nContent-Length: 600000\r\n\r\n", 403),
        ("POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 600000\r\n\r\n", 404),
    ] {
        let mut client = server.connect().await;
        client.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..60 {
            client.write_all(&[b'x'; 10_000]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let said = rest(&mut client).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
    }
}

#[tokio::test]
async fn chunks_are_counted() {
    let server = Running::new(ServerOptions::default()).await;
    for (length, status) in [(999, 200), (1000, 200), (1001, 413)] {
        for piece in [1, 7, 500, 2000] {
            let mut client = server.connect().await;
            let mut post =
                b"POST /post HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            let body = vec![b'x'; length];
            for chunk in body.chunks(piece) {
                post.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                post.extend_from_slice(chunk);
                post.extend_from_slice(b"\r\n");
            }
            post.extend_from_slice(b"0\r\n\r\n");
            client.write_all(&post).await.unwrap();
            let said = reads(&mut client, "\r\n\r\n").await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{length} in {piece}: {said}");
        }
    }
}

#[tokio::test]
async fn drains_in_order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let written = order.clone();
    let server = Running::with(ServerOptions::default(), |server, shared| {
        let shared = shared.clone();
        let (address, control) = (server.local_addr(), server.control());
        server.on_drain(move || {
            Box::pin(async move {
                assert!(control.is_draining());
                assert!(TcpStream::connect(address).await.is_err(), "the listener is still open");
                written.lock().unwrap().push("hook");
                sleep(Duration::from_millis(100)).await;
                written.lock().unwrap().push("streams end");
                shared.stop.store(true, Ordering::SeqCst);
                shared.stopped.notify_waiters();
            })
        });
    })
    .await;
    let mut idle = server.get().await;
    let mut kept = server.get().await;
    let mut stream = server.stream(SILENT).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.control.shutdown();
    timeout(SOON, server.control.draining()).await.unwrap();

    // A kept connection still works while the hooks run, and is told that it ends.
    kept.write_all(GET).await.unwrap();
    let said = rest(&mut kept).await;
    assert!(said.contains("connection: close") && said.ends_with("served\n"), "{said}");
    assert!(rest(&mut stream).await.ends_with("0\r\n\r\n"), "the stream was cut");
    assert!(rest(&mut slow).await.ends_with("served\n"));
    assert_eq!(rest(&mut idle).await, "");
    let shared = server.shared.clone();
    assert_eq!(server.drained().await.cut, 0);
    assert_eq!(*order.lock().unwrap(), ["hook", "streams end"]);
    assert_eq!(*shared.ends.lock().unwrap(), [None]);
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let server = Running::new(ServerOptions::default().with_drain(Duration::from_millis(100))).await;
    let mut stream = server.stream(SILENT).await;
    server.control.shutdown();
    let shared = server.shared.clone();
    let drained = server.drained().await;
    assert_eq!(drained.cut, 1);
    assert_eq!(*shared.ends.lock().unwrap(), [Some(ConnectionEnd::Cut)]);
    let _ = rest(&mut stream).await;
}

#[tokio::test]
async fn a_cut_waits_for_no_hook() {
    let server =
        Running::with(ServerOptions::default().with_drain(Duration::from_secs(3600)), |server, _| {
            server.on_drain(|| Box::pin(std::future::pending()));
        })
        .await;
    let mut stream = server.stream(SILENT).await;
    server.control.shutdown();
    server.control.cut();
    assert_eq!(server.drained().await.cut, 1);
    let _ = rest(&mut stream).await;
}

#[tokio::test]
async fn dropping_it_drops_everything() {
    let server = Running::new(ServerOptions::default()).await;
    let mut stream = server.stream(SILENT).await;
    server.task.abort();
    let _ = rest(&mut stream).await;
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn an_open_address_needs_authentication_or_permission() {
    let shared = Arc::default();
    for (address, permission, serves) in
        [("0.0.0.0:0", false, false), ("0.0.0.0:0", true, true), ("127.0.0.1:0", false, true)]
    {
        let options = ServerOptions::default().with_allow_unauthenticated(permission);
        let server = Server::bind(address.parse().unwrap(), options).await.unwrap();
        server.control().shutdown();
        let served = timeout(SOON, server.serve(router(&shared))).await.unwrap();
        assert_eq!(served.is_ok(), serves, "{address} {permission}");
        if let Err(error) = served {
            assert_eq!(error.kind(), ErrorKind::Misuse);
        }
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error() {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), ServerOptions::default()).await.unwrap();
    let again = Server::bind(server.local_addr(), ServerOptions::default()).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Io);
}

#[tokio::test]
async fn a_listener_of_somebody_else() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::from_listener(listener, ServerOptions::default()).unwrap();
    let address = server.local_addr();
    let serving = tokio::spawn(server.serve(router(&Arc::default())));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(GET).await.unwrap();
    reads(&mut client, "served\n").await;
    serving.abort();
}

#[test]
fn can_be_sent() {
    fn sends<T: Send>(_: T) {}
    fn serves(server: Server, router: Router) {
        sends(server.serve(router));
    }
    fn controls(control: &ServerControl) {
        sends(control.draining());
        sends(control.clone());
    }
    let _ = (serves, controls);
}
