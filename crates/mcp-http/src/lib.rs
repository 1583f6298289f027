//! What the two HTTP bindings of MCP share: event streams, one pipeline for every route, a bounded server, a client.
//!
//! ```text
//!            ┌ Server ──────────────────────────┐   ┌ Router ─────────────────────────────────────────┐
//!  socket ──▶│ places, clocks, caps, drain      │──▶│ Host ▸ Origin ▸ Sec-Fetch-Site ▸ authentication │──▶ Handler
//!            │ one task for each connection     │   │ ▸ route ▸ types ▸ size and pace ▸ JSON-RPC      │◀── Reply
//!            └──────────────────────────────────┘   └─────────────────────────────────────────────────┘
//!                                  another framework ──▲
//!
//!  HttpClient ──▶ redirects and cookies within the origin, bounded bodies, refusals with their challenge
//!             └─▶ proxy, TLS ──▶ another server
//! ```
//!
//! | to | take |
//! |---|---|
//! | add a binding | [`Route`], [`Handler`], [`Arrived`], and a reply such as [`event_stream_reply`] |
//! | give it sessions and streams | [`SessionTable`], [`FrameBuffer`], [`KeepAlive`] |
//! | serve routes | [`Router`], [`Server`], [`ServerControl`] |
//! | know who clients are | [`Authenticate`]; `BearerTokens`, `CertificateSubject`, and [`AnyOf`] of several |
//! | tell clients where tokens are had | [`Resource`], [`Challenge`] |
//! | mount them elsewhere | [`Router`], which is a [`hyper::service::Service`] |
//! | ask a server | [`HttpClient`], [`HttpRefused`] |
//! | say who asks | [`credentials`] |
//! | have the rules alone, without IO | [`proto`] |
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), mcp_transport_core::Error> {
//! use std::sync::Arc;
//!
//! use http::{Method, StatusCode};
//! use mcp_http::{Arrived, HttpClient, HttpClientOptions, Reply, Route, Router, RouterOptions, Server, ServerOptions};
//! use mcp_http::{Takes, text_reply};
//! use mcp_transport_core::BoxFuture;
//!
//! let accept = |arrived: Arrived| -> BoxFuture<'static, Reply> {
//!     assert!(arrived.payload.into_message().is_some());
//!     Box::pin(async { text_reply(StatusCode::ACCEPTED, "Accepted") })
//! };
//! let route = Route::new(Method::POST, "/message", Arc::new(accept)).takes(Takes::Message);
//! let router = Router::new(RouterOptions::default(), [route]);
//!
//! let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await?;
//! let uri = format!("http://{}/message", server.local_addr()).parse().unwrap();
//! let control = server.control();
//! let serving = tokio::spawn(server.serve(router));
//!
//! let client = HttpClient::new(HttpClientOptions::default());
//! let ping = r#"{"jsonrpc":"2.0","method":"ping","id":1}"#;
//! let response = client.post_json(&uri, Default::default(), ping).await?;
//! assert_eq!(response.status(), StatusCode::ACCEPTED);
//!
//! control.shutdown();
//! assert_eq!(serving.await.unwrap()?.cut, 0);
//! # Ok(()) }
//! ```
//!
//! # The pipeline
//!
//! Every request of every route goes through the same list, and the first check that fails answers. There is no way
//! around it, because a [`Router`] has no other way to a handler.
//!
//! | | check | answer |
//! |---|---|---|
//! | 1 | exactly one Host, which agrees with the target | 400 |
//! | 2 | Host is one of ours ([`RouterOptions::hosts`]) | 403 |
//! | 3 | Origin is absent, or allowed ([`RouterOptions::origins`]) | 403 |
//! | 4 | no page of another site without an allowed Origin; a CORS preflight ends here ([`Cors`]) | 403, 204 |
//! | 5 | not too many requests ([`RateLimit`]); the client is who it has to be ([`Authenticate`]) | 429, 401, 403 |
//! | 6 | the path exists, and has the method | 404, 405 with `Allow` |
//! | 7 | the answer's type is accepted, the body's type is taken | 406, 415 |
//! | 8 | the body is small enough, by its head and by what comes | 413 |
//! | 9 | the body comes in time, and is a message | 408, 400 |
//!
//! Nothing that a peer sent is part of an answer, but for the id of a malformed request.
//!
//! Whoever is known is told to the handler ([`Arrived::principal`]), and nothing is taken for granted from one request
//! to the next. `Authorization`, cookies and session ids are marked, so that no `Debug` of headers shows them.
//!
//! # What it does not do
//!
//! Nothing of what a session holds and no protocol revisions, which are the bindings'; no compression. Clear text is
//! HTTP/1.1, and so is the client. The server has no cookies. The client has no SOCKS, no cookies across hosts, ports or
//! schemes, and
//! none that outlive it.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `bearer` | `BearerTokens`: clients that are known by tokens; 9 crates |
//! | `http2` | HTTP/2 for the server, where TLS has agreed on it; what `tls` adds, and h2 |
//! | `jwt` | tokens of OAuth for the server (`jwt`), and what `tls` adds; 1 crate more |
//! | `rate-limit` | `RateLimits`, buckets for addresses, principals and sessions, by governor; 13 crates |
//! | `tls` | `https` by rustls with ring: `ServerTls` for the server, and who its clients are by their certificates; for the client, with the authorities that the system trusts; 12 crates |
//! | `token-command` | `TokenCommand`: a token that a program prints; 2 crates |
//!
//! # Limits
//!
//! [`ServerOptions`] for connections, [`BodyPace`] and [`Route::max_body`] for requests, [`HttpClientOptions`] for
//! responses, [`proto::EventLimits`] for event streams.
//!
//! # Cancel safety
//!
//! A handler's future is dropped when its client goes away: what has to live longer is handed to somebody else first.
//! Dropping what [`Server::serve`] returned cuts every connection. Each async function says so for itself.
//!
//! # Tracing
//!
//! Target `mcp.http`: refusals, malformed bodies, ends and failures of connections at debug, failures to accept
//! at error. Headers and bodies are never shown.

mod auth;
mod body;
mod client;
mod client_body;
mod client_options;
mod connector;
mod cors;
pub mod credentials;
mod detached;
mod frames;
mod io;
mod keep_alive;
#[cfg(feature = "tls")]
mod peer_certificate;
mod pipeline;
pub mod proto;
mod rate;
mod redirect;
mod refused;
mod reply;
mod request_body;
mod resolver;
mod route;
mod router;
mod server;
#[cfg(feature = "tls")]
mod server_tls;
#[cfg(feature = "tls")]
mod server_tls_files;
mod sessions;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod tunnel;

#[cfg(feature = "bearer")]
pub use auth::BearerTokens;
#[cfg(feature = "tls")]
pub use auth::CertificateSubject;
#[cfg(feature = "jwt")]
pub use auth::jwt;
pub use auth::{
    AnyOf, Authenticate, BadCredentials, Challenge, MAX_TOKEN, Presented, Resource, bearer_token,
};
pub use body::BodyPace;
pub use client::{FinalUri, HeadWithin, HttpClient};
pub use client_body::ClientBody;
pub use client_options::HttpClientOptions;
pub use cors::Cors;
pub use detached::{detached, detached_bytes, detached_message};
pub use frames::FrameBuffer;
pub use io::{ConnectionEnd, ConnectionHandle, ServerOptions};
pub use keep_alive::KeepAlive;
#[cfg(feature = "tls")]
pub use peer_certificate::PeerCertificate;
#[cfg(feature = "rate-limit")]
pub use rate::{Rate, RateLimits, Rates};
pub use rate::{RateLimit, Spent};
pub use refused::HttpRefused;
pub use reply::{Refusal, Reply, ReplyBody, event_stream_reply, json_reply, reply, text_reply};
pub use request_body::OnTaken;
pub use resolver::AddressFilter;
pub use route::{Arrived, DEFAULT_MAX_BODY, Handler, Payload, PeerAddr, Route, Takes};
pub use router::{Router, RouterOptions};
pub use server::{Drained, Server, ServerControl};
#[cfg(feature = "tls")]
pub use server_tls::ServerTls;
pub use sessions::{Full, Registered, SessionEntry, SessionTable};
