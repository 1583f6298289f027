//! A token that a program prints. The programs are scripts for `sh`, which is a program like any other.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod judged;

use std::error::Error as _;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request};
use judged::{Judged, challenged, ok};
use mcp_http::credentials::{Credentials, Destination, TokenCommand};
use mcp_http::proto::Origin;
use mcp_http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_transport_core::{Error, ErrorKind};
use tokio::sync::oneshot;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(60);

fn origin() -> Origin {
    Origin::parse(b"https://mcp.test").unwrap()
}

fn script(text: &str) -> TokenCommand {
    TokenCommand::new(origin(), "/bin/sh").args(["-c", text])
}

/// What would be sent, without sending it.
async fn ask(command: &TokenCommand) -> Result<String, Error> {
    let (origin, uri) = (origin(), "https://mcp.test/mcp".parse().unwrap());
    let value = timeout(SOON, command.next(Destination::new(&origin, &uri))).await.unwrap()?.unwrap();
    assert!(value.is_sensitive());
    Ok(value.to_str().unwrap().to_owned())
}

/// The error and all that is behind it, as people and programs see it.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error} {error:?}");
        source = error.source();
    }
    text
}

/// A directory that is removed in the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mcp-http-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_first_line_is_the_token() {
    for (text, token) in [
        ("echo secret4711", "secret4711"),
        ("printf secret4711", "secret4711"),
        ("printf ' secret4711\\r\\nmore\\n'", "secret4711"),
        ("echo secret4711; echo expires=3600; sleep 0.1; echo more", "secret4711"),
        ("head -c 8192 /dev/zero | tr '\\0' a", &"a".repeat(8192)),
        // There is nothing to read.
        ("read line; echo secret4711$line", "secret4711"),
        // What it started may live on, and holds its stdout open.
        ("echo secret4711; sleep 5 & exit 0", "secret4711"),
    ] {
        let begun = Instant::now();
        assert_eq!(ask(&script(text)).await.unwrap(), format!("Bearer {token}"), "{text}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{text}: {:?}", begun.elapsed());
    }
    let no_shell = TokenCommand::new(origin(), "printf").arg("%s").args(["secret4711", "$(echo", "x)"]);
    let error = ask(&no_shell).await.unwrap_err();
    assert_eq!(error.to_string(), "what was fetched is no bearer token");
    let spaces = TokenCommand::new(origin(), "printf").args(["a%sc", "."]);
    assert_eq!(ask(&spaces).await.unwrap(), "Bearer a.c");
}

#[tokio::test]
async fn what_is_no_token() {
    for (text, kind, what) in [
        ("echo secret4711; exit 3", ErrorKind::Io, "the token command failed"),
        ("echo secret4711; kill -9 $$", ErrorKind::Io, "the token command failed"),
        ("exit 0", ErrorKind::Io, "what was fetched is no bearer token"),
        ("echo; echo secret4711", ErrorKind::Io, "what was fetched is no bearer token"),
        ("echo Bearer secret4711", ErrorKind::Io, "what was fetched is no bearer token"),
        ("printf 'secret4711\\377\\n'", ErrorKind::Io, "the token command prints no token"),
        ("head -c 8193 /dev/zero | tr '\\0' a", ErrorKind::Io, "what was fetched is no bearer token"),
        ("while :; do echo secret4711; done", ErrorKind::Limit, "the token command prints too much"),
    ] {
        let command = script(text);
        let error = ask(&command).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, what), "{text}");
        let shown = format!("{} {command:?}", shown(&error));
        assert!(!shown.contains("secret4711") && !shown.contains("echo"), "{shown}");
        // Whoever asks soon after it is told the same, and it is not run again.
        assert_eq!(ask(&command).await.unwrap_err().to_string(), what);
    }
    for program in ["/nowhere/at/all", "echo secret4711", ""] {
        let error = ask(&TokenCommand::new(origin(), program).arg("secret4711")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Refused, "the token command cannot be started")
        );
        assert!(!shown(&error).contains("secret4711"), "{}", shown(&error));
    }
}

