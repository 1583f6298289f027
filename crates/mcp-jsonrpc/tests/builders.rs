//! What is built from Rust values is a message like any other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod generated;

use std::collections::BTreeMap;

use generated::{json, runs};
use mcp_jsonrpc::{
    EncodeError, ErrorCode, ErrorObject, Id, Json, Message, Notification, Outcome, Request, Response,
    ScanLimits,
};
use proptest::prelude::*;
use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Says that it parses back to an equal message, which compares bytes and spans, and is one line.
#[track_caller]
fn whole(message: impl Into<Message>) -> Message {
    let message = message.into();
    let text = message.as_bytes().to_vec();
    assert!(!text.contains(&b'\n') && !text.contains(&b'\r'));
    let mut limits = ScanLimits::default();
    limits.max_id_bytes = usize::MAX;
    assert_eq!(Message::parse(text.clone(), &limits).expect("a message"), message);
    assert_eq!(message.clone().into_line(), &text[..]);
    message
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn arrays(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inside, _| json!({ "k": inside }))
}

const NAMES: [&str; 7] = ["", "tools/call", "a\"b", "\\", "\n\r\0\u{1f}", "é😀\u{2028}\u{feff}", "{}[],:"];

#[test]
fn requests_and_notifications() {
    for name in NAMES {
        for id in [Id::from(7), Id::from("x"), Id::from(name)] {
            let Message::Request(request) = whole(Request::new(id.clone(), name)) else { panic!() };
            assert_eq!((request.id(), &*request.method(), request.params_raw()), (id.clone(), name, None));
            let params = json!({ name: [name, 1.5, null] });
            let built = Request::with_params(id.clone(), name, &params).unwrap();
            let Message::Request(request) = whole(built) else { panic!() };
            assert_eq!((request.id(), &*request.method()), (id, name));
            assert_eq!(request.params::<Value>().unwrap(), params);
        }
        let Message::Notification(notification) = whole(Notification::new(name)) else { panic!() };
        assert_eq!((&*notification.method(), notification.params_raw()), (name, None));
        let built = Notification::with_params(name, &[name]).unwrap();
        let Message::Notification(notification) = whole(built) else { panic!() };
        assert_eq!(notification.params::<Vec<String>>().unwrap(), [name]);
    }
    let request = Request::with_params(1, "m", &json!({"a": 1})).unwrap();
    assert_eq!(request.as_bytes(), br#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1}}"#);
    assert_eq!(Request::new(1, "m").params::<BTreeMap<String, Value>>().unwrap(), BTreeMap::new());
    assert!(Request::new(1, "m").params::<Vec<Value>>().is_err());
}

#[test]
fn no_params_are_no_member() {
    let absent = br#"{"jsonrpc":"2.0","id":1,"method":"m"}"#;
    let built = [
        Request::with_params(1, "m", &()),
        Request::with_params(1, "m", &None::<Vec<u8>>),
        Request::with_params(1, "m", &Value::Null),
        Request::with_params(1, "m", &raw("null")),
        Request::with_json_params(1, "m", &Json::parse(" null ").unwrap()),
    ];
    for built in built {
        assert_eq!(whole(built.unwrap()).as_bytes(), absent);
    }
    let absent = whole(Notification::with_params("m", &()).unwrap());
    assert_eq!(absent.as_bytes(), br#"{"jsonrpc":"2.0","method":"m"}"#);
    assert_eq!(whole(Notification::with_json_params("m", &Json::parse("null").unwrap()).unwrap()), absent);
    // Empty is not absent.
    assert_eq!(Request::with_params(1, "m", &json!({})).unwrap().params_raw(), Some(&b"{}"[..]));
    assert_eq!(Request::with_params(1, "m", &[0; 0]).unwrap().params_raw(), Some(&b"[]"[..]));
}

#[test]
fn params_are_an_object_or_an_array() {
    fn refused<T: Serialize + ?Sized>(params: &T) {
        let text = format!("{}", Request::with_params(1, "m", params).unwrap_err());
        assert_eq!(text, "params are neither an object nor an array");
        assert!(Notification::with_params("m", params).is_err());
        let json = Json::new(params).unwrap();
        assert!(Request::with_json_params(1, "m", &json).is_err());
        assert!(Notification::with_json_params("m", &json).is_err());
        // A result may be anything.
        assert_eq!(
            whole(Response::json_result(&1.into(), &json)),
            whole(Response::result(&1.into(), params).unwrap())
        );
    }
    refused(&1);
    refused(&-1.5);
    refused("{}");
    refused(&'[');
    refused(&true);
    refused(&raw("3"));
    refused(&Some("x"));
    assert!(Request::with_params(1, "m", &(1, "two")).is_ok());
}

#[test]
fn text_that_is_json_already() {
    for text in ["{}", " [1e2 , 1.0]\t", "{\n\"a\"\r\n:\n[\r]}", r#"{"a":"\ud800","a":12345678901234567890}"#]
    {
        let line = text.replace(['\r', '\n'], " ");
        let json = Json::parse(text).unwrap();
        assert_eq!(json.as_bytes(), line.trim().as_bytes());
        let Message::Request(request) = whole(Request::with_json_params("i", "m", &json).unwrap()) else {
            panic!()
        };
        assert_eq!(request.params_raw(), Some(json.as_bytes()));
        let Message::Response(response) = whole(Response::json_result(&"i".into(), &json)) else { panic!() };
        assert_eq!(response.result_raw(), Some(json.as_bytes()));
        let raw = raw(text);
        let built = Request::with_params(1, "m", &json!({ "raw": 0 })).unwrap();
        assert!(built.params_raw().is_some());
        let Message::Request(request) =
            whole(Request::with_params("i", "m", &BTreeMap::from([("raw", raw)])).unwrap())
        else {
            panic!()
        };
        assert_eq!(request.params_raw().unwrap(), format!("{{\"raw\":{}}}", line.trim()).as_bytes());
    }
    for text in ["", " ", "{", "1 2", "{}}", "\u{feff}{}", "nul", "[1,]"] {
        assert!(Json::parse(text).is_err(), "{text}");
    }
    assert!(Json::parse(&b"\"\xff\""[..]).is_err());
    assert!(Json::parse(arrays(127)).is_ok());
    assert!(Json::parse(arrays(128)).is_err());
    assert_eq!(Json::new(&json!([1, null])).unwrap().decode::<Value>().unwrap(), json!([1, null]));
}

#[test]
fn depth_counts_from_the_envelope() {
    fn attempts<T: Serialize>(value: &T) -> [Result<Message, EncodeError>; 3] {
        [
            Request::with_params(1, "m", value).map(Message::from),
            Notification::with_params("m", value).map(Message::from),
            Response::result(&1.into(), value).map(Message::from),
        ]
    }
    for fits in attempts(&nested(127)).into_iter().chain(attempts(&raw(&arrays(127)))) {
        whole(fits.unwrap());
    }
    for deeper in attempts(&nested(128))
        .into_iter()
        .chain(attempts(&raw(&arrays(128))))
        .chain(attempts(&[raw(&arrays(127))]))
    {
        assert!(deeper.is_err());
    }
    assert!(Json::new(&nested(127)).is_ok());
    assert!(Json::new(&nested(128)).is_err());
    // Error data stands one level deeper.
    let error = ErrorObject::new(ErrorCode(1), "m");
    let Message::Response(response) =
        whole(Response::error(&1.into(), &error.clone().with_data(&nested(126)).unwrap()))
    else {
        panic!()
    };
    assert!(matches!(response.outcome(), Outcome::Error(error) if error.data().is_some()));
    assert!(error.clone().with_data(&nested(127)).is_err());
    assert!(error.with_data(&raw(&arrays(127))).is_err());
}

/// Without a bound this would go on to the end of the stack.
struct Endless;

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [Endless].serialize(serializer)
    }
}

#[test]
fn endless_nesting_is_an_error() {
    assert!(Json::new(&Endless).is_err());
    assert!(Request::with_params(1, "m", &Endless).is_err());
}

/// A `Serialize` with a mistake in it.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Fails,
    /// A length of 0 makes serde_json close at once.
    LengthOfMap,
    LengthOfSeq,
    KeyOnly,
    ValueOnly,
    /// Goes on after its element has failed.
    IgnoresFailure,
    /// Uses the names behind serde_json's raw values and numbers.
    RawFragment(&'static str),
    RawNumber(&'static str),
}

impl Serialize for Wrong {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fails => Err(S::Error::custom("no")),
            Self::LengthOfMap => {
                let mut map = serializer.serialize_map(Some(0))?;
                map.serialize_entry("id", &2)?;
                map.end()
            }
            Self::LengthOfSeq => {
                let mut seq = serializer.serialize_seq(Some(0))?;
                seq.serialize_element(&1)?;
                seq.serialize_element(&2)?;
                seq.end()
            }
            Self::KeyOnly => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_key("a")?;
                map.end()
            }
            Self::ValueOnly => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_value(&1)?;
                map.end()
            }
            Self::IgnoresFailure => {
                let mut seq = serializer.serialize_seq(None)?;
                seq.serialize_element(&1)?;
                let _ = seq.serialize_element(&Wrong::Fails);
                seq.end()
            }
            Self::RawFragment(text) => {
                let mut raw = serializer.serialize_struct("$serde_json::private::RawValue", 1)?;
                raw.serialize_field("$serde_json::private::RawValue", text)?;
                raw.end()
            }
            Self::RawNumber(text) => {
                let mut raw = serializer.serialize_struct("$serde_json::private::Number", 1)?;
                raw.serialize_field("$serde_json::private::Number", text)?;
                raw.end()
            }
        }
    }
}

