//! What a token says, once its signature was found to be the issuer's.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use mcp_transport_core::Principal;
use serde_json::{Map, Value};

use super::json;
use super::options::JwtOptions;
use super::rejected::Rejected;

/// The claims of a token.
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Rejected> {
        json::object(payload).map(Self).ok_or(Rejected::Claims)
    }

    /// Checks who issued the token, for whom, and for when. A claim of the wrong type is no absent one.
    ///
    /// # Spec
    ///
    /// RFC 7519 4.1; RFC 9068 4; RFC 8725 3.8 and 3.9; MCP authorization, Token Handling: only tokens issued for us.
    pub(super) fn check(&self, options: &JwtOptions, now: SystemTime) -> Result<(), Rejected> {
        // RFC 9068 4: exactly the same text; nothing is normalised.
        if self.0.get("iss").is_none_or(|issuer| *issuer != *options.issuer) {
            return Err(Rejected::Issuer);
        }
        self.check_audience(options)?;
        let now = seconds(now);
        let leeway = options.leeway.as_secs_f64();
        let expiry = self.0.get("exp").and_then(Value::as_f64).ok_or(Rejected::Expiry)?;
        // RFC 7519 4.1.4: not on or after it.
        if now >= expiry + leeway {
            return Err(Rejected::Expired);
        }
        if let Some(begin) = self.0.get("nbf") {
            let begin = begin.as_f64().ok_or(Rejected::Claims)?;
            if now + leeway < begin {
                return Err(Rejected::NotYet);
            }
        }
        Ok(())
    }

    fn check_audience(&self, options: &JwtOptions) -> Result<(), Rejected> {
        let ours = |text: &str| options.audiences.iter().any(|audience| **audience == *text);
        let for_us = match self.0.get("aud") {
            Some(Value::String(audience)) => ours(audience),
            Some(Value::Array(audiences)) => {
                // One that is no text could be anything, and the rest with it.
                let texts: Option<Vec<_>> = audiences.iter().map(Value::as_str).collect();
                texts.is_some_and(|texts| texts.into_iter().any(ours))
            }
            _ => false,
        };
        if for_us { Ok(()) } else { Err(Rejected::Audience) }
    }

    /// Who asks: issuer, client and subject together, as a JSON array behind `jwt:`, so that no two that differ in any
    /// of them have the same name. Two users of one client are two, and so are two clients of one user.
    pub(super) fn principal(&self, options: &JwtOptions) -> Result<Principal, Rejected> {
        let name = |claim: &str| match self.0.get(claim) {
            None => Ok(None),
            Some(Value::String(name)) if !name.is_empty() => Ok(Some(name.as_str())),
            Some(_) => Err(Rejected::Claims),
        };
        // RFC 9068 2.2 has `client_id`; OpenID Connect has `azp`.
        let client = name("client_id")?.or(name("azp")?);
        let subject = name("sub")?;
        if client.is_none() && subject.is_none() {
            return Err(Rejected::Nobody);
        }
        let name = serde_json::to_string(&[Some(&*options.issuer), client, subject]);
        name.map(|name| Principal::new(format!("jwt:{name}"))).map_err(|_| Rejected::Claims)
    }

    /// Whether all required scopes were granted, by name or by one that implies them.
    ///
    /// # Spec
    ///
    /// RFC 8693 4.2 for `scope`; `scp` is what some issuers call it, and both may be an array.
    pub(super) fn has_scopes(&self, options: &JwtOptions) -> bool {
        let mut granted = BTreeSet::new();
        for claim in ["scope", "scp"] {
            match self.0.get(claim) {
                Some(Value::String(scopes)) => granted.extend(scopes.split(' ')),
                Some(Value::Array(scopes)) => granted.extend(scopes.iter().filter_map(Value::as_str)),
                _ => {}
            }
        }
        // Each round grants one more at least, and there are only so many.
        loop {
            let before = granted.len();
            for (broad, narrow) in &options.implied {
                if granted.contains(&**broad) {
                    granted.extend(narrow.iter().map(|scope| &**scope));
                }
            }
            if granted.len() == before {
                break;
            }
        }
        options.scopes.iter().all(|scope| granted.contains(&**scope))
    }
}

/// Since 1970, also when the clock of this machine stands before it.
fn seconds(time: SystemTime) -> f64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}
