//! A server of a few lines.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::collections::HashMap;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Request, Uri};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Says what it is told for each target, whole, with its own address for `HOST`, and writes down what it was asked.
pub(crate) struct Said {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Said {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Said {
    pub(crate) async fn new(answers: &[(&str, String)]) -> Self {
        Self::behind(answers, |socket| ready(Some(socket))).await
    }

    /// With something on each connection before its requests; `None` closes it.
    pub(crate) async fn behind<S, F>(
        answers: &[(&str, String)],
        first: impl Fn(TcpStream) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Option<S>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let own = |answer: &String| answer.replace("HOST", &address.to_string());
        let answers: HashMap<String, String> =
            answers.iter().map(|(path, answer)| ((*path).to_owned(), own(answer))).collect();
        let answers = Arc::new(answers);
        let writes = asked.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (first, answers, writes) = (first.clone(), answers.clone(), writes.clone());
                tokio::spawn(async move {
                    if let Some(stream) = first(socket).await {
                        Self::one(stream, answers, writes).await;
                    }
                });
            }
        });
        Self { address, asked, task }
    }

    async fn one(
        stream: impl AsyncRead + AsyncWrite + Unpin,
        answers: Arc<HashMap<String, String>>,
        asked: Arc<Mutex<Vec<String>>>,
    ) {
        let mut stream = BufReader::new(stream);
        loop {
            let Some(head) = head(&mut stream).await else { return };
            let length = head.to_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length: ").map(|value| value.trim().parse().unwrap())
            });
            let mut body = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut body).await.unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            asked.lock().unwrap().push(format!("{head}{}", String::from_utf8(body).unwrap()));
            let Some(answer) = answers.get(&path) else { std::future::pending().await };
            if stream.write_all(answer.as_bytes()).await.is_err()
                || stream.flush().await.is_err()
                || answer.contains("Connection: close")
            {
                return;
            }
        }
    }

    pub(crate) fn uri(&self, path: &str) -> Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

/// The head of one request, or `None` at the end.
pub(crate) async fn head(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(head)
}

pub(crate) fn ok(body: &str) -> String {
    with("", body)
}

/// A success with more headers, each with its line end.
pub(crate) fn with(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

pub(crate) fn status(line: &str, headers: &str) -> String {
    format!("HTTP/1.1 {line}\r\n{headers}Content-Length: 6\r\n\r\ncanary")
}

pub(crate) fn get(uri: Uri) -> Request<bytes::Bytes> {
    let mut request = Request::new(bytes::Bytes::new());
    *request.uri_mut() = uri;
    request
}
