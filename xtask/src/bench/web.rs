//! The load client for HTTP: raw sockets and epoll on one thread, the same for every server.
//!
//! Each call that is in flight has a connection for its POSTs. Over HTTP+SSE a call ends when both its 202 and its
//! event are in, over Streamable HTTP when its response has ended.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::meter;
use super::pipe::{WORDS, call};
use super::response::{Part, Responses, succeeded};
use super::running::{PATIENCE, Running};
use super::session::{Binding, Session, Target, Wire, post};
use super::station::{Sample, Station, Unit};
use crate::Outcome;

/// Ids are as long as this one, so that a request is made by writing over its digits.
const FIRST_ID: u64 = 1_000_000_000;

/// How much is asked at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) binding: Binding,
    /// Over which the calls go in turns.
    pub(super) sessions: usize,
    /// Beside them, silent.
    pub(super) idle: usize,
    pub(super) in_flight: usize,
    pub(super) budget: Duration,
}

/// A connection for POSTs with the call that is in flight on it.
struct Lane {
    wire: Wire,
    /// The requests of the sessions that it speaks for, in turns, and where their id stands.
    requests: Vec<(Vec<u8>, usize)>,
    turn: usize,
    /// Its 202, or its whole response.
    answered: bool,
    /// Its event; nothing is waited for where there are none.
    heard: bool,
}

/// The event stream of a session.
struct Stream {
    wire: Wire,
    /// A line that has not ended yet.
    line: Vec<u8>,
}

/// A server under load.
pub(super) struct Web {
    running: Running,
    port: u16,
    epoll: OwnedFd,
    lanes: Vec<Lane>,
    streams: Vec<Stream>,
    _idle: Vec<Session>,
    binding: Binding,
    next_id: u64,
    requests: u32,
    buffer: Vec<u8>,
}

impl Web {
    pub(super) fn open(command: Command, load: Load) -> Outcome<Self> {
        let (running, port) = Running::listening(command)?;
        let mut posts = Wire::connect(port)?;
        let mut sessions = Vec::new();
        for _ in 0..load.sessions {
            sessions.push(Session::open(load.binding, port, &mut posts)?);
        }
        if let Some(session) = sessions.first_mut() {
            check(session, port, &mut posts)?;
        }
        let mut idle = Vec::new();
        for _ in 0..load.idle {
            idle.push(Session::open(load.binding, port, &mut posts)?);
        }
        let lanes = (0..load.in_flight).map(|lane| {
            // Every session has its turn: lane 1 of 64 speaks for the sessions 1, 65, 129, ...
            let all = (lane % load.sessions..load.sessions).step_by(load.in_flight);
            let targets = all.filter_map(|session| Some(&sessions.get(session)?.target));
            Lane::new(port, targets)
        });
        let lanes = lanes.collect::<Outcome<Vec<_>>>()?;
        let streams = sessions.into_iter().filter_map(|session| session.stream);
        let streams: Vec<_> = streams.map(|wire| Stream { wire, line: Vec::new() }).collect();
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        // The numbers before these are the lanes'.
        for (number, stream) in (lanes.len() as u64..).zip(&streams) {
            wait_for(&epoll, &stream.wire, number)?;
        }
        let mut web = Self {
            running,
            port,
            epoll,
            lanes,
            streams,
            _idle: idle,
            binding: load.binding,
            next_id: FIRST_ID,
            requests: 0,
            buffer: vec![0; 64 * 1024],
        };
        web.connect()?;
        web.requests = meter::enough(load.budget, |requests| web.exchange(requests))?;
        Ok(web)
    }

    /// Connects the lanes anew, since servers close what was silent for some seconds while others were measured.
    fn connect(&mut self) -> Outcome {
        for (number, lane) in (0..).zip(&mut self.lanes) {
            lane.wire = Wire::connect(self.port)?;
            wait_for(&self.epoll, &lane.wire, number)?;
        }
        // Until the server has taken them all.
        self.exchange(u32::try_from(self.lanes.len() * 2)?)
    }

