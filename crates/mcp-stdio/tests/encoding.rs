//! What the codec writes: one message, one line.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use mcp_jsonrpc::{Message, ScanLimits};
use mcp_stdio::proto::LineCodec;
use mcp_transport_core::{ByteWire, Codec, Frame, Wire};
use proptest::prelude::*;
use tokio::io::AsyncWrite;

/// Keeps what is written, and takes a few bytes at a time.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl AsyncWrite for Written {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = &bytes[..bytes.len().min(7)];
        self.0.lock().unwrap().extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What is written for these messages, in order.
fn written(messages: impl IntoIterator<Item = Message>) -> Vec<u8> {
    let written = Written::default();
    let mut wire = ByteWire::new(tokio::io::empty(), written.clone(), LineCodec::new(1 << 20));
    let cx = &mut Context::from_waker(Waker::noop());
    for message in messages {
        assert!(matches!(wire.poll_ready(cx), Poll::Ready(Ok(()))));
        wire.start_send(message.one_line()).unwrap();
    }
    assert!(matches!(wire.poll_flush(cx), Poll::Ready(Ok(()))));
    let bytes = written.0.lock().unwrap();
    bytes.clone()
}

fn parse(text: impl Into<Bytes>) -> Message {
    Message::parse(text, &ScanLimits::default()).unwrap()
}

/// The lines of an output, which has to end with a line feed.
fn lines(output: &[u8]) -> Vec<Frame> {
    assert!(output.last().is_none_or(|byte| *byte == b'\n'));
    let mut codec = LineCodec::new(1 << 20);
    let mut read = BytesMut::from(output);
    std::iter::from_fn(|| codec.decode(&mut read, false)).collect()
}

/// Between tokens: nothing, blanks, and raw line breaks.
fn blank() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", " ", "\n", "\r\n", "\r", "\t\n \r"])
}

/// A message with anything between its tokens, and pieces long enough to be written from where they are.
fn message() -> impl Strategy<Value = String> {
    let string = prop::sample::select(vec![
        "\"\"".to_owned(),
        r#""\n\r\u000a \" \\""#.to_owned(),
        "\"\u{2028}\u{85}\"".to_owned(),
        format!("\"{}\"", "long ".repeat(5_000)),
    ]);
    let value =
        (string, blank(), blank()).prop_map(|(s, a, b)| format!("{{{a}\"k\"{b}:{a}[{b}{s}{a},1e2{b}]{a}}}"));
    let body = (value, 0..4u8).prop_map(|(value, kind)| match kind {
        0 => format!("\"method\":\"m\",\"id\":1,\"params\":{value}"),
        1 => format!("\"method\":\"m\",\"params\":{value}"),
        2 => format!("\"id\":1,\"result\":{value}"),
        _ => format!("\"error\":{{\"code\":1,\"message\":\"\",\"data\":{value}}},\"id\":1"),
    });
    (blank(), blank(), body, blank())
        .prop_map(|(a, b, body, c)| format!("{a}{{{b}\"jsonrpc\"{a}:{b}\"2.0\"{c},{b}{body}{a}}}{c}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_message_is_one_line_and_comes_back(texts in prop::collection::vec(message(), 0..5)) {
        let output = written(texts.iter().map(|text| parse(text.clone())));
        let frames = lines(&output);
        prop_assert_eq!(frames.len(), texts.len());
        for (frame, text) in frames.into_iter().zip(&texts) {
            let Frame::Text(line) = frame else { panic!() };
            // Line breaks are spaces now, and that is all; a carriage return at the very end is not cut off.
            let expected = text.replace(['\n', '\r'], " ");
            prop_assert_eq!(&line[..], expected.as_bytes());
            let (was, is) = (parse(text.clone()), parse(line));
            prop_assert_eq!(was.kind(), is.kind());
            prop_assert_eq!((was.id(), was.method()), (is.id(), is.method()));
        }
    }
}

#[test]
fn nothing_is_put_around_a_message() {
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(written([parse(ping), parse(ping)]), format!("{ping}\n{ping}\n").as_bytes());
}
