//! What every request of every route goes through, in one visible list.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::Future;
use std::pin::{Pin, pin};

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Body;
use mcp_jsonrpc::{Batch, ErrorCode, ErrorObject, Malformed, Message, Response};
use mcp_transport_core::Principal;

use crate::body::read_body;
use crate::proto::media_type::accepts_all;
use crate::proto::{ContentType, HostProblem, MediaType};
use crate::rate::{Spent, spend};
use crate::reply::{Refusal, Reply, json_reply};
use crate::route::{Arrived, Payload, Route, Source, Takes};
use crate::router::{Router, RouterOptions};

/// Answers one request. Its head has one place until the handler has it: what the future holds is allocated
/// and moved around with each request.
pub(crate) fn answer<B>(
    router: Router,
    request: Request<B>,
    source: Source,
) -> impl Future<Output = Result<Reply, Infallible>> + Send
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let (mut parts, body) = request.into_parts();
    async move {
        let body = pin!(Some(body));
        let settings = router.settings();
        let cors = settings.cors.as_ref();
        let reader = cors.and_then(|cors| cors.reader(&parts.headers));
        let mut reply = match pass(&router, &mut parts, body, &source).await {
            Ok(Passed { route, payload, principal }) => {
                let peer = source.peer.map(|peer| peer.0);
                let (connection, rate) = (source.connection, settings.rate.clone());
                route.handler.handle(Arrived { parts, payload, peer, principal, connection, rate }).await
            }
            Err(Stopped::Answered(reply)) => reply,
            Err(Stopped::Refused(refusal)) => {
                tracing::debug!(
                    target: "mcp.http",
                    status = refusal.status().as_u16(),
                    reason = refusal.text(),
                    "request refused"
                );
                refusal.into()
            }
        };
        if let Some(cors) = cors {
            cors.mark(reader, reply.headers_mut());
        }
        Ok(reply)
    }
}

/// A request that goes to the handler of its route.
struct Passed<'a> {
    route: &'a Route,
    payload: Payload,
    principal: Option<Principal>,
}

/// A request that is answered here.
enum Stopped {
    Answered(Reply),
    Refused(Refusal),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The list. The first check that fails answers, and nothing that comes after it is looked at.
async fn pass<'a, B>(
    router: &'a Router,
    parts: &mut Parts,
    mut body: Pin<&mut Option<B>>,
    source: &Source,
) -> Result<Passed<'a>, Stopped>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let settings = router.settings();
    let seen = look_through(&mut parts.headers);

    host(router, parts)?; //                                               1 and 2: 400, 403
    origin(settings, &parts.headers, &seen)?; //                           3: 403
    fetch_site(&parts.headers, &seen)?; //                                 4: 403
    if let Some(preflight) = preflight(settings, parts)? {
        return Err(Stopped::Answered(preflight)); //                       4: 204, 403
    }
    let principal = authenticate(router, parts, source).await?; //         5: 401, 403, 429
    let route = route(router, parts)?; //                                  6: 404, 405
    types(route, &parts.headers)?; //                                      7: 406, 415
    let payload = match route.takes {
        Takes::Nothing => Payload::Nothing,
        takes => {
            let bytes = match body.as_mut().as_pin_mut() {
                Some(body) => read_body(&parts.headers, body, route.max_body, settings.pace).await?, // 8 and 9: 413, 408
                None => Bytes::new(),
            };
            // What it holds is free while the handler is at work.
            body.set(None);
            let parsed = payload(takes, bytes, route);
            parsed.map_err(|malformed| Stopped::Answered(no_message(route, parts, &malformed)))? //  9: 400
        }
    };
    Ok(Passed { route, payload, principal })
}

/// Which of the headers are there that few requests have.
#[derive(Default)]
struct Seen {
    origin: bool,
    fetch_site: bool,
}

/// Looks at each header once. Whoever shows headers, in a log of its own or in a panic, does not show the secret ones.
fn look_through(headers: &mut HeaderMap) -> Seen {
    let mut seen = Seen::default();
    for (name, value) in headers.iter_mut() {
        match name.as_str() {
            "authorization" | "proxy-authorization" | "cookie" | "mcp-session-id" => {
                value.set_sensitive(true);
            }
            "origin" => seen.origin = true,
            "sec-fetch-site" => seen.fetch_site = true,
            _ => {}
        }
    }
    seen
}

/// RFC 9112 3.2: a request without exactly one Host is answered with 400. A foreign one is DNS rebinding.
fn host(router: &Router, parts: &Parts) -> Result<(), Refusal> {
    let mut written = parts.headers.get_all(HOST).iter();
    if let (Some(host), None, None) = (written.next(), written.next(), parts.uri.authority())
        && router.is_usual_host(host.as_bytes())
    {
        return Ok(());
    }
    router.settings().hosts.check(parts).map(|_| ()).map_err(|problem| match problem {
        HostProblem::NotListed => Refusal::new(
            problem.status(),
            "Host is not allowed; add it to the allowed hosts (--allow-host)\n",
        ),
        problem => Refusal::new(
            problem.status(),
            "exactly one Host is needed, and the target has to agree with it\n",
        ),
    })
}

/// MCP 2025-11-25 transports, Security Warning: servers must validate Origin.
fn origin(settings: &RouterOptions, headers: &HeaderMap, seen: &Seen) -> Result<(), Refusal> {
    if !seen.origin {
        return Ok(());
    }
    settings.origins.check(headers).map(|_| ()).map_err(|_| {
        Refusal::new(
            StatusCode::FORBIDDEN,
            "Origin is not allowed; add it to the allowed origins (--allow-origin)\n",
        )
    })
}

