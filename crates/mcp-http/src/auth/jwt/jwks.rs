//! The keys of an issuer, wherever they are.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use mcp_transport_core::{Error, ErrorKind};

use super::algorithm::JwtAlgorithm;
use super::jwks_options::JwksOptions;
use super::key_set::{KeySet, MAX_SET};
use super::remote::Remote;

/// The public keys of an issuer, as a JSON Web Key Set. Clones share them.
///
/// Of a set, the keys for signatures of [`JwtAlgorithm`] are used and all others ignored, those with a shared secret
/// among them. A set has at most 256 KiB and 128 keys.
#[derive(Clone)]
pub struct Jwks(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<KeySet>),
    Remote(Arc<Remote>),
}

impl Jwks {
    /// The keys in a text.
    ///
    /// # Errors
    ///
    /// Limit, when it has too many bytes or keys; peer, when it is no key set, or one without a key that can be used.
    pub fn from_bytes(json: &[u8]) -> Result<Self, Error> {
        KeySet::parse(json).map(|keys| Self(Source::Fixed(Arc::new(keys))))
    }

    /// The keys in a file, which is read here and not again. It blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// Io, when the file cannot be read; those of [`from_bytes`](Self::from_bytes).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let unreadable = |error| Error::io("the file of keys cannot be read", error);
        let file = File::open(path).map_err(unreadable)?;
        let mut text = Vec::new();
        // One more byte than it may have, so that a larger file is seen to be one.
        file.take(MAX_SET as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
        Self::from_bytes(&text)
    }

    /// The keys at a URL, which are fetched when the first token needs them, or by [`prefetch`](Self::prefetch).
    ///
    /// | | |
    /// |---|---|
    /// | one fetch | 5 s in all, 256 KiB, 3 redirects within the origin, no cookies; one at a time |
    /// | fresh | as `Cache-Control: max-age` says, 5 min to 24 h; 5 min where it says nothing |
    /// | a key that is not in a fresh set | a reason to fetch once in 30 s, whatever the key |
    /// | addresses | of the public internet, whatever the name says, unless [others](JwksOptions::allow_private_networks) are allowed |
    /// | issuer down | keys are used for 24 h after they were fresh |
    /// | after a failure | 1 s, doubled up to 60 s, a random half of it left out |
    ///
    /// Requests that need a key wait for the fetch, none longer than 6 s. It is moved on by whoever waits, in no task of
    /// its own; a request that goes away does not end it. (The connection below it is in a task, as
    /// [`HttpClient`](crate::HttpClient) says.)
    ///
    /// # Errors
    ///
    /// Misuse, when the URL is not `https`, or has user information; when the proxy for it cannot be used, or there is one
    /// at all, also from the environment, and [private networks](JwksOptions::allow_private_networks) are not allowed;
    /// refused, when its host is an address of such a network.
    ///
    /// # Spec
    ///
    /// RFC 8725 3.10; RFC 9111 4.2.4 for what is stale; MCP security best practices, Server-Side Request Forgery.
    pub fn from_url(uri: Uri, options: JwksOptions) -> Result<Self, Error> {
        Remote::new(uri, options).map(|remote| Self(Source::Remote(Arc::new(remote))))
    }

    /// Fetches the keys, unless fresh ones are there: at start, so that a wrong URL is seen before the first request.
    /// Keys that are not at a URL are there already.
    ///
    /// # Errors
    ///
    /// Why they could not be fetched. Keys that were there before stay.
    ///
    /// # Cancel safety
    ///
    /// A fetch that others wait for goes on.
    pub async fn prefetch(&self) -> Result<(), Error> {
        match &self.0 {
            Source::Fixed(_) => Ok(()),
            Source::Remote(remote) => remote.prefetch().await,
        }
    }

    /// The set to look for a key in; if there is none, when there may be one.
    pub(super) async fn for_key(
        &self,
        id: Option<&str>,
        algorithm: JwtAlgorithm,
    ) -> Result<Arc<KeySet>, Duration> {
        match &self.0 {
            Source::Fixed(keys) => Ok(keys.clone()),
            Source::Remote(remote) => remote.for_key(id, algorithm).await,
        }
    }
}

/// Where they are, without the path, which may be nobody else's business.
impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Fixed(keys) => write!(f, "Jwks({} keys)", keys.len()),
            Source::Remote(remote) => write!(f, "Jwks(at {})", remote.origin()),
        }
    }
}

pub(super) fn misuse(what: &'static str) -> Error {
    Error::new(ErrorKind::Misuse, what)
}
