//! Writes Rust values as compact JSON, to the byte as serde_json does.
//!
//! serde_json looks at a string byte by byte for what has to be escaped, which is most of the time that an answer with a
//! long text takes. This looks at words, and then at vectors. Whatever is rare is left to serde_json.

use serde::ser::{self, Error as _, Impossible, Serialize, Serializer};
use serde_json::Error;

use crate::scan::{MAX_DEPTH, Survey, next_stop, whole_value};

/// The names by which serde_json passes text through: `RawValue`, and `Number` with its feature `arbitrary_precision`.
const RAW: [&str; 2] = ["$serde_json::private::RawValue", "$serde_json::private::Number"];

/// Appends a value as it stands inside `open` containers, and says whether what was written is JSON for certain.
///
/// It is, unless a `Serialize` does what none should: swallows an error, leaves a bracket open, gives keys without
/// values. The text is to be scanned then.
pub(crate) fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T, open: u32) -> Result<bool, Error> {
    let mut page = Page { text: std::mem::take(out), open, sound: true };
    let written = value.serialize(Writer(&mut page));
    *out = page.text;
    written.map(|()| page.sound && page.open == open)
}

/// A text in the making.
struct Page {
    text: Vec<u8>,
    /// Containers that are open where it ends.
    open: u32,
    /// Whether nothing was seen that makes it doubtful that it is JSON.
    sound: bool,
}

impl Page {
    /// Text that stands for itself: one value, on one line.
    fn raw(&mut self, text: &str) {
        let breaks = whole_value(text.as_bytes(), self.open, MAX_DEPTH);
        self.sound &= breaks == Ok(false);
        self.text.extend_from_slice(text.as_bytes());
    }
}

/// Writes one value at the end of a page.
struct Writer<'a>(&'a mut Page);

/// What is inside of brackets that are open.
struct Inside<'a> {
    page: &'a mut Page,
    is_first: bool,
    /// A key of a map has no value yet.
    wants_value: bool,
    /// What closes it: a bracket for each level.
    close: &'static [u8],
}

