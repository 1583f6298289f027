//! The table of single messages: what goes in, what is expected.
//!
//! Each theme has its file.

#![allow(dead_code, reason = "each test program takes what it needs")]

mod ids;
mod keys;
mod members;
mod scalars;
mod specification;
mod texts;

use mcp_jsonrpc::{Fault, Form};

/// What an input must turn out to be; ids, params and results as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Message { kind: &'static str, id: Option<String>, method: Option<String>, body: Option<String> },
    Malformed { fault: Fault, id: Option<String>, form: Form },
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) text: Vec<u8>,
    pub(crate) want: Want,
}

/// An envelope with these members behind its version.
pub(crate) fn envelope(members: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0",{members}}}"#)
}

fn owned(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn good(kind: &'static str, text: impl AsRef<[u8]>, id: &str, method: &str, body: &str) -> Case {
    let method = (kind == "request" || kind == "notification").then(|| method.to_owned());
    let want = Want::Message { kind, id: owned(id), method, body: owned(body) };
    Case { text: text.as_ref().to_vec(), want }
}

fn request(members: &str, id: &str, method: &str, params: &str) -> Case {
    good("request", envelope(members), id, method, params)
}

fn notification(members: &str, method: &str, params: &str) -> Case {
    good("notification", envelope(members), "", method, params)
}

fn result(members: &str, id: &str, result: &str) -> Case {
    good("result", envelope(members), id, "", result)
}

fn error(members: &str, id: &str, error: &str) -> Case {
    good("error", envelope(members), id, "", error)
}

fn bad(text: impl AsRef<[u8]>, fault: Fault, id: &str, form: Form) -> Case {
    Case { text: text.as_ref().to_vec(), want: Want::Malformed { fault, id: owned(id), form } }
}

fn refused(members: &str, fault: Fault, id: &str, form: Form) -> Case {
    bad(envelope(members), fault, id, form)
}

pub(crate) fn cases() -> Vec<Case> {
    let groups = [
        specification::specification(),
        keys::versions(),
        keys::keys(),
        ids::ids(),
        keys::duplicates(),
        keys::kinds(),
        members::methods(),
        members::params(),
        members::errors(),
        scalars::surrogates(),
        texts::depths(),
        texts::texts(),
        scalars::numbers(),
        scalars::strings(),
    ];
    groups.concat()
}
