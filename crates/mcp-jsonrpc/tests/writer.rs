//! What is built from Rust values is what serde_json makes of them, to the byte.
#![allow(clippy::unwrap_used, reason = "what fails here is to be seen")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use mcp_jsonrpc::Json;
use proptest::prelude::*;
use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTupleStruct,
    SerializeTupleVariant, Serializer,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Both say the same, or both say no.
fn same<T: Serialize + ?Sized + Debug>(value: &T) {
    let theirs = serde_json::to_vec(value).ok();
    let ours = Json::new(value).ok();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(ours.map(|ours| text(ours.as_bytes())), theirs.map(|theirs| text(&theirs)), "{value:?}");
}

#[test]
fn numbers() {
    for number in [0, 1, 9, 10, 99, 100, i64::MAX, i64::MIN, -1, -10] {
        same(&number);
        same(&(number as u64));
        same(&(number as i32));
        same(&(number as u32));
        same(&(number as i16));
        same(&(number as u16));
        same(&(number as i8));
        same(&(number as u8));
        same(&(i128::from(number) * i128::from(i64::MAX)));
    }
    same(&u128::MAX);
    for number in [0.0, -0.0, 1.0, 1e2, 0.1, 1e300, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY] {
        same(&number);
        same(&(number as f32));
    }
    let text = "123456789012345678901234567890.0e5";
    same(&serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn strings_of_every_length_with_every_character() {
    for character in (0..0x300).filter_map(char::from_u32).chain(['\u{2028}', '\u{ffff}', '😀']) {
        same(&character);
        for before in (0..20).chain([63, 64, 65, 71, 72, 73, 255, 256, 257, 300, 1000]) {
            for after in [0, 1, 7, 8, 9, 64, 300] {
                let text = format!("{}{character}{}", "x".repeat(before), "y".repeat(after));
                assert_eq!(
                    Json::new(&text).unwrap().as_bytes(),
                    serde_json::to_vec(&text).unwrap(),
                    "{character:?} {before} {after}"
                );
            }
        }
    }
}

/// The same as a key, of which there may be clones.
#[derive(Debug, Clone)]
struct OddKey(u8);

impl Serialize for OddKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Odd(self.0).serialize(serializer)
    }
}

/// Says each thing that serde's data model has and that JSON's has not.
#[derive(Debug)]
struct Odd(u8);

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_bytes(b"a\0\xff"),
            1 => serializer.serialize_unit_struct("Unit"),
            2 => serializer.serialize_unit_variant("Enum", 0, "va\"riant"),
            3 => serializer.serialize_newtype_struct("New", &vec![1, 2]),
            4 => serializer.serialize_newtype_variant("Enum", 1, "new", &"x"),
            5 => {
                let mut tuple = serializer.serialize_tuple_struct("Tuple", 2)?;
                tuple.serialize_field(&1)?;
                tuple.serialize_field(&())?;
                tuple.end()
            }
            6 => {
                let mut variant = serializer.serialize_tuple_variant("Enum", 2, "tuple", 2)?;
                variant.serialize_field("a")?;
                variant.serialize_field(&Odd(4))?;
                variant.end()
            }
            7 => serializer.serialize_tuple_variant("Enum", 2, "empty", 0)?.end(),
            8 => {
                let mut variant = serializer.serialize_struct_variant("Enum", 3, "struct", 1)?;
                variant.serialize_field("field", &Odd(6))?;
                variant.end()
            }
            9 => serializer.serialize_some(&Some(Option::<u8>::None)),
            10 => serializer.collect_str(&format_args!("{}\n", 1)),
            11 => serializer.serialize_struct_variant("Enum", 3, "struct", 0)?.end(),
            12 => Err(serde::ser::Error::custom("will not")),
            _ => serializer.collect_seq([Odd(0), Odd(2), Odd(8)]),
        }
    }
}

#[test]
fn every_shape() {
    (0..14).map(Odd).for_each(|odd| same(&odd));
    same(&(1, "a", [true, false], ()));
    same(&Vec::<u8>::new());
    same(&BTreeMap::<String, u8>::new());
    same(&json!({ "a": [{}, [], null, { "b": { "c": [[[]]] } }] }));
}

#[test]
fn keys_that_are_no_strings() {
    fn map<K: Serialize + Debug + Clone>(keys: &[K]) {
        #[derive(Debug)]
        struct Map<'a, K>(&'a [K]);
        impl<K: Serialize> Serialize for Map<'_, K> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|key| (key, 1)))
            }
        }
        same(&Map(keys));
    }
    map(&[1, -1, i64::MAX]);
    map(&[u128::MAX]);
    map(&[true, false]);
    map(&['a', '"']);
    map(&[1.5, 1e300]);
    map(&[f64::NAN]);
    map(&[()]);
    map(&[Some(1)]);
    map(&[Some("a")]);
    map(&[vec![1]]);
    map(&["a\nb"]);
    for odd in [2, 3, 4, 9, 10, 12] {
        map(&[OddKey(odd)]);
    }
}