impl<'a> Writer<'a> {
    fn open(self, open: &[u8], close: &'static [u8]) -> Result<Inside<'a>, Error> {
        let page = self.0;
        let levels = close.len() as u32; // one or two
        if page.open + levels > MAX_DEPTH {
            return Err(Error::custom("nested too deeply"));
        }
        page.open += levels;
        page.text.extend_from_slice(open);
        Ok(Inside { page, is_first: true, wants_value: false, close })
    }

    /// Opens an object with the name of a variant, and what that holds.
    fn open_variant(self, variant: &str, open: u8, close: &'static [u8]) -> Result<Inside<'a>, Error> {
        let inside = self.open(b"{", close)?;
        write_string(&mut inside.page.text, variant);
        inside.page.text.extend_from_slice(&[b':', open]);
        Ok(inside)
    }

    /// What serde_json makes of a number.
    fn like_serde_json<T: Serialize>(self, number: T) -> Result<(), Error> {
        serde_json::to_writer(&mut self.0.text, &number)
    }

    fn text(self, text: &[u8]) -> Result<(), Error> {
        self.0.text.extend_from_slice(text);
        Ok(())
    }

    fn unsigned(self, number: u64) -> Result<(), Error> {
        write_digits(&mut self.0.text, number);
        Ok(())
    }

    fn signed(self, number: i64) -> Result<(), Error> {
        if number < 0 {
            self.0.text.push(b'-');
        }
        self.unsigned(number.unsigned_abs())
    }
}

impl Inside<'_> {
    /// A comma, but before the first.
    fn next(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.page.text.push(b',');
        }
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let written = value.serialize(Writer(self.page));
        // Whoever goes on after an error leaves half a value behind.
        self.page.sound &= written.is_ok();
        written
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.next();
        self.value(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        self.next();
        write_string(&mut self.page.text, key);
        self.page.text.push(b':');
        self.value(value)
    }

    fn close(self) -> Result<(), Error> {
        self.page.open -= self.close.len() as u32;
        self.page.sound &= !self.wants_value;
        self.page.text.extend_from_slice(self.close);
        Ok(())
    }
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Inside<'a>;
    type SerializeTuple = Inside<'a>;
    type SerializeTupleStruct = Inside<'a>;
    type SerializeTupleVariant = Inside<'a>;
    type SerializeMap = Inside<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Inside<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.text(if value { b"true" } else { b"false" })
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.signed(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.signed(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.signed(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.signed(value)
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.like_serde_json(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.unsigned(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.unsigned(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.unsigned(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.unsigned(value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        self.like_serde_json(value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.like_serde_json(value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.like_serde_json(value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        write_string(&mut self.0.text, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.text(b"null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = self.open(b"{", b"}")?;
        object.field(variant, value)?;
        object.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Inside<'a>, Error> {
        self.open(b"[", b"]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Inside<'a>, Error> {
        self.open(b"[", b"]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Inside<'a>, Error> {
        self.open(b"[", b"]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a>, Error> {
        self.open_variant(variant, b'[', b"]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Inside<'a>, Error> {
        self.open(b"{", b"}")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>, Error> {
        if RAW.contains(&name) {
            return Ok(Fields::Raw { page: self.0, is_there: false });
        }
        self.open(b"{", b"}").map(Fields::Object)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a>, Error> {
        self.open_variant(variant, b'{', b"}}")
    }
}

/// The four traits of what is written as an array.
macro_rules! array {
    ($($shape:ident::$element:ident),*) => {$(
        impl ser::$shape for Inside<'_> {
            type Ok = ();
            type Error = Error;

            fn $element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

array! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
}

impl ser::SerializeMap for Inside<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.next();
        self.page.sound &= !std::mem::replace(&mut self.wants_value, true);
        let written = write_key(self.page, key);
        self.page.text.push(b':');
        self.page.sound &= written.is_ok();
        written
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.page.sound &= std::mem::take(&mut self.wants_value);
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Inside<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

/// The fields of a struct.
enum Fields<'a> {
    Object(Inside<'a>),
    /// One, which is text that stands for itself.
    Raw {
        page: &'a mut Page,
        is_there: bool,
    },
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        match self {
            Self::Object(object) => object.field(key, value),
            Self::Raw { page, is_there } => {
                page.sound &= !std::mem::replace(is_there, true);
                let written = value.serialize(Text(|text: &str| page.raw(text)));
                page.sound &= written.is_ok();
                written
            }
        }
    }

    fn end(self) -> Result<(), Error> {
        match self {
            Self::Object(object) => object.close(),
            Self::Raw { page, is_there } => {
                page.sound &= is_there;
                Ok(())
            }
        }
    }
}

/// Takes a string, and nothing else.
struct Text<F>(F);

fn no_text<T>() -> Result<T, Error> {
    Err(Error::custom("no text"))
}

/// Everything but a string.
macro_rules! no_text {
    ($($method:ident($($argument:ty),*);)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<(), Error> {
            no_text()
        }
    )*};
}

impl<F: FnOnce(&str)> Serializer for Text<F> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        (self.0)(value);
        Ok(())
    }

    no_text! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Error> {
        no_text()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<(), Error> {
        no_text()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        no_text()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        no_text()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        no_text()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        no_text()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        no_text()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        no_text()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        no_text()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        no_text()
    }
}

/// A map of one key, by which serde_json says how it writes one that is no string.
struct OneKey<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Serialize for OneKey<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, ())])
    }
}

fn write_key<T: Serialize + ?Sized>(page: &mut Page, key: &T) -> Result<(), Error> {
    let start = page.text.len();
    if key.serialize(Text(|text: &str| write_string(&mut page.text, text))).is_ok() {
        return Ok(());
    }
    page.text.truncate(start);
    let map = serde_json::to_vec(&OneKey(key))?;
    let key = map.strip_prefix(b"{").and_then(|map| map.strip_suffix(b":null}"));
    page.sound &= key.is_some();
    page.text.extend_from_slice(key.unwrap_or_default());
    Ok(())
}

fn write_digits(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Room for the quotes of a string and for what closes a message behind it: a long one is not moved for that.
const AROUND: usize = 64;

/// A string in quotes, with what has to be escaped.
fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text.as_bytes();
    let survey = Survey::for_strings(rest);
    out.reserve(rest.len() + AROUND);
    out.push(b'"');
    loop {
        let (plain, behind) = rest.split_at(next_stop(rest, survey));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = behind.split_first() else { break };
        rest = behind;
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                let [high, low] = [byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
}
