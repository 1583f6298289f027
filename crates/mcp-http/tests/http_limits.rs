//! Bounds of the server, one below, at, and one above (T-LIM1), through a real server on a real socket under a clock that
//! stands still.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{future, io};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Full;
use mcp_http::proto::Origin;
use mcp_http::{
    Arrived, BodyPace, ConnectionEnd, ConnectionHandle, Cors, Payload, Reply, Route, Router, RouterOptions,
    Server, ServerOptions, Takes, event_stream_reply, text_reply,
};
use mcp_transport_core::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";
const MAX: usize = 1000;

type Ends = Arc<Mutex<Vec<Option<ConnectionEnd>>>>;

/// Says one thing, and then nothing or always the same.
struct Stream {
    connection: ConnectionHandle,
    ends: Ends,
    said: bool,
    floods: bool,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.said && !self.floods {
            return Poll::Pending;
        }
        self.said = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": open\n\n")))))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.ends.lock().unwrap().push(self.connection.end());
    }
}

struct Running {
    address: SocketAddr,
    ends: Ends,
    bodies: Arc<Mutex<Vec<usize>>>,
}

impl Running {
    async fn new(options: ServerOptions) -> Self {
        let (ends, bodies) = (Ends::default(), Arc::<Mutex<Vec<usize>>>::default());
        let stream = |floods| {
            let ends = ends.clone();
            move |arrived: Arrived| -> BoxFuture<'static, Reply> {
                let (connection, ends) = (arrived.connection.unwrap(), ends.clone());
                Box::pin(async move { event_stream_reply(Stream { connection, ends, said: false, floods }) })
            }
        };
        let seen = bodies.clone();
        let ok = move |arrived: Arrived| -> BoxFuture<'static, Reply> {
            if let Payload::Bytes(bytes) = &arrived.payload {
                seen.lock().unwrap().push(bytes.len());
            }
            Box::pin(future::ready(text_reply(StatusCode::OK, "served\n")))
        };
        let routes = [
            Route::new(Method::GET, "/x", Arc::new(ok.clone())),
            Route::new(Method::GET, "/silent", Arc::new(stream(false))),
            Route::new(Method::GET, "/flood", Arc::new(stream(true))),
            Route::new(Method::POST, "/post", Arc::new(ok)).takes(Takes::Bytes).max_body(MAX),
        ];
        let server = Server::bind(([127, 0, 0, 1], 0).into(), options).await.unwrap();
        let address = server.local_addr();
        tokio::spawn(server.serve(Router::new(RouterOptions::default(), routes)));
        Self { address, ends, bodies }
    }

    async fn connect(&self) -> Client {
        Client { socket: TcpStream::connect(self.address).await.unwrap(), start: Instant::now() }
    }
}

struct Client {
    socket: TcpStream,
    start: Instant,
}

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// One short reply.
    async fn served(&mut self) {
        let mut all = Vec::new();
        while !all.ends_with(b"served\n") {
            assert_ne!(self.socket.read_buf(&mut all).await.unwrap(), 0);
        }
    }

    /// What comes until the end, and when that was.
    async fn rest(&mut self) -> (String, Duration) {
        let mut all = Vec::new();
        let read = timeout(Duration::from_secs(100_000), self.socket.read_to_end(&mut all)).await;
        let _ = read.expect("the connection is still open");
        (String::from_utf8(all).unwrap(), self.start.elapsed())
    }

    /// The status of the answer, or none if the connection ended, and when that was.
    async fn status(&mut self) -> (u16, Duration) {
        let mut all = Vec::new();
        while !all.windows(4).any(|four| four == b"\r\n\r\n") {
            if self.socket.read_buf(&mut all).await.unwrap_or(0) == 0 {
                return (0, self.start.elapsed());
            }
        }
        let text = String::from_utf8(all).unwrap();
        (text.split(' ').nth(1).unwrap().parse().unwrap(), self.start.elapsed())
    }
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Timers have a grain of a millisecond, and round up.
#[track_caller]
fn is_at(at: Duration, expected: u64) {
    assert!((milliseconds(expected)..=milliseconds(expected + 2)).contains(&at), "{at:?}, not {expected} ms");
}

