//! Every route of every binding, in every mode, goes through the whole pipeline: who may ask what, and from where.
//!
//! The routes are those of the router itself. What each is to be stands in a table of its own, and one that is not
//! in there fails the test, so that a new route cannot be forgotten.
//!
//! Complete are Host x Origin x Sec-Fetch-Site x token x path x method, with and without authentication, CORS and a
//! prefix. What takes turns, because it cannot interact:
//!
//! - Content-Type and Accept, which are looked at in step 7 and not before; each pair of them meets each route in each
//!   mode.
//! - In the modes without sessions, Sec-Fetch-Site and token of what is refused at the paths that know nothing of
//!   sessions.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, VARY, WWW_AUTHENTICATE};
use http::{Method, StatusCode, Uri};
use mcp_transport::core::BoxFuture;
use mcp_transport::http::{Arrived, Reply, Route, Router, RouterOptions, text_reply};
use mcp_transport::streamable_http::Legacy;

use table::rows::{HOSTS, ORIGINS, PAIRS, READER, Row, SITES, TOKENS, Verdict};
use table::rules::{Expected, Mode, Rule, disagreements, expected, rules};
use table::stage::{Stage, at_once, routes, servers};

/// Rows that differ in Sec-Fetch-Site and token only.
const GROUP: usize = SITES.len() * TOKENS.len();

/// How many requests had which answer.
#[derive(Debug, Default)]
struct Seen {
    refused: BTreeMap<u16, u64>,
    served: BTreeMap<u16, u64>,
    preflights: u64,
}

fn modes(auth: bool) -> impl Iterator<Item = Mode> {
    let legacies = [Legacy::Sessions, Legacy::Stateless, Legacy::Off];
    let prefixes = ["", "/a/b"];
    [false, true].into_iter().flat_map(move |cors| {
        let of = move |legacy| prefixes.map(move |prefix| Mode { auth, cors, legacy, prefix });
        legacies.into_iter().flat_map(of)
    })
}

/// The paths of the routes, each once.
fn paths(router: &Router) -> Vec<String> {
    let path = |route: &Route| {
        let prefix = if route.is_at_root() { "" } else { router.prefix() };
        format!("{prefix}{}", route.path())
    };
    let mut paths: Vec<_> = router.routes().iter().map(path).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Paths where nothing is: another one, and each route's with a prefix that is not its own.
fn nowhere(router: &Router) -> Vec<String> {
    let mut paths =
        vec!["/evil".to_owned(), "/".into(), "//mcp".into(), format!("{}/mcp/x", router.prefix())];
    if !router.prefix().is_empty() {
        let wrong = |route: &Route| {
            let prefix = if route.is_at_root() { router.prefix() } else { "" };
            format!("{prefix}{}", route.path())
        };
        paths.extend(router.routes().iter().map(wrong));
    }
    paths
}

/// What an answer says beside its status.
fn check(mode: Mode, row: &Row, answered: Expected, methods: &str, reply: &mut Reply) {
    let headers = reply.headers();
    assert_eq!(headers["x-content-type-options"], "nosniff");
    // Who may read an answer depends on who asks, and on nothing else.
    let reader = (mode.cors && row.origin.verdict == Verdict::Reader).then_some(READER);
    let named = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap());
    assert_eq!(named, reader);
    assert_eq!(headers.contains_key(VARY), mode.cors);
    assert_eq!(headers.contains_key(WWW_AUTHENTICATE), answered == Expected::Refused(401));
    match answered {
        Expected::Refused(405) => {
            assert_eq!(headers[ALLOW], methods);
            assert_eq!(at_once(reply), "method not allowed\n");
        }
        // By the handler, and not by the pipeline.
        Expected::Served(405) => {
            assert_eq!(headers[ALLOW], "POST");
            assert_eq!(at_once(reply), "this revision has POST only\n");
        }
        _ => assert!(!headers.contains_key(ALLOW)),
    }
}

/// Asking a server of one mode.
struct Asking<'a> {
    mode: Mode,
    rules: Vec<Rule>,
    stage: Stage,
    /// How often each route was reached, or refused for its types.
    met: BTreeMap<String, usize>,
    /// Messages that were taken.
    posted: u64,
    seen: &'a mut Seen,
}

