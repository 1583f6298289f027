//! The public keys of an issuer.

use mcp_transport_core::{Error, ErrorKind};
use serde_json::Value;

use super::algorithm::JwtAlgorithm;
use super::json;
use super::key::Key;
use super::rejected::Rejected;

/// The most bytes of a set. One of a hundred keys with their certificates has about that.
pub(super) const MAX_SET: usize = 256 * 1024;

/// The most keys of a set, unusable ones counted. Issuers have two to ten.
const MAX_KEYS: usize = 128;

/// Keys of one name that are tried; more than one is against what RFC 7517 4.5 asks for, and each costs a verification.
const MAX_OF_ONE_ID: usize = 4;

/// What an issuer's set had in it that can be used.
pub(super) struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads a JSON Web Key Set.
    ///
    /// # Errors
    ///
    /// Limit, when it has too many bytes or keys; peer, when it is none, or has no key that can be used.
    ///
    /// # Spec
    ///
    /// RFC 7517 5: keys that are not understood are ignored.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Error> {
        if text.len() > MAX_SET {
            return Err(Error::new(ErrorKind::Limit, "the key set is larger than 256 KiB"));
        }
        let none = || Error::new(ErrorKind::Peer, "that is no JSON Web Key Set");
        let mut members = json::object(text).ok_or_else(none)?;
        let Some(Value::Array(entries)) = members.remove("keys") else { return Err(none()) };
        if entries.len() > MAX_KEYS {
            return Err(Error::new(ErrorKind::Limit, "the key set has more than 128 keys"));
        }
        let keys: Vec<_> = entries.iter().filter_map(Value::as_object).filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(Error::new(ErrorKind::Peer, "the key set has no key that can be used"));
        }
        Ok(Self { keys })
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has a key of a name; without one, whether it has a key for an algorithm.
    pub(super) fn knows(&self, id: Option<&str>, algorithm: JwtAlgorithm) -> bool {
        self.keys.iter().any(|key| match id {
            Some(id) => key.id() == Some(id),
            None => key.is_for(algorithm),
        })
    }

    /// Checks a signature with the key of a name, or, without a name, with the one key for its algorithm.
    pub(super) fn check(
        &self,
        id: Option<&str>,
        algorithm: JwtAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Rejected> {
        let fits = |key: &&Key| key.is_for(algorithm) && id.is_none_or(|id| key.id() == Some(id));
        let mut keys = self.keys.iter().filter(fits).take(MAX_OF_ONE_ID).peekable();
        if keys.peek().is_none() {
            return Err(Rejected::UnknownKey);
        }
        if id.is_none() && keys.clone().nth(1).is_some() {
            return Err(Rejected::SeveralKeys);
        }
        if keys.any(|key| key.verifies(algorithm, message, signature)) {
            Ok(())
        } else {
            Err(Rejected::Signature)
        }
    }
}
