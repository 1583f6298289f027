//! Which signatures a token may have.

use std::fmt;

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
};

/// An algorithm of signatures. All have a public key: with a shared secret (`HS256` and its like), and with none at all
/// (`none`), whoever can check a token can also make one, so those do not exist here.
///
/// # Spec
///
/// RFC 7518 3.1; RFC 8037 3.1; RFC 9864 2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwtAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, and a key of 2048 to 8192 bits.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384, and a key of 2048 to 8192 bits.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512, and a key of 2048 to 8192 bits.
    Rs512,
    /// RSASSA-PSS with SHA-256, and a key of 2048 to 8192 bits.
    Ps256,
    /// RSASSA-PSS with SHA-384, and a key of 2048 to 8192 bits.
    Ps384,
    /// RSASSA-PSS with SHA-512, and a key of 2048 to 8192 bits.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// EdDSA on the curve Ed25519: `EdDSA` in most tokens, `Ed25519` in those that follow RFC 9864.
    Ed25519,
}

impl JwtAlgorithm {
    /// What is accepted unless something else is said: `RS256`, which every issuer of OpenID Connect has to offer,
    /// `ES256`, which RFC 7518 recommends, and EdDSA, which newer issuers prefer.
    pub const DEFAULT: [Self; 3] = [Self::Rs256, Self::Es256, Self::Ed25519];

    /// The algorithm of a name, as tokens and keys have it; case counts.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => return None,
        })
    }

    /// The name that most tokens have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ed25519 => "EdDSA",
        }
    }

    /// How ring checks it, if it is one of RSA's.
    pub(super) fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::Ed25519 => return None,
        })
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
