//! https, directly and through proxies, with certificates that are good until 2120 (`tests/tls`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod said;

use std::error::Error as _;
use std::future::Future;
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Uri;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use mcp_http::proto::Proxies;
use mcp_http::{HttpClient, HttpClientOptions};
use mcp_transport_core::{Error, ErrorKind};
use said::{Said, get, head, ok, redirect, with};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion, version};

const AUTHORITY: &[u8] = include_bytes!("tls/authority.pem");
/// Has issued nothing.
const OTHER_AUTHORITY: &[u8] = include_bytes!("tls/another-authority.pem");
/// For `mcp.test` and 127.0.0.1.
const SERVER: &[u8] = include_bytes!("tls/server.pem");
/// For `other.test`.
const OTHER: &[u8] = include_bytes!("tls/other.pem");
/// As the first, until February 2020.
const EXPIRED: &[u8] = include_bytes!("tls/expired.pem");
/// Of all three.
const KEY: &[u8] = include_bytes!("tls/server.key");

fn acceptor(certificate: &[u8], versions: &[&'static SupportedProtocolVersion]) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<_, _>>().unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
    // What is not offered cannot be chosen.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}
type First = Pin<Box<dyn Future<Output = Option<Box<dyn Io>>> + Send>>;

async fn server(certificate: &[u8], versions: &[&'static SupportedProtocolVersion]) -> Said {
    let acceptor = acceptor(certificate, versions);
    let answers = [
        ("/", ok("answer")),
        ("/cookie", with("Set-Cookie: route=a7; Secure\r\n", "")),
        ("/redirect", redirect(307, "http://HOST/")),
    ];
    Said::behind(&answers, move |socket| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(socket).await.ok() }
    })
    .await
}

fn uri(server: &Said, path: &str) -> Uri {
    format!("https://{}{path}", server.address).parse().unwrap()
}

fn trusting() -> HttpClientOptions {
    HttpClientOptions::default().with_extra_roots(AUTHORITY).unwrap()
}

/// The error and all that is behind it.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate() {
    for version in ALL_VERSIONS {
        let server = server(SERVER, &[version]).await;
        let client = HttpClient::new(trusting());
        client.check(&uri(&server, "/")).unwrap();
        for _ in 0..2 {
            let response = client.post_json(&uri(&server, "/"), HeaderMap::new(), "{}").await.unwrap();
            assert_eq!(response.body(), "answer");
        }
        let asked = server.asked();
        assert!(asked[1].starts_with("POST / HTTP/1.1\r\n") && asked[1].ends_with("\r\n\r\n{}"), "{asked:?}");
        // Another scheme is another origin.
        let error = client.send(get(uri(&server, "/redirect"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        client.send(get(uri(&server, "/cookie"))).await.unwrap();
        client.send(get(uri(&server, "/"))).await.unwrap();
        assert!(server.asked().pop().unwrap().contains("cookie: route=a7\r\n"));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted() {
    // The system may have no roots, which is another error.
    let strangers = HttpClientOptions::default().with_extra_roots(OTHER_AUTHORITY).unwrap();
    for (certificate, options, what, reason) in [
        (SERVER, strangers, "an authority that is not trusted", "UnknownIssuer"),
        (OTHER, trusting(), "for another host", "not valid for name"),
        (EXPIRED, trusting(), "has expired", "expired"),
    ] {
        let server = server(certificate, ALL_VERSIONS).await;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("secret4711"));
        let client = HttpClient::new(options.with_headers(headers));
        let error = client.send(get(uri(&server, "/"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(chain(&error).contains(reason), "{}", chain(&error));
        assert_eq!(server.asked(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_speaks_no_tls_of_ours() {
    let plain = Said::behind(&[], |mut socket: TcpStream| async move {
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok()?;
        Some(socket)
    });
    let closes = Said::behind(&[], |_| async { None::<TcpStream> });
    let silent = Said::behind(&[], |socket| async move {
        let _open = socket;
        std::future::pending::<Option<TcpStream>>().await
    });
    for (server, kind, what) in [
        (plain.await, ErrorKind::Peer, "the TLS handshake failed"),
        (closes.await, ErrorKind::Io, "the TLS handshake broke off"),
        (silent.await, ErrorKind::Timeout, "connecting takes too long"),
    ] {
        let options = trusting();
        let late = kind == ErrorKind::Timeout;
        let options = if late { options.with_connect(Duration::from_millis(300)) } else { options };
        let error = HttpClient::new(options).send(get(uri(&server, "/"))).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, what), "{}", chain(&error));
    }
}

/// A proxy that takes one request and is then the server; with TLS before it, if it has a certificate.
async fn tunnel(own: Option<&[u8]>, answer: &'static str) -> (Said, Arc<Mutex<Vec<String>>>) {
    let own = own.map(|certificate| acceptor(certificate, &[&version::TLS13]));
    let (server, told) = (acceptor(SERVER, ALL_VERSIONS), Arc::new(Mutex::new(Vec::new())));
    let writes = told.clone();
    let first = move |socket: TcpStream| -> First {
        let (own, server, told) = (own.clone(), server.clone(), writes.clone());
        Box::pin(async move {
            let stream: Box<dyn Io> = match own {
                Some(own) => Box::new(own.accept(socket).await.ok()?),
                None => Box::new(socket),
            };
            let mut stream = BufReader::new(stream);
            let head = head(&mut stream).await?;
            told.lock().unwrap().push(head);
            stream.write_all(answer.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
            Some(Box::new(server.accept(stream).await.ok()?) as Box<dyn Io>)
        })
    };
    (Said::behind(&[("/", ok("answer"))], first).await, told)
}

#[tokio::test]
async fn through_a_proxy() {
    for (scheme, own) in [("http", None), ("https", Some(SERVER))] {
        for answer in ["HTTP/1.1 200 Connected\r\nServer: x\r\n\r\n", "HTTP/1.0 200\r\n\r\n"] {
            let (proxy, told) = tunnel(own, answer).await;
            let proxies = Proxies::through(&format!("{scheme}://user:secret4711@{}", proxy.address));
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static("token4711"));
            let client = HttpClient::new(trusting().with_proxies(proxies).with_headers(headers));
            for _ in 0..2 {
                let response = client.send(get(Uri::from_static("https://mcp.test/"))).await.unwrap();
                assert_eq!(response.into_body().collect(99, Duration::MAX).await.unwrap(), "answer");
            }
            let told = told.lock().unwrap().concat().to_lowercase();
            assert!(told.starts_with("connect mcp.test:443 http/1.1\r\n"), "{told}");
            assert!(told.contains("\r\nhost: mcp.test:443\r\n"), "{told}");
            assert!(told.contains("\r\nproxy-authorization: basic dxnlcjpzzwnyzxq0nzex\r\n"), "{told}");
            assert!(!told.contains("token4711"), "{told}");
            let asked = proxy.asked();
            assert!(asked.iter().all(|head| head.starts_with("GET / HTTP/1.1\r\n")), "{asked:?}");
            assert!(!asked.concat().contains("proxy-authorization"), "{asked:?}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_let_us_through() {
    let huge: &'static str = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000)).leak();
    for (answer, kind, what) in [
        ("HTTP/1.1 407 No\r\nContent-Length: 9\r\n\r\n", ErrorKind::Refused, "asks for authentication"),
        ("HTTP/1.1 403 No\r\n\r\n", ErrorKind::Refused, "403"),
        ("HTTP/1.1 502 No\r\n\r\n", ErrorKind::Peer, "502"),
        ("HTTP/1.1 302 No\r\nLocation: /\r\n\r\n", ErrorKind::Peer, "302"),
        ("HTTP/1.1 200 OK\r\n\r\nearly", ErrorKind::Peer, "nobody asked for"),
        ("garbage\r\n\r\n", ErrorKind::Io, "does not answer as one"),
        (huge, ErrorKind::Io, "does not answer as one"),
    ] {
        let (proxy, _) = tunnel(None, answer).await;
        let proxies = Proxies::through(&proxy.address.to_string());
        let client = HttpClient::new(trusting().with_proxies(proxies));
        let error = client.send(get(Uri::from_static("https://mcp.test/"))).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer:.40}: {}", chain(&error));
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[tokio::test]
async fn roots_that_are_none() {
    let der = CertificateDer::from_pem_slice(AUTHORITY).unwrap();
    let both = [AUTHORITY, OTHER_AUTHORITY].concat();
    for (certificates, good) in [
        (AUTHORITY, true),
        (&der, true),
        (&both, true),
        (&AUTHORITY[..100], false),
        (KEY, false),
        (b"garbage", false),
        (b"", false),
    ] {
        let options = HttpClientOptions::default().with_extra_roots(certificates);
        assert_eq!(options.as_ref().err().map(Error::kind), (!good).then_some(ErrorKind::Misuse));
        assert!(options.is_err() || format!("{options:?}").contains("extra_roots"));
    }
}

/// The variables are for the process, so it is another one that has them.
#[tokio::test]
async fn roots_of_the_system() {
    let server = server(SERVER, ALL_VERSIONS).await;
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls");
    for (file, outcome) in
        [("authority.pem", "trusted"), ("server.key", "no certificates"), ("none", "no certificates")]
    {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "in_another_process", "--nocapture"]);
        child.env("IN_ANOTHER_PROCESS", outcome).env("TARGET", uri(&server, "/").to_string());
        child.env("SSL_CERT_FILE", format!("{directory}/{file}")).env_remove("SSL_CERT_DIR");
        let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{file}: {output:?}");
    }
}

/// The other process of the test above; alone, it has nothing to do.
#[tokio::test]
async fn in_another_process() {
    let Ok(outcome) = std::env::var("IN_ANOTHER_PROCESS") else { return };
    let client = HttpClient::new(HttpClientOptions::default());
    let target: Uri = std::env::var("TARGET").unwrap().parse().unwrap();
    for _ in 0..2 {
        let result = client.send(get(target.clone())).await;
        if outcome == "trusted" {
            result.unwrap();
        } else {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misuse, "{error}");
            assert!(error.to_string().contains(&outcome), "{error}");
        }
    }
}
