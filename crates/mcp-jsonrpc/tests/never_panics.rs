//! Any bytes at all, into everything that takes bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod corpus;
mod generated;

use generated::{change, envelope, runs};
use mcp_jsonrpc::{Batch, Id, Json, Message, Object, Outcome, Salvage, ScanLimits};
use proptest::prelude::*;

/// Calls everything, and everything on what comes out.
fn feed(bytes: &[u8]) {
    let mut tight = ScanLimits::default().with_max_depth(3);
    tight.max_id_bytes = 4;
    tight.max_batch = 2;
    for limits in [ScanLimits::default(), tight] {
        match Message::parse(bytes.to_vec(), &limits) {
            Ok(message) => touch(message),
            Err(malformed) => {
                let _ = (malformed.answer(), format!("{malformed:?} {malformed}"));
            }
        }
        if let Ok(batch) = Batch::parse(bytes.to_vec(), &limits) {
            let good: Vec<Message> = batch.messages().filter_map(Result::ok).collect();
            good.iter().cloned().for_each(touch);
            let count = good.len();
            assert!(
                count == 0
                    || Batch::parse(Batch::join(good), &limits).is_ok_and(|batch| batch.len() == count)
            );
        }
    }
    let mut salvage = Salvage::new();
    for piece in bytes.chunks(5) {
        salvage.push(piece);
        let _ = format!("{salvage:?}");
    }
    salvage.push(bytes);
    let _ = salvage.finish();
    if let Some(object) = Object::new(bytes) {
        let _ = (object.get("id"), object.get(""), object.get("é"), format!("{object:?}"));
    }
    if let Ok(json) = Json::parse(bytes.to_vec()) {
        let _ = (json.decode::<serde_json::Value>(), json.decode::<String>(), format!("{json:?}"));
    }
    if let Some(id) = Id::from_json(bytes) {
        assert_eq!(id.as_json(), bytes);
        assert!(
            id.as_str().is_some()
                != (id.to_string().starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']))
        );
    }
}

fn touch(message: Message) {
    let _ = format!("{message:?} {:?} {:?} {}", message.method(), message.id(), message.kind());
    match &message {
        Message::Request(request) => {
            let _ = (request.params::<serde_json::Value>(), request.with_id(&Id::from("x")));
        }
        Message::Notification(notification) => {
            let _ = notification.params::<Vec<u8>>();
        }
        Message::Response(response) => {
            let other = response.with_id(&Id::from(i64::MIN));
            if let Outcome::Error(error) = other.outcome() {
                let _ = (error.reason(), format!("{error:?} {error}"));
            }
        }
    }
    let len = message.len();
    assert_eq!(message.detached().into_line().len(), len);
}

#[test]
fn the_corpus() {
    for text in corpus::VALID.iter().chain(corpus::INVALID) {
        feed(text);
        feed(&[b"[", *text, b"]"].concat());
        feed(&[b"{\"id\":", *text, b"}"].concat());
    }
}

/// Every text of up to four bytes out of those that mean something.
#[test]
fn every_short_text() {
    let bytes = b"{}[]\",:\\1-.e n\n\x00\xff";
    let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
    for _ in 0..3 {
        let longer =
            texts.iter().flat_map(|text| bytes.iter().map(|&byte| [&text[..], &[byte]].concat())).collect();
        texts = longer;
        texts.iter().for_each(|text| feed(text));
    }
}

proptest! {
    #![proptest_config(runs(2000))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        feed(&bytes);
    }

    #[test]
    fn any_tokens(
        bytes in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\u0123456789abcdef-+.eEtrufalsn \n\r\t\x00\x1f\x7f\x80\xc3\xa9\xff"[..]), 0..120),
    ) {
        feed(&bytes);
    }
}

proptest! {
    #![proptest_config(runs(1000))]

    #[test]
    fn almost_messages(text in envelope(), changes in prop::collection::vec(change(), 0..5)) {
        let mut text = text.into_bytes();
        changes.iter().for_each(|change| change.apply(&mut text));
        feed(&text);
        feed(&[b"[", &text[..], b",", &text[..], b"]"].concat());
    }
}
