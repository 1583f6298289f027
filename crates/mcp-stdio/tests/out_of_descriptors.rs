//! A listener that cannot accept for want of descriptors: one test in a process of its own, because it takes them all.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::fs::File;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::time::Duration;

use mcp_stdio::SocketListener;
use mcp_transport_core::{Listener, Options};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn the_listener_rests_and_goes_on() {
    let mut listener =
        SocketListener::tcp((Ipv4Addr::LOCALHOST, 0).into(), Options::default()).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    // It neither gives up nor tries again and again: it is polled for its first try, and once after each rest.
    let mut polls = 0;
    let accept = poll_fn(|cx| {
        polls += 1;
        listener.poll_accept(cx)
    });
    let accepted = timeout(Duration::from_millis(500), accept).await;
    assert!(accepted.is_err(), "{accepted:?}");
    assert!((2..=8).contains(&polls), "{polls}");
    drop(files);
    let accepted = timeout(Duration::from_secs(20), listener.accept()).await.expect("in time");
    assert!(accepted.unwrap().is_ok());
    drop(client);
}