/// A fifo that a script and all that it starts hold open: tells when one has begun, and when all are gone.
fn fifo(place: &Place) -> (String, oneshot::Receiver<()>, oneshot::Receiver<()>) {
    let fifo = place.at("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let ((begins, begun), (goes, gone), path) = (oneshot::channel(), oneshot::channel(), fifo.clone());
    // A thread, for which no runtime waits.
    std::thread::spawn(move || {
        let mut held = BufReader::new(std::fs::File::open(path).unwrap());
        let mut line = String::new();
        held.read_line(&mut line).unwrap();
        assert_eq!(line, "begun\n");
        begins.send(()).unwrap();
        assert_eq!(held.read_line(&mut line).unwrap(), 0);
        goes.send(()).unwrap();
    });
    (format!("exec 3>{fifo}; echo begun >&3; trap '' TERM; sleep 1000 & wait"), begun, gone)
}

#[tokio::test]
async fn one_that_takes_too_long_is_killed_with_what_it_started() {
    let place = Place::new("late");
    let (text, begun, gone) = fifo(&place);
    let error = ask(&script(&text).with_timeout(Duration::from_secs(2))).await.unwrap_err();
    let what = "the token command takes too long";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Timeout, what));
    timeout(SOON, gone).await.unwrap().unwrap();
    drop(begun);
}

#[tokio::test]
async fn one_that_nobody_wants_any_more_is_killed() {
    let place = Place::new("dropped");
    let (text, begun, mut gone) = fifo(&place);
    let command = Arc::new(script(&text));
    let asks = command.clone();
    let asking = tokio::spawn(async move { ask(&asks).await });
    timeout(SOON, begun).await.unwrap().unwrap();
    // A request that is given up is no reason to kill it: the next one may want it.
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert!(gone.try_recv().is_err());
    drop(command);
    timeout(SOON, gone).await.unwrap().unwrap();
}

#[tokio::test]
async fn it_is_run_again_after_a_401_and_once_for_all() {
    let place = Place::new("again");
    let server = Judged::new(|asked| match asked.line.as_str() {
        "POST /never" => challenged("401 Unauthorized", "Bearer"),
        "POST /scope" => challenged("403 Forbidden", "Bearer error=\"insufficient_scope\""),
        _ if asked.is_with("t1") => challenged("401 Unauthorized", "Bearer error=\"invalid_token\""),
        _ => ok(""),
    })
    .await;
    let text = format!("echo >>{0}; echo t$(($(wc -l <{0})))", place.at("runs"));
    let runs = || std::fs::read_to_string(place.at("runs")).map_or(0, |text| text.len());
    let origin = server.origin();
    let command = TokenCommand::new(origin.clone(), "/bin/sh").args(["-c", &text]);
    let client = HttpClient::new(
        HttpClientOptions::default().with_credentials(Arc::new(command.with_interval(Duration::ZERO))),
    );
    let post = |path: &str| {
        let mut request = Request::new(bytes::Bytes::new());
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, server.uri(path));
        let client = client.clone();
        tokio::spawn(async move { client.send(request).await.map(drop) })
    };
    let all: Vec<_> = (0..32).map(|_| post("/")).collect();
    for one in all {
        timeout(SOON, one).await.unwrap().unwrap().unwrap();
    }
    assert_eq!(runs(), 2);
    assert_eq!(server.shown().last().unwrap(), "Bearer t2");
    // More scope is not what it can get.
    let error = post("/scope").await.unwrap().unwrap_err();
    assert_eq!((HttpRefused::of(&error).unwrap().status().as_u16(), runs()), (403, 2));
    // One request has it run twice at most.
    let error = post("/never").await.unwrap().unwrap_err();
    assert_eq!((HttpRefused::of(&error).unwrap().status().as_u16(), runs()), (401, 4));

    let rarely = TokenCommand::new(origin, "/bin/sh").args(["-c", &text]);
    let client = HttpClient::new(HttpClientOptions::default().with_credentials(Arc::new(rarely)));
    for _ in 0..9 {
        let mut request = Request::new(bytes::Bytes::new());
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, server.uri("/never"));
        client.send(request).await.unwrap_err();
    }
    assert_eq!(runs(), 5);
}
