//! How keys are fetched.

use crate::client_options::HttpClientOptions;

/// How the keys of an issuer are fetched. The defaults fit an issuer on the public Internet.
#[derive(Clone, Debug, Default)]
pub struct JwksOptions {
    pub(super) client: HttpClientOptions,
    pub(super) private_networks: bool,
    pub(super) plain_on_loopback: bool,
}

impl JwksOptions {
    /// The authorities, proxies and headers of these options. Times and sizes are not taken, for they are fixed (see
    /// [`Jwks::from_url`](super::Jwks::from_url)), and neither are cookies, of which there are none. An address filter is
    /// taken where [private networks are allowed](Self::allow_private_networks).
    #[must_use]
    pub fn with_client(mut self, client: HttpClientOptions) -> Self {
        self.client = client;
        self
    }

    /// Fetches keys from private, link-local and loopback addresses too, as an issuer inside a company has them, and
    /// through a proxy, behind which nobody here sees the address. Default not: an issuer whose name points elsewhere, by
    /// mistake or on purpose, would have the server ask what only the server can reach.
    #[must_use]
    pub fn allow_private_networks(mut self) -> Self {
        self.private_networks = true;
        self
    }

    /// Fetches keys over `http` from this machine, which is for tests: whoever has the port can make every token. It
    /// needs [`allow_private_networks`](Self::allow_private_networks) beside it. Default `https` only.
    #[must_use]
    pub fn dangerous_allow_http_on_loopback(mut self) -> Self {
        self.plain_on_loopback = true;
        self
    }
}
