//! What a server does with input that is no message: said clearly, counted, answered once or never, and nothing lost for
//! others.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod programs;
mod session;

use session::Session;

/// What stands in the answer to one input.
enum Answer {
    /// There is none.
    Never,
    /// An error under this id.
    Once(&'static str, i64, &'static str),
}

use Answer::{Never, Once};

const INVALID: i64 = -32600;
const LARGE: i64 = -32603;

/// Input | what is said about it on stderr | the answer.
fn table() -> Vec<(String, &'static str, Answer)> {
    let deep = |depth: usize| {
        let nested = format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"jsonrpc":"2.0","id":5,"method":"echo","params":{nested}}}"#)
    };
    let pad = "x".repeat(5000);
    let owned = |text: &str| text.to_owned();
    let kinds = ["1.0", "1e2", "-", "01", "null", "true", "[]", "{}", "[1]", r#"{"id":1}"#, r#""\ud800""#];
    let mut table = vec![
        (owned("hello"), "not JSON", Never),
        (owned(r#"{"jsonrpc":"2.0","id":1,"method":"echo""#), "not JSON", Once("1", INVALID, "not JSON")),
        (owned(r#"{"jsonrpc":"2.0","id":1,"method":"echo"}}"#), "not JSON", Once("1", INVALID, "not JSON")),
        (owned(r#"{"jsonrpc":"2.0","method":"echo","id":1"#), "not JSON", Never),
        (owned(r#""text""#), "not a JSON object", Never),
        (owned("17"), "not a JSON object", Never),
        (owned(r#"[{"jsonrpc":"2.0","id":1,"method":"echo"}]"#), "batches are not accepted here", Never),
        (owned("[]"), "batches are not accepted here", Never),
        (owned("{}"), "", Never),
        (
            owned(r#"{"jsonrpc":"2.0","id":9}"#),
            "neither method nor result nor error",
            Once("9", INVALID, "neither"),
        ),
        (
            owned(r#"{"jsonrpc":"1.0","id":2,"method":"echo"}"#),
            "jsonrpc is not \"2.0\"",
            Once("2", INVALID, "jsonrpc"),
        ),
        (
            owned(r#"{"jsonrpc":2.0,"id":"b","method":"echo"}"#),
            "jsonrpc is not \"2.0\"",
            Once("\"b\"", INVALID, "jsonrpc"),
        ),
        (owned(r#"{"id":3,"method":"echo"}"#), "jsonrpc is not \"2.0\"", Once("3", INVALID, "jsonrpc")),
        (
            owned(r#"{"jsonrpc":"2.0","id":4,"method":7}"#),
            "method is not a string",
            Once("4", INVALID, "method"),
        ),
        (
            owned(r#"{"jsonrpc":"2.0","id":4,"method":"echo","params":7}"#),
            "params is no object and no array",
            Once("4", INVALID, "params"),
        ),
        (
            owned(r#"{"jsonrpc":"2.0","id":4,"method":"echo","result":1}"#),
            "more than one of method, result and error",
            Once("4", INVALID, "more"),
        ),
        (deep(129), "nested too deeply", Once("5", INVALID, "nested")),
        (owned(r#"{"jsonrpc":"2.0","result":1}"#), "a result without an id", Never),
        (owned(r#"{"jsonrpc":"1.0","id":4,"result":1}"#), "jsonrpc is not \"2.0\"", Never),
        (owned(r#"{"jsonrpc":"2.0","id":4,"error":"text"}"#), "error is no object", Never),
        (
            format!(r#"{{"jsonrpc":"2.0","id":6,"method":"echo","params":["{pad}"]}}"#),
            "too large",
            Once("6", LARGE, "too large"),
        ),
        (
            format!(r#"{{"jsonrpc":"2.0","method":"echo","params":["{pad}"],"id":"z"}}"#),
            "too large",
            Once("\"z\"", LARGE, "too large"),
        ),
        (format!(r#"{{"jsonrpc":"2.0","method":"echo","params":["{pad}"]}}"#), "too large", Never),
        (format!(r#"{{"jsonrpc":"2.0","id":6,"result":"{pad}"}}"#), "too large", Never),
        (pad, "too large", Never),
    ];
    table.extend(kinds.map(|id| (format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"echo"}}"#), "", Never)));
    table
}

#[test]
fn each_is_said_counted_and_answered_once_or_never() {
    let mut session = Session::start(programs::example("habits"), &["small"]);
    let mut number = 1000;
    let mut counted = 0;
    for (input, said, answer) in table() {
        let shown = &input[..input.len().min(80)];
        session.send(input.as_bytes());
        counted += 1;
        if let Once(id, code, text) = answer {
            let response = session.line();
            let response: serde_json::Value = serde_json::from_str(&response).unwrap();
            assert_eq!(response["id"].to_string(), id, "{shown}");
            assert_eq!(response["error"]["code"], code, "{shown}");
            assert!(response["error"]["message"].as_str().unwrap().contains(text), "{shown}: {response}");
            if code == LARGE {
                assert_eq!(response["error"]["data"]["reason"], "too_large");
            }
        }
        let heard = session.stderr_line();
        assert!(heard.starts_with("malformed message: ") && heard.contains(said), "{shown}: {heard}");
        // Whoever comes next is served, and is the next to be answered.
        number += 1;
        session.send(
            format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"echo","params":[{number}]}}"#).as_bytes(),
        );
        assert_eq!(
            session.line(),
            format!(r#"{{"jsonrpc":"2.0","id":{number},"result":[{number}]}}"#),
            "{shown}"
        );
    }
    for input in [
        &b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}"[..],
        b"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"x\":\"\xc3\"}",
    ] {
        session.send(input);
        counted += 1;
        assert_eq!(session.stderr_line(), "malformed message: not UTF-8");
    }
    session.send(br#"{"jsonrpc":"2.0","id":1,"method":"health"}"#);
    let health = session.line();
    assert!(
        health.contains(&format!("in flight 1, malformed {counted}, refused 0, unmatched 0, dropped 0")),
        "{health}"
    );
    session.end();
}

#[test]
fn depth_128_is_served() {
    let mut session = Session::start(programs::example("habits"), &[]);
    let nested = format!("{}{}", "[".repeat(127), "]".repeat(127));
    session.send(format!(r#"{{"jsonrpc":"2.0","id":5,"method":"echo","params":{nested}}}"#).as_bytes());
    assert_eq!(session.line(), format!(r#"{{"jsonrpc":"2.0","id":5,"result":{nested}}}"#));
    session.end();
}

/// Responses that nobody waits for are no malformed input: they are counted apart, and never answered.
#[test]
fn unknown_and_second_responses_are_counted() {
    let mut session = Session::start(programs::example("habits"), &[]);
    for id in ["1", "99", "-1", "18446744073709551616", "\"1\"", "\"x\""] {
        session.send(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).as_bytes());
    }
    session.send(br#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#);
    // A question of the server's: the first answer counts, the second does not.
    session.send(br#"{"jsonrpc":"2.0","id":"a","method":"ask"}"#);
    assert_eq!(session.line(), r#"{"jsonrpc":"2.0","id":1,"method":"question"}"#);
    session.send(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    session.send(br#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"second"}}"#);
    assert_eq!(session.line(), r#"{"jsonrpc":"2.0","id":"a","result":false}"#);
    session.send(br#"{"jsonrpc":"2.0","id":"b","method":"health"}"#);
    let health = session.line();
    assert!(health.contains("malformed 0, refused 0, unmatched 8, dropped 0"), "{health}");
    session.end();
}

/// The same id twice at once is two exchanges: correlation is by exchange.
#[test]
fn one_id_twice_is_answered_twice() {
    let mut session = Session::start(programs::example("habits"), &[]);
    session.send(br#"{"jsonrpc":"2.0","id":1,"method":"late","params":[50]}"#);
    session.send(br#"{"jsonrpc":"2.0","id":1,"method":"echo","params":["second"]}"#);
    assert_eq!(session.line(), r#"{"jsonrpc":"2.0","id":1,"result":["second"]}"#);
    assert_eq!(session.line(), r#"{"jsonrpc":"2.0","id":1,"result":"late"}"#);
    session.end();
}

#[test]
fn one_request_too_many_is_refused_and_says_so() {
    let mut session = Session::start(programs::example("habits"), &[]);
    for id in 0..128 {
        session.send(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"never"}}"#).as_bytes());
    }
    session.send(br#"{"jsonrpc":"2.0","id":"over","method":"echo"}"#);
    let refused: serde_json::Value = serde_json::from_str(&session.line()).unwrap();
    assert_eq!((&refused["id"], &refused["error"]["data"]["reason"]), (&"over".into(), &"overloaded".into()));
    session.send(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}"#);
    // Room again, once the handler has seen it; until then the answer is a refusal.
    loop {
        session.send(br#"{"jsonrpc":"2.0","id":"next","method":"echo"}"#);
        let answer = session.line();
        if answer == r#"{"jsonrpc":"2.0","id":"next","result":null}"# {
            break;
        }
        assert!(answer.contains("overloaded"), "{answer}");
    }
    for id in 0..128 {
        let cancel = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        session.send(cancel.as_bytes());
    }
    session.end();
}
