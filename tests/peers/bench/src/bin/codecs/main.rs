//! Codecs of ours beside those of others, in one process.
//!
//! Each line of stdin is a job, and the answer is one line on stdout with one number:
//! `parse WHO MESSAGE` is seconds for one message (messages.rs), `events WHO BYTES CHUNK` is bytes each second
//! (events.rs), `scans BYTES` how many times the parse of a message its way through a connection takes (scans.rs), and
//! `allocations WHAT` how many there are for one message (allocations.rs).

mod allocations;
mod bare_sse;
mod events;
mod messages;
mod parse;
mod scans;

use std::time::{Duration, Instant};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// How long one answer is measured for, at least.
const ENOUGH: Duration = Duration::from_millis(40);

fn main() -> Outcome {
    for line in std::io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let number = match words[..] {
            ["parse", who, message] => parse::seconds(who, message)?,
            ["events", who, bytes, chunk] => events::rate(who, bytes.parse()?, chunk.parse()?)?,
            ["scans", bytes] => scans::ratio(bytes.parse()?)?,
            ["allocations", what] => allocations::each(what)?,
            _ => return Err(format!("no job {line:?}").into()),
        };
        println!("{number:e}");
    }
    Ok(())
}

/// Seconds that `once` takes, the least work around it.
fn time(mut once: impl FnMut()) -> f64 {
    once();
    let mut times = 1u32;
    loop {
        let started = Instant::now();
        for _ in 0..times {
            once();
        }
        let took = started.elapsed();
        if took >= ENOUGH || times > 1 << 24 {
            return took.as_secs_f64() / f64::from(times);
        }
        // Then the next try is the last, most likely.
        let wanted = 1.2 * ENOUGH.as_secs_f64() / took.as_secs_f64().max(1e-9);
        times = (f64::from(times) * wanted.clamp(2.0, 1e6)) as u32;
    }
}
