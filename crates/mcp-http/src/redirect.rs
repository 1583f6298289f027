//! Which redirects are followed: those that stay within the origin and keep the request what it was.

use http::header::LOCATION;
use http::{Method, Response, StatusCode, Uri};
use mcp_transport_core::{Error, ErrorKind};

use crate::proto::{Origin, reference};

/// Where a response sends the same request next; `None` when it is no redirect.
///
/// 307 and 308 keep the method; 301, 302 and 303 are followed for GET, which they keep too. For every other method they
/// would turn a message into a GET, which nobody asked for.
///
/// # Errors
///
/// Refused, when it leaves the origin, changes the method, or leads nowhere: headers and messages are for the server
/// that they were meant for (RFC 9110 15.4 allows following, and asks for nothing).
pub(crate) fn next<B>(method: &Method, uri: &Uri, response: &Response<B>) -> Result<Option<Uri>, Error> {
    let keeps = match response.status() {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => method == Method::GET,
        _ => return Ok(None),
    };
    let refused = |what: &'static str| Error::new(ErrorKind::Refused, what);
    if !keeps {
        return Err(refused("the redirect would change the method of the request"));
    }
    let mut locations = response.headers().get_all(LOCATION).iter();
    let (Some(location), None) = (locations.next(), locations.next()) else {
        return Err(refused("the redirect has not exactly one location"));
    };
    let target = reference::resolve(uri, location.as_bytes())
        .map_err(|problem| refused("the redirect leads nowhere").with_source(problem))?;
    match (Origin::of(uri), Origin::of(&target)) {
        (Ok(here), Ok(there)) if here == there => Ok(Some(target)),
        _ => Err(refused("the redirect leads to another origin")),
    }
}
