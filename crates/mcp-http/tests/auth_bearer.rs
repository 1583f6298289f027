//! Tokens that were agreed on beforehand.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Request, StatusCode};
use mcp_http::{Authenticate, BearerTokens, Presented, Refusal, Reply, Resource};
use mcp_transport_core::{Error, ErrorKind};

fn parts(target: &str, authorization: &[&str]) -> Parts {
    let values = authorization.iter();
    let request = values.fold(Request::post(target), |request, value| {
        request.header(AUTHORIZATION, HeaderValue::from_str(value).unwrap())
    });
    request.body(()).unwrap().into_parts().0
}

async fn judged(tokens: &BearerTokens, authorization: &[&str]) -> Result<String, Refusal> {
    let principal = tokens.authenticate(&parts("/mcp", authorization)).await?;
    Ok(principal.expect("never anybody").as_str().to_owned())
}

fn challenge(refusal: Refusal) -> String {
    Reply::from(refusal).headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned()
}

const ANN: &str = "kz3qC7Xw1vQm0F5nJt8Yb2LdRg4sPh6U";
const BOB: &str = "q83vEjRWeJCrze8SNFZ4kA==";

#[tokio::test]
async fn whoever_has_a_token_is_who_it_names_and_nobody_else_is_let_in() {
    let tokens = BearerTokens::new([("ann", ANN), ("bob", BOB), ("ann", "the-next-token-of-ann")]).unwrap();
    assert_eq!(judged(&tokens, &[&format!("Bearer {ANN}")]).await.unwrap(), "bearer:ann");
    assert_eq!(judged(&tokens, &[&format!("bearer   {BOB}")]).await.unwrap(), "bearer:bob");
    assert_eq!(judged(&tokens, &["Bearer the-next-token-of-ann"]).await.unwrap(), "bearer:ann");
    let cut = &ANN[..ANN.len() - 1];
    for (values, status, says) in [
        (vec![], 401, "Bearer"),
        (vec!["Basic YW5uOmE="], 401, "Bearer"),
        (vec!["Bearer x"], 401, r#"Bearer error="invalid_token""#),
        (vec![&*format!("Bearer {cut}")], 401, r#"Bearer error="invalid_token""#),
        (vec![&*format!("Bearer {ANN}a")], 401, r#"Bearer error="invalid_token""#),
        (vec![&*format!("Bearer {}", ANN.to_lowercase())], 401, r#"Bearer error="invalid_token""#),
        (vec![&*format!("Bearer {}", BOB.trim_end_matches('='))], 401, r#"Bearer error="invalid_token""#),
        (vec!["Bearer ann"], 401, r#"Bearer error="invalid_token""#),
        (vec!["Bearer "], 400, r#"Bearer error="invalid_request""#),
        (vec![&*format!("Bearer ann:{ANN}")], 400, r#"Bearer error="invalid_request""#),
        (
            vec![&*format!("Bearer {ANN}"), &*format!("Bearer {ANN}")],
            400,
            r#"Bearer error="invalid_request""#,
        ),
    ] {
        let refusal = judged(&tokens, &values).await.unwrap_err();
        assert_eq!((refusal.status().as_u16(), &*challenge(refusal)), (status, says), "{values:?}");
    }
    let in_query = parts(&format!("/mcp?access_token={ANN}"), &[&format!("Bearer {ANN}")]);
    let refusal = tokens.authenticate(&in_query).await.unwrap_err();
    assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
    assert_eq!(tokens.finds(&in_query), Presented::Bearer);
    assert_eq!(tokens.finds(&parts("/mcp", &[])), Presented::None);
}

#[tokio::test]
async fn tokens_without_names_are_told_apart_by_their_digest() {
    let tokens = BearerTokens::parse(&format!("abc\n{ANN}\nabc1:{BOB}")).unwrap();
    // FIPS 180-2, B.1.
    assert_eq!(judged(&tokens, &["Bearer abc"]).await.unwrap(), "bearer:sha256:ba7816bf8f01cfea");
    let ann = judged(&tokens, &[&format!("Bearer {ANN}")]).await.unwrap();
    assert!(ann.starts_with("bearer:sha256:") && ann.len() == 30 && !ann.ends_with("cfea"), "{ann}");
    // No name that somebody chooses is one of these.
    assert!(BearerTokens::new([("sha256:ba7816bf8f01cfea", ANN)]).is_err());
}

#[tokio::test]
async fn it_says_where_tokens_are_had() {
    let resource: Resource = "https://mcp.example/mcp".parse().unwrap();
    let resource = resource.with_scopes(["files:read"]).unwrap();
    let tokens = BearerTokens::new([("ann", ANN)]).unwrap().with_resource(&resource);
    let metadata = "resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\"";
    let said = challenge(judged(&tokens, &[]).await.unwrap_err());
    assert_eq!(said, format!("Bearer scope=\"files:read\", {metadata}"));
    let said = challenge(judged(&tokens, &["Bearer x"]).await.unwrap_err());
    assert_eq!(said, format!("Bearer error=\"invalid_token\", scope=\"files:read\", {metadata}"));
}

fn refused(result: Result<BearerTokens, Error>, says: &str) {
    let error = result.expect_err(says);
    assert_eq!(error.kind(), ErrorKind::Misuse, "{error}");
    let text = format!("{error} {error:?}");
    assert!(text.contains(says), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn a_list_is_read_as_it_is_meant_or_not_at_all() {
    let list = format!(
        "# a comment\r\n\r\n  ann:{ANN}  \r\n\t{BOB}\n#eve:eveeveeveeveeve\n   # another\nb.o-b@x#1:bobbobbobbobbob\n"
    );
    let tokens = BearerTokens::parse(&list).unwrap();
    assert_eq!(judged(&tokens, &[&format!("Bearer {ANN}")]).await.unwrap(), "bearer:ann");
    assert_eq!(judged(&tokens, &["Bearer bobbobbobbobbob"]).await.unwrap(), "bearer:b.o-b@x#1");
    assert!(judged(&tokens, &[&format!("Bearer {BOB}")]).await.unwrap().starts_with("bearer:sha256:"));
    assert_eq!(judged(&tokens, &["Bearer eveeveeveeveeve"]).await.unwrap_err().status(), 401);

    let long = |length| "a".repeat(length);
    for (list, says) in [
        ("".to_owned(), "no token"),
        (" \t ".into(), "no token"),
        ("\n\r\n\n".into(), "no token"),
        ("# canary".into(), "no token"),
        ("ann:".into(), "line 1: the token is empty"),
        ("ann: ".into(), "line 1: the token is empty"),
        (":canary".into(), "line 1: the name is empty"),
        (":".into(), "line 1: the name is empty"),
        ("\nann: canary".into(), "line 2: the token has characters"),
        ("ann :canary".into(), "line 1: the name"),
        ("canary canary".into(), "line 1: the token has characters"),
        ("ann:canary # hers".into(), "line 1: the token has characters"),
        ("ann:canary:canary".into(), "line 1: the token has characters"),
        ("Bearer canary".into(), "line 1: the token has characters"),
        ("\"canary\"".into(), "line 1: the token has characters"),
        ("ann:canary=canary".into(), "line 1: the token has characters"),
        ("ann:=".into(), "line 1: the token has characters"),
        ("ann:canary\u{e9}".into(), "line 1: the token has characters"),
        ("\u{feff}ann:canary".into(), "line 1: the name"),
        ("ann\u{e9}:canary".into(), "line 1: the name"),
        (format!("{}:canary", long(65)), "line 1: the name"),
        (format!("ann:{}", long(8 * 1024 + 1)), "line 1: the token is longer"),
        ("ann:canary\nbob:canary".into(), "twice"),
        ("canary\ncanary".into(), "twice"),
        ("ann:canary\nann:canary".into(), "twice"),
        ((0..1025).map(|at| format!("canary{at}\n")).collect(), "more than 1,024"),
        (format!("canary\n#{}", long(64 * 1024)), "more than 64 KiB"),
    ] {
        refused(BearerTokens::parse(&list), says);
    }
    assert!(BearerTokens::parse(&format!("{}:{}", long(64), long(8 * 1024))).is_ok());
    assert!(BearerTokens::parse(&(0..1024).map(|at| format!("canary{at}\n")).collect::<String>()).is_ok());
    let exactly = format!("{ANN}\n#{}", long(64 * 1024 - ANN.len() - 2));
    assert!(BearerTokens::parse(&exactly).is_ok(), "64 KiB");
    for (named, says) in [
        (vec![], "no token"),
        (vec![("ann", "")], "bearer token 1: the token is empty"),
        (vec![("ann", " ")], "bearer token 1: the token has"),
        (vec![("ann", ANN), ("", "canary")], "bearer token 2: the name is empty"),
        (vec![("ann", ANN), ("a:b", "canary")], "bearer token 2: the name"),
        (vec![("ann", ANN), ("a b", "canary")], "bearer token 2: the name"),
        (vec![("ann", "canary"), ("bob", "canary")], "bearer token 2: the same"),
    ] {
        refused(BearerTokens::new(named), says);
    }
}

/// A file of its own, gone with its end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(content: &[u8]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("mcp-http-tokens-{}-{}", std::process::id(), NEXT.fetch_add(1, SeqCst));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_file_is_read_whole_or_named() {
    let file = Temporary::new(format!("ann:{ANN}\n").as_bytes());
    let tokens = BearerTokens::from_file(&file.0).unwrap();
    assert_eq!(judged(&tokens, &[&format!("Bearer {ANN}")]).await.unwrap(), "bearer:ann");

    for (content, says) in [
        (b"".to_vec(), "no token"),
        (b"\n".to_vec(), "no token"),
        (b"canary\nann:\n".to_vec(), "line 2: the token is empty"),
        (b"canary\xff".to_vec(), "not UTF-8"),
        (b"canary\n".repeat(9363), "more than 64 KiB"),
    ] {
        let file = Temporary::new(&content);
        let name = file.0.display().to_string();
        refused(BearerTokens::from_file(&file.0), says);
        refused(BearerTokens::from_file(&file.0), &name);
    }
    let none = std::env::temp_dir().join("mcp-http-there-is-no-such-file");
    for path in [none, std::env::temp_dir()] {
        let error = BearerTokens::from_file(&path).expect_err("no file");
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Collects what is logged, each thread its own.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(run: impl FnOnce()) -> String {
    // One for the process: what several threads set each for itself takes turns.
    static SET: Once = Once::new();
    SET.call_once(|| {
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(|| Log).init();
    });
    LOG.take();
    run();
    String::from_utf8(LOG.take()).unwrap()
}

#[test]
fn a_short_token_is_warned_of_and_works() {
    let short = "canary-canary-0";
    assert_eq!(short.len(), 15);
    let warned = logged(|| assert!(BearerTokens::new([("ann", short), ("bob", BOB)]).is_ok()));
    assert!(warned.contains("WARN") && warned.contains("16 bytes"), "{warned}");
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert!(!warned.contains("canary"), "{warned}");
    let warned = logged(|| assert!(BearerTokens::parse(&format!("{short}\ncanary-canary-1x")).is_ok()));
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert_eq!(logged(|| assert!(BearerTokens::parse("canary-canary-1x").is_ok())), "");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_read_is_warned_of_and_works() {
    use std::os::unix::fs::PermissionsExt;
    let file = Temporary::new(format!("{ANN}\n").as_bytes());
    for (mode, warns) in
        [(0o600, false), (0o400, false), (0o610, false), (0o640, true), (0o604, true), (0o644, true)]
    {
        fs::set_permissions(&file.0, fs::Permissions::from_mode(mode)).unwrap();
        let warned = logged(|| assert!(BearerTokens::from_file(&file.0).is_ok()));
        assert_eq!(warned.contains("others than its owner can read"), warns, "{mode:o}: {warned}");
        assert_eq!(warned.contains(&*file.0.display().to_string()), warns);
        assert!(!warned.contains(ANN), "{warned}");
    }
}

const VARIABLE: &str = "MCP_HTTP_TEST_TOKENS";
const IS_CHILD: &str = "MCP_HTTP_TEST_IS_CHILD";

/// What a process finds in its environment. Its tests are in `bearer`'s own; this is the way there.
#[tokio::test]
async fn a_variable_of_this_process() {
    if std::env::var_os(IS_CHILD).is_some() {
        let tokens = BearerTokens::from_env(VARIABLE).unwrap();
        assert_eq!(judged(&tokens, &[&format!("Bearer {ANN}")]).await.unwrap(), "bearer:ann");
        return;
    }
    for variable in ["MCP_HTTP_TEST_NEVER_SET", "", "A=B", "A\0B"] {
        refused(BearerTokens::from_env(variable), "not set");
    }
    let test = ["--exact", "a_variable_of_this_process"];
    let child = |value: &str| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(test).env(IS_CHILD, "1").env(VARIABLE, value).output().unwrap().status
    };
    assert!(child(&format!("ann:{ANN}")).success());
    assert!(!child(&format!("bob:{ANN}")).success());
    assert!(!child("").success());
}
