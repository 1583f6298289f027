//! Bounds of the client, one below, at, and one above (T-LIM1).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod said;

use std::time::Duration;

use http::HeaderMap;
use mcp_http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_transport_core::ErrorKind;
use said::{Said, get, ok, redirect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

fn chunked(body: &str, piece: usize) -> String {
    let chunk = |chunk: &[u8]| format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap());
    let chunks: String = body.as_bytes().chunks(piece).map(chunk).collect();
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
}

#[tokio::test]
async fn bodies_of_answers() {
    const MAX: usize = 1000;
    let client = HttpClient::new(HttpClientOptions::default().with_max_body(MAX));
    for len in [MAX - 1, MAX, MAX + 1, 10 * MAX] {
        let body = "x".repeat(len);
        let mut answers = vec![("/length", ok(&body))];
        for (path, piece) in [("/1", 1), ("/7", 7), ("/whole", len)] {
            answers.push((path, chunked(&body, piece)));
        }
        // Neither: the end of the connection is the end of the body (RFC 9112 6.3).
        answers.push(("/close", format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}")));
        let server = Said::new(&answers).await;
        for (path, _) in answers {
            let result = client.post_json(&server.uri(path), HeaderMap::new(), "{}").await;
            match result {
                Ok(response) => assert_eq!((response.body().len(), len <= MAX), (len, true), "{path}"),
                Err(error) => assert_eq!((error.kind(), len > MAX), (ErrorKind::Limit, true), "{path} {len}"),
            }
        }
    }
    assert_eq!(HttpClientOptions::default().max_body, 4 * 1024 * 1024);
}

/// What is larger is no body at all; status and headers are there all the same.
#[tokio::test]
async fn bodies_of_errors() {
    const MAX: usize = 64 * 1024;
    for len in [MAX - 1, MAX, MAX + 1, 10 * MAX] {
        let body = "x".repeat(len);
        let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n";
        let server = Said::new(&[
            ("/length", format!("{head}Content-Length: {len}\r\n\r\n{body}")),
            ("/chunks", chunked(&body, 10_000).replace("HTTP/1.1 200 OK\r\n", head)),
        ])
        .await;
        for path in ["/length", "/chunks"] {
            let client = HttpClient::new(HttpClientOptions::default());
            let error = client.send(get(server.uri(path))).await.unwrap_err();
            let refused = HttpRefused::of(&error).unwrap();
            assert_eq!((refused.status().as_u16(), refused.challenges().len()), (401, 1));
            assert_eq!(refused.body().1.len(), if len <= MAX { len } else { 0 }, "{path}");
        }
    }
}

#[tokio::test]
async fn heads_of_answers() {
    const MAX: usize = 64 * 1024;
    let client = HttpClient::new(HttpClientOptions::default());
    let fixed = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: \r\n\r\n".len();
    // hyper reads no further once it holds so much, and looks at what it has read by then, which its buffer doubles: what
    // is certain is that this much fits, and that twice as much and one byte does not.
    for (len, fits) in [(MAX - 1, true), (MAX, true), (2 * MAX + 1, false), (10 * MAX, false)] {
        let filler = "y".repeat(len - fixed);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {filler}\r\n\r\n");
        assert_eq!(head.len(), len);
        let server = Said::new(&[("/", head)]).await;
        let result = client.send(get(server.uri("/"))).await;
        assert_eq!(result.is_ok(), fits, "{len}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Io);
        }
    }
    for (headers, fits) in [(99, true), (100, true), (101, false)] {
        let lines = "X: y\r\n".repeat(headers - 1);
        let server =
            Said::new(&[("/", format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{lines}\r\n"))]).await;
        let result = client.send(get(server.uri("/"))).await;
        assert_eq!(result.is_ok(), fits, "{headers}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Io);
        }
    }
}

#[tokio::test]
async fn redirects() {
    for most in [0_usize, 1, 5] {
        let client = HttpClient::new(HttpClientOptions::default().with_max_redirects(most));
        for count in [most.saturating_sub(1), most, most + 1] {
            let steps: Vec<_> =
                (0..count).map(|at| (format!("/{at}"), redirect(307, &format!("/{}", at + 1)))).collect();
            let mut answers: Vec<_> =
                steps.iter().map(|(path, answer)| (path.as_str(), answer.clone())).collect();
            let last = format!("/{count}");
            answers.push((&last, ok("arrived")));
            let server = Said::new(&answers).await;
            let result = client.send(get(server.uri("/0"))).await;
            assert_eq!(result.is_ok(), count <= most, "{count} of {most}");
            assert_eq!(server.asked().len(), count.min(most) + 1);
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Refused);
            }
        }
    }
    assert_eq!(HttpClientOptions::default().max_redirects, 5);
}

/// Answers each request with a head after a while, and its body a while later.
async fn slow(head: Duration, body: Duration) -> http::Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = Vec::new();
                while !read.ends_with(b"{}") {
                    if socket.read_buf(&mut read).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                sleep(head).await;
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx").await;
                sleep(body).await;
                let _ = socket.write_all(b"x").await;
                std::future::pending::<()>().await;
            });
        }
    });
    format!("http://{address}/").parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn times() {
    let milliseconds = Duration::from_millis;
    // Milliseconds until the head, and from there to the last byte.
    for (head, body, ends) in [
        (29_990, 0, None),
        (30_010, 0, Some(30_000)),
        (0, 29_990, None),
        (0, 30_010, Some(30_000)),
        (29_990, 29_990, None),
    ] {
        let uri = slow(milliseconds(head), milliseconds(body)).await;
        let client = HttpClient::new(HttpClientOptions::default());
        let start = Instant::now();
        let result = client.post_json(&uri, HeaderMap::new(), "{}").await;
        let took = start.elapsed();
        match ends {
            None => assert_eq!(result.unwrap().body(), "xx"),
            Some(ends) => {
                assert!(result.unwrap_err().is_timeout());
                let at = milliseconds(ends)..=milliseconds(ends + 2);
                assert!(at.contains(&took), "{head} {body}: {took:?}");
            }
        }
    }
}
