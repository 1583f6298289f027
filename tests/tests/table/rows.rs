//! The values of each dimension, and what is to be said of each: facts of the table, not of the code.

use http::Version;

/// Bound to port 8808, known as `mcp.example` and by the names of this machine for itself.
pub(crate) const OWN: &str = "mcp.example:8808";
/// The page that CORS lets read, where there is CORS.
pub(crate) const READER: &str = "https://app.example";

/// What a request says of whom it is for.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) version: Version,
    /// The `Host` lines.
    pub(crate) lines: &'static [&'static str],
    /// What stands in the target, or in `:authority`.
    pub(crate) authority: Option<&'static str>,
    pub(crate) refused: Option<u16>,
}

const fn host(lines: &'static [&'static str], refused: Option<u16>) -> Host {
    Host { version: Version::HTTP_11, lines, authority: None, refused }
}

const fn second(authority: &'static str, lines: &'static [&'static str], refused: Option<u16>) -> Host {
    Host { version: Version::HTTP_2, lines, authority: Some(authority), refused }
}

pub(crate) const HOSTS: &[Host] = &[
    host(&[OWN], None),
    host(&["localhost"], None),
    host(&["127.0.0.1:8808"], None),
    host(&["[::1]"], None),
    host(&["LOCALHOST:8808"], None),
    host(&["localhost."], None),
    host(&["mcp.example:9999"], Some(403)),
    host(&["evil.example"], Some(403)),
    host(&["localhost.evil.example"], Some(403)),
    host(&["127.0.0.1.evil.example:8808"], Some(403)),
    host(&[], Some(400)),
    host(&[OWN, OWN], Some(400)),
    host(&[OWN, "evil.example"], Some(400)),
    Host { authority: Some("evil.example:8808"), ..host(&[OWN], Some(400)) },
    second(OWN, &[], None),
    second("evil.example", &[], Some(403)),
    second("evil.example:8808", &[OWN], Some(400)),
    second(OWN, &["evil.example"], Some(400)),
];

/// Which page a request comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) value: Option<&'static [u8]>,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Absent,
    Allowed,
    /// The page of [`READER`]: allowed where there is CORS.
    Reader,
    Refused,
}

const fn origin(value: &'static [u8], verdict: Verdict) -> Origin {
    Origin { value: Some(value), verdict }
}

pub(crate) const ORIGINS: &[Origin] = &[
    Origin { value: None, verdict: Verdict::Absent },
    origin(b"http://mcp.example:8808", Verdict::Allowed),
    // Both schemes are those of the host; another port of it is somebody else, but on loopback.
    origin(b"https://mcp.example:8808", Verdict::Allowed),
    origin(b"http://mcp.example:9999", Verdict::Refused),
    origin(b"http://localhost:9999", Verdict::Allowed),
    origin(b"null", Verdict::Refused),
    origin(b"http://evil.example", Verdict::Refused),
    origin(READER.as_bytes(), Verdict::Reader),
    origin(b"\xff\xfe\x80://\xf0(mcp.example", Verdict::Refused),
];

/// The values of `Sec-Fetch-Site`, and whether they name another site.
pub(crate) const SITES: &[(Option<&str>, bool)] =
    &[(None, false), (Some("same-origin"), false), (Some("cross-site"), true)];

/// A method, and whether it is a preflight.
pub(crate) const METHODS: &[(&str, bool)] =
    &[("GET", false), ("POST", false), ("DELETE", false), ("PUT", false), ("OPTIONS", true)];

/// Who says to be asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    None,
    Good,
    Bad,
}

pub(crate) const TOKENS: &[Token] = &[Token::None, Token::Good, Token::Bad];

/// The values of `Content-Type`, and whether they are JSON.
pub(crate) const TYPES: &[(Option<&str>, bool)] = &[
    (Some("application/json"), true),
    (Some("application/json; charset=utf-8"), true),
    (Some("text/plain"), false),
    (Some("application/x-www-form-urlencoded"), false),
    (None, false),
];

/// The values of `Accept`, and whether they allow JSON and an event stream.
pub(crate) const ACCEPTS: &[(Option<&str>, bool, bool)] = &[
    (None, true, true),
    (Some("application/json, text/event-stream"), true, true),
    (Some("application/json"), true, false),
    (Some("text/event-stream"), false, true),
];

/// One request: one of each dimension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) host: &'static Host,
    pub(crate) method: (&'static str, bool),
    pub(crate) origin: &'static Origin,
    pub(crate) site: (Option<&'static str>, bool),
    pub(crate) token: Token,
    pub(crate) content_type: (Option<&'static str>, bool),
    pub(crate) accept: (Option<&'static str>, bool, bool),
}

impl Row {
    /// All that one host can be asked with; the types are those that every route takes.
    pub(crate) fn all(host: &'static Host) -> impl Iterator<Item = Self> {
        let (content_type, accept) = (TYPES[0], ACCEPTS[0]);
        METHODS.iter().flat_map(move |&method| {
            ORIGINS.iter().flat_map(move |origin| {
                SITES.iter().flat_map(move |&site| {
                    let row = move |&token| Self { host, method, origin, site, token, content_type, accept };
                    TOKENS.iter().map(row)
                })
            })
        })
    }

    /// The same with one of the pairs of types.
    pub(crate) fn with_types(self, number: usize) -> Self {
        let content_type = TYPES[number % TYPES.len()];
        Self { content_type, accept: ACCEPTS[number / TYPES.len() % ACCEPTS.len()], ..self }
    }
}

/// How many pairs of types there are.
pub(crate) const PAIRS: usize = TYPES.len() * ACCEPTS.len();
