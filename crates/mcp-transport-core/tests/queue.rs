//! The queue: both bounds, last words, the end, and who is woken when.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mcp_transport_core::queue::{Closed, Receiver, Sender, channel};
use proptest::prelude::*;

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// How many messages of this length go in.
fn fills(sender: &Sender<usize>, len: usize) -> usize {
    let mut count = 0;
    while let Some(permit) = sender.try_reserve(len).expect("open") {
        permit.send(count).expect("open");
        count += 1;
    }
    count
}

#[test]
fn both_bounds_hold() {
    for (bytes, count, len, fit) in [
        (1000, 10, 1, 10),
        (1000, 10, 100, 10),
        (1000, 10, 101, 9),
        (1000, 10, 500, 2),
        (1000, 10, 501, 1),
        (1000, 10, 1000, 1),
        (1000, 10, usize::MAX, 1),
        (10, 4, 0, 3),
        (10, 100, 0, 10),
        (0, 0, 5, 1),
        (1024 * 1024, 256, 150, 256),
    ] {
        let (sender, _receiver) = channel(bytes, count);
        assert_eq!(fills(&sender, len), fit, "{bytes} bytes, {count} messages, each of {len}");
        assert_eq!(sender.depth(), fit);
    }
}

#[test]
fn a_message_that_is_too_large_waits_until_it_is_alone() {
    let (sender, mut receiver) = channel(100, 10);
    sender.try_reserve(1).expect("open").expect("room").send(1).expect("open");
    assert!(sender.try_reserve(5000).expect("open").is_none());
    assert_eq!(receiver.try_recv(), Some(1));
    let large = sender.try_reserve(5000).expect("open").expect("room");
    assert!(sender.try_reserve(0).expect("open").is_none());
    drop(large);
    assert_eq!(sender.used_bytes(), 0, "a permit that is dropped gives its room back");
}

#[test]
fn last_words_pass_a_full_queue_in_order() {
    let (sender, mut receiver) = channel(10, 2);
    assert_eq!(fills(&sender, 1), 2);
    sender.last_word(1, 100).expect("open");
    sender.last_word(1, 101).expect("open");
    assert_eq!(receiver.try_recv(), Some(0));
    sender.try_reserve(1).expect("open").expect("room").send(102).expect("open");
    let rest: Vec<_> = std::iter::from_fn(|| receiver.try_recv()).collect();
    assert_eq!(rest, [1, 100, 101, 102]);
}

#[test]
fn a_closed_queue_says_so_and_gives_what_it_holds() {
    let (sender, mut receiver) = channel(10, 2);
    let permit = sender.try_reserve(1).expect("open").expect("room");
    sender.last_word(1, 1).expect("open");
    assert_eq!(fills(&sender, 1), 1);
    let mut waiting = pin!(sender.reserve(1));
    assert!(poll(waiting.as_mut()).is_pending());
    receiver.close();
    assert!(matches!(poll(waiting), Poll::Ready(Err(Closed))));
    assert_eq!(permit.send(9), Err(Closed));
    assert_eq!(sender.last_word(1, 9), Err(Closed));
    assert!(matches!(sender.try_reserve(1), Err(Closed)));
    assert_eq!(receiver.try_recv(), Some(1));
    assert_eq!(receiver.try_recv(), Some(0));
    assert_eq!(poll(pin!(receiver.recv())), Poll::Ready(None));
}

/// Room is made when it is first asked for: a close at that very moment is not lost on it.
#[test]
fn who_asks_first_while_it_closes_does_not_wait() {
    let (told, ended) = mpsc::channel();
    let rounds = std::thread::spawn(move || {
        for round in 0..2000 {
            let (sender, _receiver) = channel::<usize>(1, 1);
            let closer = sender.clone();
            let closing = std::thread::spawn(move || closer.close());
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                // What may fit takes all the room, so that this ends with the queue or never.
                let _first = sender.reserve(1).await;
                assert_eq!(sender.reserve(1).await.err(), Some(Closed), "{round}");
            });
            closing.join().expect("closed");
        }
        told.send(()).expect("somebody waits");
    });
    ended.recv_timeout(Duration::from_secs(60)).expect("every round ends");
    rounds.join().expect("no panic");
}

#[test]
fn a_receiver_that_is_dropped_drops_what_it_holds() {
    let (sender, receiver) = channel(100, 10);
    let held = Arc::new(());
    sender.last_word(1, held.clone()).expect("open");
    drop(receiver);
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(sender.last_word(1, held), Err(Closed));
}

#[test]
fn waiters_are_served_in_line_and_leave_it_when_dropped() {
    let (sender, mut receiver) = channel(10, 10);
    assert_eq!(fills(&sender, 1), 10);
    let mut large = Box::pin(sender.reserve(4));
    let mut small = pin!(sender.reserve(1));
    assert!(poll(large.as_mut()).is_pending() && poll(small.as_mut()).is_pending());
    receiver.try_recv();
    assert!(poll(small.as_mut()).is_pending(), "a small one overtook a large one");
    assert!(sender.try_reserve(1).expect("open").is_none(), "one that does not wait overtook those that do");
    drop(large);
    assert!(poll(small).is_ready(), "the place in line was not given back");
    assert_eq!(sender.used_bytes(), 9);
}

/// Looks at the queue while it is being woken, as an executor that polls in place would.
struct Nosy(Sender<usize>, Mutex<Option<mpsc::Sender<usize>>>);

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        let depth = self.0.depth();
        if let Some(told) = self.1.lock().expect("not poisoned").take() {
            told.send(depth).expect("the test listens");
        }
    }
}

#[test]
fn nobody_is_woken_under_the_lock() {
    let takes: [fn(&mut Receiver<usize>); 3] = [
        |receiver| assert_eq!(receiver.try_recv(), Some(0)),
        |receiver| assert!(receiver.poll_recv(&mut Context::from_waker(Waker::noop())).is_ready()),
        |receiver| receiver.close(),
    ];
    for take in takes {
        let (told, woken) = mpsc::channel();
        // On a thread of its own: what this looks for is a deadlock.
        std::thread::spawn(move || {
            let (sender, mut receiver) = channel(10, 10);
            assert_eq!(fills(&sender, 1), 10);
            let waker = Waker::from(Arc::new(Nosy(sender.clone(), Mutex::new(Some(told)))));
            let mut waiting = pin!(sender.reserve(1));
            assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            take(&mut receiver);
        });
        woken.recv_timeout(Duration::from_secs(10)).expect("a waiter was woken while the queue was locked");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever goes in, what is in the queue never costs more than the bounds, and comes out once and in order.
    #[test]
    fn bounds_hold_for_any_traffic(
        bytes in 1_u32..2000,
        count in 1_u32..50,
        steps in proptest::collection::vec((0_usize..3000, any::<bool>()), 0..300),
    ) {
        let (sender, mut receiver) = channel(bytes, count);
        let mut model = std::collections::VecDeque::new();
        for (at, (len, take)) in steps.into_iter().enumerate() {
            if take {
                prop_assert_eq!(receiver.try_recv(), model.pop_front().map(|(at, _)| at));
            } else if let Some(permit) = sender.try_reserve(len).expect("open") {
                permit.send(at).expect("open");
                model.push_back((at, len));
            }
            let held: usize = model.iter().map(|(_, len)| len).sum();
            prop_assert!(model.len() <= count as usize);
            prop_assert!(held <= bytes as usize || model.len() == 1);
            prop_assert!(sender.used_bytes() <= bytes as usize);
        }
    }
}
