//! Event streams read in chunks of several sizes, and written: `cargo bench -p mcp-http`.

use bytes::{Bytes, BytesMut};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use mcp_http::proto::event_stream::encode_event;
use mcp_http::proto::{EventDecoder, EventLimits};

fn main() {
    divan::main();
}

/// About a megabyte of events with so much data.
fn stream(bytes: usize) -> Bytes {
    let event = [b"event: message\ndata: ", &*vec![b'x'; bytes], b"\n\n"].concat();
    event.repeat((1 << 20) / event.len()).into()
}

fn decode(bencher: Bencher<'_, '_>, bytes: usize, chunk: usize) {
    let stream = stream(bytes);
    bencher.counter(BytesCount::new(stream.len())).bench(|| {
        let (mut decoder, mut seen) = (EventDecoder::new(EventLimits::default()), 0);
        let mut rest = black_box(&stream).clone();
        while !rest.is_empty() {
            decoder.push(rest.split_to(chunk.min(rest.len())));
            seen += decoder.by_ref().count();
        }
        seen
    });
}

#[divan::bench(args = [100, 256, 8192, 65_536])]
fn decode_200_bytes_in_chunks(bencher: Bencher<'_, '_>, chunk: usize) {
    decode(bencher, 200, chunk);
}

#[divan::bench(args = [100, 256, 8192, 65_536])]
fn decode_64_kib_in_chunks(bencher: Bencher<'_, '_>, chunk: usize) {
    decode(bencher, 64 << 10, chunk);
}

#[divan::bench(args = [200, 65_536])]
fn encode(bencher: Bencher<'_, '_>, bytes: usize) {
    let data = vec![b'x'; bytes];
    let mut out = BytesMut::with_capacity(2 * bytes);
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        out.clear();
        encode_event(&mut out, None, None, black_box(&data));
        out.len()
    });
}
