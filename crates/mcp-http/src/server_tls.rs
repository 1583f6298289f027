//! TLS of the server: a certificate and its key, which may be replaced while it serves.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use mcp_transport_core::Error;
use tokio_rustls::rustls::ServerConfig;

use crate::server_tls_files::{Clients, Files, Pair, Stamp};

/// How often files are looked at, unless somebody says otherwise: soon enough for whoever has just put new ones there.
const LOOK: Duration = Duration::from_secs(10);

/// What a server proves itself with, and whom it asks for the same: files, which are read again when they change.
///
/// They may be replaced one after the other, in place or by renaming. While a server serves it looks at them from time to
/// time ([`with_look_every`](Self::with_look_every)), and whoever is told of a change calls [`reload`](Self::reload). A
/// new handshake gets the newest pair that works; what was agreed on before stays as it is. When what is read does not
/// work (a file is missing, is no PEM, the key is of another certificate), the pair before it stays, and an error is
/// logged, once for each change. TLS 1.2 and 1.3 are spoken, without early data, which could be replayed; with the feature
/// `http2` the client may choose that.
///
/// Everything is made anew for each pair, what clients could resume among it. Where clients prove themselves nobody
/// resumes anything: each handshake looks at the certificate. A connection that is open stays open, also when the authority
/// of its client is gone.
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
    read: Mutex<Read>,
}

/// The files as they were when they were read.
struct Read {
    good: Stamp,
    /// Told to the log. It is tried again at each look, since what was wrong may have been a passing thing.
    bad: Option<Stamp>,
}

impl ServerTls {
    /// A chain of certificates, the server's own first, and its key, each PEM in a regular file of at most 1 MiB; the key
    /// is PKCS #8, SEC 1 or PKCS #1, without a password. Both are read here.
    ///
    /// # Errors
    ///
    /// Io, when a file cannot be read; misuse, when it is not what it should be, or the key is of another certificate.
    /// Each names the file, and quotes nothing of it.
    pub fn from_files(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, Error> {
        let files = Files {
            certificate: certificate.into(),
            key: key.into(),
            authorities: None,
            #[cfg(feature = "http2")]
            http2: true,
        };
        Self::load(files, LOOK)
    }

    /// Lets in only who has a certificate from an authority of this file, PEM. What a client has proven is among the
    /// extensions of its requests, as [`PeerCertificate`](crate::PeerCertificate).
    ///
    /// # Errors
    ///
    /// Those of [`from_files`](Self::from_files).
    pub fn with_client_authorities(self, authorities: impl Into<PathBuf>) -> Result<Self, Error> {
        self.with_authorities(authorities.into(), Clients::Must)
    }

    /// The same, but lets in who has no certificate at all: its requests have no
    /// [`PeerCertificate`](crate::PeerCertificate). Who has one that is not accepted stays out.
    ///
    /// # Errors
    ///
    /// Those of [`from_files`](Self::from_files).
    pub fn with_optional_client_authorities(self, authorities: impl Into<PathBuf>) -> Result<Self, Error> {
        self.with_authorities(authorities.into(), Clients::May)
    }

    fn with_authorities(self, authorities: PathBuf, clients: Clients) -> Result<Self, Error> {
        let files = Files { authorities: Some((authorities, clients)), ..self.shared.files.clone() };
        Self::load(files, self.shared.every)
    }

    /// How often the files are looked at while a server serves; the default is 10 s, the least 10 ms.
    ///
    /// # Errors
    ///
    /// Those of [`from_files`](Self::from_files): they are read again.
    pub fn with_look_every(self, every: Duration) -> Result<Self, Error> {
        Self::load(self.shared.files.clone(), every.max(Duration::from_millis(10)))
    }

    /// Offers HTTP/1.1 alone.
    ///
    /// # Errors
    ///
    /// Those of [`from_files`](Self::from_files): they are read again.
    #[cfg(feature = "http2")]
    pub fn without_http2(self) -> Result<Self, Error> {
        Self::load(Files { http2: false, ..self.shared.files.clone() }, self.shared.every)
    }

    fn load(files: Files, every: Duration) -> Result<Self, Error> {
        let read = Mutex::new(Read { good: files.stamp(), bad: None });
        let current = RwLock::new(Arc::new(files.read()?));
        Ok(Self { shared: Arc::new(Shared { files, every, current, read }) })
    }

    /// Reads the files again, whether they have changed or not: for a signal. It blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// Those of [`from_files`](Self::from_files); then everything is as it was.
    pub fn reload(&self) -> Result<(), Error> {
        let mut read = self.shared.read();
        let now = self.shared.files.stamp();
        self.shared.replace(&mut read, now)
    }

    /// The names that the certificate is for, without patterns such as `*.example.com`.
    pub fn names(&self) -> Vec<String> {
        self.shared.current().names.clone()
    }

    /// What a handshake that begins now uses.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.shared.current().config.clone()
    }

    /// Looks at the files from time to time, for ever.
    pub(crate) async fn keep_looking(&self) {
        loop {
            tokio::time::sleep(self.shared.every).await;
            let shared = self.shared.clone();
            // A file can be on a disk that does not answer.
            let _ = tokio::task::spawn_blocking(move || shared.look()).await;
        }
    }
}

impl Shared {
    fn read(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Arc<Pair> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn look(&self) {
        let mut read = self.read();
        let now = self.files.stamp();
        if now == read.good {
            return;
        }
        let is_told = read.bad.as_ref() == Some(&now);
        if let Err(error) = self.replace(&mut read, now)
            && !is_told
        {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(target: "mcp.http", %error, cause, "the certificate stays as it was");
        }
    }

    /// The lock is held all the while: of two that read, the later one has the last word.
    fn replace(&self, read: &mut Read, now: Stamp) -> Result<(), Error> {
        match self.files.read() {
            Ok(pair) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                *read = Read { good: now, bad: None };
                tracing::info!(target: "mcp.http", "the certificate was read again");
                Ok(())
            }
            Err(error) => {
                read.bad = Some(now);
                Err(error)
            }
        }
    }
}

/// Where the files are, and nothing that is in them.
impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("files", &self.shared.files).finish_non_exhaustive()
    }
}
