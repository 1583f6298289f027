//! TLS of the server: certificates that are read again when they change, and handshakes within their time.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use mcp_transport_core::{Error, ErrorKind};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::io::{Peer, Protocol};
use crate::peer_certificate::PeerCertificate;
use crate::route::PeerAddr;

/// The most bytes of a file of certificates; a chain has some thousand.
const MAX_FILE: u64 = 1024 * 1024;
/// How often files are looked at, unless somebody says otherwise: soon enough for whoever has just put new ones there.
const LOOK: Duration = Duration::from_secs(10);

/// What a server proves itself with, and whom it asks for the same: files, which are read again when they change.
///
/// A new handshake gets the newest pair that works; what was agreed on before stays as it is. When what is read does not
/// work (a file is missing, is no PEM, the key is of another certificate), the pair before it stays, and an error is
/// logged, once for each change. So two files can be replaced one after the other. TLS 1.2 and 1.3 are spoken, and with
/// the feature `http2` it is agreed on whether the client speaks that.
///
/// Everything is made anew for each pair, what clients could resume among it: who was let in by an authority that is
/// gone is not let in again.
///
/// ```no_run
/// # async fn f(router: mcp_http::Router) -> Result<(), mcp_transport_core::Error> {
/// use mcp_http::{Server, ServerOptions, ServerTls};
/// let tls = ServerTls::from_files("certificate.pem", "key.pem")?;
/// let server = Server::bind(([0, 0, 0, 0], 443).into(), ServerOptions::default()).await?.with_tls(tls);
/// server.serve(router).await?;
/// # Ok(()) }
/// ```
///
/// Clones are the same.
#[derive(Clone)]
pub struct ServerTls {
    shared: Arc<Shared>,
}

struct Shared {
    files: Files,
    every: Duration,
    current: RwLock<Arc<Pair>>,
    /// The files as they were when they were read the last time, whatever came of it.
    read: Mutex<Stamps>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// Who issues the certificates of clients.
    authorities: Option<PathBuf>,
}

/// What works.
struct Pair {
    config: Arc<ServerConfig>,
    names: Vec<String>,
}

/// By which a file is known to be another one: when it was written, how long it is, and which one it is on its disk.
type Stamps = Vec<Option<(SystemTime, u64, u64)>>;

impl ServerTls {
    /// A chain of certificates, the server's own first, and its key, each PEM. Both are read here.
    ///
    /// # Errors
    ///
    /// Io, when a file cannot be read; misuse, when it is not what it should be, or the key is of another certificate.
    /// Each names the file.
    pub fn from_files(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::load(Files { certificate: certificate.into(), key: key.into(), authorities: None }, LOOK)
    }

    /// Lets in only who has a certificate from an authority of this file, PEM. What a client has proven is among the
    /// extensions of its requests, as [`PeerCertificate`].
    ///
    /// # Errors
    ///
    /// Those of [`from_files`](Self::from_files).
    pub fn with_client_authorities(self, authorities: impl Into<PathBuf>) -> Result<Self, Error> {
        let Files { certificate, key, .. } = &self.shared.files;
        let files = Files {
            certificate: certificate.clone(),
            key: key.clone(),
            authorities: Some(authorities.into()),
        };
        Self::load(files, self.shared.every)
    }

    /// How often the files are looked at while a server serves; the default is 10 s, the least 10 ms.
    ///
    /// # Errors
    ///
    /// Those of [`from_files`](Self::from_files): they are read again.
    pub fn with_look_every(self, every: Duration) -> Result<Self, Error> {
        let Files { certificate, key, authorities } = &self.shared.files;
        let files =
            Files { certificate: certificate.clone(), key: key.clone(), authorities: authorities.clone() };
        Self::load(files, every.max(Duration::from_millis(10)))
    }

    fn load(files: Files, every: Duration) -> Result<Self, Error> {
        let read = Mutex::new(files.stamps());
        let current = RwLock::new(Arc::new(files.read()?));
        Ok(Self { shared: Arc::new(Shared { files, every, current, read }) })
    }

