//! Session ids.

use std::fmt;
use std::sync::Arc;

/// Random bytes of an id.
const RANDOM: usize = 24;
/// Six bits a character, each safe in a URL without escapes.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The id of a session: 192 random bits as 32 characters.
///
/// Whoever knows it can speak in the session, so it is as long as a key, is never logged whole, and is no proof of
/// identity.
///
/// # Spec
///
/// MCP 2025-11-25, security best practices, Session Hijacking: secure, non-deterministic session ids.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Makes an id of 24 random bytes.
    pub fn new(random: [u8; RANDOM]) -> Self {
        let mut text = String::with_capacity(RANDOM / 3 * 4);
        for three in random.chunks_exact(3) {
            let bits = three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte));
            for shift in [18, 12, 6, 0] {
                text.push(char::from(ALPHABET[(bits >> shift) as usize & 63]));
            }
        }
        Self(text.into())
    }

    /// Reads an id as a client sends it back; `None` when it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let possible = text.len() == RANDOM / 3 * 4 && text.bytes().all(is_ours);
        possible.then(|| Self(text.into()))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole id, to be kept.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

/// The first six characters: enough to follow a session through a log, not enough to speak in it.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", self.0.get(..6).unwrap_or_default())
    }
}
