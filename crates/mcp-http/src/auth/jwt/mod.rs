//! Tokens that an issuer has signed (feature `jwt`): the server takes the access tokens of an authorization server, and
//! checks them by its public keys, without asking it about each.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use mcp_http::jwt::{Jwks, JwksOptions, JwtAuthenticator, JwtOptions};
//! use mcp_http::{Resource, Router, RouterOptions};
//!
//! let resource: Resource = "https://mcp.example/mcp".parse()?;
//! let resource = resource.with_authorization_server("https://login.example")?;
//! let fetch = JwksOptions::default();
//! # let direct = mcp_http::HttpClientOptions::default().with_proxies(mcp_http::proto::Proxies::none());
//! # let fetch = fetch.with_client(direct);
//! let keys = Jwks::from_url("https://login.example/keys.json".parse()?, fetch)?;
//! // At start `keys.prefetch().await?` would say at once whether they can be had.
//! let tokens = JwtOptions::new("https://login.example", resource.as_str()).with_required_scopes(["mcp:use"]);
//! let authenticator = JwtAuthenticator::new(tokens, keys)?.with_resource(&resource);
//! let options = RouterOptions::default().authenticate(Arc::new(authenticator));
//! let router = Router::new(options, resource.routes()?);
//!
//! let request = Request::get("/mcp").header("host", "localhost").body(Full::<Bytes>::default())?;
//! let reply = router.answer(request).await;
//! assert_eq!(reply.status(), 401);
//! assert_eq!(
//!     reply.headers()["www-authenticate"],
//!     "Bearer scope=\"mcp:use\", \
//!      resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\""
//! );
//! # Ok(()) }
//! ```
//!
//! # What is checked
//!
//! In this order. Who fails has 401 and is not told why; the log is, at debug.
//!
//! | | |
//! |---|---|
//! | form | at most 8 KiB; three parts in base64url without padding; no name twice in the JSON, at any level |
//! | header | no `crit`; `typ` is absent, `JWT` or `at+jwt`; `alg` is on [our list](JwtOptions::with_algorithms) |
//! | key | of the set that was configured, by `kid`; without `kid`, the only key for `alg`; type, curve, `alg`, `use` and `key_ops` of the key fit |
//! | signature | over the bytes as they came |
//! | `iss`, `aud` | the issuer, byte by byte; one of ours among the audiences |
//! | `exp`, `nbf` | a number that has not passed, always; one that has passed, if it is there; 60 s of leeway |
//! | `client_id` or `azp`, `sub` | one of them at least: together with the issuer they are the [principal](mcp_transport_core::Principal) |
//! | `scope`, `scp` | what is [required](JwtOptions::with_required_scopes); who lacks it has 403 and is told all of it |
//!
//! Where the keys cannot be had at all, the answer is 503 with `Retry-After`: the token may well be good.
//!
//! # What it does not do
//!
//! It finds no keys by itself (neither by the issuer's metadata nor by what a token names), asks nobody whether a token
//! was revoked, decrypts nothing, and looks at no claim beside these. Shared secrets (`HS256`) are no algorithm of it.
//! A fetched key that is replaced by another one of the same `kid` is seen when the set is not fresh any more.
//!
//! # Spec
//!
//! RFC 7515, 7517, 7518, 7519 and 8037; RFC 8725 for what to refuse; RFC 9068; RFC 6750 for the answers; MCP 2025-03-26
//! authorization and later, Token Handling.

mod algorithm;
mod authenticator;
mod cache;
mod claims;
mod flight;
mod freshness;
mod json;
mod jwks;
mod jwks_options;
mod key;
mod key_set;
mod options;
mod rejected;
mod remote;
mod token;

pub use algorithm::JwtAlgorithm;
pub use authenticator::JwtAuthenticator;
pub use jwks::Jwks;
pub use jwks_options::JwksOptions;
pub use options::JwtOptions;