/// A page of another site, seen from what the browser says of itself; [`origin`] has checked its Origin, if it has one.
fn fetch_site(headers: &HeaderMap, seen: &Seen) -> Result<(), Refusal> {
    if !seen.fetch_site || seen.origin {
        return Ok(());
    }
    let mut sites = headers.get_all("sec-fetch-site").iter();
    if sites.any(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site")) {
        let text = "requests from pages of other sites need an allowed Origin (--allow-origin)\n";
        return Err(Refusal::new(StatusCode::FORBIDDEN, text));
    }
    Ok(())
}

/// The answer to a CORS preflight, which asks for no route and has no credentials.
fn preflight(settings: &RouterOptions, parts: &Parts) -> Result<Option<Reply>, Refusal> {
    let asks = || parts.headers.contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD);
    if parts.method != Method::OPTIONS || !asks() {
        return Ok(None);
    }
    // Without a CORS header in the answer the browser says no to what comes after it in any case.
    let refused = |text| Err(Refusal::new(StatusCode::FORBIDDEN, text));
    match &settings.cors {
        None => refused("CORS is off (--cors-origin)\n"),
        Some(cors) if cors.reader(&parts.headers).is_none() => {
            refused("CORS is off for this origin (--cors-origin)\n")
        }
        Some(cors) => Ok(Some(cors.preflight(&parts.headers))),
    }
}

/// Counts a request, and finds out whose it is. What nobody is asked about in an open route is counted all the same.
async fn authenticate(
    router: &Router,
    parts: &mut Parts,
    source: &Source,
) -> Result<Option<Principal>, Refusal> {
    let settings = router.settings();
    let rate = settings.rate.as_deref();
    let address = source.peer.map(|peer| peer.0.ip());
    spend(rate, Spent::Request { address })?;
    let Some(authenticate) = &settings.authenticate else { return Ok(None) };
    if router.find(parts).is_ok_and(Route::is_public) {
        return Ok(None);
    }
    if let Some(peer) = source.peer {
        parts.extensions.insert(peer);
    }
    match authenticate.authenticate(parts).await {
        Ok(principal) => {
            if let Some(principal) = &principal {
                spend(rate, Spent::Principal(principal))?;
            }
            Ok(principal)
        }
        Err(refusal) => {
            if refusal.status() == StatusCode::UNAUTHORIZED {
                spend(rate, Spent::Unauthenticated { address })?;
            }
            Err(refusal)
        }
    }
}

fn route<'a>(router: &'a Router, parts: &Parts) -> Result<&'a Route, Refusal> {
    router.find(parts).map_err(|methods| match methods {
        Some(methods) => {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n").allowing(methods)
        }
        None => Refusal::new(StatusCode::NOT_FOUND, "not found\n"),
    })
}

fn types(route: &Route, headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = || route.produces.iter().find(|produced| !produced.is_accepted(headers));
    if !route.produces.is_empty()
        && !accepts_all(headers)
        && let Some(refused) = refused()
    {
        let text = match refused {
            MediaType::EventStream => "Accept has to allow text/event-stream\n",
            _ => "Accept has to allow application/json\n",
        };
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, text));
    }
    let takes_json = matches!(route.takes, Takes::Message | Takes::MessageOrBatch);
    if takes_json && ContentType::of(headers) != ContentType::Json {
        let text = "Content-Type has to be application/json, in UTF-8\n";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    Ok(())
}

fn payload(takes: Takes, bytes: Bytes, route: &Route) -> Result<Payload, Malformed> {
    match takes {
        Takes::Nothing => Ok(Payload::Nothing),
        Takes::Bytes => Ok(Payload::Bytes(bytes)),
        Takes::MessageOrBatch if Batch::is_batch(&bytes) => {
            Batch::parse(bytes, &route.scan).map(Payload::Batch)
        }
        Takes::Message | Takes::MessageOrBatch => Message::parse(bytes, &route.scan).map(Payload::Message),
    }
}

/// The one answer to a body that is no message: a JSON-RPC error with the id, if one could be read, and without one if
/// not. Nothing else of the body is in it.
fn no_message(route: &Route, parts: &Parts, malformed: &Malformed) -> Reply {
    // Anybody can send one, so it is not for every log.
    tracing::debug!(
        target: "mcp.http",
        fault = malformed.fault().as_str(),
        bytes = malformed.input_len(),
        "body is no message"
    );
    route.handler.malformed(parts, malformed);
    let answer = malformed.answer().unwrap_or_else(|| {
        let parse_error = malformed.fault().is_parse_error();
        let code = if parse_error { ErrorCode::PARSE_ERROR } else { ErrorCode::INVALID_REQUEST };
        Response::error_without_id(&ErrorObject::new(code, malformed.fault().as_str()))
    });
    json_reply(StatusCode::BAD_REQUEST, Message::from(answer).into_line())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn headers_that_come_several_times_are_all_looked_at() {
        let lines = [
            ("cookie", "one"),
            ("mcp-session-id", "two"),
            ("sec-fetch-site", "same-origin"),
            ("cookie", "three"),
            ("sec-fetch-site", "cross-site"),
            ("proxy-authorization", "four"),
            ("authorization", "five"),
            ("x-open", "six"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let seen = look_through(&mut headers);
        let open: Vec<_> = headers.iter().filter(|(_, value)| !value.is_sensitive()).map(|it| it.1).collect();
        assert_eq!(open, ["same-origin", "cross-site", "six"]);
        assert!(seen.fetch_site && !seen.origin);
        assert!(fetch_site(&headers, &seen).is_err());
        headers.append("origin", HeaderValue::from_static("http://localhost"));
        let seen = look_through(&mut headers);
        assert!(seen.origin && fetch_site(&headers, &seen).is_ok());
    }
}
