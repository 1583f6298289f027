//! Request bodies within a bound of size and time.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};
use mcp_transport_core::FOREVER;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::reply::Refusal;

/// How slowly a request body may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyPace {
    /// The longest wait for the next bytes. Default 15 s.
    pub idle: Duration,
    /// How long a body may take before its rate is looked at. Default 10 s.
    pub grace: Duration,
    /// Bytes a second, counted from the first wait, that it has to have after `grace`. Default 1,024; 0 for any.
    pub min_rate: u32,
}

impl Default for BodyPace {
    fn default() -> Self {
        Self { idle: Duration::from_secs(15), grace: Duration::from_secs(10), min_rate: 1024 }
    }
}

impl BodyPace {
    /// Sets [`BodyPace::idle`].
    #[must_use]
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets [`BodyPace::grace`].
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets [`BodyPace::min_rate`].
    #[must_use]
    pub fn with_min_rate(mut self, bytes_per_second: u32) -> Self {
        self.min_rate = bytes_per_second;
        self
    }

    /// When the next bytes have to be there, at the latest.
    fn deadline(&self, start: Instant, now: Instant, read: usize) -> Instant {
        let idle = now + self.idle.min(FOREVER);
        if self.min_rate == 0 {
            return idle;
        }
        let earned = Duration::from_millis((read as u64).saturating_mul(1000) / u64::from(self.min_rate));
        idle.min(start + earned.max(self.grace).min(FOREVER))
    }
}

/// Reads a body whole. At most `max` bytes are held, whatever its head says.
pub(crate) async fn read_body<B>(
    headers: &HeaderMap,
    mut body: Pin<&mut B>,
    max: usize,
    pace: BodyPace,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let too_large =
        || Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large (--max-body)\n").closing();
    let declared = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if body.size_hint().lower().max(declared.unwrap_or(0)) > max as u64 {
        return Err(too_large());
    }
    let mut wait = Wait { pace, start: None, timer: None };
    let mut first = Bytes::new();
    let mut more = Vec::new();
    while !body.is_end_stream() {
        let read = first.len() + more.len();
        let frame = match wait.frame(body.as_mut(), read).await {
            Err(TooSlow) => {
                let text = "the body comes too slowly\n";
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text).closing());
            }
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "the body is broken\n").closing());
            }
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers are dropped: nothing that we know of is in them, and they never become headers.
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > max - read {
            return Err(too_large());
        }
        if read == 0 {
            // The usual body comes in one piece, and is used as it is.
            first = data;
        } else {
            // Doubling, but never beyond the limit.
            let room = match more.capacity() {
                0 => usize::try_from(declared.unwrap_or(0)).unwrap_or(max).min(256 * 1024),
                full if full < read + data.len() => full.saturating_mul(2),
                enough => enough,
            };
            more.reserve_exact(room.min(max).max(read + data.len()) - more.len());
            more.extend_from_slice(&std::mem::take(&mut first));
            more.extend_from_slice(&data);
        }
    }
    Ok(if more.is_empty() { first } else { more.into() })
}

/// The wait for the frames of a body. A body that is there already needs neither a clock nor a timer.
struct Wait {
    pace: BodyPace,
    /// When it was first waited for.
    start: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

struct TooSlow;

impl Wait {
    /// The next frame, after `read` bytes.
    async fn frame<B: Body>(
        &mut self,
        mut body: Pin<&mut B>,
        read: usize,
    ) -> Result<Option<Result<Frame<B::Data>, B::Error>>, TooSlow> {
        let mut waits = false;
        poll_fn(|cx| {
            if let Poll::Ready(frame) = body.as_mut().poll_frame(cx) {
                return Poll::Ready(Ok(frame));
            }
            if !waits {
                let now = Instant::now();
                let deadline = self.pace.deadline(*self.start.get_or_insert(now), now, read);
                match &mut self.timer {
                    Some(timer) => timer.as_mut().reset(deadline),
                    empty => *empty = Some(Box::pin(sleep_until(deadline))),
                }
                waits = true;
            }
            self.timer.as_mut().map_or(Poll::Pending, |timer| timer.as_mut().poll(cx)).map(|()| Err(TooSlow))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::pin;
    use std::task::{Context, ready};

    use tokio::time::sleep;

    use super::*;

    /// Pieces, each some seconds after the one before; then silence, or the end.
    struct Trickle {
        pieces: VecDeque<(u64, usize)>,
        timer: Option<Pin<Box<Sleep>>>,
        ends: bool,
    }

    impl Body for Trickle {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let this = &mut *self;
            let Some((after, length)) = this.pieces.front().copied() else {
                return if this.ends { Poll::Ready(None) } else { Poll::Pending };
            };
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(Duration::from_secs(after))));
            ready!(timer.as_mut().poll(cx));
            this.timer = None;
            this.pieces.pop_front();
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; length])))))
        }
    }

    async fn read(pieces: &[(u64, usize)], ends: bool, max: usize) -> (Result<usize, u16>, u64) {
        let body = Trickle { pieces: pieces.iter().copied().collect(), timer: None, ends };
        let start = Instant::now();
        let result = read_body(&HeaderMap::new(), pin!(body), max, BodyPace::default()).await;
        (
            result.map(|body| body.len()).map_err(|refusal| refusal.status().as_u16()),
            start.elapsed().as_secs(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn comes_in_time_or_not() {
        for (pieces, ends, expected) in [
            (&[][..], true, (Ok(0), 0)),
            (&[(0, 10), (14, 30_000)], true, (Err(408), 10)),
            (&[(0, 30_000), (14, 1)], true, (Ok(30_001), 14)),
            (&[(0, 30_000), (16, 1)], true, (Err(408), 15)),
            (&[(9, 1), (0, 0)], true, (Ok(1), 9)),
            (&[], false, (Err(408), 10)),
            // Exactly 1 KiB/s, and a little less.
            (&[(0, 11 * 1024), (10, 2 * 1024), (2, 4 * 1024), (4, 1)], true, (Ok(17 * 1024 + 1), 16)),
            (&[(0, 11 * 1024), (10, 2 * 1024), (4, 4 * 1024)], true, (Err(408), 13)),
        ] {
            assert_eq!(read(pieces, ends, 1 << 20).await, expected, "{pieces:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_bounded_however_it_is_cut() {
        for max in [0, 1, 5, 64] {
            for length in [max.max(1) - 1, max, max + 1, max + 100] {
                for piece in [1, 2, 3, 1000] {
                    let pieces: Vec<_> = std::iter::repeat_n((0, piece), length / piece)
                        .chain([(0, length % piece), (0, 0)])
                        .collect();
                    let expected = if length <= max { Ok(length) } else { Err(413) };
                    assert_eq!(read(&pieces, true, max).await.0, expected, "{max} {length} {piece}");
                }
            }
        }
    }

    #[tokio::test]
    async fn keeps_the_order_of_bytes() {
        for piece in [1, 7, 99, 100] {
            let whole = read_body(&HeaderMap::new(), pin!(Counted(0, piece)), 100, BodyPace::default())
                .await
                .unwrap();
            assert_eq!(whole, (0..100).collect::<Vec<u8>>());
        }
    }

    /// The bytes from 0 to 99, in pieces.
    struct Counted(u8, u8);

    impl Body for Counted {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let piece: Vec<u8> = (self.0..(self.0 + self.1).min(100)).collect();
            self.0 += piece.len() as u8;
            Poll::Ready(if piece.is_empty() { None } else { Some(Ok(Frame::data(piece.into()))) })
        }
    }
}
