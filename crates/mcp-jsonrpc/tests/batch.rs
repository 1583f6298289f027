//! Batches: an outer form for those who ask.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod cases;

use cases::cases;
use mcp_jsonrpc::{Batch, Fault, Form, Message, Notification, Request, Response, ScanLimits};

/// The kind or the fault of each member.
fn members(text: &str) -> Vec<String> {
    let batch = Batch::parse(text.to_owned(), &ScanLimits::default()).unwrap();
    let members: Vec<String> = batch
        .messages()
        .map(|message| match message {
            Ok(message) => message.kind().to_owned(),
            Err(malformed) => format!("{:?}", malformed.fault()),
        })
        .collect();
    assert_eq!(members.len(), batch.len());
    members
}

fn refused(text: impl Into<Vec<u8>>, limits: &ScanLimits) -> Fault {
    let text = text.into();
    let len = text.len() as u64;
    let malformed = Batch::parse(text, limits).unwrap_err();
    assert_eq!((malformed.id(), malformed.form(), malformed.input_len()), (None, Form::Unknown, len));
    malformed.fault()
}

#[test]
fn the_examples_of_the_specification() {
    let default = ScanLimits::default();
    // J7
    let cut = r#"[{"jsonrpc":"2.0","method":"sum","params":[1,2,4],"id":"1"},{"jsonrpc":"2.0","method"]"#;
    assert_eq!(refused(cut, &default), Fault::Syntax);
    // J8, J9, J10
    assert_eq!(refused("[]", &default), Fault::BatchLength);
    assert_eq!(members("[1]"), ["NotAnObject"]);
    assert_eq!(members("[1,2,3]"), ["NotAnObject"; 3]);
    // J11
    let mixed = r#"[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
    ]"#;
    assert_eq!(members(mixed), ["request", "notification", "request", "Version", "request", "request"]);
    // J12
    let notifications = r#"[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b","params":[7]}]"#;
    assert_eq!(members(notifications), ["notification"; 2]);
    assert_eq!(members(r#"[{"jsonrpc":"2.0","result":7,"id":"1"}]"#), ["result"]);
}

#[test]
fn what_is_no_batch() {
    let default = ScanLimits::default();
    for (text, fault) in [
        ("", Fault::Syntax),
        (" ", Fault::Syntax),
        ("x", Fault::Syntax),
        ("[", Fault::Syntax),
        ("[1", Fault::Syntax),
        ("[1,", Fault::Syntax),
        ("[1,]", Fault::Syntax),
        ("[,1]", Fault::Syntax),
        ("[1 2]", Fault::Syntax),
        ("[1]]", Fault::Syntax),
        ("[1}", Fault::Syntax),
        ("[1]x", Fault::Syntax),
        ("[] x", Fault::BatchLength),
        ("\u{feff}[1]", Fault::Syntax),
        ("\u{c}[1]", Fault::Syntax),
        ("{\"a\":1", Fault::Syntax),
        ("{}", Fault::NotAnObject),
        (r#"{"jsonrpc":"2.0","method":"m"}"#, Fault::NotAnObject),
        ("1", Fault::NotAnObject),
        ("\"[]\"", Fault::NotAnObject),
        (" [ ] ", Fault::BatchLength),
    ] {
        assert_eq!(refused(text, &default), fault, "{text}");
    }
    assert_eq!(refused(&b"[\"\xff\"]"[..], &default), Fault::Utf8);
    assert_eq!(refused(&b"\xff"[..], &default), Fault::Utf8);
}

#[test]
fn one_bad_member_leaves_the_others_alone() {
    let text = r#"[{"jsonrpc":"2.0","id":1,"method":3},[],"x",{"jsonrpc":"2.0","id":2,"method":"m"},null,[{"jsonrpc":"2.0","id":3,"method":"m"}]]"#;
    assert_eq!(members(text), ["Method", "Batch", "NotAnObject", "request", "NotAnObject", "Batch"]);
    let batch = Batch::parse(text, &ScanLimits::default()).unwrap();
    let first = batch.messages().next().unwrap().unwrap_err();
    assert_eq!((first.id(), first.form(), first.input_len()), (Some(&1.into()), Form::Request, 35));
}

#[test]
fn how_many() {
    let message = r#"{"jsonrpc":"2.0","method":"m"}"#;
    let batch = |count: usize| format!("[{}]", vec![message; count].join(","));
    for max in [1usize, 2, 100] {
        let mut limits = ScanLimits::default();
        limits.max_batch = max;
        for count in [max - 1, max] {
            match Batch::parse(batch(count), &limits) {
                Ok(batch) => assert_eq!((batch.len(), batch.messages().count()), (count, count)),
                Err(_) => assert_eq!(count, 0),
            }
        }
        assert_eq!(refused(batch(max + 1), &limits), Fault::BatchLength);
    }
    assert_eq!(refused(batch(101), &ScanLimits::default()), Fault::BatchLength);
    let mut none = ScanLimits::default();
    none.max_batch = 0;
    assert_eq!(refused(batch(1), &none), Fault::BatchLength);
}

#[test]
fn how_deep() {
    let default = ScanLimits::default();
    let nested = |levels: usize| {
        format!(r#"[{{"jsonrpc":"2.0","id":1,"result":{}{}}}]"#, "[".repeat(levels), "]".repeat(levels))
    };
    // The array counts like every other container.
    assert_eq!(members(&nested(126)), ["result"]);
    assert_eq!(refused(nested(127), &default), Fault::Depth);
    assert_eq!(refused("[".repeat(100_000), &default), Fault::Depth);
    assert_eq!(refused("[[]]", &default.with_max_depth(1)), Fault::Depth);
    assert_eq!(refused(r#"{"a":[]}"#, &default.with_max_depth(1)), Fault::Depth);
}

#[test]
fn blanks_and_breaks() {
    let text = "\r\n [ \n{\"jsonrpc\":\"2.0\",\n\"method\":\"m\"}\t, \r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}} ]\n";
    assert!(Batch::is_batch(text.as_bytes()));
    let batch = Batch::parse(text, &ScanLimits::default()).unwrap();
    let lines: Vec<_> = batch.messages().map(|message| message.unwrap().into_line()).collect();
    assert_eq!(lines[0], &b"{\"jsonrpc\":\"2.0\", \"method\":\"m\"}"[..]);
    assert_eq!(lines[1], &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"[..]);
    for text in ["", " ", "{}", " {", "\"[\"", "1"] {
        assert!(!Batch::is_batch(text.as_bytes()), "{text}");
    }
}

#[test]
fn joined_and_taken_apart() {
    let broken = Message::parse("{\"jsonrpc\":\"2.0\",\n\"method\":\"m\"}", &ScanLimits::default()).unwrap();
    let messages = [
        Message::from(Request::new(1, "a")),
        Notification::new("b").into(),
        broken,
        Response::result(&"x".into(), &[1]).unwrap().into(),
    ];
    let text = Batch::join(messages.clone());
    assert!(!text.contains(&b'\n'));
    let batch = Batch::parse(text, &ScanLimits::default()).unwrap();
    for (message, original) in batch.messages().zip(messages) {
        assert_eq!(message.unwrap().into_line(), original.into_line());
    }
}

/// The whole table as members, one at a time and all that are JSON together.
#[test]
fn a_member_is_read_as_it_would_be_alone() {
    let mut limits = ScanLimits::default();
    limits.max_batch = 100_000;
    let mut all = Vec::new();
    for case in cases() {
        let alone = Message::parse(case.text.clone(), &limits);
        let text = [b"[1,", &case.text[..], b"]"].concat();
        let deepest = case.text.len() > 250; // one level less is left
        match Batch::parse(text, &limits) {
            Ok(batch) => {
                let seen = batch.messages().nth(1).unwrap();
                let trimmed = Message::parse(case.text.trim_ascii().to_vec(), &limits);
                assert_eq!(seen, trimmed, "{}", String::from_utf8_lossy(&case.text));
                all.push(case.text);
            }
            Err(_) => assert!(deepest || alone.is_err_and(|malformed| malformed.fault().is_parse_error())),
        }
    }
    let batch = Batch::parse([b"[", &all.join(&b',')[..], b"]"].concat(), &limits).unwrap();
    assert_eq!(batch.len(), all.len());
    for (seen, text) in batch.messages().zip(all) {
        assert_eq!(seen, Message::parse(text.trim_ascii().to_vec(), &limits));
    }
}
