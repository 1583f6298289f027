//! Headers that repeat parameters of a tool: written by the client, checked by the server.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use mcp_jsonrpc::Object;

use super::body;
use super::judge::{Refused, one};
use super::mirror::{decode_value, encode_value};

/// The largest integer, on either side of 0, that every reader of JSON takes exactly: 2^53 - 1.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Who knows which parameters of a tool are repeated in headers.
pub trait ToolParameters: Send + Sync {
    /// Those of one tool; `None` when the tool is not known, and then no header is looked at or written.
    fn parameters(&self, tool: &str) -> Option<Arc<[ParameterHeader]>>;
}

/// One parameter of a tool, and the header that repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterHeader {
    pub(super) name: HeaderName,
    pub(super) path: Box<[Box<str>]>,
    pub(super) kind: ParameterKind,
}

/// What a schema says a parameter is. A header is written and checked by what the argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// `string`
    Text,
    /// `integer`
    Integer,
    /// `boolean`
    Boolean,
}

impl ParameterHeader {
    /// The header: `mcp-param-` and the name in the schema.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The keys that lead from the arguments to the parameter; at least one.
    pub fn path(&self) -> impl Iterator<Item = &str> {
        self.path.iter().map(|key| &**key)
    }

    /// What the schema says it is.
    pub fn kind(&self) -> ParameterKind {
        self.kind
    }

    /// The argument as it is written in JSON; `None` when it is null, or nothing stands there.
    fn argument<'a>(&self, arguments: Option<Object<'a>>) -> Option<&'a [u8]> {
        let (last, first) = self.path.split_last()?;
        let inner = first.iter().try_fold(arguments?, |object, key| object.get(key).and_then(Object::new));
        inner?.get(last).filter(|value| *value != b"null")
    }
}

/// The `Mcp-Param-*` headers of a call; `arguments` is the text of `params.arguments`.
///
/// Strings are written as [`encode_value`] does, integers in decimal, booleans as `true` and `false`. A parameter that
/// is null or absent has no header, and neither has one that cannot be in a header: an integer beyond 2^53 - 1 on
/// either side of 0, a number with a fraction, an array, an object, a string with a lone surrogate.
///
/// # Spec
///
/// MCP 2026-07-28, transports, Streamable HTTP, Value Encoding and Client Behavior.
pub fn parameter_headers(parameters: &[ParameterHeader], arguments: Option<&[u8]>) -> HeaderMap {
    let arguments = arguments.and_then(Object::new);
    let mut headers = HeaderMap::new();
    for parameter in parameters {
        if let Some(text) = parameter.argument(arguments).and_then(written) {
            headers.insert(&parameter.name, encode_value(&text));
        }
    }
    headers
}

/// Checks the `Mcp-Param-*` headers of a call; `arguments` is the text of `params.arguments`.
///
/// Headers that belong to none of the parameters are not looked at. Integers are compared as numbers, and everything
/// else character by character.
///
/// # Errors
///
/// [`Refused`] with 400 and -32020, naming the header: when it stands there twice, cannot be read, is missing although
/// there is an argument, is there although there is none, or says something else.
///
/// # Spec
///
/// MCP 2026-07-28, transports, Streamable HTTP, Server Behavior for Custom Headers and Server Validation.
pub fn check_parameters(
    parameters: &[ParameterHeader],
    arguments: Option<&[u8]>,
    headers: &HeaderMap,
) -> Result<(), Refused> {
    let arguments = arguments.and_then(Object::new);
    for parameter in parameters {
        let refused = |problem: &str| Refused::header(&format!("{} {problem}", parameter.name));
        let value = one(headers, &parameter.name, &format!("more than one {} header", parameter.name))?;
        match (parameter.argument(arguments), value) {
            (None, None) => {}
            (None, Some(_)) => return Err(refused("repeats an argument that is not there")),
            (Some(_), None) => return Err(refused("is missing")),
            (Some(argument), Some(value)) => {
                let found = decode_value(value).map_err(|problem| refused(&problem.to_string()))?;
                if !says(&found, argument) {
                    return Err(refused("does not say what the body says"));
                }
            }
        }
    }
    Ok(())
}

/// An argument as a client writes it into a header.
fn written(argument: &[u8]) -> Option<Cow<'_, str>> {
    match argument {
        b"true" => Some("true".into()),
        b"false" => Some("false".into()),
        [b'"', ..] => body::text(argument),
        _ => integer(argument).map(|number| number.to_string().into()),
    }
}

/// Whether a header's value repeats an argument.
fn says(found: &str, argument: &[u8]) -> bool {
    match argument {
        [b'"', ..] => body::text(argument).is_some_and(|text| text == found),
        [b'{' | b'[', ..] => false,
        _ if found.as_bytes() == argument => true,
        _ => integer(argument).is_some_and(|number| integer(found.as_bytes()) == Some(number)),
    }
}

/// The integer that a JSON number is, exactly; `None` when it has a fraction or is beyond [`MAX_INTEGER`].
fn integer(text: &[u8]) -> Option<i64> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mantissa, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (rest.get(..at)?, power(rest.get(at + 1..)?)?),
        None => (rest, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (mantissa.get(..at)?, Some(mantissa.get(at + 1..)?)),
        None => (mantissa, None),
    };
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let grammar =
        digits(whole) && fraction.is_none_or(digits) && (whole.len() == 1 || whole.first() != Some(&b'0'));
    if !grammar {
        return None;
    }
    let fraction = fraction.unwrap_or_default();
    // The number is `0.significant` times ten to the `point`.
    let all = whole.iter().chain(fraction);
    let zeros = all.clone().take_while(|&&digit| digit == b'0').count();
    let after = all.clone().rev().take_while(|&&digit| digit == b'0').count();
    let length = whole.len() + fraction.len();
    if zeros == length {
        return Some(0);
    }
    let point =
        i64::try_from(whole.len()).ok()?.checked_add(exponent)?.checked_sub(i64::try_from(zeros).ok()?)?;
    let significant = length - zeros - after;
    // 2^53 - 1 has 16 digits.
    let point = usize::try_from(point).ok().filter(|&point| significant <= point && point <= 16)?;
    let digits = all.skip(zeros).map(|&digit| digit - b'0').chain(std::iter::repeat(0)).take(point);
    let number = digits.fold(0_u64, |number, digit| number * 10 + u64::from(digit));
    let number = i64::try_from(number).ok().filter(|_| number <= MAX_INTEGER)?;
    Some(if negative { -number } else { number })
}

/// An exponent: a sign, if any, and digits.
fn power(text: &[u8]) -> Option<i64> {
    let digits = match text {
        [b'+' | b'-', rest @ ..] => rest,
        rest => rest,
    };
    let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if valid { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}
