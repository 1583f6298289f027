//! How often a server asks the allocator for one message, in steady state.
//!
//! `sse` and `bare-sse` are the whole servers, hyper's part included: the difference is what is ours.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};

use allocation_counter::measure;
use mcp_http::{Router, RouterOptions, Server, ServerOptions};
use mcp_sse::{SseOptions, SseServer};
use mcp_transport_core::{Connection, Incoming, Listener, Options, serve};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::{Outcome, bare_sse};

const LINE: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":42,\"method\":\"tools/call\",\"params\":{\"name\":\"weather\",\"arguments\":{\"city\":\"Uster on the lake\",\"days\":3},\"_meta\":{\"progressToken\":\"p-42\"}}}\n";
const FEW: usize = 1_000;
const MANY: usize = 6_000;

pub fn each(what: &str) -> Outcome<f64> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut count: Box<dyn FnMut(usize) -> u64> = match what {
        "stdio-together" => Box::new(|messages| lines(&runtime, messages, false)),
        "stdio-alone" => Box::new(|messages| lines(&runtime, messages, true)),
        "sse" | "bare-sse" => {
            let address =
                if what == "sse" { runtime.block_on(ours())? } else { runtime.block_on(bare_sse::start())? };
            let mut talk = Some(Talk::start(&runtime, address)?);
            Box::new(move |messages| {
                let (next, count) = events(&runtime, talk.take().expect("it comes back"), messages);
                talk = Some(next);
                count
            })
        }
        other => return Err(format!("nothing is {other}").into()),
    };
    count(FEW);
    let (few, many) = (count(FEW), count(MANY));
    Ok((many as f64 - few as f64) / (MANY - FEW) as f64)
}

async fn handle(connection: Connection) {
    serve(connection, |incoming| async move {
        if let Incoming::Request(exchange) = incoming {
            exchange.finish("sunny");
        }
    })
    .await;
}

fn lines(runtime: &Runtime, messages: usize, alone: bool) -> u64 {
    let peer = Peer { left: messages * LINE.len(), alone, paused: false };
    let connection = mcp_stdio::connection(peer, tokio::io::sink(), Options::new("bench"));
    measure(|| runtime.block_on(handle(connection))).count_total
}

/// A peer in memory that allocates nothing.
struct Peer {
    left: usize,
    /// A line only when the one before was answered.
    alone: bool,
    paused: bool,
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.alone && !std::mem::replace(&mut self.paused, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.paused = false;
        let most = if self.alone { LINE.len() } else { usize::MAX };
        let room = buf.remaining().min(self.left).min(most);
        for byte in 0..room {
            // Where in the line it stands, counted from the end of all.
            let at = (LINE.len() - (self.left - byte) % LINE.len()) % LINE.len();
            buf.put_slice(&LINE[at..=at]);
        }
        self.left -= room;
        Poll::Ready(Ok(()))
    }
}

async fn ours() -> Outcome<SocketAddr> {
    let (sse, mut sessions) = SseServer::new(SseOptions::default());
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await?;
    let address = server.local_addr();
    tokio::spawn(server.serve(Router::new(RouterOptions::default(), sse.routes())));
    tokio::spawn(async move {
        while let Some(Ok(session)) = sessions.accept().await {
            tokio::spawn(handle(session));
        }
    });
    Ok(address)
}

/// A client with blocking sockets, on a thread of its own while the server runs on this.
struct Talk {
    stream: TcpStream,
    posts: TcpStream,
    request: Vec<u8>,
}

impl Talk {
    fn start(runtime: &Runtime, address: SocketAddr) -> Outcome<Self> {
        let (done, started) = oneshot::channel();
        std::thread::spawn(move || done.send(Self::open(address).map_err(|error| error.to_string())));
        Ok(runtime.block_on(started)??)
    }

    fn open(address: SocketAddr) -> io::Result<Self> {
        let (mut stream, posts) = (TcpStream::connect(address)?, TcpStream::connect(address)?);
        posts.set_nodelay(true)?;
        write!(stream, "GET /sse HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n")?;
        let head = until(&mut stream, "\n\n")?;
        let path =
            head.rsplit("data: ").next().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        let body = &LINE[..LINE.len() - 1];
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Ok(Self { stream, posts, request: [head.as_bytes(), body].concat() })
    }

    fn call(&mut self) -> io::Result<()> {
        self.posts.write_all(&self.request)?;
        until(&mut self.posts, "\r\n\r\n")?;
        until(&mut self.stream, "\"id\":42").map(drop)
    }
}

/// What comes until it holds `end`.
fn until(from: &mut TcpStream, end: &str) -> io::Result<String> {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains(end) {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    Ok(text)
}

fn events(runtime: &Runtime, mut talk: Talk, messages: usize) -> (Talk, u64) {
    let (done, talked) = oneshot::channel();
    let (go, gone) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = gone.recv();
        for _ in 0..messages {
            talk.call().expect("the server answers");
        }
        let _ = done.send(talk);
    });
    let mut back = None;
    let counted = measure(|| {
        let _ = go.send(());
        back = runtime.block_on(talked).ok();
    });
    (back.expect("the client has not panicked"), counted.count_total)
}
