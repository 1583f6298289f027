//! Who is told that a request is on its way.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request};
use mcp_http::{HttpClient, HttpClientOptions, OnTaken};
use mcp_transport_core::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn it_is_told_before_the_answer_and_for_each_redirect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (taken, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let told = taken.clone();
    let mut request = Request::new("{}".into());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("http://{address}/").parse().unwrap();
    request.extensions_mut().insert(OnTaken::new(move || {
        told.fetch_add(1, Ordering::SeqCst);
    }));
    let serving = async {
        for answer in ["307 Temporary Redirect\r\nLocation: /other", "202 Accepted"] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\n{}") {
                socket.read_buf(&mut read).await.unwrap();
            }
            seen.fetch_add(1, Ordering::SeqCst);
            assert_eq!(
                taken.load(Ordering::SeqCst),
                seen.load(Ordering::SeqCst),
                "told before it is answered"
            );
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    let client = HttpClient::new(HttpClientOptions::default());
    let (response, ()) = tokio::join!(client.send(request), serving);
    assert_eq!(response.unwrap().status(), 202);
}

#[test]
fn what_can_be_sent_to() {
    let client = HttpClient::new(HttpClientOptions::default());
    let check = |uri: &str| client.check(&uri.parse().unwrap()).map_err(|error| error.kind());
    assert_eq!(check("http://127.0.0.1:1/mcp"), Ok(()));
    let https = if cfg!(feature = "tls") { Ok(()) } else { Err(ErrorKind::Refused) };
    assert_eq!(check("https://127.0.0.1/mcp"), https);
    assert_eq!(check("ftp://127.0.0.1/"), Err(ErrorKind::Misuse));
    assert_eq!(check("/mcp"), Err(ErrorKind::Misuse));
}
