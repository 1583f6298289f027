//! A server at the other end of HTTP: its URL, what is sent along, and what it says when it refuses.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{Scheme, Uri};
use mcp_transport::http::credentials::{Credentials, StaticToken, TokenCommand};
use mcp_transport::http::proto::Origin;
use mcp_transport::http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_transport::{Connected, Connector, Error, Limits, Options, Strategy};

use crate::peer::text_of;

/// How long the head of an answer may take: a tool may work for long before a server begins to answer.
const HEAD_WAIT: std::time::Duration = std::time::Duration::from_secs(3600);

/// The most bytes of a file: the authorities of a whole system have some 200 KiB, headers 8 to 32.
const MAX_FILE: u64 = 1024 * 1024;
/// The most characters shown of a challenge's scheme.
const MAX_SCHEME: usize = 32;

/// Headers that say where a request ends and where it goes: they are made, not given.
const OURS: [&str; 10] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers for a remote server.
#[derive(Clone, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Send this header with every request to the URL; others on this machine can see it, so secrets belong into a file
    #[arg(long, value_name = "K:V")]
    header: Vec<String>,
    /// Send the headers of this file, one on each line; empty lines and lines that start with `#` are skipped
    #[arg(long, value_name = "FILE")]
    header_file: Vec<PathBuf>,
    /// Send the token of this file, its first line, as `Authorization: Bearer`
    #[arg(long, value_name = "FILE", group = "token")]
    bearer_file: Option<PathBuf>,
    /// Send the token of this environment variable as `Authorization: Bearer`
    #[arg(long, value_name = "VARIABLE", group = "token")]
    bearer_env: Option<String>,
    /// Send the token that this program prints as `Authorization: Bearer`; it is run again when the server no longer
    /// takes it. It gets no arguments, and no shell reads it
    #[arg(long, value_name = "PROGRAM", group = "token")]
    bearer_command: Option<OsString>,
    /// Trust the authorities of this file too, PEM or DER, beside those of the system
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Show this certificate to a server that asks for one, PEM
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,
    /// Its key, PEM; without this it is in the same file
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// How the server is spoken to
    #[arg(long, value_enum, default_value_t)]
    transport: Bindings,
}

/// Which bindings are tried, and in what order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Bindings {
    /// Streamable HTTP, then HTTP+SSE
    #[default]
    HttpFirst,
    /// HTTP+SSE, then Streamable HTTP
    SseFirst,
    /// Streamable HTTP only
    HttpOnly,
    /// HTTP+SSE only
    SseOnly,
}

impl From<Bindings> for Strategy {
    fn from(bindings: Bindings) -> Self {
        match bindings {
            Bindings::HttpFirst => Self::HttpFirst,
            Bindings::SseFirst => Self::SseFirst,
            Bindings::HttpOnly => Self::HttpOnly,
            Bindings::SseOnly => Self::SseOnly,
        }
    }
}

impl Args {
    pub(crate) fn is_given(&self) -> bool {
        !self.header.is_empty()
            || !self.header_file.is_empty()
            || !self.ca.is_empty()
            || self.bearer_file.is_some()
            || self.bearer_env.is_some()
            || self.bearer_command.is_some()
            || self.client_cert.is_some()
            || self.transport != Bindings::default()
    }

    /// How the server is reached, and with what.
    fn options(&self, url: &Uri) -> Result<HttpClientOptions, String> {
        let mut options = HttpClientOptions::default().with_head(HEAD_WAIT).with_headers(self.headers()?);
        for path in &self.ca {
            let said = |error: &Error| format!("--ca {}: {}", path.display(), text_of(error));
            options =
                options.with_extra_roots(read("--ca", path)?.as_bytes()).map_err(|error| said(&error))?;
        }
        if let Some(path) = &self.client_cert {
            let chain = read("--client-cert", path)?;
            let key = match &self.client_key {
                Some(path) => read("--client-key", path)?,
                None => chain.clone(),
            };
            let shown = options.with_client_certificate(chain.as_bytes(), key.as_bytes());
            options =
                shown.map_err(|error| format!("--client-cert {}: {}", path.display(), text_of(&error)))?;
        }
        match self.credentials(url)? {
            Some(credentials) => Ok(options.with_credentials(credentials)),
            None => Ok(options),
        }
    }

    /// Who says who we are. What is said about a wrong token does not show it.
    fn credentials(&self, url: &Uri) -> Result<Option<Arc<dyn Credentials>>, String> {
        let origin = || Origin::of(url).map_err(|problem| format!("the URL cannot be used: {problem}"));
        if let Some(program) = &self.bearer_command {
            return Ok(Some(Arc::new(TokenCommand::new(origin()?, program))));
        }
        let (flag, text) = match (&self.bearer_file, &self.bearer_env) {
            (Some(path), _) => ("--bearer-file", read("--bearer-file", path)?),
            (_, Some(name)) => {
                let text = std::env::var(name);
                ("--bearer-env", text.map_err(|_| format!("--bearer-env {name}: not set, or not UTF-8"))?)
            }
            _ => return Ok(None),
        };
        let token = text.lines().next().unwrap_or_default().trim();
        let token = StaticToken::new(origin()?, token).map_err(|error| format!("{flag}: {error}"))?;
        Ok(Some(Arc::new(token)))
    }

