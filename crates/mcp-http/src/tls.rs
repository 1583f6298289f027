//! TLS over a client's connection.

use std::error::Error as StdError;
use std::io;
use std::iter::successors;
use std::sync::Arc;

use mcp_transport_core::{Error, ErrorKind};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, ClientConfig, RootCertStore};

use crate::connector::Whom;
use crate::proto::Host;
use crate::stream::Stream;

/// Whom a client trusts, which is found out when it is first asked: the system's roots are some hundred files. And what
/// it shows of itself.
pub(crate) struct Tls {
    extra: Vec<CertificateDer<'static>>,
    own: Option<ClientCertificate>,
    configs: OnceCell<Configs>,
}

/// A client's certificate and its key.
#[derive(Clone)]
pub(crate) struct ClientCertificate(Arc<CertifiedKey>);

struct Configs {
    servers: Arc<ClientConfig>,
    proxies: Arc<ClientConfig>,
}

impl Tls {
    pub(crate) fn new(extra: Vec<CertificateDer<'static>>, own: Option<ClientCertificate>) -> Self {
        Self { extra, own, configs: OnceCell::new() }
    }

    /// Has the peer prove that it is `host`, and speaks in secret from then on.
    ///
    /// # Errors
    ///
    /// Refused, when its certificate is not accepted, or it does not accept ours; peer, when it speaks no TLS of ours; io,
    /// when the connection breaks; misuse, when there is no root to begin with.
    pub(crate) async fn over(&self, stream: Stream, host: &Host, whom: Whom) -> Result<Stream, Error> {
        let configs = self.configs.get_or_try_init(|| async {
            let (extra, own) = (self.extra.clone(), self.own.clone());
            let reading = tokio::task::spawn_blocking(move || configs(extra, own));
            let stopped = |error| {
                Error::new(ErrorKind::Internal, "reading the system's certificates was stopped")
                    .with_source(error)
            };
            reading.await.map_err(stopped)?
        });
        let configs = configs.await?;
        let config = match whom {
            Whom::Server => &configs.servers,
            Whom::Proxy => &configs.proxies,
        };
        let connector = TlsConnector::from(config.clone());
        connector.connect(name(host)?, stream).await.map(Stream::tls).map_err(failed)
    }
}

fn configs(extra: Vec<CertificateDer<'static>>, own: Option<ClientCertificate>) -> Result<Configs, Error> {
    let native = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // One that cannot be read is no reason to distrust the others; systems do have such.
    roots.add_parsable_certificates(native.certs);
    roots.add_parsable_certificates(extra);
    if roots.is_empty() {
        let error = Error::new(
            ErrorKind::Misuse,
            "this system has no certificates of authorities: install them, or name your own",
        );
        return Err(match native.errors.into_iter().next() {
            Some(first) => error.with_source(first),
            None => error,
        });
    }
    // The process's default provider is somebody else's choice, or nobody's.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Internal, "TLS cannot be set up").with_source(error))?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let proxies = Arc::new(config);
    let Some(ClientCertificate(own)) = own else { return Ok(Configs { servers: proxies.clone(), proxies }) };
    let mut servers = ClientConfig::clone(&proxies);
    servers.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(own));
    // One session is not to be resumed with the other's settings.
    servers.resumption = Resumption::default();
    Ok(Configs { servers: Arc::new(servers), proxies })
}

fn name(host: &Host) -> Result<ServerName<'static>, Error> {
    Ok(match host {
        Host::Name(name) => ServerName::try_from(name.to_string()).map_err(|error| {
            Error::new(ErrorKind::Misuse, "no certificate can be for such a host").with_source(error)
        })?,
        Host::V4(address) => ServerName::IpAddress(std::net::IpAddr::V4(*address).into()),
        Host::V6(address) => ServerName::IpAddress(std::net::IpAddr::V6(*address).into()),
    })
}

fn failed(error: io::Error) -> Error {
    let Some(reason) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) else {
        return Error::io("the TLS handshake broke off", error);
    };
    let (kind, what) = match reason {
        rustls::Error::InvalidCertificate(problem) => (ErrorKind::Refused, distrusted(problem)),
        rustls::Error::AlertReceived(alert) if wants_another_certificate(*alert) => {
            (ErrorKind::Refused, UNKNOWN)
        }
        _ => (ErrorKind::Peer, "the TLS handshake failed"),
    };
    let reason = reason.clone();
    Error::new(kind, what).with_source(reason)
}

const UNKNOWN: &str = "the server does not accept the client's certificate, or its having none";

/// What a server says of a client's certificate. In TLS 1.3 it says so only after the handshake, when the client has sent
/// its first request already.
pub(crate) fn refused(error: &(dyn StdError + 'static)) -> Option<Error> {
    let reasons = successors(Some(error), |error| (*error).source());
    let mut reasons =
        reasons.filter_map(|error| error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref());
    let reason = reasons.find(
        |reason| matches!(reason, rustls::Error::AlertReceived(alert) if wants_another_certificate(*alert)),
    )?;
    Some(Error::new(ErrorKind::Refused, UNKNOWN).with_source(reason.clone()))
}

/// RFC 8446 6.2: alerts about a certificate. Here they are all about the client's.
fn wants_another_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
    )
}

fn distrusted(problem: &CertificateError) -> &'static str {
    use CertificateError as Problem;
    match problem {
        Problem::UnknownIssuer => "the server's certificate is from an authority that is not trusted",
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => {
            "the server's certificate is for another host"
        }
        Problem::Expired | Problem::ExpiredContext { .. } => "the server's certificate has expired",
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet"
        }
        _ => "the server's certificate is not accepted",
    }
}

impl ClientCertificate {
    pub(crate) fn new(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let misuse = |what: &'static str| Error::new(ErrorKind::Misuse, what);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        // What a parser says of a file with a key in it stays here.
        let chain = chain.map_err(|_| misuse("the client's certificate cannot be read"))?;
        if chain.is_empty() {
            return Err(misuse("there is no PEM of a certificate of the client's"));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| misuse("there is no PEM of a key of the client's, or it is encrypted"))?;
        let key =
            CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => misuse("the client's key is not the certificate's"),
                rustls::Error::InvalidCertificate(_) => misuse("the client's certificate cannot be read"),
                _ => misuse("the client's key cannot be used"),
            })?;
        Ok(Self(Arc::new(key)))
    }
}

/// The certificates in a file of an authority: PEM with one or many, or DER with one.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let unreadable = |source: Option<Box<dyn std::error::Error + Send + Sync>>| {
        let error = Error::new(ErrorKind::Misuse, "no certificate of an authority, neither PEM nor DER");
        match source {
            Some(source) => error.with_source(io::Error::other(source)),
            None => error,
        }
    };
    let found = if memchr::memmem::find(text, BEGIN).is_some() {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
        found.map_err(|error| unreadable(Some(error.into())))?
    } else {
        vec![CertificateDer::from(text.to_vec())]
    };
    let mut store = RootCertStore::empty();
    for certificate in &found {
        store.add(certificate.clone()).map_err(|error| unreadable(Some(error.into())))?;
    }
    if found.is_empty() { Err(unreadable(None)) } else { Ok(found) }
}
