//! A look at the bytes as they pass.

use std::fmt;

/// Sees every message of a connection as it is on the wire, framing excluded.
///
/// It is called from the connection's own task and delays it, so it must not block.
/// It sees payloads: whoever installs one decides where they go.
pub trait Tap: Send + Sync {
    /// A message was read, before it is scanned; oversize ones are not seen.
    fn received(&self, text: &[u8]);
    /// A message is about to be written.
    fn sent(&self, text: &[u8]);
}

impl fmt::Debug for dyn Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}
