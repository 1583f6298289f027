//! What every transport has to hold, over everything that carries lines here.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod programs;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mcp_stdio::{SocketClient, SocketListener, StdioClient, connection};
use mcp_transport_core::{Connection, Limits, Listener, Options, Transport, contract};
use tokio::io::{duplex, split};
use tokio::net::unix::pipe;

use programs::habits;

fn options(limits: Limits) -> Options {
    Options::default().with_limits(limits)
}

async fn memory(near: Limits, far: Limits) -> (Connection, Connection) {
    let ((one, other), near, far) = (duplex(64 * 1024), options(near), options(far));
    let ((one_reads, one_writes), (other_reads, other_writes)) = (split(one), split(other));
    (connection(one_reads, one_writes, near), connection(other_reads, other_writes, far))
}

async fn pipes(near: Limits, far: Limits) -> (Connection, Connection) {
    let ((to_far, from_near), (to_near, from_far)) = (pipe::pipe().unwrap(), pipe::pipe().unwrap());
    (connection(from_far, to_far, options(near)), connection(from_near, to_near, options(far)))
}

/// A path of its own for each socket.
fn path() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("mcp-stdio-contract-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    std::env::temp_dir().join(name)
}

async fn unix(near: Limits, far: Limits) -> (Connection, Connection) {
    let path = path();
    let mut listener = SocketListener::unix(&path, options(far)).unwrap();
    let near = SocketClient::unix(path).with_options(options(near)).dial().await.unwrap();
    (near, listener.accept().await.unwrap().unwrap())
}

async fn tcp(near: Limits, far: Limits) -> (Connection, Connection) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut listener = SocketListener::tcp(address, options(far)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let near = SocketClient::tcp(address).with_options(options(near)).dial().await.unwrap();
    (near, listener.accept().await.unwrap().unwrap())
}

/// A real child, which passes on what it gets: the far end is behind it.
async fn child(near: Limits, far: Limits) -> (Connection, Connection) {
    let path = path();
    let mut listener = SocketListener::unix(&path, options(far)).unwrap();
    let spec = habits(&["relay", path.to_str().unwrap()]);
    let near = StdioClient::new(spec).with_options(options(near)).start().unwrap();
    (near, listener.accept().await.unwrap().unwrap())
}

#[tokio::test]
async fn memory_holds_it() {
    contract::all(memory).await;
}

#[tokio::test]
async fn pipes_hold_it() {
    contract::all(pipes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipes_hold_it_on_two_threads() {
    contract::all(pipes).await;
}

#[tokio::test]
async fn unix_sockets_hold_it() {
    contract::all(unix).await;
}

#[tokio::test]
async fn tcp_holds_it() {
    contract::all(tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_sockets_hold_it_on_two_threads() {
    contract::all(unix).await;
}

#[tokio::test]
async fn a_child_holds_it() {
    contract::all(child).await;
}

#[tokio::test]
async fn storms_of_many_seeds() {
    for seed in 2..6 {
        contract::storm(&pipes, seed).await;
        contract::storm(&tcp, seed).await;
        contract::storm(&child, seed).await;
    }
}
