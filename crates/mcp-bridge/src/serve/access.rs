//! Who may come in, how often, and over what: authentication, rates, TLS.

use std::path::PathBuf;
use std::sync::Arc;

use mcp_transport::http::jwt::{Jwks, JwksOptions, JwtAuthenticator, JwtOptions};
use mcp_transport::http::{
    AnyOf, Authenticate, BearerTokens, CertificateSubject, Challenge, Rate, RateLimits, Rates, Resource,
    Route, RouterOptions, ServerTls,
};

use crate::peer::text_of;
use crate::remote::is_url;

#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// Speak TLS with the certificates of this file, PEM; it is read again when it changes and on HUP
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the first of them, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Let in only who has a certificate from an authority of this file, PEM; without tokens, its subject is who they are
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Let in who has a token of this file: one on each line, as TOKEN or NAME:TOKEN; lines that start with `#` are
    /// skipped
    #[arg(long, value_name = "FILE")]
    bearer_file: Option<PathBuf>,
    /// Let in who has the token of this environment variable
    #[arg(long, value_name = "VARIABLE")]
    bearer_env: Option<String>,
    /// Let in who has a JWT of this issuer, as its `iss` is spelt
    #[arg(long, value_name = "ISSUER", requires = "jwt_audience", requires = "jwks")]
    jwt_issuer: Option<String>,
    /// Whom a JWT has to be for: the URL of this server, as clients have it; then the server says there where tokens are
    /// to be had
    #[arg(long, value_name = "AUDIENCE", requires = "jwt_issuer")]
    jwt_audience: Vec<String>,
    /// The keys of the issuer, a JSON Web Key Set: a file, or an https URL
    #[arg(long, value_name = "FILE|URL", requires = "jwt_issuer")]
    jwks: Option<String>,
    /// Let the URL of the keys be one of a private network
    #[arg(long, requires = "jwks")]
    jwks_allow_private: bool,
    /// What a JWT has to allow; several times for several scopes
    #[arg(long, value_name = "SCOPE", requires = "jwt_issuer")]
    jwt_scope: Vec<String>,
    /// Requests a second of each address, principal and session, and how many at once (twice as many, if not said); more
    /// are answered with 429; 0 is for any number. It is 100/200, but on loopback nothing is counted unless this is said
    #[arg(long, value_name = "N[/BURST]", value_parser = rate)]
    rate: Option<Limit>,
}

/// What `--rate` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    None,
    At(Rate),
}

fn rate(text: &str) -> Result<Limit, String> {
    let number = |text: &str| text.parse::<u32>().map_err(|_| "not of the form N or N/BURST".to_owned());
    let (rate, burst) = match text.split_once('/') {
        Some((rate, burst)) => (number(rate)?, number(burst)?),
        None => number(text).map(|rate| (rate, rate.saturating_mul(2)))?,
    };
    match (rate, burst) {
        (0, _) => Ok(Limit::None),
        (_, 0) => Err("a burst of 0 lets nobody in".into()),
        (rate, burst) => Ok(Limit::At(Rate::per_second(rate, burst))),
    }
}

/// Who is let in, and what they are told who are not.
pub(super) struct Gate {
    authenticate: Option<Arc<dyn Authenticate>>,
    rates: Option<Rates>,
    /// Where it is said where tokens are to be had.
    metadata: Vec<Route>,
}

impl Args {
    /// Whether clients have to say who they are.
    pub(super) fn authenticates(&self) -> bool {
        self.has_tokens() || self.tls_client_ca.is_some()
    }

    fn has_tokens(&self) -> bool {
        self.bearer_file.is_some() || self.bearer_env.is_some() || self.jwt_issuer.is_some()
    }