    /// The headers. What is said about a wrong one does not show it.
    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (text, number) in self.header.iter().zip(1..) {
            add(&mut headers, text).map_err(|why| format!("--header {number}: {why}"))?;
        }
        for path in &self.header_file {
            let shown = path.display();
            let text = read("--header-file", path)?;
            for (line, number) in text.lines().zip(1..) {
                let line = line.trim();
                if !line.is_empty() && !line.starts_with('#') {
                    add(&mut headers, line)
                        .map_err(|why| format!("--header-file {shown}, line {number}: {why}"))?;
                }
            }
        }
        Ok(headers)
    }
}

/// A file of text, within a bound.
fn read(flag: &str, path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 > MAX_FILE => Err(format!("{flag} {shown}: more than {MAX_FILE} bytes")),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("{flag} {shown}: {error}")),
    }
}

fn add(headers: &mut HeaderMap, text: &str) -> Result<(), &'static str> {
    let (name, value) = text.split_once(':').ok_or("not of the form K:V")?;
    let name: HeaderName = name.trim().parse().map_err(|_| "not the name of a header")?;
    if OURS.contains(&name.as_str()) {
        return Err("this header is not to be set");
    }
    let mut value: HeaderValue = value.trim().parse().map_err(|_| "not the value of a header")?;
    value.set_sensitive(true);
    headers.append(name, value);
    Ok(())
}

/// Names only: values are where the secrets are.
impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Args")
            .field("header", &self.header.len())
            .field("header_file", &self.header_file)
            .field("bearer_file", &self.bearer_file)
            .field("bearer_env", &self.bearer_env)
            .field("bearer_command", &self.bearer_command)
            .field("ca", &self.ca)
            .field("client_cert", &self.client_cert)
            .field("client_key", &self.client_key)
            .field("transport", &self.transport)
            .finish()
    }
}

/// Whether a word of the command line is meant as a URL.
pub(crate) fn is_url(word: &str) -> bool {
    let starts =
        |scheme: &str| word.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// A server, and how to reach it.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    url: Uri,
    connector: Connector,
}

impl Remote {
    pub(crate) async fn connect(&self) -> Result<Connected, Error> {
        self.connector.connect(self.url.clone()).await
    }
}

/// What dials a server.
pub(crate) fn remote(url: &str, args: &Args, limits: Limits) -> Result<Remote, String> {
    let uri: Uri = url.parse().map_err(|error| format!("the URL cannot be used: {error}"))?;
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => {}
        _ => return Err("the URL has to begin with http:// or https://".into()),
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("the URL has a user name in it: send an Authorization header with --header-file".into());
    }
    let http = HttpClient::new(args.options(&uri)?);
    let connector = Connector::new()
        .with_http(http)
        .with_options(Options::default().with_limits(limits))
        .with_strategy(args.transport.into())
        .with_client("mcp-bridge", env!("CARGO_PKG_VERSION"));
    Ok(Remote { url: uri, connector })
}

/// What a server means that wants to know who asks, or knows and says no; `None` for every other error.
pub(crate) fn refusal(error: &Error) -> Option<String> {
    let refused = HttpRefused::of(error)?;
    let status = refused.status();
    match status.as_u16() {
        401 => {
            let scheme = scheme(refused).map(|scheme| format!(", by {scheme}")).unwrap_or_default();
            Some(format!(
                "{error} ({status}){scheme}: send it with --bearer-file, --bearer-env, --bearer-command or --header-file"
            ))
        }
        403 => {
            let scheme = scheme(refused).map(|scheme| format!(", and challenges by {scheme}"));
            Some(format!("{error} ({status}){}", scheme.unwrap_or_default()))
        }
        _ => None,
    }
}

/// How the server wants to be convinced. The rest of its challenge is not shown.
fn scheme(refused: &HttpRefused) -> Option<&str> {
    let challenge = refused.challenges().first()?.to_str().ok()?;
    let scheme = challenge.split([' ', ',', '\t']).next()?;
    let is_token = !scheme.is_empty()
        && scheme.len() <= MAX_SCHEME
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+~".contains(&byte));
    is_token.then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[&str]) -> Result<HeaderMap, String> {
        let header = given.iter().map(|&text| text.into()).collect();
        Args { header, ..Args::default() }.headers()
    }

    #[test]
    fn headers_are_read() {
        let map = headers(&["Authorization: Bearer a:b", "x-one:1", "X-One: 2", "x-empty:"]).unwrap();
        assert_eq!(map["authorization"], "Bearer a:b");
        assert!(map["authorization"].is_sensitive());
        assert_eq!(map.get_all("x-one").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(map["x-empty"], "");
    }

    #[test]
    fn wrong_headers_are_refused_and_not_shown() {
        for text in ["secret", ": secret", "a b: secret", "x: sec\nret", "Host: secret", "content-length: 5"]
        {
            let why = headers(&["a: b", text]).unwrap_err();
            assert!(why.starts_with("--header 2: ") && !why.contains("secret"), "{text:?}: {why}");
        }
    }

    #[test]
    fn urls() {
        for (word, url) in [
            ("http://a/sse", true),
            ("HTTPS://a", true),
            ("tools/list", false),
            ("http:", false),
            ("é", false),
        ] {
            assert_eq!(is_url(word), url, "{word}");
        }
        let client = |url| remote(url, &Args::default(), Limits::default());
        assert!(client("https://a/").is_ok());
        for url in ["http://u:secret@a/", "http://", "ftp://a/", "http://a b/", "/sse"] {
            let why = client(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
