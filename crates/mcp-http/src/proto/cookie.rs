//! Cookies, as far as load balancers need them: each goes back to the origin that set it, and to no other.
//!
//! A balancer that keeps a session on one server says so with a cookie; a client that does not send it back has its
//! next request answered by a server that has never heard of the session.
//! A jar has no `Domain`: hosts share nothing, and neither do ports or schemes, which is stricter than browsers are.
//!
//! # Spec
//!
//! RFC 6265, 5; of its revision, that what is not sent over TLS cannot set `Secure`.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};

use super::origin::Origin;

/// The most origins that a jar has cookies of. Who comes later replaces the one that set none for longest.
pub const MAX_ORIGINS: usize = 64;

/// The most cookies of one origin. A later one replaces the oldest.
pub const MAX_COOKIES: usize = 16;

/// The most bytes of the cookies of one origin: names, values and paths together.
pub const MAX_BYTES: usize = 4 * 1024;

/// What origins have set, bounded by [`MAX_ORIGINS`], [`MAX_COOKIES`] and [`MAX_BYTES`].
///
/// ```
/// use std::time::SystemTime;
///
/// use http::header::{HeaderMap, HeaderValue, SET_COOKIE};
/// use mcp_http::proto::{CookieJar, Origin};
///
/// let origin = Origin::parse(b"https://mcp.example.com")?;
/// let mut headers = HeaderMap::new();
/// headers.insert(SET_COOKIE, HeaderValue::from_static("route=a7; Path=/; Secure; HttpOnly"));
///
/// let mut jar = CookieJar::new();
/// jar.store(&origin, "/mcp", &headers, SystemTime::now());
/// let cookies = jar.cookies(&origin, "/mcp", &HeaderMap::new(), SystemTime::now());
/// assert_eq!(cookies.as_ref().map(HeaderValue::as_bytes), Some(&b"route=a7"[..]));
/// # Ok::<(), mcp_http::proto::OriginProblem>(())
/// ```
#[derive(Clone, Default)]
pub struct CookieJar {
    /// The one that set cookies last is last.
    origins: Vec<(Origin, Vec<Cookie>)>,
}

/// `Secure` needs no place: what has it is kept for `https` origins only, and goes back to its origin only.
#[derive(Clone)]
struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
    path: Vec<u8>,
    /// `None` is for as long as the jar lives.
    until: Option<SystemTime>,
}

impl CookieJar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what a response sets whose request went to `path` of `origin`. What cannot be read is left out.
    pub fn store(&mut self, origin: &Origin, path: &str, headers: &HeaderMap, now: SystemTime) {
        let mut set = headers.get_all(SET_COOKIE).iter().peekable();
        if set.peek().is_none() {
            return;
        }
        let at = self.origins.iter().position(|(other, _)| other == origin);
        let mut cookies = at.map(|at| self.origins.remove(at).1).unwrap_or_default();
        for value in set {
            let Some(cookie) = Cookie::parse(value.as_bytes(), origin, path, now) else { continue };
            cookies.retain(|old| old.name != cookie.name || old.path != cookie.path);
            if cookie.is_alive(now) && cookie.bytes() <= MAX_BYTES {
                cookies.push(cookie);
            }
        }
        cookies.retain(|cookie| cookie.is_alive(now));
        while cookies.len() > MAX_COOKIES || cookies.iter().map(Cookie::bytes).sum::<usize>() > MAX_BYTES {
            cookies.remove(0);
        }
        if !cookies.is_empty() {
            self.origins.push((origin.clone(), cookies));
        }
        if self.origins.len() > MAX_ORIGINS {
            self.origins.remove(0);
        }
    }

    /// What the one `Cookie` header of a request to `path` of `origin` has to be, given those it has already; `None`
    /// when they can stay as they are. A cookie whose name the request has already is left out.
    pub fn cookies(
        &self,
        origin: &Origin,
        path: &str,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Option<HeaderValue> {
        let (_, cookies) = self.origins.iter().find(|(other, _)| other == origin)?;
        let own: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        let own = own.join(&b"; "[..]);
        let names: Vec<&[u8]> = own.split(|byte| *byte == b';').map(|pair| split(pair, b'=').0).collect();
        let mut sent: Vec<&Cookie> = cookies
            .iter()
            .filter(|cookie| cookie.is_alive(now) && covers(&cookie.path, path.as_bytes()))
            .filter(|cookie| !names.contains(&cookie.name.as_slice()))
            .collect();
        if sent.is_empty() {
            return None;
        }
        // RFC 6265 5.4: longer paths first.
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut line = own.clone();
        for cookie in sent {
            if !line.is_empty() {
                line.extend_from_slice(b"; ");
            }
            line.extend_from_slice(&cookie.name);
            line.push(b'=');
            line.extend_from_slice(&cookie.value);
        }
        let mut value = HeaderValue::from_bytes(&line).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl Cookie {
    /// RFC 6265 5.2 and 5.3, without `Domain`.
    fn parse(text: &[u8], origin: &Origin, path: &str, now: SystemTime) -> Option<Self> {
        let mut parts = text.split(|byte| *byte == b';');
        let (name, value) = split(parts.next()?, b'=');
        let value = value.filter(|_| !name.is_empty())?;
        let (mut until, mut max_age, mut scope) = (None, None, None);
        for attribute in parts {
            let (attribute, value) = split(attribute, b'=');
            let value = value.unwrap_or_default();
            match attribute.to_ascii_lowercase().as_slice() {
                b"expires" => until = date(value).or(until),
                b"max-age" => max_age = seconds(value).or(max_age),
                b"path" => scope = value.starts_with(b"/").then_some(value),
                b"secure" if !origin.is_secure() => return None,
                _ => {}
            }
        }
        let until = match max_age {
            Some(0) => Some(now),
            Some(seconds) => now.checked_add(Duration::from_secs(seconds)),
            None => until,
        };
        let path = scope.unwrap_or_else(|| default_path(path.as_bytes())).to_vec();
        Some(Self { name: name.to_vec(), value: value.to_vec(), path, until })
    }

    fn is_alive(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn bytes(&self) -> usize {
        self.name.len() + self.value.len() + self.path.len()
    }
}

/// What is before and behind the first `at`, both without spaces around them.
fn split(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(index) => {
            let (before, behind) = text.split_at(index);
            (before.trim_ascii(), Some(behind.get(1..).unwrap_or_default().trim_ascii()))
        }
        None => (text.trim_ascii(), None),
    }
}

/// Servers write dates also as `Thu, 01-Jan-1970 00:00:00 GMT`.
fn date(text: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?;
    httpdate::parse_http_date(text).or_else(|_| httpdate::parse_http_date(&text.replace('-', " "))).ok()
}

/// No time at all for what is zero or less, and no end for what has too many digits.
fn seconds(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    Some(if negative { 0 } else { seconds })
}

/// RFC 6265 5.1.4: the path of the request without its last segment.
fn default_path(path: &[u8]) -> &[u8] {
    match memchr::memrchr(b'/', path) {
        Some(end) if end > 0 && path.starts_with(b"/") => path.get(..end).unwrap_or(b"/"),
        _ => b"/",
    }
}

/// RFC 6265 5.1.4: whether a cookie of one path goes with a request to another.
fn covers(cookie: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with(b"/") || rest.starts_with(b"/"))
}

/// How many, and never what.
impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cookies = self.origins.iter().map(|(_, cookies)| cookies.len()).sum::<usize>();
        f.debug_struct("CookieJar").field("origins", &self.origins.len()).field("cookies", &cookies).finish()
    }
}
