//! What sessions cost that do nothing: memory of the server, and its work to open them.

use std::process::Command;
use std::time::{Duration, Instant};

use super::meter;
use super::running::Running;
use super::session::{Binding, Session, Wire};
use super::station::{Sample, Station, Unit};
use crate::Outcome;

/// Opened before those that are counted, so that what a server makes once is there.
const WARM: usize = 200;
/// Sessions that are counted, each time.
const COUNTED: usize = 1000;
/// Sessions of a bridge.
const BRIDGED: usize = 500;

/// A server that gets ever more idle sessions.
pub(super) struct Idle {
    running: Running,
    port: u16,
    posts: Wire,
    kept: Vec<Session>,
    binding: Binding,
    /// Whether sessions of Streamable HTTP have their stream.
    listening: bool,
}

impl Idle {
    pub(super) fn open(command: Command, binding: Binding, listening: bool) -> Outcome<Self> {
        let (running, port) = Running::listening(command)?;
        let posts = Wire::connect(port)?;
        let mut idle = Self { running, port, posts, kept: Vec::new(), binding, listening };
        idle.more(WARM)?;
        Ok(idle)
    }

    fn more(&mut self, sessions: usize) -> Outcome {
        for _ in 0..sessions {
            let mut session = Session::open(self.binding, self.port, &mut self.posts)?;
            if self.listening {
                session.listen(self.port)?;
            }
            self.kept.push(session);
        }
        Ok(())
    }
}

impl Station for Idle {
    /// Always more sessions, so that what was freed is not taken again.
    fn measure(&mut self) -> Outcome<Sample> {
        let pid = self.running.pid();
        // It was silent while others were measured, and closed by some.
        self.posts = Wire::connect(self.port)?;
        let (cpu, memory) = (meter::cpu(pid)?, meter::memory(pid, "VmRSS")?);
        self.more(COUNTED)?;
        let (cpu, memory) = (meter::cpu(pid)? - cpu, meter::memory(pid, "VmRSS")? - memory);
        let sessions = COUNTED as f64;
        Ok(vec![(Unit::Session, memory / sessions), (Unit::Opening, cpu / 1e3 / sessions)])
    }
}

/// A bridge from its start to 500 sessions; its children are not counted.
pub(super) struct Bridge(pub(super) Box<dyn Fn() -> Command>);

impl Station for Bridge {
    fn measure(&mut self) -> Outcome<Sample> {
        let started = Instant::now();
        let (running, port) = Running::listening((self.0)())?;
        let mut posts = connect(port, started)?;
        let mut sessions = vec![Session::open(Binding::Sse, port, &mut posts)?];
        let start = started.elapsed().as_secs_f64() * 1e3;
        let idle = meter::memory(running.pid(), "VmRSS")? / 1024.0;
        for _ in 1..BRIDGED {
            sessions.push(Session::open(Binding::Sse, port, &mut posts)?);
        }
        let loaded = meter::memory(running.pid(), "VmRSS")? / 1024.0;
        Ok(vec![(Unit::Start, start), (Unit::Idle, idle), (Unit::Loaded, loaded)])
    }
}

/// Some say where they listen before they do.
fn connect(port: u16, since: Instant) -> Outcome<Wire> {
    loop {
        match Wire::connect(port) {
            Err(_) if since.elapsed() < Duration::from_secs(20) => std::thread::yield_now(),
            other => return other,
        }
    }
}
