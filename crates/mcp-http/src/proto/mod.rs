//! The rules, without IO: bytes, headers and addresses go in, values come out.
//!
//! | module | owns |
//! |---|---|
//! | [`event_stream`] | reading and writing `text/event-stream` |
//! | [`host`] | who a request is addressed to, and whether that is us |
//! | [`origin`] | which web page a request comes from, and whether it may |
//! | [`media_type`] | `Accept` and `Content-Type` |
//! | [`cookie`] | which cookies go back where |
//! | [`address`] | which addresses are of the public internet |
//! | [`proxy`] | which proxy a request goes through |
//! | [`reference`](mod@reference) | resolving the URI reference of an `endpoint` event or a redirect |
//! | [`query`] | the session parameter of a legacy message endpoint |
//! | [`SessionId`] | what names a session |

pub mod address;
mod authority;
pub mod cookie;
pub mod event_stream;
pub mod host;
pub mod media_type;
pub mod origin;
pub mod proxy;
pub mod query;
pub mod reference;
mod session_id;

pub use cookie::CookieJar;
pub use event_stream::{Decoded, Event, EventDecoder, EventId, EventLimits, EventName, OversizeEvent};
pub use host::{Authority, Host, HostList, HostProblem};
pub use media_type::{ContentType, MediaType};
pub use origin::{Origin, OriginList, OriginProblem};
pub use proxy::{Proxies, Proxy, ProxyProblem};
pub use query::QueryProblem;
pub use reference::ReferenceProblem;
pub use session_id::SessionId;
