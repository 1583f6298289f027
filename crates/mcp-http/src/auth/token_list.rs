//! How tokens are written down.

use super::credentials::{MAX_TOKEN, is_token};

/// The most bytes of a list, inclusive.
pub(super) const MAX_LIST: usize = 64 * 1024;
/// The most tokens: every one is compared with what each request has.
pub(super) const MAX_TOKENS: usize = 1024;
/// The most bytes of a name.
const MAX_NAME: usize = 64;

/// A token, and the name of whoever has it.
pub(super) struct Entry<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) token: &'a str,
}

/// What is wrong with an entry. It quotes nothing: what is wrong may be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the token is empty")]
    NoToken,
    #[error("the token has characters other than A-Z a-z 0-9 - . _ ~ + / and = at its end")]
    Token,
    #[error("the token is longer than 8 KiB")]
    TooLong,
    #[error("the name is empty")]
    NoName,
    #[error("the name is longer than 64 characters, or has others than visible ASCII without a colon")]
    Name,
}

impl<'a> Entry<'a> {
    pub(super) fn new(name: Option<&'a str>, token: &'a str) -> Result<Self, Fault> {
        if let Some(name) = name {
            if name.is_empty() {
                return Err(Fault::NoName);
            }
            if name.len() > MAX_NAME || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
                return Err(Fault::Name);
            }
        }
        match token {
            "" => Err(Fault::NoToken),
            token if !is_token(token.as_bytes()) => Err(Fault::Token),
            token if token.len() > MAX_TOKEN => Err(Fault::TooLong),
            token => Ok(Self { name, token }),
        }
    }
}

/// The entries of a list, or the first line that is none, counted from 1.
pub(super) fn entries(text: &str) -> Result<Vec<Entry<'_>>, (usize, Fault)> {
    let mut entries = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // No token has a colon.
        let entry = match line.split_once(':') {
            Some((name, token)) => Entry::new(Some(name), token),
            None => Entry::new(None, line),
        };
        entries.push(entry.map_err(|fault| (number, fault))?);
    }
    Ok(entries)
}
