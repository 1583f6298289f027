//! Tokens in a table, and what is expected of each.

use std::collections::BTreeSet;

use mcp_http::jwt::{Jwks, JwtAlgorithm, JwtAuthenticator, JwtOptions};
use serde_json::Value;

use super::{By, Judged, claims, judge, options, request, token, with};

pub(crate) const ALL: [JwtAlgorithm; 9] = [
    JwtAlgorithm::Rs256,
    JwtAlgorithm::Rs384,
    JwtAlgorithm::Rs512,
    JwtAlgorithm::Ps256,
    JwtAlgorithm::Ps384,
    JwtAlgorithm::Ps512,
    JwtAlgorithm::Es256,
    JwtAlgorithm::Es384,
    JwtAlgorithm::Ed25519,
];

// What the log says of a token that was refused.
pub(crate) const MALFORMED: &str = "the token is not a signed JWT";
pub(crate) const CRITICAL: &str = "the token has extensions that are not supported";
pub(crate) const TYPE: &str = "the token is not an access token";
pub(crate) const ALGORITHM: &str = "the algorithm of the token is not allowed";
pub(crate) const KEY_ID: &str = "the key id of the token is not usable";
pub(crate) const UNKNOWN_KEY: &str = "the key of the token is not known";
pub(crate) const SEVERAL_KEYS: &str = "the token does not say which key it was signed with";
pub(crate) const SIGNATURE: &str = "the signature of the token is not valid";
pub(crate) const CLAIMS: &str = "the claims of the token are malformed";
pub(crate) const FOREIGN: &str = "the token is from another issuer";
pub(crate) const AUDIENCE_IS_ANOTHER: &str = "the token is for another audience";
pub(crate) const EXPIRY: &str = "the token has no usable expiry";
pub(crate) const EXPIRED: &str = "the token has expired";
pub(crate) const NOT_YET: &str = "the token is not valid yet";
pub(crate) const NOBODY: &str = "the token says neither subject nor client";
pub(crate) const SCOPE: &str = "the token lacks a scope";

pub(crate) const ALICE: &str = r#"jwt:["https://login.example","app","alice"]"#;

/// A token, and what becomes of whoever brings it.
pub(crate) struct Vector {
    name: String,
    token: Vec<u8>,
    expected: Expected,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Is let in, under this name.
    In(String),
    /// 401, for this reason.
    Out(&'static str),
    /// 403, and all scopes that are needed.
    Lacks,
    /// 400: no bearer token at all.
    Unreadable,
}

#[derive(Default)]
pub(crate) struct Table(Vec<Vector>);

impl Table {
    pub(crate) fn row(&mut self, name: impl Into<String>, token: impl AsRef<[u8]>, expected: Expected) {
        self.0.push(Vector { name: name.into(), token: token.as_ref().to_vec(), expected });
    }

    pub(crate) fn passes(&mut self, name: impl Into<String>, token: impl AsRef<[u8]>) {
        self.row(name, token, Expected::In(ALICE.to_owned()));
    }

    pub(crate) fn fails(&mut self, name: impl Into<String>, token: impl AsRef<[u8]>, reason: &'static str) {
        self.row(name, token, Expected::Out(reason));
    }

    /// Judges every row.
    pub(crate) async fn judged(self, authenticator: &JwtAuthenticator) {
        let names: BTreeSet<_> = self.0.iter().map(|vector| vector.name.clone()).collect();
        assert_eq!(names.len(), self.0.len(), "two rows have one name");
        for Vector { name, token, expected } in &self.0 {
            let judged = judge(authenticator, &request(&[b"Bearer ", token.as_slice()].concat())).await;
            assert_eq!(outcome(&judged), *expected, "{name}");
            let text = String::from_utf8_lossy(token);
            for part in text.split('.').filter(|part| part.len() > 8) {
                assert!(!judged.traced.contains(part), "{name}: {}", judged.traced);
            }
        }
    }
}

pub(crate) fn outcome(judged: &Judged) -> Expected {
    let challenge = judged.header("www-authenticate");
    match judged.status() {
        200 => Expected::In(judged.outcome.as_ref().unwrap().clone()),
        400 => Expected::Unreadable,
        401 => {
            assert!(challenge.unwrap().starts_with("Bearer error=\"invalid_token\""), "{challenge:?}");
            let reason = judged.reason.as_deref().unwrap();
            let known = [
                MALFORMED,
                CRITICAL,
                TYPE,
                ALGORITHM,
                KEY_ID,
                UNKNOWN_KEY,
                SEVERAL_KEYS,
                SIGNATURE,
                CLAIMS,
                FOREIGN,
                AUDIENCE_IS_ANOTHER,
                EXPIRY,
                EXPIRED,
                NOT_YET,
                NOBODY,
            ];
            Expected::Out(known.into_iter().find(|known| *known == reason).expect(reason))
        }
        403 => {
            assert_eq!(challenge, Some(r#"Bearer error="insufficient_scope", scope="read write""#));
            assert_eq!(judged.reason.as_deref(), Some(SCOPE));
            Expected::Lacks
        }
        status => panic!("{status}"),
    }
}

pub(crate) fn authenticator(options: JwtOptions, keys: &Value) -> JwtAuthenticator {
    JwtAuthenticator::new(options, Jwks::from_bytes(keys.to_string().as_bytes()).unwrap()).unwrap()
}

/// Takes all algorithms.
pub(crate) fn liberal(keys: &Value) -> JwtAuthenticator {
    authenticator(options().with_algorithms(ALL), keys)
}

/// A good header of the key that signs most rows.
pub(crate) fn ed() -> Value {
    By::Ed25519.header()
}

/// Claims that are signed as they should be.
pub(crate) fn say(payload: impl ToString) -> String {
    token(ed(), payload, By::Ed25519)
}

/// Good claims, with other members; `null` takes one away.
pub(crate) fn claim(members: Value) -> String {
    say(with(&claims(), members))
}

/// The text of good claims, with another text instead of their end.
pub(crate) fn claims_and(text: &str) -> String {
    let claims = claims().to_string();
    say(format!("{},{text}}}", claims.strip_suffix('}').unwrap()))
}

/// A good header with other members.
pub(crate) fn head(members: Value) -> String {
    token(with(&ed(), members), claims(), By::Ed25519)
}

pub(crate) fn head_text(text: &str) -> String {
    token(text, claims(), By::Ed25519)
}

pub(crate) fn parts(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}
