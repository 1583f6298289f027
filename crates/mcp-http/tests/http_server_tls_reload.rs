//! Certificates that are replaced while a server serves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod certified;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use certified::{Authority, Dials, Directory, Issued, ask, shown};
use http::{Method, StatusCode};
use mcp_http::{Arrived, Reply, Route, Router, RouterOptions, Server, ServerOptions, ServerTls, text_reply};
use mcp_transport_core::{BoxFuture, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::client::TlsStream;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, span};

/// Generous: what is awaited comes much earlier, or the test fails.
const SOON: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);

struct Running {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn run(tls: ServerTls) -> Running {
    let ok = |_: Arrived| -> BoxFuture<'static, Reply> {
        Box::pin(async { text_reply(StatusCode::OK, "served\n") })
    };
    let router = Router::new(RouterOptions::default(), [Route::new(Method::GET, "/", Arc::new(ok))]);
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
    let server = server.with_tls(tls);
    let address = server.local_addr();
    Running { address, serving: tokio::spawn(async move { drop(server.serve(router).await) }) }
}

/// Connects until this certificate is shown.
async fn is_shown(dials: &Dials<'_>, address: SocketAddr, expected: &Issued) {
    let looking = async {
        while shown(&dials.to(address).await.unwrap()) != expected.der {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, looking).await.expect("the new certificate is not shown");
}

async fn keeps_alive(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"served\n") {
        assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0);
    }
}

/// Errors in the log of this process, as text.
static ERRORS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Writes down errors, and nothing else.
struct Errors;

impl tracing::Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && metadata.target() == "mcp.http"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                write!(self.0, "{field}={value:?} ").unwrap();
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        ERRORS.lock().unwrap().push(text.0);
    }
}

