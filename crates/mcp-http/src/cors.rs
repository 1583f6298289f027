//! Which web pages of other origins may read the answers.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue,
    ORIGIN, VARY,
};
use http::{HeaderMap, StatusCode};

use crate::proto::Origin;
use crate::reply::{Reply, ReplyBody, reply};

/// Headers that pages may send. Those of 2026-07-28 that are named after parameters are allowed as they are asked for.
const ALLOWED: &str = "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, \
                       mcp-protocol-version, mcp-session-id";
/// The start of headers that are named after parameters.
const PARAMETER: &str = "mcp-param-";
/// Names of that kind in one answer; a tool has fewer.
const MAX_PARAMETERS: usize = 32;
/// What pages can read beside what they always can.
const EXPOSED: &str = "mcp-session-id, mcp-protocol-version, retry-after, www-authenticate";
const METHODS: &str = "DELETE, GET, POST";

/// Web pages of other origins that may use the server from a browser: each origin by name, never all.
///
/// No credentials that a browser adds by itself are let through (cookies, certificates): pages send their token in
/// `Authorization`. Pages that the public Internet serves are not let into private networks.
///
/// # Spec
///
/// WHATWG Fetch, CORS protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<Origin>,
    max_age: Duration,
}

impl Cors {
    /// For the pages of these origins. Browsers keep what they were told for ten minutes.
    pub fn new(origins: impl IntoIterator<Item = Origin>) -> Self {
        Self { origins: origins.into_iter().collect(), max_age: Duration::from_secs(600) }
    }

    /// How long browsers may keep the answer to a preflight, in whole seconds; 0 for not at all. They have bounds of
    /// their own, of some hours.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// The origins.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.origins.iter()
    }

    /// The `Origin` of a request whose page may read the answer.
    pub(crate) fn reader(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut values = headers.get_all(ORIGIN).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        let origin = Origin::parse(value.as_bytes()).ok()?;
        self.origins.contains(&origin).then(|| value.clone())
    }

    /// Says in an answer who may read it. Every answer depends on who asks, and says so for caches.
    pub(crate) fn mark(&self, reader: Option<HeaderValue>, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(reader) = reader {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, reader);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }

    /// What a page may do, for one that asks.
    pub(crate) fn preflight(&self, asked: &HeaderMap) -> Reply {
        let mut reply = reply(StatusCode::NO_CONTENT, ReplyBody::empty());
        let headers = reply.headers_mut();
        headers.append(VARY, HeaderValue::from_static("access-control-request-headers"));
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed(asked));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.max_age.as_secs()));
        reply
    }
}

fn allowed(asked: &HeaderMap) -> HeaderValue {
    let mut allowed = ALLOWED.to_owned();
    let asked = asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = asked.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let is_parameter = |name: &&str| {
        let start = name.get(..PARAMETER.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(PARAMETER))
            && http::HeaderName::from_bytes(name.as_bytes()).is_ok()
    };
    for name in names.map(str::trim).filter(is_parameter).take(MAX_PARAMETERS) {
        allowed.push_str(", ");
        allowed.push_str(name);
    }
    HeaderValue::try_from(allowed).unwrap_or(HeaderValue::from_static(ALLOWED))
}
