//! Generated JSON, messages, what is almost a message, and changes to them.

#![allow(dead_code, reason = "each test program takes what it needs")]

use proptest::prelude::*;

/// As many cases as asked for, scaled by `PROPTEST_CASES`.
pub(crate) fn runs(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: cases.saturating_mul(default.cases) / 256, failure_persistence: None, ..default }
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just(""), 2 => Just(" "), 1 => Just("\n"), 1 => Just("\r\n\t"), 1 => Just("  \r")]
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-z/]{0,12}",
        1 => "[ -!#-\\[\\]-~]{0,90}",
        2 => prop::sample::select(vec![
            r#"\""#, r"\\", r"\/", r"\n", r"\u0000", r"\u0069d", r"\ud800", r"\ud83d\ude00", "é", "😀", "\u{2028}", "{", "}", "[", "]", ",", ":", r#"\",\"id\":1"#,
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (-3i8..12).prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
    ]
}

/// One JSON value as text, with blanks between its tokens.
pub(crate) fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        2 => number(),
        3 => string(),
        1 => prop::sample::select(vec!["null", "true", "false", "{}", "[]"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let item = (blank(), inner.clone(), blank())
            .prop_map(|(left, value, right)| format!("{left}{value}{right}"));
        let member = (blank(), key(), blank(), blank(), inner, blank())
            .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
        prop_oneof![
            prop::collection::vec(item, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// A key: mostly one of ours, in some spelling.
fn key() -> impl Strategy<Value = String> {
    let ours = ["jsonrpc", "id", "method", "params", "result", "error", "code", "message", "data"];
    prop_oneof![
        6 => prop::sample::select(ours.to_vec()).prop_map(|key| format!("\"{key}\"")),
        2 => (prop::sample::select(ours.to_vec()), any::<u16>()).prop_map(|(key, which)| {
            let spell = |(at, byte): (usize, u8)| {
                if which >> at & 1 == 1 { format!("\\u{byte:04x}") } else { char::from(byte).to_string() }
            };
            format!("\"{}\"", key.bytes().enumerate().map(spell).collect::<String>())
        }),
        1 => prop::sample::select(vec![r#""Method""#, r#""ID""#, r#""id\u0000""#, r#""method\ud800""#, r#""""#, r#""reſult""#])
            .prop_map(str::to_owned),
        2 => string(),
    ]
}

/// One member of an envelope, its value mostly of the right kind.
fn member() -> impl Strategy<Value = String> {
    let id = prop_oneof![3 => "[0-9]{1,22}", 3 => string(), 1 => Just("null".to_owned()), 1 => number(), 1 => json()];
    let object = (number(), string(), json(), 0..6u8).prop_map(|(code, message, data, shape)| match shape {
        0 => format!(r#"{{"code":{code},"message":{message},"data":{data}}}"#),
        1 => format!(r#"{{"message":{message},"code":1,"code":{code}}}"#),
        2 => format!(r#"{{"code":1,"message":{data}}}"#),
        3 => format!(r#"{{"code":{data},"message":{message}}}"#),
        _ => format!(r#"{{"code":-32000,"message":{message}}}"#),
    });
    let arrays =
        prop::sample::select(vec!["{}", "[]", "[1,2]", r#"{"id":7,"a":{"id":8}}"#]).prop_map(str::to_owned);
    prop_oneof![
        4 => id.prop_map(|id| format!(r#""id":{id}"#)),
        5 => string().prop_map(|method| format!(r#""method":{method}"#)),
        4 => prop_oneof![arrays, json()].prop_map(|params| format!(r#""params":{params}"#)),
        3 => json().prop_map(|result| format!(r#""result":{result}"#)),
        3 => prop_oneof![object, json()].prop_map(|error| format!(r#""error":{error}"#)),
        2 => (key(), json()).prop_map(|(key, value)| format!("{key}:{value}")),
    ]
}

/// An envelope of a few members in any order; often a message, often just not.
pub(crate) fn envelope() -> impl Strategy<Value = String> {
    let version = prop::sample::select(vec![
        r#""jsonrpc":"2.0""#,
        r#""jsonrpc":"2.0""#,
        r#""jsonrpc":"2.0""#,
        r#""jsonrpc":"2.0""#,
        r#""json\u0072pc":"2\u002e0""#,
        r#""jsonrpc":2.0"#,
        r#""x":0"#,
    ]);
    (
        version,
        prop::collection::vec((blank(), member()), 0..5),
        any::<prop::sample::Index>(),
        blank(),
        blank(),
    )
        .prop_map(|(version, members, at, before, after)| {
            let mut members: Vec<String> =
                members.into_iter().map(|(blank, member)| format!("{blank}{member}{blank}")).collect();
            members.insert(at.index(members.len() + 1), version.to_owned());
            format!("{before}{{{}}}{after}", members.join(","))
        })
}

/// A message that is one, its members shuffled.
pub(crate) fn message() -> impl Strategy<Value = String> {
    let id = prop_oneof!["[1-9][0-9]{0,21}", "\"[a-z]{0,60}\""].prop_map(|id| format!(r#""id":{id}"#));
    let method = "\"[a-z/]{1,20}\"".prop_map(|method| format!(r#""method":{method}"#));
    let params = json().prop_map(|value| format!(r#""params":{{"a":{value}}}"#)).boxed();
    let result = json().prop_map(|value| format!(r#""result":{value}"#));
    let error = string().prop_map(|text| format!(r#""error":{{"code":-1,"message":{text}}}"#));
    let version = || Just(r#""jsonrpc":"2.0""#.to_owned());
    let members = prop_oneof![
        (version(), id.clone(), method.clone(), params.clone()).prop_map(|(a, b, c, d)| vec![a, b, c, d]),
        (version(), method, params).prop_map(|(a, b, c)| vec![a, b, c]),
        (version(), id.clone(), result).prop_map(|(a, b, c)| vec![a, b, c]),
        (version(), id, error).prop_map(|(a, b, c)| vec![a, b, c]),
    ];
    members.prop_shuffle().prop_map(|members| format!("{{{}}}", members.join(",")))
}

/// One small change of a text.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Cut(prop::sample::Index),
    /// A copy of one stretch somewhere else.
    Copy(prop::sample::Index, prop::sample::Index, u8),
    Swap(prop::sample::Index, prop::sample::Index),
}

impl Change {
    /// Does nothing to an empty text.
    pub(crate) fn apply(&self, text: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let len = text.len();
        match self {
            Self::Set(at, byte) => text[at.index(len)] = *byte,
            Self::Insert(at, byte) => text.insert(at.index(len + 1), *byte),
            Self::Remove(at) => drop(text.remove(at.index(len))),
            Self::Cut(at) => text.truncate(at.index(len)),
            Self::Copy(from, to, count) => {
                let from = from.index(len);
                let stretch = text[from..len.min(from + usize::from(*count % 40))].to_vec();
                let to = to.index(len + 1);
                text.splice(to..to, stretch);
            }
            Self::Swap(one, other) => text.swap(one.index(len), other.index(len)),
        }
    }
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let byte = || prop_oneof![4 => prop::sample::select(b"\"\\{}[],: \n\r0-.eEu\x00\x1f\x7f\x80\xff".to_vec()), 1 => any::<u8>()];
    let at = any::<prop::sample::Index>;
    prop_oneof![
        3 => (at(), byte()).prop_map(|(at, byte)| Change::Set(at, byte)),
        3 => (at(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        3 => at().prop_map(Change::Remove),
        1 => at().prop_map(Change::Cut),
        2 => (at(), at(), any::<u8>()).prop_map(|(from, to, count)| Change::Copy(from, to, count)),
        1 => (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
    ]
}