/// A partial head is closed, which hyper alone does not do without a timer, and each clock is exact.
#[tokio::test(start_paused = true)]
async fn times_before_a_request() {
    let server = Running::new(ServerOptions::default()).await;
    // Before the first byte, from there to the end of the head, and between two requests.
    for (first, head, idle) in [(14_990, 14_990, 59_990), (15_010, 0, 0), (14_990, 15_010, 0), (0, 0, 60_010)]
    {
        let mut client = server.connect().await;
        sleep(milliseconds(first)).await;
        if first > 15_000 {
            let (said, at) = client.rest().await;
            assert_eq!(said, "");
            is_at(at, first);
            continue;
        }
        client.send(&GET[..1]).await;
        sleep(milliseconds(head / 2)).await;
        client.send(&GET[1..GET.len() - 1]).await;
        sleep(milliseconds(head - head / 2)).await;
        if head > 15_000 {
            assert_eq!(client.rest().await.0, "");
            continue;
        }
        client.send(&GET[GET.len() - 1..]).await;
        client.served().await;
        sleep(milliseconds(idle)).await;
        if idle > 60_000 {
            assert_eq!(client.rest().await.0, "");
            continue;
        }
        client.send(GET).await;
        client.served().await;
    }
    // And when exactly: nothing at all, one byte, a head without its last byte, a second request that does not come.
    for (sent, ends) in [(0, 15_000), (1, 15_000), (GET.len() - 1, 15_000), (GET.len(), 60_000)] {
        let mut client = server.connect().await;
        client.send(&GET[..sent]).await;
        let (said, at) = client.rest().await;
        assert_eq!(said.ends_with("served\n"), sent == GET.len());
        is_at(at, ends);
    }
}

#[tokio::test(start_paused = true)]
async fn time_without_a_write() {
    for (pause, ends) in [(29_990, false), (30_010, true)] {
        let server = Running::new(ServerOptions::default()).await;
        let mut client = server.connect().await;
        client.send(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        sleep(milliseconds(pause)).await;
        let expected: &[_] = if ends { &[Some(ConnectionEnd::WriteStalled)] } else { &[] };
        assert_eq!(*server.ends.lock().unwrap(), expected, "{pause}");
    }
}

fn post(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("POST /post HTTP/1.1\r\nHost: localhost\r\n{head}\r\n").as_bytes(), body].concat()
}

