//! An issuer of tokens, good and bad, and what is traced while they are looked at.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

pub(crate) mod server;
pub(crate) mod table;

use std::fmt::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Request;
use http::request::Parts;
use mcp_http::jwt::{JwtAuthenticator, JwtOptions};
use mcp_http::{Authenticate, Reply};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
};
use ring::{hmac, rand};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const AUDIENCE: &str = "https://mcp.example/mcp";
/// The time at which tokens are looked at, in seconds.
pub(crate) const NOW: u64 = 1_800_000_000;

/// The key of RFC 7515 A.2: RSA keys take long to make, and ring makes none.
pub(crate) const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";
/// The public key of RFC 7517 A.1, which is another one.
pub(crate) const OTHER_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

pub(crate) static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: unbase64(N), e: unbase64("AQAB") },
        d: unbase64(D),
        p: unbase64(P),
        q: unbase64(Q),
        dP: unbase64(DP),
        dQ: unbase64(DQ),
        qInv: unbase64(QI),
    };
    RsaKeyPair::from_components(&components).unwrap()
});
static P256: LazyLock<Vec<u8>> = LazyLock::new(|| ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING));
static OTHER_P256: LazyLock<Vec<u8>> = LazyLock::new(|| ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING));
static P384: LazyLock<Vec<u8>> = LazyLock::new(|| ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING));
static ED25519: LazyLock<Ed25519KeyPair> = LazyLock::new(ed25519);
static OTHER_ED25519: LazyLock<Ed25519KeyPair> = LazyLock::new(ed25519);

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Vec<u8> {
    EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap().as_ref().to_vec()
}

fn ed25519() -> Ed25519KeyPair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()
}

/// How a token is signed, and with which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    /// In ASN.1, as most libraries have it and no token may.
    Es256Der,
    OtherEs256,
    Es384,
    Ed25519,
    OtherEd25519,
    /// With a shared secret: what is public of the RSA key, in some form.
    Hmac(hmac::Algorithm, Secret),
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    Pem,
    PemWithoutEnd,
    Pkcs1Pem,
    Der,
    Pkcs1Der,
    N,
    NText,
    Empty,
}

impl Secret {
    fn bytes(self) -> Vec<u8> {
        let pkcs1 = RSA.public().as_ref();
        // AlgorithmIdentifier of rsaEncryption, and a bit string around PKCS #1.
        let identifier = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
        let spki = der(0x30, &[&identifier[..], &der(3, &[&[0], pkcs1].concat())].concat());
        match self {
            Self::Pem => pem("PUBLIC KEY", &spki).into(),
            Self::PemWithoutEnd => pem("PUBLIC KEY", &spki).trim_end().into(),
            Self::Pkcs1Pem => pem("RSA PUBLIC KEY", pkcs1).into(),
            Self::Der => spki,
            Self::Pkcs1Der => pkcs1.to_vec(),
            Self::N => unbase64(N),
            Self::NText => N.into(),
            Self::Empty => Vec::new(),
        }
    }
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], content].concat()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

impl By {
    /// The name of its key in [`keys`].
    pub(crate) fn kid(self) -> &'static str {
        match self {
            Self::Es256 | Self::Es256Der | Self::OtherEs256 => "ec-1",
            Self::Es384 => "ec-2",
            Self::Ed25519 | Self::OtherEd25519 => "ed-1",
            _ => "rsa-1",
        }
    }

    pub(crate) fn alg(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 | Self::Es256Der | Self::OtherEs256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ed25519 | Self::OtherEd25519 => "EdDSA",
            Self::Hmac(algorithm, _) if algorithm == hmac::HMAC_SHA256 => "HS256",
            Self::Hmac(algorithm, _) if algorithm == hmac::HMAC_SHA384 => "HS384",
            Self::Hmac(..) => "HS512",
            Self::Nothing => "none",
        }
    }

    /// A header that says the truth.
    pub(crate) fn header(self) -> Value {
        json!({ "alg": self.alg(), "typ": "at+jwt", "kid": self.kid() })
    }

    pub(crate) fn sign(self, message: &[u8]) -> Vec<u8> {
        let rsa = |encoding: &'static dyn ring::signature::RsaEncoding| {
            let mut signature = vec![0; RSA.public().modulus_len()];
            RSA.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        };
        let ecdsa = |algorithm, key: &[u8]| {
            let random = SystemRandom::new();
            let key = EcdsaKeyPair::from_pkcs8(algorithm, key, &random).unwrap();
            key.sign(&random, message).unwrap().as_ref().to_vec()
        };
        match self {
            Self::Rs256 => rsa(&RSA_PKCS1_SHA256),
            Self::Rs384 => rsa(&RSA_PKCS1_SHA384),
            Self::Rs512 => rsa(&RSA_PKCS1_SHA512),
            Self::Ps256 => rsa(&RSA_PSS_SHA256),
            Self::Ps384 => rsa(&RSA_PSS_SHA384),
            Self::Ps512 => rsa(&RSA_PSS_SHA512),
            Self::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, &P256),
            Self::Es256Der => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, &P256),
            Self::OtherEs256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, &OTHER_P256),
            Self::Es384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, &P384),
            Self::Ed25519 => ED25519.sign(message).as_ref().to_vec(),
            Self::OtherEd25519 => OTHER_ED25519.sign(message).as_ref().to_vec(),
            Self::Hmac(algorithm, secret) => {
                hmac::sign(&hmac::Key::new(algorithm, &secret.bytes()), message).as_ref().to_vec()
            }
            Self::Nothing => Vec::new(),
        }
    }
}

