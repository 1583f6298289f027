//! An event stream read in chunks that are cut at random: the same cuts for everybody, also in the other languages.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures_util::{Stream, stream};
use mcp_http::proto::{Decoded, EventDecoder, EventLimits};
use sse_stream::SseByteStream;

use crate::{Outcome, time};

/// Bytes of the whole stream, about.
const STREAM: usize = 4 * 1024 * 1024;

pub fn rate(who: &str, data: usize, most: usize) -> Outcome<f64> {
    let event = [b"event: message\ndata: ", &*vec![b'x'; data], b"\n\n"].concat();
    let events = STREAM / event.len();
    let bytes = Bytes::from(event.repeat(events));
    let chunks = cut(&bytes, most);
    let total = (events, events * data);
    let read: fn(&[Bytes]) -> (usize, usize) = match who {
        "ours" => ours,
        "sse-stream" => |chunks| {
            let events = SseByteStream::new(given(chunks));
            drain(events, |event| event.data.map_or(0, |data| data.len()))
        },
        "eventsource-stream" => |chunks| drain(given(chunks).eventsource(), |event| event.data.len()),
        other => return Err(format!("nobody is {other}").into()),
    };
    if read(&chunks) != total {
        return Err(format!("{who} has read {:?}, not {total:?}", read(&chunks)).into());
    }
    Ok(bytes.len() as f64 / time(|| assert_eq!(read(&chunks), total)))
}

fn cut(bytes: &Bytes, most: usize) -> Vec<Bytes> {
    let (mut state, mut at, mut chunks) = (1u32, 0, Vec::new());
    while at < bytes.len() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let end = bytes.len().min(at + 1 + (state >> 8) as usize % most);
        chunks.push(bytes.slice(at..end));
        at = end;
    }
    chunks
}

fn ours(chunks: &[Bytes]) -> (usize, usize) {
    let (mut decoder, mut events, mut bytes) = (EventDecoder::new(EventLimits::default()), 0, 0);
    for chunk in chunks {
        decoder.push(chunk.clone());
        for decoded in &mut decoder {
            if let Decoded::Event(event) = decoded {
                events += 1;
                bytes += event.data.len();
            }
        }
    }
    (events, bytes)
}

fn given(chunks: &[Bytes]) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::iter(chunks.iter().cloned().map(Ok))
}

/// Events and bytes of a stream that never waits.
fn drain<T, E>(events: impl Stream<Item = Result<T, E>>, len: impl Fn(T) -> usize) -> (usize, usize) {
    let mut events = pin!(events);
    let (mut count, mut bytes) = (0, 0);
    while let Poll::Ready(Some(event)) = events.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
        if let Ok(event) = event {
            count += 1;
            bytes += len(event);
        }
    }
    (count, bytes)
}