    /// What TLS is spoken with, if it is.
    pub(super) fn tls(&self) -> Result<Option<ServerTls>, String> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let tls = ServerTls::from_files(certificate, key);
        let tls = match &self.tls_client_ca {
            Some(authorities) => tls.and_then(|tls| tls.with_client_authorities(authorities)),
            None => tls,
        };
        tls.map(Some).map_err(|error| text_of(&error))
    }

    /// Reads what there is to read, so that what is wrong is said before anybody is let in.
    ///
    /// A key set at a URL is fetched in the background: its issuer may start after us.
    pub(super) fn gate(&self, is_loopback: bool) -> Result<Gate, String> {
        let resource = self.resource()?;
        let metadata = match &resource {
            Some(resource) => resource.routes().map_err(|error| text_of(&error))?,
            None => Vec::new(),
        };
        let mut all: Vec<Arc<dyn Authenticate>> = Vec::new();
        for tokens in self.bearers()? {
            // The same as that of the others, so that a client is told one thing.
            let challenge = Challenge::of(resource.as_ref());
            let challenge =
                if self.jwt_scope.is_empty() { challenge } else { challenge.with_scopes(&self.jwt_scope) };
            all.push(Arc::new(tokens.with_challenge(challenge)));
        }
        all.extend(self.jwt(resource.as_ref())?);
        // A certificate that TLS has asked for comes beside a token, not in its place.
        if all.is_empty() && self.tls_client_ca.is_some() {
            all.push(Arc::new(CertificateSubject::new()));
        }
        let mut all = all.into_iter();
        let first = all.next();
        let authenticate = first.map(|first| -> Arc<dyn Authenticate> {
            let mut rest = all.peekable();
            match rest.peek() {
                None => first,
                Some(_) => Arc::new(rest.fold(AnyOf::new(first), AnyOf::or)),
            }
        });
        let rates = match self.rate {
            None | Some(Limit::None) if is_loopback => None,
            None => Some(Rates::default()),
            Some(limit) => {
                let rate = match limit {
                    // What starts processes and what guesses is limited all the same.
                    Limit::None => None,
                    Limit::At(rate) => Some(rate),
                };
                Some(Rates::default().with_address(rate).with_principal(rate).with_session(rate))
            }
        };
        Ok(Gate { authenticate, rates, metadata })
    }

    fn bearers(&self) -> Result<Vec<BearerTokens>, String> {
        let file = self.bearer_file.iter().map(|path| {
            BearerTokens::from_file(path).map_err(|error| format!("--bearer-file: {}", text_of(&error)))
        });
        let variable = self.bearer_env.iter().map(|name| {
            BearerTokens::from_env(name).map_err(|error| format!("--bearer-env: {}", text_of(&error)))
        });
        file.chain(variable).collect()
    }

    fn jwt(&self, resource: Option<&Resource>) -> Result<Option<Arc<dyn Authenticate>>, String> {
        let (Some(issuer), Some(keys)) = (&self.jwt_issuer, &self.jwks) else { return Ok(None) };
        let mut audiences = self.jwt_audience.iter();
        let Some(first) = audiences.next() else { return Ok(None) };
        let options = JwtOptions::new(issuer.as_str(), first.as_str());
        let options = audiences.fold(options, |options, audience| options.with_audience(audience.as_str()));
        let options = options.with_required_scopes(self.jwt_scope.iter().map(String::as_str));
        let failed = |error| format!("--jwks {keys}: {}", text_of(&error));
        let keys = if is_url(keys) {
            let fetching = JwksOptions::default();
            let fetching = if self.jwks_allow_private { fetching.allow_private_networks() } else { fetching };
            let url = keys.parse().map_err(|error| format!("--jwks {keys}: {error}"))?;
            Jwks::from_url(url, fetching).map_err(failed)?
        } else {
            Jwks::from_file(keys).map_err(failed)?
        };
        let jwt = JwtAuthenticator::new(options, keys)
            .map_err(|error| format!("--jwt-issuer: {}", text_of(&error)))?;
        Ok(Some(match resource {
            Some(resource) => Arc::new(jwt.with_resource(resource)),
            None => Arc::new(jwt),
        }))
    }

    /// The server as its clients and the issuer know it, where its audience is a URL.
    fn resource(&self) -> Result<Option<Resource>, String> {
        let (Some(issuer), Some(audience)) =
            (&self.jwt_issuer, self.jwt_audience.iter().find(|name| is_url(name)))
        else {
            return Ok(None);
        };
        let resource = audience.parse::<Resource>();
        let resource = resource.and_then(|resource| resource.with_authorization_server(issuer));
        let scopes = self.jwt_scope.iter().map(String::as_str);
        let resource = resource.and_then(|resource| resource.with_scopes(scopes));
        resource.map(Some).map_err(|error| format!("--jwt-audience {audience}: {}", text_of(&error)))
    }
}

impl Gate {
    /// Sets it before every route.
    pub(super) fn before(&self, options: RouterOptions) -> RouterOptions {
        let options = match &self.authenticate {
            Some(authenticate) => options.authenticate(authenticate.clone()),
            None => options,
        };
        match self.rates {
            Some(rates) => options.rate_limit(Arc::new(RateLimits::new(rates))),
            None => options,
        }
    }

    /// What it serves by itself.
    pub(super) fn routes(&self) -> impl Iterator<Item = Route> + use<> {
        self.metadata.clone().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let at = |rate, burst| Ok(Limit::At(Rate::per_second(rate, burst)));
        assert_eq!(rate("20"), at(20, 40));
        assert_eq!(rate("20/5"), at(20, 5));
        assert_eq!(rate("4294967295"), at(u32::MAX, u32::MAX));
        assert_eq!(rate("0"), Ok(Limit::None));
        for text in ["", "x", "-1", "1/", "/1", "1/0", "1/2/3", "4294967296"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
