//! A server in the smallest: sends back each line of stdin.
//!
//! Shows that stray output of a handler cannot reach the peer: a `println!`, and a child that
//! inherits stdin and stdout.
//! The tests of the crate run it with every kind of stdin and stdout; words on the command line
//! add what they need, and what it has to say about itself goes to stderr.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::process::Command;
use std::time::Duration;

use mcp_stdio::io::OwnStdio;
use tokio::io::{AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word| words.iter().any(|given| given == word);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let own = OwnStdio::take()?;
        let (input, output) = own.describe();
        eprintln!("ways: {input:?} {output:?}");
        if has("again")
            && let Err(error) = OwnStdio::take()
        {
            eprintln!("again: {:?}", error.kind());
        }
        if has("ticker") {
            // Something that never ends, as servers have.
            tokio::spawn(async {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
        if has("child") {
            // Would eat the input and answer in our place, could it reach them.
            let status = Command::new("sh").args(["-c", "cat; echo stray"]).status()?;
            eprintln!("child: {status}");
        }
        stray();
        let (reader, mut writer) = own.split();
        if has("flood") {
            return flood(&mut writer).await;
        }
        let mut lines = BufReader::new(reader).lines();
        while let Some(line) = lines.next_line().await? {
            writer.write_all(line.as_bytes()).await?;
            writer.write_all(b"\n").await?;
            writer.flush().await?;
        }
        writer.shutdown().await?;
        eprintln!("end");
        Ok(())
    })
}

#[allow(clippy::print_stdout, reason = "the mistake that the guard is for")]
fn stray() {
    println!("stray print");
}

/// Writes numbered lines until the peer has gone, or 100,000.
async fn flood(writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut written = Ok(());
    for number in 0..100_000 {
        let line = format!("{number:07}\n");
        written = writer.write_all(line.as_bytes()).await;
        if written.is_err() {
            break;
        }
    }
    let shut = poll_fn(|cx| Pin::new(&mut *writer).poll_shutdown(cx)).await;
    match written.and(shut) {
        Ok(()) => eprintln!("flood: all"),
        Err(error) => eprintln!("flood: {:?}", error.kind()),
    }
    Ok(())
}
