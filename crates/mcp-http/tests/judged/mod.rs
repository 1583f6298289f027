//! A server whose test looks at each request before it answers.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http::Uri;
use mcp_http::proto::Origin;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a test says to one request.
pub(crate) type Answer = Pin<Box<dyn Future<Output = String> + Send>>;

/// Answers on each connection until it ends, and writes down what it was asked.
pub(crate) struct Judged {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Method and target.
    pub(crate) line: String,
    /// The values of `Authorization`.
    pub(crate) authorization: Vec<String>,
    /// The names in lower case, the values as they are.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Drop for Judged {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Judged {
    pub(crate) async fn new(judge: impl Fn(Asked) -> String + Send + Sync + 'static) -> Self {
        Self::slowly(move |asked| -> Answer { Box::pin(std::future::ready(judge(asked))) }).await
    }

    pub(crate) async fn slowly(judge: impl Fn(Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (judge, writes) = (Arc::new(judge), asked.clone());
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (judge, writes) = (judge.clone(), writes.clone());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(socket);
                    while let Some(asked) = Asked::read(&mut stream).await {
                        writes.lock().unwrap().push(asked.clone());
                        let answer = judge(asked).await;
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, asked, task }
    }

    pub(crate) fn uri(&self, path: &str) -> Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::of(&self.uri("/")).unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Of each request so far, the value of `Authorization`, or nothing.
    pub(crate) fn shown(&self) -> Vec<String> {
        let one = |asked: Asked| {
            assert!(asked.authorization.len() <= 1, "{asked:?}");
            asked.authorization.into_iter().next().unwrap_or_default()
        };
        self.asked().into_iter().map(one).collect()
    }
}

impl Asked {
    async fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return None;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            lines.push(line.to_owned());
        }
        let line = lines.remove(0).strip_suffix(" HTTP/1.1").unwrap().to_owned();
        let lower = |line: &String| {
            let (name, value) = line.split_once(": ").unwrap();
            format!("{}: {value}", name.to_ascii_lowercase())
        };
        let headers: Vec<String> = lines.iter().map(lower).collect();
        let values = |name: &'static str| headers.iter().filter_map(move |line| line.strip_prefix(name));
        let length = values("content-length: ").next().map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let authorization = values("authorization: ").map(str::to_owned).collect();
        Some(Self { line, authorization, headers, body: String::from_utf8(body).unwrap() })
    }

    /// Whether it is with this token and no other.
    pub(crate) fn is_with(&self, token: &str) -> bool {
        self.authorization == [format!("Bearer {token}")]
    }
}

pub(crate) fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

/// A refusal with a challenge.
pub(crate) fn challenged(status: &str, challenge: &str) -> String {
    answer(status, &format!("WWW-Authenticate: {challenge}\r\n"), "canary")
}

/// With more headers, each with its line end.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
