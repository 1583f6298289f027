//! What is held of bodies at their bound and beyond it: at most the bound and a tenth.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use allocation_counter::measure;
use http::{Method, StatusCode};
use mcp_http::{
    Arrived, DEFAULT_MAX_BODY, Payload, Reply, Route, Router, RouterOptions, Server, ServerOptions, Takes,
    text_reply,
};
use mcp_transport_core::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// So many that the one whose buffer grows, and is there twice for a moment, is a small part.
const CLIENTS: usize = 32;
const PIECE: usize = 64 * 1024;
const SOON: Duration = Duration::from_secs(60);

/// How a body is told.
#[derive(Clone, Copy, Debug)]
enum Told {
    Length,
    Chunks,
}

/// Sends a body but for its last byte, on a thread of its own: what it allocates is not counted.
fn begin(address: SocketAddr, told: Told, len: usize) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.set_write_timeout(Some(SOON)).unwrap();
    let head = match told {
        Told::Length => format!("Content-Length: {len}\r\n"),
        Told::Chunks => "Transfer-Encoding: chunked\r\n".into(),
    };
    let head =
        format!("POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let mut left = len - 1;
    while left > 0 {
        let piece = vec![b' '; left.min(PIECE)];
        if let Told::Chunks = told {
            socket.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
        }
        // Who has been refused meanwhile is closed.
        if socket.write_all(&piece).is_err() {
            break;
        }
        if let Told::Chunks = told {
            socket.write_all(b"\r\n").unwrap();
        }
        left -= piece.len();
    }
    socket
}

/// Sends the last byte, and gives the status.
fn finish(mut socket: TcpStream, told: Told) -> u16 {
    let end: &[u8] = match told {
        Told::Length => b" ",
        Told::Chunks => b"1\r\n \r\n0\r\n\r\n",
    };
    let _ = socket.write_all(end);
    let mut start = [0; 12];
    socket.read_exact(&mut start).unwrap();
    std::str::from_utf8(&start[9..]).unwrap().parse().unwrap()
}

/// Bytes that were held at most while so many bodies of this length were under way at once, and were then answered.
fn peak(told: Told, len: usize, status: u16) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bodies = Arc::new(AtomicUsize::new(0));
    let seen = bodies.clone();
    let address = runtime.block_on(async move {
        let handler = move |arrived: Arrived| -> BoxFuture<'static, Reply> {
            let Payload::Bytes(bytes) = arrived.payload else { panic!("no body") };
            seen.fetch_add(bytes.len(), Ordering::Relaxed);
            Box::pin(future::ready(text_reply(StatusCode::OK, "served\n")))
        };
        let route = Route::new(Method::POST, "/post", Arc::new(handler)).takes(Takes::Bytes);
        let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
        let address = server.local_addr();
        tokio::spawn(server.serve(Router::new(RouterOptions::default(), [route])));
        address
    });
    let held = measure(|| {
        let (done, statuses) = oneshot::channel();
        std::thread::spawn(move || {
            let begun: Vec<_> = (0..CLIENTS).map(|_| begin(address, told, len)).collect();
            let statuses: Vec<_> = begun.into_iter().map(|socket| finish(socket, told)).collect();
            let _ = done.send(statuses);
        });
        let statuses = runtime.block_on(async { timeout(SOON, statuses).await.unwrap().unwrap() });
        assert_eq!(statuses, [status; CLIENTS], "{told:?} {len}");
    });
    assert_eq!(bodies.load(Ordering::Relaxed), if status == 200 { CLIENTS * len } else { 0 });
    eprintln!("{CLIENTS} bodies of {len} bytes by {told:?}: {} bytes at most", held.bytes_max);
    held.bytes_max
}

#[test]
fn bodies_at_the_bound_from_many_connections() {
    let most = (CLIENTS * DEFAULT_MAX_BODY) as u64;
    for told in [Told::Length, Told::Chunks] {
        for len in [DEFAULT_MAX_BODY - 1, DEFAULT_MAX_BODY] {
            let peak = peak(told, len, 200);
            // The first ones may be answered before all of the last one has been read.
            assert!(peak >= most - most / 10 && peak <= most + most / 10, "{peak} of {most}");
        }
    }
    // One byte more: by its length it is refused before anything is kept, in chunks when it has come.
    let refused = peak(Told::Length, DEFAULT_MAX_BODY + 1, 413);
    assert!(refused <= 2 * 1024 * 1024, "{refused}");
    let refused = peak(Told::Chunks, DEFAULT_MAX_BODY + 1, 413);
    assert!(refused <= most + most / 10, "{refused}");
}
