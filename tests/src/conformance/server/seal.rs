//! State that the client keeps for us between two rounds, and cannot change.

use std::hash::{BuildHasher, RandomState};

/// A key of this process.
///
/// The state of a fixture lives for seconds, so the keyed hash that std has is seal enough. A server whose state gives
/// somebody access to something takes a real one, such as HMAC-SHA-256, compares in constant time, and binds the state
/// to a principal and a date.
#[derive(Debug, Default)]
pub(super) struct Seal(RandomState);

impl Seal {
    /// A text that only [`Seal::open`] for the same purpose takes.
    pub(super) fn close(&self, purpose: &str, text: &str) -> String {
        format!("{text}.{:016x}", self.0.hash_one((purpose, text)))
    }

    /// The text, if it was closed here, for this purpose, and is still what it was.
    pub(super) fn open<'a>(&self, purpose: &str, sealed: &'a str) -> Option<&'a str> {
        let (text, _) = sealed.rsplit_once('.')?;
        (self.close(purpose, text) == sealed).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Seal;

    #[test]
    fn what_was_changed_does_not_open() {
        let seal = Seal::default();
        let sealed = seal.close("a tool", "step.1");
        assert_eq!(seal.open("a tool", &sealed), Some("step.1"));
        assert_eq!(seal.open("another tool", &sealed), None);
        assert_eq!(seal.open("a tool", &format!("{sealed}-TAMPERED")), None);
        assert_eq!(seal.open("a tool", &sealed.replace("step.1", "step.2")), None);
        assert_eq!(seal.open("a tool", "step.1"), None);
        assert_eq!(Seal::default().open("a tool", &sealed), None);
    }
}