impl Asking<'_> {
    /// Everything of one path, which is written as one of the targets at a time.
    async fn path(&mut self, path: &str, written: &[String]) {
        let mode = self.mode;
        // Which of them a router has is all that the modes without sessions change, and that is at one path.
        let is_complete = mode.legacy == Legacy::Sessions || path.ends_with("/mcp");
        let ours: Vec<_> = self.rules.iter().filter(|rule| rule.full_path(mode.prefix) == path).collect();
        let methods = ours.iter().map(|rule| rule.method).collect::<Vec<_>>().join(", ");
        let sessions = self.stage.session_counts();
        for (turn, host) in HOSTS.iter().enumerate() {
            let targets: Vec<_> =
                written.iter().map(|path| self.stage.target(host.authority, path)).collect();
            for (number, row) in Row::all(host).enumerate() {
                let (group, place) = (number / GROUP, number % GROUP);
                let has_turn = place == (turn + group + group / ORIGINS.len()) % GROUP;
                let is_served = matches!(expected(mode, &self.rules, path, &row), Expected::Served(_));
                if is_complete || is_served || has_turn {
                    let target = &targets[(turn + number / 7) % targets.len()];
                    self.row(path, target, row, turn + number, &methods).await;
                }
            }
            assert_eq!(self.stage.session_counts(), sessions, "{mode:?} {path} {host:?}");
        }
    }

    /// One request; `turn` is whose turn it is of the types.
    async fn row(&mut self, path: &str, target: &Uri, row: Row, turn: usize, methods: &str) {
        let mode = self.mode;
        let row = match expected(mode, &self.rules, path, &row) {
            Expected::Served(_) => {
                let met = self.met.entry(format!("{} {path}", row.method.0)).or_default();
                *met += 1;
                row.with_types(*met)
            }
            _ => row.with_types(turn),
        };
        let answered = expected(mode, &self.rules, path, &row);
        let mut reply = self.stage.ask(target, &row).await;
        let status = reply.status().as_u16();
        assert_eq!(status, answered.status(), "{mode:?} {target} {row:?}: {answered:?}");
        check(mode, &row, answered, methods, &mut reply);
        match answered {
            Expected::Refused(status) => *self.seen.refused.entry(status).or_default() += 1,
            Expected::Preflight => self.seen.preflights += 1,
            Expected::Served(status) => {
                *self.seen.served.entry(status).or_default() += 1;
                self.posted += u64::from(status == 202);
                self.stage.restore(reply).await;
            }
        }
    }
}

/// Asks everything of a server of one mode.
async fn ask_all(mode: Mode, seen: &mut Seen) {
    let rules = rules(mode);
    let stage = Stage::new(mode).await;
    assert_eq!(disagreements(stage.router.routes(), &rules), [""; 0], "{mode:?}");
    let (paths, nowhere) = (paths(&stage.router), nowhere(&stage.router));
    let mut asking = Asking { mode, rules, stage, met: BTreeMap::new(), posted: 0, seen };
    for path in &paths {
        asking.path(path, &[path.clone(), format!("{path}/")]).await;
    }
    asking.path("nowhere", &nowhere).await;

    let Asking { rules, stage, met, posted, .. } = asking;
    assert_eq!(met.len(), rules.len());
    assert!(met.values().all(|&met| met >= PAIRS), "a route that has not met all types: {met:?}");
    while stage.heard() < posted {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.heard(), posted, "something that was refused came in");
}

async fn table(auth: bool) {
    let mut seen = Seen::default();
    for mode in modes(auth) {
        ask_all(mode, &mut seen).await;
    }
    let requests: u64 = seen.refused.values().chain(seen.served.values()).sum();
    eprintln!("{} requests: {seen:?}", requests + seen.preflights);
    let refused: Vec<_> = seen.refused.keys().copied().collect();
    let unknown = if auth { &[401][..] } else { &[] };
    assert_eq!(refused, [&[400][..], unknown, &[403, 404, 405, 406, 415]].concat());
    assert_eq!(seen.served.keys().copied().collect::<Vec<_>>(), [200, 202, 204, 405]);
}

#[tokio::test]
async fn every_route_where_everybody_may_ask() {
    table(false).await;
}

#[tokio::test]
async fn every_route_where_only_who_is_known_may_ask() {
    table(true).await;
}

#[test]
fn a_route_that_nobody_thought_of_is_found() {
    let mode = Mode { auth: true, cors: false, legacy: Legacy::Sessions, prefix: "/a" };
    let ((sse, _opened), (streamable, _also_opened)) = servers(mode);
    let all = routes(&sse, &streamable);
    let metrics =
        |_: Arrived| -> BoxFuture<'static, Reply> { Box::pin(async { text_reply(StatusCode::OK, "1\n") }) };
    let metrics = Route::new(Method::GET, "/metrics", Arc::new(metrics));
    let health = all.iter().find(|route| route.path() == "/healthz").unwrap();
    let changed = |routes: Vec<Route>| {
        let router = Router::new(RouterOptions::default(), routes);
        disagreements(router.routes(), &rules(mode))
    };
    assert_eq!(changed(all.clone()), [""; 0]);
    assert_eq!(changed([&all[..], &[metrics]].concat()), ["GET /metrics has no rule"]);
    assert_eq!(changed([&all[..], &all[..1]].concat()), ["POST /mcp is there twice"]);
    assert_eq!(changed(all[1..].to_vec()), ["POST /mcp has a rule and no route"]);
    let mut open = all.clone();
    open[3] = open[3].clone().public();
    let found = changed(open);
    assert!(found.len() == 1 && found[0].starts_with("GET /sse is (true, "), "{found:?}");
    let mut moved = all.clone();
    let place = moved.iter().position(|route| route.path() == health.path()).unwrap();
    moved[place] = health.clone().at_root();
    assert_eq!(changed(moved).len(), 1);
}
