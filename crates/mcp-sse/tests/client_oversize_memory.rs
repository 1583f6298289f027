//! An event of two hundred megabytes: one test in a process of its own, because it looks at the most memory that process ever
//! held.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use mcp_jsonrpc::Fault;
use mcp_transport_core::{Caller, ErrorKind, Incoming, Limits, Options};

use scripted::{Scripted, within};

const LIMIT: usize = 4 << 20;
const PIECE: usize = 100_000;

/// The most that was resident ever, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn it_costs_its_call_and_nothing_else() {
    let mut server = Scripted::new().await;
    let options = Options::default().with_limits(Limits::default().with_max_message(LIMIT));
    let (mut endpoint, mut stream) = server.session_with(server.client().with_options(options)).await;
    let caller = Caller::new(&endpoint.sender);
    let call = |method: &'static str| {
        let caller = caller.clone();
        tokio::spawn(async move { caller.request(method, &()).await })
    };
    let piece = "x".repeat(PIECE);

    // First what every answer needs, in pieces of the same size.
    let small = call("small");
    let request = server.posted().await;
    let id = request.id();
    request.accept().await;
    stream.say(&format!("data: {{\"jsonrpc\":\"2.0\",\"result\":\"{piece}\",\"id\":{id}}}\n\n")).await;
    within("the first answer", small).await.unwrap().unwrap();

    // Below the bound, at it, one above, and far above.
    let before = peak();
    for (len, fits) in [(LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false), (200 << 20, false)] {
        let large = call("large");
        let request = server.posted().await;
        let id = request.id();
        request.accept().await;
        let (start, end) = (r#"{"jsonrpc":"2.0","result":""#, format!("\",\"id\":{id}}}"));
        let mut left = len - start.len() - end.len();
        stream.say(&format!("data: {start}")).await;
        while left > 0 {
            let some = left.min(PIECE);
            stream.say(&piece[..some]).await;
            left -= some;
        }
        stream.say(&format!("{end}\n\n")).await;
        match within("the answer", large).await.unwrap() {
            Ok(answer) => assert_eq!((answer.as_bytes().len(), fits), (len, true)),
            Err(error) => {
                assert_eq!((error.kind(), fits), (ErrorKind::Limit, false), "{len}: {error}");
                let Some(Incoming::Malformed(malformed, _)) = endpoint.receiver.recv().await else {
                    panic!()
                };
                assert_eq!((malformed.fault(), malformed.input_len()), (Fault::TooLarge, len as u64));
            }
        }
        let grown = peak() - before;
        eprintln!("{len} bytes: grown by {} KiB", grown / 1024);
        // The limit and a tenth, and for the allocator, the stack and the code half a megabyte.
        assert!(grown <= LIMIT + LIMIT / 10 + (1 << 19), "{len}: {grown}");
    }
}