#[test]
fn no_mistake_in_a_serialize_makes_a_broken_message() {
    let wrong = [
        Wrong::Fails,
        Wrong::LengthOfMap,
        Wrong::LengthOfSeq,
        Wrong::KeyOnly,
        Wrong::ValueOnly,
        Wrong::IgnoresFailure,
        Wrong::RawFragment(""),
        Wrong::RawFragment("{"),
        Wrong::RawFragment("{},\"id\":2"),
        Wrong::RawFragment("\"\n\""),
        Wrong::RawNumber("1,\"id\":2"),
        Wrong::RawNumber("{}}\n{"),
    ];
    for wrong in wrong {
        let built = [
            Request::with_params(1, "m", &wrong).map(Message::from),
            Request::with_params(1, "m", &json_key(wrong)).map(Message::from),
            Notification::with_params("m", &(wrong, 1)).map(Message::from),
            Response::result(&1.into(), &(1, wrong)).map(Message::from),
        ];
        // Some of them happen to be JSON where they stand; then they are whole.
        for message in built.into_iter().flatten() {
            whole(message);
        }
        // What comes is counted, and not what was announced.
        let is_harmless = matches!(wrong, Wrong::LengthOfMap | Wrong::LengthOfSeq);
        assert_eq!(Response::result(&1.into(), &wrong).is_ok(), is_harmless, "{wrong:?}");
        assert_eq!(Json::new(&wrong).is_ok(), is_harmless, "{wrong:?}");
        assert_eq!(ErrorObject::new(ErrorCode(1), "m").with_data(&wrong).is_ok(), is_harmless, "{wrong:?}");
    }
    // What a failed attempt left behind is in nobody's way.
    assert_eq!(whole(Request::new(1, "m")).as_bytes(), br#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let built = whole(Request::with_params(1, "m", &[Wrong::RawFragment("[\r\n1.0]")]).unwrap());
    assert!(built.as_bytes().ends_with(br#""params":[[  1.0]]}"#));
}

fn json_key(wrong: Wrong) -> BTreeMap<&'static str, Wrong> {
    BTreeMap::from([("k", wrong)])
}

#[test]
fn responses() {
    for id in [Id::from(1), Id::from("a\"b"), Id::from(u64::MAX)] {
        let Message::Response(response) = whole(Response::result(&id, &json!({"a": 1})).unwrap()) else {
            panic!()
        };
        assert_eq!((response.id(), response.is_error()), (Some(id.clone()), false));
        assert_eq!(response.result_raw(), Some(&br#"{"a":1}"#[..]));
        let Message::Response(response) = whole(Response::result(&id, &()).unwrap()) else { panic!() };
        assert_eq!(response.result_raw(), Some(&b"null"[..]));

        let error =
            ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no \"x\"\n").with_data(&json!([1, "é"])).unwrap();
        let Message::Response(response) = whole(Response::error(&id, &error)) else { panic!() };
        assert_eq!((response.id(), response.is_error(), response.result_raw()), (Some(id), true, None));
        assert!(matches!(response.outcome(), Outcome::Error(read) if read == error));
    }
    let error = ErrorObject::with_reason("closed", "closed");
    let Message::Response(response) = whole(Response::error_without_id(&error)) else { panic!() };
    assert_eq!(response.id(), None);
    assert!(matches!(response.outcome(), Outcome::Error(read) if read.reason().as_deref() == Some("closed")));
    assert_eq!(ErrorObject::with_reason("m", "a\"b\n").reason().as_deref(), Some("a\"b\n"));
    for code in [i64::MIN, -1, 0, i64::MAX] {
        let Message::Response(response) =
            whole(Response::error(&1.into(), &ErrorObject::new(ErrorCode(code), "")))
        else {
            panic!()
        };
        assert!(matches!(response.outcome(), Outcome::Error(read) if read.code().0 == code));
    }
}

#[test]
fn messages_of_any_size() {
    // Around the size at which a message is no longer copied out of the scratch.
    for len in [0, 1, 100, 65_000, 65_480, 65_535, 65_536, 65_537, 70_000, 131_072, 1_000_000] {
        let text = "x".repeat(len);
        let Message::Response(response) = whole(Response::result(&1.into(), &text).unwrap()) else {
            panic!()
        };
        assert_eq!(response.result_raw().unwrap().len(), len + 2);
    }
}

/// A value whose `Serialize` builds messages itself.
struct Builds;

impl Serialize for Builds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let inner = Request::with_params(2, "inner", &[1]).unwrap();
        String::from_utf8(inner.as_bytes().to_vec()).unwrap().serialize(serializer)
    }
}

#[test]
fn building_while_building() {
    let Message::Response(response) = whole(Response::result(&1.into(), &[Builds, Builds]).unwrap()) else {
        panic!()
    };
    let texts: Vec<String> = serde_json::from_slice(response.result_raw().unwrap()).unwrap();
    assert_eq!(texts[0], r#"{"jsonrpc":"2.0","id":2,"method":"inner","params":[1]}"#);
    assert_eq!(texts[0], texts[1]);
}

/// Thread locals end in some order, and an exchange that is dropped by one of them still answers.
#[test]
fn building_while_the_thread_ends() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            whole(Response::error(&1.into(), &ErrorObject::with_reason("m", "unanswered")));
        }
    }
    thread_local!(static LAST: Last = const { Last });
    for before in [true, false] {
        let thread = std::thread::spawn(move || {
            if before {
                LAST.with(|_| ());
            }
            whole(Request::new(1, "m"));
            LAST.with(|_| ());
        });
        thread.join().unwrap();
    }
}

proptest! {
    #![proptest_config(runs(1000))]

    #[test]
    fn any_json_text_is_carried(text in json(), id in any::<String>(), method in any::<String>()) {
        let json = Json::parse(text.clone()).unwrap();
        let line = text.replace(['\r', '\n'], " ");
        prop_assert_eq!(json.as_bytes(), line.trim_matches([' ', '\t']).as_bytes());
        let Message::Response(response) = whole(Response::json_result(&id.as_str().into(), &json)) else { panic!() };
        prop_assert_eq!(response.result_raw(), Some(json.as_bytes()));
        let echoed = response.id().unwrap();
        prop_assert_eq!(echoed.as_str().unwrap(), id.as_str());
        let Message::Notification(notification) =
            whole(Notification::with_params(&method, &[raw(&text)]).unwrap()) else { panic!() };
        prop_assert_eq!(notification.method(), method);
        prop_assert_eq!(notification.params_raw().unwrap(), [b"[", json.as_bytes(), b"]"].concat());
    }
}
