//! Bounds, with their units and reasons.

use std::time::Duration;

use mcp_jsonrpc::ScanLimits;

/// Thirty years: what a longer wait is cut to. No process sees the end of it, and a point in time so far away can still
/// be told, which one after [`Duration::MAX`] cannot.
pub const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The bounds of a connection. What is not here is a named constant beside its reason, or does not exist.
///
/// ```
/// use mcp_transport_core::Limits;
/// let limits = Limits::default().with_max_message(1024 * 1024).with_max_in_flight(16);
/// assert_eq!(limits.max_message, 1_048_576);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one message in either direction, framing excluded. Default 16 MiB, as in other implementations.
    ///
    /// What comes in above it is discarded and reported with its id; what should go out above it is refused.
    pub max_message: usize,
    /// What the scan of a message refuses: depth, length of an id, messages in a batch.
    pub scan: ScanLimits,
    /// Messages that wait to be written. Default 256.
    pub outbound_count: u32,
    /// Bytes that wait to be written. Default 1 MiB; one larger message passes alone.
    pub outbound_bytes: u32,
    /// Messages that were read and wait for the receiver. Default 256; then reading stops.
    pub inbound_count: u32,
    /// Bytes that were read and wait for the receiver. Default 1 MiB; one larger message passes alone.
    pub inbound_bytes: u32,
    /// Requests of the peer that are being handled. Default 128; one more is refused with reason `overloaded`.
    ///
    /// Reading goes on meanwhile, because the answer that a handler waits for comes in on the same connection.
    pub max_in_flight: u32,
    /// Requests of ours that wait for their response. Default 1,024; one more fails at once.
    pub max_pending: u32,
    /// Answers that a connection gives by itself, to refused and malformed requests, and that wait to be written.
    /// Default 1,024, as many as a peer with these limits has requests pending, so that two such peers never wait for
    /// each other; then reading stops.
    pub max_refusals: u32,
    /// How long accepted requests may still be answered after the end of input or a shutdown. Default 10 s.
    pub drain: Duration,
    /// How long a broken output waits for the input to say why it broke. Default 500 ms.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 16 * 1024 * 1024,
            scan: ScanLimits::default(),
            outbound_count: 256,
            outbound_bytes: 1024 * 1024,
            inbound_count: 256,
            inbound_bytes: 1024 * 1024,
            max_in_flight: 128,
            max_pending: 1024,
            max_refusals: 1024,
            drain: Duration::from_secs(10),
            linger: Duration::from_millis(500),
        }
    }
}

crate::setters! {
    for Limits;
    /// Sets [`Limits::max_message`].
    with_max_message: max_message: usize;
    /// Sets [`Limits::scan`].
    with_scan: scan: ScanLimits;
    /// Sets [`Limits::outbound_count`].
    with_outbound_count: outbound_count: u32;
    /// Sets [`Limits::outbound_bytes`].
    with_outbound_bytes: outbound_bytes: u32;
    /// Sets [`Limits::inbound_count`].
    with_inbound_count: inbound_count: u32;
    /// Sets [`Limits::inbound_bytes`].
    with_inbound_bytes: inbound_bytes: u32;
    /// Sets [`Limits::max_in_flight`].
    with_max_in_flight: max_in_flight: u32;
    /// Sets [`Limits::max_pending`].
    with_max_pending: max_pending: u32;
    /// Sets [`Limits::max_refusals`].
    with_max_refusals: max_refusals: u32;
    /// Sets [`Limits::drain`].
    with_drain: drain: Duration;
    /// Sets [`Limits::linger`].
    with_linger: linger: Duration;
}