    /// Keeps every lane busy until `requests` were answered.
    fn exchange(&mut self, requests: u32) -> Outcome {
        let (mut to_send, mut answered) = (requests, 0);
        for lane in 0..self.lanes.len() {
            if to_send > 0 {
                self.send(lane)?;
                to_send -= 1;
            }
        }
        let mut events = Vec::with_capacity(256);
        let mut ended = Vec::new();
        let patience = PATIENCE.try_into()?;
        while answered < requests {
            events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&patience))?;
            if events.is_empty() {
                return Err("a call is not answered".into());
            }
            for event in &events {
                let number = usize::try_from(event.data.u64())?;
                if number < self.lanes.len() {
                    self.read_lane(number, &mut ended)?;
                } else {
                    self.read_stream(number - self.lanes.len(), &mut ended)?;
                }
            }
            for lane in ended.drain(..) {
                answered += 1;
                if to_send > 0 {
                    self.send(lane)?;
                    to_send -= 1;
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, number: usize) -> Outcome {
        // The lane can be told from the id.
        let id = self.next_id + number as u64;
        self.next_id += self.lanes.len() as u64;
        let binding = self.binding;
        let Some(lane) = self.lanes.get_mut(number) else { return Ok(()) };
        (lane.answered, lane.heard) = (false, binding == Binding::Streamable);
        lane.turn = (lane.turn + 1) % lane.requests.len();
        let Some((request, at)) = lane.requests.get_mut(lane.turn) else { return Ok(()) };
        if let Some(digits) = request.get_mut(*at..*at + 10) {
            write!(&mut *digits, "{id}")?;
        }
        // So small that there is always room for it.
        Ok(lane.wire.socket.write_all(request)?)
    }

    fn read_lane(&mut self, number: usize, ended: &mut Vec<usize>) -> Outcome {
        let Some(lane) = self.lanes.get_mut(number) else { return Ok(()) };
        let mut answered = false;
        read(&mut lane.wire, &mut self.buffer, |part| {
            match part {
                Part::Head(head) if !succeeded(head) => return Err(format!("the server says {head}").into()),
                Part::End => answered = true,
                _ => {}
            }
            Ok(())
        })?;
        if answered {
            lane.answered = true;
            if lane.heard {
                ended.push(number);
            }
        }
        Ok(())
    }

    fn read_stream(&mut self, number: usize, ended: &mut Vec<usize>) -> Outcome {
        let lanes = &mut self.lanes;
        let Some(Stream { wire, line }) = self.streams.get_mut(number) else { return Ok(()) };
        read(wire, &mut self.buffer, |part| {
            let Part::Data(mut data) = part else { return Ok(()) };
            while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
                let (piece, rest) = data.split_at(end + 1);
                data = rest;
                let id = if line.is_empty() {
                    answered_id(piece)
                } else {
                    line.extend_from_slice(piece);
                    answered_id(line)
                };
                line.clear();
                let Some(id) = id.and_then(|id| id.checked_sub(FIRST_ID)) else { continue };
                let number = usize::try_from(id % lanes.len() as u64)?;
                let Some(lane) = lanes.get_mut(number) else { continue };
                lane.heard = true;
                if lane.answered {
                    ended.push(number);
                }
            }
            line.extend_from_slice(data);
            Ok(())
        })
    }
}

impl Lane {
    fn new<'a>(port: u16, targets: impl Iterator<Item = &'a Target>) -> Outcome<Self> {
        let body = call(FIRST_ID, WORDS);
        let place = body.find(&FIRST_ID.to_string()).ok_or("no id")?;
        let requests: Vec<_> = targets
            .map(|target| {
                let request = post(port, target, &body);
                let at = request.len() - body.len() + place;
                (request, at)
            })
            .collect();
        Ok(Self { wire: Wire::connect(port)?, requests, turn: 0, answered: true, heard: true })
    }
}

impl Station for Web {
    fn measure(&mut self) -> Outcome<Sample> {
        let guard = self.running.watched();
        self.connect()?;
        let pid = self.running.pid();
        let (cpu, started) = (meter::cpu(pid)?, Instant::now());
        self.exchange(self.requests)?;
        let (took, cpu) = (started.elapsed(), meter::cpu(pid)? - cpu);
        drop(guard);
        let requests = f64::from(self.requests);
        Ok(vec![(Unit::Rate, requests / took.as_secs_f64()), (Unit::Cpu, cpu / 1e3 / requests)])
    }
}

/// Has epoll tell when something is there to be read.
fn wait_for(epoll: &OwnedFd, wire: &Wire, number: u64) -> Outcome {
    wire.socket.set_nonblocking(true)?;
    Ok(epoll::add(epoll, &wire.socket, EventData::new_u64(number), EventFlags::IN)?)
}

/// Reads once what is there.
fn read(wire: &mut Wire, buffer: &mut [u8], each: impl FnMut(Part<'_>) -> Outcome) -> Outcome {
    let Wire { socket, responses } = wire;
    let responses: &mut Responses = responses;
    match socket.read(buffer) {
        Ok(0) => Err("the server has closed a connection".into()),
        Ok(read) => responses.push(buffer.get(..read).unwrap_or_default(), each),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The id of the message on a `data` line.
fn answered_id(line: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"id\":";
    let data = line.strip_prefix(b"data:")?;
    let at = data.windows(KEY.len()).position(|window| window == KEY)?;
    let digits = data.get(at + KEY.len()..)?;
    let digits = digits.trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

/// One call, whose answer is looked at.
fn check(session: &mut Session, port: u16, posts: &mut Wire) -> Outcome {
    let answer = posts.ask(&post(port, &session.target, &call(1, WORDS)))?;
    let said = match &mut session.stream {
        Some(stream) => stream.hear(WORDS)?,
        None => String::from_utf8_lossy(&answer.body).into_owned(),
    };
    if said.contains(WORDS) { Ok(()) } else { Err(format!("the answer is {said}").into()) }
}

#[cfg(test)]
mod tests {
    use super::answered_id;

    #[test]
    fn the_id_of_an_answer_is_found() {
        assert_eq!(
            answered_id(br#"data: {"jsonrpc":"2.0","id": 1000000007,"result":{}}"#),
            Some(1_000_000_007)
        );
        assert_eq!(answered_id(br#"data: {"result":{},"id":7}"#), Some(7));
        assert_eq!(answered_id(b"event: message"), None);
        assert_eq!(answered_id(b"data: /message?id=7"), None);
    }
}