#[test]
fn text_that_stands_for_itself() {
    for text in ["1e2", " { \"a\" : 1 } ", "\"\\u0041\"", "[1,\n2]"] {
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let ours = Json::new(&[&raw]).unwrap();
        let theirs = serde_json::to_string(&[&raw]).unwrap().replace('\n', " ");
        assert_eq!(String::from_utf8_lossy(ours.as_bytes()), theirs);
    }
}

/// Fails, some of them with half a value written.
struct Failing(u8);

impl Serialize for Failing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => {}
            1 => serializer.serialize_seq(None)?.serialize_element(&1)?,
            2 => serializer.serialize_map(None)?.serialize_key("a")?,
            3 => drop(serializer.serialize_str("a")?),
            _ => serializer.serialize_struct("a", 1)?.serialize_field("a", &Failing(0))?,
        }
        Err(S::Error::custom("on purpose"))
    }
}

/// Does what no `Serialize` should, and says that all is well.
struct Wrong(u8);

impl Serialize for Wrong {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            // Swallows the error of an element.
            how @ 0..5 => {
                let mut seq = serializer.serialize_seq(None)?;
                let _ = seq.serialize_element(&Failing(how));
                seq.end()
            }
            // Of a value, and of a key.
            how @ 5..10 => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_key("a")?;
                let _ = map.serialize_value(&Failing(how - 5));
                map.end()
            }
            how @ 10..15 => {
                let mut map = serializer.serialize_map(None)?;
                let _ = map.serialize_key(&Failing(how - 10));
                map.serialize_value(&1)?;
                map.end()
            }
            // Of a field.
            how @ 15..20 => {
                let mut object = serializer.serialize_struct("a", 1)?;
                let _ = object.serialize_field("a", &Failing(how - 15));
                object.end()
            }
            // Gives keys without values, and values without keys.
            20 => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_key("a")?;
                map.end()
            }
            21 => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_key("a")?;
                map.serialize_key("b")?;
                map.serialize_value(&1)?;
                map.end()
            }
            22 => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_value(&1)?;
                map.end()
            }
            // Passes text through that is no JSON, and none at all.
            23..26 => {
                let text = ["{", "", "1 2"][usize::from(self.0 - 23)];
                let mut raw = serializer.serialize_struct("$serde_json::private::RawValue", 1)?;
                raw.serialize_field("$serde_json::private::RawValue", text)?;
                raw.end()
            }
            26 => serializer.serialize_struct("$serde_json::private::RawValue", 0)?.end(),
            // Two texts, of which each is JSON.
            27 => {
                let mut raw = serializer.serialize_struct("$serde_json::private::RawValue", 2)?;
                raw.serialize_field("$serde_json::private::RawValue", "[1]")?;
                raw.serialize_field("$serde_json::private::RawValue", "[2]")?;
                raw.end()
            }
            // No text, and the error swallowed.
            _ => {
                let mut raw = serializer.serialize_struct("$serde_json::private::RawValue", 1)?;
                let _ = raw.serialize_field("$serde_json::private::RawValue", &1);
                raw.end()
            }
        }
    }
}

#[test]
fn what_a_wrong_serialize_leaves_behind_is_no_message() {
    for how in 0..29 {
        for inside in [false, true] {
            let text = match inside {
                false => Json::new(&Wrong(how)),
                true => Json::new(&(1, Wrong(how), "more")),
            };
            // Some of them make JSON of a kind; none of them makes what is none.
            if let Ok(text) = text {
                let read = serde_json::from_slice::<Value>(text.as_bytes());
                assert!(read.is_ok(), "{how} {inside}: {:?}", String::from_utf8_lossy(text.as_bytes()));
            }
        }
    }
}

#[test]
fn text_that_stands_for_itself_is_looked_at_with_its_depth() {
    let deep = |levels: usize| {
        RawValue::from_string(format!("{}{}", "[".repeat(levels), "]".repeat(levels))).unwrap()
    };
    // One level is the message's, and one the tuple's.
    assert!(Json::new(&(deep(126),)).is_ok());
    assert!(Json::new(&(deep(127),)).is_err());
    let broken = RawValue::from_string("[1,\n2]".to_owned()).unwrap();
    assert_eq!(Json::new(&("a\n", broken)).unwrap().as_bytes(), br#"["a\n",[1, 2]]"#);
}

#[test]
fn nesting_has_its_bound() {
    let deep = |levels: usize| (1..levels).fold(json!([]), |inside, _| json!([inside]));
    // One is the envelope.
    assert!(Json::new(&deep(127)).is_ok());
    assert!(Json::new(&deep(128)).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~\\n\\t\"\\\\\u{0}-\u{1f}]{0,400}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inside| {
        prop_oneof![
            prop::collection::vec(inside.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inside), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value(value in value()) {
        same(&value);
    }
}
