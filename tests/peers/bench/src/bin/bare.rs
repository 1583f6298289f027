//! What pipes and hyper can do when nothing is understood: the limits that the bench measures against.
//!
//! `bare lines` writes each line of stdin back by itself, `batches` what it reads at once, `pipe` like `batches` on
//! tokio's non-blocking pipes. `bare http` answers a POST with its body, `bare sse` with 202 and an event on the stream
//! that was opened last for its session; their URL is their first line on stderr.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

const BUFFER: usize = 64 * 1024;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Reply = Response<BoxBody<Bytes, Infallible>>;
type Streams = Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Bytes>>>>;

fn main() -> Outcome {
    let mode = std::env::args().nth(1).unwrap_or_default();
    if mode == "lines" || mode == "batches" {
        return lines(mode == "batches");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &*mode {
            "pipe" => pipe().await,
            "http" | "sse" => http().await,
            _ => Err("lines, batches, pipe, http or sse?".into()),
        }
    })
}

fn lines(at_once: bool) -> Outcome {
    let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::fs::File::create("/proc/self/fd/1")?);
    let (mut buffer, mut filled) = (vec![0; BUFFER], 0);
    loop {
        if filled == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = stdin.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(());
        }
        let (mut searched, mut written, mut end) = (filled, 0, 0);
        filled += read;
        while let Some(at) = newline(&buffer[searched..filled]) {
            searched += at + 1;
            end = searched;
            if !at_once {
                stdout.write_all(&buffer[written..end])?;
                written = end;
            }
        }
        if end > written {
            stdout.write_all(&buffer[written..end])?;
            written = end;
        }
        buffer.copy_within(written..filled, 0);
        filled -= written;
    }
}

fn newline(bytes: &[u8]) -> Option<usize> {
    // The vectorized search of std.
    std::io::BufRead::skip_until(&mut &bytes[..], b'\n')
        .ok()
        .filter(|taken| *taken > 0 && bytes[*taken - 1] == b'\n')
        .map(|taken| taken - 1)
}

async fn pipe() -> Outcome {
    let mut stdin = pipe::OpenOptions::new().open_receiver("/proc/self/fd/0")?;
    let mut stdout = pipe::OpenOptions::new().open_sender("/proc/self/fd/1")?;
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        let before = buffer.len();
        if stdin.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        // What was there before holds no line end.
        let Some(end) = buffer[before..].iter().rposition(|byte| *byte == b'\n') else { continue };
        let end = before + end + 1;
        stdout.write_all(&buffer[..end]).await?;
        buffer.drain(..end);
    }
}

async fn http() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let streams = Streams::default();
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let streams = streams.clone();
        let serve = service_fn(move |request| answer(request, streams.clone()));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), serve),
        );
    }
}

async fn answer(request: Request<Incoming>, streams: Streams) -> Result<Reply, hyper::Error> {
    let response = Response::builder();
    let built = if request.method() == Method::GET {
        // The limit has no bounds; the load has 64 calls in flight at most.
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut streams = streams.lock().unwrap();
        let session = streams.len().to_string();
        let _ = sender.send(format!("event: endpoint\ndata: /message?sessionId={session}\n\n").into());
        streams.insert(session, sender);
        response.header("content-type", "text/event-stream").body(BoxBody::new(Events(receiver)))
    } else {
        let session =
            request.uri().query().and_then(|query| query.strip_prefix("sessionId=")).map(str::to_owned);
        let body = request.into_body().collect().await?.to_bytes();
        match session {
            Some(session) => {
                let event = [b"event: message\ndata: ", &*body, b"\n\n"].concat();
                if let Some(stream) = streams.lock().unwrap().get(&session) {
                    let _ = stream.send(event.into());
                }
                response.status(202).body(BoxBody::new(Full::default()))
            }
            None => response.header("content-type", "application/json").body(BoxBody::new(Full::new(body))),
        }
    };
    Ok(built.expect("constants are headers"))
}

struct Events(mpsc::UnboundedReceiver<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