    /// Reads the files again, whether they have changed or not: for a signal. It blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// Those of [`from_files`](Self::from_files); then everything is as it was.
    pub fn reload(&self) -> Result<(), Error> {
        // Before they are read: what changes meanwhile is another change.
        *self.shared.read.lock().unwrap_or_else(PoisonError::into_inner) = self.shared.files.stamps();
        let pair = Arc::new(self.shared.files.read()?);
        let former = {
            let mut current = self.shared.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, pair)
        };
        drop(former);
        tracing::info!(target: "mcp.http", "the certificate was read again");
        Ok(())
    }

    /// The names that the certificate is for, without patterns such as `*.example.com`.
    pub fn names(&self) -> Vec<String> {
        self.current().names.clone()
    }

    fn current(&self) -> Arc<Pair> {
        self.shared.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again each time that they change, for ever.
    pub(crate) async fn watch(&self) {
        loop {
            sleep(self.shared.every).await;
            let this = self.clone();
            // A file can be on a disk that does not answer.
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }

    fn look(&self) {
        let now = self.shared.files.stamps();
        let changed = *self.shared.read.lock().unwrap_or_else(PoisonError::into_inner) != now;
        if changed && let Err(error) = self.reload() {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(target: "mcp.http", %error, cause, "the certificate stays as it was");
        }
    }

    /// Agrees with a client, within a time.
    pub(crate) async fn accept<S>(
        &self,
        socket: S,
        address: Option<PeerAddr>,
        within: Duration,
    ) -> Option<(Box<TlsStream<S>>, Peer)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.current().config.clone());
        let stream = match timeout(within, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => Box::new(stream),
            Ok(Err(error)) => {
                tracing::debug!(target: "mcp.http", %error, "TLS handshake failed");
                return None;
            }
            Err(_) => {
                tracing::debug!(target: "mcp.http", "TLS handshake not done in time");
                return None;
            }
        };
        let (_, session) = stream.get_ref();
        let protocol = match session.alpn_protocol() {
            #[cfg(feature = "http2")]
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.map(|certificate| PeerCertificate::new(certificate.to_vec()));
        Some((stream, Peer { address, protocol, certificate }))
    }
}

impl Files {
    fn all(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.certificate), Some(&self.key), self.authorities.as_ref()]
            .into_iter()
            .flatten()
            .map(|path| &**path)
    }

    fn stamps(&self) -> Stamps {
        self.all().map(|path| stamp(path).ok()).collect()
    }

    fn read(&self) -> Result<Pair, Error> {
        let chain = certificates(&self.certificate)?;
        let text = text(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|error| misuse(&self.key, "no private key in PEM").with_source(error))?;
        let names = names(chain.first());
        // The process's default provider is somebody else's choice, or nobody's.
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(ErrorKind::Internal, "TLS cannot be set up").with_source(error))?;
        let config = match &self.authorities {
            None => config.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path)? {
                    roots.add(authority).map_err(|error| {
                        misuse(path, "not the certificate of an authority").with_source(error)
                    })?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                config.with_client_cert_verifier(
                    verifier.map_err(|error| misuse(path, "no authority to trust").with_source(error))?,
                )
            }
        };
        let mut config = config.with_single_cert(chain, key).map_err(|error| {
            misuse(&self.key, "not a key that can be used, or not that of the certificate").with_source(error)
        })?;
        config.alpn_protocols = if cfg!(feature = "http2") {
            vec![b"h2".to_vec(), b"http/1.1".to_vec()]
        } else {
            vec![b"http/1.1".to_vec()]
        };
        Ok(Pair { config: Arc::new(config), names })
    }
}

fn stamp(path: &Path) -> io::Result<(SystemTime, u64, u64)> {
    let metadata = fs::metadata(path)?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let number = 0;
    Ok((metadata.modified()?, metadata.len(), number))
}

fn text(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::io(format!("{}: cannot be read", path.display()), error);
    let mut text = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_FILE + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_FILE {
        return Err(misuse(path, "larger than 1 MiB"));
    }
    Ok(text)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = text(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| misuse(path, "no certificate in PEM").with_source(error))?;
    if found.is_empty() { Err(misuse(path, "no certificate in PEM")) } else { Ok(found) }
}

/// The names of a certificate. One that cannot be read has none: rustls says what is wrong with it.
fn names(leaf: Option<&CertificateDer<'_>>) -> Vec<String> {
    let leaf = leaf.and_then(|leaf| webpki::EndEntityCert::try_from(leaf).ok());
    let names = leaf.iter().flat_map(|leaf| leaf.valid_dns_names());
    names.filter(|name| !name.contains('*')).map(str::to_owned).collect()
}

fn misuse(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Misuse, format!("{}: {what}", path.display()))
}

/// Where the files are, and nothing that is in them.
impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Files { certificate, key, authorities } = &self.shared.files;
        f.debug_struct("ServerTls")
            .field("certificate", certificate)
            .field("key", key)
            .field("client_authorities", authorities)
            .finish_non_exhaustive()
    }
}
