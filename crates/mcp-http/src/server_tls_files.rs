//! The files of a server's TLS, and what is in them.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use mcp_transport_core::{Error, ErrorKind};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// The most bytes of a file of certificates; a chain has some thousand.
const MAX_FILE: u64 = 1024 * 1024;

/// Where they are, and how they are used.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Who issues the certificates of clients.
    pub(crate) authorities: Option<(PathBuf, Clients)>,
    #[cfg(feature = "http2")]
    pub(crate) http2: bool,
}

/// Whether a client has to have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clients {
    Must,
    May,
}

/// What works.
pub(crate) struct Pair {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) names: Vec<String>,
}

/// By which one state of the files is told from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp([Option<FileStamp>; 3]);

/// Of the file that a path leads to in the end: a link that is turned to another file is a change too.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    modified: Option<SystemTime>,
    length: u64,
    /// Device and inode, and when something was changed about that, which moving a file does too.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Files {
    /// To be taken before they are read: what changes in between is then another change.
    pub(crate) fn stamp(&self) -> Stamp {
        let authorities = self.authorities.as_ref().map(|(path, _)| path);
        Stamp([Some(&self.certificate), Some(&self.key), authorities].map(|path| FileStamp::of(path?)))
    }

    /// Reads them. All that comes of it is new, what clients could resume among it: who was let in by an authority that is
    /// gone is not let in again.
    pub(crate) fn read(&self) -> Result<Pair, Error> {
        let chain = certificates(&self.certificate)?;
        let key = key(&self.key)?;
        let names = names(chain.first());
        // The process's default provider is somebody else's choice, or nobody's.
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(ErrorKind::Internal, "TLS cannot be set up").with_source(error))?;
        let config = match &self.authorities {
            None => config.with_no_client_auth(),
            Some((path, clients)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path)? {
                    roots.add(authority).map_err(|error| {
                        misuse(path, "not the certificate of an authority").with_source(error)
                    })?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match clients {
                    Clients::Must => verifier,
                    Clients::May => verifier.allow_unauthenticated(),
                };
                let unusable = |error| misuse(path, "no authority to trust").with_source(error);
                config.with_client_cert_verifier(verifier.build().map_err(unusable)?)
            }
        };
        let mut config = config.with_single_cert(chain, key).map_err(|error| {
            misuse(&self.key, "not a key that can be used, or not that of the certificate").with_source(error)
        })?;
        if self.authorities.is_some() {
            // What is resumed is not looked at again for a day, and a certificate may expire sooner.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        #[cfg(feature = "http2")]
        if self.http2 {
            config.alpn_protocols.push(b"h2".to_vec());
        }
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Pair { config: Arc::new(config), names })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = text(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    // Without its source, which quotes what it cannot read: somebody may have named the key here.
    let found = found.map_err(|_| misuse(path, "no certificate in PEM"))?;
    if found.is_empty() { Err(misuse(path, "no certificate in PEM")) } else { Ok(found) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    // Without its source, which quotes what it cannot read.
    PrivateKeyDer::from_pem_slice(&text(path)?)
        .map_err(|_| misuse(path, "no private key in PEM, or one with a password"))
}

fn text(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::io(format!("{}: cannot be read", path.display()), error);
    // A pipe would be waited for.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(misuse(path, "not a file"));
    }
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text)).map_err(failed)?;
    if text.len() as u64 > MAX_FILE { Err(misuse(path, "larger than 1 MiB")) } else { Ok(text) }
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

impl FileStamp {
    fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for FileStamp {
    fn from(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            inode: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