/// How many errors were about files of this directory.
fn errors(directory: &Directory) -> usize {
    let directory: &Path = directory.as_ref();
    let directory = directory.display().to_string();
    ERRORS.lock().unwrap().iter().filter(|error| error.contains(&directory)).count()
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Errors).unwrap());
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(LOOK).await;
        }
    };
    timeout(SOON, waiting).await.expect(what);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_times_under_load() {
    listen();
    let (authority, directory) = (Authority::new(), Directory::new());
    let (chain, key) = directory.put_pair(&authority.server("0.test"));
    let tls = ServerTls::from_files(chain, key).unwrap().with_look_every(LOOK).unwrap();
    let server = run(tls.clone()).await;
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let connector = Dials::trusting(&authority).connector();
    let mut load = JoinSet::new();
    for _ in 0..4 {
        let (stop, count, connector, address) =
            (stop.clone(), count.clone(), connector.clone(), server.address);
        load.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let mut stream = certified::connect(&connector, address).await.expect("a handshake failed");
                let said = ask(&mut stream, "/").await.expect("a connection broke");
                assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("served\n"), "{said}");
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut kept = Dials::trusting(&authority).to(server.address).await.unwrap();
    let (mut newest, mut changes) = (None, 0);
    for turn in 1..=100 {
        let pair = authority.server(&format!("{turn}.test"));
        let before = count.load(Ordering::Relaxed);
        directory.put_pair(&pair);
        if turn % 2 == 0 {
            // As on a signal, beside the looks.
            tls.reload().unwrap();
            assert_eq!(tls.names(), [format!("{turn}.test")]);
            changes += 1;
        }
        until("no connection is made", || count.load(Ordering::Relaxed) > before + 1).await;
        newest = Some(pair);
    }
    is_shown(&Dials::trusting(&authority), server.address, &newest.unwrap()).await;
    keeps_alive(&mut kept).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    assert_eq!(changes, 50);
    assert!(count.load(Ordering::Relaxed) >= 200);
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_and_is_told_once() {
    listen();
    let (authority, directory) = (Authority::new(), Directory::new());
    let (old, new) = (authority.server("old.test"), authority.server("new.test"));
    let (chain, key) = directory.put_pair(&old);
    let tls = ServerTls::from_files(&chain, &key).unwrap().with_look_every(LOOK).unwrap();
    let server = run(tls.clone()).await;
    let dials = Dials::trusting(&authority);
    let mut told = 0;
    for (name, text) in [
        ("server.pem", Some(&new.chain[..])),
        ("server.pem", Some("")),
        ("server.pem", None),
        ("server.key", Some("no key")),
    ] {
        match text {
            Some(text) => drop(directory.put(name, text)),
            None => std::fs::remove_file(directory.path(name)).unwrap(),
        }
        told += 1;
        until("the fault is not told", || errors(&directory) == told).await;
        // Many looks later it is still told once, and the old certificate is shown.
        let start = Instant::now();
        while start.elapsed() < 20 * LOOK {
            assert_eq!(shown(&dials.to(server.address).await.unwrap()), old.der);
            sleep(LOOK).await;
        }
        assert_eq!(errors(&directory), told, "{:?}", ERRORS.lock().unwrap());
        let error = tls.reload().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Misuse), "{error}");
        assert_eq!(shown(&dials.to(server.address).await.unwrap()), old.der);
    }
    // One after the other, in place: the pair works when it is whole, whatever was seen of it before.
    for pair in [&new, &old] {
        std::fs::write(&chain, &pair.chain[..100]).unwrap();
        std::fs::write(&chain, &pair.chain).unwrap();
        sleep(2 * LOOK).await;
        std::fs::write(&key, &pair.key).unwrap();
        is_shown(&dials, server.address, pair).await;
        tls.reload().unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_that_are_turned() {
    use std::os::unix::fs::symlink;
    let (authority, directory) = (Authority::new(), Directory::new());
    let pairs = [authority.server("one.test"), authority.server("two.test")];
    for (name, pair) in ["one", "two"].iter().zip(&pairs) {
        std::fs::create_dir(directory.path(name)).unwrap();
        std::fs::write(directory.path(name).join("tls.crt"), &pair.chain).unwrap();
        std::fs::write(directory.path(name).join("tls.key"), &pair.key).unwrap();
    }
    symlink("one", directory.path("current")).unwrap();
    let current = directory.path("current");
    let tls = ServerTls::from_files(current.join("tls.crt"), current.join("tls.key")).unwrap();
    let server = run(tls.with_look_every(LOOK).unwrap()).await;
    let dials = Dials::trusting(&authority);
    assert_eq!(shown(&dials.to(server.address).await.unwrap()), pairs[0].der);
    symlink("two", directory.path("next")).unwrap();
    std::fs::rename(directory.path("next"), &current).unwrap();
    is_shown(&dials, server.address, &pairs[1]).await;
}

#[tokio::test]
async fn authorities_of_clients_are_read_again_too() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (one, two) = (Authority::new(), Authority::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let authorities = directory.put("clients.pem", &one.pem);
    let tls = ServerTls::from_files(chain, key).unwrap().with_client_authorities(authorities).unwrap();
    let server = run(tls.with_look_every(LOOK).unwrap()).await;
    let (of_one, of_two) = (one.client("one"), two.client("two"));
    let dials = |own| Dials { own: Some(own), resumes: true, ..Dials::trusting(&authority) }.connector();
    let (dials_one, dials_two) = (dials(&of_one), dials(&of_two));
    let is_in = async |connector: &tokio_rustls::TlsConnector| {
        let Ok(mut stream) = certified::connect(connector, server.address).await else { return false };
        ask(&mut stream, "/").await.is_ok_and(|said| said.ends_with("served\n"))
    };
    assert!(is_in(&dials_one).await && !is_in(&dials_two).await);
    let mut kept = certified::connect(&dials_one, server.address).await.unwrap();
    keeps_alive(&mut kept).await;
    directory.put("clients.pem", &two.pem);
    let turned = async {
        while !is_in(&dials_two).await {
            sleep(LOOK).await;
        }
    };
    timeout(SOON, turned).await.expect("the new authority is not trusted");
    // It has been in before, and would resume if it could.
    assert!(!is_in(&dials_one).await);
    keeps_alive(&mut kept).await;
}
