//! One public key of an issuer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde_json::{Map, Value};

use super::algorithm::JwtAlgorithm;

/// Bytes of an RSA modulus that ring takes: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// A public key that signatures can be checked with.
pub(super) struct Key {
    id: Option<Box<str>>,
    /// The one algorithm that it is for, if it says so.
    only: Option<JwtAlgorithm>,
    material: Material,
}

enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// A point on P-256, uncompressed.
    P256(Vec<u8>),
    /// A point on P-384, uncompressed.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// Reads a JSON Web Key; `None` for one that is not for signatures of ours: secrets, other curves, keys for
    /// encryption, too short ones. Of a private key only the public half is read.
    ///
    /// # Spec
    ///
    /// RFC 7517 4, RFC 7518 6.2.1 and 6.3.1, RFC 8037 2.
    pub(super) fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let absent_or = |name: &str, fits: &dyn Fn(&Value) -> bool| jwk.get(name).is_none_or(fits);
        let is_verify = |operation: &Value| operation == "verify";
        let for_signatures = absent_or("use", &|value| value == "sig")
            && absent_or("key_ops", &|value| value.as_array().is_some_and(|ops| ops.iter().any(is_verify)));
        if !for_signatures {
            return None;
        }
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(id.as_str()?.into()),
        };
        let only = match jwk.get("alg") {
            None => None,
            Some(name) => Some(JwtAlgorithm::parse(name.as_str()?)?),
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", None) => rsa(text("n")?, text("e")?)?,
            ("EC", Some("P-256")) => Material::P256(point(text("x")?, text("y")?, 32)?),
            ("EC", Some("P-384")) => Material::P384(point(text("x")?, text("y")?, 48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(sized(text("x")?, 32)?),
            _ => return None,
        };
        let key = Self { id, only, material };
        key.only.is_none_or(|only| key.is_for(only)).then_some(key)
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether signatures of an algorithm can be made with it: by its type, its curve, and what it says of itself.
    pub(super) fn is_for(&self, algorithm: JwtAlgorithm) -> bool {
        let fits = match self.material {
            Material::Rsa(_) => algorithm.rsa().is_some(),
            Material::P256(_) => algorithm == JwtAlgorithm::Es256,
            Material::P384(_) => algorithm == JwtAlgorithm::Es384,
            Material::Ed25519(_) => algorithm == JwtAlgorithm::Ed25519,
        };
        fits && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether a signature is of a message and by this key.
    pub(super) fn verifies(&self, algorithm: JwtAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        let by = |how: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key).verify(message, signature).is_ok()
        };
        match &self.material {
            Material::Rsa(key) => {
                algorithm.rsa().is_some_and(|how| key.verify(how, message, signature).is_ok())
            }
            // RFC 7518 3.4: r and s as they are, never in DER.
            Material::P256(point) => by(&ECDSA_P256_SHA256_FIXED, point),
            Material::P384(point) => by(&ECDSA_P384_SHA384_FIXED, point),
            Material::Ed25519(key) => by(&ED25519, key),
        }
    }
}

fn rsa(n: &str, e: &str) -> Option<Material> {
    let number = |text: &str| {
        let bytes = decoded(text)?;
        // RFC 7518 6.3.1.1: some write a leading zero all the same, and ring takes none.
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes.get(zeros..).map(<[u8]>::to_vec)
    };
    let (n, e) = (number(n)?, number(e)?);
    let usable = MODULUS.contains(&n.len()) && !e.is_empty();
    usable.then_some(Material::Rsa(RsaPublicKeyComponents { n, e }))
}

/// RFC 7518 6.2.1.2: each coordinate in its full size.
fn point(x: &str, y: &str, size: usize) -> Option<Vec<u8>> {
    let (x, y) = (sized(x, size)?, sized(y, size)?);
    Some([&[4], x.as_slice(), y.as_slice()].concat())
}

fn sized(text: &str, size: usize) -> Option<Vec<u8>> {
    decoded(text).filter(|bytes| bytes.len() == size)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
