//! Which era a server turns out to be of, whatever it does with the probe.
//!
//! MCP 2026-07-28, stdio, Backward Compatibility.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::{ask, call, legacy};
use serde_json::json;

/// A server that does as `probe` says with the probe, and speaks the legacy era.
fn probed(probe: &str) -> String {
    format!(
        r#"*'"method":"server/discover"'*) {probe};;
        *'"method":"initialize"'*) greeted=yes; welcome;;
        *'"method":"notifications/initialized"'*) ready=$greeted;;
        *'"method":"ask/me"'*) result "\"$ready\"";;"#
    )
}

#[test]
fn any_other_answer_to_the_probe_means_legacy() {
    let unreadable = r#"printf '{"jsonrpc":"2.0","id":%s,"result":1,"error":2}\n' "$id""#;
    for probe in
        ["error -32601", "error -32600", "error -32602", "error -32000", "error 1", "result '{}'", unreadable]
    {
        let seen = ask(&["ask/me"], &probed(probe));
        assert_eq!(seen.stdout, "\"yes\"\n", "{probe}: {seen:?}");
    }
}

#[test]
fn silence_means_legacy() {
    let seen = ask(&["ask/me"], &probed(":"));
    assert_eq!(seen.stdout, "\"yes\"\n", "{seen:?}");
    assert!(seen.took < Duration::from_secs(10), "{seen:?}");
    // Also where the whole call may take less than the probe.
    assert_eq!(ask(&["ask/me", "--timeout", "3"], &probed(":")).stdout, "\"yes\"\n");
}

#[test]
fn a_server_that_dies_of_the_probe_is_started_again() {
    let seen = ask(&["ask/me"], &probed("echo died >&2; exit 1"));
    assert_eq!(seen.stdout, "\"yes\"\n", "{seen:?}");
    assert_eq!(seen.stderr.matches("child| died").count(), 1);
    let why = "! asked `server/discover`, the child exited with status 1; its last words: died: once more";
    assert!(seen.stderr.contains(why), "{seen:?}");
    // Once, and not when somebody ended it.
    let seen = call(&["ask/me", "--", "sh", "-c", "echo start >&2; exit 3"]);
    seen.failed(&["status 3", "start"]);
    assert_eq!(seen.stderr.matches("child| start").count(), 2, "{seen:?}");
    let seen = call(&["ask/me", "--", "sh", "-c", "echo start >&2; kill -9 $$"]);
    seen.failed(&["signal 9"]);
    assert_eq!(seen.stderr.matches("child| start").count(), 1, "{seen:?}");
}

#[test]
fn a_modern_server_gets_meta() {
    let script = r#"*'"method":"server/discover"'*'"io.modelcontextprotocol/protocolVersion":"2026-07-28"'*) discovered;;
        *'"method":"initialize"'*) echo initialize >&2;;
        *'"method":"ask/me"'*) result "[$line]";;"#;
    let seen = ask(&["ask/me", r#"{"x":1,"_meta":{"progressToken":7}}"#], script);
    let params = &seen.value()[0]["params"];
    let expected = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "mcp-bridge", "version": env!("CARGO_PKG_VERSION") },
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": 7,
    });
    assert_eq!((&params["_meta"], &params["x"]), (&expected, &json!(1)));
    assert_eq!(seen.stderr, "");
}

