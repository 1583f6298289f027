//! Opens sessions over HTTP+SSE and Streamable HTTP, one at a time and waiting for each answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::pipe::{INITIALIZE, INITIALIZED};
use super::response::{Part, Responses, header, succeeded};
use super::running::PATIENCE;
use crate::Outcome;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    /// HTTP+SSE: an event stream, and POSTs beside it.
    Sse,
    /// Streamable HTTP: answers come with their POST.
    Streamable,
}

/// One connection whose answers are waited for.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) socket: TcpStream,
    pub(super) responses: Responses,
}

/// What was answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) fn connect(port: u16) -> Outcome<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, responses: Responses::new() })
    }

    /// Sends this and reads until `until` says so, which it is asked after every part.
    fn read_until(&mut self, mut until: impl FnMut(&Answer, bool) -> bool) -> Outcome<Answer> {
        let (mut answer, mut done) = (Answer::default(), false);
        let mut buffer = [0; 16 * 1024];
        while !done {
            let read = self.socket.read(&mut buffer)?;
            if read == 0 {
                return Err("the server has closed the connection".into());
            }
            self.responses.push(buffer.get(..read).unwrap_or_default(), |part| {
                let ended = matches!(part, Part::End);
                match part {
                    Part::Head(head) => answer.head = head.into(),
                    Part::Data(data) => answer.body.extend_from_slice(data),
                    Part::End => {}
                }
                done |= until(&answer, ended);
                Ok(())
            })?;
            if !answer.head.is_empty() && !succeeded(&answer.head) {
                return Err(format!("the server says {}", answer.head.trim()).into());
            }
        }
        Ok(answer)
    }

    /// A request and its whole answer.
    pub(super) fn ask(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.socket.write_all(request)?;
        self.read_until(|_, ended| ended)
    }

    /// Reads the stream until something stands in it.
    pub(super) fn hear(&mut self, what: &str) -> Outcome<String> {
        self.hear_any(&[what])
    }

    fn hear_any(&mut self, what: &[&str]) -> Outcome<String> {
        let answer = self.read_until(|answer, _| {
            let text = String::from_utf8_lossy(&answer.body);
            what.iter().any(|what| text.contains(what))
        })?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }
}

/// The bytes of a POST.
pub(super) fn post(port: u16, target: &Target, body: &str) -> Vec<u8> {
    let Target { path, session } = target;
    let session = session.as_ref().map(|id| format!("Mcp-Session-Id: {id}\r\n")).unwrap_or_default();
    let version = if path == "/mcp" { "MCP-Protocol-Version: 2025-06-18\r\n" } else { "" };
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{version}{session}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn get(port: u16, path: &str, session: Option<&str>) -> Vec<u8> {
    let session = session
        .map(|id| format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: 2025-06-18\r\n"))
        .unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n{session}\r\n")
        .into_bytes()
}

/// Where the messages of a session go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) path: String,
    /// The id in the header of Streamable HTTP, where there are sessions.
    pub(super) session: Option<String>,
}

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) target: Target,
    /// Its event stream, which is kept open.
    pub(super) stream: Option<Wire>,
}

impl Session {
    /// Opens one, with the handshake; its POSTs go over `posts`.
    pub(super) fn open(binding: Binding, port: u16, posts: &mut Wire) -> Outcome<Self> {
        match binding {
            Binding::Sse => {
                let mut stream = Wire::connect(port)?;
                stream.socket.write_all(&get(port, "/sse", None))?;
                let text = stream.hear_any(&["\n\n", "\n\r\n"])?;
                let path = text.lines().find_map(|line| line.strip_prefix("data:")).ok_or("no endpoint")?;
                let path = path.trim();
                // An absolute URL, from some.
                let path = path.find("://").map_or(path, |at| {
                    let rest = path.get(at + 3..).unwrap_or_default();
                    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
                });
                let target = Target { path: path.into(), session: None };
                posts.ask(&post(port, &target, INITIALIZE))?;
                stream.hear("2.0")?;
                posts.ask(&post(port, &target, INITIALIZED))?;
                Ok(Self { target, stream: Some(stream) })
            }
            Binding::Streamable => {
                let mut target = Target { path: "/mcp".into(), session: None };
                let answer = posts.ask(&post(port, &target, INITIALIZE))?;
                target.session = header(&answer.head, "mcp-session-id").map(str::to_owned);
                posts.ask(&post(port, &target, INITIALIZED))?;
                Ok(Self { target, stream: None })
            }
        }
    }

    /// Opens the stream that a session of Streamable HTTP has beside its POSTs.
    pub(super) fn listen(&mut self, port: u16) -> Outcome {
        let mut stream = Wire::connect(port)?;
        stream.socket.write_all(&get(port, "/mcp", self.target.session.as_deref()))?;
        stream.read_until(|answer, _| !answer.head.is_empty())?;
        self.stream = Some(stream);
        Ok(())
    }
}
