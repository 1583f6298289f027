//! Tokens that were agreed on beforehand.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use http::request::Parts;
use mcp_transport_core::{BoxFuture, Error, ErrorKind, Principal};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::challenge::Challenge;
use super::credentials::{Presented, bearer_token};
use super::token_list::{Entry, MAX_LIST, MAX_TOKENS, entries};
use super::{Authenticate, Resource};
use crate::reply::Refusal;

/// A token with fewer bytes is warned of: with 64 characters to choose from, 16 of them are 96 bits.
const SHORT: usize = 16;
/// Bytes of a digest that name a token without a name.
const NAMING: usize = 8;

type Hash = [u8; 32];

/// Lets in whoever has one of a few tokens, and tells them apart by it.
///
/// The principal of a token with a name is `bearer:` and the name; two tokens may share one, so that one can take the
/// place of the other. Without a name it is `bearer:sha256:` and the first 16 hexadecimal digits of the token's SHA-256.
///
/// Only digests are kept, and each request's is compared with every one of them, in a time that depends on how many
/// there are and on nothing else. What a caller passes in, and the text of a file or a variable, is not wiped.
///
/// Everything that would leave a server open or a user in doubt is an error when it is made: no token at all, an empty
/// one, one that no request can carry, the same one twice. A token of fewer than 16 bytes is warned of, in the log.
///
/// # Lists
///
/// In text, one entry stands on a line: `name:token`, or `token`. Spaces around it, empty lines, and lines that begin
/// with `#` do not count. A token is of the characters `A-Z a-z 0-9 - . _ ~ + /`, with `=` at its end, and has at most
/// 8 KiB; a name has 1 to 64 visible ASCII characters without a colon. There are at most 1,024 tokens, and 64 KiB.
///
/// ```text
/// # for the nightly job
/// nightly:q83vEjRWeJCrze8SNFZ4kA==
/// ann:kz3qC7Xw1vQm0F5nJt8Yb2LdRg4sPh6U
/// ```
#[derive(Clone)]
pub struct BearerTokens {
    known: Vec<Known>,
    challenge: Challenge,
}

#[derive(Clone)]
struct Known {
    digest: Hash,
    principal: Principal,
}

impl BearerTokens {
    /// Tokens, each with the name of whoever has it.
    ///
    /// # Errors
    ///
    /// Misuse, when there are none or more than 1,024, one is no token, a name is no name, or a token stands there
    /// twice. The error tells the place in the list, from 1, and nothing else of it.
    pub fn new<N: AsRef<str>, T: AsRef<str>>(named: impl IntoIterator<Item = (N, T)>) -> Result<Self, Error> {
        let mut tokens = Self { known: Vec::new(), challenge: Challenge::of(None) };
        let mut short = false;
        for ((name, token), place) in named.into_iter().zip(1..) {
            let entry = Entry::new(Some(name.as_ref()), token.as_ref());
            let entry = entry.map_err(|fault| misuse(format!("bearer token {place}: {fault}")))?;
            short |= entry.token.len() < SHORT;
            tokens.add(&entry).map_err(|what| misuse(format!("bearer token {place}: {what}")))?;
        }
        tokens.checked("the bearer tokens", short)
    }

    /// The tokens of a list, in text.
    ///
    /// # Errors
    ///
    /// Misuse, as [`new`](Self::new), with the number of the line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::listed(text, "the bearer tokens")
    }

    /// The tokens of a list, in a file. It is read once, now, and blocks the thread meanwhile.
    ///
    /// On Unix a file that others than its owner can read is warned of, in the log.
    ///
    /// # Errors
    ///
    /// Io, when it cannot be read. Misuse, as [`new`](Self::new), and for more than 64 KiB. Each names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let failed =
            |error| Error::io(format!("{name}: the file with the bearer tokens cannot be read"), error);
        let file = File::open(path).map_err(failed)?;
        warn_if_others_read(&file, &name);
        let mut bytes = Vec::new();
        file.take(MAX_LIST as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|_| misuse(format!("{name}: not UTF-8")))?;
        Self::listed(&text, &name)
    }

    /// The tokens of a list, in an environment variable; often it is one token.
    ///
    /// # Errors
    ///
    /// Misuse, when the variable is not set, and as [`new`](Self::new). Each names the variable, and nothing of its
    /// value.
    pub fn from_env(variable: &str) -> Result<Self, Error> {
        Self::from_value(variable, std::env::var_os(variable))
    }

    fn from_value(variable: &str, value: Option<OsString>) -> Result<Self, Error> {
        let name = format!("environment variable {variable}");
        let value = value.ok_or_else(|| misuse(format!("{name}: not set; it has to hold a bearer token")))?;
        let text = value.into_string().map_err(|_| misuse(format!("{name}: not UTF-8")))?;
        Self::listed(&text, &name)
    }

    /// What it says to clients that it does not let in. Default a bare `Bearer`.
    #[must_use]
    pub fn with_challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = challenge;
        self
    }

    /// Says to clients that it does not let in where they get a token for this resource: the same as
    /// [`with_challenge`](Self::with_challenge) with the resource's.
    #[must_use]
    pub fn with_resource(self, resource: &Resource) -> Self {
        self.with_challenge(Challenge::of(Some(resource)))
    }

    fn listed(text: &str, name: &str) -> Result<Self, Error> {
        if text.len() > MAX_LIST {
            return Err(misuse(format!("{name}: more than 64 KiB")));
        }
        let mut tokens = Self { known: Vec::new(), challenge: Challenge::of(None) };
        let mut short = false;
        let found = entries(text).map_err(|(line, fault)| misuse(format!("{name}: line {line}: {fault}")))?;
        for entry in &found {
            short |= entry.token.len() < SHORT;
            tokens.add(entry).map_err(|what| misuse(format!("{name}: {what}")))?;
        }
        tokens.checked(name, short)
    }

    fn add(&mut self, entry: &Entry<'_>) -> Result<(), &'static str> {
        let digest = digest(entry.token);
        if self.known.len() == MAX_TOKENS {
            return Err("more than 1,024 tokens");
        }
        if self.known.iter().any(|known| known.digest == digest) {
            return Err("the same token stands there twice");
        }
        let principal = match entry.name {
            Some(name) => format!("bearer:{name}"),
            None => {
                let naming = digest.iter().take(NAMING);
                format!("bearer:sha256:{}", naming.map(|byte| format!("{byte:02x}")).collect::<String>())
            }
        };
        self.known.push(Known { digest, principal: Principal::new(principal) });
        Ok(())
    }

    fn checked(self, name: &str, short: bool) -> Result<Self, Error> {
        if self.known.is_empty() {
            return Err(misuse(format!("{name}: no token in there")));
        }
        if short {
            tracing::warn!(target: "mcp.http", from = name, "a bearer token of fewer than 16 bytes can be guessed");
        }
        Ok(self)
    }

    /// Whose token it is. All digests are looked at, also behind the one that is the same.
    fn whose(&self, token: &str, same: impl Fn(&Hash, &Hash) -> Choice) -> Option<&Principal> {
        let digest = digest(token);
        let mut place = u32::MAX;
        for (at, known) in (0..).zip(&self.known) {
            place.conditional_assign(&at, same(&known.digest, &digest));
        }
        self.known.get(usize::try_from(place).ok()?).map(|known| &known.principal)
    }

    fn judge(&self, parts: &Parts) -> Result<Option<Principal>, Refusal> {
        let token = bearer_token(parts).map_err(|_| self.challenge.malformed())?;
        let token = token.ok_or_else(|| self.challenge.missing())?;
        let found = self.whose(token, |known, asked| known.ct_eq(asked));
        found.cloned().map(Some).ok_or_else(|| self.challenge.invalid())
    }
}

