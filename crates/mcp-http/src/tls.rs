//! TLS over a client's connection.

use std::io;
use std::sync::Arc;

use mcp_transport_core::{Error, ErrorKind};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

use crate::proto::Host;
use crate::stream::Stream;

/// Whom a client trusts, which is found out when it is first asked: the system's roots are some hundred files.
pub(crate) struct Tls {
    extra: Vec<CertificateDer<'static>>,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(extra: Vec<CertificateDer<'static>>) -> Self {
        Self { extra, config: OnceCell::new() }
    }

    /// Has the peer prove that it is `host`, and speaks in secret from then on.
    ///
    /// # Errors
    ///
    /// Refused, when its certificate is not accepted; peer, when it speaks no TLS of ours; io, when the connection
    /// breaks; misuse, when there is no root to begin with.
    pub(crate) async fn over(&self, stream: Stream, host: &Host) -> Result<Stream, Error> {
        let config = self.config.get_or_try_init(|| async {
            let extra = self.extra.clone();
            let reading = tokio::task::spawn_blocking(move || config(extra));
            let stopped = |error| {
                Error::new(ErrorKind::Internal, "reading the system's certificates was stopped")
                    .with_source(error)
            };
            reading.await.map_err(stopped)?
        });
        let connector = TlsConnector::from(config.await?.clone());
        connector.connect(name(host)?, stream).await.map(Stream::tls).map_err(failed)
    }
}

fn config(extra: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, Error> {
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
    Ok(Arc::new(config))
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
        _ => (ErrorKind::Peer, "the TLS handshake failed"),
    };
    let reason = reason.clone();
    Error::new(kind, what).with_source(reason)
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
