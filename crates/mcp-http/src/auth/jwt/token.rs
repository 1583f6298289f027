//! A token in its parts, before anybody knows whether to believe it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::algorithm::JwtAlgorithm;
use super::json;
use super::rejected::Rejected;

/// The longest name of a key, in bytes; those in use are hashes and UUIDs, and a few are URLs.
const MAX_KEY_ID: usize = 256;

/// A signed token whose header is one of ours.
pub(super) struct Token<'a> {
    pub(super) algorithm: JwtAlgorithm,
    pub(super) key_id: Option<String>,
    /// What the signature is of.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart and reads its header. It is short enough, which [`bearer_token`](crate::auth::bearer_token)
    /// has seen to. Where a header says where keys are to be had (`jku`, `jwk`, `x5c`,
    /// `x5u`), that is not looked at: it was written by whoever made the token.
    ///
    /// # Spec
    ///
    /// RFC 7515 3.1, 4.1 and 5.2; RFC 7519 5; RFC 8725 3.1 and 3.11; RFC 9068 2.1.
    pub(super) fn parse(text: &'a str, allowed: &[JwtAlgorithm]) -> Result<Self, Rejected> {
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Rejected::Malformed);
        };
        let signed = text.get(..header.len() + 1 + payload.len()).ok_or(Rejected::Malformed)?;
        let header = json::object(&decoded(header)?).ok_or(Rejected::Malformed)?;
        // RFC 7515 4.1.11: extensions that have to be understood, and there is none that is. RFC 7797 has a payload that
        // is no base64, and RFC 7519 none of its use; it comes with `crit`, and without it is meant for confusion.
        if header.contains_key("crit") || header.get("b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
            return Err(Rejected::Critical);
        }
        match header.get("typ") {
            None => {}
            Some(Value::String(typ)) if is_access_token(typ) => {}
            Some(_) => return Err(Rejected::Type),
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(name)) => JwtAlgorithm::parse(name),
            _ => None,
        };
        let algorithm = algorithm.filter(|found| allowed.contains(found)).ok_or(Rejected::Algorithm)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= MAX_KEY_ID => Some(id.clone()),
            Some(_) => return Err(Rejected::KeyId),
        };
        Ok(Self { algorithm, key_id, signed: signed.as_bytes(), signature: decoded(signature)?, payload })
    }

    /// What is signed, which means nothing until the signature was checked.
    pub(super) fn payload(&self) -> Result<Vec<u8>, Rejected> {
        decoded(self.payload)
    }
}

/// RFC 7515 2: without padding, and with no second spelling of the last character.
fn decoded(part: &str) -> Result<Vec<u8>, Rejected> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejected::Malformed)
}

/// RFC 7515 4.1.9: `application/` may be left out, and case does not count.
fn is_access_token(typ: &str) -> bool {
    const APPLICATION: &str = "application/";
    let named = typ.get(..APPLICATION.len()).is_some_and(|start| start.eq_ignore_ascii_case(APPLICATION));
    let name = if named { typ.get(APPLICATION.len()..).unwrap_or_default() } else { typ };
    name.eq_ignore_ascii_case("JWT") || name.eq_ignore_ascii_case("at+jwt")
}
