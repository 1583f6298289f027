//! A server that has no descriptors left, in a process of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use mcp_http::{Arrived, Reply, Route, Router, RouterOptions, Server, ServerOptions, text_reply};
use mcp_transport_core::BoxFuture;
use rustix::process::{Resource, Rlimit, setrlimit};

const CHILD: &str = "MCP_HTTP_TEST_DESCRIPTORS";
/// Descriptors beyond those that the process was born with; tokio and the listener take a few of them.
const ROOM: u64 = 30;
const CLIENTS: usize = 60;
/// Clients that stay when the others leave; there is room for all of them then.
const STAY: usize = 15;

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server: more places than descriptors, as somebody may configure it.
fn serve() {
    let born_with = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let limit = Some(born_with + ROOM);
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ok = |_: Arrived| -> BoxFuture<'static, Reply> {
            Box::pin(async { text_reply(StatusCode::OK, "served\n") })
        };
        let router = Router::new(RouterOptions::default(), [Route::new(Method::GET, "/x", Arc::new(ok))]);
        let options = ServerOptions::default().with_max_connections(1000);
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
        let mut out = std::io::stderr();
        writeln!(out, "at {}", server.local_addr()).unwrap();
        server.serve(router).await.unwrap();
    });
}

fn served(client: &mut TcpStream, within: Duration) -> bool {
    client.set_read_timeout(Some(within)).unwrap();
    let mut said = Vec::new();
    let mut piece = [0; 512];
    while !said.ends_with(b"served\n") {
        match client.read(&mut piece) {
            Ok(0) | Err(_) => return false,
            Ok(read) => said.extend_from_slice(&piece[..read]),
        }
    }
    true
}

/// Ticks of 10 ms that a process has computed.
fn ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn neither_spins_nor_parks_without_descriptors() {
    if std::env::var_os(CHILD).is_some() {
        return serve();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "neither_spins_nor_parks_without_descriptors", "--nocapture"]);
    child.env(CHILD, "1").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = Killed(child.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let address: SocketAddr = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(address) = line.strip_prefix("at ") {
            break address.parse().unwrap();
        }
    };
    let mut clients: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            client
        })
        .collect();
    assert!(served(&mut clients[0], Duration::from_secs(20)));
    let last = clients.last_mut().unwrap();
    let before = (ticks(child.0.id()), Instant::now());
    assert!(!served(last, Duration::from_secs(2)), "there was a descriptor for everybody");
    let (ticks, elapsed) = (ticks(child.0.id()) - before.0, before.1.elapsed());
    assert!(ticks < 50, "it computed {ticks} ticks in {elapsed:?}");
    // Places become free, and the ones who waited are served.
    let mut waited = clients.split_off(CLIENTS - STAY);
    drop(clients);
    for client in &mut waited {
        assert!(served(client, Duration::from_secs(20)), "it accepts no more");
    }
    assert!(child.0.try_wait().unwrap().is_none());
}