impl Authenticate for BearerTokens {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        Box::pin(std::future::ready(self.judge(parts)))
    }

    fn finds(&self, parts: &Parts) -> Presented {
        Presented::bearer(parts)
    }
}

/// How many there are.
impl fmt::Debug for BearerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerTokens").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

fn digest(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

fn misuse(what: String) -> Error {
    Error::new(ErrorKind::Misuse, what)
}

#[cfg(unix)]
fn warn_if_others_read(file: &File, name: &str) {
    use std::os::unix::fs::PermissionsExt;
    let others =
        |metadata: std::fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o044 != 0;
    if file.metadata().is_ok_and(others) {
        tracing::warn!(target: "mcp.http", file = name, "others than its owner can read the bearer tokens");
    }
}

#[cfg(not(unix))]
fn warn_if_others_read(_file: &File, _name: &str) {}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn every_digest_is_compared_wherever_the_right_one_stands() {
        let list: String = (0..64).map(|number| format!("n{number}:token-of-number-{number}\n")).collect();
        let tokens = BearerTokens::parse(&list).unwrap();
        let asked =
            (0..64).map(|number| (format!("token-of-number-{number}"), Some(format!("bearer:n{number}"))));
        let others = ["", "token-of-number-64", "token-of-number-1x"].map(|token| (token.to_owned(), None));
        for (token, expected) in asked.chain(others) {
            let seen = RefCell::new(Vec::new());
            let whose = tokens.whose(&token, |known, asked| {
                assert_eq!(*asked, digest(&token), "digests are compared, not tokens");
                seen.borrow_mut().push(*known);
                known.ct_eq(asked)
            });
            assert_eq!(whose.map(Principal::as_str), expected.as_deref());
            let all: Vec<Hash> = tokens.known.iter().map(|known| known.digest).collect();
            assert_eq!(*seen.borrow(), all, "{token}: in their order, all of them");
        }
    }

    #[test]
    fn what_a_variable_holds() {
        let whose = |tokens: BearerTokens| tokens.known[0].principal.as_str().to_owned();
        let from = |value: Option<&str>| BearerTokens::from_value("MCP_TOKEN", value.map(OsString::from));
        assert_eq!(whose(from(Some("ann:abcdefghijklmnop")).unwrap()), "bearer:ann");
        assert_eq!(whose(from(Some(" \nabc\n")).unwrap()), "bearer:sha256:ba7816bf8f01cfea");
        for (value, says) in [
            (None, "not set"),
            (Some(""), "no token"),
            (Some(" \t\r\n \n"), "no token"),
            (Some("# abc"), "no token"),
            (Some("canary canary"), "line 1"),
            (Some("canary:"), "empty"),
            (Some(":canary"), "empty"),
        ] {
            let error = from(value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misuse);
            let text = format!("{error} {error:?}");
            assert!(text.starts_with("environment variable MCP_TOKEN: ") && text.contains(says), "{text}");
            assert!(!text.contains("canary"), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_text() {
        use std::os::unix::ffi::OsStringExt;
        let error = BearerTokens::from_value("V", Some(OsString::from_vec(vec![b'a', 0xff]))).unwrap_err();
        assert_eq!(error.to_string(), "environment variable V: not UTF-8");
    }
}