#[test]
fn a_modern_error_is_no_reason_to_fall_back() {
    let unsupported = |supported: &str| {
        format!(
            r#"*'"method":"server/discover"'*) printf '{{"jsonrpc":"2.0","id":%s,"error":{{"code":-32022,"message":"no","data":{{"supported":[{supported}],"requested":"2026-07-28"}}}}}}\n' "$id";;
            *'"method":"initialize"'*) greeted=yes; echo initialize >&2; welcome;;
            *'"method":"ask/me"'*) result "\"$greeted\"";;"#
        )
    };
    // A version of its list, and none of ours there.
    let seen = ask(&["ask/me"], &unsupported(r#""2027-01-01","2026-07-28""#));
    assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("\"\"\n", ""));
    let seen = ask(&["ask/me"], &unsupported(r#""2027-01-01""#));
    seen.failed(&["no common version", "2027-01-01", "2026-07-28"]);
    assert!(!seen.stderr.contains("child|"), "{seen:?}");
    assert!(seen.stderr.contains("< error {\"code\":-32022"), "{seen:?}");
    // The list itself names a legacy one: then it is a choice and no fallback.
    let seen = ask(&["ask/me"], &unsupported(r#""2027-01-01","2025-06-18""#));
    assert_eq!(seen.stdout, "\"yes\"\n");
    for code in ["-32020", "-32021"] {
        let script = format!(
            r#"*'"method":"server/discover"'*) error {code};;
            *'"method":"initialize"'*) echo initialize >&2;;
            *'"method":"ask/me"'*) result 1;;"#
        );
        let seen = ask(&["ask/me"], &script);
        assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("1\n", ""));
    }
    let seen = ask(&["ask/me"], r#"*'"method":"server/discover"'*) error -32022;;"#);
    seen.failed(&["2026-07-28"]);
}

#[test]
fn a_modern_server_with_other_versions() {
    let script = |versions: &str| {
        format!(
            r#"*'"method":"server/discover"'*) result '{{"resultType":"complete","supportedVersions":[{versions}]}}';;
            *'"method":"ask/me"'*) result 1;;"#
        )
    };
    ask(&["ask/me"], &script(r#""2027-01-01","2028-01-01""#)).failed(&["2027-01-01, 2028-01-01"]);
    assert_eq!(ask(&["ask/me"], &script(r#""2027-01-01","2026-07-28""#)).stdout, "1\n");
}

#[test]
fn a_slow_modern_server_loses_nothing() {
    // It starts to read when the probe is given up, and knows no `initialize`.
    let slow = "sleep 3; \
        while IFS= read -r line; do id=${line#*\\\"id\\\":}; id=${id%%[,\\}]*}; case $line in \
        *server/discover*) printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"supportedVersions\":[\"2026-07-28\"]}}\\n' $id;; \
        *'\"initialize\"'*) printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":\"no\"}}\\n' $id;; \
        *ask/me*) printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":\"modern\"}\\n' $id;; \
        esac; done";
    let seen = call(&["ask/me", "--", "sh", "-c", slow]);
    assert_eq!(seen.stdout, "\"modern\"\n", "{seen:?}");
    // The same with the answers the other way round.
    let script = r#"*'"method":"server/discover"'*) probe=$id;;
        *'"method":"initialize"'*) error -32601; id=$probe; discovered;;
        *'"method":"ask/me"'*) result 1;;"#;
    assert_eq!(ask(&["ask/me"], script).stdout, "1\n");
}

#[test]
fn a_server_that_refuses_both() {
    let script =
        r#"*'"method":"server/discover"'*) error -32601;; *'"method":"initialize"'*) error -32603;;"#;
    let seen = ask(&["ask/me"], script);
    seen.failed(&["refused `initialize`", "-32603"]);
    assert!(seen.stderr.contains("< error {\"code\":-32603"), "{seen:?}");
    let wants = r#"*'"method":"server/discover"'*) error -32601;;
        *'"method":"initialize"'*) result '{"protocolVersion":"1999-01-01"}';;"#;
    ask(&["ask/me"], wants).failed(&["1999-01-01"]);
    let wants = r#"*'"method":"server/discover"'*) error -32601;; *'"method":"initialize"'*) result '{}';;"#;
    ask(&["ask/me"], wants).failed(&["no protocol version"]);
}

#[test]
fn a_handshake_that_is_asked_for_is_not_repeated() {
    let script = legacy("result 1") + "*) echo \"$line\" >&2;;";
    let seen = ask(&["initialize"], &script);
    assert_eq!(seen.stdout, format!("{}\n", common::WELCOME));
    assert!(seen.stderr.contains("notifications/initialized"), "{seen:?}");
    let seen = ask(&["server/discover"], &script);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
}
