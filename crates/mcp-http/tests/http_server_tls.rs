//! The server over TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod certified;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use certified::{Authority, Dials, Directory, ask, connect};
use http::{HeaderMap, Method, StatusCode, Uri};
use mcp_http::{
    Arrived, Drained, HttpClient, HttpClientOptions, PeerCertificate, Reply, Route, Router, RouterOptions,
    Server, ServerControl, ServerOptions, ServerTls, Takes, text_reply,
};
use mcp_transport_core::{BoxFuture, Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::rustls::{ALL_VERSIONS, HandshakeKind, version};

/// Generous: what is awaited comes much earlier, or the test fails.
const SOON: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    control: ServerControl,
    serving: JoinHandle<Result<Drained, Error>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// `/` is served; `/who` says how long the client's certificate is, and what it shows of itself.
fn router() -> Router {
    let ok = |_: Arrived| -> BoxFuture<'static, Reply> {
        Box::pin(async { text_reply(StatusCode::OK, "served\n") })
    };
    let who = |arrived: Arrived| -> BoxFuture<'static, Reply> {
        let certificate = arrived.parts.extensions.get::<PeerCertificate>().cloned();
        Box::pin(async move {
            let Some(certificate) = certificate else { return text_reply(StatusCode::OK, "nobody\n") };
            assert_eq!(
                format!("{certificate:?}"),
                format!("PeerCertificate {{ bytes: {} }}", certificate.as_der().len())
            );
            mcp_http::reply(StatusCode::OK, mcp_http::ReplyBody::full(certificate.as_der().to_vec()))
        })
    };
    let routes = [
        Route::new(Method::GET, "/", Arc::new(ok)),
        Route::new(Method::POST, "/", Arc::new(ok)).takes(Takes::Bytes),
        Route::new(Method::GET, "/who", Arc::new(who)),
    ];
    Router::new(RouterOptions::default(), routes)
}

async fn run(tls: ServerTls, options: ServerOptions) -> Running {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), options).await.unwrap().with_tls(tls);
    assert_eq!(server.scheme(), "https");
    let (address, control) = (server.local_addr(), server.control());
    Running { address, control, serving: tokio::spawn(server.serve(router())) }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("it takes too long")
}

#[tokio::test]
async fn our_own_client() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let tls = ServerTls::from_files(chain, key).unwrap();
    assert_eq!(tls.names(), ["mcp.test"]);
    let server = run(tls, ServerOptions::default()).await;
    let options = HttpClientOptions::default().with_extra_roots(authority.pem.as_bytes()).unwrap();
    let client = HttpClient::new(options);
    let uri: Uri = format!("https://{}/", server.address).parse().unwrap();
    for _ in 0..3 {
        let response = soon(client.post_json(&uri, HeaderMap::new(), "{}")).await.unwrap();
        assert_eq!(response.body(), "served\n");
    }
    let stranger = HttpClientOptions::default().with_extra_roots(Authority::new().pem.as_bytes()).unwrap();
    let error = HttpClient::new(stranger).post_json(&uri, HeaderMap::new(), "{}").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    server.control.shutdown();
    assert!(soon(async { client.post_json(&uri, HeaderMap::new(), "{}").await }).await.is_err());
}

#[tokio::test]
async fn versions_and_protocols() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let tls = ServerTls::from_files(chain, key).unwrap();
    let server = run(tls, ServerOptions::default()).await;
    let (h1, h2): (&[u8], &[u8]) = (b"http/1.1", b"h2");
    let best = if cfg!(feature = "http2") { h2 } else { h1 };
    for version in ALL_VERSIONS {
        for (offered, chosen) in [
            (&[][..], None),
            (&[h1][..], Some(h1)),
            (&[h1, h2][..], Some(best)),
            (&[h2, h1][..], Some(best)),
            (&[b"http/1.0", h1][..], Some(h1)),
        ] {
            let dials = Dials { alpn: offered, versions: &[version], ..Dials::trusting(&authority) };
            let mut stream = soon(dials.to(server.address)).await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
            assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
            if chosen != Some(h2) {
                let said = soon(ask(&mut stream, "/")).await.unwrap();
                assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("served\n"), "{said}");
            }
        }
        let dials = Dials { alpn: &[b"spdy/3"], versions: &[version], ..Dials::trusting(&authority) };
        let error = soon(dials.to(server.address)).await.unwrap_err();
        assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    }
    // HTTP/2 is agreed on, or not spoken.
    let mut stream = Dials::trusting(&authority).to(server.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut said = Vec::new();
    let _ = soon(stream.read_to_end(&mut said)).await;
    assert_eq!(said, b"");
}

#[cfg(feature = "http2")]
#[tokio::test]
async fn http2_may_be_left_out() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let tls = ServerTls::from_files(chain, key).unwrap().without_http2().unwrap();
    let server = run(tls, ServerOptions::default()).await;
    let dials = Dials { alpn: &[b"h2", b"http/1.1"], ..Dials::trusting(&authority) };
    let stream = soon(dials.to(server.address)).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

