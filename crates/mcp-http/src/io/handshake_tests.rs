//! One connection over TLS in memory, under a paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{io, pin::Pin};

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::tests::{Ends, router};
use super::{ConnectionEnd, Peer, ServerOptions, Stage, drive_tls};

/// Takes so many bytes at once, and is blocked before each write.
struct Narrow {
    inner: DuplexStream,
    width: Arc<AtomicUsize>,
    was_blocked: bool,
}

impl AsyncRead for Narrow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let width = self.width.load(Ordering::SeqCst);
        if width < usize::MAX && !std::mem::replace(&mut self.was_blocked, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.was_blocked = false;
        Pin::new(&mut self.inner).poll_write(cx, &buf[..buf.len().min(width)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

struct Side {
    width: Arc<AtomicUsize>,
    stage: watch::Sender<Stage>,
    ends: Ends,
    server: JoinHandle<Option<ConnectionEnd>>,
    connector: TlsConnector,
    start: Instant,
}

impl Side {
    fn new(buffer: usize) -> (Self, DuplexStream) {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap());
        let mut roots = RootCertStore::empty();
        roots.add(own.der().clone()).unwrap();
        let trusting = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (ends, stage) = (Ends::default(), watch::Sender::new(Stage::Serving));
        let (router, seen) = (router(&ends), stage.subscribe());
        let (client, inner) = duplex(buffer);
        let width = Arc::new(AtomicUsize::new(usize::MAX));
        let server = Narrow { inner, width: width.clone(), was_blocked: false };
        let config = Arc::new(config.unwrap());
        let server = tokio::spawn(async move {
            drive_tls(server, config, Peer::default(), router, &ServerOptions::default(), seen).await
        });
        let connector = TlsConnector::from(Arc::new(trusting));
        (Self { width, stage, ends, server, connector, start: Instant::now() }, client)
    }

    async fn shakes(&self, socket: DuplexStream) -> TlsStream<DuplexStream> {
        self.connector.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap()
    }

    fn ends(&self) -> Vec<Option<ConnectionEnd>> {
        self.ends.lock().unwrap().clone()
    }

    /// Why it ended, and when, in seconds.
    async fn end(self) -> (Option<ConnectionEnd>, u64) {
        let end = timeout(Duration::from_secs(10_000), self.server).await;
        (end.expect("the connection is still open").unwrap(), self.start.elapsed().as_secs())
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stalls_ends() {
    // Nothing, the beginning of a record, and a byte of it each second.
    for (begin, trickles) in
        [(&b""[..], false), (&[0x16, 3, 1, 0, 200, 1, 0][..], false), (&[0x16, 3, 1, 0, 200], true)]
    {
        let (side, mut socket) = Side::new(4096);
        socket.write_all(begin).await.unwrap();
        let trickle = async {
            while trickles && socket.write_all(&[0]).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        let (end, ()) = tokio::join!(side.end(), trickle);
        assert_eq!(end, (None, 10), "{begin:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_tls_ends_at_once_with_an_alert() {
    let (side, mut socket) = Side::new(4096);
    socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    socket.read_to_end(&mut said).await.unwrap();
    // RFC 8446 6: a fatal alert.
    assert_eq!((said[0], said[5]), (0x15, 2), "{said:?}");
    drop(socket);
    assert_eq!(side.end().await, (None, 0));
    // Who does not go has a moment, and no more.
    let (side, mut socket) = Side::new(4096);
    socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(side.end().await, (None, 1));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_no_handshake() {
    for stage in [Stage::Closing, Stage::Cut] {
        let (side, _socket) = Side::new(4096);
        sleep(Duration::from_secs(3)).await;
        side.stage.send_replace(Stage::Draining);
        sleep(Duration::from_secs(3)).await;
        assert!(!side.server.is_finished());
        side.stage.send_replace(stage);
        assert_eq!(side.end().await, (None, 6));
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_byte_is_one_within_tls() {
    let (side, socket) = Side::new(4096);
    sleep(Duration::from_secs(9)).await;
    let _stream = side.shakes(socket).await;
    assert_eq!(side.end().await, (Some(ConnectionEnd::NoFirstByte), 9 + 15));
}

/// TLS has a buffer of its own, which hyper, the handover and the stream all meet half full.
#[tokio::test(start_paused = true)]
async fn a_stream_is_the_same_over_tls() {
    let piece = "x".repeat(300);
    let whole = format!("3\r\none\r\n12C\r\n{piece}\r\n0\r\n\r\n");
    for width in (1..20).chain([64, 100, 300, 1000, 4096, usize::MAX]) {
        let (side, socket) = Side::new(64 * 1024);
        let mut stream = side.shakes(socket).await;
        side.width.store(width, Ordering::SeqCst);
        stream.write_all(b"GET /pieces HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(&whole.as_bytes()[8..whole.len() - 5]) {
            let reading = timeout(Duration::from_secs(60), stream.read_buf(&mut said));
            assert_ne!(reading.await.expect("the connection is still open").unwrap(), 0);
        }
        // Each piece comes when it is there, and not with the next one.
        assert_eq!(side.start.elapsed().as_secs(), 2, "{width}");
        let reading = timeout(Duration::from_secs(60), stream.read_to_end(&mut said));
        // Without close_notify it fails.
        reading.await.expect("the connection is still open").unwrap();
        let said = String::from_utf8(said).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("connection: close"), "{head}");
        assert_eq!(body, whole, "{width}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_left() {
    for path in ["/flood", "/large"] {
        let (side, socket) = Side::new(4096);
        let mut stream = side.shakes(socket).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let ends = side.ends.clone();
        assert_eq!(side.end().await, (Some(ConnectionEnd::WriteStalled), 30), "{path}");
        let expected = vec![Some(ConnectionEnd::WriteStalled); usize::from(path == "/flood")];
        assert_eq!(*ends.lock().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_served() {
    let (side, socket) = Side::new(4096);
    let mut stream = side.shakes(socket).await;
    stream.write_all(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    // Below TLS, where a record takes many turns.
    let mut socket = stream.into_inner().0;
    for _ in 0..100 {
        sleep(Duration::from_secs(25)).await;
        assert_ne!(socket.read(&mut [0; 512]).await.unwrap(), 0);
    }
    assert_eq!(side.ends(), []);
    drop(socket);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(side.ends(), [None], "the peer ended it");
}
