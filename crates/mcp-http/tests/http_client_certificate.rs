//! Mutual TLS: a server that wants to see a certificate, and clients that have one or not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod said;

use std::error::Error as _;
use std::sync::{Arc, Mutex};

use http::Uri;
use mcp_http::proto::Proxies;
use mcp_http::{HttpClient, HttpClientOptions};
use mcp_transport_core::{Error, ErrorKind};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use said::{Said, get, head, ok};
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

/// Who issues all certificates of a test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
struct Issued {
    certificate: String,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, names: &[&str], purpose: ExtendedKeyUsagePurpose) -> Issued {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Issued { certificate, key }
    }

    fn client(&self) -> Issued {
        self.issue(&["client.test"], ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Of a server that wants certificates of this authority, or none.
    fn acceptor(&self, wants: bool, version: &'static SupportedProtocolVersion) -> TlsAcceptor {
        let issued = self.issue(&["mcp.test", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth);
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[version]).unwrap();
        let config = match wants {
            true => config.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
            ),
            false => config.with_no_client_auth(),
        };
        let chain = vec![pem_to_der(&issued.certificate)];
        let key = PrivateKeyDer::try_from(issued.key.serialize_der()).unwrap();
        TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()))
    }

    fn trusted(&self) -> HttpClientOptions {
        HttpClientOptions::default().with_extra_roots(self.0.pem().as_bytes()).unwrap()
    }
}

fn pem_to_der(pem: &str) -> CertificateDer<'static> {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// The certificates that clients have shown, in order; nothing for one without.
type Shown = Arc<Mutex<Vec<Option<CertificateDer<'static>>>>>;

