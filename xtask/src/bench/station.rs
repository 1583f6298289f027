//! What is measured: a station is one contender ready to be measured, again and again.

use std::fmt;

use super::stage::Stage;
use crate::Outcome;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    /// Round trips each second.
    Rate,
    /// Microseconds of the server's processor time for one round trip.
    Cpu,
    /// Payload both ways, 10^6 bytes each second.
    Throughput,
    /// The most memory that the server ever had, in sizes of the message.
    Peak,
    /// Resident KiB of the server for one idle session.
    Session,
    /// Microseconds of the server's processor time for one opened session.
    Opening,
    /// Nanoseconds for one message.
    Parse,
    /// Parses that the way of a message takes as long as.
    Scans,
    /// Milliseconds until the first answer.
    Start,
    /// Crates that have to be compiled.
    Crates,
    /// Seconds of processor time of a clean build.
    Build,
    /// KiB of a stripped binary.
    Size,
    /// Resident MiB without a session.
    Idle,
    /// Resident MiB with 500 sessions.
    Loaded,
    /// Heap allocations for one message.
    Allocations,
}

impl Unit {
    /// The word behind a figure.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rate => "rt/s",
            Self::Cpu => "µs CPU/rt",
            Self::Throughput => "MB/s",
            Self::Peak => "× message, peak RSS",
            Self::Session => "KiB/session",
            Self::Opening => "µs CPU/session",
            Self::Parse => "ns",
            Self::Scans => "parses",
            Self::Start => "ms",
            Self::Crates => "crates",
            Self::Build => "s CPU",
            Self::Size => "KiB",
            Self::Idle => "MiB idle",
            Self::Loaded => "MiB, 500 sessions",
            Self::Allocations => "allocations",
        }
    }
}

/// The figures of one measurement.
pub(super) type Sample = Vec<(Unit, f64)>;

pub(super) trait Station {
    fn measure(&mut self) -> Outcome<Sample>;
}

/// Makes a contender ready.
pub(super) type Open = Box<dyn Fn(&Stage) -> Outcome<Box<dyn Station>>>;

/// Somebody who is measured.
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) open: Open,
}

impl Contender {
    pub(super) fn new<S: Station + 'static>(
        name: &'static str,
        open: impl Fn(&Stage) -> Outcome<S> + 'static,
    ) -> Self {
        Self { name, open: Box::new(move |stage| Ok(Box::new(open(stage)?))) }
    }
}

impl fmt::Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
