//! The certificate of the other end.

use std::fmt;

use bytes::Bytes;

/// The certificate that a client has proven to be its own, in mutual TLS, as an extension of its requests.
///
/// Whoever puts it there has verified it: that it is from an authority that is trusted for clients, and that the client
/// has its key. It is the leaf alone, and DER.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerCertificate(Bytes);

impl PeerCertificate {
    /// A certificate that was verified.
    pub fn new(der: impl Into<Bytes>) -> Self {
        Self(der.into())
    }

    /// Its bytes.
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }
}

/// Its length, and nothing of what it says.
impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate").field("bytes", &self.0.len()).finish()
    }
}
