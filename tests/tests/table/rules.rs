//! What each route is, and what is answered: the order of the pipeline, said again as plainly as can be.

use mcp_transport::http::proto::MediaType;
use mcp_transport::http::{Route, Takes};
use mcp_transport::streamable_http::Legacy;

use super::rows::{Row, Token, Verdict};

/// How a server is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub(crate) auth: bool,
    pub(crate) cors: bool,
    pub(crate) legacy: Legacy,
    pub(crate) prefix: &'static str,
}

/// What a route is. A route without one is a mistake, and so is a rule without a route.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) is_public: bool,
    pub(crate) is_at_root: bool,
    takes: Takes,
    produces: &'static [MediaType],
    /// What its handler answers.
    served: u16,
}

/// What is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// By the pipeline.
    Refused(u16),
    /// To a preflight.
    Preflight,
    /// By the handler of a route, with this status.
    Served(u16),
}

impl Expected {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Refused(status) | Self::Served(status) => status,
            Self::Preflight => 204,
        }
    }
}

/// Every route that there is to be.
pub(crate) fn rules(mode: Mode) -> Vec<Rule> {
    let rule = |method, path, produces, served| Rule {
        method,
        path,
        is_public: false,
        is_at_root: false,
        takes: Takes::Nothing,
        produces,
        served,
    };
    let has_sessions = mode.legacy == Legacy::Sessions;
    let stream: &[MediaType] = &[MediaType::EventStream];
    vec![
        Rule {
            takes: Takes::MessageOrBatch,
            ..rule("POST", "/mcp", &[MediaType::Json, MediaType::EventStream], 202)
        },
        // Without sessions both are told that there is only POST, whatever is accepted.
        if has_sessions { rule("GET", "/mcp", stream, 200) } else { rule("GET", "/mcp", &[], 405) },
        rule("DELETE", "/mcp", &[], if has_sessions { 204 } else { 405 }),
        rule("GET", "/sse", stream, 200),
        Rule { takes: Takes::Message, ..rule("POST", "/message", &[], 202) },
        Rule { is_public: true, ..rule("GET", "/healthz", &[], 200) },
        Rule { is_public: true, is_at_root: true, ..rule("GET", "/.well-known/about", &[], 200) },
    ]
}

impl Rule {
    pub(crate) fn full_path(&self, prefix: &str) -> String {
        if self.is_at_root { self.path.into() } else { format!("{prefix}{}", self.path) }
    }

    fn is_of(&self, route: &Route) -> bool {
        self.method == route.method().as_str() && self.path == route.path()
    }
}

/// Where the routes of a router and the rules disagree. Nothing that is in here may be served.
pub(crate) fn disagreements(routes: &[Route], rules: &[Rule]) -> Vec<String> {
    let mut found = Vec::new();
    for (number, route) in routes.iter().enumerate() {
        let name = format!("{} {}", route.method(), route.path());
        let is_same = |other: &Route| other.method() == route.method() && other.path() == route.path();
        if routes[..number].iter().any(is_same) {
            found.push(format!("{name} is there twice"));
        }
        let Some(rule) = rules.iter().find(|rule| rule.is_of(route)) else {
            found.push(format!("{name} has no rule"));
            continue;
        };
        let is = (route.is_public(), route.is_at_root(), route.body(), route.media_types());
        let has_to_be = (rule.is_public, rule.is_at_root, rule.takes, rule.produces);
        if is != has_to_be {
            found.push(format!("{name} is {is:?}, and not {has_to_be:?}"));
        }
    }
    for rule in rules {
        if !routes.iter().any(|route| rule.is_of(route)) {
            found.push(format!("{} {} has a rule and no route", rule.method, rule.path));
        }
    }
    found
}

/// What is answered to a request for a path: the first step that says no, or the handler.
pub(crate) fn expected(mode: Mode, rules: &[Rule], path: &str, row: &Row) -> Expected {
    let (method, is_preflight) = row.method;
    let here = || rules.iter().filter(|rule| rule.full_path(mode.prefix) == path);
    let route = here().find(|rule| rule.method == method);
    // 1 and 2: exactly one host, that the target agrees with, and one of ours.
    if let Some(status) = row.host.refused {
        return Expected::Refused(status);
    }
    // 3: no Origin, or one that is allowed.
    let verdict = row.origin.verdict;
    if verdict == Verdict::Refused || verdict == Verdict::Reader && !mode.cors {
        return Expected::Refused(403);
    }
    // 4: no page of another site without an allowed Origin; a preflight ends here.
    if row.site.1 && verdict == Verdict::Absent {
        return Expected::Refused(403);
    }
    if is_preflight {
        let may_read = mode.cors && verdict == Verdict::Reader;
        return if may_read { Expected::Preflight } else { Expected::Refused(403) };
    }
    // 5: somebody who is known, where somebody asks.
    let asks = mode.auth && !route.is_some_and(|rule| rule.is_public);
    if asks && row.token != Token::Good {
        return Expected::Refused(401);
    }
    // 6: a path that there is, with the method.
    let Some(rule) = route else {
        return Expected::Refused(if here().next().is_some() { 405 } else { 404 });
    };
    // 7: the types.
    let (_, json, stream) = row.accept;
    let accepts = |produced: &MediaType| if *produced == MediaType::Json { json } else { stream };
    if !rule.produces.iter().all(accepts) {
        return Expected::Refused(406);
    }
    let (_, is_json) = row.content_type;
    if rule.takes != Takes::Nothing && !is_json {
        return Expected::Refused(415);
    }
    Expected::Served(rule.served)
}