fn note(shown: &Shown, chain: Option<&[CertificateDer<'_>]>) {
    shown.lock().unwrap().push(chain.map(|chain| chain[0].clone().into_owned()));
}

async fn server(acceptor: TlsAcceptor) -> (Said, Shown) {
    let shown = Shown::default();
    let writes = shown.clone();
    let server = Said::behind(&[("/", ok("answer"))], move |socket: TcpStream| {
        let (acceptor, writes) = (acceptor.clone(), writes.clone());
        async move {
            let stream = acceptor.accept(socket).await.ok()?;
            note(&writes, stream.get_ref().1.peer_certificates());
            Some(stream)
        }
    })
    .await;
    (server, shown)
}

fn uri(server: &Said) -> Uri {
    format!("https://{}/", server.address).parse().unwrap()
}

fn with(options: HttpClientOptions, issued: &Issued) -> HttpClientOptions {
    let key = issued.key.serialize_pem();
    options.with_client_certificate(issued.certificate.as_bytes(), key.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_server_that_wants_one() {
    let (authority, stranger) = (Authority::new("known"), Authority::new("stranger"));
    for version in [&version::TLS12, &version::TLS13] {
        let (server, shown) = server(authority.acceptor(true, version)).await;
        let own = authority.client();
        let client = HttpClient::new(with(authority.trusted(), &own));
        for _ in 0..2 {
            client.send(get(uri(&server))).await.unwrap();
        }
        assert_eq!(*shown.lock().unwrap(), [Some(pem_to_der(&own.certificate))]);
        assert_eq!(server.asked().len(), 2);

        for options in [authority.trusted(), with(authority.trusted(), &stranger.client())] {
            let error = HttpClient::new(options).send(get(uri(&server))).await.unwrap_err();
            match error.kind() {
                ErrorKind::Refused => assert!(error.to_string().contains("client's certificate"), "{error}"),
                // In TLS 1.3 the client has sent its request when the server says no, and may meet the end of the
                // connection before it sees that.
                ErrorKind::Io => assert!(*version == version::TLS13, "{error}"),
                _ => panic!("{error}: {:?}", error.source()),
            }
        }
        assert_eq!((server.asked().len(), shown.lock().unwrap().len()), (2, 1));
    }
}

#[tokio::test]
async fn a_server_that_wants_none() {
    let authority = Authority::new("known");
    let (server, shown) = server(authority.acceptor(false, &version::TLS13)).await;
    HttpClient::new(with(authority.trusted(), &authority.client())).send(get(uri(&server))).await.unwrap();
    assert_eq!(*shown.lock().unwrap(), [None]);
}

/// A proxy that would like to know who the client is does not hear it; the server behind it does.
#[tokio::test]
async fn a_proxy_sees_none() {
    let authority = Authority::new("known");
    let own = authority.client();
    let (shown, to_proxy) = (Shown::default(), Shown::default());
    let (proxy, server) = (optional(&authority), authority.acceptor(true, &version::TLS13));
    let (writes, proxy_writes) = (shown.clone(), to_proxy.clone());
    let tunnel = Said::behind(&[("/", ok("answer"))], move |socket: TcpStream| {
        let (proxy, server) = (proxy.clone(), server.clone());
        let (writes, proxy_writes) = (writes.clone(), proxy_writes.clone());
        async move {
            let stream = proxy.accept(socket).await.ok()?;
            note(&proxy_writes, stream.get_ref().1.peer_certificates());
            let mut stream = BufReader::new(stream);
            head(&mut stream).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
            stream.flush().await.ok()?;
            let stream = server.accept(stream).await.ok()?;
            note(&writes, stream.get_ref().1.peer_certificates());
            Some(stream)
        }
    })
    .await;
    let proxies = Proxies::through(&format!("https://{}", tunnel.address));
    let client = HttpClient::new(with(authority.trusted(), &own).with_proxies(proxies));
    client.send(get(Uri::from_static("https://mcp.test/"))).await.unwrap();
    assert_eq!(*to_proxy.lock().unwrap(), [None]);
    assert_eq!(*shown.lock().unwrap(), [Some(pem_to_der(&own.certificate))]);
}

/// Asks for a certificate, and does not insist.
fn optional(authority: &Authority) -> TlsAcceptor {
    let issued = authority.issue(&["127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth);
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(issued.key.serialize_der()).unwrap();
    let chain = vec![pem_to_der(&issued.certificate)];
    TlsAcceptor::from(Arc::new(
        config.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap(),
    ))
}

#[test]
fn what_is_no_certificate_with_its_key() {
    let authority = Authority::new("known");
    let (own, other) = (authority.client(), authority.client());
    let (certificate, key) = (own.certificate.as_bytes(), own.key.serialize_pem());
    let both = [certificate, key.as_bytes()].concat();
    let chain = [certificate, authority.0.pem().as_bytes()].concat();
    let wrong_order = [authority.0.pem().as_bytes(), certificate].concat();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let other_key = other.key.serialize_pem();
    let broken = key.replace("\n-----END", "canary4711\n-----END");
    for (chain, key, good) in [
        (certificate, key.as_bytes(), true),
        (&both, &both, true),
        (&chain, key.as_bytes(), true),
        (&wrong_order, key.as_bytes(), false),
        (certificate, other_key.as_bytes(), false),
        (certificate, certificate, false),
        (key.as_bytes(), key.as_bytes(), false),
        (certificate, encrypted.as_bytes(), false),
        (certificate, broken.as_bytes(), false),
        (certificate, b"garbage", false),
        (certificate, b"", false),
        (b"garbage", key.as_bytes(), false),
        (b"", key.as_bytes(), false),
        (b"-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n", key.as_bytes(), false),
        (b"-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n", key.as_bytes(), false),
    ] {
        let options = HttpClientOptions::default().with_client_certificate(chain, key);
        let shown = format!("{options:?}");
        assert_eq!(options.as_ref().err().map(Error::kind), (!good).then_some(ErrorKind::Misuse), "{shown}");
        assert!(!shown.contains("4711") && !shown.contains("PRIVATE"), "{shown}");
        match options {
            Ok(_) => assert!(shown.contains("client_certificate: true"), "{shown}"),
            // What a parser says about a key may quote it.
            Err(error) => assert!(error.source().is_none(), "{:?}", error.source()),
        }
    }
}
