//! Session ids.

use std::fmt;

/// Random bytes of an id.
const RANDOM: usize = 24;
/// Characters of an id.
const LEN: usize = RANDOM / 3 * 4;
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
pub struct SessionId([u8; LEN]);

/// Which bytes an id is made of.
const IS_OURS: [bool; 256] = {
    let mut is_ours = [false; 256];
    let mut at = 0;
    while at < ALPHABET.len() {
        is_ours[ALPHABET[at] as usize] = true;
        at += 1;
    }
    is_ours
};

impl SessionId {
    /// Makes an id of 24 random bytes.
    pub fn new(random: [u8; RANDOM]) -> Self {
        let mut text = [0; LEN];
        for (four, three) in text.chunks_exact_mut(4).zip(random.chunks_exact(3)) {
            let bits = three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte));
            for (character, shift) in four.iter_mut().zip([18, 12, 6, 0]) {
                *character = ALPHABET[(bits >> shift) as usize & 63];
            }
        }
        Self(text)
    }

    /// Reads an id as a client sends it back; `None` when it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let text = <[u8; LEN]>::try_from(text.as_bytes()).ok()?;
        text.iter().all(|&byte| IS_OURS[usize::from(byte)]).then_some(Self(text))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        // All of it is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The first six characters: enough to follow a session through a log, not enough to speak in it.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", self.as_str().get(..6).unwrap_or_default())
    }
}