fn chunked(body: &[u8], piece: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(piece) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// What the head says, what comes behind it, the status and when it comes, and what the handler has seen.
type BodyCase = (String, Vec<u8>, u16, u64, Option<usize>);

#[tokio::test(start_paused = true)]
async fn bodies_with_and_without_a_length_honest_or_not() {
    let server = Running::new(ServerOptions::default()).await;
    let length = |length: u64| format!("Content-Length: {length}\r\n");
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    let all = [b'x'; 2 * MAX];
    let mut cases: Vec<BodyCase> = Vec::new();
    for (len, fits) in [(MAX - 1, true), (MAX, true), (MAX + 1, false), (2 * MAX, false)] {
        let (status, seen) = if fits { (200, Some(len)) } else { (413, None) };
        let body = &all[..len];
        cases.push((length(len as u64), body.to_vec(), status, 0, seen));
        for piece in [1, 7, MAX, 2 * MAX] {
            cases.push((CHUNKED.into(), chunked(body, piece), status, 0, seen));
        }
        // Declared, and not a byte of it comes: what is too much is refused by its head, the rest is waited for.
        let (status, at) = if fits { (408, 10_000) } else { (413, 0) };
        cases.push((length(len as u64), Vec::new(), status, at, None));
        // The last byte does not come.
        cases.push((length(len as u64), all[..len - 1].to_vec(), status, at, None));
    }
    // Less was declared than comes: what is behind it is a request, and no good one.
    cases.push((length(3), b"xxxGET\0".to_vec(), 200, 0, Some(3)));
    cases.push((length(u64::MAX - 2), Vec::new(), 413, 0, None));
    // hyper uses the two largest numbers for itself, and says that the head is too large.
    cases.push((length(u64::MAX), Vec::new(), 431, 0, None));
    cases.push((length(u64::MAX / 2), all.to_vec(), 413, 0, None));
    // Neither length nor chunks is no body (RFC 9112 6.3).
    cases.push((String::new(), Vec::new(), 200, 0, Some(0)));
    for (head, body, status, at, seen) in cases {
        let case = format!("{head}{} bytes", body.len());
        let mut client = server.connect().await;
        client.send(&post(&head, &body)).await;
        let (said, when) = client.status().await;
        assert_eq!(said, status, "{case}");
        is_at(when, at);
        assert_eq!(server.bodies.lock().unwrap().pop(), seen, "{case}");
    }
}

/// The pace at exact times: a body of which the next bytes come just in time, or just too late.
#[tokio::test(start_paused = true)]
async fn bodies_in_time() {
    let server = Running::new(ServerOptions::default()).await;
    assert_eq!(BodyPace::default().min_rate, 1024);
    // Bytes at once, milliseconds until the last one, the status and when.
    for (first, pause, status, at) in [
        (1, 9_990, 200, 9_990),
        (1, 10_010, 408, 10_000),
        (MAX - 1, 9_990, 200, 9_990),
        (MAX - 1, 10_010, 408, 10_000),
        (0, 9_990, 200, 9_990),
        (0, 10_010, 408, 10_000),
    ] {
        let mut client = server.connect().await;
        client.send(&post(&format!("Content-Length: {}\r\n", first + 1), &vec![b'x'; first])).await;
        let (mut read, mut write) = client.socket.split();
        let late = async {
            sleep(milliseconds(pause)).await;
            // It may have been answered and closed by then.
            let _ = write.write_all(b"x").await;
        };
        let mut start = [0; 12];
        let answer = async {
            read.read_exact(&mut start).await.unwrap();
            client.start.elapsed()
        };
        let ((), when) = tokio::join!(late, answer);
        assert_eq!(std::str::from_utf8(&start).unwrap(), format!("HTTP/1.1 {status}"), "{first} {pause}");
        is_at(when, at);
    }
}

#[tokio::test(start_paused = true)]
async fn heads() {
    let max = ServerOptions::default().max_head;
    assert_eq!(max, 32 * 1024);
    let server = Running::new(ServerOptions::default()).await;
    let fixed = "GET /x? HTTP/1.1\r\nHost: localhost\r\nX: \r\n\r\n".len();
    for (length, fits) in [(max - 1, true), (max, true), (max + 1, false), (2 * max, false)] {
        let rest = "x".repeat(length - fixed);
        // All of it in one header, or in the target.
        for (target, header) in [("", rest.as_str()), (rest.as_str(), "")] {
            let mut client = server.connect().await;
            let head = format!("GET /x?{target} HTTP/1.1\r\nHost: localhost\r\nX: {header}\r\n\r\n");
            assert_eq!(head.len(), length);
            let _ = client.socket.write_all(head.as_bytes()).await;
            let status = client.status().await.0;
            assert_eq!(status, if fits { 200 } else { 431 }, "{length} {}", target.len());
        }
    }
    for (headers, status) in [(99, 200), (100, 200), (101, 431)] {
        let mut client = server.connect().await;
        let lines = "X: y\r\n".repeat(headers - 1);
        client.send(format!("GET /x HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n").as_bytes()).await;
        assert_eq!(client.status().await.0, status, "{headers}");
    }
}

/// What a client says behind its request for a stream, which nobody reads.
#[tokio::test(start_paused = true)]
async fn bytes_behind_a_request_for_a_stream() {
    const MOST: usize = 64 * 1024;
    for more in [MOST - 1, MOST, MOST + 1] {
        let server = Running::new(ServerOptions::default()).await;
        let mut client = server.connect().await;
        client.send(b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let mut said = Vec::new();
        while !said.ends_with(b": open\n\n\r\n") {
            assert_ne!(client.socket.read_buf(&mut said).await.unwrap(), 0);
        }
        client.send(&vec![b'x'; more]).await;
        sleep(Duration::from_secs(1)).await;
        let expected: &[_] = if more > MOST { &[None] } else { &[] };
        assert_eq!(*server.ends.lock().unwrap(), expected, "{more}");
    }
}

#[tokio::test]
async fn connections_at_once() {
    const MOST: usize = 3;
    let server = Running::new(ServerOptions::default().with_max_connections(MOST)).await;
    let mut clients = Vec::new();
    for _ in 0..MOST {
        let mut client = server.connect().await;
        client.send(GET).await;
        client.served().await;
        clients.push(client);
    }
    let mut further = server.connect().await;
    further.send(GET).await;
    let waits = timeout(Duration::from_millis(200), further.served()).await;
    assert!(waits.is_err(), "served beyond the limit");
    drop(clients.pop());
    timeout(Duration::from_secs(20), further.served()).await.expect("a place is free");
}

#[tokio::test]
async fn parameters_that_a_preflight_names() {
    const MOST: usize = 32;
    let cors = Cors::new([Origin::parse(b"https://app.example").unwrap()]);
    let router = Router::new(RouterOptions::default().cors(cors), []);
    for asked in [MOST - 1, MOST, MOST + 1, 1000] {
        let names: Vec<_> = (0..asked).map(|at| format!("mcp-param-{at}")).collect();
        let request = Request::options("/x")
            .header("host", "localhost")
            .header("origin", "https://app.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", names.join(","));
        let reply = router.answer(request.body(Full::<Bytes>::default()).unwrap()).await;
        let allowed = reply.headers()["access-control-allow-headers"].to_str().unwrap();
        assert_eq!(allowed.matches("mcp-param-").count(), asked.min(MOST), "{asked}");
    }
}

/// A body whose head lies about its length, where the router is mounted and nobody has looked at it before.
#[tokio::test]
async fn a_length_that_is_not_true_where_nobody_checked_it() {
    let seen = Arc::new(AtomicUsize::new(0));
    let writes = seen.clone();
    let ok = move |arrived: Arrived| -> BoxFuture<'static, Reply> {
        let Payload::Bytes(bytes) = arrived.payload else { panic!() };
        writes.store(bytes.len(), Ordering::Relaxed);
        Box::pin(future::ready(text_reply(StatusCode::OK, "served\n")))
    };
    let route = Route::new(Method::POST, "/post", Arc::new(ok)).takes(Takes::Bytes).max_body(MAX);
    let router = Router::new(RouterOptions::default(), [route]);
    for len in [0, 1, MAX - 1, MAX, MAX + 1] {
        for declared in
            ["0", "1", "999", "1000", "1001", "18446744073709551615", "18446744073709551616", "-1", "x"]
        {
            let too_long = declared.parse::<u64>().is_ok_and(|declared| declared > MAX as u64);
            let mut headers = HeaderMap::new();
            headers.insert("host", "localhost".parse().unwrap());
            headers.insert("content-length", declared.parse().unwrap());
            let mut request = Request::post("/post").body(Full::new(Bytes::from(vec![b'x'; len]))).unwrap();
            *request.headers_mut() = headers;
            let reply = router.answer(request).await;
            let expected = if too_long || len > MAX { 413 } else { 200 };
            assert_eq!(reply.status().as_u16(), expected, "{len} bytes as {declared}");
            if expected == 200 {
                assert_eq!(seen.load(Ordering::Relaxed), len);
            }
        }
    }
}