/// What a client gets that shows a certificate, or none: the body, or why not.
async fn asks_who(dials: &Dials<'_>, server: &Running) -> Result<Vec<u8>, String> {
    let asking = async {
        let mut stream = dials.to(server.address).await?;
        let request = b"GET /who HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.map(|_| said)
    };
    let said = soon(asking).await.map_err(|error: std::io::Error| error.to_string())?;
    let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    Ok(said[end..].to_vec())
}

#[tokio::test]
async fn certificates_of_clients() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let authorities = directory.put("clients.pem", &ours.pem);
    let plain = ServerTls::from_files(chain, key).unwrap();
    let (friend, stranger) = (ours.client("friend"), theirs.client("stranger"));
    // An authority of ours signed it, but for servers.
    let server_of_ours = ours.server("mcp.test");
    for version in ALL_VERSIONS {
        let versions = [*version];
        let with = |own| Dials { own, versions: &versions, ..Dials::trusting(&authority) };
        let (nobody, friendly, strange, wrong) =
            (with(None), with(Some(&friend)), with(Some(&stranger)), with(Some(&server_of_ours)));

        let server = run(plain.clone(), ServerOptions::default()).await;
        for dials in [&nobody, &friendly, &strange] {
            assert_eq!(asks_who(dials, &server).await.unwrap(), b"nobody\n", "it was not asked for any");
        }

        let tls = plain.clone().with_client_authorities(&authorities).unwrap();
        let server = run(tls, ServerOptions::default()).await;
        let refused = asks_who(&nobody, &server).await.unwrap_err();
        // TLS 1.2 has no alert of its own for it.
        assert!(refused.contains("CertificateRequired") || refused.contains("HandshakeFailure"), "{refused}");
        let refused = asks_who(&strange, &server).await.unwrap_err();
        assert!(refused.contains("UnknownCA"), "{refused}");
        assert!(asks_who(&wrong, &server).await.is_err());
        assert_eq!(asks_who(&friendly, &server).await.unwrap(), friend.der);

        let tls = plain.clone().with_optional_client_authorities(&authorities).unwrap();
        let server = run(tls, ServerOptions::default()).await;
        assert_eq!(asks_who(&nobody, &server).await.unwrap(), b"nobody\n");
        assert_eq!(asks_who(&friendly, &server).await.unwrap(), friend.der);
        assert!(asks_who(&strange, &server).await.is_err());
        assert!(asks_who(&wrong, &server).await.is_err());
    }
}

