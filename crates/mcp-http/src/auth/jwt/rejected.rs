//! Why a token is not accepted.

/// All are answered in the same way, with 401, so that nobody learns from the answers how to make a better one; which it
/// was is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    Malformed,
    Critical,
    Type,
    Algorithm,
    KeyId,
    UnknownKey,
    SeveralKeys,
    Signature,
    Claims,
    Issuer,
    Audience,
    Expiry,
    Expired,
    NotYet,
    Nobody,
}

impl Rejected {
    /// A phrase for the log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "the token is not a signed JWT",
            Self::Critical => "the token has extensions that are not supported",
            Self::Type => "the token is not an access token",
            Self::Algorithm => "the algorithm of the token is not allowed",
            Self::KeyId => "the key id of the token is not usable",
            Self::UnknownKey => "the key of the token is not known",
            Self::SeveralKeys => "the token does not say which key it was signed with",
            Self::Signature => "the signature of the token is not valid",
            Self::Claims => "the claims of the token are malformed",
            Self::Issuer => "the token is from another issuer",
            Self::Audience => "the token is for another audience",
            Self::Expiry => "the token has no usable expiry",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::Nobody => "the token says neither subject nor client",
        }
    }
}
