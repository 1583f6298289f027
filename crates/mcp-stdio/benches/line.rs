//! Lines read and written: `cargo bench -p mcp-stdio`.

use bytes::{Bytes, BytesMut};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use mcp_stdio::proto::LineCodec;
use mcp_transport_core::{Codec, Outbox};

const MAX_LINE: usize = 16 << 20;

fn main() {
    divan::main();
}

/// So many lines in one read.
#[divan::bench(args = [(150, 400), (65_536, 1)])]
fn decode(bencher: Bencher<'_, '_>, (bytes, lines): (usize, usize)) {
    let read = [&*vec![b'x'; bytes], b"\n"].concat().repeat(lines);
    bencher.counter(BytesCount::new(read.len())).with_inputs(|| BytesMut::from(&*read)).bench_values(
        |mut read| {
            let (mut codec, mut seen) = (LineCodec::new(MAX_LINE), 0);
            while codec.decode(&mut read, false).is_some() {
                seen += 1;
            }
            seen
        },
    );
}

/// A line that comes in reads of 64 KiB: the search goes on where it stopped.
#[divan::bench]
fn decode_1_mib_in_pieces(bencher: Bencher<'_, '_>) {
    let line = [&*vec![b'x'; 1 << 20], b"\n"].concat();
    bencher.counter(BytesCount::new(line.len())).bench(|| {
        let (mut codec, mut read) = (LineCodec::new(MAX_LINE), BytesMut::new());
        let mut frame = None;
        for piece in black_box(&line).chunks(64 << 10) {
            read.extend_from_slice(piece);
            frame = codec.decode(&mut read, false);
        }
        frame
    });
}

#[divan::bench(args = [150, 65_536])]
fn encode(bencher: Bencher<'_, '_>, bytes: usize) {
    let line = Bytes::from(vec![b'x'; bytes]);
    bencher.counter(BytesCount::new(bytes)).bench(|| {
        let (mut codec, mut out) = (LineCodec::new(MAX_LINE), Outbox::default());
        codec.encode(black_box(&line).clone(), &mut out);
        out
    });
}