#[tokio::test]
async fn sessions_end_with_the_certificate_and_are_not_for_clients_that_prove_themselves() {
    use HandshakeKind::{Full, Resumed};
    let (authority, directory) = (Authority::new(), Directory::new());
    let clients = Authority::new();
    let friend = clients.client("friend");
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let plain = ServerTls::from_files(chain, key).unwrap();
    let mutual = plain.clone().with_client_authorities(directory.put("clients.pem", &clients.pem)).unwrap();
    for (tls, then) in [(plain, [Full, Resumed, Full, Resumed]), (mutual, [Full; 4])] {
        let server = run(tls.clone(), ServerOptions::default()).await;
        for version in [&version::TLS12, &version::TLS13] {
            let dials = Dials {
                own: Some(&friend),
                versions: &[version],
                resumes: true,
                ..Dials::trusting(&authority)
            };
            let connector = dials.connector();
            let mut kinds = Vec::new();
            for attempt in 0..4 {
                if attempt == 2 {
                    tls.reload().unwrap();
                }
                let mut stream = soon(connect(&connector, server.address)).await.unwrap();
                soon(ask(&mut stream, "/")).await.unwrap();
                kinds.push(stream.get_ref().1.handshake_kind().unwrap());
            }
            assert_eq!(kinds, then, "{version:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_handshake_harms_nobody() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let server = run(ServerTls::from_files(chain, key).unwrap(), ServerOptions::default()).await;
    let mut open = soon(Dials::trusting(&authority).to(server.address)).await.unwrap();
    for bytes in [&b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"[..], &[0; 70_000], &[0x16, 3, 1, 0xff, 0xff]]
    {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut said = Vec::new();
        // An alert, or the end.
        let _ = soon(socket.read_to_end(&mut said)).await;
        assert!(said.is_empty() || said[0] == 0x15, "{said:?}");
    }
    assert!(soon(ask(&mut open, "/")).await.unwrap().ends_with("served\n"));
    let mut another = soon(Dials::trusting(&authority).to(server.address)).await.unwrap();
    assert!(soon(ask(&mut another, "/")).await.unwrap().ends_with("served\n"));
}

#[tokio::test]
async fn a_handshake_has_a_place_and_a_time() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let tls = ServerTls::from_files(chain, key).unwrap();
    let within = Duration::from_millis(300);
    let options = ServerOptions::default().with_max_connections(1).with_tls_handshake(within);
    let server = run(tls.clone(), options).await;
    let start = std::time::Instant::now();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut stream = soon(Dials::trusting(&authority).to(server.address)).await.unwrap();
    assert!(start.elapsed() >= within, "it had no place: {:?}", start.elapsed());
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(soon(ask(&mut stream, "/")).await.unwrap().ends_with("served\n"));
    // A shutdown waits for none, and cuts nothing that anybody would miss.
    let options = ServerOptions::default().with_tls_handshake(SOON).with_drain(SOON);
    let mut server = run(tls, options).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    let mut stream = soon(Dials::trusting(&authority).to(server.address)).await.unwrap();
    assert!(soon(ask(&mut stream, "/")).await.unwrap().ends_with("served\n"));
    let start = std::time::Instant::now();
    server.control.shutdown();
    assert_eq!((&mut server.serving).await.unwrap().unwrap().cut, 0);
    assert!(start.elapsed() < SOON / 2, "{:?}", start.elapsed());
    drop(silent);
}

#[tokio::test]
async fn what_is_idle_is_closed_as_tls_has_it() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let options = ServerOptions::default().with_idle(Duration::from_millis(100));
    let server = run(ServerTls::from_files(chain, key).unwrap(), options).await;
    let mut stream = soon(Dials::trusting(&authority).to(server.address)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
    let mut said = String::new();
    // It fails where the end is not said within TLS.
    soon(stream.read_to_string(&mut said)).await.unwrap();
    assert!(said.ends_with("served\n"), "{said}");
}

#[tokio::test]
async fn tls_is_no_authentication() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let server = Server::bind(([0, 0, 0, 0], 0).into(), ServerOptions::default()).await.unwrap();
    assert_eq!(server.scheme(), "http");
    let server = server.with_tls(ServerTls::from_files(chain, key).unwrap());
    assert_eq!(server.serve(router()).await.unwrap_err().kind(), ErrorKind::Misuse);
}

/// The error, all that is behind it, and how it debugs.
fn all(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error} {error:?}");
        source = error.source();
    }
    text
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (one, other) = (authority.server("mcp.test"), authority.server("mcp.test"));
    let (chain, key) = directory.put_pair(&one);
    let put = |name: &str, text: &str| directory.put(name, text);
    // A key on one line: PEM's errors quote the line that they do not understand.
    let one_line = one.key.replace('\n', "");
    let secret: String = one.key.lines().nth(1).unwrap().to_owned();
    let wrong = put("one-line", &one_line);
    let large = directory.put("large", vec![b'x'; 1024 * 1024 + 1]);
    let none = directory.path("none");
    let directory_itself = directory.as_ref().to_owned();
    for (chain, key, kind, what) in [
        (&none, &key, ErrorKind::Io, "none: cannot be read"),
        (&chain, &none, ErrorKind::Io, "none: cannot be read"),
        (&put("empty", ""), &key, ErrorKind::Misuse, "empty: no certificate in PEM"),
        (&put("text", "certificate"), &key, ErrorKind::Misuse, "no certificate in PEM"),
        (&put("half", &one.chain[..200]), &key, ErrorKind::Misuse, "no certificate in PEM"),
        (&key, &key, ErrorKind::Misuse, "no certificate in PEM"),
        (&chain, &chain, ErrorKind::Misuse, "no private key in PEM"),
        (&chain, &put("empty.key", ""), ErrorKind::Misuse, "no private key in PEM"),
        (&chain, &put("half.key", &one.key[..100]), ErrorKind::Misuse, "no private key in PEM"),
        (&chain, &wrong, ErrorKind::Misuse, "no private key in PEM"),
        (&wrong, &key, ErrorKind::Misuse, "no certificate in PEM"),
        (&chain, &put("other.key", &other.key), ErrorKind::Misuse, "not that of the certificate"),
        (&large, &key, ErrorKind::Misuse, "larger than 1 MiB"),
        (&directory_itself, &key, ErrorKind::Misuse, "not a file"),
    ] {
        let error = ServerTls::from_files(chain, key).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(!all(&error).contains(&secret[..20]), "{}", all(&error));
        // Also as the numbers of its bytes.
        let bytes = format!("{:?}", &secret.as_bytes()[..20]);
        assert!(!all(&error).contains(bytes.trim_matches(['[', ']'])), "{}", all(&error));
    }
    let tls = ServerTls::from_files(&chain, &key).unwrap();
    for (authorities, kind) in [
        (&none, ErrorKind::Io),
        (&put("empty.pem", ""), ErrorKind::Misuse),
        (&put("text.pem", "certificate"), ErrorKind::Misuse),
        (&key, ErrorKind::Misuse),
    ] {
        let error = tls.clone().with_client_authorities(authorities).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let shown = format!("{tls:?}");
    assert!(shown.contains("server.key") && !shown.contains(&secret[..20]), "{shown}");
}