pub(crate) fn rsa_key(kid: &str, n: &str) -> Value {
    json!({ "kty": "RSA", "kid": kid, "n": n, "e": "AQAB" })
}

pub(crate) fn p256_key(kid: &str) -> Value {
    ec_key(kid, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, &P256)
}

pub(crate) fn other_p256_key(kid: &str) -> Value {
    ec_key(kid, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, &OTHER_P256)
}

pub(crate) fn p384_key(kid: &str) -> Value {
    ec_key(kid, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, &P384)
}

fn ec_key(kid: &str, curve: &str, algorithm: &'static EcdsaSigningAlgorithm, key: &[u8]) -> Value {
    let key = EcdsaKeyPair::from_pkcs8(algorithm, key, &SystemRandom::new()).unwrap();
    let (x, y) = key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
    json!({ "kty": "EC", "crv": curve, "kid": kid, "x": base64(x), "y": base64(y) })
}

pub(crate) fn ed25519_key(kid: &str) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64(ED25519.public_key().as_ref()) })
}

pub(crate) fn other_ed25519_key(kid: &str) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64(OTHER_ED25519.public_key().as_ref()) })
}

/// The public keys of the issuer.
pub(crate) fn keys() -> Value {
    json!({ "keys": [rsa_key("rsa-1", N), p256_key("ec-1"), p384_key("ec-2"), ed25519_key("ed-1")] })
}

/// What a good token says.
pub(crate) fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "app", "exp": NOW + 300, "iat": NOW })
}

/// The same with other members; `null` takes one away.
pub(crate) fn with(object: &Value, members: Value) -> Value {
    let mut object = object.clone();
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

pub(crate) fn token(header: impl ToString, payload: impl ToString, by: By) -> String {
    token_of(header.to_string().as_bytes(), payload.to_string().as_bytes(), by)
}

pub(crate) fn token_of(header: &[u8], payload: &[u8], by: By) -> String {
    let signed = format!("{}.{}", base64(header), base64(payload));
    let signature = base64(&by.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// A token that is good in every way.
pub(crate) fn good(by: By) -> String {
    token(by.header(), claims(), by)
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn unbase64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub(crate) fn random() -> [u8; 16] {
    rand::generate(&SystemRandom::new()).unwrap().expose()
}

/// At [`NOW`], and with what is usual otherwise.
pub(crate) fn options() -> JwtOptions {
    JwtOptions::new(ISSUER, AUDIENCE).with_clock(|| UNIX_EPOCH + Duration::from_secs(NOW))
}

pub(crate) fn at(time: SystemTime) -> JwtOptions {
    JwtOptions::new(ISSUER, AUDIENCE).with_clock(move || time)
}

pub(crate) fn request(authorization: &[u8]) -> Parts {
    let value = http::HeaderValue::from_bytes(authorization).unwrap();
    Request::get("/mcp").header("authorization", value).body(()).unwrap().into_parts().0
}

pub(crate) fn bearer(token: &str) -> Parts {
    request(format!("Bearer {token}").as_bytes())
}

/// Who was let in, or the reply and why it was made.
pub(crate) struct Judged {
    pub(crate) outcome: Result<String, Reply>,
    pub(crate) reason: Option<String>,
    pub(crate) traced: String,
}

impl Judged {
    pub(crate) fn status(&self) -> u16 {
        self.outcome.as_ref().err().map_or(200, |reply| reply.status().as_u16())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.outcome.as_ref().err()?.headers().get(name)?.to_str().ok()
    }
}

pub(crate) async fn judge(authenticator: &JwtAuthenticator, parts: &Parts) -> Judged {
    let traced = Traced::new();
    let guard = tracing::subscriber::set_default(traced.clone());
    let outcome = authenticator.authenticate(parts).await;
    drop(guard);
    let traced = traced.text();
    let reason = traced.split("reason=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    let outcome = outcome.map(|principal| principal.unwrap().as_str().to_owned()).map_err(Reply::from);
    Judged { outcome, reason, traced }
}

/// Remembers all that is traced, spans and events, at every level.
#[derive(Clone, Default)]
pub(crate) struct Traced(Arc<Mutex<String>>);

impl Traced {
    /// While a process has one subscriber, a place that traces for the first time on a thread without it is taken to
    /// interest nobody. So there are always two.
    pub(crate) fn new() -> Self {
        static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Traced::default()));
        LazyLock::force(&ANOTHER);
        Self::default()
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl Visit for Traced {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0.lock().unwrap(), "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Traced {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
